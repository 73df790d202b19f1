"""What a pass over a SQL source's tables may remove, and what is remembered between two syncs.

what a whole pass shows                       what is done now           held, and until when
nothing, where rows were shown before         nothing                    all, until rows are shown, or a person applies it
half of the rows gone at once, or shown as    what is shown              what is not shown, until passes agreed on it for
  deleted                                                                a day, or a person applies it
rows that cannot be records                   everything else            these rows: their records stay as they were
rows whose key cannot be read                 what is shown              these, and what is not shown: it may be theirs
else                                          everything                 nothing

of a former table (its key or collection changed, or it was removed): records that no table shows any more
three or more                                 nothing                    all, for a day, or until a person applies it
any, and the policy is ``keep``               nothing                    all, until a person applies or discards it
else                                          the policy                 nothing

A row is missing only if its whole table was read, each key range in one consistent snapshot, and a final query for its
key finds nothing. A pass that outlasts one worker continues in the next one's snapshot; the final query finds a row that
meanwhile moved from an unread range to one that was read before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bokit.core.model.agreement import EMPTY, FORMER, MIN_SHRINK, PARTIAL, SHRUNKEN, Loss, agreeing_since, has_agreed
from bokit.core.model.codec import RULES_CODEC
from bokit.core.model.collections import OnMissing
from bokit.core.model.field_changes import FIELDS, VANISHED, FieldDrift, FieldVerdict
from bokit.core.model.plan import Hold
from bokit.core.model.records import Fields, Json
from bokit.core.model.source_memory import SourceMemory, write_memory
from bokit.core.tables.chunks import TableState
from bokit.values import Value, field, replace

UNKNOWN_KEYS = "unknown-keys"
"""In a table's hold: ``PARTIAL``, with rows whose key cannot be read."""
MESSAGES = {
    EMPTY: "Table {tables} suddenly shows no row at all; every record stays. If it is truly empty, apply the held plan.",
    SHRUNKEN: "Half of the rows of table {tables}, or more, are gone at once, or shown as deleted; their records stay until the "
    "table has agreed with itself for a day. If they are truly deleted, apply the held plan.",
    PARTIAL: "Some rows of table {tables} could not be taken: not what the schema asks for, too large, unreadable, or shown by "
    "another table or source as well. Their records stay as they were, and everything else was synced. The run lists each.",
    UNKNOWN_KEYS: "Some rows of table {tables} have a key that cannot be read. The others were taken, and what is not shown was "
    "not counted as missing. The run lists each.",
    FIELDS: "Columns of table {tables} are gone, or have no value in any row any more ({lost}). Their fields keep the values "
    "that they have, and everything else was taken, until the table has agreed with itself for a day. If that is right, apply "
    "the held plan.",
    FORMER: "Records that table {tables} showed before its key or its collection changed, or before it was removed, are shown by "
    "no table any more. They stay for a day, or where `on_missing` is keep until you decide: apply the held plan to remove "
    "them, discard it to keep them.",
}
_SEVERITY = (EMPTY, SHRUNKEN, FORMER, FIELDS, UNKNOWN_KEYS, PARTIAL)
NAMES = ", "
"""Between the names of lost columns."""


class TableHold(Value):
    """What a guard holds of one table. Stored; fields keep their names."""

    code: str
    since: datetime
    agreed_since: datetime
    """Since when passes agree on which rows are gone."""
    lost: str = ""
    """Identifies the rows that are gone; of lost columns their names."""
    gone: int = 0
    known: int = 0
    action: str = "delete"
    table: str = ""
    """Of a former table: what it was called."""


class PassProgress(Value):
    """How far an unfinished pass has come. Stored; fields keep their names."""

    is_open: bool = False
    """Records beyond what is done are being written; after a crash, those are compared row by row."""
    done: Mapping[str, int] = field(default_factory=dict)
    """Chunks of each table that this pass has read."""
    finished: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    meanings: Mapping[str, str] = field(default_factory=dict)
    """How each table is read in this pass: with another meaning it begins again."""
    marks: Mapping[str, Json] = field(default_factory=dict)
    """The watermark of each table in the snapshot in which its pass began, packed."""
    failed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The tables that could not be read, with code and message."""

    def restarted(self, table: str) -> PassProgress:
        """Return the progress with nothing read of a table."""
        kept = {name: n for name, n in self.done.items() if name != table}
        marks = {name: mark for name, mark in self.marks.items() if name != table}
        return replace(self, done=kept, marks=marks, finished=tuple(name for name in self.finished if name != table))

    def with_done(self, table: str, chunks: int) -> PassProgress:
        """Return the progress with this many chunks of a table read."""
        return replace(self, done={**self.done, table: chunks})


class TableMemory(Value):
    """What is remembered of a SQL source between two syncs. Stored; fields keep their names."""

    part: PassProgress | None = None
    holds: Mapping[str, TableHold] = field(default_factory=dict)
    accepted: frozenset[str] = frozenset()
    """Tables that a person confirmed to be empty."""

    def without_hold(self, table: str) -> TableMemory:
        """Return the memory with nothing held of this table."""
        return replace(self, holds={name: hold for name, hold in self.holds.items() if name != table})


_LATER = ("meanings", "marks", "failed", "table")


def read_table_memory(memory: Fields) -> TableMemory:
    """Return what :func:`write_table_memory` wrote."""
    return RULES_CODEC.read(TableMemory, memory.get("tables") or {})


def write_table_memory(memory: TableMemory) -> dict[str, Json]:
    """Return *memory* as a source's memory: its hold as every source's, and what concerns tables."""
    tables: dict[str, Any] = RULES_CODEC.write(memory)
    for inner in (tables.get("part"), *tables.get("holds", {}).values()):
        for name in _LATER:  # left out where they are empty, as former releases wrote it
            if inner and not inner.get(name, True):
                del inner[name]
    return {**write_memory(SourceMemory(hold=make_hold(memory.holds))), **({"tables": tables} if tables else {})}


def judge_missing_rows(
    state: TableState, policy: OnMissing, before: TableHold | None, lost: str, at: datetime, *, is_accepted: bool
) -> TableHold | None:
    """Return what a guard holds of a table that was read whole, or None if the pass is trusted.

    Rows that another policy settled are judged once more: they were only kept.
    """
    again = state.missing if state.policy and state.policy != policy else 0
    known, gone = state.agreed_rows + again, state.unconfirmed + again
    loss = Loss(shown=state.rows, known=known, gone=gone, agreed_since=at)
    if loss.is_empty and not is_accepted:
        return _hold_loss(EMPTY, loss, policy, before, lost, at)
    unshown = 0 if policy is OnMissing.KEEP else gone
    loss = replace(loss, gone=unshown + state.pending)
    hold = _hold_loss(SHRUNKEN, loss, policy, before, lost, at) if loss.is_shrunken else None
    is_removal = hold is not None and policy is OnMissing.KEEP  # of rows that are shown as deleted: whatever the policy
    return replace(hold, action=str(OnMissing.DELETE)) if hold and is_removal else hold


def judge_former_rows(
    state: TableState, policy: OnMissing, before: TableHold | None, lost: str, at: datetime
) -> TableHold | None:
    """Return what a guard holds of a former table, whose rows left are unconfirmed; None: its policy is applied."""
    loss = Loss(shown=0, known=state.agreed_rows, gone=state.unconfirmed, agreed_since=at)
    if not loss.gone or (policy is not OnMissing.KEEP and not loss.is_shrunken):
        return None
    hold = _hold_loss(FORMER, loss, policy, before, lost, at)
    return hold and replace(hold, table=state.name, action=str(OnMissing.DELETE if policy is OnMissing.KEEP else policy))


def _hold_loss(code: str, loss: Loss, policy: OnMissing, before: TableHold | None, lost: str, at: datetime) -> TableHold | None:
    """Return the hold of a loss, on which passes agree since the same rows are gone; None where time has lifted it."""
    same = before if before and before.code == code else None
    agreed_since = agreeing_since(lost, same and same.lost, same.agreed_since if same else None, at)
    is_lifted = code == SHRUNKEN or (code == FORMER and policy is not OnMissing.KEEP)
    if is_lifted and has_agreed(agreed_since, at):
        return None
    return TableHold(
        code=code,
        since=same.since if same else at,
        agreed_since=agreed_since,
        lost=lost,
        gone=loss.gone,
        known=loss.known,
        action=str(policy),
    )


def hold_rows(before: TableHold | None, at: datetime, *, code: str = PARTIAL) -> TableHold:
    """Return the hold of a table some of whose rows could not be taken."""
    since = before.since if before and before.code == code else at
    return TableHold(code=code, since=since, agreed_since=at)


def make_hold(holds: Mapping[str, TableHold]) -> Hold | None:
    """Return the source's hold: the most serious code of its tables, and what applying it would remove of each."""
    code = next((c for c in _SEVERITY if any(h.code == c for h in holds.values())), None)
    if code is None:
        return None
    tables = ", ".join(dict.fromkeys(repr(hold.table or name) for name, hold in sorted(holds.items()) if hold.code == code))
    releases = tuple(
        {"action": h.action, "table": h.table or name, "records": h.gone, "of": h.known, "digest": h.lost}
        for name, h in sorted(holds.items())
        if h.code not in (PARTIAL, UNKNOWN_KEYS)
    )
    since = min(h.since for h in holds.values())
    lost = NAMES.join(hold.lost for _, hold in sorted(holds.items()) if hold.code == code)
    shown, message = PARTIAL if code == UNKNOWN_KEYS else code, MESSAGES[code].format(tables=tables, lost=lost)
    return Hold(code=shown, message=message, since=since, releases=releases, can_apply=bool(releases))


def describe_hold(hold: TableHold, table: str) -> str:
    """Return what is held of one table, for its owner."""
    return MESSAGES[hold.code].format(tables=table, lost=hold.lost)


def hold_columns(verdict: FieldVerdict, before: TableHold | None, rows: int, at: datetime) -> TableHold:
    """Return the hold of a table some of whose columns are gone."""
    since = before.since if before and before.code == FIELDS else at
    names = NAMES.join(drift.name for drift in verdict.held)
    agreed = max(verdict.since.values(), default=at)
    return TableHold(code=FIELDS, since=since, agreed_since=agreed, lost=names, gone=rows, known=rows, action=VANISHED)


def lost_columns(before: Mapping[str, str], now: Mapping[str, str], rows: int) -> list[FieldDrift]:
    """Return the fields whose column is gone, of a table that had so many rows: a few rows are ordinary."""
    gone = [name for name in before if name not in now] if rows >= MIN_SHRINK else []
    return [FieldDrift(code=VANISHED, path=(name,), records=rows, known=rows) for name in gone]


def emptied_columns(state: TableState, rows: int, filled: Mapping[str, int]) -> list[FieldDrift]:
    """Return the fields that half of the rows had, or more, and that none has (or hardly any); of a few rows none.

    *filled*: how many of *rows* have each field now.
    """
    found: list[FieldDrift] = []
    for name, had in state.filled.items():
        usual, now = had * rows // max(state.filled_of, 1), filled.get(name)
        is_usual = had >= MIN_SHRINK and had * 2 >= state.filled_of
        if now is not None and is_usual and rows >= MIN_SHRINK and now * 10 <= usual:
            found.append(FieldDrift(code=VANISHED, path=(name,), records=max(had - now, 0), known=had))
    return found


def changed_columns(before: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return the fields whose column changed its type: field, former type, present type."""
    return [(name, before[name], kind) for name, kind in now.items() if name in before and before[name] != kind]
