"""Undoing changes of a record, whatever its collection: what lines of its change log did to fields, given back.

A field is given back where it still is what the lines made of it and no later line names it. What becomes of a record that was
created, or went, is its collection's: ``core.bookings.undo``, ``core.items.undo``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, TypedDict

from bokit.core.model.catalog import BOOKINGS
from bokit.core.model.change_sizes import is_cut
from bokit.core.model.collections import RecordSettings
from bokit.core.model.documents import Day, FieldDiff, describe_diffs
from bokit.core.model.json_merge import is_same
from bokit.core.model.merge import CONFIRM, compare_fields
from bokit.core.model.plan import ActionKind
from bokit.core.model.records import Edit, FieldChange, Json, LoggedChange, Record
from bokit.values import Value, field, replace

UNDO, RELEASE, PRESENCE = "undo", "release", "presence"
"""Actions of lines; and the name under which an undo's line says that a record came back."""
CREATED = frozenset({str(ActionKind.CREATE)})
WENT = frozenset({str(ActionKind.CANCEL), str(ActionKind.MERGE), RELEASE})
MOVING = WENT | CREATED | {str(ActionKind.RESTORE)}
"""Actions of lines that change whether the record is there."""


class UndoTerms(Value):
    """Who undoes, when, and how far it may go."""

    by: str
    at: datetime
    today: date
    releases: bool = False
    """Nights that the source still holds and the booking no longer does are released."""
    settings: RecordSettings = field(default_factory=RecordSettings)
    """Of a declared collection."""
    is_judged_again: bool = True
    """The source's next sync sees for itself that a record which came back is not shown."""


class UndoStep(Value):
    """What an undo does to one record."""

    before: Record
    after: Record
    undone: tuple[str, ...]
    """The ids of the lines, newest first."""
    change: LoggedChange | None = None
    """The line that the undo leaves; None: it changes nothing."""
    left: Mapping[str, str] = field(default_factory=dict)
    """What is left alone, by field, and why."""
    frees: tuple[date, ...] = ()
    """Nights from today on that a booking holds now and not afterwards."""
    holds: tuple[date, ...] = ()
    """Nights from today on that it holds again."""
    kept: tuple[date, ...] = ()
    """Nights from today on that stay held for its source alone."""


class UndoStepDocument(TypedDict):
    """What an undo does to one record: a booking, or one of a collection."""

    record_id: str
    collection: str
    unit_id: Annotated[str | None, "null: of another collection."]
    check_in: Day | None
    check_out: Day | None
    guest_name: str | None
    changes: list[str]
    fields: dict[str, FieldDiff]
    left: dict[str, str]
    frees: list[Day]
    holds: list[Day]
    kept: list[Day]


def describe_undo(step: UndoStep) -> UndoStepDocument:
    """Return the step's document."""
    is_booking = step.before.collection == BOOKINGS
    values = step.before.fields if is_booking else {}
    return {
        "record_id": step.before.id,
        "collection": step.before.collection,
        "unit_id": step.before.scope if is_booking else None,
        "check_in": values.get("check_in"),
        "check_out": values.get("check_out"),
        "guest_name": values.get("guest_name"),
        "changes": list(step.undone),
        "fields": describe_diffs(step.change.fields if step.change else {}),
        "left": dict(step.left),
        "frees": [night.isoformat() for night in step.frees],
        "holds": [night.isoformat() for night in step.holds],
        "kept": [night.isoformat() for night in step.kept],
    }


class UndoLines(Value):
    """A record, the lines to undo, oldest first, and what was logged since the first of them beside these."""

    record: Record
    lines: Sequence[LoggedChange]
    later: Sequence[LoggedChange]
    terms: UndoTerms

    @property
    def fields(self) -> dict[str, FieldChange]:
        """The fields that the lines changed together, before the first and after the last."""
        found: dict[str, FieldChange] = {}
        for line in self.lines:
            for name, change in line.fields.items():
                before = found[name].before if name in found else change.before
                found[name] = FieldChange(before=before, after=change.after)
        return found

    def changed_by(self, name: str) -> LoggedChange | None:
        """Return the last later line that changed this field, or whether the record is there."""
        moves = (c for c in self.later if c.action in MOVING or PRESENCE in c.fields) if name == PRESENCE else ()
        found = [*moves, *(c for c in self.later if name in c.fields)]
        return max(found, key=lambda c: c.line, default=None)


def select_lines(record: Record, log: Sequence[LoggedChange], lines: Iterable[str], terms: UndoTerms) -> UndoLines:
    """Return *lines*, named as in *log*, with what was logged since; *log* is the change log from the oldest of them on."""
    wanted = set(lines)
    chosen = sorted((c for c in log if c.line in wanted), key=lambda c: c.line)
    later = [c for c in log if chosen and c.line > chosen[0].line and c.line not in wanted]
    return UndoLines(record=record, lines=chosen, later=later, terms=terms)


def give_fields(record: Record, given: UndoLines, fields: Mapping[str, FieldChange]) -> tuple[Record, dict[str, str]]:
    """Return *record* with *fields* given back as far as they may be, and what is left alone."""
    left: dict[str, str] = {}
    for name, change in fields.items():
        if later := given.changed_by(name):
            left[name] = later_words(later)
        elif is_cut(change.before) or is_cut(change.after):
            left[name] = "the change log has only the beginning of its former value"
        elif not is_same(record.fields.get(name), change.after):
            left[name] = "it is not what it was after this change"
        else:
            record = give_field(record, name, change.before, given.terms)
    return record, left


def give_field(record: Record, name: str, value: Json, terms: UndoTerms) -> Record:
    """Return *record* with *value* in the field: its source's again where it was the source's, else as a person's edit."""
    if record.source_id is None:
        return replace(record, remote=put_value(record.remote, name, value))
    edit, kept = record.edits.get(name), {n: e for n, e in record.edits.items() if n != name}
    base = record.remote.get(name) if edit is None else edit.base
    if is_same(value, base) or is_same(value, record.remote.get(name)):
        return replace(record, edits=kept)
    return replace(record, edits={**kept, name: Edit(value=value, base=base, by=terms.by, at=terms.at)})


def put_value(values: Mapping[str, Json], name: str, value: Json) -> dict[str, Json]:
    """Return *values* with another value of one of them; None: without it."""
    rest = {n: v for n, v in values.items() if n != name}
    return rest if value is None else {**rest, name: value}


def finish_step(given: UndoLines, after: Record, left: Mapping[str, str]) -> UndoStep:
    """Return the step that makes *after* of the record, with its line; without a line where nothing differs."""
    before, terms = given.record, given.terms
    undone = tuple(line.id for line in reversed(given.lines))
    fields = changed_fields(before, after)
    if not fields:
        return UndoStep(before=before, after=before, undone=undone, left=left)
    memory = {name: value for name, value in after.memory.items() if name != CONFIRM}
    after = replace(after, memory=memory, updated_at=terms.at)
    reason = f"undo of {', '.join(undone)}"
    line = LoggedChange(record_id=before.id, at=terms.at, by=terms.by, action=UNDO, reason=reason, fields=fields)
    return UndoStep(before=before, after=after, undone=undone, change=line, left=left)


def changed_fields(before: Record, after: Record) -> dict[str, FieldChange]:
    """Return what differs, whether it is there among it; an edit that only goes counts as its field."""
    fields = compare_fields(before.fields, after.fields)
    dropped = {n: FieldChange(before=e.value, after=after.fields.get(n)) for n, e in before.edits.items() if n not in after.edits}
    presence = FieldChange(before=str(before.presence), after=str(after.presence))
    return {**dropped, **fields, **({PRESENCE: presence} if before.presence is not after.presence else {})}


def later_words(later: LoggedChange) -> str:
    """Return why a field is left alone that *later* changed."""
    return f"changed since by {later.by}: {later.id}"
