"""What a sync of tables leaves behind for people: a report of each table, and in the head those that need somebody."""

from __future__ import annotations

from collections.abc import Sequence

from bokit.core.model.plan import Hold
from bokit.core.model.runs import COUNTS, Outcome, SourceReport, TableReport
from bokit.core.model.scheduling import Failure, TableNote
from bokit.core.tables.agreement import is_former
from bokit.core.tables.progress import describe_hold
from bokit.engine.sync.finish import report_source
from bokit.engine.sync.job import StepRecorder
from bokit.engine.tables.limits import MAX_NOTE_LENGTH
from bokit.engine.tables.session import TableSyncSession
from bokit.engine.tables.table import SyncedTable
from bokit.errors import BokitError, LaterError
from bokit.values import replace


def note_failure(session: TableSyncSession) -> Failure | None:
    """Return why the source is failing in part: its first table that could not be read; None: all could.

    The owner is notified at once, or at the second time in a row of what a retry may fix.
    """
    if not session.failed:
        return session.head.failure if _still_failing(session) else None
    error = session.failed[min(session.failed)]
    others = len(session.failed) - 1
    more = f", as {others} more of its tables" if others else ""
    before, message = session.head.failure, f"{error.message}{more}; the other tables are synced"
    is_urgent = not isinstance(error, LaterError)
    notified = bool(before and before.notified) or is_urgent or before is not None
    since = before.since if before else session.context.last_read
    return Failure(code=error.stable_code, message=message, since=since, notified=notified)


def _still_failing(session: TableSyncSession) -> dict[str, TableNote]:
    """Return the notes of tables that could not be read, and were not asked for this time."""
    names = {table.name for table in session.settings.tables} - session.asked
    return {name: note for name, note in session.head.tables.items() if name in names and not note.is_held}


def note_tables(session: TableSyncSession) -> dict[str, TableNote]:
    """Return the tables that need a person, by name."""
    before, notes = session.head.tables, _still_failing(session)
    for name, hold in session.memory.holds.items():
        shown = hold.table or name
        notes[shown] = TableNote(code=hold.code, message=_cut(describe_hold(hold, repr(shown))), since=hold.since, is_held=True)
    for name, error in sorted(session.failed.items(), key=lambda item: not is_former(item[0])):
        shown = session.states[name].name if is_former(name) else name
        note = TableNote(code=error.stable_code, message=_cut(error.message), since=session.at)
        was = before.get(shown)
        notes[shown] = replace(note, since=was.since) if was and was.code == note.code else note
    return notes


def _cut(text: str) -> str:
    return text if len(text) <= MAX_NOTE_LENGTH else text[: MAX_NOTE_LENGTH - 1] + "…"


def report_tables(
    session: TableSyncSession, recorder: StepRecorder, hold: Hold | None, tables: Sequence[SyncedTable]
) -> SourceReport:
    """Return the report of the sync so far, with a line for each table."""
    counts = {name: session.counts[name] for name in COUNTS}
    refused = sum(table.counted("refused") for table in tables)
    counts["unchanged"] = max(0, counts["seen"] - session.counts["seen_changed"] - refused)
    counts["refused"] = refused or int(hold is not None)
    failure = note_failure(session)
    changed = Outcome.CHANGED if session.has_changed else Outcome.UNCHANGED
    outcome = Outcome.FAILED if failure else Outcome.HELD if hold else changed
    report = report_source(session.head, recorder, outcome, failure or hold)
    problems = tuple(p.as_dict() for p in session.problems)
    lines = tuple(_report_table(session, table) for table in tables)
    return replace(report, counts=counts, plan=tuple(session.actions), problems=problems, tables=lines)


def _report_table(session: TableSyncSession, table: SyncedTable) -> TableReport:
    """Return one table's line."""
    counts, error = table.counts, session.failed.get(table.name)
    held = session.memory.holds.get(table.name)
    if error is not None:
        return TableReport(name=table.name, outcome=Outcome.FAILED, error=_describe(error), counts=counts)
    if held is not None:
        error_ = {"code": held.code, "message": describe_hold(held, repr(table.name))}
        return TableReport(name=table.name, outcome=Outcome.HELD, error=error_, counts=counts)
    changed = any(counts.get(name) for name in ("created", "updated", "missing", "cancelled", "restored"))
    return TableReport(name=table.name, outcome=Outcome.CHANGED if changed else Outcome.UNCHANGED, counts=counts)


def _describe(error: BokitError) -> dict[str, str]:
    return {"code": error.stable_code, "message": error.message}
