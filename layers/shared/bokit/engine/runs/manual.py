"""A sync that a person starts: what is due, or selected sources now, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bokit.core.model.catalog import ShardId, Source
from bokit.core.model.collections import feeds, tables_of
from bokit.core.model.records import CollectionName, Fields, RunId, SourceId, TenantId
from bokit.core.model.runs import Run, RunStatus, SourceReport, Trigger
from bokit.core.model.scheduling import Head, Shard, SourceSchedule
from bokit.engine.base.clock import Clock
from bokit.engine.base.tenant_options import load_options
from bokit.engine.runs.deadline import Deadline
from bokit.engine.runs.history import end_run, log_run, save_run
from bokit.engine.runs.tick import BatchClaimer
from bokit.engine.sync.job import SyncJob
from bokit.errors import UnknownIdError
from bokit.store.protocols import Store
from bokit.values import Value, replace

if TYPE_CHECKING:
    from bokit.engine.runs.batch import BatchRunner, Progress, Schedules
    from bokit.engine.runs.ended import Report


class SyncRequest(Value):
    """What to sync; without a selection, what is due."""

    tenant: TenantId
    trigger: Trigger = Trigger.CLI
    source_ids: tuple[SourceId, ...] = ()
    scope: str | None = None
    """A unit's id, for bookings."""
    collection: CollectionName | None = None
    tables: tuple[str, ...] = ()
    """Of sources with tables: these alone."""
    everything: bool = False
    """Every source, due or not."""
    new_only: bool | None = None
    """None: as ``sync.new_only`` says."""
    force: bool = False
    dry_run: bool = False
    details: bool = False

    @property
    def names_sources(self) -> bool:
        """Whether it selects sources, due or not."""
        chosen = self.source_ids or self.scope or self.collection or self.tables
        return bool(chosen or self.everything or self.force or self.dry_run)


class ManualSync:
    """Runs syncs in this process. What syncs is opened with the first: most requests only select sources, for a queue."""

    def __init__(
        self,
        store: Store,
        open_batch: Callable[[], BatchRunner],
        claimer: BatchClaimer,
        clock: Clock,
        new_run_id: Callable[[datetime], str],
        defaults: Fields,
    ) -> None:
        self.store, self.open_batch, self.claimer, self.clock = store, open_batch, claimer, clock
        self.new_run_id, self.defaults = new_run_id, defaults

    def run(self, request: SyncRequest, *, stop: Deadline | None = None, on_progress: Progress | None = None) -> Run:
        """Sync what *request* asks for, record the run, and return it."""
        started, stop = self.clock(), stop or Deadline()
        job = self.make_sync_job(request, RunId(self.new_run_id(started)), started)
        if request.names_sources:
            reports = self.sync_sources(request.tenant, self.select(request), job, stop, on_progress)
        else:
            reports = self._due(request, job, stop, on_progress)
        run = end_run(job, request.tenant, reports, self.clock())
        if not reports and not request.dry_run:
            run = replace(run, status=RunStatus.SUCCEEDED)
        if not request.dry_run:
            save_run(self.store, run, job.options)
        log_run(run)
        return run

    def count(self, request: SyncRequest) -> int:
        """Return how many sources *request* would sync, for a progress bar."""
        if request.names_sources:
            return len(self.select(request))
        shards = self._load_shards(request.tenant)
        stored = self.claimer.load_options(shards)
        return sum(len(self.claimer.due_in(s, stored, request.trigger, self.clock(), request.tenant)) for s in shards)

    def make_sync_job(self, request: SyncRequest, run_id: RunId, started: datetime) -> SyncJob:
        """Return what *request* asks of each source, as the tenant's options are now."""
        return SyncJob(
            run_id=run_id,
            trigger=request.trigger,
            started_at=started,
            options=load_options(self.store, request.tenant, self.defaults),
            new_only=request.new_only,
            force=request.force,
            dry_run=request.dry_run,
            details=request.details,
            collection=request.collection,
            tables=request.tables,
        )

    def _due(self, request: SyncRequest, job: SyncJob, stop: Deadline, on_progress: Progress | None) -> tuple[SourceReport, ...]:
        """Sync what is due, under the same claims as the tick's: nothing is synced twice."""
        shards, batch = self._load_shards(request.tenant), self.open_batch()
        stored = self.claimer.load_options(shards)
        reports: list[SourceReport] = []
        for shard in shards:
            for message in self.claimer.claim([shard], stored, request.trigger, only=request.tenant, run_id=job.run_id):
                done = batch.run(message, stop=stop, on_progress=on_progress, new_only=job.new_only, details=job.details)
                reports += [r for run in done.runs for r in run.sources]
        return tuple(reports)

    def sync_sources(
        self,
        tenant: TenantId,
        sources: Sequence[Source],
        job: SyncJob,
        stop: Deadline,
        on_end: Progress | None = None,
    ) -> tuple[SourceReport, ...]:
        """Sync *sources* of one tenant outside a claim; return the reports of those that there was time for.

        *on_end* is called as each ends, in the thread that synced it.
        """
        found, schedules = self.load_heads(tenant, {s.shard_id for s in sources})
        heads = [found[s.id] for s in sources if s.id in found]
        return self.sync_heads(heads, schedules, job, stop, on_end, exclusive=True)

    def sync_heads(
        self,
        heads: Sequence[Head],
        schedules: Schedules,
        job: SyncJob,
        stop: Deadline,
        on_end: Progress | None = None,
        report: Report | None = None,
        advanced: set[SourceId] | None = None,
        *,
        exclusive: bool = False,
    ) -> tuple[SourceReport, ...]:
        """Sync as :meth:`sync_sources` does. Lines are written by shard, then *report* is called with what ended, together.

        *advanced*: takes the sources that were read further, and not to their end.
        *exclusive*: each under its lease from the start; else only where the source is not unchanged.
        """
        from bokit.engine.runs.batch import SyncWork
        from bokit.engine.runs.ended import EndedSources

        further = set() if advanced is None else advanced
        work = SyncWork(heads, schedules, {h.source.tenant: job for h in heads}, stop, on_end, advanced=further)
        ended = EndedSources(self.store, self.clock, work, writes_lines=not job.dry_run, report=report)
        # of a single one nothing has ended while it goes on
        self.open_batch().sync_heads(work, exclusive=exclusive, meanwhile=ended.write if len(heads) > 1 else None)
        ended.write_last()
        return tuple(work.done[h.source.id].report for h in heads if h.source.id in work.done)

    def select(self, request: SyncRequest) -> list[Source]:
        """Return the sources that *request* selects: the named ones, paused or not, else enabled ones."""
        sources = [s for s in self.store.load_sources(request.tenant) if s.removed_at is None]
        if request.source_ids:
            found = [s for s in sources if s.id in request.source_ids]
            if missing := sorted(set(request.source_ids) - {s.id for s in found}):
                raise UnknownIdError("no such source; `bokit source list` shows them", id=", ".join(missing))
            return found
        return [
            s
            for s in sources
            if s.enabled
            and request.scope in (None, s.scope)
            and (request.collection is None or feeds(s, request.collection))
            and (not request.tables or tables_of(s) & set(request.tables))
        ]

    def load_heads(self, tenant: TenantId, shards: Iterable[ShardId]) -> tuple[dict[SourceId, Head], Schedules]:
        """Return the heads of the tenant's sources in *shards*, and the shards' lines, with one query a shard."""
        heads: dict[SourceId, Head] = {}
        schedules: dict[SourceId, SourceSchedule] = {}
        for shard_id in sorted(shards):
            shard, found = self.store.load_heads(shard_id)
            heads |= {h.source.id: h for h in found if h.source.tenant == tenant and h.source.id in shard.schedules}
            schedules |= shard.schedules
        return heads, schedules

    def _load_shards(self, tenant: TenantId) -> Sequence[Shard]:
        sources = [s for s in self.store.load_sources(tenant) if s.removed_at is None]
        return self.store.load_shards(sorted({s.shard_id for s in sources}))
