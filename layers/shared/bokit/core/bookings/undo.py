"""Undoing changes of a booking: what lines of its change log did, given back as far as nothing changed it since.

    line                            given back                                 and the next sync
    a person's edit                 the edit goes, or becomes the one before   as if it had never been
    a feed's value of a field       the value before, as a person's edit       keeps it: the edit is preserved
    cancelled, as it was not shown  as its source showed it last; no edit      judges it from scratch: guards, evidence
    cancelled as its source says    the status before, as an edit; held        keeps it
    created, or restored            status ``deleted``, or the one before      holds its nights while the source shows it
    an undo                         what it undid

A field that a later line names is left alone. An undo is an edit: it frees no night that a source closes, unless a person
releases that too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from bokit.core.bookings.move import MOVE
from bokit.core.bookings.open_nights import MISSED, OPEN
from bokit.core.bookings.release import nights_to_release
from bokit.core.bookings.stay import RELEASED, GoneReason, held_nights, is_window
from bokit.core.ical.entries import Status
from bokit.core.model.records import LoggedChange, Presence, Record
from bokit.core.model.undo import (
    CREATED,
    PRESENCE,
    WENT,
    UndoLines,
    UndoStep,
    UndoTerms,
    finish_step,
    give_field,
    give_fields,
    later_words,
    put_value,
    select_lines,
)
from bokit.values import replace

STATED = frozenset({str(GoneReason.CANCELLED), str(GoneReason.REPLACED)})
"""Reasons by which its source would cancel it again at once."""
MOVED = "it moved with its source; `bokit source edit --unit` moves the source, and all of its bookings"
HOLDING = ("status", "check_in", "check_out", RELEASED)
"""Fields that decide which nights a booking holds."""


def plan_undo(record: Record, log: Sequence[LoggedChange], lines: Iterable[str], terms: UndoTerms) -> UndoStep:
    """Return what undoing *lines*, named as in *log*, does to *record*; *log* is its change log from the oldest of them on."""
    given = select_lines(record, log, lines, terms)
    after, left = _give_back(given)
    if terms.releases:
        after = _release(after, terms)
    if not _fits(after):
        after, left = record, {**left, "check_out": "the departure would not be after the arrival"}
    return _describe(given, after, left)


def _give_back(given: UndoLines) -> tuple[Record, dict[str, str]]:
    """Return the record as the undo makes it, and what is left alone."""
    record = given.record
    if is_window(record):
        return record, {"nights": "a window follows its calendar"}
    if any(line.action == MOVE for line in (*given.lines, *given.later)):
        return record, {"unit_id": MOVED}
    if any(line.action in CREATED for line in given.lines):
        return _take_away(given)
    if any(line.action in WENT for line in given.lines) and given.lines[-1].reason not in STATED:
        return _bring_back(given)
    return give_fields(record, given, {n: c for n, c in given.fields.items() if n != PRESENCE})


def _take_away(given: UndoLines) -> tuple[Record, dict[str, str]]:
    """Return a booking that a change created as one that is deleted; not where it was changed since."""
    later = [c for name in (*HOLDING, PRESENCE) if (c := given.changed_by(name))]
    if later:
        return given.record, {"status": later_words(later[-1])}
    return give_field(given.record, "status", str(Status.DELETED), given.terms), {}


def _bring_back(given: UndoLines) -> tuple[Record, dict[str, str]]:
    """Return a cancelled booking as its source showed it last: the next fetch is judged, and guarded, as if it had stayed."""
    record, last = given.record, given.lines[-1]
    if later := given.changed_by(PRESENCE) or given.changed_by("status"):
        return record, {"status": later_words(later)}
    if record.presence is not Presence.GONE:
        return record, {"status": "the booking is there again"}
    change = last.fields.get("status") or last.preserved.get("status")
    remote = put_value(record.remote, "status", change.before) if change else record.remote
    memory = {name: value for name, value in record.memory.items() if name not in (OPEN, MISSED)}
    back = replace(record.as_present(record.key), remote=remote, memory=memory)
    return give_fields(back, given, {n: c for n, c in given.fields.items() if n != "status"})


def _release(record: Record, terms: UndoTerms) -> Record:
    """Return *record* with the nights released that only its source still holds."""
    nights = nights_to_release(record, {})
    return give_field(record, RELEASED, [*nights], terms) if nights else record


def _fits(record: Record) -> bool:
    return is_window(record) or str(record.fields.get("check_in")) < str(record.fields.get("check_out"))


def _describe(given: UndoLines, after: Record, left: Mapping[str, str]) -> UndoStep:
    """Return the step, with the nights that it frees, holds again, and leaves to the source."""
    step = finish_step(given, after, left)
    if step.change is None:
        return step
    today, after = given.terms.today, step.after
    held, holds = _coming(held_nights(step.before), today), _coming(held_nights(after), today)
    kept = {date.fromisoformat(n) for n in nights_to_release(after, {})} - set(_released(after))
    return replace(
        step,
        frees=tuple(n for n in held if n not in holds),
        holds=tuple(n for n in holds if n not in held),
        kept=_coming(kept & set(holds), today),
    )


def _released(record: Record) -> list[date]:
    return [date.fromisoformat(night) for night in record.fields.get(RELEASED) or ()]


def _coming(nights: Iterable[date], today: date) -> tuple[date, ...]:
    return tuple(sorted(night for night in nights if night >= today))
