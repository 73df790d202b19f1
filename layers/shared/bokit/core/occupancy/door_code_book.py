"""The door codes of a unit: one for each stay, which it keeps whatever moves, and which no other has soon after it. Pure.

a stay                                       its code
appears                                      reported once; chosen when somebody asks for it
moves, is extended, is called otherwise      stays, with another validity
is perhaps another guest's (``doubted``)     withheld until a person confirms it, or makes a new one
is cancelled                                 revoked, and kept for it
comes back                                   the same again, unless a person gave it to another stay meanwhile
ended 90 days ago                            forgotten, and free
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from bokit.core.bookings.door_codes import CodeOrigin
from bokit.core.bookings.nights import Span
from bokit.core.bookings.stay import read_span
from bokit.core.ical.entries import BLOCKING, EntryKind
from bokit.core.model.documents import write_time
from bokit.core.model.events import DOOR_CODES
from bokit.core.model.merge import DOUBTED_AT
from bokit.core.model.records import Fields, Json, Record, RecordId, Scope, TenantId, make_record_id, new_record
from bokit.core.occupancy.echo_verdict import EchoState
from bokit.core.occupancy.limits import DOOR_CODE_REST, MAX_FORMER_CODES
from bokit.core.occupancy.occupancy import Booking, Occupancy
from bokit.values import Value, field, replace


class DoorStay(Value):
    """A stay, as far as its door code depends on it."""

    id: RecordId
    records: tuple[RecordId, ...]
    span: Span
    phone: str | None = None
    doubted_at: str | None = None
    """When it last became perhaps another guest's; None: one of its sources knows better, or a person confirmed it."""


class DoorCode(Value):
    """The code of one stay, sealed, and what was reported of it."""

    id: RecordId
    """The booking's, when it was first seen; its code is sealed for that."""
    records: tuple[RecordId, ...]
    """Every record that the booking had: its id changes where its first source is removed."""
    valid_from: datetime
    valid_until: datetime
    last_day: date
    sealed: str | None = None
    """None: nobody has asked for it yet, or a person must set it."""
    former: tuple[str, ...] = ()
    origin: CodeOrigin | None = None
    guest: str | None = None
    """Since when the stay is that of the guest whose code it is, as ``DoorStay.doubted_at``."""
    is_doubted: bool = False
    is_revoked: bool = False
    is_reported: bool = False
    """That there is a code was reported, and not that it was revoked."""

    @property
    def is_of_phone(self) -> bool:
        """It is the last digits of the guest's phone."""
        return self.origin is CodeOrigin.PHONE and self.sealed is not None


class DoorCodeBook(Value):
    """The codes of a unit, and what its last change brought."""

    codes: Mapping[RecordId, DoorCode] = field(default_factory=dict)
    news: tuple[Mapping[str, Json], ...] = ()

    def find(self, stay: DoorStay) -> DoorCode | None:
        """Return the code of *stay*; None: it has none."""
        found = (code for code in self.codes.values() if stay.id in code.records)
        return self.codes.get(stay.id) or next(found, None)

    def with_code(self, code: DoorCode) -> DoorCodeBook:
        """Return the book with *code* in place of the stay's former one."""
        return replace(self, codes={**self.codes, code.id: code})


class BookTerms(Value):
    """With what a book is followed."""

    at: datetime
    today: date
    find_validity: Callable[[Span], tuple[datetime, datetime]]
    """Returns from when until when the code of a stay of these days is valid."""
    are_given: bool = True
    """Bokit chooses codes; False: only those are reported that a person sets."""


# ── what it follows ──


def read_door_stays(occupancy: Occupancy, unit: Scope) -> list[DoorStay]:
    """Return the stays of *unit*: its own reservations, without what only repeats them and what a person cancelled."""
    return [_read_stay(b) for b in occupancy.bookings if b.unit_id == unit and has_door_code(b)]


def has_door_code(booking: Booking) -> bool:
    """Return whether *booking* is a stay; a closure, an echo and a cancelled one that still holds nights are none."""
    is_stay = booking.kind is EntryKind.RESERVATION and booking.state is EchoState.OWN
    return is_stay and booking.fields.get("status") in BLOCKING


def _read_stay(booking: Booking) -> DoorStay:
    fields, doubts = booking.fields, [r.memory.get(DOUBTED_AT) for r in booking.records]
    return DoorStay(
        id=booking.id,
        records=tuple(r.id for r in booking.records),
        span=read_span(fields),
        phone=str(fields.get("phone") or fields.get("phone_last4") or "") or None,
        doubted_at=max(map(str, doubts)) if all(doubts) else None,
    )


def follow_stays(book: DoorCodeBook, stays: Sequence[DoorStay], terms: BookTerms) -> DoorCodeBook:
    """Return *book* as *stays*, all of the unit that there are, make it; what is new is in its ``news``."""
    codes: dict[RecordId, DoorCode] = {}
    for stay, known in _pair(book, stays):
        code = _follow(known, stay, terms)
        if code is not None:
            codes[code.id] = code
    for code in book.codes.values():
        if code.id not in codes:
            codes[code.id] = replace(code, is_revoked=True) if code.valid_until > terms.at else code
    return report_changes(book, _without_old(codes, terms.today), terms)


def _pair(book: DoorCodeBook, stays: Sequence[DoorStay]) -> list[tuple[DoorStay, DoorCode | None]]:
    """Return each stay with its code, each code once: that of its own id, else one of any record that it has."""
    left, found = dict(book.codes), dict[RecordId, DoorCode]()
    for stay in stays:
        if stay.id in left:
            found[stay.id] = left.pop(stay.id)
    by_record = {record: code for code in reversed(left.values()) for record in code.records}
    for stay in stays:
        code = next((by_record[r] for r in stay.records if r in by_record), None) if stay.id not in found else None
        if code and left.pop(code.id, None):
            found[stay.id] = code
    return [(stay, found.get(stay.id)) for stay in stays]


def _follow(known: DoorCode | None, stay: DoorStay, terms: BookTerms) -> DoorCode | None:
    """Return the code of *stay* as it is now, of one that was over already as it was; None: it has none."""
    valid_from, valid_until = terms.find_validity(stay.span)
    if valid_until <= terms.at and (known is None or known.valid_until <= terms.at):
        return known
    made = known or DoorCode(
        id=stay.id,
        records=stay.records,
        valid_from=valid_from,
        valid_until=valid_until,
        last_day=stay.span[1],
        guest=stay.doubted_at,
    )
    guest = stay.doubted_at if made.sealed is None else made.guest
    return replace(
        made,
        records=tuple(dict.fromkeys((*stay.records, *made.records))),
        valid_from=valid_from,
        valid_until=valid_until,
        last_day=stay.span[1],
        guest=guest,
        is_doubted=stay.doubted_at not in (None, guest),
        is_revoked=made.is_revoked and valid_until <= terms.at,
    )


def forget_phone_codes(book: DoorCodeBook, records: Container[RecordId], at: datetime) -> tuple[DoorCodeBook, int]:
    """Return *book* without the codes of *records* that were made of a phone and are over, and how many they were."""
    going = [c for c in book.codes.values() if c.is_of_phone and c.valid_until <= at and any(r in records for r in c.records)]
    forgotten = {code.id: replace(code, sealed=None, former=(), origin=None) for code in going}
    return DoorCodeBook(codes={**book.codes, **forgotten}), len(forgotten)


def _without_old(codes: Mapping[RecordId, DoorCode], today: date) -> dict[RecordId, DoorCode]:
    return {code.id: code for code in codes.values() if code.last_day + DOOR_CODE_REST >= today}


# ── what a person changes ──


def replace_code(code: DoorCode, sealed: str | None, origin: CodeOrigin | None, stay: DoorStay) -> DoorCode:
    """Return *code* with another one for the guest of *stay*; the one that it had is remembered, and not given again."""
    former = (*code.former, code.sealed) if code.sealed else code.former
    return replace(code, sealed=sealed, former=former[-MAX_FORMER_CODES:], origin=origin, guest=stay.doubted_at, is_doubted=False)


# ── what is reported ──


def report_changes(before: DoorCodeBook, codes: Mapping[RecordId, DoorCode], terms: BookTerms) -> DoorCodeBook:
    """Return the book of *codes* with what is new since *before*: which code came, changed and went, and never the code."""
    reported, news = dict[RecordId, DoorCode](), list[Mapping[str, Json]]()
    for code in codes.values():
        known = before.codes.get(code.id)
        is_there = not code.is_revoked and (terms.are_given or code.sealed is not None)
        was_there = known is not None and known.is_reported
        fields = _changed_fields(known, code) if known and was_there and is_there else []
        kind = (
            "created"
            if is_there and not was_there
            else "revoked"
            if was_there and not is_there
            else "changed"
            if fields
            else None
        )
        reported[code.id] = replace(code, is_reported=is_there)
        if kind:
            news.append(_describe(kind, code, fields))
    return DoorCodeBook(codes=reported, news=tuple(news))


def _changed_fields(before: DoorCode, after: DoorCode) -> list[str]:
    """Return what changed of a code that somebody may have read."""
    changed = {
        "valid_from": before.valid_from != after.valid_from,
        "valid_until": before.valid_until != after.valid_until,
        "code": before.sealed not in (None, after.sealed),
        "confirm": before.is_doubted != after.is_doubted,
    }
    return [name for name, is_other in changed.items() if is_other]


def _describe(kind: str, code: DoorCode, fields: Sequence[str]) -> dict[str, Json]:
    return {
        "kind": kind,
        "id": code.records[0],
        "valid_from": write_time(code.valid_from),
        "valid_until": write_time(code.valid_until),
        "confirm": code.is_doubted,
        "fields": list(fields),
    }


# ── how it is stored ──


def book_id(unit: Scope) -> RecordId:
    """Return the id of the record of a unit's codes."""
    return make_record_id(unit, "codes")


def read_book(record: Record | None) -> DoorCodeBook:
    """Return the book that *record* keeps; an empty one where there is none yet."""
    rows = record.remote.get("codes", {}) if record else {}
    return DoorCodeBook(codes={RecordId(name): _read_code(RecordId(name), row) for name, row in rows.items()})


def write_book(record: Record | None, book: DoorCodeBook, tenant: TenantId, unit: Scope, at: datetime) -> Record:
    """Return the record that keeps *book*."""
    known = record or new_record(book_id(unit), tenant, DOOR_CODES, at)
    codes = {code.id: _write_code(code) for code in book.codes.values()}
    return replace(known, remote={"codes": codes, "news": list(book.news)}, updated_at=at)


def _read_code(code_id: RecordId, row: Fields) -> DoorCode:
    return DoorCode(
        id=code_id,
        records=tuple(map(RecordId, row["records"])),
        valid_from=datetime.fromisoformat(row["from"]),
        valid_until=datetime.fromisoformat(row["until"]),
        last_day=date.fromisoformat(row["last_day"]),
        sealed=row.get("sealed"),
        former=tuple(row.get("former", ())),
        origin=CodeOrigin(row["origin"]) if row.get("origin") else None,
        guest=row.get("guest"),
        **{name: name in row.get("flags", ()) for name in _FLAGS},
    )


_FLAGS = ("is_doubted", "is_revoked", "is_reported")


def _write_code(code: DoorCode) -> dict[str, Any]:
    row = {
        "records": list(code.records),
        "from": write_time(code.valid_from),
        "until": write_time(code.valid_until),
        "last_day": code.last_day.isoformat(),
        "sealed": code.sealed,
        "former": list(code.former),
        "origin": code.origin and str(code.origin),
        "guest": code.guest,
        "flags": [name for name in _FLAGS if getattr(code, name)],
    }
    return {name: value for name, value in row.items() if value}


def list_sealed(codes: Iterable[DoorCode]) -> list[tuple[RecordId, str]]:
    """Return every sealed code, former ones too, with the stay for which it is sealed."""
    return [(code.id, sealed) for code in codes for sealed in (code.sealed, *code.former) if sealed]
