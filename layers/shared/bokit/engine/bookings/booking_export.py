"""Export of arrivals, departures, bookings and their changes: as rows for a table, or as a calendar file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta

from bokit.core.bookings.stay import is_moved, is_window
from bokit.core.ical.writer import CalendarEvent, write_calendar
from bokit.core.model.catalog import UnitId
from bokit.core.model.collections import unit_of
from bokit.core.model.records import Record, Scope, TenantId
from bokit.core.occupancy.booking_rows import (
    ChangedBooking,
    ExportKind,
    Row,
    RowNames,
    booking_columns,
    booking_event,
    booking_row,
    change_columns,
    change_event,
    change_rows,
    select_bookings,
    sort_changes,
)
from bokit.core.occupancy.chart import Channels
from bokit.core.occupancy.view import describe_bookings, describe_one
from bokit.engine.base.clock import Clock
from bokit.engine.bookings.unit_groups import UnitGroupReader, UnitGroupView
from bokit.errors import InputError
from bokit.store.protocols import Store
from bokit.values import Value

DEFAULT_CHANGES = timedelta(days=30)
"""Of how long ago changes are exported, where nothing else is asked for."""


class BookingExport(Value):
    """What was found, in both forms."""

    kind: ExportKind
    columns: tuple[str, ...]
    rows: Sequence[Row]
    events: Sequence[CalendarEvent]

    def write_calendar(self) -> bytes:
        """Return the calendar file."""
        return write_calendar(f"Bokit: {self.kind}", self.events)


class ExportChoice(Value):
    """What is asked for. Without a first day: from today on, of changes the last 30 days. Without an end: all later ones."""

    kind: ExportKind
    first: date | None = None
    end: date | None = None
    is_anonymous: bool = False


class BookingExporter:
    """Exports what units hold, and what changed of it."""

    def __init__(self, store: Store, reader: UnitGroupReader, clock: Clock) -> None:
        self.store, self.reader, self.clock = store, reader, clock

    def export(self, tenant: TenantId, units: Sequence[UnitId], choice: ExportChoice) -> BookingExport:
        """Return what is asked for of *units*."""
        views = self.reader.load_views(tenant, map(Scope, units), self.clock())
        today = min((view.group.today for view in views), default=self.clock().date())
        first = choice.first or (today - DEFAULT_CHANGES if choice.kind is ExportKind.CHANGES else today)
        if choice.end is not None and choice.end <= first:
            raise InputError(f"until must be after from, which is {first}", code="bad-field", field="until")
        names = self._read_names(tenant, views, choice)
        if choice.kind is ExportKind.CHANGES:
            return self._export_changes(views, set(map(Scope, units)), first, choice, names)
        docs = [doc for view in views for doc in describe_bookings(view.occupancy, view.records) if doc["unit_id"] in units]
        found = select_bookings(docs, choice.kind, first, choice.end)
        return BookingExport(
            kind=choice.kind,
            columns=booking_columns(is_anonymous=choice.is_anonymous),
            rows=[booking_row(doc, names) for _, doc in found],
            events=[booking_event(day, doc, choice.kind, names) for day, doc in found],
        )

    def _read_names(self, tenant: TenantId, views: Sequence[UnitGroupView], choice: ExportChoice) -> RowNames:
        sources = [s for s in self.store.load_sources(tenant) if s.removed_at is None and unit_of(s)]
        units = {str(u.id): view.group.names.of(u) for view in views for u in view.group.units}
        return RowNames(
            unit_of=lambda unit: units.get(unit, unit),
            channel_of=Channels(names={s.id: s.name for s in sources}).name_of,
            times={scope: times for view in views for scope, times in view.group.times.items()},
            is_anonymous=choice.is_anonymous,
        )

    def _export_changes(
        self, views: Sequence[UnitGroupView], scopes: set[Scope], first: date, choice: ExportChoice, names: RowNames
    ) -> BookingExport:
        since = datetime.combine(first, time(), UTC)
        until = datetime.combine(choice.end, time(), UTC) if choice.end else None
        mine = ((view, r) for view in views for r in view.records if r.scope in scopes and not is_window(r) and not is_moved(r))
        found = sort_changes(change for view, record in mine for change in self._load_changes(view, record, since, until))
        return BookingExport(
            kind=choice.kind,
            columns=change_columns(is_anonymous=choice.is_anonymous),
            rows=[row for change in found for row in change_rows(change, names)],
            events=[change_event(change, names) for change in found],
        )

    def _load_changes(
        self, view: UnitGroupView, record: Record, since: datetime, until: datetime | None
    ) -> Iterator[ChangedBooking]:
        """Yield the lines of a record's change log from *since* on; its log is read only where it changed since."""
        cursor, is_recent = None, record.updated_at >= since
        doc = describe_one(record, view.occupancy) if is_recent else None
        while doc is not None:
            page = self.store.load_changes(view.group.tenant, record.id, cursor=cursor)
            yield from ((doc, line) for line in page.items if line.at >= since and (until is None or line.at < until))
            cursor = page.cursor
            if cursor is None or page.items[-1].at < since:
                return
