"""What people do with bookings: list them by unit, explain a night, enter one by hand, acknowledge conflicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, TypedDict, cast

from bokit.core.bookings.stay import held_nights, is_window
from bokit.core.model.catalog import BOOKINGS, UnitId
from bokit.core.model.documents import Day
from bokit.core.model.records import Fields, LoggedChange, Record, RecordId, Scope, TenantId
from bokit.core.occupancy.calendar_reads import find_times, read_ranges
from bokit.core.occupancy.conflict_records import CONFLICTS, ConflictDocument, acknowledge_conflict, describe_conflict, is_open
from bokit.core.occupancy.night_counts import CountsBy, OccupancyDocument
from bokit.core.occupancy.night_evidence import NightEvidence
from bokit.core.occupancy.out_calendar import OutCalendar
from bokit.core.occupancy.outgoing import PublishedNight, explain_calendar
from bokit.core.occupancy.turnovers import TurnoverDocument, describe_turnover
from bokit.core.occupancy.view import BookingDocument, ExplainedBooking, describe_bookings, describe_one, explain_night
from bokit.engine.base.clock import Clock, new_bytes
from bokit.engine.bookings.calendar_reads import SHOWING_NIGHTS
from bokit.engine.bookings.stored_calendars import load_calendars, load_last_read
from bokit.engine.bookings.unit_groups import UnitGroupReader, UnitGroupView
from bokit.engine.records.service import RecordService
from bokit.engine.records.writes import ANY, Preconditions
from bokit.store.protocols import Store

if TYPE_CHECKING:
    from bokit.engine.bookings.booking_export import BookingExporter
    from bokit.engine.bookings.charts import ChartService
    from bokit.engine.bookings.door_codes import DoorCodeService
    from bokit.engine.bookings.erasing import ErasureService
    from bokit.engine.bookings.guests import GuestSearch
    from bokit.engine.bookings.moves import MovePlanner
    from bokit.engine.bookings.night_evidence import EvidenceReader
    from bokit.engine.bookings.retention import RetentionService
    from bokit.engine.bookings.undo import UndoService


class BookingInFull(BookingDocument):
    """A booking with the open conflicts that it is in."""

    conflicts: list[ConflictDocument]


class HeldNight(TypedDict):
    """Which bookings hold a unit's night, what each calendar that is read says of it, and each outgoing one."""

    unit_id: str
    unit: str
    night: Day
    held: bool
    by: list[ExplainedBooking]
    feeds: Annotated[
        list[NightEvidence], "The evidence: the calendars that are read for the unit, its parts, and what it is a part of."
    ]
    published: Annotated[list[PublishedNight], "The unit's outgoing calendars, but for those of arrivals and departures."]


def _by_arrival(doc: BookingDocument) -> tuple[str, str]:
    """Return the sort key of a booking."""
    return str(doc["check_in"] or ""), doc["id"]


class BookingService:
    """Bookings as people see them: joint ones once, echoes with their originals, and conflicts."""

    def __init__(
        self, store: Store, records: RecordService, clock: Clock, defaults: Fields, key: Callable[[], str] | None = None
    ) -> None:
        """*key* returns the stack's secret of outgoing calendars, which seals door codes; None: this process opens none."""
        self.store, self.record_service, self.clock, self._key = store, records, clock, key
        self.reader, self._defaults = UnitGroupReader(store, defaults), defaults

    @cached_property
    def charts(self) -> ChartService:
        """The nights of units, and who comes and goes."""
        from bokit.engine.bookings.charts import ChartService

        return ChartService(self.store, self.record_service, self.clock, self._defaults)

    @cached_property
    def exporter(self) -> BookingExporter:
        """What exports arrivals, departures, bookings and changes."""
        from bokit.engine.bookings.booking_export import BookingExporter

        return BookingExporter(self.store, self.reader, self.clock)

    @cached_property
    def door_codes(self) -> DoorCodeService:
        """Door codes of stays."""
        from bokit.engine.bookings.door_codes import DoorCodeService
        from bokit.engine.bookings.outgoing import no_key

        return DoorCodeService(self.store, self.clock, self.reader, self._key or no_key, new_bytes)

    @cached_property
    def moves(self) -> MovePlanner:
        """What plans moves of sources between units."""
        from bokit.engine.bookings.moves import MovePlanner

        return MovePlanner(self.store, self._defaults, self.clock)

    @cached_property
    def undo(self) -> UndoService:
        """What gives back what runs and edits did."""
        from bokit.engine.bookings.undo import UndoService

        return UndoService(self.store, self.record_service, self.clock)

    @cached_property
    def guests(self) -> GuestSearch:
        """Bookings by their guests."""
        from bokit.engine.bookings.guests import GuestSearch

        return GuestSearch(self.store, self.clock, self.reader)

    @cached_property
    def erasing(self) -> ErasureService:
        """What erases guests."""
        from bokit.engine.bookings.erasing import ErasureService

        reconcile, new = self.record_service.sync.reconcile, self.record_service.new_id
        return ErasureService(self.store, self.clock, self.guests, reconcile, new, new_bytes, self._defaults)

    @cached_property
    def retention(self) -> RetentionService:
        """What erases guests when their time is over."""
        from bokit.engine.bookings.retention import RetentionService

        return RetentionService(self.store, self.clock, lambda: self.erasing, self._defaults)

    @cached_property
    def _evidence(self) -> EvidenceReader:
        from bokit.engine.bookings.night_evidence import EvidenceReader

        return EvidenceReader(self.store, self.clock, self._defaults)

    def _load_views(self, tenant: TenantId, units: Sequence[UnitId]) -> list[UnitGroupView]:
        return self.reader.load_views(tenant, [Scope(u) for u in units], self.clock())

    def list_bookings(self, tenant: TenantId, units: Sequence[UnitId], *, windows: bool = False) -> list[BookingDocument]:
        """Return the documents of the units' own bookings, gone ones included, by arrival; with *windows*, those too."""
        found = [doc for of_unit in self.iterate_bookings(tenant, units, windows=windows) for doc in of_unit]
        return sorted(found, key=_by_arrival)

    def iterate_bookings(
        self, tenant: TenantId, units: Sequence[UnitId], *, windows: bool = False
    ) -> Iterator[list[BookingDocument]]:
        """Yield the documents of one unit after the other, by arrival; each is read, with those linked to it, in its turn."""
        groups = self.reader.load_groups(tenant, [Scope(u) for u in units], self.clock())
        group_of = {scope: group for group in groups for scope in group.scopes}
        described: dict[tuple[Scope, ...], list[BookingDocument]] = {}
        for unit in units:
            group = group_of[Scope(unit)]
            if group.scopes not in described:
                described[group.scopes] = _describe_view(self.reader.read_view(group), windows=windows)
            yield [doc for doc in described[group.scopes] if doc["unit_id"] == unit]

    def show(self, tenant: TenantId, record_id: RecordId) -> BookingInFull:
        """Return the document of the booking with this record, with its open conflicts."""
        return self._describe(self.store.load_record(tenant, BOOKINGS, record_id))

    def create(self, tenant: TenantId, unit: UnitId, values: Fields, *, by: str) -> BookingInFull:
        """Enter a reservation or a block by hand and return its document, with its open conflicts."""
        self.store.load_unit(tenant, unit)
        return self._describe(self.record_service.create(tenant, BOOKINGS, Scope(unit), values, by=by))

    def edit(self, tenant: TenantId, record_id: RecordId, values: Fields, *, by: str) -> BookingInFull:
        """Edit a booking and return its document, with its open conflicts."""
        return self._describe(self.record_service.edit(tenant, BOOKINGS, record_id, values, by=by))

    def accept_remote(
        self, tenant: TenantId, record_id: RecordId, fields: Sequence[str] | None = None, *, by: str
    ) -> BookingInFull:
        """Drop edits and return the booking's document, with its open conflicts."""
        return self._describe(self.record_service.accept_remote(tenant, BOOKINGS, record_id, fields, by=by))

    def explain(self, tenant: TenantId, units: Sequence[UnitId], night: date) -> list[HeldNight]:
        """Return for each unit the bookings that hold *night*: its own, its parts', and those of what it is a part of."""
        held: list[HeldNight] = []
        feeds = self._evidence.load_feeds(tenant)
        for view in self._load_views(tenant, units):
            for unit in (u for u in view.group.units if u.id in units):
                by = explain_night(view.occupancy, Scope(unit.id), night)
                held.append(
                    {
                        "unit_id": unit.id,
                        "unit": view.group.names.of(unit),
                        "night": night.isoformat(),
                        "held": bool(by),
                        "by": by,
                        "feeds": self._evidence.describe(feeds, view, Scope(unit.id), night),
                        "published": self._explain_calendars(view, Scope(unit.id), night),
                    }
                )
        return sorted(held, key=lambda doc: list(units).index(UnitId(doc["unit_id"])))

    def _explain_calendars(self, view: UnitGroupView, unit: Scope, night: date) -> list[PublishedNight]:
        calendars = load_calendars(self.store, view.group.tenant, [unit])
        showing_nights = (c for c in calendars if c.variant in SHOWING_NIGHTS)
        return [self._explain_calendar(view, c, night) for c in showing_nights]

    def _explain_calendar(self, view: UnitGroupView, calendar: OutCalendar, night: date) -> PublishedNight:
        page = self.store.find_published(calendar.token_hash)
        times = find_times(read_ranges(page.nights, page.first_read_at), night) if page else None
        return explain_calendar(view.publication, calendar, night, load_last_read(self.store, calendar), times)

    def list_held(self, tenant: TenantId, unit: UnitId) -> dict[RecordId, list[date]]:
        """Return the unit's own records that hold nights to come, with the nights; also those of removed sources."""
        today = self.reader.load_group(tenant, Scope(unit), self.clock()).today
        records = self.store.load_records(tenant, BOOKINGS, Scope(unit))
        held = ((r.id, sorted(night for night in held_nights(r) if night >= today)) for r in records)
        return {record_id: nights for record_id, nights in held if nights}

    def find_holding(self, tenant: TenantId, unit: UnitId) -> list[RecordId]:
        """Return the unit's own records that hold a night to come."""
        return list(self.list_held(tenant, unit))

    def list_turnovers(self, tenant: TenantId, units: Sequence[UnitId], period: tuple[date, date]) -> list[TurnoverDocument]:
        """Return the turnovers of *units* on the days of *period*, ``[first, end)``, by day and unit."""
        found = [t for view in self._load_views(tenant, units) for t in view.find_turnovers(map(Scope, units), period)]
        return [describe_turnover(t) for t in sorted(found, key=lambda t: (t.day, t.unit_id, t.leaves.id))]

    def list_occupancy(
        self, tenant: TenantId, units: Sequence[UnitId], period: tuple[date, date], by: CountsBy = CountsBy.UNIT_MONTH
    ) -> list[OccupancyDocument]:
        """Return how full *units* are in *period*, ``[first, end)``, by month and unit."""
        from bokit.engine.bookings.night_counts import NightCounter

        return NightCounter(self.store, self.reader, self.clock).list_counts(tenant, units, period, by)

    # ── conflicts ──

    def list_conflicts(self, tenant: TenantId, units: Sequence[UnitId], *, everything: bool = False) -> list[ConflictDocument]:
        """Return the conflicts in which *units* take part, by their nights; closed ones only with *everything*."""
        found: list[ConflictDocument] = []
        for group in self.reader.load_groups(tenant, [Scope(u) for u in units], self.clock()):
            for record in self.reader.load_records(group, CONFLICTS):
                mine = set(record.remote["unit_ids"]) & set(units)
                if mine and (everything or is_open(record, group.today)):
                    found.append(describe_conflict(record, group.today))
        return sorted(found, key=lambda doc: (doc["nights"][0], doc["id"]))

    def show_conflict(self, tenant: TenantId, conflict_id: RecordId) -> ConflictDocument:
        """Return one conflict, open or closed."""
        return self._describe_conflict(self.store.load_record(tenant, CONFLICTS, conflict_id))

    def acknowledge(self, tenant: TenantId, conflict_id: RecordId, *, by: str, terms: Preconditions = ANY) -> ConflictDocument:
        """Note that a person knows of a conflict; it is muted until a booking or a night is added.

        Raises StateError where *terms* do not hold of the conflict.
        """

        def patch(record: Record, at: datetime) -> tuple[Record, LoggedChange | None]:
            terms.check(record)
            return acknowledge_conflict(record, by, at)

        return self._describe_conflict(self.record_service.apply_patch(tenant, CONFLICTS, conflict_id, patch))

    def _describe_conflict(self, record: Record) -> ConflictDocument:
        return describe_conflict(record, self.reader.load_group(record.tenant, record.scope, self.clock()).today)

    def _describe(self, record: Record) -> BookingInFull:
        (view,) = self._load_views(record.tenant, [UnitId(record.scope)])
        doc = describe_one(record, view.occupancy)
        ids = {doc["id"], *(source["booking_id"] for source in doc["sources"])}
        found = (r for r in self.reader.load_records(view.group, CONFLICTS) if is_open(r, view.group.today))
        conflicts = [describe_conflict(r, view.group.today) for r in found if ids & set(r.remote["bookings"])]
        return cast("BookingInFull", {**doc, "conflicts": conflicts})


def _describe_view(view: UnitGroupView, *, windows: bool) -> list[BookingDocument]:
    """Return the documents of the group's bookings, by arrival."""
    found = describe_bookings(view.occupancy, view.records)
    closed = (r for r in view.records if is_window(r)) if windows else ()
    return sorted([*found, *(describe_one(r, view.occupancy) for r in closed)], key=_by_arrival)
