"""A sync that a person asks for: what is due, or these sources now, in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bokit.core.model.catalog import Source
from bokit.core.model.collections import feeds, tables_of
from bokit.core.model.options import Options
from bokit.core.model.records import CollectionName, Json, RunId, SourceId, TenantId
from bokit.core.model.runs import Outcome, Run, RunStatus, SourceReport, Trigger
from bokit.core.model.scheduling import Head, Shard, SourceSchedule
from bokit.engine.base.clock import Clock
from bokit.engine.runs.batch import (
    BatchRunner,
    Deadline,
    Progress,
    RateLimiter,
    SyncWork,
    close_run,
    format_run,
    next_schedules,
    save_run,
)
from bokit.engine.runs.tick import BatchClaimer
from bokit.engine.sync.job import SyncJob
from bokit.errors import UnknownIdError
from bokit.store.protocols import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """What to sync: without a selection, what is due."""

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
        """Whether it says which sources, so that their being due does not matter."""
        chosen = self.source_ids or self.scope or self.collection or self.tables
        return bool(chosen or self.everything or self.force or self.dry_run)


class ManualSync:
    """Runs a person's sync, inline."""

    def __init__(
        self,
        store: Store,
        batch: BatchRunner,
        claimer: BatchClaimer,
        clock: Clock,
        new_run_id: Callable[[datetime], str],
        defaults: Mapping[str, Json],
    ) -> None:
        self.store, self.batch, self.claimer, self.clock = store, batch, claimer, clock
        self.new_run_id, self.defaults = new_run_id, defaults

    def run(self, request: SyncRequest, *, stop: Deadline | None = None, on_progress: Progress | None = None) -> Run:
        """Sync what *request* asks for, record the run, and return it."""
        started, stop = self.clock(), stop or Deadline()
        job = self.make_sync_job(request, RunId(self.new_run_id(started)), started)
        if request.names_sources:
            reports = self.sync_sources(self.select(request), job, stop, on_progress)
        else:
            reports = self._due(request, job, stop, on_progress)
        run = close_run(job, request.tenant, reports, self.clock())
        if not reports and not request.dry_run:
            run = replace(run, status=RunStatus.SUCCEEDED)
        if not request.dry_run:
            save_run(self.store, run, job)
        format_run(run)
        return run

    def count(self, request: SyncRequest) -> int:
        """Return how many sources *request* would sync, for a progress bar."""
        if request.names_sources:
            return len(self.select(request))
        shards = self._shards(request.tenant)
        stored = self.claimer.load_options(shards)
        return sum(len(self.claimer.due_in(s, stored, request.trigger, self.clock(), request.tenant)) for s in shards)

    def make_sync_job(self, request: SyncRequest, run_id: RunId, started: datetime) -> SyncJob:
        """Return what *request* asks of each source, as the tenant's options are now."""
        options = Options(self.store.load_options([request.tenant]).get(request.tenant), self.defaults)
        return SyncJob(
            run_id=run_id,
            trigger=request.trigger,
            started_at=started,
            options=options,
            new_only=request.new_only,
            force=request.force,
            dry_run=request.dry_run,
            details=request.details,
            collection=request.collection,
            tables=request.tables,
        )

    def _due(self, request: SyncRequest, job: SyncJob, stop: Deadline, on_progress: Progress | None) -> tuple[SourceReport, ...]:
        """Sync what is due, under the same claims as the tick's, so that nothing is synced twice."""
        shards = self._shards(request.tenant)
        stored = self.claimer.load_options(shards)
        reports: list[SourceReport] = []
        for shard in shards:
            for message in self.claimer.claim([shard], stored, request.trigger, only=request.tenant, run_id=job.run_id):
                done = self.batch.run(message, stop=stop, on_progress=on_progress, new_only=job.new_only, details=job.details)
                reports += [r for run in done.runs for r in run.sources]
        return tuple(reports)

    def sync_sources(
        self, sources: Sequence[Source], job: SyncJob, stop: Deadline, on_end: Progress | None = None
    ) -> tuple[SourceReport, ...]:
        """Sync *sources* of one tenant, each under a lease of its own; return the reports of those that there was time for.

        As each ends, its line is written to its shard, then *on_end* is told, in the thread that synced it.
        """
        heads, schedules = self._load(sources)
        by_id = {h.source.id: h for h in heads}

        def end(report: SourceReport) -> None:
            # a source that another run has in hand is that one's to write
            if not job.dry_run and report.outcome is not Outcome.SKIPPED:
                self._schedule(by_id[report.source_id], schedules, work)
            if on_end:
                on_end(report)

        work = SyncWork(jobs={h.source.tenant: job for h in heads}, stop=stop, pace=RateLimiter(), on_progress=end)
        self.batch.sync_heads(heads, schedules, work, exclusive=True)
        return tuple(work.done[id].report for id in by_id if id in work.done)

    def _schedule(self, head: Head, schedules: Mapping[SourceId, SourceSchedule], work: SyncWork) -> None:
        line = next_schedules([head], schedules, work.jobs, work.done, self.clock)[head.source.id]
        self.store.save_source_schedule(
            head.source.shard_id, head.source.id, line if head.source.enabled else replace(line, due_at=None)
        )

    def select(self, request: SyncRequest) -> list[Source]:
        """Return the sources that *request* means: the named ones, paused or not, else the enabled ones of its selection."""
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

    def _load(self, sources: Sequence[Source]) -> tuple[list[Head], dict[SourceId, SourceSchedule]]:
        """Return the heads and the shard's lines of *sources*, a query a shard."""
        wanted = {s.id for s in sources}
        heads: list[Head] = []
        schedules: dict[SourceId, SourceSchedule] = {}
        for shard_id in sorted({s.shard_id for s in sources}):
            shard, found = self.store.load_heads(shard_id)
            heads += [h for h in found if h.source.id in wanted and h.source.id in shard.schedules]
            schedules |= shard.schedules
        return heads, schedules

    def _shards(self, tenant: TenantId) -> Sequence[Shard]:
        sources = [s for s in self.store.load_sources(tenant) if s.removed_at is None]
        return self.store.load_shards(sorted({s.shard_id for s in sources}))
