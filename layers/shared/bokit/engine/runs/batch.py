"""Many sources at once: a claimed batch of a shard, with a thread pool, within a time budget.

    tick     │ claim (fence n) ──► message
    worker   │                     └─► heads (one query) ─► sync each ─► beat (one update, if the fence is still n)
    tick     │                                                          └─ else nothing is written: another has it

A batch that finds nothing new reads the heads once and writes the beat once. What it had no time for stays due.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta

from bokit.core.model.due_times import interval_of
from bokit.core.model.records import Json, SourceId, TenantId
from bokit.core.model.runs import Outcome, Run, RunStatus, SourceReport, judge_run
from bokit.core.model.scheduling import Head, HeartbeatRun, Shard, SourceSchedule
from bokit.engine.base.clock import Clock
from bokit.engine.runs.messages import BatchMessage
from bokit.engine.sync.job import SyncJob, SyncResult
from bokit.engine.sync.sync import SourceSync
from bokit.errors import StaleFenceError
from bokit.observability import log_event
from bokit.store.protocols import Store

log = logging.getLogger("bokit.run")

UNCHANGED_OUTCOMES = frozenset({Outcome.UNCHANGED, Outcome.NOT_MODIFIED})
Progress = Callable[[SourceReport], None]


class Deadline:
    """When to begin no further source: a person's word, or the end of the time that the host gives us."""

    def __init__(self, seconds_left: Callable[[], float] | None = None, *, reserve: float = 30.0) -> None:
        self._event, self._left, self._reserve = threading.Event(), seconds_left, reserve

    @property
    def seconds_left(self) -> Callable[[], float] | None:
        """How long the host still gives us; None: as long as it takes."""
        return self._left

    def set(self) -> None:
        """Begin no further source."""
        self._event.set()

    def is_set(self, ahead: float = 0.0) -> bool:
        """Return whether to begin no further source, now or *ahead* seconds from now."""
        return self._event.is_set() or (self._left is not None and self._left() < self._reserve + ahead)

    def wait(self, seconds: float) -> bool:
        """Wait, at most until :meth:`set`; tell whether it was set."""
        return self._event.wait(seconds)


class RateLimiter:
    """Spaces the requests of a run by ``sync.request_delay``, tenant by tenant, whatever the number of threads."""

    def __init__(self, sleep: Callable[[float], object] = time.sleep) -> None:
        self._sleep, self._lock = sleep, threading.Lock()
        self._tenants: dict[TenantId, threading.Lock] = {}
        self._begun: set[TenantId] = set()

    def wait(self, tenant: TenantId, delay_ms: int, stop: Deadline | None = None) -> bool:
        """Wait until *tenant*'s next request may begin; its first may at once.

        Tells whether it may begin: not where *stop* is set by then. It is asked here, behind those who wait, since all of
        a batch's threads come at once.
        """
        if delay_ms <= 0:
            return not (stop and stop.is_set())
        with self._lock:
            lock = self._tenants.setdefault(tenant, threading.Lock())
        with lock:
            seconds = delay_ms / 1000 if tenant in self._begun else 0.0
            if stop and stop.is_set(seconds):
                return False
            if seconds:
                self._sleep(seconds)
            self._begun.add(tenant)
            return not (stop and stop.is_set())


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """What became of one batch."""

    runs: tuple[Run, ...] = ()
    stale: bool = False
    """The claim was another's already: nothing was done."""
    left: int = 0
    """Sources that there was no time for; they stay due."""

    def as_dict(self) -> dict[str, Json]:
        """As the log tells it."""
        outcomes = [r.outcome for run in self.runs for r in run.sources]
        told = {str(o): outcomes.count(o) for o in Outcome if o in outcomes}
        return {"sources": len(outcomes), "stale": self.stale, "left": self.left, **told}


@dataclass(slots=True)
class SyncWork:
    """What the threads of one batch share."""

    jobs: Mapping[TenantId, SyncJob]
    stop: Deadline
    pace: RateLimiter
    on_progress: Progress | None = None
    done: dict[SourceId, SyncResult] = field(default_factory=dict)


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
        force: bool = False,
        details: bool = False,
    ) -> BatchReport:
        """Sync the sources that *message* names, beat their shard, and record the runs."""
        shard, heads = self.store.load_heads(message.shard_id)
        if shard.fence != message.fence or shard.holder != message.run_id:
            log_event(log, "batch dropped: its claim is over", run_id=message.run_id, shard=message.shard_id)
            return BatchReport(stale=True)
        named = set(message.source_ids)
        heads = [h for h in heads if h.source.id in named and h.source.id in shard.schedules]
        idle = [h for h in heads if not h.source.enabled or h.source.removed_at]
        heads = [h for h in heads if h not in idle]
        jobs = {t: self._job(message, t, new_only, force, details) for t in {h.source.tenant for h in heads}}
        work = SyncWork(jobs=jobs, stop=stop or Deadline(), pace=RateLimiter(), on_progress=on_progress)
        self.sync_heads(heads, shard.schedules, work)
        runs = self._record(heads, work)
        stale = not self._schedule(message, shard, heads, work, idle, runs)
        return BatchReport(runs=runs, stale=stale, left=len(heads) - len(work.done))

    def _job(self, message: BatchMessage, tenant: TenantId, new_only: bool | None, force: bool, details: bool) -> SyncJob:
        options = message.options_of(tenant)
        return SyncJob(
            run_id=message.run_id,
            trigger=message.trigger,
            started_at=self.clock(),
            options=options,
            force=force,
            new_only=new_only,
            details=details,
        )

    def sync_heads(
        self, heads: Sequence[Head], schedules: Mapping[SourceId, SourceSchedule], work: SyncWork, *, exclusive: bool = False
    ) -> None:
        """Sync every head, several at a time, into ``work.done``; what `stop` cuts off is simply not there."""

        def one(head: Head) -> None:
            job = work.jobs[head.source.tenant]
            if not work.pace.wait(head.source.tenant, job.options["sync.request_delay"], work.stop):
                return
            job = replace(job, seconds_left=work.stop.seconds_left)
            synced = self.sync.sync(head, schedules[head.source.id], job, exclusive=exclusive)
            if synced.unfinished:
                return
            work.done[head.source.id] = synced
            format_source(job, synced.report)
            if work.on_progress:
                work.on_progress(synced.report)

        if len(heads) == 1:
            one(heads[0])
            return
        with ThreadPoolExecutor(max_workers=max(1, min(self.concurrency, len(heads)))) as pool:
            for _ in pool.map(one, heads):
                pass

    def _record(self, heads: Sequence[Head], work: SyncWork) -> tuple[Run, ...]:
        """Store the run of each tenant to whom anything happened; before the beat, after which no message comes again."""
        now = self.clock()
        runs = tuple(close_run(job, t, reports_of(heads, work, t), now) for t, job in work.jobs.items())
        for run in runs:
            if not is_unchanged(run):
                save_run(self.store, run, work.jobs[run.tenant])
            format_run(run)
        return runs

    def _schedule(
        self,
        message: BatchMessage,
        shard: Shard,
        heads: Sequence[Head],
        work: SyncWork,
        idle: Sequence[Head],
        runs: Sequence[Run],
    ) -> bool:
        """Beat the shard; tell whether the claim was still ours.

        *idle* sources were paused or removed while a batch held the claim, whose beat made them due again: put that right.
        """
        now = self.clock()
        schedules = next_schedules(heads, shard.schedules, work.jobs, work.done, self.clock)
        schedules |= {h.source.id: replace(shard.schedules[h.source.id], due_at=None) for h in idle}
        quiet = tuple(r.source_id for run in runs for r in run.sources if is_unchanged(run))
        batch = HeartbeatRun(
            run_id=message.run_id,
            trigger=message.trigger,
            sources=quiet,
            finished_at=now,
            started_at=min((r.started_at for r in runs), default=now),
        )
        due = min((b.due_at for b in {**shard.schedules, **schedules}.values() if b.due_at), default=None)
        try:
            self.store.complete_batch(
                shard.id, fence=message.fence, schedules=schedules, next_due=due, run=batch if quiet else None
            )
        except StaleFenceError:
            log_event(log, "batch ended after its claim", run_id=message.run_id, shard=message.shard_id)
            return False
        return True


def next_schedules(
    heads: Sequence[Head],
    schedules: Mapping[SourceId, SourceSchedule],
    jobs: Mapping[TenantId, SyncJob],
    done: Mapping[SourceId, SyncResult],
    clock: Clock,
) -> dict[SourceId, SourceSchedule]:
    """Return the new lines of the sources that were synced; of the others nothing changes, so that they stay due."""
    lines = {}
    for head in heads:
        if synced := done.get(head.source.id):
            job = jobs[head.source.tenant]
            schedule = replace(schedules[head.source.id], interval=interval_of(head.source, job.options))
            lines[head.source.id] = synced.next_schedule(schedule, job, clock())
    return lines


def reports_of(heads: Sequence[Head], work: SyncWork, tenant: TenantId) -> tuple[SourceReport, ...]:
    """Return the reports of one tenant's sources, in the order of the heads."""
    mine = [h.source.id for h in heads if h.source.tenant == tenant]
    return tuple(work.done[id].report for id in mine if id in work.done)


def close_run(job: SyncJob, tenant: TenantId, reports: tuple[SourceReport, ...], now: object) -> Run:
    """Return the run as it ended."""
    return Run(
        run_id=job.run_id,
        tenant=tenant,
        trigger=job.trigger,
        status=judge_run(reports),
        started_at=job.started_at,
        finished_at=now,
        sources=reports,
        dry_run=job.dry_run,  # type: ignore[arg-type]
    )


def is_unchanged(run: Run) -> bool:
    """Return whether nothing happened in *run* that its shard's heartbeat does not tell."""
    return bool(run.sources) and all(r.outcome in UNCHANGED_OUTCOMES for r in run.sources)


def save_run(store: Store, run: Run, job: SyncJob) -> None:
    """Keep *run* as long as its tenant's ``history.keep_days`` says; its plans are not kept, its change logs are."""
    kept = replace(run, sources=tuple(replace(r, plan=()) for r in run.sources))
    if run.sources or run.status is not RunStatus.SKIPPED:
        store.save_run(kept, expires_at=run.started_at + timedelta(days=job.options["history.keep_days"]))


def format_source(job: SyncJob, report: SourceReport) -> None:
    """Log a line for a source to which something happened."""
    if report.outcome in UNCHANGED_OUTCOMES:
        return
    counts = {name: n for name, n in report.counts.items() if n}
    error = {"code": report.error["code"]} if report.error else {}
    level = logging.WARNING if report.outcome in (Outcome.FAILED, Outcome.HELD) else logging.INFO
    log_event(
        log,
        f"source {report.outcome}",
        level,
        run_id=job.run_id,
        source=report.name,
        source_id=report.source_id,
        **error,
        **counts,
    )


def format_run(run: Run) -> None:
    """Log one line for the whole run."""
    outcomes = [r.outcome for r in run.sources]
    told = {str(o): outcomes.count(o) for o in Outcome if o in outcomes}
    counts = {name: n for name, n in run.counts.items() if n}
    log_event(
        log,
        f"run {run.status}",
        run_id=run.run_id,
        trigger=str(run.trigger),
        tenant=run.tenant,
        sources=len(outcomes),
        **{**counts, **told},
    )
