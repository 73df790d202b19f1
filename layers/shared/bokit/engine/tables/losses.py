"""What becomes of the rows that a whole table no longer shows: held by a guard, or left to the source's policy."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from bokit.core.items.planning import Look, let_go, plan_absent, ripens_at
from bokit.core.model.collections import OnMissing, make_id
from bokit.core.model.plan import Action
from bokit.core.model.records import Presence, Record
from bokit.core.tables.chunks import MISSING, UNCONFIRMED, ChunkNote, TableState, note_chunk, tidy
from bokit.core.tables.progress import hold_partial, judge_losses, without
from bokit.core.tables.spec import TableSpec
from bokit.core.tables.values import Key
from bokit.engine.tables.session import BATCH, TableSyncSession
from bokit.sources.sql.protocols import Tables

APPROVED = "a person applied the held plan"


def judge_table(visit: TableSyncSession, tables: Tables, table: TableSpec) -> None:
    """Say what becomes of the rows that the whole table no longer shows."""
    state, memory = visit.states[table.name], visit.memory
    state = visit.states[table.name] = replace(state, chunks=tidy(state.chunks))
    before, policy = memory.holds.get(table.name), visit.settings.policy_of(table)
    accepted = table.name in memory.accepted and state.rows == 0
    if visit.has_refused(table):
        hold = hold_partial(before, visit.at)
    else:
        lost = _identify_lost(visit, state) if state.doubted else ""
        found = judge_losses(state, policy, before, lost, visit.at, accepted=accepted)
        if found is None:
            lose_rows(visit, tables, table)
        hold = found  # type: ignore[assignment]
    holds = {**without(memory.holds, [table.name]), **({table.name: hold} if hold else {})}
    kept = (memory.accepted - {table.name}) | ({table.name} if accepted else set())
    visit.memory = replace(visit.memory, holds=holds, accepted=frozenset(kept))


def approve_losses(visit: TableSyncSession) -> None:
    """Apply what is held of every table, since a person said so; the database is not asked."""
    for table in visit.settings.tables:
        hold = visit.memory.holds.get(table.name)
        if hold is None or table.name not in visit.states:
            continue
        lose_rows(visit, None, table)
        if visit.states[table.name].rows == 0:
            visit.memory = replace(visit.memory, accepted=visit.memory.accepted | {table.name})


def lose_rows(visit: TableSyncSession, tables: Tables | None, table: TableSpec) -> None:
    """Let the source's policy act on every row that is no longer shown, chunk by chunk.

    *tables*: asked once more for each of their keys; None: a person applied the held plan.
    """
    policy, notes = visit.settings.policy_of(table), []
    for note in visit.states[table.name].chunks:
        is_asked = note.doubted or (note.missing and policy is OnMissing.DELETE)
        notes.append(_lose_of_chunk(visit, tables, table, note) if is_asked else note)
    state = replace(visit.states[table.name], chunks=tidy(notes))
    visit.states[table.name] = replace(state, agreed=state.rows)


def _identify_lost(visit: TableSyncSession, state: TableState) -> str:
    """Return what identifies the rows that are gone, so that two passes can be seen to agree on them."""
    told = hashlib.sha256()
    for note in (n for n in state.chunks if n.doubted):
        for key in sorted(k for k, mark in visit.load_chunk(note.name).items() if mark.hash == UNCONFIRMED):
            told.update(f"{len(key)}:{key}".encode("utf-8", "surrogatepass"))
    return told.hexdigest()[:16]


def _lose_of_chunk(visit: TableSyncSession, tables: Tables | None, table: TableSpec, note: ChunkNote) -> ChunkNote:
    chunk = visit.load_chunk(note.name)
    absent = {key: mark for key, mark in chunk.items() if not mark.is_present}
    elsewhere = tables.find_keys(table, [mark.at for mark in absent.values()]) if tables else set[Key]()
    gone = [key for key, mark in absent.items() if mark.at not in elsewhere]
    waiting = _lose_records(visit, table, gone, by_person=tables is None)
    after = {
        key: mark if mark.is_present else replace(mark, hash=MISSING)
        for key, mark in chunk.items()
        if mark.is_present or key in waiting
    }
    if after == chunk:
        return note
    visit.save_chunk(note.name, after)
    return note_chunk(note.name, note.until, after)


def _lose_records(visit: TableSyncSession, table: TableSpec, keys: Sequence[str], *, by_person: bool) -> set[str]:
    """Apply the policy to the records of these keys; return those that are still to be looked after."""
    look = visit.look(table)
    if look.settings.on_missing is OnMissing.KEEP:
        return set(keys)
    waiting: set[str] = set()
    for start in range(0, len(keys), BATCH):
        ids = {make_id(table.collection, key, look.settings.buckets): key for key in keys[start : start + BATCH]}
        actions: list[Action] = []
        for id, record in visit.find_records(table, ids).items():
            if record.source_id != visit.head.source.id or record.presence is Presence.GONE:
                continue
            if action := _lose_record(record, look, by_person=by_person):
                actions.append(action)
            after = action.after if action else record
            if after.presence is not Presence.GONE:
                waiting.add(ids[id])
                ripe = ripens_at(after, look.settings, look.context.cancel_after)
                visit.settle_at = min((t for t in (visit.settle_at, ripe) if t), default=None)
        visit.apply(actions)
    return waiting


def _lose_record(record: Record, look: Look, *, by_person: bool) -> Action | None:
    if by_person and look.settings.on_missing is OnMissing.DELETE:
        return let_go(record, APPROVED, look.at)
    return plan_absent(record, look)
