"""The tick: every minute, find what is due, by a query of the index for each hundred.

    shards       claim each by a condition, and send its due sources; a tenant's monitor takes their place
    monitors     begin their runs
    open runs    end those that are overdue
    stale        put out an event for sources without a success for long, once a spell
    unread       put out an event for outgoing calendars that a platform no longer reads, once until it reads again
    outbox       number what was left behind
    deliveries   start the turns of webhooks that are due
    alerts       serve the channels that are due
    connections  close those at their end, and those of revoked tokens
    retention    erase guests whose time is over, in one minute of each hour

A part that fails does not stop the others. The first three are done page by page:

    time ─────────┬───────────────────────┬──────────────────────┬───────────────────────────────────►
    read          │ 100 due items         │ the next 100         │ … until none is left, or for 20 s
    claim, send   │  98, two are held     │  100                 │
    workers       ·                       │ begin                │

So what can not be claimed now keeps nothing behind it waiting, however much it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from bokit.core.model.due_times import is_due, overdue_intervals
from bokit.core.model.monitor import Monitor
from bokit.core.model.options import Options
from bokit.core.model.records import Fields, RunId, SourceId, TenantId
from bokit.core.model.runs import OpenRun, Trigger
from bokit.core.model.scheduling import Shard, SourceSchedule
from bokit.engine.base.clock import Clock
from bokit.engine.base.faults import contained
from bokit.engine.base.reconcile import earliest
from bokit.engine.runs.limits import CLAIM_TTL, MAX_DUE_PER_PAGE, MAX_DUE_SPAN, RETENTION_MINUTE
from bokit.engine.runs.messages import BatchMessage
from bokit.errors import StoreConflictError
from bokit.observability import log_event
from bokit.outlets.protocols import Queue
from bokit.store.event_protocol import StaleNote
from bokit.store.protocols import Due, Store
from bokit.values import Value, replace

log = logging.getLogger("bokit.tick")
T = TypeVar("T")

EARLY = timedelta(seconds=5)
"""How early a monitor's run may begin: a tick that comes a second early must not cost it a whole minute."""
AUTOMATIC = frozenset({Trigger.SCHEDULE, Trigger.TRAFFIC})
"""Triggers that a monitor replaces."""
Monitors = Mapping[TenantId, Monitor]
StoredOptions = Mapping[TenantId, Fields]
Send = Callable[[Sequence[BatchMessage]], None]


class TickReport(Value):
    """What one tick found and sent."""

    shards: int = 0
    sources: int = 0
    sent: int = 0
    overdue_intervals: float = 0.0
    """How late the most overdue source is, in its own intervals; 0 where syncing is off."""
    monitors: int = 0
    """Runs of monitors that were begun."""
    closed: int = 0
    """Overdue runs that were ended."""
    stale: int = 0
    """Sources that went stale."""
    unread: int = 0
    """Readers that no longer read an outgoing calendar."""
    events: int = 0
    """Events that had been left in the outbox."""
    turns: int = 0
    """Turns of webhooks that were started."""
    alerts: int = 0
    """Alert channels that were due."""
    closings: int = 0
    """Connections of the WebSocket that were closed."""
    erased: int = 0
    """Bookings whose guest was erased, as ``guest.keep_days`` says."""
    error: Exception | None = None
    """Why a part of the tick failed; the other parts were done."""

    def as_dict(self) -> dict[str, Any]:
        """Return the facts for the log."""
        synced = ("shards", "sources", "sent", "overdue_intervals", "monitors", "closed", "stale", "unread")
        counts = {name: getattr(self, name) for name in (*synced, "events", "turns", "alerts", "closings", "erased")}
        return {**counts, "overdue_intervals": round(self.overdue_intervals, 2), "failed": self.error is not None}

    def check(self) -> None:
        """Raise the error of the part that failed, so that the function fails and its alarm goes off."""
        if self.error is not None:
            raise self.error


class PartResult(Value):
    """How many of a tick's due items were done, and the first error."""

    count: int = 0
    error: Exception | None = None


class PartReport(Protocol):
    """What a part of the tick found."""

    @property
    def count(self) -> int: ...
    @property
    def error(self) -> Exception | None: ...


@dataclass(slots=True)
class DuePages:
    """What came of the pages of what is due, together."""

    sent: TickReport = field(default_factory=TickReport)
    late: list[StaleNote] = field(default_factory=list)
    """Sources that are stale, known ones, too."""
    error: Exception | None = None
    """Of a part that keeps no source from being sent."""

    def add(self, page: TickReport, error: Exception | None) -> None:
        """Add what came of one page."""
        before = self.sent
        names = ("shards", "sources", "sent", "monitors", "closed")
        self.sent = replace(
            before,
            **{name: getattr(before, name) + getattr(page, name) for name in names},
            overdue_intervals=max(before.overdue_intervals, page.overdue_intervals),
            error=before.error or page.error,
        )
        self.error = self.error or error


class OutboxReport(Protocol):
    """What a drain of the outbox did."""

    @property
    def events(self) -> int: ...
    @property
    def notices(self) -> int: ...
    @property
    def error(self) -> Exception | None: ...


class BatchClaimer:
    """Claims what is due, for the tick, for requests and for ``bokit sync``."""

    def __init__(self, store: Store, clock: Clock, new_run_id: Callable[[datetime], str], defaults: Fields) -> None:
        self.store, self.clock, self.new_run_id, self.defaults = store, clock, new_run_id, defaults

    def claim(
        self,
        shards: Sequence[Shard],
        stored: StoredOptions,
        trigger: Trigger,
        *,
        only: TenantId | None = None,
        run_id: str | None = None,
        monitors: Monitors | None = None,
        errors: list[Exception] | None = None,
    ) -> list[BatchMessage]:
        """Claim those of *shards* with something due, and return their messages; a shard that another holds is skipped.

        *monitors*: those of the shards' tenants; None: load them where *trigger* asks for them.
        *errors*: takes what a shard raised, so that it does not stop the others; None: it is raised.
        """
        monitors = self.load_monitors(shards) if monitors is None and trigger in AUTOMATIC else monitors
        now = self.clock()

        def find_due(shard: Shard) -> tuple[SourceId, ...]:
            return self.due_in(shard, stored, trigger, now, only, monitors or {})

        messages = []
        for shard in shards:
            if shard.is_held(now, run_id):
                continue
            with contained(errors):
                if find_due(shard) and (claimed := self._claim_shard(shard, run_id or self.new_run_id(now), now)):
                    messages += self._make_messages(claimed, trigger, find_due(claimed), stored)
        return messages

    def _make_messages(
        self, claimed: Shard, trigger: Trigger, ids: tuple[SourceId, ...], stored: StoredOptions
    ) -> list[BatchMessage]:
        """Return the message of a claimed shard; of one in which nothing is due any more, release the claim."""
        if ids:
            return [self._make_message(claimed, RunId(str(claimed.holder)), trigger, ids, stored)]
        self._release(claimed)
        return []

    def _make_message(
        self, shard: Shard, run_id: RunId, trigger: Trigger, ids: tuple[SourceId, ...], stored: StoredOptions
    ) -> BatchMessage:
        tenants = sorted({shard.schedules[source_id].tenant for source_id in ids})
        return BatchMessage(
            run_id=run_id,
            trigger=trigger,
            shard_id=shard.id,
            fence=shard.fence,
            source_ids=ids,
            options={t: stored[t] for t in tenants if t in stored},
            defaults=self.defaults,
        )

    def _claim_shard(self, shard: Shard, holder: str, now: datetime) -> Shard | None:
        """Claim one shard; one that the table is too busy for stays due, and does not stop the others."""
        try:
            return self.store.claim_shard(shard, holder=holder, now=now, until=now + CLAIM_TTL)
        except StoreConflictError:
            log.warning("a shard could not be claimed", exc_info=True, extra={"facts": {"shard": shard.id}})
            return None

    def _release(self, shard: Shard) -> None:
        """Release a claimed shard in which nothing is due: since it was read, another batch claimed and completed it."""
        due = earliest(*(line.due_at for line in shard.schedules.values()))
        self.store.complete_batch(shard.id, fence=shard.fence, schedules={}, next_due=due, run=None)

    def due_in(
        self,
        shard: Shard,
        stored: StoredOptions,
        trigger: Trigger,
        now: datetime,
        only: TenantId | None = None,
        monitors: Container[TenantId] = (),
    ) -> tuple[SourceId, ...]:
        """Return the sources of *shard* that are due, of tenants that allow *trigger* and have none of *monitors*.

        Without any, the shard is left as it is, and each tick reads it: sources of tenants that use a monitor, or switched
        syncs off, are due as soon as that ends.
        """
        due = [(source_id, line.tenant) for source_id, line in sorted(shard.schedules.items()) if is_due(line, now)]
        tenants = {tenant for _, tenant in due if only in (None, tenant) and tenant not in monitors}
        allowed = {t for t in tenants if may_sync(Options(stored.get(t), self.defaults), trigger)}
        return tuple(source_id for source_id, tenant in due if tenant in allowed)

    def load_options(self, shards: Sequence[Shard]) -> StoredOptions:
        """Return what the tenants of *shards* have set, in one read."""
        return self.store.load_options(_tenants_of(shards))

    def load_monitors(self, shards: Sequence[Shard]) -> Monitors:
        """Return the monitors that run for tenants of *shards*, in one read."""
        found = self.store.load_monitors(_tenants_of(shards))
        return {tenant: monitor for tenant, monitor in found.items() if not monitor.is_over}


class Tick:
    """One pass of the schedule."""

    def __init__(
        self,
        store: Store,
        claimer: BatchClaimer,
        clock: Clock,
        send: Send,
        run_due_monitors: Callable[[Sequence[Monitor]], PartResult],
        close_overdue: Callable[[Sequence[OpenRun]], PartResult],
        find_stale: Callable[[Sequence[Shard], StoredOptions], Sequence[StaleNote]],
        report_stale: Callable[[Sequence[StaleNote]], PartReport],
        report_unread: Callable[[], PartReport],
        drain_outbox: Callable[[], OutboxReport],
        send_due: Callable[[], PartReport],
        deliver_alerts: Callable[[], PartReport],
        close_due: Callable[[], PartReport],
        apply_retention: Callable[[], PartReport],
    ) -> None:
        self.store, self.claimer, self.clock, self.send = store, claimer, clock, send
        self.run_due_monitors, self.close_overdue = run_due_monitors, close_overdue
        self.find_stale, self.report_stale = find_stale, report_stale
        self.report_unread, self.drain_outbox = report_unread, drain_outbox
        self.send_due, self.deliver_alerts, self.close_due = send_due, deliver_alerts, close_due
        self.apply_retention = apply_retention

    def run(self, trigger: Trigger = Trigger.SCHEDULE) -> TickReport:
        """Claim and send what is due now, begin the monitors' runs, and end overdue ones.

        Raises at the end what kept sources from being sent; the error of another part is in the report.
        """
        now = self.clock()
        pages = self._do_pages(trigger, now)
        sent = pages.sent
        stale = _attempt(lambda late: _result_of(self.report_stale(late)), pages.late, "stale sources")
        unread = _attempt(lambda _: _result_of(self.report_unread()), [self], "unread calendars")
        numbered = _attempt(lambda _: self._drain(), [self], "outbox")
        started = _attempt(lambda _: _result_of(self.send_due()), [self], "deliveries")
        served = _attempt(lambda _: _result_of(self.deliver_alerts()), [self], "alerts")
        ended = _attempt(lambda _: _result_of(self.close_due()), [self], "connections")
        is_time = now.minute == RETENTION_MINUTE
        erased = _attempt(lambda _: _result_of(self.apply_retention()), [self] * is_time, "retention")
        parts = (stale, unread, numbered, started, served, ended, erased)
        failed = sent.error or pages.error or next((part.error for part in parts if part.error), None)
        report = replace(
            sent,
            stale=stale.count,
            unread=unread.count,
            events=numbered.count,
            turns=started.count,
            alerts=served.count,
            closings=ended.count,
            erased=erased.count,
            error=failed,
        )
        log_event(log, "tick", **report.as_dict())
        if sent.error:
            raise sent.error
        return report

    def _do_pages(self, trigger: Trigger, now: datetime) -> DuePages:
        """Do what is due, page by page; none follows one that could not be sent, since its claims would be lost as well."""
        pages = DuePages()
        for due in self._load_pages(now):
            shards, is_sent = [s for s in due.shards if s.next_due is not None and s.next_due <= now], True
            try:
                sent = self._send_due(shards, trigger, now, pages.late)
            except Exception as error:
                sent, is_sent = TickReport(shards=len(shards), error=error), False
            begun = _attempt(self.run_due_monitors, due.monitors, "monitors")
            closed = _attempt(self.close_overdue, due.runs, "overdue runs")
            pages.add(replace(sent, monitors=begun.count, closed=closed.count), begun.error or closed.error)
            if not is_sent:
                break
        return pages

    def _load_pages(self, now: datetime) -> Iterator[Due]:
        """Yield what is due, the earliest first, as long as there is time."""
        due = self.store.load_due(now + EARLY, limit=MAX_DUE_PER_PAGE)
        yield due
        while due.cursor is not None and self.clock() - now < MAX_DUE_SPAN:
            due = self.store.load_due(now + EARLY, limit=MAX_DUE_PER_PAGE, cursor=due.cursor)
            yield due

    def _drain(self) -> PartResult:
        drained = self.drain_outbox()
        return PartResult(count=drained.events + drained.notices, error=drained.error)

    def _send_due(self, shards: Sequence[Shard], trigger: Trigger, now: datetime, late: list[StaleNote]) -> TickReport:
        stored, monitors = self.claimer.load_options(shards), self.claimer.load_monitors(shards)
        errors: list[Exception] = []
        messages = self.claimer.claim(shards, stored, trigger, monitors=monitors, errors=errors)
        if messages:
            self.send(messages)
        late += self.find_stale(shards, stored)
        return TickReport(
            shards=len(shards),
            sources=sum(len(m.source_ids) for m in messages),
            sent=len(messages),
            overdue_intervals=self._overdue(shards, stored, monitors, now),
            error=errors[0] if errors else None,
        )

    def _overdue(self, shards: Sequence[Shard], stored: StoredOptions, monitors: Monitors, now: datetime) -> float:
        options = {t: Options(stored.get(t), self.claimer.defaults) for t in _tenants_of(shards)}
        allowed = {t for t, own in options.items() if may_sync(own, Trigger.SCHEDULE)}
        lines = (line for shard in shards for line in shard.schedules.values() if line.tenant in allowed)
        return max((overdue_intervals(_delayed_by(monitors.get(line.tenant), line), now) for line in lines), default=0.0)


def do_each(items: Iterable[T], act: Callable[[T], bool]) -> PartResult:
    """Call *act* with each item and count the True ones; an error does not stop the others."""
    count, first = 0, None
    for item in items:
        try:
            count += act(item)
        except Exception as error:
            first = first or error
    return PartResult(count=count, error=first)


def _attempt(act: Callable[[Sequence[T]], PartResult], items: Sequence[T], part: str) -> PartResult:
    """Return what was done with *items*; an error is logged here, since the tick goes on."""
    try:
        result = act(items) if items else PartResult()
    except Exception as error:
        result = PartResult(error=error)
    if result.error:
        log.error("a part of the tick failed", exc_info=result.error, extra={"facts": {"part": part}})
    return result


def _result_of(found: PartReport) -> PartResult:
    return PartResult(count=found.count, error=found.error)


def _delayed_by(monitor: Monitor | None, schedule: SourceSchedule) -> SourceSchedule:
    """Return *schedule* as late as the monitor allows: a source shows as overdue when the monitor's runs fail as well."""
    return replace(schedule, due_at=schedule.due_at + monitor.interval) if monitor and schedule.due_at else schedule


def _tenants_of(shards: Sequence[Shard]) -> list[TenantId]:
    return sorted({line.tenant for shard in shards for line in shard.schedules.values()})


def may_sync(options: Options, trigger: Trigger) -> bool:
    """Return whether *trigger* may sync a tenant with these options.

    manual, CLI, queue           always: a person or a program asked
    schedule, monitor, traffic   where syncing is on, and the installation is complete
    traffic                      where sync.on_traffic is on, besides
    """
    if trigger in (Trigger.MANUAL, Trigger.CLI, Trigger.QUEUE):
        return True
    allowed = bool(options["sync.enabled"] and options["install.complete"])
    return allowed and (trigger is not Trigger.TRAFFIC or bool(options["sync.on_traffic"]))


def send_to_queue(queue: Queue) -> Send:
    """Return a sender that puts messages into *queue*."""
    return lambda messages: queue.send([m.to_json() for m in messages])
