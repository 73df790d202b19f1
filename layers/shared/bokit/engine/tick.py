"""The tick: every minute, find the shards that are due, claim each by a condition, and send its due sources on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bokit.core.catalog import Shard
from bokit.core.options import Options
from bokit.core.records import Json, RunId, SourceId, TenantId
from bokit.core.runs import Trigger
from bokit.core.schedule import overdue_intervals
from bokit.engine.clock import Clock
from bokit.engine.messages import BatchMessage
from bokit.errors import StoreConflictError
from bokit.observability import tell
from bokit.outlets.base import Queue
from bokit.store.base import Store

log = logging.getLogger("bokit.tick")

CLAIM_FOR = timedelta(minutes=15)
"""Longer than a message waits and a batch runs; after it, another tick may claim the shard anew."""
SHARDS_A_TICK = 1000
Stored = Mapping[TenantId, Mapping[str, Json]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TickReport:
    """What one tick found and sent."""

    shards: int = 0
    sources: int = 0
    sent: int = 0
    overdue_intervals: float = 0.0
    """How late the most overdue source is, in its own intervals; 0 where syncing is off."""

    def as_dict(self) -> dict[str, Json]:
        """As the log tells it."""
        late = round(self.overdue_intervals, 2)
        return {"shards": self.shards, "sources": self.sources, "sent": self.sent, "overdue_intervals": late}


class Claimer:
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
    ) -> list[BatchMessage]:
        """Claim those of *shards* with something due, and return their messages; a shard that another holds is passed over."""
        now, messages = self.clock(), []
        for shard in shards:
            if not self.due_in(shard, stored, trigger, now, only):
                continue
            holder = run_id or self.new_run_id(now)
            claimed = self._take(shard, holder, now)
            if claimed is None or not (ids := self._recheck(claimed, stored, trigger, now, only)):
                continue
            mine = {claimed.beats[id].tenant for id in ids}
            messages.append(BatchMessage(
                run_id=RunId(holder), trigger=trigger, shard_id=shard.id, fence=claimed.fence, source_ids=ids,
                options={t: stored[t] for t in sorted(mine) if t in stored}, defaults=self.defaults,
            ))  # fmt: skip
        return messages

    def _take(self, shard: Shard, holder: str, now: datetime) -> Shard | None:
        """Claim one shard; one that the table is too busy for stays due, and keeps no other from being sent."""
        try:
            return self.store.claim_shard(shard, holder=holder, now=now, until=now + CLAIM_FOR)
        except StoreConflictError:
            log.warning("a shard could not be claimed", exc_info=True, extra={"facts": {"shard": shard.id}})
            return None

    def _recheck(
        self, claimed: Shard, stored: Stored, trigger: Trigger, now: datetime, only: TenantId | None
    ) -> tuple[SourceId, ...]:  # fmt: skip
        """Return what is due in a shard that is ours now; where nothing is any more, give it back.

        Another may have held the claim when we read the shard, and ended it, all synced, before we took it.
        """
        ids = self.due_in(claimed, stored, trigger, now, only)
        if not ids:
            due = min((b.due_at for b in claimed.beats.values() if b.due_at), default=None)
            self.store.beat_shard(claimed.id, fence=claimed.fence, beats={}, next_due=due, run=None)
        return ids

    def due_in(
        self, shard: Shard, stored: Stored, trigger: Trigger, now: datetime, only: TenantId | None = None
    ) -> tuple[SourceId, ...]:
        """Return the sources of *shard* that are due, of the tenants that let *trigger* sync."""
        return tuple(
            id for id, beat in sorted(shard.beats.items())
            if beat.due_at and beat.due_at <= now and only in (None, beat.tenant)
            and may_sync(Options(stored.get(beat.tenant), self.defaults), trigger)
        )  # fmt: skip

    def load_options(self, shards: Sequence[Shard]) -> Stored:
        """Return what the tenants of *shards* have set, in one read."""
        return self.store.load_options(sorted({b.tenant for s in shards for b in s.beats.values()}))


class Tick:
    """One pass of the schedule."""

    def __init__(self, store: Store, claimer: Claimer, clock: Clock, send: Callable[[Sequence[BatchMessage]], None]) -> None:
        self.store, self.claimer, self.clock, self.send = store, claimer, clock, send

    def run(self, trigger: Trigger = Trigger.SCHEDULE) -> TickReport:
        """Claim and send on what is due now."""
        now = self.clock()
        shards = self.store.load_due_shards(now, limit=SHARDS_A_TICK)
        stored = self.claimer.load_options(shards)
        messages = self.claimer.claim(shards, stored, trigger)
        if messages:
            self.send(messages)
        report = TickReport(
            shards=len(shards), sources=sum(len(m.source_ids) for m in messages), sent=len(messages),
            overdue_intervals=self._overdue(shards, stored, now),
        )  # fmt: skip
        tell(log, "tick", **report.as_dict())
        return report

    def _overdue(self, shards: Sequence[Shard], stored: Stored, now: datetime) -> float:
        late = (
            overdue_intervals(beat, now) for shard in shards for beat in shard.beats.values()
            if may_sync(Options(stored.get(beat.tenant), self.claimer.defaults), Trigger.SCHEDULE)
        )  # fmt: skip
        return max(late, default=0.0)


def may_sync(options: Options, trigger: Trigger) -> bool:
    """Tell whether *trigger* may sync a tenant with these options.

    manual, CLI    always: a person asked
    all others     where syncing is on, and the installation is complete
    traffic        where sync.on_traffic is on, besides
    """
    if trigger in (Trigger.MANUAL, Trigger.CLI, Trigger.QUEUE):
        return True
    allowed = bool(options["sync.enabled"] and options["install.complete"])
    return allowed and (trigger is not Trigger.TRAFFIC or bool(options["sync.on_traffic"]))


def send_to_queue(queue: Queue) -> Callable[[Sequence[BatchMessage]], None]:
    """Return a sender that hands messages to *queue*."""
    return lambda messages: queue.send([m.to_json() for m in messages])
