"""Shards and heads in the table: how their rows are read, and the writes that both adapters share."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from bokit.core.model.catalog import ShardId
from bokit.core.model.codec import (
    pack,
    read_document,
    read_schedule_line,
    read_time,
    unpack,
    write_document,
    write_schedule_line,
    write_time,
)
from bokit.core.model.records import SourceId
from bokit.core.model.scheduling import Head, HeartbeatRun, Shard, SourceSchedule
from bokit.store.cursors import RECENT_RUNS, earliest, sort_recent
from bokit.store.dynamo import keys
from bokit.store.dynamo.gateway import Update
from bokit.store.dynamo.model import Row

TRIES = 8
"""How often a write that another overtook is tried again, each time from what is stored now."""

_RECENT = ("recent_0", "recent_1", "recent_2", "recent_3")
assert len(_RECENT) == RECENT_RUNS  # noqa: S101 - both stores must forget alike


def read_shard(id: ShardId, row: Row) -> Shard:
    """Return the shard that its row tells."""
    runs = [getattr(row, name) for name in _RECENT]
    return Shard(
        id=id,
        beats={SourceId(source): read_schedule_line(line) for source, line in _lines_of(row).items()},
        next_due=read_due(row.due_at),
        holder=row.holder,
        claimed_until=read_due(row.until),
        fence=int(row.fence or 0),
        recent=sort_recent(read_document(HeartbeatRun, unpack(run)) for run in runs if run),
    )


def _lines_of(row: Row) -> dict[str, str]:
    lines: Any = row.beats
    return {} if lines is None else dict(lines.as_dict())


def line_of(source: SourceId) -> Path:
    """Return where a source's line stands within its shard's item."""
    return Path(["beats", source])


def read_head(row: Row) -> Head:
    """Return the head that its row tells."""
    return replace(read_document(Head, row.doc), fence=int(row.fence or 0), version=int(row.version or 0))


def read_due(number: float | None) -> datetime | None:
    """Return a moment that may be unset."""
    return None if number is None else read_time(int(number))


def set_due(next_due: datetime | None) -> list[Action]:
    """Return what puts a shard into the index, or takes it out."""
    if next_due is None:
        return [Row.due_pk.remove(), Row.due_at.remove()]
    return [Row.due_pk.set(keys.DUE), Row.due_at.set(write_time(next_due))]


def set_recent(fence: int, run: HeartbeatRun | None) -> list[Action]:
    """Return what writes an unchanged batch into the place that its claim's fence picks."""
    return [] if run is None else [getattr(Row, _RECENT[fence % RECENT_RUNS]).set(pack(write_document(run)))]


def write_lowered_schedule_line(state: Row, source: SourceId, schedule: SourceSchedule) -> Update:
    """Return the write of one line outside a claim.

    The shard's next due time only ever falls here, and ``lowered`` keeps how far, so that the batch which holds the
    claim and knows nothing of it cannot raise it again at its end. Both must be as they were read.
    """
    actions: list[Action] = [line_of(source).set(write_schedule_line(schedule))]
    if schedule.due_at is not None:
        actions += set_due(earliest(read_due(state.due_at), schedule.due_at))
        actions.append(Row.lowered.set(write_time(earliest(read_due(state.lowered), schedule.due_at) or schedule.due_at)))
    same_due = Row.due_at == state.due_at if state.due_at is not None else Row.due_at.does_not_exist()
    same_lowered = Row.lowered == state.lowered if state.lowered is not None else Row.lowered.does_not_exist()
    return Update(key=keys.Key(state.pk, state.sk), actions=actions, condition=same_due & same_lowered)
