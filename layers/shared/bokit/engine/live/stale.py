"""Puts out an event for sources whose last success is too long ago, once a spell: the tick finds them among what is due.

last success │ 12:00                                           │ 20:00
tick         │        15:01  note 12:00 and the event, together │          23:01  note 20:00, and another event
             │        15:02 … the note says 12:00: nothing      │
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice

from bokit.core.model.due_times import stale_after
from bokit.core.model.events import EventType, NewEvent, fill_outbox
from bokit.core.model.options import Options
from bokit.core.model.records import Fields, SourceId, TenantId
from bokit.core.model.scheduling import Shard, SourceSchedule
from bokit.engine.base.clock import Clock
from bokit.engine.live.limits import MAX_STALE_PER_TICK
from bokit.store.event_protocol import StaleNote
from bokit.store.protocols import Store
from bokit.values import Value


class StaleSources(Value):
    """How many sources were found stale, and the first error."""

    count: int = 0
    error: Exception | None = None


class StaleService:
    """Finds stale sources in shards that the tick has read."""

    def __init__(self, store: Store, clock: Clock, defaults: Fields) -> None:
        self.store, self.clock, self.defaults = store, clock, defaults

    def find(self, shards: Sequence[Shard], stored: Mapping[TenantId, Fields]) -> list[StaleNote]:
        """Return the sources of *shards* that are stale by what their lines say, whether that is known or not.

        *stored*: the options that their tenants have set.
        """
        lines = {source_id: line for shard in shards for source_id, line in shard.schedules.items()}
        options = {tenant: Options(stored.get(tenant), self.defaults) for tenant in {line.tenant for line in lines.values()}}
        return list(_find_late(lines, options, self.clock()))

    def report(self, late: Sequence[StaleNote]) -> StaleSources:
        """Put an event into the outbox for each source that went stale; one that fails does not stop the others.

        At most MAX_STALE_PER_TICK: the next tick finds those that are left, unless they were synced by then.
        """
        now = self.clock()
        count, first = 0, None
        for note in islice(self._drop_known(late), MAX_STALE_PER_TICK):
            try:
                count += self._report_one(note, now)
            except Exception as error:
                first = first or error
        return StaleSources(count=count, error=first)

    def _drop_known(self, late: Sequence[StaleNote]) -> Iterator[StaleNote]:
        for at in range(0, len(late), MAX_STALE_PER_TICK):
            some = late[at : at + MAX_STALE_PER_TICK]
            known = self.store.load_stale_notes((note.tenant, note.source_id) for note in some)
            yield from (note for note in some if known.get(note.source_id) != note.since)

    def _report_one(self, note: StaleNote, now: datetime) -> bool:
        event = NewEvent(type=EventType.SOURCE_STALE, data={"source_id": note.source_id, "code": "overdue"})
        (item,) = fill_outbox(note.tenant, now, [event])
        return self.store.save_stale_note(note, item)


def _find_late(
    lines: Mapping[SourceId, SourceSchedule], options: Mapping[TenantId, Options], now: datetime
) -> Iterator[StaleNote]:
    """Yield the sources that are synced, had a success, and none for as long as their tenant's options say."""
    for source_id, line in sorted(lines.items()):
        last = line.succeeded_at if line.due_at else None
        if last is not None and now - last > stale_after(line.interval, options[line.tenant]):
            yield StaleNote(tenant=line.tenant, source_id=source_id, since=last)
