"""Columns of a table that are not what they were: of another type, or gone.

another type                       the table is left as it was, until a person says ``--force``
gone, in a table of some rows      its field keeps its values for a day, or until a person applies it; everything else is taken
gone, the collection says stop     the table is left as it was, until a person says ``--force``
gone, the collection says follow   taken, and reported
"""

from __future__ import annotations

from dataclasses import replace

from bokit.core.model.field_changes import FIELDS, VANISHED, FieldDrift, judge_field_changes
from bokit.core.tables.progress import NAMES, TableHold, changed_columns, hold_columns, lost_columns
from bokit.engine.tables.session import TableSyncSession
from bokit.engine.tables.table import SyncedTable
from bokit.errors import SourceMalformedError
from bokit.sources.sql.protocols import DatabaseSnapshot

FORCE = "if that is right, sync it once with --force"
UNTOUCHED = frozenset({FIELDS, "partial-feed"})
"""Holds of a table beside which that of its columns is shown."""


def check_columns(table: SyncedTable, database: DatabaseSnapshot) -> None:
    """Raise SourceMalformedError if a column has changed its type, or is gone and nothing may be taken without it."""
    columns, before = database.check_table(table.spec, is_known=table.state.rows > 0), table.state
    known = before.columns if (table.is_read_alike or not before.meaning) and not table.session.job.force else {}
    _check_types(table, changed_columns(known, columns))
    lost = lost_columns(known, columns, before.rows)
    _judge(table, lost)
    kept = {drift.name: known[drift.name] for drift in table.verdict.held}
    is_taken = len(kept) < len(lost)
    table.state = replace(before, columns={**columns, **kept}, recheck=before.recheck or is_taken)


def _check_types(table: SyncedTable, changed: list[tuple[str, str, str]]) -> None:
    if changed:
        changes = "; ".join(f"{name!r} held {was}, and holds {now}" for name, was, now in changed)
        message = f"table {table.spec.table!r}: a column has changed its type ({changes}); {FORCE}"
        raise SourceMalformedError(message, code="type-changed")


def _judge(table: SyncedTable, lost: list[FieldDrift]) -> None:
    """Judge the columns that are gone, by how long passes have agreed on it."""
    before = table.session.memory.holds.get(table.name)
    names = before.lost.split(NAMES) if before and before.code == FIELDS else []
    since = {drift.key: before.agreed_since for drift in lost if before and drift.name in names}
    policy = table.context.settings.schema_policy
    table.verdict, table.column_hold = judge_field_changes(lost, policy, since, table.session.at), before
    table.session.add_problems(drift.as_problem() for drift in lost)
    if table.verdict.stops:
        gone = ", ".join(repr(drift.name) for drift in lost)
        raise SourceMalformedError(f"table {table.spec.table!r}: columns are gone ({gone}); {FORCE}", code=VANISHED)


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
    table.state = replace(table.state, columns=columns, recheck=True)
