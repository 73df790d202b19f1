"""Heads, shards, claims and leases in the table: all that an unchanged sync touches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from bokit.core.model.catalog import ShardId, Source
from bokit.core.model.codec import write_schedule_line, write_time
from bokit.core.model.records import SourceId
from bokit.core.model.scheduling import Head, HeartbeatRun, Lease, Shard, SourceSchedule
from bokit.errors import StaleFenceError, StoreConflictError, UnknownIdError
from bokit.store.cursors import earliest
from bokit.store.dynamo import keys
from bokit.store.dynamo.gateway import Rows, Update
from bokit.store.dynamo.model import Row
from bokit.store.dynamo.monitors import read_monitor
from bokit.store.dynamo.open_runs import read_open_run
from bokit.store.dynamo.shards import (
    TRIES,
    line_of,
    read_due,
    read_head,
    read_shard,
    set_due,
    set_recent,
    write_lowered_schedule_line,
)
from bokit.store.protocols import Due


class ScheduleRows:
    """``ScheduleStore`` on the table."""

    _rows: Rows

    def load_due(self, now: datetime, limit: int = 100) -> Due:
        """Return the shards, monitors and open runs whose time is not after *now*, earliest first.

        The index is a little behind and holds keys alone, so the items themselves are read, and judged again.
        """
        rows = self._rows.get_all(self._rows.query_due(write_time(now), limit))
        due = [(key, row) for key, row in rows.items() if row.due_at is not None and row.due_at <= write_time(now)]
        shards, monitors, runs = [], [], []
        for key, row in sorted(due, key=lambda found: (found[1].due_at, found[0])):
            if keys.is_state(key):
                shards.append(read_shard(keys.shard_of(key), row))
            elif keys.is_monitor(key):
                monitors.append(read_monitor(row))
            elif open := read_open_run(row):
                runs.append(open)
        return Due(shards=tuple(shards), monitors=tuple(monitors), runs=tuple(runs))

    def load_due_shards(self, now: datetime, limit: int = 100) -> Sequence[Shard]:
        """Return the shards of :meth:`load_due`."""
        return list(self.load_due(now, limit).shards)

    def load_shards(self, ids: Iterable[ShardId]) -> Sequence[Shard]:
        """Return the shards of these ids that exist, in the order of the ids given."""
        return self._load_states([keys.state_key(id) for id in dict.fromkeys(ids)])

    def _load_states(self, wanted: Sequence[keys.Key]) -> list[Shard]:
        rows = self._rows.get_all(wanted)
        return [read_shard(keys.shard_of(key), rows[key]) for key in wanted if key in rows]

    def claim_shard(self, shard: Shard, *, holder: str, now: datetime, until: datetime) -> Shard | None:
        """Claim *shard* as it was read: None where its fence has moved on, or another holds it beyond *now*.

        time ─────────┬──────────────────┬──────────────────────►
        tick A        │ claim until t1   │
        tick B        │ read it before A: the fence has moved on, None
        tick C        ·                  │ may claim from t1 on, fence + 1
        A wakes late  ·                  ·   its beat carries the old fence and is refused
        """
        unmoved = Row.fence == shard.fence
        free = Row.holder.does_not_exist()
        expired = Row.until <= write_time(now)
        mine = Row.holder == holder
        row = self._rows.update(
            Update(
                key=keys.state_key(shard.id),
                actions=[Row.holder.set(holder), Row.until.set(write_time(until)), Row.fence.add(1), Row.lowered.remove()],
                condition=unmoved & (free | expired | mine),
            )
        )
        return read_shard(shard.id, row) if row else None

    def load_heads(self, shard: ShardId) -> tuple[Shard, Sequence[Head]]:
        """Return the shard and its sources' heads, in one query; raises UnknownIdError."""
        rows = self._rows.query(keys.shard_partition(shard))
        states = [row for row in rows if row.sk == "STATE"]
        if not states:
            raise UnknownIdError("no such shard", id=shard)
        heads = [read_head(row) for row in rows if row.sk != "STATE"]
        return read_shard(shard, states[0]), sorted(heads, key=lambda head: head.source.id)

    def load_head(self, source: Source) -> Head:
        """Return the source's head; raises UnknownIdError."""
        return read_head(self._find_head(source))

    def _find_head(self, source: Source) -> Row:
        row = self._rows.get(keys.head_key(source.shard_id, source.id))
        if row is None or row.tenant != source.tenant:
            raise UnknownIdError("no such source", id=source.id)
        return row

    def complete_batch(
        self,
        shard: ShardId,
        *,
        fence: int,
        beats: Mapping[SourceId, SourceSchedule],
        next_due: datetime | None,
        run: HeartbeatRun | None,
    ) -> None:
        """End a claim in one update; raises StaleFenceError where it was taken over.

            time ──────┬───────────────┬──────────────┬──────────────────────►
            batch      │ claims        ·              │ ends: next due at 13:00
            a person   ·               │ adds a source that is due at 12:10
            shard      ·               ·              │ is due at 12:10, although the batch never saw it

        So the update passes only where nothing lowered the due time below the batch's own; else it is tried again
        with what did.
        """
        ours = Row.fence == fence
        lines = [line_of(source).set(write_schedule_line(schedule)) for source, schedule in beats.items()]
        ending = [Row.holder.remove(), Row.until.remove(), Row.lowered.remove()]
        for _ in range(TRIES):
            actions = [*lines, *ending, *set_due(next_due), *set_recent(fence, run)]
            undisturbed = Row.lowered.does_not_exist()
            if next_due is not None:
                undisturbed |= Row.lowered >= write_time(next_due)
            if self._rows.update(Update(key=keys.state_key(shard), actions=actions, condition=ours & undisturbed)):
                return
            state = self._rows.get(keys.state_key(shard))
            if state is None or state.fence != fence:
                raise StaleFenceError("the shard was claimed by another", shard=shard)
            next_due = earliest(next_due, read_due(state.lowered))
        raise StoreConflictError("the shard's due time was changed by others at the same time; try again", shard=shard)

    def save_source_schedule(self, shard: ShardId, source_id: SourceId, schedule: SourceSchedule) -> None:
        """Write one line outside a claim, lowering next_due where it is earlier."""
        for _ in range(TRIES):
            state = self._rows.get(keys.state_key(shard))
            if state is None:
                raise UnknownIdError("no such shard", id=shard)
            if self._rows.update(write_lowered_schedule_line(state, source_id, schedule)):
                return
        raise StoreConflictError("the shard's due time was changed by others at the same time; try again", shard=shard)

    def take_lease(self, source: Source, *, holder: str, now: datetime, until: datetime) -> Lease | None:
        """Take the source's lease if it is free, expired or ours; None where another holds it.

        time ─────────┬─────────────────────┬───────────────►
        holder A      │ lease until t1      │
        holder B      ·                     │ may take it from t1 on, fence + 1
        A wakes late  ·                     ·      its writes carry the old fence and are refused
        """
        known = Row.tenant == source.tenant
        free = Row.holder.does_not_exist()
        expired = Row.until <= write_time(now)
        mine = Row.holder == holder
        row = self._rows.update(
            Update(
                key=keys.head_key(source.shard_id, source.id),
                actions=[Row.holder.set(holder), Row.until.set(write_time(until)), Row.fence.add(1)],
                condition=known & (free | expired | mine),
            )
        )
        if row is None:
            self._find_head(source)  # tells an unknown source from one that another holds
            return None
        return Lease(source=source, holder=holder, fence=int(row.fence), until=until)

    def release_lease(self, lease: Lease) -> None:
        """Give it back; nothing happens where it is ours no longer."""
        unmoved, mine = Row.fence == lease.fence, Row.holder == lease.holder
        self._rows.update(
            Update(
                key=keys.head_key(lease.source.shard_id, lease.source.id),
                actions=[Row.holder.remove(), Row.until.remove()],
                condition=unmoved & mine,
            )
        )
