"""Syncs a claimed batch of a shard, with a thread pool, within a time budget.

    tick     │ claim (fence n) ──► message
    worker   │                     └─► heads (one query) ─► sync each ─► complete_batch (one update, if the fence is still n)
    tick     │                                                          └─ else nothing is written: another claimed it

A batch without news reads the heads once and writes the shard once. Sources that there was no time for stay due.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from bokit.core.model.due_times import interval_of
from bokit.core.model.records import SourceId, TenantId
from bokit.core.model.runs import Run, SourceReport
from bokit.core.model.scheduling import Head, HeartbeatRun, Shard, SourceSchedule
from bokit.engine.base.clock import Clock
from bokit.engine.base.reconcile import earliest
from bokit.engine.runs.deadline import Deadline, RateLimiter
from bokit.engine.runs.history import count_outcomes, end_run, is_unchanged, log_run, log_source, save_run
from bokit.engine.runs.messages import BatchMessage
from bokit.engine.sync.job import SyncJob, SyncResult
from bokit.engine.sync.sync import SourceSync
from bokit.errors import StaleFenceError
from bokit.observability import log_event
from bokit.store.protocols import Store

log = logging.getLogger("bokit.run")

Progress = Callable[[SourceReport], None]
Schedules = Mapping[SourceId, SourceSchedule]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """What became of one batch."""

    runs: tuple[Run, ...] = ()
    stale: bool = False
    """Another holds the claim: nothing was done."""
    left: int = 0
    """Sources that there was no time for; they stay due."""

    def as_dict(self) -> dict[str, Any]:
        """Return the facts for the log."""
        reports = [r for run in self.runs for r in run.sources]
        return {"sources": len(reports), "stale": self.stale, "left": self.left, **count_outcomes(reports)}


@dataclass(slots=True)
class SyncWork:
    """What the threads that sync some sources share."""

    heads: Sequence[Head]
    schedules: Schedules
    jobs: Mapping[TenantId, SyncJob]
    stop: Deadline
    on_progress: Progress | None = None
    limiter: RateLimiter = field(default_factory=RateLimiter)
    done: dict[SourceId, SyncResult] = field(default_factory=dict)

    def reports_of(self, tenant: TenantId) -> tuple[SourceReport, ...]:
        """Return the reports of one tenant's sources, in the order of the heads."""
        own = (h.source.id for h in self.heads if h.source.tenant == tenant)
        return tuple(self.done[source_id].report for source_id in own if source_id in self.done)

    def next_schedule(self, head: Head, clock: Clock) -> SourceSchedule:
        """Return the new line of a source that was synced."""
        source, job = head.source, self.jobs[head.source.tenant]
        schedule = replace(self.schedules[source.id], interval=interval_of(source, job.options))
        return self.done[source.id].next_schedule(schedule, job, clock())


class BatchRunner:
    """Runs claimed batches."""

    def __init__(self, store: Store, sync: SourceSync, clock: Clock, concurrency: int = 8) -> None:
        self.store, self.sync, self.clock, self.concurrency = store, sync, clock, concurrency

    def run(
        self,
        message: BatchMessage,
        *,
        stop: Deadline | None = None,
        on_progress: Progress | None = None,
        new_only: bool | None = None,
        details: bool = False,
    ) -> BatchReport:
        """Sync the sources that *message* names, record the runs, and complete the batch in the shard."""
        shard, heads = self.store.load_heads(message.shard_id)
        if shard.fence != message.fence or shard.holder != message.run_id:
            log_event(log, "batch dropped: its claim is over", run_id=message.run_id, shard=message.shard_id)
            return BatchReport(stale=True)
        named = set(message.source_ids) & shard.schedules.keys()
        heads = [h for h in heads if h.source.id in named]
        active = [h for h in heads if h.source.is_active]
        idle = [h.source.id for h in heads if not h.source.is_active]
        jobs = {t: self._make_job(message, t, new_only, details) for t in {h.source.tenant for h in active}}
        work = SyncWork(active, shard.schedules, jobs, stop or Deadline(), on_progress)
        self.sync_heads(work)
        runs = self._save_runs(work)
        is_complete = self._complete(message, shard, work, idle, runs)
        return BatchReport(runs=runs, stale=not is_complete, left=len(active) - len(work.done))

    def _make_job(self, message: BatchMessage, tenant: TenantId, new_only: bool | None, details: bool) -> SyncJob:
        return SyncJob(
            run_id=message.run_id,
            trigger=message.trigger,
            started_at=self.clock(),
            options=message.options_of(tenant),
            new_only=new_only,
            details=details,
        )

    def sync_heads(self, work: SyncWork, *, exclusive: bool = False) -> None:
        """Sync every head, several at a time, into ``work.done``; sources that ``work.stop`` prevents are missing there."""

        def sync_one(head: Head) -> None:
            source, job = head.source, work.jobs[head.source.tenant]
            if not work.limiter.wait(source.tenant, job.options["sync.request_delay"], work.stop):
                return
            job = replace(job, seconds_left=work.stop.seconds_left)
            result = self.sync.sync(head, work.schedules[source.id], job, exclusive=exclusive)
            if result.unfinished:
                return
            work.done[source.id] = result
            log_source(job, result.report)
            if work.on_progress:
                work.on_progress(result.report)

        if len(work.heads) == 1:
            sync_one(work.heads[0])
            return
        with ThreadPoolExecutor(max_workers=max(1, min(self.concurrency, len(work.heads)))) as pool:
            for _ in pool.map(sync_one, work.heads):
                pass

    def _save_runs(self, work: SyncWork) -> tuple[Run, ...]:
        """Store each tenant's run that has news, before the batch is complete: after that no message comes again."""
        now = self.clock()
        runs = tuple(end_run(job, tenant, work.reports_of(tenant), now) for tenant, job in work.jobs.items())
        for run in runs:
            if not is_unchanged(run):
                save_run(self.store, run, work.jobs[run.tenant].options)
            log_run(run)
        return runs

    def _complete(
        self, message: BatchMessage, shard: Shard, work: SyncWork, idle: Sequence[SourceId], runs: Sequence[Run]
    ) -> bool:
        """Write the batch's lines into the shard; return whether the claim was still held.

        *idle* sources were paused or removed while another batch held the claim and made them due again: they are due no more.
        """
        now = self.clock()
        schedules = {h.source.id: work.next_schedule(h, self.clock) for h in work.heads if h.source.id in work.done}
        schedules |= {source_id: replace(shard.schedules[source_id], due_at=None) for source_id in idle}
        heartbeat = HeartbeatRun(
            run_id=message.run_id,
            trigger=message.trigger,
            sources=tuple(r.source_id for run in runs if is_unchanged(run) for r in run.sources),
            finished_at=now,
            started_at=min((r.started_at for r in runs), default=now),
        )
        due = earliest(*(line.due_at for line in {**shard.schedules, **schedules}.values()))
        run = heartbeat if heartbeat.sources else None
        try:
            self.store.complete_batch(shard.id, fence=message.fence, schedules=schedules, next_due=due, run=run)
        except StaleFenceError:
            log_event(log, "batch ended after its claim", run_id=message.run_id, shard=message.shard_id)
            return False
        return True
