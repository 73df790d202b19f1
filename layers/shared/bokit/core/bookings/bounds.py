"""Plans within a quota: the nights of bookings that are left out are held by the source's window, and published."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from bokit.core.bookings.matching import FeedMatches
from bokit.core.bookings.nights import nights_of, read_spans
from bokit.core.bookings.open_nights import read_open
from bokit.core.bookings.stay import PROVISIONAL, REST, ROLLING, held_nights, is_window, window_nights
from bokit.core.bookings.window import WindowNights, plan_window_change
from bokit.core.model.plan import Action, ActionKind, Plan
from bokit.core.model.records import Record
from bokit.core.model.source_rules import Context
from bokit.values import replace


def bound_plan(plan: Plan, found: FeedMatches, context: Context, room: int | None) -> Plan:
    """Return *plan* with at most *room* new bookings, the nearest arrivals first; None: it writes the window alone.

    night                                                  result
    closed by a booking that is left out, or by an         in the window, published
    edit of one, and held by no other booking
    released by an action that is left out                 held as before
    else                                                   as planned
    """
    left = _left_out(plan, room)
    out = {a.record_id for a in left}
    kept = [a for a in plan.actions if a.record_id not in out and not is_window(a.after)]
    planned = next((a.after for a in plan.actions if is_window(a.after)), found.matches.window)
    bases = [r for r in ([planned, found.matches.window] if room is None else [planned]) if r is not None]
    records = {r.id: r for r in found.known if not is_window(r)} | {a.record_id: a.after for a in kept}
    held = {n for r in records.values() for n in held_nights(r)}
    closed = {n for a in left for n in _newly_closed(a) if n >= found.matches.today} - held
    window = plan_window_change(found.matches.window, _window_nights(bases, closed, held), context)
    return replace(plan, actions=tuple(sorted([*kept, *([window] if window else [])], key=lambda a: a.record_id)))


def _left_out(plan: Plan, room: int | None) -> list[Action]:
    bookings = [a for a in plan.actions if not is_window(a.after)]
    if room is None:
        return bookings
    new = [a for a in bookings if a.kind is ActionKind.CREATE]
    return sorted(new, key=lambda a: (str(a.after.remote.get("check_in")), a.record_id))[room:]


def _newly_closed(action: Action) -> set[date]:
    return held_nights(action.after) - (held_nights(action.before) if action.before else set())


def _window_nights(bases: Iterable[Record], closed: set[date], held: set[date]) -> WindowNights:
    """Return what the window holds: all of *bases*, as they hold it, and *closed*, as nights beyond a source's limit."""
    bases = list(bases)
    rest = (_nights_as(REST, bases) - held) | closed
    rolling = (_nights_as(ROLLING, bases) - held) | rest
    provisional = _nights_as(PROVISIONAL, bases) - held - rolling
    by_rule = {n for r in bases for n in window_nights(r)} - rolling - provisional
    opened = {n: at for r in bases for n, at in read_open(r).items() if n not in closed}
    return WindowNights(by_rule=by_rule, rolling=rolling, provisional=provisional, rest=rest, opened=opened)


def _nights_as(name: str, windows: Iterable[Record]) -> set[date]:
    return {n for r in windows for n in nights_of(read_spans(r.remote.get(name, ())))}
