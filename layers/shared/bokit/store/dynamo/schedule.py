"""Heads, shards, claims and leases in the table: all that an unchanged sync touches."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pynamodb.expressions.update import Action

from bokit.core.model.catalog import ShardId, Source
from bokit.core.model.codec import write_micros, write_schedule_line
from bokit.core.model.records import SourceId
from bokit.core.model.scheduling import Head, HeartbeatRun, Lease, Shard, SourceSchedule, earliest
from bokit.errors import StaleFenceError, StoreConflictError, UnknownIdError
from bokit.store.dynamo import keys
from bokit.store.dynamo.gateway import UpdateItem
from bokit.store.dynamo.model import ItemRow
from bokit.store.dynamo.monitors import read_monitor
from bokit.store.dynamo.open_run_reads import DynamoOpenRunReads
from bokit.store.dynamo.shards import (
    RELEASE,
    read_head,
    read_optional_time,
    read_shard,
    schedule_path,
    set_due,
    set_recent,
    write_lowered_schedules,
)
from bokit.store.limits import MAX_WRITE_TRIES
from bokit.store.protocols import Due


class DynamoSchedule(DynamoOpenRunReads):
    """``ScheduleStore`` on the table."""

    def load_due(self, now: datetime, limit: int = 100, cursor: str | None = None) -> Due:
        # The index is eventually consistent and has keys only: the items are read, and their times compared again.
        until = write_micros(now)
        found, place = self._table.query_due_page(until, limit, json.loads(cursor) if cursor else None)
        rows = self._table.get_all(found)
        due = [(key, row) for key, row in rows.items() if row.due_at is not None and row.due_at <= until]
        shards, monitors, runs = [], [], []
        for key, row in sorted(due, key=lambda found: (found[1].due_at, found[0])):
            if keys.is_state(key):
                shards.append(read_shard(keys.shard_of(key), row))
            elif keys.is_monitor(key):
                monitors.append(read_monitor(row))
            elif open_run := self._read_open_run(row):
                runs.append(open_run)
        more = json.dumps(place) if place else None
        return Due(shards=tuple(shards), monitors=tuple(monitors), runs=tuple(runs), cursor=more)

    def load_shards(self, ids: Iterable[ShardId]) -> Sequence[Shard]:
        wanted = {keys.state_key(shard): shard for shard in ids}
        rows = self._table.get_all(wanted)
        return [read_shard(shard, rows[key]) for key, shard in wanted.items() if key in rows]

    def claim_shard(self, shard: Shard, *, holder: str, now: datetime, until: datetime) -> Shard | None:
        """Claim *shard* as it was read, by one conditional write.

        time ─────────┬──────────────────┬──────────────────────►
        tick A        │ claim until t1   │
        tick B        │ read it before A: the fence is another, None
        tick C        ·                  │ may claim from t1 on, fence + 1
        A wakes late  ·                  ·   its complete_batch has the old fence and is refused
        """
        as_read = ItemRow.fence == shard.fence
        free = ItemRow.holder.does_not_exist()
        expired = ItemRow.until <= write_micros(now)
        mine = ItemRow.holder == holder
        actions = [*_hold(holder, until), ItemRow.lowered.remove()]
        condition = as_read & (free | expired | mine)
        row = self._table.update(UpdateItem(key=keys.state_key(shard.id), actions=actions, condition=condition, once=True))
        return read_shard(shard.id, row) if row else None

    def load_heads(self, shard: ShardId) -> tuple[Shard, Sequence[Head]]:
        rows = self._table.query(keys.shard_partition(shard))
        states = [row for row in rows if row.sk == "STATE"]
        if not states:
            raise UnknownIdError("no such shard", id=shard)
        heads = [read_head(row) for row in rows if row.sk != "STATE"]
        return read_shard(shard, states[0]), sorted(heads, key=lambda head: head.source.id)

    def load_head(self, source: Source) -> Head:
        return read_head(self._load_head_row(source))

    def _load_head_row(self, source: Source) -> ItemRow:
        row = self._table.get(keys.head_key(source))
        if row is None or row.tenant != source.tenant:
            raise UnknownIdError("no such source", id=source.id)
        return row

    def complete_batch(
        self,
        shard: ShardId,
        *,
        fence: int,
        schedules: Mapping[SourceId, SourceSchedule],
        next_due: datetime | None,
        run: HeartbeatRun | None,
    ) -> None:
        """Release a claim with all that its batch changed, by one conditional write.

            time ──────┬───────────────┬──────────────┬──────────────────────►
            batch      │ claims        ·              │ ends: next due at 13:00
            a user     ·               │ adds a source that is due at 12:10
            shard      ·               ·              │ is due at 12:10, although the batch does not know it

        The write fails where somebody lowered the due time below the batch's own, and is then repeated with that time.
        """
        key, ours = keys.state_key(shard), ItemRow.fence == fence
        actions: list[Action] = [
            schedule_path(source).set(write_schedule_line(schedule)) for source, schedule in schedules.items()
        ]
        actions += [*RELEASE, ItemRow.lowered.remove(), *([set_recent(fence, run)] if run else [])]
        for _ in range(MAX_WRITE_TRIES):
            not_lowered = ItemRow.lowered.does_not_exist()
            if next_due is not None:
                not_lowered |= ItemRow.lowered >= write_micros(next_due)
            update = UpdateItem(key=key, actions=[*actions, *set_due(next_due)], condition=ours & not_lowered)
            if self._table.update(update):
                return
            state = self._table.get(key)
            if state is None or state.fence != fence:
                raise StaleFenceError("the shard was claimed by another", shard=shard)
            next_due = earliest(next_due, read_optional_time(state.lowered))
        raise _overtaken(shard)

    def save_source_schedule(self, shard: ShardId, source_id: SourceId, schedule: SourceSchedule) -> None:
        self.save_schedules(shard, {source_id: schedule})

    def save_schedules(self, shard: ShardId, schedules: Mapping[SourceId, SourceSchedule]) -> None:
        for _ in range(MAX_WRITE_TRIES):
            state = self._table.get(keys.state_key(shard))
            if state is None:
                raise UnknownIdError("no such shard", id=shard)
            if self._table.update(write_lowered_schedules(state, schedules)):
                return
        raise _overtaken(shard)

    def acquire_lease(
        self, source: Source, *, holder: str, now: datetime, until: datetime, renewal: bool = False
    ) -> Lease | None:
        """Acquire the source's lease, by one conditional write.

        time ─────────┬─────────────────────┬───────────────►
        holder A      │ lease until t1      │
        holder B      ·                     │ may acquire it from t1 on, fence + 1
        A wakes late  ·                     ·      its writes have the old fence and are refused
        """
        known = ItemRow.tenant == source.tenant
        free = ItemRow.holder.does_not_exist()
        expired = ItemRow.until <= write_micros(now)
        mine = ItemRow.holder == holder
        condition = known & (free | expired | mine)
        actions = [*_hold(holder, until), *(() if renewal else (ItemRow.open_leases.add(1),))]
        row = self._table.update(UpdateItem(key=keys.head_key(source), actions=actions, condition=condition, once=True))
        if row is None:
            self._load_head_row(source)  # raises if the source is unknown; else another holds the lease
            return None
        return Lease(source=source, holder=holder, fence=int(row.fence), until=until)

    def release_lease(self, lease: Lease) -> None:
        """Release it; of one that was taken over, take off the count alone, since this process is alive.

        time ─────────┬──────────────────┬──────────────────────────┬──────────────────────►
        worker A      │ open leases: 1   ·                          │ refused, not dead: 1 less
        worker B      ·                  │ same message, fence + 1  ·
        """
        key, overtaken = keys.head_key(lease.source), ItemRow.fence > lease.fence
        same_fence = ItemRow.fence == lease.fence
        mine = ItemRow.holder == lease.holder
        one_less = ItemRow.open_leases.add(-1)
        if self._table.update(UpdateItem(key=key, actions=[*RELEASE, one_less], condition=same_fence & mine)) is None:
            counted = overtaken & (ItemRow.open_leases >= 1)
            self._table.update(UpdateItem(key=key, actions=[one_less], condition=counted, once=True))


def _hold(holder: str, until: datetime) -> list[Action]:
    return [ItemRow.holder.set(holder), ItemRow.until.set(write_micros(until)), ItemRow.fence.add(1)]


def _overtaken(shard: ShardId) -> StoreConflictError:
    return StoreConflictError("the shard's due time was changed by others at the same time; try again", shard=shard)
