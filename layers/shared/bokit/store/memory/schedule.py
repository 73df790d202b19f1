"""Heads, shards, claims and leases in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from bokit.core.model.catalog import ShardId, Source
from bokit.core.model.codec import write_micros
from bokit.core.model.monitor import Monitor
from bokit.core.model.records import SourceId
from bokit.core.model.runs import OpenRun
from bokit.core.model.scheduling import Head, HeartbeatRun, Lease, Shard, SourceSchedule, earliest
from bokit.errors import StaleFenceError
from bokit.store.limits import MAX_RECENT_BATCHES
from bokit.store.memory.state import MemoryState, is_available, load_one
from bokit.store.protocols import Due
from bokit.store.writes import sort_recent
from bokit.values import replace


class MemorySchedule(MemoryState):
    """``ScheduleStore`` in memory."""

    def load_due(self, now: datetime, limit: int = 100, cursor: str | None = None) -> Due:
        with self._lock:
            shards = [(state.shard.next_due, shard, state.shard) for shard, state in self._shards.items()]
            monitors = [(monitor.next_at, tenant, monitor) for tenant, monitor in self._monitors.items()]
            runs = [(open_run.due_at, run, open_run) for (_, run), open_run in self._open_runs.items()]
        timed: list[tuple[datetime, str, object]] = [
            (at, key, value) for at, key, value in (*shards, *monitors, *runs) if at and at <= now
        ]
        after = [(at, key, value) for at, key, value in timed if cursor is None or _place_of(at, key) > cursor]
        page = sorted(after, key=lambda found: found[:2])[:limit]
        due = [value for _, _, value in page]
        return Due(
            shards=tuple(value for value in due if isinstance(value, Shard)),
            monitors=tuple(value for value in due if isinstance(value, Monitor)),
            runs=tuple(value for value in due if isinstance(value, OpenRun)),
            cursor=_place_of(*page[-1][:2]) if len(after) > limit else None,
        )

    def load_shards(self, ids: Iterable[ShardId]) -> Sequence[Shard]:
        with self._lock:
            return [self._shards[shard].shard for shard in dict.fromkeys(ids) if shard in self._shards]

    def claim_shard(self, shard: Shard, *, holder: str, now: datetime, until: datetime) -> Shard | None:
        with self._lock:
            state = self._shards.get(shard.id)
            if state is None or state.shard.fence != shard.fence:
                return None
            if not is_available(state.shard.holder, state.shard.claimed_until, holder, now):
                return None
            state.lowered = None
            state.shard = replace(state.shard, holder=holder, claimed_until=until, fence=shard.fence + 1)
            return state.shard

    def load_heads(self, shard: ShardId) -> tuple[Shard, Sequence[Head]]:
        with self._lock:
            found = load_one(self._shards, shard, "shard", shard).shard
            return found, [self._heads[source].leased_head for source in sorted(found.schedules) if source in self._heads]

    def load_head(self, source: Source) -> Head:
        with self._lock:
            return self._load_head_state(source).leased_head

    def complete_batch(
        self,
        shard: ShardId,
        *,
        fence: int,
        schedules: Mapping[SourceId, SourceSchedule],
        next_due: datetime | None,
        run: HeartbeatRun | None,
    ) -> None:
        with self._lock:
            state = self._shards.get(shard)
            if state is None or state.shard.fence != fence:
                raise StaleFenceError("the shard was claimed by another", shard=shard)
            if run is not None:
                state.runs[fence % MAX_RECENT_BATCHES] = run
            state.shard = replace(
                state.shard,
                schedules={**state.shard.schedules, **schedules},
                next_due=earliest(next_due, state.lowered),
                holder=None,
                claimed_until=None,
                recent=sort_recent(state.runs.values()),
            )
            state.lowered = None

    def save_source_schedule(self, shard: ShardId, source_id: SourceId, schedule: SourceSchedule) -> None:
        with self._lock:
            self._put_schedule(load_one(self._shards, shard, "shard", shard), source_id, schedule)

    def save_schedules(self, shard: ShardId, schedules: Mapping[SourceId, SourceSchedule]) -> None:
        with self._lock:
            for source_id, schedule in schedules.items():
                self._put_schedule(load_one(self._shards, shard, "shard", shard), source_id, schedule)

    def acquire_lease(
        self, source: Source, *, holder: str, now: datetime, until: datetime, renewal: bool = False
    ) -> Lease | None:
        with self._lock:
            state = self._load_head_state(source)
            if not is_available(state.holder, state.until, holder, now):
                return None
            state.holder, state.until = holder, until
            opened = state.head.open_leases + (0 if renewal else 1)
            state.head = replace(state.head, fence=state.head.fence + 1, open_leases=opened)
            return Lease(source=source, holder=holder, fence=state.head.fence, until=until)

    def release_lease(self, lease: Lease) -> None:
        with self._lock:
            state = self._heads.get(lease.source.id)
            if state is None:
                return
            is_ours = state.head.fence == lease.fence and state.holder == lease.holder
            if is_ours:
                state.holder = state.until = None
            if is_ours or state.head.fence > lease.fence:
                state.head = replace(state.head, open_leases=max(0, state.head.open_leases - 1))


def _place_of(at: datetime, key: str) -> str:
    """Return where something is among what is due; places sort as due times do."""
    return f"{write_micros(at):020d} {key}"
