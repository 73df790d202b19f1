"""Calendars and days as people look at them: the nights of each unit, who comes and goes, and what needs a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from datetime import date, datetime, timedelta
from typing import Annotated, Literal, TypedDict

from bokit.core.bookings.nights import DAY
from bokit.core.model.catalog import Source, UnitId
from bokit.core.model.collections import unit_of
from bokit.core.model.documents import Day, Time, write_time
from bokit.core.model.due_times import SourceState
from bokit.core.model.full_names import FullNames, join_names
from bokit.core.model.readers import Reader, Readers, name_reader, round_span
from bokit.core.model.records import Fields, Scope, SourceId, TenantId
from bokit.core.occupancy.agenda import AgendaNames, DayDocument, Place, describe_day, find_without_calendar
from bokit.core.occupancy.chart import ChannelDocument, Channels, NightDocument, describe_nights
from bokit.core.occupancy.conflict_records import CONFLICTS, ConflictDocument, describe_conflict, is_open
from bokit.core.occupancy.out_calendar import CalendarVariant, OutCalendar
from bokit.core.occupancy.turnovers import TurnoverDocument, describe_turnover
from bokit.core.occupancy.view import BookingDocument, describe_bookings, describe_one
from bokit.engine.base.clock import Clock
from bokit.engine.bookings.stored_calendars import load_calendars, load_last_read
from bokit.engine.bookings.unit_groups import UnitGroupReader, UnitGroupView
from bokit.engine.records.service import RecordService
from bokit.engine.runs.status import TROUBLED, SourceStatus, StatusService
from bokit.store.protocols import Store
from bokit.values import Value

UNREAD_AFTER = timedelta(days=2)
"""The slowest platforms read a calendar once a day: one that nobody read for so long is not used."""


class ChartRow(Place):
    """A unit's nights."""

    nights: list[NightDocument]


class ChartDocument(TypedDict):
    """The nights of units, from the first one up to, not including, the end."""

    at: Time
    today: Annotated[Day, "The units' date; where their time zones differ, the earliest."]
    first: Day
    end: Day
    channels: Annotated[list[ChannelDocument], "Those that the nights name."]
    units: Annotated[list[ChartRow], "By property and unit."]
    conflicts: Annotated[list[ConflictDocument], "Double bookings with nights of this time, closed ones left out."]
    bookings: Annotated[list[BookingDocument], "Those that the nights and the conflicts name, by arrival."]


class NeedDocument(TypedDict):
    """Something that needs a person."""

    kind: Literal["conflict", "source", "calendar"]
    id: Annotated[str, "Of the conflict, the source or the outgoing calendar; of a calendar that is missing, of the source."]
    state: Annotated[
        str,
        "Of a conflict its certainty, or `turnover`; of a source `held`, `failing` or `stale`; of a calendar `unread`, or "
        "`missing`: the channel gets none.",
    ]
    name: Annotated[str, "The full name of what it is about: `Garden flat / Airbnb`."]
    unit_id: str | None
    unit: Annotated[str | None, "The unit's full name."]
    nights: Annotated[list[Day], "Of a conflict."]
    message: Annotated[str | None, "What is wrong with a source, or who no longer reads a calendar, in a sentence."]


class AgendaDocument(TypedDict):
    """Some days, and what needs a person whatever the day."""

    at: Time
    today: Annotated[Day, "The units' date; where their time zones differ, the earliest."]
    days: list[DayDocument]
    needs: list[NeedDocument]


class _Setting(Value):
    """What calendars and days are described with, loaded once."""

    tenant: TenantId
    at: datetime
    places: dict[str, Place]
    channels: Channels
    sources: Sequence[Source]
    """Those of the units."""
    troubled: Sequence[SourceStatus]
    kept: frozenset[str]
    """Records that their source no longer shows: what applying a held plan would cancel, and those of removed sources."""
    views: Sequence[UnitGroupView]
    conflicts: Sequence[ConflictDocument]

    @property
    def today(self) -> date:
        """Return the units' date."""
        return min((view.group.today for view in self.views), default=self.at.date())

    @property
    def names(self) -> AgendaNames:
        """Return what a day is described with."""
        times = {scope: times for view in self.views for scope, times in view.group.times.items()}
        return AgendaNames(places=self.places, channel_of=self.channels.name_of, kept=self.kept, times=times)

    def find_turnovers(self, days: int) -> list[TurnoverDocument]:
        """Return the turnovers of today and of the days after it, *days* in all."""
        scopes, period = [Scope(unit) for unit in self.places], (self.today, self.today + DAY * days)
        return [describe_turnover(t) for view in self.views for t in view.find_turnovers(scopes, period)]


class ChartService:
    """Loads the nights of units, and days with who comes and goes."""

    def __init__(self, store: Store, records: RecordService, clock: Clock, defaults: Fields) -> None:
        self.store, self.records, self.clock = store, records, clock
        self.reader, self.status = UnitGroupReader(store, defaults), StatusService(store, clock, defaults)

    def load_today(self, tenant: TenantId, units: Iterable[UnitId]) -> date:
        """Return the units' date; where their time zones differ, the earliest."""
        now = self.clock()
        return min((g.today for g in self.reader.load_groups(tenant, map(Scope, units), now)), default=now.date())

    def load_chart(self, tenant: TenantId, units: Sequence[UnitId], first: date, end: date) -> ChartDocument:
        """Return the nights of *units* in ``[first, end)``."""
        setting = self._load(tenant, units)
        conflicts = [c for c in setting.conflicts if any(first.isoformat() <= night < end.isoformat() for night in c["nights"])]
        rows = [_describe_row(setting, place, (first, end)) for place in setting.places.values()]
        named = {night["channel"] for row in rows for night in row["nights"]}
        named |= {visit["channel"] for row in rows for night in row["nights"] for visit in night["leaves"]}
        return {
            "at": write_time(setting.at),
            "today": setting.today.isoformat(),
            "first": first.isoformat(),
            "end": end.isoformat(),
            "channels": [c for c in setting.channels.describe() if c["name"] in named],
            "units": rows,
            "conflicts": conflicts,
            "bookings": _describe_named(setting, rows, conflicts),
        }

    def load_agenda(self, tenant: TenantId, units: Sequence[UnitId], days: int) -> AgendaDocument:
        """Return today and the days after it, *days* in all."""
        setting = self._load(tenant, units)
        bookings = [doc for view in setting.views for doc in describe_bookings(view.occupancy, view.records)]
        shown, turnovers = [(setting.today + DAY * n).isoformat() for n in range(days)], setting.find_turnovers(days)
        return {
            "at": write_time(setting.at),
            "today": setting.today.isoformat(),
            "days": [describe_day(bookings, day, setting.names, turnovers) for day in shown],
            "needs": [*_conflict_needs(setting), *_source_needs(setting), *self._calendar_needs(setting)],
        }

    def _load(self, tenant: TenantId, units: Sequence[UnitId]) -> _Setting:
        at, wanted = self.clock(), {Scope(u) for u in units}
        sources = [s for s in self.store.load_sources(tenant) if s.removed_at is None]
        status = [s for s in self.status.load_sources(tenant) if s.state in TROUBLED]
        views = self.reader.load_views(tenant, [Scope(u) for u in units], at)
        return _Setting(
            tenant=tenant,
            at=at,
            places=self._load_places(tenant, set(units)),
            channels=Channels(names={s.id: s.name for s in sources if _is_of_unit(s)}),
            sources=[s for s in sources if s.scope in wanted],
            troubled=[s for s in status if not _is_of_unit(s.head.source) or s.head.source.scope in wanted],
            kept=self._load_kept(tenant, status) | _list_orphans(views, {s.id for s in sources}),
            views=views,
            conflicts=self._load_conflicts(views, wanted),
        )

    def _load_places(self, tenant: TenantId, units: Set[UnitId]) -> dict[str, Place]:
        """Return the places of *units*, by property and unit, as the page has them."""
        every, properties = self.store.load_units(tenant), self.store.load_properties(tenant)
        names, houses = FullNames(every, properties), {p.id: p.name for p in properties}
        places: list[Place] = [
            {
                "unit_id": unit.id,
                "unit": names.of(unit),
                "unit_name": unit.name,
                "property_id": unit.property_id,
                "property": houses.get(unit.property_id, ""),
            }
            for unit in every
            if unit.id in units
        ]
        places.sort(key=lambda place: (place["property"].casefold(), place["unit_name"].casefold(), place["unit_id"]))
        return {place["unit_id"]: place for place in places}

    def _load_kept(self, tenant: TenantId, status: Iterable[SourceStatus]) -> frozenset[str]:
        """Return the records that only a guard keeps: what applying the held plans would cancel."""
        held = [s.head.source.id for s in status if s.state is SourceState.HELD and _is_of_unit(s.head.source)]
        holds = (self.records.find_hold(tenant, source_id) for source_id in held)
        return frozenset(str(release.get("record_id")) for hold in holds if hold for release in hold.releases)

    def _load_conflicts(self, views: Iterable[UnitGroupView], units: Set[str]) -> list[ConflictDocument]:
        """Return the open conflicts in which *units* take part, by their nights."""
        found = [
            describe_conflict(record, view.group.today)
            for view in views
            for record in self.reader.load_records(view.group, CONFLICTS)
            if is_open(record, view.group.today) and units & set(record.remote["unit_ids"])
        ]
        return sorted(found, key=lambda doc: (doc["nights"][0], doc["id"]))

    def _calendar_needs(self, setting: _Setting) -> list[NeedDocument]:
        """Return the calendars that nobody reads, and the channels that get none."""
        calendars = load_calendars(self.store, setting.tenant, [Scope(unit) for unit in setting.places])
        missing = find_without_calendar(setting.sources, calendars)
        names: dict[str, str] = {str(s.id): s.name for s in setting.sources}
        missed = {calendar.id: calendar.readers for calendar in self.store.load_unread(setting.tenant)}
        unread = [
            _need(
                setting,
                "calendar",
                c.id,
                "unread",
                c.unit_id,
                name=names.get(c.consumer or "", c.consumer),
                message=_say_missed(missed.get(c.id, ()), setting.at),
            )
            for c in calendars
            if c.id in missed or (c.variant is CalendarVariant.OCCUPIED and self._is_unread(c, setting.at))
        ]
        return [*unread, *(_need(setting, "calendar", s.id, "missing", s.scope, name=s.name) for s in missing)]

    def _is_unread(self, calendar: OutCalendar, at: datetime) -> bool:
        return (load_last_read(self.store, calendar) or calendar.created_at) < at - UNREAD_AFTER


def _say_missed(readers: Readers, at: datetime) -> str | None:
    """Return which readers are missed, in a sentence; None: none that was known."""
    if not readers:
        return None
    return "; ".join(_say_one_missed(reader, at) for reader in readers)


def _say_one_missed(reader: Reader, at: datetime) -> str:
    late, usual = (f"{count} {unit}" for count, unit in map(round_span, (at - reader.read_at, reader.usual_interval or DAY)))
    return f"{name_reader(reader.kind)} has not read it for {late}; it usually reads it every {usual}"


def _is_of_unit(source: Source) -> bool:
    return unit_of(source) is not None


def _list_orphans(views: Iterable[UnitGroupView], sources: Set[SourceId]) -> frozenset[str]:
    """Return the records whose source was removed."""
    records = (record for view in views for record in view.records)
    return frozenset(str(r.id) for r in records if r.source_id is not None and r.source_id not in sources)


def _describe_row(setting: _Setting, place: Place, period: tuple[date, date]) -> ChartRow:
    unit = Scope(place["unit_id"])
    (view,) = (view for view in setting.views if unit in view.group.scopes)
    channel_of, kept, conflicts = setting.channels.name_of, setting.kept, setting.conflicts
    nights = describe_nights(view.occupancy, unit, period, channel_of=channel_of, kept=kept, conflicts=conflicts)
    return {**place, "nights": nights}


def _describe_named(setting: _Setting, rows: Iterable[ChartRow], conflicts: Iterable[ConflictDocument]) -> list[BookingDocument]:
    """Return the documents of the bookings that *rows* and *conflicts* name, by arrival; windows, which have none, first."""
    nights = [night for row in rows for night in row["nights"]]
    ids = {i for night in nights for i in night["by"]} | {i for conflict in conflicts for i in conflict["bookings"]}
    ids |= {visit["booking_id"] for night in nights for visit in (*night["leaves"], *night["arrives"])}
    found = [describe_one(b.records[0], v.occupancy) for v in setting.views for b in v.occupancy.bookings if b.id in ids]
    return sorted(found, key=lambda doc: (str(doc["check_in"] or ""), doc["id"]))


def _need(
    setting: _Setting,
    kind: Literal["conflict", "source", "calendar"],
    need_id: str,
    state: str,
    unit_id: str | None,
    *,
    name: str | None = None,
    nights: Sequence[str] = (),
    message: str | None = None,
) -> NeedDocument:
    place = setting.places.get(unit_id or "")
    return {
        "kind": kind,
        "id": need_id,
        "state": state,
        "name": join_names(place and place["unit"], name),
        "unit_id": unit_id,
        "unit": place["unit"] if place else None,
        "nights": list(nights),
        "message": message,
    }


def _conflict_needs(setting: _Setting) -> list[NeedDocument]:
    """Return the conflicts that nobody has acknowledged."""
    found = (c for c in setting.conflicts if c["status"] == "open")
    return [
        _need(setting, "conflict", c["id"], "turnover" if c["is_turnover"] else c["certainty"], c["unit_id"], nights=c["nights"])
        for c in found
    ]


def _source_needs(setting: _Setting) -> list[NeedDocument]:
    """Return the sources that are held, fail or are stale."""
    return [
        _need(
            setting,
            "source",
            s.head.source.id,
            s.state,
            unit_of(s.head.source),
            name=s.head.source.name,
            message=_message_of(s),
        )
        for s in setting.troubled
    ]


def _message_of(status: SourceStatus) -> str | None:
    head = status.head
    return head.hold.message if head.hold else head.failure.message if head.failure else head.advice
