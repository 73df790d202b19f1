"""The tick: every minute, find what is due, by one query of the index.

    shards       claim each by a condition, and send its due sources on; those of a tenant on a monitor are the monitor's
    monitors     begin their runs
    open runs    end those that nobody ended

Each of these is done whatever becomes of the others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from bokit.core.model.due_times import overdue_intervals
from bokit.core.model.monitor import Monitor
from bokit.core.model.options import Options
from bokit.core.model.records import Json, RunId, SourceId, TenantId
from bokit.core.model.runs import OpenRun, Trigger
from bokit.core.model.scheduling import Shard, SourceSchedule
from bokit.engine.base.clock import Clock
from bokit.engine.runs.messages import BatchMessage
from bokit.errors import StoreConflictError
from bokit.observability import log_event
from bokit.outlets.protocols import Queue
from bokit.store.protocols import Store

log = logging.getLogger("bokit.tick")
T = TypeVar("T")

CLAIM_FOR = timedelta(minutes=15)
"""Longer than a message waits and a batch runs; after it, another tick may claim the shard anew."""
DUE_A_TICK = 1000
EARLY = timedelta(seconds=5)
"""So much before its time a monitor's run may begin: a tick that comes a second early must not cost it a whole minute."""
REPLACED = frozenset({Trigger.SCHEDULE, Trigger.TRAFFIC})
"""What a monitor takes the place of."""
Monitors = Mapping[TenantId, Monitor]
Stored = Mapping[TenantId, Mapping[str, Json]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TickReport:
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
    error: Exception | None = None
    """What kept a part of the tick from its work; the other parts were done."""

    def as_dict(self) -> dict[str, Json]:
        """As the log tells it."""
        late = round(self.overdue_intervals, 2)
        return {
            "shards": self.shards,
            "sources": self.sources,
            "sent": self.sent,
            "overdue_intervals": late,
            "monitors": self.monitors,
            "closed": self.closed,
            "failed": self.error is not None,
        }

    def check(self) -> None:
        """Raise the error of the part that failed, so that the alarm of failing ticks hears of it."""
        if self.error is not None:
            raise self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How many of the things that were due were done, and what went wrong with the first that was not."""

    count: int = 0
    error: Exception | None = None


class BatchClaimer:
    """Claims what is due: shared by the tick, and by a person's ``bokit sync``."""

    def __init__(self, store: Store, clock: Clock, new_run_id: Callable[[datetime], str], defaults: Mapping[str, Json]) -> None:
        self.store, self.clock, self.new_run_id, self.defaults = store, clock, new_run_id, defaults

    def claim(
        self,
        shards: Sequence[Shard],
        stored: Stored,
        trigger: Trigger,
        *,
        only: TenantId | None = None,
        run_id: str | None = None,
        monitors: Monitors | None = None,
    ) -> list[BatchMessage]:
        """Claim those of *shards* with something due, and return their messages; a shard that another holds is passed over.

        *monitors*: those of the shards' tenants; they are read where they are not given.
        """
        monitors = self.load_monitors(shards) if monitors is None and trigger in REPLACED else monitors
        now, messages = self.clock(), []

        def find_due(shard: Shard) -> tuple[SourceId, ...]:
            return self.due_in(shard, stored, trigger, now, only, monitors or {})

        for shard in shards:
            if not find_due(shard):
                continue
            holder = run_id or self.new_run_id(now)
            claimed = self._take(shard, holder, now)
            if claimed is None or not (ids := self._recheck(claimed, find_due(claimed))):
                continue
            mine = {claimed.schedules[id].tenant for id in ids}
            messages.append(
                BatchMessage(
                    run_id=RunId(holder),
                    trigger=trigger,
                    shard_id=shard.id,
                    fence=claimed.fence,
                    source_ids=ids,
                    options={t: stored[t] for t in sorted(mine) if t in stored},
                    defaults=self.defaults,
                )
            )
        return messages

    def _take(self, shard: Shard, holder: str, now: datetime) -> Shard | None:
        """Claim one shard; one that the table is too busy for stays due, and keeps no other from being sent."""
        try:
            return self.store.claim_shard(shard, holder=holder, now=now, until=now + CLAIM_FOR)
        except StoreConflictError:
            log.warning("a shard could not be claimed", exc_info=True, extra={"facts": {"shard": shard.id}})
            return None

    def _recheck(self, claimed: Shard, ids: tuple[SourceId, ...]) -> tuple[SourceId, ...]:
        """Return *ids*, which are due in a shard that is ours now; where nothing is any more, give it back.

        Another may have held the claim when we read the shard, and ended it, all synced, before we took it.
        """
        if not ids:
            due = min((b.due_at for b in claimed.schedules.values() if b.due_at), default=None)
            self.store.complete_batch(claimed.id, fence=claimed.fence, schedules={}, next_due=due, run=None)
        return ids

    def due_in(
        self,
        shard: Shard,
        stored: Stored,
        trigger: Trigger,
        now: datetime,
        only: TenantId | None = None,
        monitors: Container[TenantId] = (),
    ) -> tuple[SourceId, ...]:
        """Return the sources of *shard* that are due, of the tenants that let *trigger* sync and are on none of *monitors*.

        Where there is none the shard stays as it is, and is looked at by each tick: what its tenants leave to a monitor, or
        have switched off, is due the moment that they take it up again.
        """
        return tuple(
            id
            for id, schedule in sorted(shard.schedules.items())
            if schedule.due_at
            and schedule.due_at <= now
            and only in (None, schedule.tenant)
            and schedule.tenant not in monitors
            and may_sync(Options(stored.get(schedule.tenant), self.defaults), trigger)
        )

    def load_options(self, shards: Sequence[Shard]) -> Stored:
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
        send: Callable[[Sequence[BatchMessage]], None],
        run_due_monitors: Callable[[Sequence[Monitor]], Done],
        close_overdue: Callable[[Sequence[OpenRun]], Done],
    ) -> None:
        self.store, self.claimer, self.clock, self.send = store, claimer, clock, send
        self.run_due_monitors, self.close_overdue = run_due_monitors, close_overdue

    def run(self, trigger: Trigger = Trigger.SCHEDULE) -> TickReport:
        """Claim and send on what is due now, begin the monitors' runs, and end those that are overdue.

        Raises, in the end, what kept sources from being sent; what kept the others is in the report.
        """
        now = self.clock()
        due = self.store.load_due(now + EARLY, limit=DUE_A_TICK)
        shards = [s for s in due.shards if s.next_due is not None and s.next_due <= now]
        sent = self._attempt_to_send(shards, trigger, now)
        begun = _attempt(self.run_due_monitors, due.monitors, "monitors")
        closed = _attempt(self.close_overdue, due.runs, "overdue runs")
        report = replace(sent, monitors=begun.count, closed=closed.count, error=sent.error or begun.error or closed.error)
        log_event(log, "tick", **report.as_dict())
        if sent.error:
            raise sent.error
        return report

    def _attempt_to_send(self, shards: Sequence[Shard], trigger: Trigger, now: datetime) -> TickReport:
        try:
            return self._send_due(shards, trigger, now)
        except Exception as error:
            return TickReport(shards=len(shards), error=error)

    def _send_due(self, shards: Sequence[Shard], trigger: Trigger, now: datetime) -> TickReport:
        stored, monitors = self.claimer.load_options(shards), self.claimer.load_monitors(shards)
        messages = self.claimer.claim(shards, stored, trigger, monitors=monitors)
        if messages:
            self.send(messages)
        return TickReport(
            shards=len(shards),
            sources=sum(len(m.source_ids) for m in messages),
            sent=len(messages),
            overdue_intervals=self._overdue(shards, stored, monitors, now),
        )

    def _overdue(self, shards: Sequence[Shard], stored: Stored, monitors: Monitors, now: datetime) -> float:
        late = (
            overdue_intervals(_await_monitor(schedule, monitors.get(schedule.tenant)), now)
            for shard in shards
            for schedule in shard.schedules.values()
            if may_sync(Options(stored.get(schedule.tenant), self.claimer.defaults), Trigger.SCHEDULE)
        )
        return max(late, default=0.0)


def do_each(items: Iterable[T], act: Callable[[T], bool]) -> Done:
    """Do *act* with each item, whatever becomes of the others; it tells whether it had something to do."""
    count, first = 0, None
    for item in items:
        try:
            count += act(item)
        except Exception as error:
            first = first or error
    return Done(count=count, error=first)


def _attempt(act: Callable[[Sequence[T]], Done], items: Sequence[T], part: str) -> Done:
    """Return what was done with *items*; an error is logged here, since the tick goes on."""
    try:
        done = act(items) if items else Done()
    except Exception as error:
        done = Done(error=error)
    if done.error:
        log.error("a part of the tick failed", exc_info=done.error, extra={"facts": {"part": part}})
    return done


def _await_monitor(schedule: SourceSchedule, monitor: Monitor | None) -> SourceSchedule:
    """Return *beat* as late as the tenant's monitor lets it be: one whose runs come to nothing shows as well."""
    return replace(schedule, due_at=schedule.due_at + monitor.interval) if monitor and schedule.due_at else schedule


def _tenants_of(shards: Sequence[Shard]) -> list[TenantId]:
    return sorted({b.tenant for s in shards for b in s.schedules.values()})


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


def send_to_queue(queue: Queue) -> Callable[[Sequence[BatchMessage]], None]:
    """Return a sender that hands messages to *queue*."""
    return lambda messages: queue.send([m.to_json() for m in messages])
