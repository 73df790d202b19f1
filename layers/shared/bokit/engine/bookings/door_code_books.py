"""The books of door codes: loaded, followed after bookings were written, and stored. Needs no key: it opens no code.

a run, an edit   ─► reconciler ─► follow: one read for each linked unit; written, with its events, where something changed
an option        ─► follow_all
GET              ─► ``door_codes``, which has the key
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from bokit.core.bookings.nights import Span
from bokit.core.model.events import DOOR_CODES
from bokit.core.model.options import Options
from bokit.core.model.records import Record, RecordId, Scope, TenantId
from bokit.core.occupancy.door_code_book import (
    BookTerms,
    DoorCodeBook,
    DoorStay,
    book_id,
    follow_stays,
    forget_phone_codes,
    read_book,
    read_door_stays,
    write_book,
)
from bokit.engine.bookings.unit_groups import UnitGroup, UnitGroupView
from bokit.store.protocols import Store
from bokit.values import Value


class OpenBook(Value):
    """A unit's book as it is stored, and as its stays make it now."""

    group: UnitGroup
    unit: Scope
    record: Record | None
    before: DoorCodeBook
    now: DoorCodeBook
    stays: tuple[DoorStay, ...]
    terms: BookTerms

    def find_stay(self, record_id: str) -> DoorStay | None:
        """Return the stay with this record; None: it is not one, or no longer."""
        return next((stay for stay in self.stays if record_id in stay.records), None)


class DoorCodeBooks:
    """Keeps the books of units up to date with their stays."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def follow(self, view: UnitGroupView) -> None:
        """Store what the stays of *view* make of the books of its units; nothing where door codes are off."""
        if has_door_codes(view.group.options):
            self.follow_again(view)

    def follow_again(self, view: UnitGroupView) -> None:
        """Do as ``follow`` does, also where door codes are off: then every code is revoked."""
        for book in self.load(view).values():
            self.save(book, book.now)

    def load(self, view: UnitGroupView) -> Mapping[Scope, OpenBook]:
        """Return the books of the group's units, in one read."""
        group, records = view.group, self._load_records(view.group)
        return {Scope(unit.id): _open(view, Scope(unit.id), records.get(book_id(Scope(unit.id)))) for unit in group.units}

    def save(self, book: OpenBook, after: DoorCodeBook) -> None:
        """Store *after*, with its news, where it differs from what is stored; raises StoreConflictError."""
        if after.codes != book.before.codes:
            record = write_book(book.record, after, book.group.tenant, book.unit, book.group.at)
            self.store.apply_records([record], [], lease=None)

    def remove(self, tenant: TenantId, unit: Scope) -> None:
        """Delete the book of a unit; raises StoreConflictError where somebody writes it."""
        found = self.store.find_records(tenant, DOOR_CODES, [book_id(unit)])
        self.store.delete_records(list(found.values()), counted=False)

    def load_units(self, tenant: TenantId, units: Iterable[Scope]) -> Mapping[Scope, DoorCodeBook]:
        """Return the books of *units* as they are stored, in one read."""
        found = self.store.find_records(tenant, DOOR_CODES, [book_id(unit) for unit in units])
        return {record.scope: read_book(record) for record in found.values()}

    def forget_phone_codes(self, tenant: TenantId, units: Iterable[Scope], records: Container[RecordId], at: datetime) -> int:
        """Forget codes of *records* that are over and were made of a phone; return how many. Raises StoreConflictError."""
        count = 0
        for record in self.store.find_records(tenant, DOOR_CODES, [book_id(unit) for unit in units]).values():
            after, forgotten = forget_phone_codes(read_book(record), records, at)
            if forgotten:
                self.store.apply_records([write_book(record, after, tenant, record.scope, at)], [], lease=None)
            count += forgotten
        return count

    def _load_records(self, group: UnitGroup) -> Mapping[RecordId, Record]:
        return self.store.find_records(group.tenant, DOOR_CODES, [book_id(Scope(unit.id)) for unit in group.units])


def has_door_codes(options: Options) -> bool:
    """Return whether stays have door codes."""
    return bool(options["access.codes"])


def _open(view: UnitGroupView, unit: Scope, record: Record | None) -> OpenBook:
    group, before = view.group, read_book(record)
    stays = tuple(read_door_stays(view.occupancy, unit)) if has_door_codes(group.options) else ()
    terms = BookTerms(
        at=group.at,
        today=group.today,
        find_validity=_validity_of(group, unit),
        are_given=group.options["access.source"] != "manual",
    )
    now = follow_stays(before, stays, terms)
    return OpenBook(group=group, unit=unit, record=record, before=before, now=now, stays=stays, terms=terms)


def _validity_of(group: UnitGroup, unit: Scope) -> Callable[[Span], tuple[datetime, datetime]]:
    """Return from when until when a stay's code is valid: check-in to check-out in the unit's timezone, and the buffer."""
    times, buffer = group.times[unit], timedelta(minutes=group.options["access.buffer_minutes"])

    def find_validity(span: Span) -> tuple[datetime, datetime]:
        first, end = span
        return times.arrival_at(first).astimezone(UTC) - buffer, times.departure_at(end).astimezone(UTC) + buffer

    return find_validity
