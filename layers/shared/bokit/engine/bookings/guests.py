"""Guests as a person asks for them: which bookings name one, and all that is kept of these.

text ─► read_query ─► each unit's records, and the change logs of those that ever changed ─► bookings, with what names the guest
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, TypedDict

from bokit.core.bookings.erasure import read_erasure
from bokit.core.bookings.guest_search import GuestQuery, find_in_changes, find_in_record, read_query
from bokit.core.bookings.stay import BookingRecordDocument, describe_booking, is_window
from bokit.core.model.catalog import BOOKINGS
from bokit.core.model.cursors import read_cursor, write_cursor
from bokit.core.model.documents import Day, FieldDiff, Time, describe_diffs, write_time
from bokit.core.model.records import LoggedChange, Record, RecordId, Scope, TenantId
from bokit.engine.base.clock import Clock
from bokit.engine.bookings.limits import MAX_GUEST_LOGS, MAX_GUEST_RECORDS, MAX_GUESTS_FOUND
from bokit.engine.bookings.unit_groups import UnitGroupReader, UnitGroupView
from bokit.store.protocols import Store
from bokit.values import Value

LOG_PAGE = 100
"""Lines of a change log that are read at a time."""


class GuestBookingDocument(TypedDict):
    """A booking that names a guest."""

    id: Annotated[str, "Of the record: a booking that several sources report has one for each."]
    unit_id: str
    source_id: Annotated[str | None, "null: entered by hand."]
    check_in: Day | None
    check_out: Day | None
    status: str | None
    guest_name: str | None
    fields: Annotated[list[str], "Its fields that name the guest; empty: another record of the same booking does."]
    in_changes: Annotated[bool, "Its change log names the guest, too."]
    erased_at: Annotated[Time | None, "When its guest was erased last; null: never."]


class GuestChangeDocument(TypedDict):
    """A line of a booking's change log."""

    id: str
    at: Time
    by: str
    action: str
    reason: str
    fields: dict[str, FieldDiff]
    preserved: dict[str, FieldDiff]


class GuestExportDocument(TypedDict):
    """All that is kept of a booking and its guest."""

    booking: BookingRecordDocument
    erased_at: Annotated[Time | None, "When its guest was erased last; null: never."]
    changes: Annotated[list[GuestChangeDocument], "Its change log, newest first."]
    cursor: Annotated[str | None, "Send it to get the next lines of the change log; null: these were the last."]


class FoundGuest(Value):
    """A record that is to be shown, and what names the guest in it."""

    record: Record
    fields: frozenset[str] = frozenset()
    in_changes: bool = False

    def describe(self) -> GuestBookingDocument:
        """Return its document."""
        values, erasure = self.record.fields, read_erasure(self.record)
        return {
            "id": self.record.id,
            "unit_id": self.record.scope,
            "source_id": self.record.source_id,
            "check_in": values.get("check_in"),
            "check_out": values.get("check_out"),
            "status": values.get("status"),
            "guest_name": values.get("guest_name"),
            "fields": sorted(self.fields),
            "in_changes": self.in_changes,
            "erased_at": erasure.at if erasure else None,
        }


class GuestPage(Value):
    """Some of the bookings that name a guest."""

    items: tuple[FoundGuest, ...]
    cursor: str | None
    """Where the search goes on; None: it has ended."""


class GuestSearch:
    """Finds bookings by their guests."""

    def __init__(self, store: Store, clock: Clock, reader: UnitGroupReader) -> None:
        self.store, self.clock, self.reader = store, clock, reader
        self.max_records = MAX_GUEST_RECORDS

    def find(self, tenant: TenantId, who: str, *, cursor: str | None = None) -> GuestPage:
        """Return some of the bookings that name *who*, cancelled and moved ones too; raises InputError for too short a text.

        One call looks into a limited number of bookings and change logs, so a page may be empty and have a cursor.
        """
        query, list_id = read_query(who), f"guests/{tenant}/{who}"
        after = read_cursor(list_id, cursor) if cursor else ""
        items, logs, last = dict[RecordId, FoundGuest](), 0, ""
        for number, (view, record) in enumerate(self._walk(tenant, after)):
            if logs >= MAX_GUEST_LOGS or len(items) >= MAX_GUESTS_FOUND or number >= self.max_records:
                return GuestPage(items=tuple(items.values()), cursor=write_cursor(list_id, last))
            logs += len(record.lines) > 1
            last = _place(record)
            if found := self._judge(query, record):
                items |= {r.id: FoundGuest(record=r) for r in _records_with(view, record) if r.id not in items}
                items[record.id] = found
        return GuestPage(items=tuple(items.values()), cursor=None)

    def find_all(self, tenant: TenantId, who: str) -> list[FoundGuest]:
        """Return every booking that names *who*."""
        items, cursor = dict[RecordId, FoundGuest](), None
        while True:
            page = self.find(tenant, who, cursor=cursor)
            items |= {
                item.record.id: item for item in page.items if item.fields or item.in_changes or item.record.id not in items
            }
            if (cursor := page.cursor) is None:
                return list(items.values())

    def export(
        self, tenant: TenantId, record_id: RecordId, *, limit: int = LOG_PAGE, cursor: str | None = None
    ) -> GuestExportDocument:
        """Return all that is kept of a booking, with some lines of its change log."""
        record = self.store.load_record(tenant, BOOKINGS, record_id)
        page = self.store.load_changes(tenant, record_id, limit=limit, cursor=cursor)
        erasure = read_erasure(record)
        return {
            "booking": describe_booking(record),
            "erased_at": erasure.at if erasure else None,
            "changes": [_describe_change(change) for change in page.items],
            "cursor": page.cursor,
        }

    def export_whole(self, tenant: TenantId, record_id: RecordId) -> GuestExportDocument:
        """Return all that is kept of a booking, with its whole change log."""
        document = self.export(tenant, record_id)
        cursor = document["cursor"]
        while cursor:
            following = self.export(tenant, record_id, cursor=cursor)
            document["changes"] += following["changes"]
            cursor = following["cursor"]
        return {**document, "cursor": None}

    def find_scopes(self, tenant: TenantId) -> list[Scope]:
        """Return every unit that has bookings, also where only removed sources show that there was one."""
        units = {Scope(unit.id) for unit in self.store.load_units(tenant)}
        return sorted(units | {source.scope for source in self.store.load_sources(tenant) if source.collection == BOOKINGS})

    def load_with(self, tenant: TenantId, ids: list[RecordId]) -> list[Record]:
        """Return the records with these ids, and those of the same bookings."""
        found = dict[RecordId, Record]()
        wanted = set(ids)
        scopes = sorted({Scope(record_id.rpartition(".")[0]) for record_id in ids})
        for view in self.reader.load_views(tenant, scopes, self.clock()):
            for record in view.records:
                if record.id in wanted:
                    found |= {r.id: r for r in (record, *_records_with(view, record))}
        return sorted(found.values(), key=lambda record: record.id)

    def _walk(self, tenant: TenantId, after: str) -> Iterator[tuple[UnitGroupView, Record]]:
        """Yield every record but windows behind *after*, each with its unit's view, by unit and id."""
        scopes = [scope for scope in self.find_scopes(tenant) if scope >= after.partition("/")[0]]
        groups = {scope: group for group in self.reader.load_groups(tenant, scopes, self.clock()) for scope in group.scopes}
        view: UnitGroupView | None = None
        for scope in scopes:
            if view is None or scope not in view.group.scopes:
                view = self.reader.read_view(groups[scope])
            for record in sorted((r for r in view.records if r.scope == scope), key=_place):
                if _place(record) > after and not is_window(record):
                    yield view, record

    def _judge(self, query: GuestQuery, record: Record) -> FoundGuest | None:
        fields, logged = find_in_record(query, record), set[str]()
        if len(record.lines) > 1:  # the first line says what the record said at first, and nothing changed since
            logged = find_in_changes(query, read_log(self.store, record))
        if not fields and not logged:
            return None
        return FoundGuest(record=record, fields=frozenset(fields), in_changes=bool(logged))


def read_log(store: Store, record: Record) -> Iterator[LoggedChange]:
    """Yield every line of a record's change log, newest first."""
    cursor: str | None = None
    while True:
        page = store.load_changes(record.tenant, record.id, limit=LOG_PAGE, cursor=cursor)
        yield from page.items
        if (cursor := page.cursor) is None:
            return


def _place(record: Record) -> str:
    return f"{record.scope}/{record.id}"


def _records_with(view: UnitGroupView, record: Record) -> tuple[Record, ...]:
    """Return the records of the booking that *record* is of; of one that holds no night, itself."""
    booking = next((b for b in view.occupancy.bookings if any(r.id == record.id for r in b.records)), None)
    return tuple(booking.records) if booking else (record,)


def _describe_change(change: LoggedChange) -> GuestChangeDocument:
    return {
        "id": change.id,
        "at": write_time(change.at),
        "by": change.by,
        "action": change.action,
        "reason": change.reason,
        "fields": describe_diffs(change.fields),
        "preserved": describe_diffs(change.preserved),
    }
