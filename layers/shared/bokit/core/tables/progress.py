"""What a pass over a SQL source's tables may remove, and what is remembered between two syncs.

what a whole pass shows                       what is done now           held, and until when
nothing, where rows were shown before         nothing                    all, until rows are shown, or a person applies it
half of the rows gone at once                 what is shown              what is not shown, until passes agreed on it for
                                                                         a day, or a person applies it
rows that cannot be records                   the others                 what is not shown, until all can be
else                                          everything                 nothing

A row is missing only if its whole table was read, each key range in one consistent snapshot, and a final query for its
key finds nothing. A pass that outlasts one worker continues in the next one's snapshot; the final query finds a row that
meanwhile moved from an unread range to one that was read before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from bokit.core.model.agreement import EMPTY, PARTIAL, SHRUNKEN, Loss, agreeing_since, has_agreed
from bokit.core.model.codec import RULES_CODEC
from bokit.core.model.collections import OnMissing
from bokit.core.model.plan import Hold
from bokit.core.model.records import Fields, Json
from bokit.core.model.source_memory import SourceMemory, write_memory
from bokit.core.tables.chunks import TableState

MESSAGES = {
    EMPTY: "Table {tables} suddenly shows no row at all; every record stays. If it is truly empty, apply the held plan.",
    SHRUNKEN: "Half of the rows of table {tables}, or more, are gone at once; their records stay until the table has agreed "
    "with itself for a day. If they are truly deleted, apply the held plan.",
    PARTIAL: "Some rows of table {tables} could not be taken: not what the schema asks for, or another source's. The others "
    "were, and what is not shown was not counted as missing. The run lists each.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TableHold:
    """What a guard holds of one table. Stored; fields keep their names."""

    code: str
    since: datetime
    agreed_since: datetime
    """Since when passes agree on which rows are gone."""
    lost: str = ""
    """Identifies the rows that are gone."""
    gone: int = 0
    known: int = 0
    action: str = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class PassProgress:
    """How far an unfinished pass has come. Stored; fields keep their names."""

    is_open: bool = False
    """Records beyond what is done are being written; after a crash, those are compared row by row."""
    done: Mapping[str, int] = field(default_factory=dict)
    """Chunks of each table that this pass has read."""
    finished: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    def with_done(self, table: str, chunks: int) -> PassProgress:
        """Return the progress with this many chunks of a table read."""
        return replace(self, done={**self.done, table: chunks})


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMemory:
    """What is remembered of a SQL source between two syncs. Stored; fields keep their names."""

    part: PassProgress | None = None
    holds: Mapping[str, TableHold] = field(default_factory=dict)
    accepted: frozenset[str] = frozenset()
    """Tables that a person confirmed to be empty."""

    def without_hold(self, table: str) -> TableMemory:
        """Return the memory with nothing held of this table."""
        return replace(self, holds={name: hold for name, hold in self.holds.items() if name != table})


def read_table_memory(memory: Fields) -> TableMemory:
    """Return what :func:`write_table_memory` wrote."""
    return RULES_CODEC.read(TableMemory, memory.get("tables") or {})


def write_table_memory(memory: TableMemory) -> dict[str, Json]:
    """Return *memory* as a source's memory: its hold as every source's, and what concerns tables."""
    tables = RULES_CODEC.write(memory)
    return {**write_memory(SourceMemory(hold=make_hold(memory.holds))), **({"tables": tables} if tables else {})}


def judge_missing_rows(
    state: TableState, policy: OnMissing, before: TableHold | None, lost: str, at: datetime, *, is_accepted: bool
) -> TableHold | None:
    """Return what a guard holds of a table that was read whole, or None if the pass is trusted.

    *lost* identifies the rows that are gone, *before* is the hold so far; *is_accepted*: a person confirmed that it is empty.
    """
    loss = Loss(shown=state.rows, known=state.agreed_rows, gone=state.unconfirmed, agreed_since=at)
    is_shrunken = policy is not OnMissing.KEEP and loss.is_shrunken
    code = EMPTY if loss.is_empty and not is_accepted else SHRUNKEN if is_shrunken else None
    if code is None:
        return None
    same = before if before and before.code == code else None
    agreed_since = agreeing_since(lost, same and same.lost, same.agreed_since if same else None, at)
    if code == SHRUNKEN and has_agreed(agreed_since, at):
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


def hold_partial(before: TableHold | None, at: datetime) -> TableHold:
    """Return the hold of a table some of whose rows could not be taken."""
    since = before.since if before and before.code == PARTIAL else at
    return TableHold(code=PARTIAL, since=since, agreed_since=at)


def make_hold(holds: Mapping[str, TableHold]) -> Hold | None:
    """Return the source's hold: the most serious code of its tables, and what applying it would remove of each."""
    code = next((c for c in (EMPTY, SHRUNKEN, PARTIAL) if any(h.code == c for h in holds.values())), None)
    if code is None:
        return None
    tables = ", ".join(repr(name) for name, hold in sorted(holds.items()) if hold.code == code)
    releases = tuple(
        {"action": h.action, "table": name, "records": h.gone, "of": h.known, "digest": h.lost}
        for name, h in sorted(holds.items())
        if h.code != PARTIAL
    )
    since = min(h.since for h in holds.values())
    return Hold(code=code, message=MESSAGES[code].format(tables=tables), since=since, releases=releases, can_apply=bool(releases))


def changed_columns(before: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return the fields whose column changed its type: field, former type, present type."""
    return [(name, before[name], kind) for name, kind in now.items() if name in before and before[name] != kind]
