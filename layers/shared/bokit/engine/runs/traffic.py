"""Syncs that a request wakes: where the schedule is late, the visitor's own request hands on what is overdue.

    request ─► begin ──────────── its own work ──────────── finish ─► answer
                 └► a thread, once a minute: is anything late? ─► claim it, send it ─┘ waited for a moment at most

Most requests start no thread, since memory says "not yet". The guard across instances is the shard's claim: who reads the
same shard at the same moment gets nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bokit.core.model.due_times import TICK
from bokit.core.model.options import Options
from bokit.core.model.records import SourceId, TenantId
from bokit.core.model.runs import Trigger
from bokit.engine.runs.tick import BatchClaimer, may_sync
from bokit.observability import log_event

if TYPE_CHECKING:
    from bokit.core.model.scheduling import Shard, SourceSchedule
    from bokit.engine.base.clock import Clock
    from bokit.engine.runs.messages import BatchMessage
    from bokit.store.protocols import Store

log = logging.getLogger("bokit.traffic")

LATE = 2 * TICK
"""A source that is overdue by so much shows that the schedule does not do its work."""
LOOK_EVERY = timedelta(minutes=1)
"""A tenant is looked at once in this time by one instance, however many requests it has."""
FINISH_WITHIN = 0.5
"""Seconds that an answer waits for its look: Lambda freezes what is not done by then. A look takes a few milliseconds."""
MAX_LATE_SOURCES = 100
"""Late shards that one look reads."""
MAX_TENANTS = 10_000
"""Tenants that an instance remembers."""


class TrafficTrigger:
    """What one instance knows of its tenants' lateness."""

    def __init__(self, store: Store, claimer: BatchClaimer, clock: Clock, send: Callable[[Sequence[BatchMessage]], None]) -> None:
        self.store, self.claimer, self.clock, self.send = store, claimer, clock, send
        self._lock = threading.Lock()
        self._not_before: dict[TenantId, datetime] = {}
        self._under_way: set[TenantId] = set()
        self._of_request = threading.local()

    # ── at the request ──

    def begin(self, tenant: TenantId) -> None:
        """Look after *tenant* in a thread of its own, where it is time; never raises, and never waits."""
        if not self._take_turn(tenant):
            return
        look = threading.Thread(target=self._look_quietly, args=(tenant,), name="traffic", daemon=True)
        try:
            look.start()
        except RuntimeError:  # no thread is to be had: the visitor must not notice, and the next minute is soon enough
            log.warning("a look after traffic could not begin", exc_info=True)
            self._under_way.discard(tenant)
        else:
            self._of_request.look = look

    def finish(self, within: float = FINISH_WITHIN) -> None:
        """Wait for the look that this thread's request began, *within* seconds at most.

        One that is slower goes on when the instance wakes up again. A claim that it leaves behind comes back by itself.
        """
        look, self._of_request.look = getattr(self._of_request, "look", None), None
        if look is not None:
            look.join(within)

    def _take_turn(self, tenant: TenantId) -> bool:
        """Return whether it is time to look, and take the turn; from memory alone."""
        now = self.clock()
        with self._lock:
            if tenant in self._under_way or now < self._not_before.get(tenant, now):
                return False
            if len(self._not_before) >= MAX_TENANTS:
                self._not_before.clear()
            self._not_before[tenant] = now + LOOK_EVERY
            self._under_way.add(tenant)
            return True

    def _look_quietly(self, tenant: TenantId) -> None:
        try:
            self.look(tenant)
        except Exception:  # whatever it is, it is no visitor's business
            log.warning("traffic could not be looked after", exc_info=True, extra={"facts": {"tenant": tenant}})
        finally:
            self._under_way.discard(tenant)

    # ── the look ──

    def look(self, tenant: TenantId) -> int:
        """Hand on what is due of *tenant* where something of it is late; return how many sources that were.

        nothing late                             one query of the index, which is empty where the schedule works
        late, and off or left to a monitor       the late shards, the options, the monitor
        late                                     the tenant's sources and shards besides, and a claim a shard
        """
        now = self.clock()
        if not self._may_be_late(tenant, now):
            return 0
        stored = self.store.load_options([tenant])
        if not may_sync(Options(stored.get(tenant), self.claimer.defaults), Trigger.TRAFFIC) or self._is_monitored(tenant):
            return 0
        shards = self._load_shards(tenant)
        if not any(_is_late(schedule, now) for schedule in _free_beats(shards, tenant, now)):
            return 0
        messages = self.claimer.claim(shards, stored, Trigger.TRAFFIC, only=tenant, monitors={})
        if messages:
            self.send(messages)
        handed = {id for message in messages for id in message.source_ids}
        self._remember(tenant, shards, handed, now)
        log_event(log, "traffic found the schedule late", tenant=tenant, sources=len(handed))
        return len(handed)

    def _may_be_late(self, tenant: TenantId, now: datetime) -> bool:
        """Return whether a late shard holds a late source of *tenant*; also where there are too many to be read."""
        due = self.store.load_due(now - LATE, limit=MAX_LATE_SOURCES)
        listed = len(due.shards) + len(due.monitors) + len(due.runs)
        # the index is a little behind, so that a list that was cut may come out shorter than what was asked for
        is_cut = listed >= MAX_LATE_SOURCES // 2
        return is_cut or any(_is_late(schedule, now) for schedule in _free_beats(due.shards, tenant, now))

    def _is_monitored(self, tenant: TenantId) -> bool:
        """Return whether a monitor has taken the schedule's place."""
        monitor = self.store.load_monitors([tenant]).get(tenant)
        return monitor is not None and not monitor.is_over

    def _load_shards(self, tenant: TenantId) -> Sequence[Shard]:
        sources = self.store.load_sources(tenant)
        return self.store.load_shards(sorted({s.shard_id for s in sources if s.removed_at is None}))

    def _remember(self, tenant: TenantId, shards: Sequence[Shard], handed: set[SourceId], now: datetime) -> None:
        """Look again when the interval of what was handed on has passed, or when another source is late before that."""
        times = [
            now + schedule.interval if id in handed else schedule.due_at + LATE
            for shard in shards
            for id, schedule in shard.schedules.items()
            if schedule.tenant == tenant and schedule.due_at
        ]
        with self._lock:
            self._not_before[tenant] = max(now + LOOK_EVERY, min(times, default=now))


def _is_late(schedule: SourceSchedule, now: datetime) -> bool:
    return schedule.due_at is not None and schedule.due_at + LATE <= now


def _free_beats(shards: Iterable[Shard], tenant: TenantId, now: datetime) -> Iterable[SourceSchedule]:
    """Yield the tenant's lines in those of *shards* that nobody has in hand."""
    for shard in shards:
        if shard.holder is None or shard.claimed_until is None or shard.claimed_until <= now:
            yield from (schedule for schedule in shard.schedules.values() if schedule.tenant == tenant)
