"""The window: one record a source, which holds the nights that the platform's own rules close, and is no booking.

It also holds, apart and provisionally, what a feed closes that may be another listing's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date

from bokit.core.bookings.evidence import Evidence, Opened, open_nights, remember, unripe
from bokit.core.bookings.matching import Matches
from bokit.core.bookings.nights import DAY, nights, nights_of, read_spans, write_spans
from bokit.core.bookings.stay import NIGHTS, PROVISIONAL, window_nights
from bokit.core.ical.entries import BLOCKING, Entry, Kind, Status
from bokit.core.model.merge import change_action, create_action
from bokit.core.model.plan import Action, ActionKind
from bokit.core.model.records import Json, Record, make_record_id
from bokit.core.model.source_rules import Context

REASON = "nights that the calendar's own rules close"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a window holds: by rule, and provisionally; and which of its nights the feed shows open."""

    by_rule: set[date] = field(default_factory=set)
    provisional: set[date] = field(default_factory=set)
    opened: Opened | None = None
    """None: this fetch says nothing of it."""


def held_window(matches: Matches) -> set[date]:
    """Return the nights to come that the source's window held by rule, before this fetch."""
    return {n for n in window_nights(matches.window) if n >= matches.today}


def held_provisionally(matches: Matches) -> set[date]:
    """Return the nights to come that the source's window held provisionally, before this fetch."""
    spans = matches.window.remote.get(PROVISIONAL, ()) if matches.window else ()
    return {n for n in nights_of(read_spans(spans)) if n >= matches.today}


def closed_nights(entries: Iterable[object], today: date) -> set[date]:
    """Return every night from *today* on that *entries* close."""
    told = [e for e in entries if isinstance(e, Entry) and e.status in BLOCKING]
    return {n for e in told for n in nights(max(e.check_in, today), e.check_out)}


def plan_window(matches: Matches, context: Context, evidence: Evidence, unheld: set[date]) -> Action | None:
    """Return the change of the source's window.

    night                                         result
    closed by a window entry                      held
    closed by the feed, and *unheld* by any stay  held, whatever the identity rules think
    held before, closed by another entry          that entry's now
    held before, open for less than long enough   held
    held before, open for long enough, or past    let go
    held provisionally                            let go: the source's own feed is back, and whole
    closed in a fetch that a guard holds          held provisionally: the next whole feed says whether it is so
    """
    shown = closed_nights(matches.windows, matches.today)
    if not evidence.releases:
        before = held_window(matches)
        new = (shown | unheld | held_provisionally(matches)) - before
        return write_window(matches.window, Held(by_rule=before, provisional=new), context)
    others = held_window(matches) - shown - matches.closed
    opened = open_nights(matches.window, others, context.at) if matches.window else {}
    kept = unripe(opened, evidence, context)
    held = Held(by_rule=shown | set(kept) | unheld, opened=kept if evidence.releases else None)
    return write_window(matches.window, held, context)


def plan_provisional(matches: Matches, entries: Iterable[object], context: Context) -> Action | None:
    """Return the window with the nights of *entries*, which may be another listing's, held provisionally."""
    held = Held(by_rule=held_window(matches), provisional=closed_nights(entries, matches.today))
    return write_window(matches.window, held, context)


def write_window(window: Record | None, held: Held, context: Context) -> Action | None:
    """Return the action that makes the source's window hold *held*; it is remembered, and no event."""
    everything = sorted(held.by_rule | held.provisional)
    if window is None and not everything:
        return None
    remote: dict[str, Json] = dict(window.remote) if window else {"kind": str(Kind.WINDOW)}
    remote |= {NIGHTS: write_spans(held.by_rule), PROVISIONAL: write_spans(held.provisional)}
    remote["status"] = str(Status.UNAVAILABLE if everything else Status.VANISHED)
    if everything:
        remote |= {"check_in": everything[0].isoformat(), "check_out": (everything[-1] + DAY).isoformat()}
    if window is None:
        return replace(create_action(_new_window(remote, context), REASON), kind=ActionKind.TOUCH)
    memory = window.memory if held.opened is None else remember(window.memory, held.opened)
    return change_action(window, REASON, context.at, kind=ActionKind.TOUCH, remote=remote, memory=memory)


def _new_window(remote: dict[str, Json], context: Context) -> Record:
    return Record(
        id=make_record_id(context.scope, f"window-{context.source_id}"),
        tenant=context.tenant,
        collection=context.collection,
        scope=context.scope,
        source_id=context.source_id,
        key="window",
        remote=remote,
        created_at=context.at,
        updated_at=context.at,
    )
