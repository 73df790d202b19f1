"""Runs that go through the queue: opened with the response to their key, synced source by source, ended once.

    request   │ open run (pending: a, b, c) ──► a message for each shard ──► 202
    worker    │                                 └─► sync a, b, c ─► report them together ─► the last report ends the run
    again     │                                 └─► what is no longer pending was counted: nothing to do
    tick      │                                                                at overdue_at: ends what nobody ended

One write stores the reports of a batch and removes its sources from the pending ones. So a message may come twice, late or in
any order, and a worker may die anywhere: the next delivery syncs what is pending and skips the rest.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bokit.core.model.catalog import BOOKINGS, ShardId, Source, UnitId
from bokit.core.model.documents import count_within, write_json
from bokit.core.model.records import Fields, Json, RunId, SourceId, TenantId
from bokit.core.model.runs import (
    IdempotentResponse,
    OpenRun,
    Outcome,
    Run,
    RunDocument,
    RunStatus,
    SourceReport,
    describe_run,
)
from bokit.core.model.scheduling import Head
from bokit.engine.base.clock import Clock
from bokit.engine.base.lookup import name_sources
from bokit.engine.base.tenant_options import load_options
from bokit.engine.runs.deadline import Deadline
from bokit.engine.runs.limits import (
    MAX_DELAY_SECONDS,
    MAX_DRY_RUN_PAUSE_SECONDS,
    MAX_IDEMPOTENCY_KEY_LENGTH,
    MAX_PLAN_BYTES,
    MAX_SOURCES_PER_DRY_RUN,
    MAX_SOURCES_PER_RUN,
    OVERDUE_AFTER,
)
from bokit.engine.runs.manual import ManualSync, SyncRequest
from bokit.engine.runs.messages import SQL_ROUTE, RunMessage, group_by_shard, next_hop, split_messages
from bokit.engine.runs.open_runs import OpenRuns
from bokit.engine.runs.tick import PartResult, do_each
from bokit.engine.sync.finish import WORKER_DIED
from bokit.engine.sync.lease import LEASE_HELD
from bokit.errors import InputError, LaterError, StoreConflictError, UnknownIdError
from bokit.observability import log_event
from bokit.outlets.protocols import Queue
from bokit.store.protocols import Store
from bokit.values import Value, field, replace

if TYPE_CHECKING:
    from bokit.engine.runs.batch import Schedules

log = logging.getLogger("bokit.dispatch")

KEY_TTL = timedelta(hours=24)
"""How long an Idempotency-Key repeats its first response."""
AGAIN_AFTER = 15
"""Seconds until a message of which no source could be synced comes again; *overdue_at* bounds how often."""


class TriggerResult(Value):
    """The response to a request for a run: an HTTP status, and the JSON document."""

    status: int
    body: str
    repeated: bool = False
    """Its key was used before: this is the first response once more."""


class WorkReport(Value):
    """What became of one message of an open run."""

    sources: int = 0
    """Sources that were reported."""
    left: int = 0
    """Sources that there was no time for, or that another delivery holds; they come again."""
    stale: bool = False
    """The run is over: nothing was done."""

    def as_dict(self) -> dict[str, Json]:
        """Return the facts for the log."""
        return {"sources": self.sources, "left": self.left, "stale": self.stale}


class Headway(Value, kw_only=False):
    """What one message brought a run on; false where it brought nothing."""

    reported: set[SourceId] = field(default_factory=set)
    advanced: set[SourceId] = field(default_factory=set)
    """Sources that were read further, and not to their end."""

    def __bool__(self) -> bool:
        return bool(self.reported or self.advanced)


class RequestKey(Value):
    """A request's Idempotency-Key, and the hash of what it asks."""

    key: str | None = None
    """None: the request is not repeatable."""
    request_hash: str = ""


class QueuedRuns:
    """Opens runs, syncs what their messages name, and ends the runs."""

    def __init__(
        self,
        store: Store,
        manual: ManualSync,
        clock: Clock,
        new_run_id: Callable[[datetime], str],
        defaults: Fields,
        queue: Queue | None,
    ) -> None:
        self.store, self.manual, self.clock = store, manual, clock
        self.new_run_id, self.defaults, self.queue = new_run_id, defaults, queue
        self.open_runs = OpenRuns(store, clock, defaults)

    # ── a request ──

    def trigger(
        self, request: SyncRequest, *, delay_seconds: int = 0, key: str | None = None, request_hash: str = ""
    ) -> TriggerResult:
        """Open the run that *request* asks for and send it, or return its plan; with a *key*, once a day.

        Without a queue the run is synced here, at once.
        """
        check_delay(delay_seconds)
        check_key(key)
        once = RequestKey(key=key, request_hash=request_hash)
        if key is not None and (first := self.store.find_answer(request.tenant, key, self.clock())):
            return self._repeat(first, request, once, delay_seconds)
        sources = self._select(request)
        if request.dry_run:
            return self._answer_plan(request, sources, once)
        return self._open(request, sources, delay_seconds, once)

    def _open(self, request: SyncRequest, sources: Sequence[Source], delay_seconds: int, once: RequestKey) -> TriggerResult:
        opened = self._prepare(request, RunId(self.new_run_id(self.clock())), sources, delay_seconds)
        run = opened.run
        answered = self._answer(once, 202, write_json({"run_id": run.run_id}), run.run_id)
        kept = answered if once.key is not None else None
        first = self._store_run(opened, sources, kept)
        if first:
            return self._repeat(first, request, once, delay_seconds)
        try:
            self._send(opened, sources, delay_seconds)
        except LaterError:
            if once.key is None:  # nobody can ask for this run again
                self.open_runs.give_up(opened, {"code": "queue", "message": "the queue did not accept it; nothing was synced"})
            raise
        return TriggerResult(status=answered.status, body=answered.body)

    def _repeat(self, first: IdempotentResponse, request: SyncRequest, once: RequestKey, delay_seconds: int) -> TriggerResult:
        """Respond as the first time, and send again what is pending of the run, since its messages may have been lost."""
        if first.request_hash != once.request_hash:
            raise InputError("the key was used for another request; send a new Idempotency-Key", code="idempotency-key-reused")
        opened = self.store.find_open_run(request.tenant, first.run_id) if first.run_id else None
        if opened:
            passed = (self.clock() - opened.run.started_at).total_seconds()
            delay = max(0, math.ceil(delay_seconds - passed))
            self._send(opened, self.store.load_sources(request.tenant), delay)
        return TriggerResult(status=first.status, body=first.body, repeated=True)

    def _answer_plan(self, request: SyncRequest, sources: Sequence[Source], once: RequestKey) -> TriggerResult:
        self._check_dry(request.tenant, sources)
        body = write_json(cut_plan(describe_run(self.manual.run(request), name_sources(self.store, request.tenant))))
        if once.key is not None:
            first = self.store.save_answer(request.tenant, self._answer(once, 200, body, None), self.clock())
            if first:
                return self._repeat(first, request, once, 0)
        return TriggerResult(status=200, body=body)

    def _answer(self, once: RequestKey, status: int, body: str, run_id: RunId | None) -> IdempotentResponse:
        expires_at = self.clock() + KEY_TTL
        key, request_hash = once.key or "", once.request_hash
        return IdempotentResponse(
            key=key, request_hash=request_hash, status=status, body=body, run_id=run_id, expires_at=expires_at
        )

    def _select(self, request: SyncRequest) -> Sequence[Source]:
        """Return the sources that *request* selects; raise where it names something unknown, or too many."""
        if request.source_ids and (request.scope or request.collection):
            raise InputError("write source_ids, or unit_id and collection, not both", code="bad-field", field="source_ids")
        if request.scope is not None:
            self.store.load_unit(request.tenant, UnitId(request.scope))
        sources = self.manual.select(request)
        if request.collection is not None and not sources:
            self._check_collection(request)
        if len(sources) > MAX_SOURCES_PER_RUN and not request.dry_run:
            message = f"too many sources for one run; name at most {MAX_SOURCES_PER_RUN}"
            raise InputError(message, code="too-many-sources", sources=len(sources))
        return sources

    def _check_collection(self, request: SyncRequest) -> None:
        name, tenant = request.collection, request.tenant
        if name == BOOKINGS or name in {c.name for c in self.store.load_collections(tenant)}:
            return
        if all(s.collection != name for s in self.store.load_sources(tenant)):
            raise UnknownIdError("no such collection", id=name)

    def _check_dry(self, tenant: TenantId, sources: Sequence[Source]) -> None:
        pauses = (len(sources) - 1) * load_options(self.store, tenant, self.defaults)["sync.request_delay"] / 1000
        has_sql = any(s.kind == SQL_ROUTE for s in sources)
        if len(sources) > MAX_SOURCES_PER_DRY_RUN or has_sql or pauses > MAX_DRY_RUN_PAUSE_SECONDS:
            most = f"at most {MAX_SOURCES_PER_DRY_RUN} sources, fewer where sync.request_delay is long, none of SQL"
            raise InputError(f"too much for a dry run; name {most}", code="dry-run-too-large", sources=len(sources))

    # ── a run ──

    def begin(self, request: SyncRequest, run_id: RunId, sources: Sequence[Source]) -> None:
        """Open a run of this id and send it; of one that was begun before, send what is pending."""
        made = self._prepare(request, run_id, sources, 0)
        opened: OpenRun | None = made
        try:
            self._store_run(made, sources, None)
        except StoreConflictError:
            opened = self.store.find_open_run(request.tenant, run_id)
            if opened is None and not self._has_ended(request.tenant, run_id):
                raise
        if opened:
            self._send(opened, sources, 0)

    def _store_run(
        self, opened: OpenRun, sources: Sequence[Source], answered: IdempotentResponse | None
    ) -> IdempotentResponse | None:
        """Store a run whose sources report shard by shard."""
        run, shards = opened.run, group_by_shard(sources)
        together = [[s.id for s in own] for own in shards]
        expires_at = self.open_runs.expiry(run)
        return self.store.open_run(opened, expires_at=expires_at, answered=answered, now=run.started_at, together=together)

    def _prepare(self, request: SyncRequest, run_id: RunId, sources: Sequence[Source], delay_seconds: int) -> OpenRun:
        now = self.clock()
        run = Run(run_id=run_id, tenant=request.tenant, trigger=request.trigger, status=RunStatus.QUEUED, started_at=now)
        return OpenRun(
            run=run,
            pending=frozenset(s.id for s in sources),
            new_only=request.new_only,
            force=request.force,
            named=bool(request.source_ids),
            overdue_at=now + timedelta(seconds=delay_seconds) + OVERDUE_AFTER,
        )

    def _send(self, opened: OpenRun, sources: Sequence[Source], delay_seconds: int) -> None:
        """Send the pending sources to the queue, or without one sync them here; without pending sources end the run."""
        messages = split_messages(opened, sources)
        if opened.is_done:
            self.open_runs.end(opened)
        elif self.queue is not None:
            self.queue.send([m.to_json() for m in messages], delay_seconds=delay_seconds)
        else:
            for message in messages:
                self.work(message)

    def _has_ended(self, tenant: TenantId, run_id: RunId) -> bool:
        try:
            return self.store.load_run(tenant, run_id).finished_at is not None
        except UnknownIdError:
            return False

    # ── a message ──

    def work(self, message: RunMessage, *, seconds_left: Callable[[], float] | None = None) -> WorkReport:
        """Sync those of the message's sources that are still pending, and report each as it ends.

        The rest is sent as a new message: a message that makes progress must not use up its receives, nor wait for the
        visibility timeout.
        """
        opened = self.store.find_open_run(message.tenant, message.run_id)
        if opened is None:
            log_event(log, "message dropped: its run is over", run_id=message.run_id)
            return WorkReport(stale=True)
        if opened.is_done:  # the worker that brought the last report died before it ended the run
            self.open_runs.end(opened)
            return WorkReport()
        pending, headway = message.narrow(opened.pending), Headway()
        if pending.source_ids:
            self._sync(opened, pending, Deadline(seconds_left), headway)
        rest = pending.narrow([source_id for source_id in pending.source_ids if source_id not in headway.reported])
        if self.queue:
            self._go_on(opened, rest, headway, self.queue)
        return WorkReport(sources=len(headway.reported), left=len(rest.source_ids))

    def _go_on(self, opened: OpenRun, rest: RunMessage, headway: Headway, queue: Queue) -> None:
        """Send what is left, or leave it to the tick where the chain of messages is long; put off when the run is overdue."""
        waits = rest.source_ids if rest.is_last else ()
        if waits or headway:
            self.open_runs.postpone(opened, waiting=waits, has_headway=bool(headway))
        if rest.source_ids and not waits:
            queue.send([next_hop(rest).to_json()], delay_seconds=0 if headway else AGAIN_AFTER)

    def _sync(self, opened: OpenRun, message: RunMessage, stop: Deadline, headway: Headway) -> None:
        """Sync the message's sources, and note in *headway* those that were reported, or read further."""

        def report(reports: Sequence[SourceReport]) -> None:
            if reports:
                self.open_runs.report(opened.run, reports)
                headway.reported.update(r.source_id for r in reports)

        def report_synced(reports: Sequence[SourceReport]) -> None:
            report([r for r in reports if self.queue is None or not is_overtaken(r)])

        active, schedules, idle = self._load_heads(message)
        request = SyncRequest(tenant=message.tenant, trigger=opened.run.trigger, new_only=opened.new_only, force=opened.force)
        try:
            report(idle)
            if active:
                job = self.manual.make_sync_job(request, message.run_id, self.clock())
                is_sql = message.route == SQL_ROUTE
                further = headway.advanced
                self.manual.sync_heads(active, schedules, job, stop, report=report_synced, advanced=further, exclusive=is_sql)
        except StoreConflictError:
            if self.queue is None:
                raise
            log.warning("reports were refused; their sources come again", exc_info=True)

    def _load_heads(self, message: RunMessage) -> tuple[list[Head], Schedules, list[SourceReport]]:
        """Return the heads and lines of the message's sources, and the reports of those paused or removed since the request."""
        heads, schedules = self.manual.load_heads(message.tenant, self._shards_of(message))
        active, idle = [], []
        for source_id in message.source_ids:
            head = heads.get(source_id)
            if head is None or head.source.removed_at:
                idle.append(_skip(source_id, head.source.name if head else source_id, "source-removed"))
            elif not head.source.enabled and source_id not in message.paused:
                idle.append(_skip(source_id, head.source.name, "source-paused"))
            else:
                active.append(head)
        return active, schedules, idle

    def _shards_of(self, message: RunMessage) -> set[ShardId]:
        """Return the shards of the message's sources; a former release's message does not name them."""
        if message.shard_id:
            return {message.shard_id}
        return {s.shard_id for s in self.store.load_sources(message.tenant) if s.id in message.source_ids}

    # ── the end ──

    def close_overdue(self, runs: Sequence[OpenRun]) -> PartResult:
        """End those of *runs* that are overdue, their pending sources as failed, and send what waits of the others.

        Counts those that were ended; one that fails does not stop the others.
        """
        now = self.clock()

        def close(opened: OpenRun) -> bool:
            if opened.overdue_at > now:
                self._send_waiting(opened)
                return False
            self.open_runs.give_up(opened, {"code": "run-overdue", "message": "no worker synced it in time; trigger it again"})
            return True

        return do_each(runs, close)

    def _send_waiting(self, opened: OpenRun) -> None:
        """Send the sources whose chain of messages was too long, by a first message; a crash in between sends them twice."""
        waiting = opened.waiting & opened.pending
        if waiting:
            sources = [s for s in self.store.load_sources(opened.run.tenant) if s.id in waiting]
            self._send(replace(opened, pending=waiting), sources, 0)
            log_event(log, "run goes on by the tick", run_id=opened.run.run_id, sources=len(waiting))
        self.open_runs.clear_waiting(opened, opened.waiting)


def is_overtaken(report: SourceReport) -> bool:
    """Return whether another delivery of the message, or an edit, came in between: the source is to be synced yet.

    Where another run holds the source (``lease-held``), that one syncs it, and this one is done with it; and with one that
    was given up for a day (``worker-died``).
    """
    is_over = (report.error or {}).get("code") in (LEASE_HELD, WORKER_DIED)
    return report.outcome is Outcome.SKIPPED and bool(report.error) and not is_over


def check_delay(seconds: int) -> None:
    """Raise InputError for a delay that the queue does not accept."""
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 <= seconds <= MAX_DELAY_SECONDS:
        raise InputError(f"not a delay; write 0 to {MAX_DELAY_SECONDS} seconds", code="bad-field", field="delay_seconds")


def check_key(key: str | None) -> None:
    """Raise InputError for an Idempotency-Key that is empty or too long."""
    if key is not None and not 1 <= len(key) <= MAX_IDEMPOTENCY_KEY_LENGTH:
        raise InputError(
            f"not an Idempotency-Key; write 1 to {MAX_IDEMPOTENCY_KEY_LENGTH} letters", code="bad-field", field="Idempotency-Key"
        )


def _skip(source_id: SourceId, name: str, code: str) -> SourceReport:
    error = {"code": code, "message": f"it was {code.removeprefix('source-')} before its turn came"}
    return SourceReport(source_id=source_id, name=name, outcome=Outcome.SKIPPED, error=error)


def cut_plan(doc: RunDocument) -> RunDocument:
    """Return a dry run's document with as much of its plan as a response holds, and ``plan_total`` where that is not all."""
    plan = doc.get("plan", [])
    count = count_within(plan, MAX_PLAN_BYTES)
    return doc if count == len(plan) else {**doc, "plan": plan[:count], "plan_total": len(plan)}
