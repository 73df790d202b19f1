"""Former tables: what they showed, and no table shows any more.

A table whose key or collection changes starts from scratch. Its former rows are still in its former chunks: their records are
judged once each table of the collection has marked its own. The same is done with tables that were removed for good.

    gather     of the former rows, those whose records no other table shows
    judge      held for a day, or until a person decides
    remove     by the policy; then nothing is kept of the former table
"""

from __future__ import annotations

from collections.abc import Iterator

from bokit.core.model.agreement import FORMER
from bokit.core.model.field_changes import FIELDS
from bokit.core.model.records import CollectionName, Presence
from bokit.core.tables.agreement import is_former
from bokit.core.tables.chunks import MISSING, UNCONFIRMED, ChunkSummary, TableState, drop_empty_chunks
from bokit.core.tables.progress import judge_former_rows
from bokit.core.tables.spec import TableSpec
from bokit.engine.tables.columns import apply_held_columns
from bokit.engine.tables.missing import identify_missing, remove_missing, save_chunk
from bokit.engine.tables.session import TableSyncSession
from bokit.engine.tables.table import BATCH, SyncedTable
from bokit.errors import QuotaError
from bokit.values import replace


def resolve_former(session: TableSyncSession) -> None:
    """Judge what former tables showed, where every table that feeds the same collection now could be read.

    A quota that one of them reaches is that one's failure; the next pass goes on with it.
    """
    for table in list(former_tables(session)):
        feeding = {name: state for name, state in session.others_of(table.name).items() if not is_former(name)}
        if not all(state.marks_records and name not in session.failed for name, state in feeding.items()):
            continue
        try:
            _resolve(table)
        except QuotaError as error:
            _keep_agreement(table)
            table.fail(QuotaError(f"former records of table {table.state.name!r}: {error.message}", **error.facts))


def _keep_agreement(table: SyncedTable) -> None:
    """Let the hold of a table be one of the rows that are left: passes had agreed on them, and need not do so again."""
    memory, name = table.session.memory, table.name
    if name in memory.holds:
        left = replace(memory.holds[name], lost=identify_missing(table))
        table.session.memory = replace(memory, holds={**memory.holds, name: left})


def former_tables(session: TableSyncSession) -> Iterator[SyncedTable]:
    """Yield the former tables that are to be judged: those declared with another key or collection, and removed ones."""
    removed = {spec.name: spec for spec in session.settings.removed}
    policies = {spec.name: spec for spec in (*removed.values(), *session.settings.tables)}
    for name, state in list(session.states.items()):
        if is_former(name) and state.name in policies:
            yield SyncedTable(session, _spec_of(state, policies[state.name]), name)


def _spec_of(state: TableState, now: TableSpec) -> TableSpec:
    """Return a former table as it was declared, as far as its records need it, with the policy that counts now."""
    collection = CollectionName(state.collection)
    return TableSpec(table=state.table, collection=collection, key=state.key, name=state.name, on_missing=now.on_missing)


def _resolve(table: SyncedTable) -> None:
    session, name = table.session, table.name
    if table.state.rows:
        _gather(table)
    before = session.memory.holds.get(name)
    lost = identify_missing(table) if table.state.unconfirmed else ""
    hold = judge_former_rows(table.state, table.policy, before, lost, session.at)
    if hold is None:
        remove_missing(table)
    session.memory = replace(session.memory, holds={**session.memory.without_hold(name).holds, **({name: hold} if hold else {})})


def _gather(table: SyncedTable) -> None:
    """Leave the rows whose records are still the former table's alone; from now on they are unconfirmed."""
    chunks = tuple(_gather_chunk(table, summary) for summary in table.state.chunks)
    known = table.state.agreed_rows or table.state.rows
    table.state = replace(table.state, chunks=drop_empty_chunks(chunks), agreed_rows=known)


def _gather_chunk(table: SyncedTable, summary: ChunkSummary) -> ChunkSummary:
    chunk, owned = table.session.load_chunk(summary.name), dict[str, str]()
    for start in range(0, len(chunk), BATCH):
        ids = {table.make_id(key): key for key in list(chunk)[start : start + BATCH]}
        mine = {ids[i]: record for i, record in table.find_records(ids).items() if table.owns(record)}
        owned |= {key: MISSING if record.presence is Presence.MISSING else UNCONFIRMED for key, record in mine.items()}
    after = {key: replace(row, digest=owned[key]) for key, row in chunk.items() if key in owned}
    return save_chunk(table, summary, chunk, after)


def apply_held_removals(session: TableSyncSession) -> None:
    """Apply what is held of every table, as a person approved; the database is not asked."""
    held = session.memory.holds
    for table in [*(SyncedTable(session, spec) for spec in session.settings.tables), *former_tables(session)]:
        if table.name not in held or not held[table.name].lost:
            continue
        if held[table.name].code == FIELDS:
            apply_held_columns(session, table, held[table.name])
            continue
        remove_missing(table, is_approved=True)
        if table.state.rows == 0 and not is_former(table.name):
            session.memory = replace(session.memory, accepted=session.memory.accepted | {table.name})


def discard_former(session: TableSyncSession) -> None:
    """Keep the records of former tables, as a person decided: they are judged no more."""
    kept = {name for name, hold in session.memory.holds.items() if hold.code == FORMER}
    session.states = {name: state for name, state in session.states.items() if name not in kept}
