"""The window: one record for each source, of the nights that the platform's own rules close. It is not a booking.

It also holds, apart and provisionally, what a feed closes that may be another listing's.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from bokit.core.bookings.evidence import Evidence, nights_kept
from bokit.core.bookings.limits import MAX_WINDOW_AHEAD
from bokit.core.bookings.matching import Matches
from bokit.core.bookings.nights import DAY, nights_of, read_spans, write_spans
from bokit.core.bookings.open_nights import OpenNights, open_nights, read_open, with_open_nights
from bokit.core.bookings.stay import NIGHTS, PROVISIONAL, REST, ROLLING, window_nights
from bokit.core.ical.entries import BLOCKING, Entry, EntryKind, Status
from bokit.core.model.merge import change_action, create_action
from bokit.core.model.plan import Action, ActionKind
from bokit.core.model.records import Json, Record, make_record_id
from bokit.core.model.source_rules import Context
from bokit.values import Value, field, replace

REASON = "nights that the calendar's own rules close"


class WindowNights(Value):
    """What a window holds: by rule, by closures that roll, and provisionally; and which of its nights the feed shows open."""

    by_rule: set[date] = field(default_factory=set)
    rolling: set[date] = field(default_factory=set)
    provisional: set[date] = field(default_factory=set)
    rest: set[date] | None = None
    """Those of *rolling* that the feed closes with more bookings than its source may have; None: as before."""
    opened: OpenNights | None = None
    """None: this fetch gives no evidence of open nights."""


def rule_nights(matches: Matches) -> set[date]:
    """Return the nights to come that the source's window held by rule before this fetch."""
    return {n for n in window_nights(matches.window) if n >= matches.today}


def provisional_nights(matches: Matches) -> set[date]:
    """Return the nights to come that the source's window held provisionally before this fetch."""
    return _nights_before(matches, PROVISIONAL)


def rolling_nights(matches: Matches) -> set[date]:
    """Return the nights to come that closures which roll held before this fetch."""
    return _nights_before(matches, ROLLING)


def _nights_before(matches: Matches, name: str) -> set[date]:
    spans = matches.window.remote.get(name, ()) if matches.window else ()
    return {n for n in nights_of(read_spans(spans)) if n >= matches.today}


def closed_nights(entries: Iterable[Entry], today: date) -> set[date]:
    """Return every night from *today* on that *entries* close."""
    return nights_of((max(e.check_in, today), e.check_out) for e in entries if e.status in BLOCKING)


def plan_window(matches: Matches, context: Context, evidence: Evidence, unheld: set[date]) -> Action | None:
    """Return the change of the source's window.

    night                                         result
    closed by a window entry, or one that rolls   held
    closed by an entry beyond the limits          held
    closed by the feed, and *unheld* by any stay  held, whichever booking it is
    held before, closed by another entry          held by that entry's stay now
    held before, in any way, and open             held
    for less than long enough
    held before, open for long enough, or past    released
    closed in a fetch that a guard holds          held provisionally
    """
    shown, before = closed_nights(matches.windows, matches.today), rule_nights(matches)
    rest, rolled = closed_nights(matches.rest, matches.today), rolling_nights(matches)
    rolls, doubtful = closed_nights(matches.rolling, matches.today) | rest, provisional_nights(matches)
    if not evidence.releases:
        new = (shown | rolls | unheld | doubtful) - before - rolled
        return plan_window_change(matches.window, WindowNights(by_rule=before, rolling=rolled, provisional=new), context)
    closed = matches.closed if matches.window else set()
    open_now = (before | rolled | doubtful) - closed
    opened = open_nights(matches.window, open_now, evidence.open_since(context)) if matches.window else {}
    kept = nights_kept(opened, evidence, context)
    rolling = rolls | (set(kept) & rolled)
    by_rule = (shown | (set(kept) & before) | unheld) - rolling
    provisional = set(kept) - by_rule - rolling
    held = WindowNights(by_rule=by_rule, rolling=rolling, provisional=provisional, rest=rest, opened=kept)
    return plan_window_change(matches.window, held, context)


def plan_provisional(matches: Matches, closed: set[date], context: Context, *, is_whole: bool) -> Action | None:
    """Return the window with the nights *closed* by a held fetch held provisionally, beside those before.

    A whole body is evidence for provisional nights as any other is: what it shows open for long enough is released.
    """
    window, before = matches.window, provisional_nights(matches)
    by_rule, rolling = rule_nights(matches), rolling_nights(matches)
    if window is None or not is_whole:
        new = (before | closed) - by_rule - rolling
        return plan_window_change(window, WindowNights(by_rule=by_rule, rolling=rolling, provisional=new), context)
    kept = nights_kept(open_nights(window, before - closed, context.at), Evidence(), context)
    waiting = {n: t for n, t in read_open(window).items() if n in by_rule | rolling} | kept
    new = (set(kept) | closed) - by_rule - rolling
    held = WindowNights(by_rule=by_rule, rolling=rolling, provisional=new, opened=waiting)
    return plan_window_change(window, held, context)


def _within_reach(held: WindowNights, end: date) -> WindowNights:
    """Return *held* without the nights from *end* on."""

    def cut(nights: set[date]) -> set[date]:
        return {n for n in nights if n < end}

    return WindowNights(
        by_rule=cut(held.by_rule),
        rolling=cut(held.rolling),
        provisional=cut(held.provisional),
        rest=None if held.rest is None else cut(held.rest),
        opened=None if held.opened is None else {n: since for n, since in held.opened.items() if n < end},
    )


def plan_window_change(window: Record | None, held: WindowNights, context: Context) -> Action | None:
    """Return the action that makes the source's window hold *held*: bookkeeping, never reported."""
    held = _within_reach(held, context.at.date() + MAX_WINDOW_AHEAD)
    everything = sorted(held.by_rule | held.rolling | held.provisional)
    if window is None and not everything:
        return None
    remote: dict[str, Json] = dict(window.remote) if window else {"kind": str(EntryKind.WINDOW)}
    remote |= {NIGHTS: write_spans(held.by_rule), PROVISIONAL: write_spans(held.provisional)}
    named = {ROLLING: held.rolling, REST: held.rest}
    remote |= {name: write_spans(nights) for name, nights in named.items() if nights or (nights is not None and name in remote)}
    remote["status"] = str(Status.UNAVAILABLE if everything else Status.VANISHED)
    if everything:
        remote |= {"check_in": everything[0].isoformat(), "check_out": (everything[-1] + DAY).isoformat()}
    if window is None:
        record_id = make_record_id(context.scope, f"window-{context.source_id}")
        created = create_action(context.new_record(record_id, "window", remote), REASON)
        return replace(created, kind=ActionKind.TOUCH)
    rules_state = window.memory if held.opened is None else with_open_nights(window.memory, held.opened)
    after = replace(window, remote=remote, memory=rules_state)
    return change_action(window, after, REASON, context.at, kind=ActionKind.TOUCH)
