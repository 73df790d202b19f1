"""Rows that their table shows as deleted: their records are removed at once, unless half of the table is shown so.

found in            what is done
a whole pass        the row waits in its chunk until the pass has ended: then it is judged with the rows that are not shown
updated rows        removed at the end; where that would be half of the table, a whole pass judges it

A row that is shown as deleted stays known, so that it costs nothing as long as it does not change. Shown without the mark,
it is a row like any other, and its record is restored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bokit.core.items.guard import APPROVED
from bokit.core.items.planning import plan_removal, plan_tombstone
from bokit.core.model.plan import Action
from bokit.core.model.records import Presence, Record, RecordId
from bokit.core.tables.chunks import ChunkSummary, summarise_chunk
from bokit.core.tables.values import SeenRow
from bokit.engine.base.retry import retry_on_conflict
from bokit.engine.tables.limits import MAX_PLAN_TRIES
from bokit.engine.tables.table import BATCH, SyncedTable
from bokit.values import replace


def find_doomed(table: SyncedTable, rows: Iterable[SeenRow]) -> list[str]:
    """Return the keys of those of *rows*, which are shown as deleted, whose records are still there."""
    ids = {table.make_id(row.key): row.key for row in rows}
    return [ids[i] for i, record in table.find_records(ids).items() if _is_doomed(table, record)] if ids else []


def _is_doomed(table: SyncedTable, record: Record) -> bool:
    return record.presence is not Presence.GONE and table.owns(record)


def remove_doomed(table: SyncedTable, keys: Sequence[str], *, is_approved: bool = False) -> None:
    """Remove the records of these keys; *is_approved*: a person approved it."""
    for start in range(0, len(keys), BATCH):
        ids = [table.make_id(key) for key in keys[start : start + BATCH]]

        def remove(ids: list[RecordId] = ids) -> int:
            found = [r for r in table.find_records(ids).values() if _is_doomed(table, r)]
            actions = [a for record in found if (a := _plan(table, record, is_approved=is_approved))]
            table.session.apply(actions)
            return len(actions)

        table.session.counts["seen_changed"] += retry_on_conflict(remove, MAX_PLAN_TRIES)


def _plan(table: SyncedTable, record: Record, *, is_approved: bool) -> Action | None:
    return plan_removal(record, APPROVED, table.session.at) if is_approved else plan_tombstone(record, table.context)


def remove_pending(table: SyncedTable, *, is_approved: bool = False) -> None:
    """Remove the records of all rows that wait in the table's chunks."""
    chunks = tuple(_remove_of_chunk(table, chunk, is_approved=is_approved) for chunk in table.state.chunks)
    table.state = replace(table.state, chunks=chunks)


def _remove_of_chunk(table: SyncedTable, summary: ChunkSummary, *, is_approved: bool) -> ChunkSummary:
    if not summary.pending:
        return summary
    chunk = table.session.load_chunk(summary.name)
    remove_doomed(table, [key for key, row in chunk.items() if row.is_pending], is_approved=is_approved)
    settled = {key: row.as_settled() for key, row in chunk.items()}
    table.session.save_chunk(summary.name, settled)
    return summarise_chunk(summary.name, summary.until, settled)
