"""Rows that a whole table no longer shows: held by a guard, or handled by the source's policy."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence

from bokit.core.items.guard import plan_approved_loss
from bokit.core.items.planning import plan_absent, removable_at
from bokit.core.model.collections import OnMissing
from bokit.core.model.merge import change_action
from bokit.core.model.plan import Action
from bokit.core.model.records import Presence, Record
from bokit.core.tables.agreement import is_former
from bokit.core.tables.chunks import MISSING, UNCONFIRMED, ChunkSummary, RowDigest, drop_empty_chunks, summarise_chunk
from bokit.core.tables.progress import UNKNOWN_KEYS, TableHold, hold_rows, judge_missing_rows
from bokit.core.tables.values import KeyValues
from bokit.engine.tables.table import BATCH, MARK, SyncedTable
from bokit.engine.tables.tombstones import remove_pending
from bokit.sources.sql.protocols import DatabaseSnapshot
from bokit.values import replace

FindKeys = Callable[[Sequence[KeyValues]], Collection[KeyValues]]
"""Returns those of some keys that have a row after all."""
LEFT_TO_OTHERS = "its table does not show it any more"


def resolve_missing(table: SyncedTable, database: DatabaseSnapshot) -> None:
    """Hold the rows that the whole table no longer shows, or apply the source's policy to them."""
    session, name = table.session, table.name
    table.state = replace(table.state, chunks=drop_empty_chunks(table.state.chunks))
    memory = session.memory
    is_accepted = name in memory.accepted and table.state.rows == 0
    before, is_unknown = memory.holds.get(name), bool(table.counted("unknown"))
    hold = _judge(table, before, is_accepted=is_accepted, is_unknown=is_unknown)
    if hold is None and is_unknown:  # what is not shown may be the row that cannot be read
        remove_pending(table)
        hold = hold_rows(before, session.at, code=UNKNOWN_KEYS)
    elif hold is None:
        remove_missing(table, lambda keys: database.fetch_existing_keys(table.spec, keys))
        hold = hold_rows(before, session.at) if table.counted("refused") else None
    holds = {**memory.without_hold(name).holds, **({name: hold} if hold else {})}
    accepted = (memory.accepted - {name}) | ({name} if is_accepted else set())
    session.memory = replace(session.memory, holds=holds, accepted=accepted)


def _judge(table: SyncedTable, before: TableHold | None, *, is_accepted: bool, is_unknown: bool) -> TableHold | None:
    """Return what a guard holds; *is_unknown*: rows have an unreadable key, and only those shown as deleted are judged."""
    state = table.state
    if is_unknown and not state.pending:
        return None
    is_judged_again = bool(state.policy) and state.policy != table.policy
    words = {UNCONFIRMED, MISSING} if is_judged_again else {UNCONFIRMED}
    lost = identify_missing(table, words) if state.unconfirmed or state.pending or is_judged_again else ""
    policy = OnMissing.KEEP if is_unknown else table.policy
    return judge_missing_rows(state, policy, before, lost, table.session.at, is_accepted=is_accepted)


def remove_missing(table: SyncedTable, find_keys: FindKeys = lambda keys: (), *, is_approved: bool = False) -> None:
    """Apply the source's policy to every row that is no longer shown, chunk by chunk.

    *find_keys* looks once more for each of their keys; *is_approved*: a person approved the removal.
    """
    chunks = tuple(_remove_of_chunk(table, find_keys, chunk, is_approved=is_approved) for chunk in table.state.chunks)
    table.state = replace(table.state, chunks=drop_empty_chunks(chunks))
    remove_pending(table, is_approved=is_approved)
    table.state = replace(table.state, agreed_rows=table.state.live, policy=str(table.policy))


def identify_missing(table: SyncedTable, words: Collection[str] = (UNCONFIRMED,)) -> str:
    """Return a digest of the keys of unconfirmed and deleted rows, by which two passes are seen to agree on them."""
    digest = hashlib.sha256()
    for chunk in (c for c in table.state.chunks if c.unconfirmed or c.pending or (c.missing and MISSING in words)):
        rows = table.session.load_chunk(chunk.name)
        for key in sorted(k for k, row in rows.items() if row.is_pending or row.digest in words):
            digest.update(f"{len(key)}:{key}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]


def _remove_of_chunk(table: SyncedTable, find_keys: FindKeys, summary: ChunkSummary, *, is_approved: bool) -> ChunkSummary:
    is_other_policy = table.state.policy not in ("", str(table.policy))
    if not summary.unconfirmed and not (summary.missing and (is_other_policy or table.policy is OnMissing.DELETE)):
        return summary
    chunk = table.session.load_chunk(summary.name)
    absent = {key: row for key, row in chunk.items() if not row.is_present}
    found = find_keys([row.key_values for row in absent.values()])
    gone = [key for key, row in absent.items() if row.key_values not in found]
    waiting = _remove_records(table, gone, is_approved=is_approved)
    after = {
        key: row if row.is_present else replace(row, digest=MISSING)
        for key, row in chunk.items()
        if row.is_present or key in waiting
    }
    return save_chunk(table, summary, chunk, after)


def save_chunk(
    table: SyncedTable, summary: ChunkSummary, before: dict[str, RowDigest], after: dict[str, RowDigest]
) -> ChunkSummary:
    """Write a chunk, if it changed, and return its line, counted again: a sync that was cut short may have written it."""
    if after != before:
        table.session.save_chunk(summary.name, after)
    made = summarise_chunk(summary.name, summary.until, after)
    return replace(made, raw=summary.raw) if made.digest == summary.digest else made


def _remove_records(table: SyncedTable, keys: Sequence[str], *, is_approved: bool) -> set[str]:
    """Apply the policy to the records of these keys; return the keys whose records are not removed yet."""
    policy = table.context.settings.on_missing
    if policy is OnMissing.KEEP and not table.is_shared:
        return set(keys)
    session, waiting = table.session, set[str]()
    for start in range(0, len(keys), BATCH):
        ids = {table.make_id(key): key for key in keys[start : start + BATCH]}
        actions: list[Action] = []
        for record_id, record in table.find_records(ids).items():
            if not table.owns(record):
                continue
            action = _plan_loss(table, record, is_approved=is_approved)
            after = action.after if action else record
            actions += [action] if action else []
            if after.presence is not Presence.GONE and not (is_former(table.name) and policy is OnMissing.MARK):
                waiting.add(ids[record_id])
                session.ask_again_at(removable_at(after, table.context))
        session.apply(actions)
    return waiting


def _plan_loss(table: SyncedTable, record: Record, *, is_approved: bool) -> Action | None:
    """Return what becomes of a record whose row is gone; one that is kept is left to the tables that still show it."""
    if table.context.settings.on_missing is OnMissing.KEEP:
        memory = {name: value for name, value in record.memory.items() if name != MARK}
        return change_action(record, replace(record, memory=memory), LEFT_TO_OTHERS, table.session.at)
    return (plan_approved_loss if is_approved else plan_absent)(record, table.context)
