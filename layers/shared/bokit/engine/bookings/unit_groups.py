"""Linked units and their records, loaded once for conflicts, outgoing calendars and people's views."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property, partial
from zoneinfo import ZoneInfo

from bokit.core.bookings.nights import Span
from bokit.core.bookings.stay import is_window
from bokit.core.model.catalog import BOOKINGS, Property, Unit
from bokit.core.model.day_times import DayTimes, read_times
from bokit.core.model.full_names import FullNames
from bokit.core.model.options import Options
from bokit.core.model.records import CollectionName, Fields, Record, Scope, SourceId, TenantId
from bokit.core.occupancy.calendar_reads import ReadLog
from bokit.core.occupancy.links import find_group
from bokit.core.occupancy.occupancy import Occupancy, read_occupancy
from bokit.core.occupancy.publication import PublicationRules
from bokit.core.occupancy.turnovers import Turnover, find_turnovers
from bokit.engine.base.reconcile import earliest
from bokit.engine.bookings.calendar_reads import Pages, load_pages, load_read_log
from bokit.store.protocols import Store
from bokit.values import Value

RECENT = timedelta(days=45)
"""Bookings that ended before this do not affect the nights to come, whatever the turnover."""
HeldSince = Mapping[SourceId, datetime | None]
"""Sources, each with the time since when a guard holds its feed (None: it does not)."""


class UnitGroup(Value):
    """Linked units, and what else their nights depend on."""

    tenant: TenantId
    units: tuple[Unit, ...]
    scopes: tuple[Scope, ...]
    at: datetime
    today: date
    options: Options
    turnover: Mapping[Scope, int]
    """Days that each unit needs between a departure and an arrival."""
    times: Mapping[Scope, DayTimes]
    """When guests of each unit arrive and leave, and how long it is cleaned."""
    names: FullNames
    """Of all the tenant's units."""


class UnitGroupView(Value, dict=True):
    """A unit group's bookings as they are now: the records, and what these are to each other."""

    group: UnitGroup
    records: Sequence[Record]
    occupancy: Occupancy
    reads: ReadLog | None = None
    """What the consumers of its calendars read; None: not known."""

    @cached_property
    def publication(self) -> PublicationRules:
        """What calendars show of them."""
        return PublicationRules(self.occupancy)

    @property
    def settle_at(self) -> datetime | None:
        """The earliest time at which time alone changes what a booking is, or what calendars show of it."""
        return earliest(self.occupancy.settle_at, self.publication.again_at)

    def find_turnovers(self, scopes: Iterable[Scope], period: Span) -> list[Turnover]:
        """Return the turnovers of those of *scopes* that are of the group, on the days of *period*."""
        mine, units, times = set(scopes) & set(self.group.scopes), self.group.units, self.group.times
        return [t for scope in sorted(mine) for t in find_turnovers(self.occupancy, units, scope, times, period)]

    @property
    def watch_at(self) -> datetime | None:
        """When to look again at what no time alone changes: whether a platform has read our calendar meanwhile."""
        return self.occupancy.watch_at


class UnitGroupReader:
    """Loads unit groups and their records."""

    def __init__(self, store: Store, defaults: Fields) -> None:
        self.store, self.defaults = store, defaults

    def load_group(self, tenant: TenantId, scope: Scope, at: datetime) -> UnitGroup:
        """Return the group of *scope*'s unit."""
        return self.load_groups(tenant, [scope], at)[0]

    def load_groups(self, tenant: TenantId, scopes: Iterable[Scope], at: datetime) -> list[UnitGroup]:
        """Return the groups of the units of these *scopes*, each once."""
        found_places = self.store.load_places(tenant)
        units, options = found_places.units, Options(found_places.options, self.defaults)
        properties = {p.id: p for p in found_places.properties}
        places = {Scope(u.id): (u, properties.get(u.property_id)) for u in units}
        names = FullNames(units, found_places.properties)
        found = dict.fromkeys(find_group(scope, units) for scope in scopes)
        return [_read_group(group, [places[s] for s in group if s in places], names, options, tenant, at) for group in found]

    def load_records(self, group: UnitGroup, collection: CollectionName = BOOKINGS) -> list[Record]:
        """Return every record of the group's units, gone ones included; strongly consistent."""
        return list(self.store.load_scopes(group.tenant, [collection], group.scopes)[collection])

    def load_views(self, tenant: TenantId, scopes: Iterable[Scope], at: datetime) -> list[UnitGroupView]:
        """Return the groups of these units, each once, with all their records."""
        return [self.read_view(group) for group in self.load_groups(tenant, scopes, at)]

    def read_view(self, group: UnitGroup) -> UnitGroupView:
        """Return what the group's records are to each other now."""
        return self.load_view(group, self.load_records(group), self.load_reads(group))

    def load_reads(self, group: UnitGroup, pages: Pages | None = None) -> ReadLog:
        """Return what the consumers of the group's calendars read, from their *pages* where these are loaded already."""
        pages = pages or load_pages(self.store, group.tenant, group.scopes)
        return load_read_log(self.store, group.tenant, group.options, pages)

    def load_view(
        self, group: UnitGroup, records: Sequence[Record], reads: ReadLog | None, held: HeldSince | None = None
    ) -> UnitGroupView:
        """Return what *records* are to each other; *held* are sources whose head is not written yet.

        Heads are loaded only where it matters whether a feed is held.
        """
        read = partial(read_occupancy, group.units, records, today=group.today, at=group.at, reads=reads)
        occupancy = read()
        if occupancy.doubtable:
            since = self.load_held(group.tenant, occupancy.doubtable) | dict(held or {})
            if held_since := {source: at for source, at in since.items() if at is not None}:
                occupancy = read(held_since=held_since)
        return UnitGroupView(group=group, records=records, occupancy=occupancy, reads=reads)

    def load_held(self, tenant: TenantId, source_ids: frozenset[SourceId]) -> dict[SourceId, datetime | None]:
        """Return since when a guard holds the feed of each source, as the heads have it."""
        heads = [self.store.load_head(s) for s in self.store.load_sources(tenant) if s.id in source_ids]
        return {head.source.id: head.hold.since if head.hold else None for head in heads}


def _read_group(
    scopes: tuple[Scope, ...],
    places: Sequence[tuple[Unit, Property | None]],
    names: FullNames,
    options: Options,
    tenant: TenantId,
    at: datetime,
) -> UnitGroup:
    zones = [u.timezone or (house and house.timezone) or options["timezone"] for u, house in places] or [options["timezone"]]
    turnover = {Scope(u.id): (u.turnover_days, house.turnover_days if house else None, 0) for u, house in places}
    return UnitGroup(
        tenant=tenant,
        units=tuple(unit for unit, _ in places),
        scopes=scopes,
        at=at,
        today=min(at.astimezone(ZoneInfo(zone)).date() for zone in zones),
        options=options,
        times={Scope(u.id): read_times(u, house, options["timezone"]) for u, house in places},
        turnover={scope: next(d for d in days if d is not None) for scope, days in turnover.items()},
        names=names,
    )


def recent_records(records: Iterable[Record], today: date) -> list[Record]:
    """Return the records that matter to nights from *today* on."""
    since = (today - RECENT).isoformat()
    return [r for r in records if is_window(r) or _last_end(r) >= since]


def _last_end(record: Record) -> str:
    end = str(record.remote.get("check_out", "9999"))
    return max(end, str(record.fields.get("check_out", "9999"))) if record.edits else end
