"""Echoes: a closure that only repeats what is held already, told by another source or of a linked unit.

Platforms import each other's calendars and show what they imported as closures of their own. Such a closure holds its
nights like any other, but it is no booking, it makes no conflict, and nobody is told of it again: its originals are told.

    its nights to come                                                   it is
    every one held by others that it may repeat                          an echo of them
    every one held so, or left by such a one within SETTLING, when it    fading: what it repeated is gone, and its platform
    was there already                                                    has not dropped it yet (or is just dropping it)
    else                                                                 a closure of its own; nights of it may fade:
                                                                         platforms join neighbouring closures

What it may repeat: another source's, or a person's; of its own unit, of a part of it, or of a whole that it is a part of;
not what came later than itself. Reservations that say whose they are, and what a person wrote, are originals, and come
first; among closures the one that was seen first to hold a night for itself is that night's original, so that they never
explain each other in a circle. A night is no
repetition either where the closure was surely seen before the other source showed it (``holdings.was_before``): then two
sold the same night. Windows explain nothing, since nobody is told of them.

A closure that fades is told to nobody: were it told, platforms that repeat each other would keep a cancelled booking
alive for ever. It fades for SETTLING after the last that it repeated was let go, or until its platform drops it; if it is
still shown then, it is a closure of its own. Of what a source's first fetch showed nobody knows whether it repeats
anything: it does not fade, it is a closure of its own at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import reduce
from operator import or_

from bokit.core.model.records import RecordId
from bokit.core.occupancy.holdings import HeldNights, NightHistory, Since, overlapping_pairs, was_before
from bokit.core.occupancy.links import Links
from bokit.core.occupancy.night_bits import Bits, extent

SETTLING = timedelta(hours=36)
"""Platforms read calendars again after 2 to 24 hours, and drop what is no longer told them; another Bokit holds it for a day."""


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
    of: tuple[HeldNights, ...] = ()
    """The originals that an echo repeats, in the order of their nights."""
    since: datetime | None = None
    """Since when what the nights that fade repeated is gone; the earliest, where they repeated several."""
    until: datetime | None = None
    """When the first of them is a closure's own, if it is still shown; None: none is shown any more, or nobody knows."""
    has_outlived: bool = False
    """Nights of it are its own only because they were shown for longer than SETTLING after what they repeated was gone."""
    repeats: Bits = 0
    """The nights that others held first: of an echo all; of a closure of its own those that platforms joined with it."""
    fades: Bits = 0
    """The nights that fade: all of what fades; of a closure of its own those that repeated what is gone."""


OWN = Judgement()


@dataclass(slots=True)
class Part:
    """Nights of one candidate that were first seen together, and what explains them."""

    of: HeldNights
    since: Since
    own: datetime
    """Since when they are held for themselves: later than *since*, where they began as a repetition."""
    held: Bits = 0
    of_whom: dict[RecordId, tuple[HeldNights, Bits]] = field(default_factory=dict)
    """The originals of the nights that are *held*; what others repeat in turn is theirs whom they repeat."""
    left: list[tuple[datetime, Bits]] = field(default_factory=list)
    fades: list[tuple[datetime, Bits]] = field(default_factory=list)
    """Nights that fade, with the time since when what they repeated is gone."""
    has_outlived: bool = False

    @property
    def for_itself(self) -> tuple[Since]:
        """Since when they are held for themselves, to compare with another's."""
        return (Since(self.since.bits, self.own, self.since.after),)

    @property
    def order(self) -> tuple[datetime, str]:
        """Who was first to hold a night for itself is that night's original."""
        return self.own, self.of.record.id


def judge_holdings(
    holdings: Sequence[HeldNights], trails: Sequence[NightHistory], links: Links, at: datetime
) -> dict[RecordId, Judgement]:
    """Return what each candidate of *holdings* is; originals and windows are left out."""
    near = _near_candidates(holdings, links)
    left = {h.record.id: _left_beside(h, trails, links) for h in holdings if h.is_candidate}
    parts = {h.record.id: _read_parts(h, left[h.record.id]) for h in holdings if h.is_candidate}
    for part in sorted((p for found in parts.values() for p in found), key=lambda p: p.order):
        id = part.of.record.id
        _explain(part, near.get(id, ()), parts)
        _explain_by_trails(part, left[id])
        _fade(part, at)
    return {id: _judge(found) for id, found in parts.items()}


def _left_beside(candidate: HeldNights, trails: Iterable[NightHistory], links: Links) -> list[NightHistory]:
    """Return what others left that *candidate* may have repeated, the earliest first."""
    beside = (t for t in trails if t.record.source_id != candidate.source and t.record.scope in links[candidate.unit])
    return sorted((t for t in beside if t.bits & candidate.bits), key=lambda t: t.left)


def _near_candidates(holdings: Sequence[HeldNights], links: Links) -> dict[RecordId, list[HeldNights]]:
    """Return for each candidate the holdings beside it that it may repeat, originals first."""
    near: dict[RecordId, list[HeldNights]] = {}
    for pair in overlapping_pairs(h for h in holdings if h.since):
        for mine, other in (pair, pair[::-1]):
            if mine.is_candidate and mine.source != other.source and other.unit in links[mine.unit]:
                near.setdefault(mine.record.id, []).append(other)
    return {id: sorted(found, key=lambda h: h.order) for id, found in near.items()}


def _read_parts(candidate: HeldNights, left: Sequence[NightHistory]) -> list[Part]:
    """Return the nights of *candidate* by the time since when it holds them for itself.

    What began as a repetition proves nothing before it has outlived what it repeated by SETTLING: until then its platform may
    just not have dropped it, and what others show meanwhile it may repeat as well (a guest who moves twice in a day).
    """
    found = []
    for told in candidate.since:
        own = [told]
        for trail in left:
            repeated = trail.bits & _seen_before(told, trail.left) & ~was_before(own, trail.since)
            end = trail.left + SETTLING
            later = [Since(one.bits & repeated, max(one.seen, end), one.after) for one in own if one.bits & repeated]
            own = [Since(one.bits & ~repeated, one.seen, one.after) for one in own if one.bits & ~repeated] + later
        found += [Part(of=candidate, since=Since(one.bits, told.seen, told.after), own=one.seen) for one in own]
    return found


def _explain(part: Part, near: Iterable[HeldNights], parts: Mapping[RecordId, Sequence[Part]]) -> None:
    """Add which nights of *part* others held first; those of them that fade lend what they repeated themselves."""
    nights, known = part.since.bits & part.of.judged, _seen_before(part.since, None)
    for other in near:
        shared = nights & other.bits & ~was_before(part.for_itself, other.since)
        if not shared:
            continue
        if other.is_candidate:
            ahead = [p for p in parts[other.record.id] if p.order < part.order]
            fading = [(left, shared & bits) for p in ahead for left, bits in p.fades]
            part.left += [(left, bits & known) for left, bits in fading]
            shared &= _join(p.since.bits for p in ahead) & ~_join(bits for _, bits in fading)
            for original, bits in (row for p in ahead for row in p.of_whom.values()):
                shared = _attribute(part, original, bits & shared, shared)
        _attribute(part, other, shared & ~part.held, shared)


def _attribute(part: Part, original: HeldNights, nights: Bits, shared: Bits) -> Bits:
    """Note *nights* of *part* as held by *original*; return those of *shared* that are left to attribute."""
    if nights:
        before = part.of_whom.get(original.record.id, (original, 0))[1]
        part.of_whom[original.record.id] = original, before | nights
        part.held |= nights
    return shared & ~nights


def _explain_by_trails(part: Part, left: Iterable[NightHistory]) -> None:
    """Add the nights that others left when *part* was there already."""
    rest = part.since.bits & part.of.judged & ~part.held
    if rest and not part.of.is_past:
        repeated = ((t, t.bits & _seen_before(part.since, t.left) & ~was_before(part.for_itself, t.since)) for t in left)
        part.left += [(trail.left, rest & bits) for trail, bits in repeated]


def _fade(part: Part, at: datetime) -> None:
    """Add the nights of *part* that nobody holds first any more, and that were let go within SETTLING."""
    rest = 0 if part.of.is_past else part.since.bits & part.of.judged & ~part.held
    for left, nights in sorted(part.left, key=lambda row: row[0], reverse=True):
        new = rest & nights & _shown_before(part.of, left + SETTLING, at)
        part.has_outlived |= bool(rest & nights & ~new)
        rest &= ~new
        part.fades += [(left, new)] if new else []


def _judge(mine: Sequence[Part]) -> Judgement:
    """Return what a candidate is, of which *mine* are all parts."""
    holding = mine[0].of
    held, fading = _join(p.held for p in mine), [row for p in mine for row in p.fades]
    rest, fades = holding.judged & ~held, _join(bits for _, bits in fading)
    if not rest:
        return Judgement(state=State.ECHO, of=_originals(mine), repeats=held)
    outlived = any(p.has_outlived for p in mine)
    if not fades:
        return Judgement(repeats=held, has_outlived=outlived)
    shown = [left for left, bits in fading if bits & ~_unshown(holding)] if holding.held_since is None else []
    since, until = min(left for left, _ in fading), min(shown) + SETTLING if shown else None
    state = State.FADING if fades == rest else State.OWN
    return Judgement(state=state, since=since, until=until, repeats=held, fades=fades, has_outlived=outlived)


def _originals(mine: Iterable[Part]) -> tuple[HeldNights, ...]:
    """Return whom an echo repeats in the end, in the order of their nights."""
    found = {id: row[0] for part in mine for id, row in part.of_whom.items()}
    return tuple(sorted(found.values(), key=lambda h: (extent(h.bits), h.record.id)))


def _seen_before(since: Since, left: datetime | None) -> Bits:
    """Return the nights that were there when others *left* them (None: at any time); of a first fetch nobody knows."""
    return since.bits if since.after is not None and (left is None or since.seen < left) else 0


def _shown_before(candidate: HeldNights, end: datetime, at: datetime) -> Bits:
    """Return the nights of *candidate* that its source, looked at until *at*, has not shown at *end* or later."""
    late = _join(bits for bits, since in candidate.unshown if since < end)
    last_shown = min(at, candidate.held_since or at)
    return late if last_shown >= end else late | candidate.bits & ~_unshown(candidate)


def _unshown(candidate: HeldNights) -> Bits:
    return _join(bits for bits, _ in candidate.unshown)


def _join(told: Iterable[Bits]) -> Bits:
    return reduce(or_, told, 0)
