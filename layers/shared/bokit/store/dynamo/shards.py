"""Shards and heads in the table: how their rows are read, and the writes that the catalog and the schedule share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from bokit.core.model.catalog import ShardId
from bokit.core.model.codec import (
    pack,
    read_document,
    read_micros,
    read_schedule_line,
    unpack,
    write_document,
    write_micros,
    write_schedule_line,
)
from bokit.core.model.records import SourceId
from bokit.core.model.scheduling import Head, HeartbeatRun, Shard, SourceSchedule, earliest
from bokit.store.dynamo import keys
from bokit.store.dynamo.gateway import UpdateItem
from bokit.store.dynamo.model import ItemRow
from bokit.store.limits import MAX_RECENT_BATCHES
from bokit.store.writes import sort_recent
from bokit.values import replace

RELEASE = (ItemRow.holder.remove(), ItemRow.until.remove(), ItemRow.nonce.remove())
"""The actions that end a claim or a lease."""
_RECENT = [f"recent_{slot}" for slot in range(MAX_RECENT_BATCHES)]


def read_shard(shard_id: ShardId, row: ItemRow) -> Shard:
    """Return the shard of its row."""
    lines = row.schedules or {}
    packed = [getattr(row, name) for name in _RECENT]
    return Shard(
        id=shard_id,
        schedules={SourceId(source): read_schedule_line(line) for source, line in lines.items()},
        next_due=read_optional_time(row.due_at),
        holder=row.holder,
        claimed_until=read_optional_time(row.until),
        fence=int(row.fence or 0),
        recent=sort_recent(_read_recent(run) for run in packed if run),
    )


@lru_cache(maxsize=256)
def _read_recent(packed: bytes) -> HeartbeatRun:
    """Return a batch's run; kept, since each batch of a shard reads those before it three times."""
    return read_document(HeartbeatRun, unpack(packed))


def schedule_path(source: SourceId) -> Path:
    """Return where a source's schedule is within its shard's item."""
    return Path(["beats", source])


def read_head(row: ItemRow) -> Head:
    """Return the head of its row."""
    own = {"fence": int(row.fence or 0), "version": int(row.version or 0), "open_leases": max(0, int(row.open_leases or 0))}
    return read_document(Head, row.doc, {**own, "leased_until": row.until})


def write_head(head: Head) -> str:
    """Return the document of a head; fence, version and lease are attributes of their own."""
    return write_document(replace(head, fence=0, version=0, open_leases=0, leased_until=None))


def read_optional_time(number: float | None) -> datetime | None:
    """Return a time that may be unset."""
    return None if number is None else read_micros(int(number))


def set_due(next_due: datetime | None) -> list[Action]:
    """Return the actions that put a shard into the index of due items, or remove it."""
    if next_due is None:
        return [ItemRow.due_pk.remove(), ItemRow.due_at.remove()]
    return [ItemRow.due_pk.set(keys.DUE), ItemRow.due_at.set(write_micros(next_due))]


def set_recent(fence: int, batch: HeartbeatRun) -> Action:
    """Return the action that stores an unchanged batch in the slot of its claim's fence."""
    slot: Action = getattr(ItemRow, _RECENT[fence % MAX_RECENT_BATCHES]).set(pack(write_document(batch)))
    return slot


def write_lowered_schedules(state: ItemRow, schedules: Mapping[SourceId, SourceSchedule]) -> UpdateItem:
    """Return the write of schedules outside a claim.

    It can only lower the shard's next due time. ``lowered`` keeps the result: the batch that holds the claim does not know
    this write, and must not raise the time again at its end. Both must be as they were read.
    """
    actions: list[Action] = [schedule_path(source).set(write_schedule_line(line)) for source, line in schedules.items()]
    first = earliest(*(line.due_at for line in schedules.values()))
    if first is not None:
        actions += set_due(earliest(read_optional_time(state.due_at), first))
        due = write_micros(first)
        actions.append(ItemRow.lowered.set(due if state.lowered is None else min(due, int(state.lowered))))
    same_due = ItemRow.due_at == state.due_at if state.due_at is not None else ItemRow.due_at.does_not_exist()
    same_lowered = ItemRow.lowered == state.lowered if state.lowered is not None else ItemRow.lowered.does_not_exist()
    return UpdateItem(key=keys.Key(state.pk, state.sk), actions=actions, condition=same_due & same_lowered)
