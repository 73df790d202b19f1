"""Taken nights for one's own website: from the page of an outgoing calendar, with the time as of which they are known.

a website's visitor ─► one read by the hash of the path's token ─► the page's taken nights
                       the unit's sources and their shards, once a minute in each process ─► as of when
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, TypedDict

from bokit.core.model.documents import Day, Time, write_time

if TYPE_CHECKING:
    from bokit.core.model.records import TenantId
    from bokit.engine.base.clock import Clock
    from bokit.store.protocols import Store
    from bokit.store.published_protocol import PublishedDocument

KEEP_FRESHNESS = timedelta(minutes=1)
"""How long a process remembers as of when a unit's nights are known."""
STEP = timedelta(minutes=15)
"""Of a unit without sources: what is entered by hand is known at any time, and equal answers keep one ETag for so long."""
MAX_REMEMBERED = 1000
"""Units of which a process remembers that."""

_Range = TypedDict(
    "_Range",
    {"from": Annotated[Day, "The first taken night."], "to": Annotated[Day, "The day after the last one, which is free."]},
)


class TakenRange(_Range):
    """Taken nights: half-open."""


class AvailabilityDocument(TypedDict):
    """A unit's taken nights, for one's own website. No guest, and no text."""

    unit: Annotated[str, "The unit's name."]
    as_of: Annotated[Time, "When the last of the unit's calendars was read well: what was sold since is not known."]
    taken: Annotated[list[TakenRange], "In order; they do not touch each other."]


class UnitFreshness:
    """Finds as of when the nights of linked units are known."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store, self.clock = store, clock
        self._known: dict[tuple[TenantId, tuple[str, ...]], tuple[datetime, datetime]] = {}

    def as_of(self, tenant: TenantId, units: Sequence[str]) -> datetime:
        """Return the earliest last success of the units' sources that are synced, read once in KEEP_FRESHNESS."""
        key, now = (tenant, tuple(units)), self.clock()
        until, known = self._known.get(key, (now, now))
        if until <= now:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            known = self._load(tenant, units, now)
            self._known[key] = now + KEEP_FRESHNESS, known
        return known

    def _load(self, tenant: TenantId, units: Sequence[str], now: datetime) -> datetime:
        mine = [s for s in self.store.load_sources(tenant) if s.scope in units and s.removed_at is None]
        shards = self.store.load_shards(sorted({s.shard_id for s in mine}))
        lines = [line for shard in shards for s in mine if (line := shard.schedules.get(s.id))]
        read = [line.succeeded_at for line in lines if line.due_at and line.succeeded_at]
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return min(read, default=midnight + (now - midnight) // STEP * STEP)


def describe_availability(page: PublishedDocument, as_of: datetime) -> AvailabilityDocument:
    """Return the document of a page that has taken nights."""
    kept = page.availability
    taken: list[TakenRange] = [{"from": first, "to": end} for first, end in kept["taken"]]
    return {"unit": str(kept["unit"]), "as_of": write_time(as_of), "taken": taken}
