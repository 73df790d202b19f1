"""Syncs that a request starts: where the schedule is late, a request's own process sends what is overdue.

    request ─► begin ──────────── its own work ─────────────── finish ─► response
                 └► a thread, once a minute: is anything late? ─► claim it, send it ─┘ awaited for half a second at most

Most requests start no thread: the instance remembers when to check next. Across instances the shard's claim decides: of
several that read the same shard at the same moment one sends it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bokit.core.model.due_times import TICK
from bokit.core.model.options import Options
from bokit.core.model.records import SourceId, TenantId
from bokit.core.model.runs import Trigger
from bokit.engine.runs.limits import MAX_LATE_SOURCES, MAX_TENANTS
from bokit.engine.runs.tick import BatchClaimer, Send, may_sync
from bokit.observability import log_event

if TYPE_CHECKING:
    from bokit.core.model.scheduling import Shard, SourceSchedule
    from bokit.engine.base.clock import Clock
    from bokit.store.protocols import Store

log = logging.getLogger("bokit.traffic")

LATE = 2 * TICK
"""A source that is overdue by so much shows that the schedule fails."""
CHECK_EVERY = timedelta(minutes=1)
"""How often one instance checks a tenant, however many requests it has."""
FINISH_WITHIN = 0.5
"""Seconds that a response waits for its check: Lambda freezes what is not done by then. A check takes a few milliseconds."""


class TrafficTrigger:
    """Checks whether a tenant's syncs are late, and starts them."""

    def __init__(self, store: Store, claimer: BatchClaimer, clock: Clock, send: Send) -> None:
        self.store, self.claimer, self.clock, self.send = store, claimer, clock, send
        self._lock = threading.Lock()
        self._not_before: dict[TenantId, datetime] = {}
        self._under_way: set[TenantId] = set()
        self._of_request = threading.local()

    # ── at the request ──

    def begin(self, tenant: TenantId) -> None:
        """Check *tenant* in a thread of its own, where it is time; never raises, and never waits."""
        if not self._start_check(tenant):
            return
        check = threading.Thread(target=self._check, args=(tenant,), name="traffic", daemon=True)
        try:
            check.start()
        except RuntimeError:  # no thread is available: the request goes on, and the next minute is soon enough
            log.warning("a check after traffic could not begin", exc_info=True)
            self._under_way.discard(tenant)
        else:
            self._of_request.check = check

    def finish(self, within: float = FINISH_WITHIN) -> None:
        """Wait for the check that this thread's request began, *within* seconds at most.

        A slower one goes on when the instance wakes up again. A claim that it leaves behind expires by itself.
        """
        check, self._of_request.check = getattr(self._of_request, "check", None), None
        if check is not None:
            check.join(within)

    def _start_check(self, tenant: TenantId) -> bool:
        """Return whether it is time to check, and note that a check is under way; from memory alone."""
        now = self.clock()
        with self._lock:
            if tenant in self._under_way or now < self._not_before.get(tenant, now):
                return False
            if len(self._not_before) >= MAX_TENANTS:
                self._not_before.clear()
            self._not_before[tenant] = now + CHECK_EVERY
            self._under_way.add(tenant)
            return True

    def _check(self, tenant: TenantId) -> None:
        try:
            self.send_overdue(tenant)
        except Exception:  # the visitor must not notice
            log.warning("a check after traffic failed", exc_info=True, extra={"facts": {"tenant": tenant}})
        finally:
            self._under_way.discard(tenant)

    # ── the check ──

    def send_overdue(self, tenant: TenantId) -> int:
        """Send what is due of *tenant* where some of it is late; return how many sources.

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
        if not any(_is_late(schedule, now) for schedule in _unclaimed(shards, tenant, now)):
            return 0
        messages = self.claimer.claim(shards, stored, Trigger.TRAFFIC, only=tenant, monitors={})
        if messages:
            self.send(messages)
        sent = {source_id for message in messages for source_id in message.source_ids}
        self._remember(tenant, shards, sent, now)
        log_event(log, "traffic found the schedule late", tenant=tenant, sources=len(sent))
        return len(sent)

    def _may_be_late(self, tenant: TenantId, now: datetime) -> bool:
        """Return whether a late shard holds a late source of *tenant*; also where there are too many to be read."""
        due = self.store.load_due(now - LATE, limit=MAX_LATE_SOURCES)
        listed = len(due.shards) + len(due.monitors) + len(due.runs)
        # the index lags a little: a list that was cut may be shorter than its limit
        is_cut = listed >= MAX_LATE_SOURCES // 2
        return is_cut or any(_is_late(schedule, now) for schedule in _unclaimed(due.shards, tenant, now))

    def _is_monitored(self, tenant: TenantId) -> bool:
        monitor = self.store.load_monitors([tenant]).get(tenant)
        return monitor is not None and not monitor.is_over

    def _load_shards(self, tenant: TenantId) -> Sequence[Shard]:
        sources = self.store.load_sources(tenant)
        return self.store.load_shards(sorted({s.shard_id for s in sources if s.removed_at is None}))

    def _remember(self, tenant: TenantId, shards: Sequence[Shard], sent: set[SourceId], now: datetime) -> None:
        """Check again when the interval of a sent source has passed, or when another source is late before that."""
        times = [
            now + schedule.interval if source_id in sent else schedule.due_at + LATE
            for shard in shards
            for source_id, schedule in shard.schedules.items()
            if schedule.tenant == tenant and schedule.due_at
        ]
        with self._lock:
            self._not_before[tenant] = max(now + CHECK_EVERY, min(times, default=now))


def _is_late(schedule: SourceSchedule, now: datetime) -> bool:
    return schedule.due_at is not None and schedule.due_at + LATE <= now


def _unclaimed(shards: Iterable[Shard], tenant: TenantId, now: datetime) -> Iterable[SourceSchedule]:
    """Yield the tenant's lines in those of *shards* that no batch holds."""
    for shard in shards:
        if shard.holder is None or shard.claimed_until is None or shard.claimed_until <= now:
            yield from (schedule for schedule in shard.schedules.values() if schedule.tenant == tenant)
