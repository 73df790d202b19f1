"""Heads, shards, claims and leases in memory, and what the tick finds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bokit.core.model.catalog import ShardId, Source
from bokit.core.model.monitor import Monitor
from bokit.core.model.records import SourceId
from bokit.core.model.runs import OpenRun
from bokit.core.model.scheduling import Head, HeartbeatRun, Lease, Shard, SourceSchedule
from bokit.errors import StaleFenceError
from bokit.store.cursors import RECENT_RUNS, earliest, sort_recent
from bokit.store.memory.state import MemoryState, find, is_open
from bokit.store.protocols import Due


class MemorySchedule(MemoryState):
    """``ScheduleStore`` in memory."""

    def load_due(self, now: datetime, limit: int = 100) -> Due:
        """Return the shards, monitors and open runs whose time is not after *now*, earliest first."""
        with self._lock:
            shards = [(state.shard.next_due, id, state.shard) for id, state in self._shards.items()]
            monitors = [(monitor.next_at, tenant, monitor) for tenant, monitor in self._monitors.items()]
            runs = [(open.overdue_at, id, open) for (_, id), open in self._open.items()]
        dated: list[tuple[datetime, str, object]] = [
            (at, id, kept) for at, id, kept in (*shards, *monitors, *runs) if at and at <= now
        ]
        found = [kept for _, _, kept in sorted(dated, key=lambda row: row[:2])[:limit]]
        return Due(
            shards=tuple(kept for kept in found if isinstance(kept, Shard)),
            monitors=tuple(kept for kept in found if isinstance(kept, Monitor)),
            runs=tuple(kept for kept in found if isinstance(kept, OpenRun)),
        )

    def load_due_shards(self, now: datetime, limit: int = 100) -> Sequence[Shard]:
        """Return the shards of :meth:`load_due`."""
        return list(self.load_due(now, limit).shards)

    def load_shards(self, ids: Iterable[ShardId]) -> Sequence[Shard]:
        """Return the shards of these ids that exist, in the order of the ids given."""
        with self._lock:
            return [self._shards[id].shard for id in dict.fromkeys(ids) if id in self._shards]

    def claim_shard(self, shard: Shard, *, holder: str, now: datetime, until: datetime) -> Shard | None:
        """Claim *shard* as it was read: None where its fence has moved on, or another holds it beyond *now*."""
        with self._lock:
            state = self._shards.get(shard.id)
            if state is None or state.shard.fence != shard.fence:
                return None
            if not is_open(state.shard.holder, state.shard.claimed_until, holder, now):
                return None
            state.lowered = None
            state.shard = replace(state.shard, holder=holder, claimed_until=until, fence=shard.fence + 1)
            return state.shard

    def load_heads(self, shard: ShardId) -> tuple[Shard, Sequence[Head]]:
        """Return the shard and its sources' heads; raises UnknownIdError."""
        with self._lock:
            found = find(self._shards, shard, "no such shard", shard).shard
            return found, [self._heads[id].head for id in sorted(found.beats) if id in self._heads]

    def load_head(self, source: Source) -> Head:
        """Return the source's head; raises UnknownIdError."""
        with self._lock:
            return self._find_head(source).head

    def complete_batch(
        self,
        shard: ShardId,
        *,
        fence: int,
        beats: Mapping[SourceId, SourceSchedule],
        next_due: datetime | None,
        run: HeartbeatRun | None,
    ) -> None:
        """End a claim; raises StaleFenceError where it was taken over."""
        with self._lock:
            state = self._shards.get(shard)
            if state is None or state.shard.fence != fence:
                raise StaleFenceError("the shard was claimed by another", shard=shard)
            if run is not None:
                state.runs[fence % RECENT_RUNS] = run
            state.shard = replace(
                state.shard,
                beats={**state.shard.beats, **beats},
                next_due=earliest(next_due, state.lowered),
                holder=None,
                claimed_until=None,
                recent=sort_recent(state.runs.values()),
            )
            state.lowered = None

    def save_source_schedule(self, shard: ShardId, source_id: SourceId, schedule: SourceSchedule) -> None:
        """Write one line outside a claim, lowering next_due where it is earlier."""
        with self._lock:
            self._put_beat(find(self._shards, shard, "no such shard", shard), source_id, schedule)

    def take_lease(self, source: Source, *, holder: str, now: datetime, until: datetime) -> Lease | None:
        """Take the source's lease if it is free, expired or ours; None where another holds it."""
        with self._lock:
            state = self._find_head(source)
            if not is_open(state.holder, state.until, holder, now):
                return None
            state.holder, state.until = holder, until
            state.head = replace(state.head, fence=state.head.fence + 1)
            return Lease(source=source, holder=holder, fence=state.head.fence, until=until)

    def release_lease(self, lease: Lease) -> None:
        """Give it back; nothing happens where it is ours no longer."""
        with self._lock:
            state = self._heads.get(lease.source.id)
            if state and state.head.fence == lease.fence and state.holder == lease.holder:
                state.holder = state.until = None
