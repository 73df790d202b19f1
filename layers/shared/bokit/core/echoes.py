"""Echoes: a closure that only repeats what is held already, told by another source or of a linked unit.

Platforms import each other's calendars and show what they imported as closures of their own. Such a closure holds its
nights like any other, but it is no booking, it makes no conflict, and nobody is told of it again: its originals are told.

    its nights to come                                                   it is
    every one held by others that it may repeat                          an echo of them
    every one held so, or left by such a one within SETTLING, when it    fading: what it repeated is gone, and its platform
    was there already                                                    has not dropped it yet (or is just dropping it)
    else                                                                 a closure of its own

What it may repeat: another source's, or a person's; of its own unit, of a part of it, or of a whole that it is a part of;
not what came later than itself. Reservations that say whose they are, and what a person wrote, are originals, and come
first; among closures the one seen first is the original, so that they never explain each other in a circle. A night is no
repetition either where the closure was surely seen before the other source showed it (``holdings.was_before``): then two
sold the same night. Windows explain nothing, since nobody is told of them.

A closure that fades is told to nobody: were it told, platforms that repeat each other would keep a cancelled booking
alive for ever. It fades for SETTLING after the last that it repeated was let go, or until its platform drops it; if it is
still shown then, it is a closure of its own. Of what a source's first fetch showed nobody knows whether it repeats
anything: it does not fade, it is a closure of its own at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from bokit.core.holdings import Holding, Since, Trail, find_neighbours, was_before
from bokit.core.links import Links
from bokit.core.night_bits import Bits, extent
from bokit.core.records import Presence, RecordId

SETTLING = timedelta(hours=24)
"""Platforms read calendars again after 2 to 24 hours, and drop what is no longer told them."""


class State(StrEnum):
    """What a holding is to the others."""

    OWN = "own"
    """A booking, or a closure of its own."""
    ECHO = "echo"
    FADING = "fading"
    WINDOW = "window"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a holding is, and of what."""

    state: State = State.OWN
    of: tuple[Holding, ...] = ()
    """The originals that an echo repeats, in the order of their nights."""
    since: datetime | None = None
    """Fading: since when what it repeated is gone."""
    until: datetime | None = None
    """Fading: when it is a closure of its own, if it is still shown; None: it is not shown any more."""


OWN = Judgement()


@dataclass(slots=True)
class Explained:
    """Which nights of one candidate are explained, and by whom."""

    held: Bits = 0
    by: list[Holding] = field(default_factory=list)
    left: list[tuple[datetime, Bits]] = field(default_factory=list)


def judge_holdings(holdings: Sequence[Holding], trails: Sequence[Trail], links: Links, at: datetime) -> dict[RecordId, Judgement]:
    """Return what each of *holdings*, which come in order, is; originals and windows are left out."""
    near = _near_candidates(holdings, links)
    judged: dict[RecordId, Judgement] = {}
    for candidate in (h for h in holdings if h.is_candidate):
        explained = _explain(candidate, near.get(candidate.record.id, ()), judged)
        _explain_by_trails(candidate, explained, trails, links)
        judged[candidate.record.id] = _judge(candidate, explained, judged, at)
    return judged


def _near_candidates(holdings: Sequence[Holding], links: Links) -> dict[RecordId, list[Holding]]:
    """Return for each candidate the holdings that it may repeat, in order."""
    near: dict[RecordId, list[Holding]] = {}
    bookings = [h for h in holdings if h.since]
    for one, other in find_neighbours(bookings):
        first, later = sorted((one, other), key=lambda h: h.order)
        if later.is_candidate and later.source != first.source and first.unit in links[later.unit]:
            near.setdefault(later.record.id, []).append(first)
    return {id: sorted(found, key=lambda h: h.order) for id, found in near.items()}


def _explain(candidate: Holding, near: Iterable[Holding], judged: dict[RecordId, Judgement]) -> Explained:
    """Return which nights of *candidate* those before it hold; a fading one only lends what it repeated itself."""
    told = Explained()
    for other in near:
        shared = candidate.judged & other.bits & ~was_before(candidate.since, other.since)
        judgement = judged.get(other.record.id, OWN)
        if judgement.since is not None:
            told.left.append((judgement.since, shared & _seen_before(candidate.since, None)))
        elif shared & ~told.held:
            told.held |= shared
            told.by.append(other)
    return told


def _explain_by_trails(candidate: Holding, told: Explained, trails: Iterable[Trail], links: Links) -> None:
    """Add the nights that others left when *candidate* was there already."""
    if candidate.is_past or not candidate.judged & ~told.held:
        return
    for trail in trails:
        if trail.record.source_id != candidate.source and trail.record.scope in links[candidate.unit]:
            there = _seen_before(candidate.since, trail.left)
            told.left.append((trail.left, candidate.judged & trail.bits & there & ~was_before(candidate.since, trail.since)))


def _seen_before(since: Iterable[Since], left: datetime | None) -> Bits:
    """Return the nights that were there when others *left* them (None: at any time), but for those of a first fetch."""
    there = 0
    for one in since:
        there |= one.bits if one.after is not None and (left is None or one.seen < left) else 0
    return there


def _judge(candidate: Holding, told: Explained, judged: dict[RecordId, Judgement], at: datetime) -> Judgement:
    rest = candidate.judged & ~told.held
    if not rest:
        return Judgement(state=State.ECHO, of=_originals(told.by, judged))
    is_shown = candidate.record.presence is Presence.PRESENT
    last_shown = at if is_shown else candidate.record.missing_since or at
    for left, nights in sorted(told.left, key=lambda row: row[0], reverse=True):
        if left + SETTLING <= last_shown:
            return OWN
        rest &= ~nights
        if not rest:
            until = left + SETTLING if is_shown else None
            return Judgement(state=State.FADING, since=left, until=until)
    return OWN


def _originals(by: Iterable[Holding], judged: dict[RecordId, Judgement]) -> tuple[Holding, ...]:
    """Return whom an echo repeats in the end: an echo's own originals in its place."""
    found: dict[RecordId, Holding] = {}
    for holding in by:
        of = judged.get(holding.record.id, OWN).of or (holding,)
        found |= {h.record.id: h for h in of}
    return tuple(sorted(found.values(), key=lambda h: (extent(h.bits), h.record.id)))
