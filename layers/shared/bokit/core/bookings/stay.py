"""A booking in its source's record: dates as dates, and which nights it holds."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from operator import attrgetter
from typing import Annotated, TypedDict, cast

from bokit.core.bookings.nights import Span, join_nights, join_spans, nights, nights_of, read_spans
from bokit.core.ical.entries import BLOCKING, Entry, EntryKind, Status
from bokit.core.model.documents import Count, Day, EditDocument, Time, describe_edits, write_time
from bokit.core.model.merge import CONFIRM, normalise_fields
from bokit.core.model.records import Fields, Json, Presence, Record
from bokit.values import Value


class BookingFields(TypedDict):
    """What a feed or a person says of a booking."""

    kind: EntryKind
    status: Status
    check_in: Day | None
    check_out: Day | None
    starts_at: Time | None
    ends_at: Time | None
    summary: str | None
    guest_name: str | None
    reservation_code: str | None
    reservation_url: str | None
    phone_last4: str | None
    phone: str | None
    email: str | None
    country: str | None
    guests: Count | None
    adults: Count | None
    children: Count | None
    ota: str | None
    ota_reference: str | None
    comments: str | None
    notes: str | None
    recurrence_id: str | None
    extra: dict[str, Json] | None


BOOKING_FIELDS = tuple(BookingFields.__annotations__)
_values_of = attrgetter(*BOOKING_FIELDS)
DETAIL_FIELDS = BOOKING_FIELDS[6:]
"""Fields of an entry that a booking keeps as they are."""
GUEST_FIELDS = frozenset(DETAIL_FIELDS) - {"recurrence_id", "extra"}
"""Fields that are about the guest: a person's values of them are no other guest's."""
ANOTHER_GUEST = "may be another guest"
ERASED = "erased"
"""In a record's rules state: what is kept of a guest who was erased (``core.bookings.erasure``)."""
NIGHTS, ROLLING, PROVISIONAL, RELEASED = "nights", "rolling", "provisional", "released_nights"
REST = "rest"
"""In a window: those of its rolling nights that are of bookings beyond the limits of its source."""


class GoneReason(StrEnum):
    """Why a stay was released; stored in its record."""

    JOINED = "joined with another stay by the feed"
    REPLACED = "another reservation holds its nights"
    VANISHED = "gone from the feed"
    CANCELLED = "the source says that it is cancelled"
    APPLIED = "a person applied the held plan"
    EMPTY = "its calendar stayed empty, and the owner was notified"
    SOURCE_REMOVED = "its source was removed, and a person released it"
    MOVED = "moved with its source"
    """And where to."""


class Stay(Value):
    """What the source last said of one booking, typed."""

    record: Record
    kind: EntryKind
    status: Status
    check_in: date
    check_out: date
    code: str | None = None
    guest_name: str | None = None

    @property
    def span(self) -> Span:
        """Its first night, and the day of departure."""
        return self.check_in, self.check_out

    @property
    def is_gone(self) -> bool:
        """The source no longer shows it, and the evidence was enough to release it."""
        return self.record.presence is Presence.GONE

    def nights_from(self, today: date) -> set[date]:
        """Return the nights that are not past."""
        return nights(max(self.check_in, today), self.check_out)

    def is_to_come(self, today: date) -> bool:
        """Return whether any of its nights is not past."""
        return max(self.check_in, today) < self.check_out


def read_stay(record: Record) -> Stay:
    """Return the source's side of *record* as a stay."""
    remote = record.remote
    check_in, check_out = read_span(remote)
    return Stay(
        record=record,
        kind=EntryKind(remote["kind"]),
        status=Status(remote["status"]),
        check_in=check_in,
        check_out=check_out,
        code=read_code(record),
        guest_name=remote.get("guest_name") or _erased_name(record),
    )


def read_code(record: Record) -> str | None:
    """Return the reservation code that the source shows; of an erased guest's booking, what is kept in its place."""
    return record.remote.get("reservation_code") or _erased(record).get("code")


def _erased_name(record: Record) -> str | None:
    """Return what is kept in place of the name of an erased guest; None of a block, whatever its summary said."""
    is_stay = record.remote["kind"] == EntryKind.RESERVATION
    return " ".join(_erased(record).get("title", ())) or None if is_stay else None


def _erased(record: Record) -> Fields:
    return record.memory.get(ERASED) or {}


def read_remote(entry: Entry) -> dict[str, Json]:
    """Return *entry* as a record keeps it, without empty fields."""
    values = zip(BOOKING_FIELDS, _values_of(entry), strict=True)
    return normalise_fields({name: value for name, value in values if value is not None and value not in ("", {})})


def entry_key(entry: Entry) -> str:
    """Return the entry's identity in its feed: its UID, and the instance of a recurring one."""
    return f"{entry.uid}#{entry.recurrence_id}" if entry.recurrence_id else entry.uid


def is_window(record: Record) -> bool:
    """Return whether *record* is its source's window."""
    return bool(record.remote.get("kind") == EntryKind.WINDOW)


def is_moved(record: Record) -> bool:
    """Return whether *record* is what a booking left behind that moved to another unit."""
    return record.source_id is None and str(record.gone_reason or "").startswith(GoneReason.MOVED)


def held_nights(record: Record) -> set[date]:
    """Return the nights that *record* holds.

        local blocks    source blocks    nights held
        yes             any              local and source's, without those that a person released
        no              yes              the same: an edit never frees a night that a feed closes
        no              no               none

    A window holds its nights, those that roll, and the provisional ones. Nights count as the source's until it is gone.
    """
    return nights_of(held_spans(record, record.fields))


def held_spans(record: Record, local: Fields) -> list[Span]:
    """Return the nights of :func:`held_nights` as spans, as few as can be, in order; *local* are the fields of *record*."""
    remote = record.remote
    if not (local.get("status") in BLOCKING or remote.get("status") in BLOCKING):
        return []
    if is_window(record):
        return join_spans(read_spans(row for name in (NIGHTS, ROLLING, PROVISIONAL) for row in remote.get(name, ())))
    spans = join_spans([read_span(local), read_span(remote)] if record.edits else [read_span(remote)])
    return join_nights(nights_of(spans) - released_nights(record)) if local.get(RELEASED) else spans


def released_nights(record: Record) -> set[date]:
    """Return the nights that a person released although the source closes them."""
    return {date.fromisoformat(night) for night in record.fields.get(RELEASED) or ()}


def published_nights(window: Record) -> set[date]:
    """Return the nights of *window* that other calendars are shown: those that roll, and the provisional ones."""
    return {n for name in (ROLLING, PROVISIONAL) for n in nights_of(read_spans(window.remote.get(name, ())))}


def doubtful_nights(window: Record) -> set[date]:
    """Return the nights of *window* that a doubtful feed closes."""
    return nights_of(read_spans(window.remote.get(PROVISIONAL, ())))


def window_nights(record: Record | None) -> set[date]:
    """Return the nights that the source closed by rule, without those that are published."""
    return nights_of(read_spans(record.remote.get(NIGHTS, ()))) if record else set()


def read_span(values: Fields) -> Span:
    """Return the first night, and the day of departure, of a booking's fields."""
    return date.fromisoformat(values["check_in"]), date.fromisoformat(values["check_out"])


class Disagreement(TypedDict):
    """A person's value of a field, and the source's, which differs."""

    local: Json
    remote: Json


class BookingRecordDocument(BookingFields):
    """One source's record of a booking, or one made by hand."""

    id: str
    unit_id: str
    blocks_nights: bool
    released_nights: list[Day]
    source_id: str | None
    presence: Presence
    missing_since: Time | None
    gone_at: Time | None
    gone_reason: str | None
    edits: dict[str, EditDocument]
    disagreements: dict[str, Disagreement]
    confirm: Annotated[
        str | None,
        "What to confirm: `may be another guest`, where only the nights say that the edits still belong to it. "
        "Any edit confirms it, also `confirm` set to null.",
    ]
    created_at: Time
    updated_at: Time
    version: Count


def describe_booking(record: Record) -> BookingRecordDocument:
    """Return *record* as the contract's booking, for the API and the command line."""
    local = record.fields
    document = {
        "id": record.id,
        "unit_id": record.scope,
        "blocks_nights": bool(held_nights(record)),
        **{name: local.get(name) for name in BOOKING_FIELDS},
        RELEASED: local.get(RELEASED, []),
        "source_id": record.source_id,
        "presence": str(record.presence),
        "missing_since": time_or_none(record.missing_since),
        "gone_at": time_or_none(record.gone_at),
        "gone_reason": record.gone_reason,
        "edits": describe_edits(record),
        "disagreements": {n: {"local": ours, "remote": theirs} for n, (ours, theirs) in sorted(record.disagreements.items())},
        CONFIRM: record.memory.get(CONFIRM),
        "created_at": write_time(record.created_at),
        "updated_at": write_time(record.updated_at),
        "version": record.version,
    }
    return cast("BookingRecordDocument", document)


def time_or_none(at: datetime | None) -> str | None:
    """Return *at* as JSON keeps it; None stays None."""
    return write_time(at) if at else None
