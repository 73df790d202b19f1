"""Syncs a claimed batch of a shard, with a thread pool, within a time budget.

    tick     │ claim (fence n) ──► message
    worker   │                     └─► heads (one query) ─► sync each ─► complete_batch (one update, if the fence is still n)
    tick     │                                                          └─ else nothing is written: another claimed it

A batch without news reads the heads once and writes the shard once. Sources that there was no time for stay due.

    10 s     │ the batch gives its claim back with what has ended; the rest is due again in a quarter of an hour
    later    │ what ends is written every 10 s
    alone    │ at last, one by one, sources with which a worker died in hand

So a source that kills its worker holds up no other. Who died with it in hand is counted by its leases (``open_leases``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from bokit.core.model.due_groups import draw_together
from bokit.core.model.due_times import FIRST_RETRY, interval_of
from bokit.core.model.options import Options
from bokit.core.model.records import SourceId, TenantId
from bokit.core.model.runs import Outcome, Run, SourceReport, Trigger
from bokit.core.model.scheduling import Head, HeartbeatRun, Shard, SourceSchedule
from bokit.engine.base.clock import Clock
from bokit.engine.base.reconcile import earliest
from bokit.engine.runs.deadline import Deadline, RateLimiter
from bokit.engine.runs.history import count_outcomes, end_run, is_unchanged, log_run, log_source, save_run
from bokit.engine.runs.limits import CLAIM_TTL, MAX_CLAIM_SECONDS, MIN_SECONDS_ALONE
from bokit.engine.runs.messages import BatchMessage
from bokit.engine.runs.shares import HeadQueue
from bokit.engine.sync.finish import is_given_up
from bokit.engine.sync.job import SyncJob, SyncResult
from bokit.engine.sync.limits import DEATH_WAIT, MAX_WORKER_DEATHS
from bokit.engine.sync.sync import SourceSync
from bokit.errors import StaleFenceError, StoreUnreachableError
from bokit.observability import log_event
from bokit.store.protocols import Store
from bokit.values import Value, replace

log = logging.getLogger("bokit.run")

Progress = Callable[[SourceReport], None]
Schedules = Mapping[SourceId, SourceSchedule]
FAULT_WAIT = timedelta(hours=1)
"""When a source is due again whose due time cannot be computed."""
ASKED_FOR = frozenset({Trigger.MANUAL, Trigger.CLI, Trigger.QUEUE})
"""Triggers by which a person or a program names sources: they are synced whatever happened before."""


class BatchReport(Value):
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
    advanced: set[SourceId] = field(default_factory=set)
    """Sources that were read further than before, and not to their end."""

    def __post_init__(self) -> None:
        """Let each sync know how much time is left."""
        self.jobs = {tenant: replace(job, seconds_left=self.stop.seconds_left) for tenant, job in self.jobs.items()}

    @property
    def suspects(self) -> list[Head]:
        """The heads with which a worker died in hand, those with the fewest deaths first."""
        return sorted((h for h in self.heads if h.open_leases), key=lambda h: h.open_leases)

    def reports_of(self, tenant: TenantId) -> tuple[SourceReport, ...]:
        """Return the reports of one tenant's sources, in the order of the heads."""
        own = (h.source.id for h in self.heads if h.source.tenant == tenant)
        return tuple(self.done[source_id].report for source_id in own if source_id in self.done)

    def next_schedule(self, head: Head, clock: Clock) -> SourceSchedule:
        """Return the new line of a source that was synced, whatever its values are."""
        source, job, now = head.source, self.jobs[head.source.tenant], clock()
        before, result = self.schedules[source.id], self.done[source.id]
        try:
            interval = interval_of(source, job.options)
            line = result.next_schedule(before if before.interval == interval else replace(before, interval=interval), job, now)
        except Exception:
            log.exception("a due time could not be computed", extra={"facts": {"source_id": source.id}})
            line = replace(before, due_at=now + FAULT_WAIT, attempted_at=now, failures=before.failures + 1)
        is_daily = result.failed and head.open_leases >= MAX_WORKER_DEATHS and line.due_at is not None
        return replace(line, due_at=max(line.due_at or now, now + DEATH_WAIT)) if is_daily else line

    def begun_schedule(self, head: Head, now: datetime) -> SourceSchedule:
        """Return the line of a source whose sync has not ended: when it is due again if this worker dies."""
        again = DEATH_WAIT if head.open_leases >= MAX_WORKER_DEATHS else CLAIM_TTL
        line = self.schedules[head.source.id]
        return replace(line, due_at=now + again, attempted_at=now, failures=line.failures + bool(head.open_leases))


class BatchRunner:
    """Runs claimed batches."""

    def __init__(
        self,
        store: Store,
        sync: SourceSync,
        clock: Clock,
        concurrency: int = 8,
        patience: float = MAX_CLAIM_SECONDS,
    ) -> None:
        self.store, self.sync, self.clock, self.concurrency, self.patience = store, sync, clock, concurrency, patience

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
        gone = named - {h.source.id for h in heads}
        idle = [h.source.id for h in heads if not h.source.is_active] + sorted(gone)
        claimed_at = shard.claimed_until and shard.claimed_until - CLAIM_TTL
        job = partial(self._make_job, message, claimed_at=claimed_at, new_only=new_only, details=details)
        jobs = {tenant: job(tenant) for tenant in {h.source.tenant for h in active}}
        work = SyncWork(active, shard.schedules, jobs, stop or Deadline(), on_progress)
        batch = BatchClaim(self.store, self.clock, message, shard, work, idle)
        self.sync_heads(work, meanwhile=batch.write_ended)
        runs = batch.complete()
        return BatchReport(runs=runs, stale=batch.is_stale, left=len(active) - len(work.done))

    def _make_job(
        self, message: BatchMessage, tenant: TenantId, *, claimed_at: datetime | None, new_only: bool | None, details: bool
    ) -> SyncJob:
        options = message.options_of(tenant)
        _log_faults(tenant, options)
        return SyncJob(
            run_id=message.run_id,
            trigger=message.trigger,
            started_at=self.clock(),
            claimed_at=claimed_at,
            options=options,
            new_only=new_only,
            details=details,
        )

    # ── syncing ──

    def sync_heads(self, work: SyncWork, *, exclusive: bool = False, meanwhile: Callable[[], None] | None = None) -> None:
        """Sync every head into ``work.done``: several at a time, and then, one by one, those with which a worker died.

        Sources that ``work.stop`` prevents are missing there. *meanwhile* is called every *patience* seconds as long as some
        are under way, and before each that is synced alone. None: nothing is to be done beside, and no thread is needed.
        """
        suspects = work.suspects
        self._sync_together(work, [h for h in work.heads if not h.open_leases], exclusive, meanwhile)
        for head in suspects:
            if meanwhile:
                meanwhile()
            self._sync_alone(work, head)

    def _sync_together(
        self, work: SyncWork, heads: Sequence[Head], exclusive: bool, meanwhile: Callable[[], None] | None
    ) -> None:
        queue = HeadQueue(heads)

        def serve() -> None:
            try:
                while head := queue.take():
                    self._sync_one(work, head, exclusive=exclusive)
                    queue.end(head)
            except BaseException:
                queue.clear()
                raise

        if meanwhile is None:
            serve()
            return
        with ThreadPoolExecutor(max_workers=max(1, min(self.concurrency, len(heads)))) as pool:
            running = {pool.submit(serve) for _ in range(min(self.concurrency, len(heads)))}
            while running:
                ended, running = wait(running, self.patience, FIRST_EXCEPTION)
                _raise_first(ended)
                if running:
                    meanwhile()

    def _sync_one(self, work: SyncWork, head: Head, *, exclusive: bool) -> None:
        """Sync one source, if there is time; whatever it raises is its own failure, but for a store that does not answer."""
        source, job = head.source, work.jobs[head.source.tenant]
        if not work.limiter.wait(source.tenant, job.options["sync.request_delay"], work.stop):
            return
        self._note(work, head, lambda: self.sync.sync(head, work.schedules[source.id], job, exclusive=exclusive))

    def _sync_alone(self, work: SyncWork, head: Head) -> None:
        """Sync a source with which workers died in hand, alone, if there is time.

        fewer than three deaths, or asked for    sync it
        the third                                notify its owner, and leave it for a day
        more                                     sync it, when the day is over
        """
        job, is_asked = work.jobs[head.source.tenant], work.jobs[head.source.tenant].trigger in ASKED_FOR
        if head.open_leases < MAX_WORKER_DEATHS or is_asked:
            if not work.stop.is_set_before(MIN_SECONDS_ALONE):
                self._sync_one(work, head, exclusive=True)
            return
        line, now = work.schedules[head.source.id], self.clock()
        if not is_given_up(head):
            self._note(work, head, lambda: self.sync.give_up(head, line, job))
        elif line.due_at is not None and line.due_at > now:
            self._note(work, head, lambda: self.sync.skip_until_due(head))
        elif not work.stop.is_set_before(MIN_SECONDS_ALONE):
            self._sync_one(work, head, exclusive=True)

    def _note(self, work: SyncWork, head: Head, act: Callable[[], SyncResult]) -> None:
        """Keep how *act* ended for the source; what it raises is the source's own failure, unless the store does not answer."""
        try:
            result = act()
        except StoreUnreachableError:
            raise
        except Exception:
            log.exception("a source failed unexpectedly", extra={"facts": {"source_id": head.source.id}})
            result = SyncResult(report=_report_fault(head), failed=True, again=True)
        if result.advanced:
            work.advanced.add(head.source.id)
        if result.unfinished:
            return
        work.done[head.source.id] = result
        log_source(work.jobs[head.source.tenant], result.report)
        if work.on_progress:
            work.on_progress(result.report)


class BatchClaim:
    """A claim, and what has been written of its batch.

    time ─────┬────────────┬───────────────────────┬──────────────────────►
    short     │ claimed    │ complete: one write   ·
    long      │ claimed    ·  10 s: claim given    │ what ended since,      │ complete: what ended since,
              │            ·  back with what ended │ every 10 s             │ and what there was no time for
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        message: BatchMessage,
        shard: Shard,
        work: SyncWork,
        idle: Sequence[SourceId],
    ) -> None:
        self.store, self.clock, self.message, self.shard, self.work, self.idle = store, clock, message, shard, work, idle
        self.is_stale, self._is_released = False, False
        self._written: set[SourceId] = set()
        self._begun: dict[SourceId, SourceSchedule] = {}
        """The lines that this batch wrote of sources that had not ended."""

    def write_ended(self) -> None:
        """Write the lines of the sources that have ended; the first time, give the claim back with them."""
        if not self._is_released:
            self._release()
        else:
            self._write(self._ended())

    def complete(self) -> tuple[Run, ...]:
        """Record the runs, write what is not written yet, and return the runs."""
        runs = self._end_runs()
        for run in runs:
            log_run(run)
        if self._is_released:
            self._save_runs(runs)
            left = {h.source.id: h for h in self.work.heads if h.source.id not in self.work.done}
            self._write({**self._ended(), **{source_id: self.work.schedules[source_id] for source_id in left}})
            return runs
        self._save_runs([run for run in runs if not is_unchanged(run)])
        ended = self._ended()
        others = {source_id: line for source_id, line in self.shard.schedules.items() if source_id not in ended}
        self._complete(draw_together(ended, others, self.clock()) if others else ended, self._heartbeat(runs))
        return runs

    def _release(self) -> None:
        """Give the claim back: what has ended is written, and the rest is due again if this worker dies."""
        self._save_runs([run for run in self._end_runs() if run.sources])
        now, ended = self.clock(), self._ended()
        begun = {h.source.id: self.work.begun_schedule(h, now) for h in self.work.heads if h.source.id not in ended}
        self._begun = begun
        self._complete({**ended, **begun}, None)
        self._is_released = True

    def _ended(self) -> dict[SourceId, SourceSchedule]:
        """Return the lines of the sources that ended and are not written yet."""
        ended = [h for h in self.work.heads if h.source.id in self.work.done and h.source.id not in self._written]
        left = [h.source.id for h in ended if self.work.done[h.source.id].is_left]
        tried = {h.source.id: self.work.next_schedule(h, self.clock) for h in ended if h.source.id not in left}
        return {**tried, **self._postponed(left)}

    def _postponed(self, left: Collection[SourceId]) -> dict[SourceId, SourceSchedule]:
        """Return the lines of sources that were not tried, as others wrote them, else as they were; not due for some minutes."""
        if not left:
            return {}
        (shard,), soon = self.store.load_shards([self.shard.id]), self.clock() + FIRST_RETRY
        stored = {source_id: shard.schedules[source_id] for source_id in left if source_id in shard.schedules}
        lines = {s: self.work.schedules[s] if line == self._begun.get(s) else line for s, line in stored.items()}
        return {source_id: replace(line, due_at=line.due_at and max(line.due_at, soon)) for source_id, line in lines.items()}

    def _write(self, lines: Mapping[SourceId, SourceSchedule]) -> None:
        if lines and not self.is_stale:
            self.store.save_schedules(self.shard.id, lines)
            self._written |= lines.keys()

    def _complete(self, lines: Mapping[SourceId, SourceSchedule], run: HeartbeatRun | None) -> None:
        """Write the batch's lines into the shard, and give the claim back, if it is still held.

        *idle* sources were paused, removed or deleted while another batch held the claim and made them due again: they are due
        no more.
        """
        idle = {source_id: replace(self.shard.schedules[source_id], due_at=None) for source_id in self.idle}
        lines = {**lines, **idle}
        due = earliest(*(line.due_at for line in {**self.shard.schedules, **lines}.values()))
        try:
            self.store.complete_batch(self.shard.id, fence=self.message.fence, schedules=lines, next_due=due, run=run)
        except StaleFenceError:
            log_event(log, "batch ended after its claim", run_id=self.message.run_id, shard=self.shard.id)
            self.is_stale = True
        self._written |= lines.keys() & self.work.done.keys()

    def _heartbeat(self, runs: Sequence[Run]) -> HeartbeatRun | None:
        """Return the run record of the sources without news; None: there are none."""
        sources = tuple(r.source_id for run in runs if is_unchanged(run) for r in run.sources)
        if not sources:
            return None
        now = self.clock()
        return HeartbeatRun(
            run_id=self.message.run_id,
            trigger=self.message.trigger,
            sources=sources,
            finished_at=now,
            started_at=min((r.started_at for r in runs), default=now),
        )

    def _end_runs(self) -> tuple[Run, ...]:
        """Return each tenant's run, as far as its sources have ended."""
        now, work = self.clock(), self.work
        return tuple(end_run(job, tenant, work.reports_of(tenant), now) for tenant, job in work.jobs.items())

    def _save_runs(self, runs: Sequence[Run]) -> None:
        """Store runs, before the batch is complete: after that no message comes again. One that fails stops no other."""
        for run in runs:
            try:
                save_run(self.store, run, self.work.jobs[run.tenant].options)
            except StoreUnreachableError:
                raise
            except Exception:
                log.exception("a run was not stored", extra={"facts": {"run_id": run.run_id, "tenant": run.tenant}})


def _raise_first(ended: set[Future[None]]) -> None:
    for future in ended:
        future.result()


def _report_fault(head: Head) -> SourceReport:
    error = {"code": "unexpected", "message": "an unexpected error; the log has its details"}
    return SourceReport(source_id=head.source.id, name=head.source.name, outcome=Outcome.FAILED, error=error)


def _log_faults(tenant: TenantId, options: Options) -> None:
    """Log which stored options are not used."""
    for name, fault in options.faults.items():
        log_event(log, "stored option not used", logging.WARNING, tenant=tenant, option=name, fault=fault)
