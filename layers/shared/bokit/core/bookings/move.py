"""Bookings that move to another unit with their source: held there first, under an id of that unit, and left here afterwards.

record here          its copy there                     and here
holds a night, or    as it is: edits, evidence, since   deleted, as ``moved``; it belongs to no source any more
is there             when it holds each night; logged   and is no longer listed; logged
cancelled            as it is: it may come back         the same, without a line
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bokit.core.bookings.release import released_values
from bokit.core.bookings.stay import GoneReason, held_nights
from bokit.core.model.records import (
    FieldChange,
    Fields,
    Json,
    LoggedChange,
    Presence,
    Record,
    RecordId,
    Scope,
    make_record_id,
)
from bokit.values import Value, replace

MOVE = "move"
"""The action of the lines, one in the log of each."""


class RecordMove(Value):
    """One record's move."""

    there: Record
    here: Record
    lines: tuple[LoggedChange, ...] = ()
    """Of both, or of none."""


def move_record(record: Record, scope: Scope, known: Mapping[RecordId, Record], *, by: str, at: datetime) -> RecordMove:
    """Return what the move of *record* to *scope* writes; *known* are the records there, by id: it may have been there before."""
    moved_id = rename_id(record.id, scope)
    before = known.get(moved_id)
    version, lines = (before.version, before.lines) if before else (0, ())
    there = replace(record, id=moved_id, scope=scope, version=version, lines=lines, updated_at=at)
    gone = record if record.presence is Presence.GONE else record.as_gone(at, "")
    reason = f"{GoneReason.MOVED} to {moved_id}"
    here = replace(gone, gone_reason=reason, source_id=None, remote=released_values(record), edits={}, updated_at=at)
    if record.presence is Presence.GONE and not held_nights(record):
        return RecordMove(there=there, here=here)
    fields = {"unit_id": FieldChange(before=record.scope, after=scope)}

    def log(of: RecordId, reason: str) -> LoggedChange:
        return LoggedChange(record_id=of, at=at, by=by, action=MOVE, reason=reason, fields=fields)

    return RecordMove(
        there=there, here=here, lines=(log(moved_id, f"{GoneReason.MOVED} from {record.id}"), log(record.id, reason))
    )


def rename_id(record_id: RecordId, scope: Scope) -> RecordId:
    """Return the id that a record has in the unit of *scope*."""
    return make_record_id(scope, record_id.rpartition(".")[2])


def is_written(there: Record, known: Record | None) -> bool:
    """Return whether a move that was interrupted wrote this copy already."""
    return known is not None and replace(there, updated_at=known.updated_at) == known


def rename_ids(memory: Fields, before: Scope, after: Scope) -> dict[str, Json]:
    """Return what the rules keep of a source, with the ids of its records as they are after the move."""

    def rename(value: Json) -> Json:
        if isinstance(value, str):
            return f"{after}{value[len(before) :]}" if value.startswith(f"{before}.") else value
        if isinstance(value, Mapping):
            return {str(rename(name)): rename(item) for name, item in value.items()}
        return [rename(item) for item in value] if isinstance(value, (list, tuple)) else value

    return {str(name): rename(value) for name, value in memory.items()}
