"""Runs that go through the queue: opened in one write with the answer to their key, worked source by source, ended once.

    request   │ open run (pending: a, b, c) ──► messages of at most ten sources ──► 202
    worker    │                                 └─► sync a ─► report a ─► … ─► the last report ends the run
    again     │                                 └─► what is no longer pending was counted: nothing to do
    tick      │                                                                at overdue_at: ends what nobody did

A source leaves the pending ones with its report, in one write. Hence a message may come twice, late or in any order, and a
worker may die anywhere: what is pending is synced by whoever comes next, and what is not is passed over.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bokit.core.model.catalog import BOOKINGS, Source, UnitId
from bokit.core.model.documents import write_json
from bokit.core.model.options import Options
from bokit.core.model.records import Json, RunId, SourceId, TenantId
from bokit.core.model.runs import Answered, OpenRun, Outcome, Run, RunStatus, SourceReport, describe_run, judge_run
from bokit.engine.base.clock import Clock
from bokit.engine.runs.batch import Deadline, format_run
from bokit.engine.runs.manual import ManualSync, SyncRequest
from bokit.engine.runs.messages import DEFAULT_ROUTE, SQL_ROUTE, RunMessage
from bokit.engine.runs.tick import Done, do_each
from bokit.errors import InputError, LaterError, StoreConflictError, UnknownIdError
from bokit.observability import log_event
from bokit.outlets.protocols import Queue
from bokit.store.protocols import Store

log = logging.getLogger("bokit.dispatch")

SOURCES_PER_MESSAGE = 10
"""Sources of one message: what a worker syncs at a time, and a death makes wait."""
MAX_SOURCES_PER_RUN = 1000
"""Sources of one run."""
MAX_SOURCES_PER_DRY_RUN = 10
DRY_PAUSES = timedelta(seconds=10)
"""So long a dry run may wait between its requests, all in all: somebody waits for the answer."""
MAX_DELAY_SECONDS = 900
MAX_KEY_LENGTH = 255
KEY_FOR = timedelta(hours=24)
OVERDUE_AFTER = timedelta(minutes=45)
"""Longer than three deliveries of a message, each hidden for twelve minutes before the next."""
AGAIN_AFTER = 15
"""Seconds until what no source of could be synced comes again; *overdue_at* bounds how often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggered:
    """What a request for a run is answered: an HTTP status, and the JSON document."""

    status: int
    body: str
    repeated: bool = False
    """Its key was used before: this is the first answer once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkReport:
    """What became of one message of an open run."""

    sources: int = 0
    """Sources that were reported."""
    left: int = 0
    """Sources that there was no time for, or that another delivery has in hand; they come again."""
    stale: bool = False
    """The run is over: nothing was done."""

    def as_dict(self) -> dict[str, Json]:
        """As the log tells it."""
        return {"sources": self.sources, "left": self.left, "stale": self.stale}


class QueuedRuns:
    """Opens runs, works their messages, and ends them."""

    def __init__(
        self,
        store: Store,
        manual: ManualSync,
        clock: Clock,
        new_run_id: Callable[[datetime], str],
        defaults: Mapping[str, Json],
        queue: Queue | None,
    ) -> None:
        self.store, self.manual, self.clock = store, manual, clock
        self.new_run_id, self.defaults, self.queue = new_run_id, defaults, queue

    # ── a request ──

    def trigger(
        self, request: SyncRequest, *, delay_seconds: int = 0, key: str | None = None, request_hash: str = ""
    ) -> Triggered:
        """Open the run that *request* asks for and send it on, or answer its plan; with a *key*, once in a day.

        Without a queue the run is worked here, at once.
        """
        check_delay(delay_seconds)
        check_key(key)
        if key is not None and (first := self.store.find_answer(request.tenant, key, self.clock())):
            return self._repeat(first, request, request_hash, delay_seconds)
        sources = self._select(request)
        if request.dry_run:
            return self._answer_plan(request, sources, key, request_hash)
        return self._open(request, sources, delay_seconds, key, request_hash)

    def _open(
        self, request: SyncRequest, sources: Sequence[Source], delay_seconds: int, key: str | None, request_hash: str
    ) -> Triggered:
        open = self._prepare(request, RunId(self.new_run_id(self.clock())), sources, delay_seconds)
        answered = self._note(key or "", request_hash, 202, write_json({"run_id": open.run.run_id}), open.run.run_id)
        first = self.store.open_run(
            open, expires_at=self._expiry(open.run), answered=answered if key is not None else None, now=open.run.started_at
        )
        if first:
            return self._repeat(first, request, request_hash, delay_seconds)
        try:
            self._hand_on(open, sources, request, delay_seconds)
        except LaterError:
            if key is None:  # nobody can ask for this run again
                self._give_up(open, {"code": "queue", "message": "the queue did not take it; nothing was synced"})
            raise
        return Triggered(status=answered.status, body=answered.body)

    def _repeat(self, first: Answered, request: SyncRequest, request_hash: str, delay_seconds: int) -> Triggered:
        """Answer as the first time; what still waits of the run is sent again, since its messages may have been lost."""
        if first.request_hash != request_hash:
            raise InputError("the key was used for another request; send a new Idempotency-Key", code="idempotency-key-reused")
        open = self.store.find_open_run(request.tenant, first.run_id) if first.run_id else None
        if open:
            passed = (self.clock() - open.run.started_at).total_seconds()
            self._hand_on(open, self.store.load_sources(request.tenant), request, max(0, math.ceil(delay_seconds - passed)))
        return Triggered(status=first.status, body=first.body, repeated=True)

    def _answer_plan(self, request: SyncRequest, sources: Sequence[Source], key: str | None, request_hash: str) -> Triggered:
        self._check_dry(request.tenant, sources)
        body = write_json(describe_run(self.manual.run(request)))
        answered = self._note(key or "", request_hash, 200, body, None)
        first = self.store.save_answer(request.tenant, answered, self.clock()) if key is not None else None
        return self._repeat(first, request, request_hash, 0) if first else Triggered(status=200, body=body)

    def _note(self, key: str, request_hash: str, status: int, body: str, run_id: RunId | None) -> Answered:
        return Answered(
            key=key, request_hash=request_hash, status=status, body=body, run_id=run_id, expires_at=self.clock() + KEY_FOR
        )

    def _select(self, request: SyncRequest) -> Sequence[Source]:
        """Return the sources that *request* means; raises where it names what is not there, or too much."""
        if request.source_ids and (request.scope or request.collection):
            raise InputError("write source_ids, or unit_id and collection, not both", code="bad-field", field="source_ids")
        if request.scope is not None:
            self.store.load_unit(request.tenant, UnitId(request.scope))
        sources = self.manual.select(request)
        if request.collection is not None and not sources:
            self._check_collection(request)
        if len(sources) > MAX_SOURCES_PER_RUN and not request.dry_run:
            raise InputError(
                f"too many sources for one run; name at most {MAX_SOURCES_PER_RUN}", code="too-many-sources", sources=len(sources)
            )
        return sources

    def _check_collection(self, request: SyncRequest) -> None:
        name = request.collection
        declared = {c.name for c in self.store.load_collections(request.tenant)}
        if (
            name != BOOKINGS
            and name not in declared
            and all(s.collection != name for s in self.store.load_sources(request.tenant))
        ):
            raise UnknownIdError("no such collection", id=name)

    def _check_dry(self, tenant: TenantId, sources: Sequence[Source]) -> None:
        pauses = (len(sources) - 1) * timedelta(milliseconds=self._options(tenant)["sync.request_delay"])
        if len(sources) > MAX_SOURCES_PER_DRY_RUN or any(s.kind == "sql" for s in sources) or pauses > DRY_PAUSES:
            raise InputError(
                f"too much for a dry run; name at most {MAX_SOURCES_PER_DRY_RUN} sources, fewer where sync.request_delay is long, none of SQL",
                code="dry-run-too-large",
                sources=len(sources),
            )

    # ── a run ──

    def begin(self, request: SyncRequest, run_id: RunId, sources: Sequence[Source]) -> None:
        """Open a run of this id and send it on; of one that was begun already, send on what waits."""
        made = self._prepare(request, run_id, sources, 0)
        standing: OpenRun | None = made
        try:
            self.store.open_run(made, expires_at=self._expiry(made.run), answered=None, now=made.run.started_at)
        except StoreConflictError:
            standing = self.store.find_open_run(request.tenant, run_id)
            if standing is None and not self._has_ended(request.tenant, run_id):
                raise
        if standing:
            self._hand_on(standing, sources, request, 0)

    def _prepare(self, request: SyncRequest, run_id: RunId, sources: Sequence[Source], delay_seconds: int) -> OpenRun:
        now = self.clock()
        run = Run(run_id=run_id, tenant=request.tenant, trigger=request.trigger, status=RunStatus.QUEUED, started_at=now)
        return OpenRun(
            run=run,
            pending=frozenset(s.id for s in sources),
            new_only=request.new_only,
            force=request.force,
            overdue_at=now + timedelta(seconds=delay_seconds) + OVERDUE_AFTER,
        )

    def _hand_on(self, open: OpenRun, sources: Sequence[Source], request: SyncRequest, delay_seconds: int) -> None:
        """Send the pending sources to the queue, or without one sync them here; a run that waits for none is ended."""
        messages = cut_messages(open, sources, named=bool(request.source_ids))
        if open.is_done:
            self._end(open)
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

        What there is no time for is sent anew rather than left to the queue's own redelivery: a message that makes headway
        must not run out of deliveries, nor wait for a dead worker's twelve minutes.
        """
        open = self.store.find_open_run(message.tenant, message.run_id)
        if open is None:
            log_event(log, "message dropped: its run is over", run_id=message.run_id)
            return WorkReport(stale=True)
        if open.is_done:  # who brought the last report died before it ended the run
            self._end(open)
            return WorkReport()
        waiting = message.narrow(open.pending)
        told = self._sync(open, waiting, Deadline(seconds_left)) if waiting.source_ids else frozenset()
        left = [id for id in waiting.source_ids if id not in told]
        if left and self.queue:
            again = waiting.narrow(left)
            self.queue.send([again.to_json()], delay_seconds=0 if told else AGAIN_AFTER)
        return WorkReport(sources=len(told), left=len(left))

    def _sync(self, open: OpenRun, message: RunMessage, stop: Deadline) -> frozenset[SourceId]:
        """Sync the message's sources, and return those that were reported."""
        told: set[SourceId] = set()
        together = threading.Lock()

        def report(*reports: SourceReport) -> None:
            with together:  # the threads of one worker need not fight each other for the run's row
                self._report(open.run, reports)
                told.update(r.source_id for r in reports)

        def end(ended: SourceReport) -> None:
            if self.queue is None or not is_overtaken(ended):
                report(ended)

        sources, idle = self._look_up(message)
        if idle:
            report(*idle)
        asked = SyncRequest(tenant=message.tenant, trigger=open.run.trigger, new_only=open.new_only, force=open.force)
        self.manual.sync_sources(sources, self.manual.make_sync_job(asked, message.run_id, self.clock()), stop, end)
        return frozenset(told)

    def _look_up(self, message: RunMessage) -> tuple[list[Source], list[SourceReport]]:
        """Return the message's sources, and the reports of those that were paused or removed since they were asked for."""
        sources, idle = [], []
        for id in message.source_ids:
            try:
                source = self.store.load_source(message.tenant, id)
            except UnknownIdError:
                idle.append(_skip(id, id, "source-removed", "it was removed before its turn came"))
                continue
            if source.removed_at:
                idle.append(_skip(id, source.name, "source-removed", "it was removed before its turn came"))
            elif not source.enabled and id not in message.paused:
                idle.append(_skip(id, source.name, "source-paused", "it was paused before its turn came"))
            else:
                sources.append(source)
        return sources, idle

    # ── the end ──

    def close_overdue(self, runs: Sequence[OpenRun]) -> Done:
        """End those of *runs* that are overdue, what waits in them as failed; one that fails keeps no other."""
        now = self.clock()

        def close(open: OpenRun) -> bool:
            if open.overdue_at > now:
                return False
            self._give_up(open, {"code": "run-overdue", "message": "no worker came to it in time; trigger it again"})
            return True

        return do_each(runs, close)

    def _give_up(self, open: OpenRun, error: Mapping[str, str]) -> None:
        """End a run, what waits in it as failed."""
        names = {s.id: s.name for s in self.store.load_sources(open.run.tenant)}
        reports = [
            SourceReport(source_id=id, name=names.get(id, id), outcome=Outcome.FAILED, error=error) for id in sorted(open.pending)
        ]
        if reports:
            self._report(open.run, reports)
        else:
            self._end(open)

    def _report(self, run: Run, reports: Sequence[SourceReport]) -> None:
        """Take reports into the run; the one that nothing waits behind ends it."""
        standing = self.store.report_sources(run.tenant, run.run_id, reports)
        if standing is not None and standing.is_done:
            self._end(standing)

    def _end(self, open: OpenRun) -> None:
        status = judge_run(open.run.sources) if open.run.sources else RunStatus.SUCCEEDED
        run = replace(open.run, status=status, finished_at=self.clock())
        if self.store.close_run(run, expires_at=self._expiry(run)):
            format_run(run)

    def _expiry(self, run: Run) -> datetime:
        return run.started_at + timedelta(days=self._options(run.tenant)["history.keep_days"])

    def _options(self, tenant: TenantId) -> Options:
        return Options(self.store.load_options([tenant]).get(tenant), self.defaults)


def cut_messages(open: OpenRun, sources: Sequence[Source], *, named: bool) -> list[RunMessage]:
    """Return the messages of a run's pending sources; those of one shard stay together, since their heads are read by it.

    A database has a message of its own, for the worker that reads databases.
    *named*: a person named them, so that those that are paused are meant as well.
    """
    mine = sorted((s for s in sources if s.id in open.pending), key=lambda s: (s.shard_id, s.id))
    lanes = {route: [s for s in mine if s.shard_id.partition("_")[0] == route] for route in (DEFAULT_ROUTE, SQL_ROUTE)}
    return [
        RunMessage(
            run_id=open.run.run_id,
            tenant=open.run.tenant,
            source_ids=tuple(s.id for s in cut),
            route=route,
            paused=tuple(s.id for s in cut if named and not s.enabled),
        )
        for route, some in lanes.items()
        for cut in (
            some[n : n + size] for size in (1 if route == SQL_ROUTE else SOURCES_PER_MESSAGE,) for n in range(0, len(some), size)
        )
    ]


def is_overtaken(report: SourceReport) -> bool:
    """Return whether another delivery of the same message, or a person's edit, came in between: the source is to be synced yet.

    Where another run holds the source (``lease-held``), that one syncs it, and this one is done with it.
    """
    return report.outcome is Outcome.SKIPPED and bool(report.error) and (report.error or {}).get("code") != "lease-held"


def check_delay(seconds: int) -> None:
    """Raise InputError where a queue does not take this delay."""
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 <= seconds <= MAX_DELAY_SECONDS:
        raise InputError(f"not a delay; write 0 to {MAX_DELAY_SECONDS} seconds", code="bad-field", field="delay_seconds")


def check_key(key: str | None) -> None:
    """Raise InputError where this is no Idempotency-Key."""
    if key is not None and not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise InputError(
            f"not an Idempotency-Key; write 1 to {MAX_KEY_LENGTH} letters", code="bad-field", field="Idempotency-Key"
        )


def _skip(id: SourceId, name: str, code: str, message: str) -> SourceReport:
    return SourceReport(source_id=id, name=name, outcome=Outcome.SKIPPED, error={"code": code, "message": message})
