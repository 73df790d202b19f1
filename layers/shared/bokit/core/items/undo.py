"""Undoing changes of a record of a declared collection.

    line                             given back                               and the next sync
    an edit, a push                  the value before                         as if it had never been
    a source's value of a field      the value before, as a person's edit     keeps it: the edit is preserved
    deleted, as it was not shown     as its source showed it last             judges it from scratch; of a table: left alone
    created, or restored             left alone: its source shows it, or a    –
                                     program that pushed it may have it

A field that a later line names is left alone, and so is one that the collection preserves, or that would break its schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bokit.core.items.planning import REFUSED_VALUES
from bokit.core.model.json_schema import SchemaCheck
from bokit.core.model.records import FieldChange, LoggedChange, Presence, Record
from bokit.core.model.undo import (
    CREATED,
    PRESENCE,
    WENT,
    UndoLines,
    UndoStep,
    UndoTerms,
    finish_step,
    give_fields,
    later_words,
    select_lines,
)
from bokit.values import replace

MADE = "an undo deletes no record; its source shows it, or a program that pushed it may have it still"
NOT_IN_TABLE = "its table has no such row any more; it comes back when the row does"


def plan_undo(record: Record, log: Sequence[LoggedChange], lines: Iterable[str], terms: UndoTerms) -> UndoStep:
    """Return what undoing *lines*, named as in *log*, does to *record*; *log* is its change log from the oldest of them on."""
    given = select_lines(record, log, lines, terms)
    after, left = _give_back(given)
    problems = SchemaCheck(terms.settings.schema).find_problems(after.fields, record.key) if after != record else []
    if problems:
        return finish_step(given, record, {**left, **{p.field or "": f"against the schema: {p.message}" for p in problems}})
    return finish_step(given, after, left)


def _give_back(given: UndoLines) -> tuple[Record, dict[str, str]]:
    """Return the record as the undo makes it, and what is left alone."""
    if any(line.action in CREATED for line in given.lines):
        return given.record, {PRESENCE: MADE}
    if any(line.action in WENT for line in given.lines):
        return _bring_back(given)
    return _give_fields(given.record, given)


def _bring_back(given: UndoLines) -> tuple[Record, dict[str, str]]:
    record = given.record
    if later := given.changed_by(PRESENCE):
        return record, {PRESENCE: later_words(later)}
    if record.presence is not Presence.GONE:
        return record, {PRESENCE: "the record is there again"}
    if not given.terms.is_judged_again:
        return record, {PRESENCE: NOT_IN_TABLE}
    memory = {name: value for name, value in record.memory.items() if name == REFUSED_VALUES}
    return _give_fields(replace(record.as_present(record.key), memory=memory), given)


def _give_fields(record: Record, given: UndoLines) -> tuple[Record, dict[str, str]]:
    preserved = {path.partition(".")[0] for path in given.terms.settings.preserve}
    fields: Mapping[str, FieldChange] = {n: c for n, c in given.fields.items() if n != PRESENCE}
    kept = {name: "the collection preserves it" for name in fields if name in preserved}
    after, left = give_fields(record, given, {n: c for n, c in fields.items() if n not in preserved})
    return after, {**kept, **left}
