"""How full units are: loads what their nights are counted from, since when each is covered included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime

from bokit.core.bookings.edit import limit_period, read_day
from bokit.core.bookings.nights import Span
from bokit.core.bookings.stay import is_moved, is_window
from bokit.core.model.catalog import Source, UnitId
from bokit.core.model.collections import unit_of
from bokit.core.model.records import Scope, SourceId, TenantId
from bokit.core.occupancy.chart import Channels
from bokit.core.occupancy.night_counts import (
    CountsBy,
    CountTerms,
    NightCounts,
    OccupancyDocument,
    count_nights,
    describe_counts,
    sum_counts,
)
from bokit.engine.base.clock import Clock
from bokit.engine.bookings.limits import MAX_OCCUPANCY_SPAN
from bokit.engine.bookings.unit_groups import UnitGroupReader, UnitGroupView
from bokit.store.protocols import Store


def read_period(since: str | None, until: str | None, today: date) -> Span:
    """Return the nights to be counted, ``[first, end)``: a year from *since* on, which is January 1 if it is left out.

    >>> [str(day) for day in read_period(None, None, date(2026, 7, 10))]
    ['2026-01-01', '2027-01-01']
    """
    first = date.fromisoformat(read_day("from", since)) if since else date(today.year, 1, 1)
    end = date.fromisoformat(read_day("until", until)) if until else _add_year(first)
    return limit_period(first, end, MAX_OCCUPANCY_SPAN)


def _add_year(day: date) -> date:
    return date(day.year + 1, 3, 1) if (day.month, day.day) == (2, 29) else day.replace(year=day.year + 1)


class NightCounter:
    """Counts the nights of units."""

    def __init__(self, store: Store, reader: UnitGroupReader, clock: Clock) -> None:
        self.store, self.reader, self.clock = store, reader, clock

    def list_counts(self, tenant: TenantId, units: Sequence[UnitId], period: Span, by: CountsBy) -> list[OccupancyDocument]:
        """Return the documents of *units* in *period*, by month and unit."""
        found = sum_counts(self._count(tenant, units, period), by, period)
        return [describe_counts(c) for c in sorted(found, key=lambda c: (c.month or "", c.unit_id or ""))]

    def _count(self, tenant: TenantId, units: Sequence[UnitId], period: Span) -> Iterator[NightCounts]:
        sources = [s for s in self.store.load_sources(tenant) if unit_of(s)]
        channels = Channels(names={s.id: s.name for s in sources if s.removed_at is None})
        groups = self.reader.load_groups(tenant, map(Scope, units), self.clock())
        scopes = {scope for group in groups for scope in group.scopes}
        noted = self._load_first_syncs([s for s in sources if s.scope in scopes])
        for group in groups:
            view = self.reader.read_view(group)
            since = _read_first_records(view) | noted
            terms = CountTerms(
                channel_of=channels.name_of,
                synced_since=since,
                covered_since=dict(_read_covered(view, sources, since)),
                zones={scope: times.zone for scope, times in group.times.items()},
            )
            for scope in (Scope(u) for u in units if Scope(u) in group.scopes):
                yield from count_nights(view.occupancy, scope, period, terms)

    def _load_first_syncs(self, sources: Sequence[Source]) -> dict[SourceId, datetime]:
        """Return when each source was first read, removed ones too, with one query a shard."""
        mine, shards = {s.id for s in sources}, sorted({s.shard_id for s in sources})
        heads = (head for shard in shards for head in self.store.load_heads(shard)[1])
        return {h.source.id: h.first_synced_at for h in heads if h.source.id in mine and h.first_synced_at is not None}


def _read_first_records(view: UnitGroupView) -> dict[SourceId, datetime]:
    """Return when the first booking of each source was seen: its first sync, where no head of it notes that."""
    first: dict[SourceId, datetime] = {}
    for record in view.records:
        if record.source_id is not None and not is_window(record):
            first[record.source_id] = min(record.created_at, first.get(record.source_id, record.created_at))
    return first


def _read_covered(
    view: UnitGroupView, sources: Iterable[Source], since: dict[SourceId, datetime]
) -> Iterator[tuple[Scope, datetime]]:
    """Yield since when each unit's nights are known: from its first calendar on; without one, from the first of linked units.

    A unit whose bookings are all entered by hand is covered since the first of them.
    """
    read: dict[Scope, list[datetime]] = {}
    for source in sources:
        if source.id in since:
            read.setdefault(source.scope, []).append(since[source.id])
    for record in view.records:
        if record.source_id is not None and record.source_id in since:  # of a source that was removed for good, too
            read.setdefault(record.scope, []).append(since[record.source_id])
    by_hand: dict[Scope, list[datetime]] = {}
    for record in (r for r in view.records if r.source_id is None and not is_moved(r)):
        by_hand.setdefault(record.scope, []).append(record.created_at)
    for unit in view.group.scopes:
        linked = view.occupancy.links[unit]
        around = [[at for scope in linked for at in times.get(scope, ())] for times in (read, by_hand)]
        if found := read.get(unit) or around[0] or around[1]:
            yield unit, min(found)
