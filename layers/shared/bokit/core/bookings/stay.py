"""A booking, seen in its record: dates as dates, and which nights it holds."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from bokit.core.bookings.nights import Span, nights, nights_of, read_spans
from bokit.core.ical.entries import BLOCKING, Entry, Kind, Status
from bokit.core.model.merge import normalise_fields, write_time
from bokit.core.model.records import Fields, Json, Presence, Record

SHOWN = (
    "summary",
    "guest_name",
    "reservation_code",
    "reservation_url",
    "phone_last4",
    "phone",
    "email",
    "country",
    "guests",
    "adults",
    "children",
    "ota",
    "ota_reference",
    "comments",
    "notes",
    "recurrence_id",
    "extra",
)
"""Fields of an entry that a booking keeps as they are."""
NIGHTS, PROVISIONAL, RELEASED = "nights", "provisional", "released_nights"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """What the source last said of one booking, typed."""

    record: Record
    kind: Kind
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
        """The source no longer shows it, and the evidence sufficed."""
        return self.record.presence is Presence.GONE

    def nights_from(self, today: date) -> set[date]:
        """Return the nights that are not past."""
        return nights(max(self.check_in, today), self.check_out)


def read_stay(record: Record) -> Stay:
    """Return the source's side of *record* as a stay."""
    said = record.remote
    return Stay(
        record=record,
        kind=Kind(said["kind"]),
        status=Status(said["status"]),
        check_in=date.fromisoformat(said["check_in"]),
        check_out=date.fromisoformat(said["check_out"]),
        code=said.get("reservation_code"),
        guest_name=said.get("guest_name"),
    )


def read_remote(entry: Entry) -> dict[str, Json]:
    """Return what *entry* says, as a record keeps it; what it does not say is left out."""
    told = {f.name: getattr(entry, f.name) for f in fields(entry)}
    kept = ("kind", "status", "check_in", "check_out", "starts_at", "ends_at", *SHOWN)
    return normalise_fields({name: told[name] for name in kept if told[name] not in (None, "", {})})


def entry_key(entry: Entry) -> str:
    """Return the identity that the feed gives the entry: its UID, and the instance of a recurring one."""
    return f"{entry.uid}#{entry.recurrence_id}" if entry.recurrence_id else entry.uid


def is_window(record: Record) -> bool:
    """Return whether *record* is its source's window."""
    return bool(record.remote.get("kind") == Kind.WINDOW)


def held_nights(record: Record) -> set[date]:
    """Return the nights that *record* holds.

        local blocks    source blocks    nights held
        yes             any              local and source's, but for those that a person released
        no              yes              the same: an edit never frees a night that a feed closes
        no              no               none

    A window holds its nights and those held provisionally. Nights count as the source's as long as it is not gone.
    """
    local, said = record.fields, record.remote
    if not ({local.get("status"), said.get("status")} & BLOCKING):
        return set()
    if is_window(record):
        return window_nights(record) | nights_of(read_spans(said.get(PROVISIONAL, ())))
    held = nights_of([_span(local), _span(said)])
    return held - {date.fromisoformat(night) for night in local.get(RELEASED) or ()}


def window_nights(record: Record | None) -> set[date]:
    """Return the nights that the source closed by rule, without those held provisionally."""
    return nights_of(read_spans(record.remote.get(NIGHTS, ()))) if record else set()


def _span(values: Fields) -> Span:
    return date.fromisoformat(values["check_in"]), date.fromisoformat(values["check_out"])


def describe_booking(record: Record) -> dict[str, Json]:
    """Return *record* as the API and the command line show it: the contract's booking."""
    local = record.fields
    shown: dict[str, Any] = {
        "id": record.id,
        "unit_id": record.scope,
        "kind": local.get("kind"),
        "status": local.get("status"),
        "blocks_nights": bool(held_nights(record)),
        "check_in": local.get("check_in"),
        "check_out": local.get("check_out"),
        "starts_at": local.get("starts_at"),
        "ends_at": local.get("ends_at"),
        **{name: local.get(name) for name in SHOWN},
        RELEASED: local.get(RELEASED, []),
    }
    return {**shown, **_describe_state(record)}


def _describe_state(record: Record) -> dict[str, Json]:
    edits = {
        name: {"value": e.value, "remote": record.remote.get(name), "by": e.by, "at": write_time(e.at)}
        for name, e in sorted(record.edits.items())
    }
    differ = {name: {"local": ours, "remote": theirs} for name, (ours, theirs) in sorted(record.disagreements.items())}
    return {
        "source_id": record.source_id,
        "presence": str(record.presence),
        "missing_since": _time(record.missing_since),
        "gone_at": _time(record.gone_at),
        "gone_reason": record.gone_reason,
        "edits": edits,
        "disagreements": differ,
        "created_at": write_time(record.created_at),
        "updated_at": write_time(record.updated_at),
        "version": record.version,
    }


def _time(at: datetime | None) -> str | None:
    return write_time(at) if at else None
