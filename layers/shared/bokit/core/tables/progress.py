"""What a pass over a SQL source's tables may believe, and what is remembered between its parts.

what a whole pass shows                       what is done now           held, and until when
nothing, where rows were shown before         nothing                    all, until rows are shown, or a person applies it
half of the rows gone at once                 what is shown              what is not shown, until passes agreed on it for
                                                                         a day, or a person applies it
rows that cannot be records                   the others                 what is not shown, until all can be
else                                          everything                 nothing

A row is missing only where its whole table was read, each range of keys in one consistent snapshot, and where the very
question for its key finds nothing. A pass that takes longer than one worker's life goes on in the next one's snapshot: a
row that moved from a part unread to a part read meanwhile is found by that question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bokit.core.items.guard import EMPTY, PARTIAL, SHRINK_LEAST, SHRUNKEN
from bokit.core.model.collections import OnMissing
from bokit.core.model.merge import write_time
from bokit.core.model.plan import Hold
from bokit.core.model.records import Fields, Json
from bokit.core.model.source_memory import Remembered, read_memory, write_memory
from bokit.core.tables.chunks import TableState

DAY = timedelta(hours=24)
MESSAGES = {
    EMPTY: "Table {tables} suddenly shows no row at all; every record stays. If it is truly empty, apply the held plan.",
    SHRUNKEN: "Half of the rows of table {tables}, or more, are gone at once; their records stay until the table agreed with "
    "itself for a day. If they are truly deleted, apply the held plan.",
    PARTIAL: "Some rows of table {tables} could not be taken: not what the schema asks for, or another source's. The others "
    "were, and what is not shown was not counted as missing. The run tells each.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TableHold:
    """What a guard holds of one table."""

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
class Part:
    """How far a pass has come that is not over: kept whenever a part of it was written."""

    is_open: bool = False
    """Records are being written behind what is done; what a worker that died left there is compared row by row."""
    done: Mapping[str, int] = field(default_factory=dict)
    """Chunks of each table that this pass has read."""
    finished: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMemory:
    """What is remembered of a SQL source between two syncs."""

    part: Part | None = None
    holds: Mapping[str, TableHold] = field(default_factory=dict)
    accepted: frozenset[str] = frozenset()
    """Tables of which a person said that they are truly empty."""


def judge_losses(
    state: TableState, policy: OnMissing, before: TableHold | None, lost: str, at: datetime, *, accepted: bool
) -> TableHold | None:
    """Return what a guard holds of a table that was read whole; None: the pass is good evidence."""
    code = _judge(state, policy, accepted=accepted)
    if code is None:
        return None
    same = before if before and before.code == code else None
    agreed = same.agreed_since if same and same.lost == lost else at
    if code == SHRUNKEN and at - agreed >= DAY:
        return None
    return TableHold(
        code=code,
        since=same.since if same else at,
        agreed_since=agreed,
        lost=lost,
        gone=state.doubted,
        known=state.agreed,
        action=str(policy),
    )


def _judge(state: TableState, policy: OnMissing, *, accepted: bool) -> str | None:
    if state.rows == 0 and state.agreed > 0 and not accepted:
        return EMPTY
    if policy is OnMissing.KEEP:
        return None
    return SHRUNKEN if state.doubted >= SHRINK_LEAST and state.doubted >= state.agreed // 2 else None


def hold_partial(before: TableHold | None, at: datetime) -> TableHold:
    """Return the hold of a table some of whose rows could not be taken."""
    since = before.since if before and before.code == PARTIAL else at
    return TableHold(code=PARTIAL, since=since, agreed_since=at)


def make_hold(holds: Mapping[str, TableHold]) -> Hold | None:
    """Return what is held of the source, in one: the gravest code of its tables, and every table's losses."""
    code = next((c for c in (EMPTY, SHRUNKEN, PARTIAL) if any(h.code == c for h in holds.values())), None)
    if code is None:
        return None
    named = ", ".join(repr(name) for name, hold in sorted(holds.items()) if hold.code == code)
    losses = {name: hold for name, hold in sorted(holds.items()) if hold.code != PARTIAL}
    releases = tuple(
        {"action": h.action, "table": name, "records": h.gone, "of": h.known, "digest": h.lost} for name, h in losses.items()
    )
    return Hold(
        code=code,
        message=MESSAGES[code].format(tables=named),
        since=min(h.since for h in holds.values()),
        releases=releases,
        can_apply=bool(losses),
    )


# ── as the source's memory keeps it ──


def read_table_memory(memory: Fields) -> TableMemory:
    """Return what :func:`write_table_memory` wrote."""
    told = memory.get("tables") or {}
    part = told.get("part")
    return TableMemory(
        part=Part(is_open=part["is_open"], done=part["done"], finished=tuple(part["finished"]), counts=part["counts"])
        if part
        else None,
        holds={name: _read_hold(hold) for name, hold in told.get("holds", {}).items()},
        accepted=frozenset(told.get("accepted", ())),
    )


def write_table_memory(memory: TableMemory) -> dict[str, Json]:
    """Return *memory* as JSON; the hold stands where every rule reads it."""
    told: dict[str, Json] = {}
    if memory.part:
        part = memory.part
        told["part"] = {
            "is_open": part.is_open,
            "done": dict(part.done),
            "finished": list(part.finished),
            "counts": dict(part.counts),
        }
    if memory.holds:
        told["holds"] = {name: _write_hold(hold) for name, hold in sorted(memory.holds.items())}
    if memory.accepted:
        told["accepted"] = sorted(memory.accepted)
    return {**write_memory(Remembered(hold=make_hold(memory.holds))), **({"tables": told} if told else {})}


def find_hold(memory: Fields) -> Hold | None:
    """Return the held plan that *memory* keeps, as it was shown."""
    return read_memory(memory).hold


def _write_hold(hold: TableHold) -> dict[str, Json]:
    return {
        "code": hold.code,
        "since": write_time(hold.since),
        "agreed_since": write_time(hold.agreed_since),
        "lost": hold.lost,
        "gone": hold.gone,
        "known": hold.known,
        "action": hold.action,
    }


def _read_hold(told: Fields) -> TableHold:
    return TableHold(
        code=told["code"],
        since=datetime.fromisoformat(told["since"]),
        agreed_since=datetime.fromisoformat(told["agreed_since"]),
        lost=told["lost"],
        gone=told["gone"],
        known=told["known"],
        action=told["action"],
    )


def note_columns(before: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return the fields whose column changed its type: field, what it held, what it holds."""
    return [(name, before[name], kind) for name, kind in now.items() if name in before and before[name] != kind]


def without(holds: Mapping[str, TableHold], names: Sequence[str]) -> dict[str, TableHold]:
    """Return *holds* without those of these tables."""
    return {name: hold for name, hold in holds.items() if name not in names}


def advance(part: Part | None, name: str, done: int) -> Part:
    """Return *part* with so many chunks of a table read."""
    before = part or Part()
    return replace(before, done={**before.done, name: done})
