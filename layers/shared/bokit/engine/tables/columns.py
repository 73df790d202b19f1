"""Columns of a table that are not what they were: of another type, gone, or without a value in any row.

another type                       the table is left as it was, until a person says ``--force``
gone, in a table of some rows      its field keeps its values for a day, or until a person applies it; everything else is taken
no value in any row any more       the same
either, the collection says stop   the table is left as it was, until a person says ``--force``
either, it says follow             taken, and reported

Whether any row has a value is counted by the database, over the whole table, before a whole pass takes its first row: also
where several workers share the pass. Between two whole passes only the updated rows are read; where some of them have lost
a field that they had, the database counts, and a field that no row has makes the pass a whole one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bokit.core.model.agreement import MIN_SHRINK
from bokit.core.model.field_changes import FIELDS, VANISHED, FieldDrift, has_value, judge_field_changes
from bokit.core.tables.progress import NAMES, TableHold, changed_columns, emptied_columns, hold_columns, lost_columns
from bokit.core.tables.values import SeenRow
from bokit.engine.tables.session import TableSyncSession
from bokit.engine.tables.table import SyncedTable
from bokit.errors import SourceMalformedError, SourceUnavailableError
from bokit.sources.sql.protocols import DatabaseSnapshot
from bokit.values import replace

FORCE = "if that is right, sync it once with --force"
UNTOUCHED = frozenset({FIELDS, "partial-feed"})
"""Holds of a table beside which that of its columns is shown."""
SLOW = "sql-timeout"


def check_columns(table: SyncedTable, database: DatabaseSnapshot) -> None:
    """Raise SourceMalformedError if a column has changed its type, or is gone and nothing may be taken without it."""
    columns, before = database.check_table(table.spec, is_known=table.state.rows > 0), table.state
    known = before.columns if _is_compared(table) else {}
    _check_types(table, changed_columns(known, columns))
    table.lost = _drop_ignored(table, lost_columns(known, columns, before.rows))
    held = [name for name in _held_names(table) if name in columns and name in before.filled] if known else []
    emptied = [FieldDrift(code=VANISHED, path=(name,), records=before.filled[name], known=before.filled[name]) for name in held]
    _judge(table, [*table.lost, *emptied])
    kept = {drift.name: known[drift.name] for drift in table.verdict.held if drift.name in known}
    table.state = replace(table.state, columns={**columns, **kept})
    if not known and _held_names(table):  # read in another way: what was held is compared again
        table.state = replace(table.state, recheck=True)


def check_values(table: SyncedTable, database: DatabaseSnapshot) -> None:
    """Before a whole pass: judge the fields that no row has any more, and note how many rows have each.

    Raises SourceMalformedError where nothing may be taken without them.
    """
    counted = _count_filled(table, database)
    if counted is None or not counted[0]:  # too slow, or no row at all: what is held stays so
        return
    (rows, filled), before = counted, table.state
    emptied = _drop_ignored(table, emptied_columns(before, rows, filled)) if _is_compared(table) else []
    _judge(table, [*table.lost, *emptied])
    kept = {drift.name: before.filled[drift.name] for drift in table.verdict.held if drift.name in filled}
    table.state = replace(table.state, filled={name: n for name, n in {**filled, **kept}.items() if n}, filled_of=rows)


def has_changed_fields(table: SyncedTable, database: DatabaseSnapshot, rows: Sequence[SeenRow]) -> bool:
    """Return whether *rows*, which were updated, have lost a field that no row has any more, or have one again that is held."""
    state, held = table.state, {drift.name for drift in table.verdict.held if drift.name in table.state.filled}
    if not state.filled or not _is_compared(table):
        return False
    is_back = any(has_value(row.fields.get(name)) for name in held for row in rows)
    if not is_back and not _find_lost(table, rows, [name for name in state.filled if name not in held]):
        return False
    counted = _count_filled(table, database)
    return counted is not None and {drift.name for drift in emptied_columns(state, *counted)} != held


def _find_lost(table: SyncedTable, rows: Sequence[SeenRow], names: Iterable[str]) -> bool:
    """Return whether several of *rows* have no value in one of these fields, where their records have one."""
    empty = [name for name in names if sum(not has_value(row.fields.get(name)) for row in rows) >= MIN_SHRINK]
    if not empty:
        return False
    shown = {table.make_id(row.key): row.fields for row in rows}
    records = table.find_records(shown).values()
    return any(
        sum(has_value(r.remote.get(name)) and not has_value(shown[r.id].get(name)) for r in records) >= MIN_SHRINK
        for name in empty
    )


def _is_compared(table: SyncedTable) -> bool:
    """Return whether the columns are measured by what they were: the table is read as it was, and nobody forces it."""
    return (table.is_read_alike or not table.state.meaning) and not table.session.job.force


def _count_filled(table: SyncedTable, database: DatabaseSnapshot) -> tuple[int, dict[str, int]] | None:
    """Return the number of rows, and of those that have each field; None where the database takes too long."""
    try:
        with database.isolated():
            rows, filled = database.count_filled(table.spec)
    except SourceUnavailableError as error:
        if error.stable_code != SLOW:
            raise
        return None
    return rows, dict(filled)


def _drop_ignored(table: SyncedTable, drifts: list[FieldDrift]) -> list[FieldDrift]:
    """Return *drifts* without those of fields that keep their first value, or change without being a change."""
    settings = table.context.settings
    return [drift for drift in drifts if drift.name not in (*settings.preserve, *settings.volatile)]


def _check_types(table: SyncedTable, changed: list[tuple[str, str, str]]) -> None:
    if changed:
        changes = "; ".join(f"{name!r} held {was}, and holds {now}" for name, was, now in changed)
        message = f"table {table.spec.table!r}: a column has changed its type ({changes}); {FORCE}"
        raise SourceMalformedError(message, code="type-changed")


def _held_names(table: SyncedTable) -> list[str]:
    hold = table.session.memory.holds.get(table.name)
    return hold.lost.split(NAMES) if hold and hold.code == FIELDS else []


def _judge(table: SyncedTable, lost: list[FieldDrift]) -> None:
    """Judge the columns that are gone or empty, by how long passes have agreed on it; what is taken is compared row by row."""
    before = table.session.memory.holds.get(table.name)
    names = _held_names(table)
    since = {drift.key: before.agreed_since for drift in lost if before and drift.name in names}
    policy, noted = table.context.settings.schema_policy, {drift.key for drift in table.verdict.found}
    table.verdict, table.column_hold = judge_field_changes(lost, policy, since, table.session.at), before
    table.session.add_problems(drift.as_problem() for drift in lost if drift.key not in noted)
    if table.verdict.stops:
        gone = ", ".join(repr(drift.name) for drift in lost)
        message = f"table {table.spec.table!r}: columns are gone, or have no value any more ({gone}); {FORCE}"
        raise SourceMalformedError(message, code=VANISHED)
    if len(table.verdict.held) < len(lost):
        table.state = replace(table.state, recheck=True)


def note_column_hold(table: SyncedTable) -> None:
    """After a pass: hold what the columns that are gone had, beside what else is held of the table."""
    memory, name = table.session.memory, table.name
    found = memory.holds.get(name)
    if found is not None and found.code not in UNTOUCHED:
        return
    holds = dict(memory.without_hold(name).holds)
    if table.verdict.held:
        holds[name] = hold_columns(table.verdict, table.column_hold, table.state.rows, table.session.at)
    elif found is not None and found.code != FIELDS:
        holds[name] = found
    table.session.memory = replace(memory, holds=holds)


def apply_held_columns(session: TableSyncSession, table: SyncedTable, hold: TableHold) -> None:
    """Let the next pass take a table without its lost columns, as a person approved: it compares every row."""
    names = frozenset(hold.lost.split(NAMES))
    columns = {name: kind for name, kind in table.state.columns.items() if name not in names}
    filled = {name: n for name, n in table.state.filled.items() if name not in names}
    table.state = replace(table.state, columns=columns, filled=filled, recheck=True)
