"""Rows that a whole table no longer shows: held by a guard, or handled by the source's policy."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from bokit.core.items.guard import plan_approved_loss
from bokit.core.items.planning import plan_absent, removable_at
from bokit.core.model.collections import OnMissing
from bokit.core.model.plan import Action
from bokit.core.model.records import Presence
from bokit.core.tables.chunks import MISSING, UNCONFIRMED, ChunkSummary, drop_empty_chunks, summarise_chunk
from bokit.core.tables.progress import TableHold, hold_partial, judge_missing_rows
from bokit.core.tables.values import KeyValues
from bokit.engine.tables.session import TableSyncSession
from bokit.engine.tables.table import BATCH, SyncedTable
from bokit.sources.sql.protocols import DatabaseSnapshot


def resolve_missing(table: SyncedTable, database: DatabaseSnapshot) -> None:
    """Hold the rows that the whole table no longer shows, or apply the source's policy to them."""
    session, name = table.session, table.name
    table.state = replace(table.state, chunks=drop_empty_chunks(table.state.chunks))
    memory = session.memory
    is_accepted = name in memory.accepted and table.state.rows == 0
    hold = _judge(table, memory.holds.get(name), is_accepted=is_accepted)
    if hold is None:
        remove_missing(table, database)
    holds = {**memory.without_hold(name).holds, **({name: hold} if hold else {})}
    accepted = (memory.accepted - {name}) | ({name} if is_accepted else set())
    session.memory = replace(session.memory, holds=holds, accepted=accepted)


def _judge(table: SyncedTable, before: TableHold | None, *, is_accepted: bool) -> TableHold | None:
    if table.has_rejected:
        return hold_partial(before, table.session.at)
    lost = _identify_missing(table) if table.state.unconfirmed else ""
    return judge_missing_rows(table.state, table.policy, before, lost, table.session.at, is_accepted=is_accepted)


def apply_held_removals(session: TableSyncSession) -> None:
    """Apply what is held of every table, as a person approved; the database is not asked."""
    for spec in session.settings.tables:
        if spec.name not in session.memory.holds or spec.name not in session.states:
            continue
        table = SyncedTable(session, spec)
        remove_missing(table, None)
        if table.state.rows == 0:
            session.memory = replace(session.memory, accepted=session.memory.accepted | {table.name})


def remove_missing(table: SyncedTable, database: DatabaseSnapshot | None) -> None:
    """Apply the source's policy to every row that is no longer shown, chunk by chunk.

    *database* is asked once more for each of their keys; None: a person approved the removal.
    """
    chunks = tuple(_remove_of_chunk(table, database, chunk) for chunk in table.state.chunks)
    state = replace(table.state, chunks=drop_empty_chunks(chunks))
    table.state = replace(state, agreed_rows=state.rows)


def _identify_missing(table: SyncedTable) -> str:
    """Return a digest of the keys of unconfirmed rows, by which two passes are seen to agree on them."""
    digest = hashlib.sha256()
    for chunk in (c for c in table.state.chunks if c.unconfirmed):
        rows = table.session.load_chunk(chunk.name)
        for key in sorted(k for k, row in rows.items() if row.digest == UNCONFIRMED):
            digest.update(f"{len(key)}:{key}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]


def _remove_of_chunk(table: SyncedTable, database: DatabaseSnapshot | None, summary: ChunkSummary) -> ChunkSummary:
    if not summary.unconfirmed and not (summary.missing and table.policy is OnMissing.DELETE):
        return summary
    chunk = table.session.load_chunk(summary.name)
    absent = {key: row for key, row in chunk.items() if not row.is_present}
    found = set[KeyValues]()
    if database:
        found = database.fetch_existing_keys(table.spec, [row.key_values for row in absent.values()])
    gone = [key for key, row in absent.items() if row.key_values not in found]
    waiting = _remove_records(table, gone, is_approved=database is None)
    after = {
        key: row if row.is_present else replace(row, digest=MISSING)
        for key, row in chunk.items()
        if row.is_present or key in waiting
    }
    if after == chunk:
        return summary
    table.session.save_chunk(summary.name, after)
    return summarise_chunk(summary.name, summary.until, after)


def _remove_records(table: SyncedTable, keys: Sequence[str], *, is_approved: bool) -> set[str]:
    """Apply the policy to the records of these keys; return the keys whose records are not removed yet."""
    if table.policy is OnMissing.KEEP:
        return set(keys)
    plan_loss = plan_approved_loss if is_approved else plan_absent
    session, waiting = table.session, set[str]()
    for start in range(0, len(keys), BATCH):
        ids = {table.make_id(key): key for key in keys[start : start + BATCH]}
        actions: list[Action] = []
        for record_id, record in table.find_records(ids).items():
            if record.source_id != session.head.source.id or record.presence is Presence.GONE:
                continue
            action = plan_loss(record, table.context)
            after = action.after if action else record
            actions += [action] if action else []
            if after.presence is not Presence.GONE:
                waiting.add(ids[record_id])
                session.ask_again_at(removable_at(after, table.context))
        session.apply(actions)
    return waiting
