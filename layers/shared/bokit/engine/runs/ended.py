"""Writes what has ended of a sync outside a shard's claim: the schedule lines by shard, then the reports.

    every 10 s    │ the lines of what ended: one write for each shard; then its reports, together
    at the end    │ the rest, in the same way; what the table refuses is tried again after a pause

A write that is refused keeps its sources for the next one. A crash loses what was not written: those sources are synced again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from bokit.core.model.catalog import ShardId
from bokit.core.model.records import SourceId
from bokit.core.model.runs import Outcome, SourceReport
from bokit.core.model.scheduling import Head
from bokit.engine.base.clock import Clock
from bokit.engine.base.retry import retry_on_conflict
from bokit.engine.runs.batch import SyncWork
from bokit.engine.runs.limits import MAX_REPORT_TRIES, REPORT_PAUSE_SECONDS
from bokit.errors import StoreConflictError
from bokit.store.protocols import Store
from bokit.values import replace

log = logging.getLogger("bokit.run")

Report = Callable[[Sequence[SourceReport]], None]


class EndedSources:
    """What ended and is not written yet; called from one thread, while others sync."""

    def __init__(self, store: Store, clock: Clock, work: SyncWork, *, writes_lines: bool, report: Report | None) -> None:
        self.store, self.clock, self.work, self.writes_lines, self.report = store, clock, work, writes_lines, report
        self._written: set[SourceId] = set()
        self._reported: set[SourceId] = set()

    def write(self) -> None:
        """Write what ended; what is refused waits for the next call."""
        try:
            self._write()
        except StoreConflictError:
            log.warning("what ended is written later", exc_info=True)

    def write_last(self) -> None:
        """Write what ended, in several tries; raise StoreConflictError if the table refuses all of them."""
        retry_on_conflict(self._write, MAX_REPORT_TRIES, lambda attempt: self.work.stop.wait(attempt * REPORT_PAUSE_SECONDS))

    def _write(self) -> None:
        ended = [h for h in self.work.heads if h.source.id in self.work.done]
        if self.writes_lines:
            for shard, heads in _by_shard(h for h in ended if h.source.id not in self._written):
                self._write_lines(shard, heads)
        new = [h.source.id for h in ended if h.source.id not in self._reported]
        if self.report and new:
            self.report([self.work.done[source_id].report for source_id in new])
        self._reported.update(new)

    def _write_lines(self, shard: ShardId, heads: Sequence[Head]) -> None:
        """Write the lines of a shard's sources; the line of one that another run holds is that run's to write."""
        synced = [h for h in heads if self.work.done[h.source.id].report.outcome is not Outcome.SKIPPED]
        lines = {h.source.id: self.work.next_schedule(h, self.clock) for h in synced}
        paused = {h.source.id for h in synced if not h.source.enabled}
        if lines:
            kept = {source_id: replace(line, due_at=None) if source_id in paused else line for source_id, line in lines.items()}
            self.store.save_schedules(shard, kept)
        self._written.update(h.source.id for h in heads)


def _by_shard(heads: Iterable[Head]) -> list[tuple[ShardId, list[Head]]]:
    shards: dict[ShardId, list[Head]] = {}
    for head in heads:
        shards.setdefault(head.source.shard_id, []).append(head)
    return list(shards.items())
