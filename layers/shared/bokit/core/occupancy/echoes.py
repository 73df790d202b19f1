"""Echoes: closures that only repeat what another source, or a linked unit, holds already.

Platforms import each other's calendars and show what they imported as closures of their own. Such a closure holds its
nights like any other, but it is not a booking, makes no conflict and is not exported: its originals are.

    its nights to come                                                   it is
    every one held by others that it may repeat                          an echo of them
    every one held so, or left by them within MAX_FADING, when it        fading: what it repeated is gone, and its platform
    was there already                                                    has not dropped it yet (or is just dropping it)
    else                                                                 a closure of its own; nights of it may fade:
                                                                         platforms join neighbouring closures

A closure may repeat another source's or a person's nights: of its own unit, of a part of it, or of a whole that it is a
part of, but not what came later than itself. Reservations that identify their guest, and what a person entered, are
originals, and come first. Among closures the one that was seen first to hold a night for itself is that night's original,
which rules out cyclic echo relations. A closure that was surely seen before the other source showed the night
(``holdings.was_before``) repeats nothing either: two sold the same night. Windows explain nothing, since they are not
exported.

A fading closure is not exported: otherwise platforms that repeat each other would keep a cancelled booking alive for ever.
It fades for MAX_FADING after the last original was released, or until its platform drops it; if it is still shown then, it
is a closure of its own. Whether the closures of a source's first fetch repeat anything is not known: they do not fade, they
are closures of their own at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import reduce
from operator import or_

from bokit.core.model.records import RecordId, SourceId
from bokit.core.occupancy.holdings import FirstSeen, HeldNights, LeftNights, overlapping_pairs, was_before
from bokit.core.occupancy.limits import MAX_FADING
from bokit.core.occupancy.links import Links
from bokit.core.occupancy.night_bits import Bits, extent


class EchoState(StrEnum):
    """What a booking is to the others."""

    OWN = "own"
    """A booking, or a closure of its own."""
    ECHO = "echo"
    FADING = "fading"
    WINDOW = "window"


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoVerdict:
    """What a record's nights are to the others."""

    state: EchoState = EchoState.OWN
    of: tuple[HeldNights, ...] = ()
    """The originals that an echo repeats, in the order of their nights."""
    since: datetime | None = None
    """Since when what the fading nights repeated is gone; the earliest, where they repeated several."""
    until: datetime | None = None
    """When the first of them is a closure's own, if it is still shown; None: none is shown any more, or not known."""
    has_outlived: bool = False
    """Nights of it are its own only because they were shown for longer than MAX_FADING after what they repeated was gone."""
    repeats: Bits = 0
    """The nights that others held first: of an echo all; of a closure of its own those that platforms joined with it."""
    repeated: tuple[tuple[HeldNights, Bits], ...] = ()
    """The same nights, by the originals that hold them."""
    fades: Bits = 0
    """The nights that fade: all of a fading closure; of a closure of its own those that repeated what is gone."""


OWN = EchoVerdict()


@dataclass(slots=True)
class CandidateNights:
    """Nights of one possible echo that were first seen together, and what explains them."""

    of: HeldNights
    since: FirstSeen
    own: datetime
    """Since when they are held for themselves: later than *since*, where they began as a repetition."""
    held: Bits = 0
    originals: dict[RecordId, tuple[HeldNights, Bits]] = field(default_factory=dict)
    """The originals of the nights that are *held*; nights of another echo are attributed to that echo's originals."""
    left: list[tuple[datetime, Bits]] = field(default_factory=list)
    fades: list[tuple[datetime, Bits]] = field(default_factory=list)
    """Nights that fade, with the time since when what they repeated is gone."""
    has_outlived: bool = False

    @property
    def for_itself(self) -> tuple[FirstSeen]:
        """Since when they are held for themselves, to compare with another's."""
        return (FirstSeen(self.since.bits, self.own, self.since.after),)

    @property
    def order(self) -> tuple[datetime, str]:
        """The first to hold a night for itself is that night's original."""
        return self.own, self.of.record.id


def judge_echoes(
    holdings: Sequence[HeldNights], left_nights: Sequence[LeftNights], links: Links, at: datetime
) -> dict[RecordId, EchoVerdict]:
    """Return what each possible echo among *holdings* is; originals and windows are left out."""
    near = _near_candidates(holdings, links)
    closed = _closed_by_source(holdings)
    left = {h.record.id: _left_beside(h, closed[h.source], left_nights, links) for h in holdings if h.is_candidate}
    parts = {h.record.id: _read_parts(h, left[h.record.id]) for h in holdings if h.is_candidate}
    for part in sorted((p for found in parts.values() for p in found), key=lambda p: p.order):
        candidate = part.of.record.id
        _explain_by_held(part, near.get(candidate, ()), parts)
        _explain_by_left(part, left[candidate])
        _fade(part, at)
    return {candidate: _judge(found) for candidate, found in parts.items()}


def _closed_by_source(holdings: Iterable[HeldNights]) -> dict[SourceId | None, Bits]:
    """Return the nights that each source closes in any way, windows included."""
    closed: dict[SourceId | None, Bits] = {}
    for holding in holdings:
        closed[holding.source] = closed.get(holding.source, 0) | holding.bits
    return closed


def _left_beside(candidate: HeldNights, closed: Bits, left_nights: Iterable[LeftNights], links: Links) -> list[LeftNights]:
    """Return what others left that *candidate* may have repeated, the earliest first; *closed* is all that its source closes.

    Platforms import whole bookings: where a source that had time to import a booking left some of its nights open, it
    sold the others itself.
    """
    beside = [n for n in left_nights if n.record.source_id != candidate.source and n.record.scope in links[candidate.unit]]
    whole: dict[tuple[RecordId, datetime], Bits] = {}
    for n in beside:
        if n.since[0].seen < candidate.seen_at:
            whole[n.record.id, n.left] = whole.get((n.record.id, n.left), 0) | n.to_come
    mine = (n for n in beside if n.bits & candidate.bits and not whole.get((n.record.id, n.left), 0) & ~closed)
    return sorted(mine, key=lambda n: n.left)


def _near_candidates(holdings: Sequence[HeldNights], links: Links) -> dict[RecordId, list[HeldNights]]:
    """Return for each candidate the holdings beside it that it may repeat, originals first."""
    near: dict[RecordId, list[HeldNights]] = {}
    for pair in overlapping_pairs(h for h in holdings if h.since):
        for mine, other in (pair, pair[::-1]):
            if mine.is_candidate and mine.source != other.source and other.unit in links[mine.unit]:
                near.setdefault(mine.record.id, []).append(other)
    return {candidate: sorted(found, key=lambda h: h.order) for candidate, found in near.items()}


def _read_parts(candidate: HeldNights, left: Sequence[LeftNights]) -> list[CandidateNights]:
    """Return the nights of *candidate* by the time since when it holds them for itself.

    What began as a repetition proves nothing before it has outlived what it repeated by MAX_FADING: until then its platform
    may just not have dropped it, and it may also repeat what others show meanwhile (a guest who moves twice in a day).
    """
    found = []
    for first in candidate.since:
        own = [first]
        for nights in left:
            repeated = nights.bits & _seen_before(first, nights.left) & ~was_before(own, nights.since)
            end = nights.left + MAX_FADING
            later = [FirstSeen(one.bits & repeated, max(one.seen, end), one.after) for one in own if one.bits & repeated]
            own = [FirstSeen(one.bits & ~repeated, one.seen, one.after) for one in own if one.bits & ~repeated] + later
        found += [CandidateNights(of=candidate, since=FirstSeen(one.bits, first.seen, first.after), own=one.seen) for one in own]
    return found


def _explain_by_held(
    part: CandidateNights, near: Iterable[HeldNights], parts: Mapping[RecordId, Sequence[CandidateNights]]
) -> None:
    """Add which nights of *part* others held first; those of them that fade pass on what they repeated themselves."""
    nights, known = part.since.bits & part.of.judged, _seen_before(part.since, None)
    for other in near:
        shared = nights & other.bits & ~was_before(part.for_itself, other.since)
        if shared and other.is_candidate:
            ahead = [p for p in parts[other.record.id] if p.order < part.order]
            fading = [(left, shared & bits) for p in ahead for left, bits in p.fades]
            part.left += [(left, bits & known) for left, bits in fading]
            shared &= _join(p.since.bits for p in ahead) & ~_join(bits for _, bits in fading)
            for original, bits in (row for p in ahead for row in p.originals.values()):
                shared = _attribute(part, original, bits & shared, shared)
        _attribute(part, other, shared & ~part.held, shared)


def _attribute(part: CandidateNights, original: HeldNights, nights: Bits, shared: Bits) -> Bits:
    """Note *nights* of *part* as held by *original*; return those of *shared* that are left to attribute."""
    if nights:
        before = part.originals.get(original.record.id, (original, 0))[1]
        part.originals[original.record.id] = original, before | nights
        part.held |= nights
    return shared & ~nights


def _explain_by_left(part: CandidateNights, left: Iterable[LeftNights]) -> None:
    """Add the nights that others left when *part* was there already."""
    rest = part.since.bits & part.of.judged & ~part.held
    if rest and not part.of.is_past:
        repeated = ((n, n.bits & _seen_before(part.since, n.left) & ~was_before(part.for_itself, n.since)) for n in left)
        part.left += [(nights.left, rest & bits) for nights, bits in repeated]


def _fade(part: CandidateNights, at: datetime) -> None:
    """Add the nights of *part* that no other holds first any more, and that were released within MAX_FADING."""
    rest = 0 if part.of.is_past else part.since.bits & part.of.judged & ~part.held
    for left, nights in sorted(part.left, key=lambda row: row[0], reverse=True):
        new = rest & nights & _shown_before(part.of, left + MAX_FADING, at)
        part.has_outlived |= bool(rest & nights & ~new)
        rest &= ~new
        part.fades += [(left, new)] if new else []


def _judge(parts: Sequence[CandidateNights]) -> EchoVerdict:
    """Return what the candidate is that *parts* are all nights of."""
    holding = parts[0].of
    held, fading = _join(p.held for p in parts), [row for p in parts for row in p.fades]
    rest, fades = holding.judged & ~held, _join(bits for _, bits in fading)
    repeated = tuple(row for p in parts for row in p.originals.values())
    if not rest:
        return EchoVerdict(state=EchoState.ECHO, of=_originals(parts), repeats=held, repeated=repeated)
    outlived = any(p.has_outlived for p in parts)
    if not fades:
        return EchoVerdict(repeats=held, repeated=repeated, has_outlived=outlived)
    shown = [left for left, bits in fading if bits & ~_unshown(holding)] if holding.held_since is None else []
    since, until = min(left for left, _ in fading), min(shown) + MAX_FADING if shown else None
    state = EchoState.FADING if fades == rest else EchoState.OWN
    return EchoVerdict(state=state, since=since, until=until, repeats=held, repeated=repeated, fades=fades, has_outlived=outlived)


def _originals(parts: Iterable[CandidateNights]) -> tuple[HeldNights, ...]:
    """Return the originals of an echo, in the order of their nights."""
    found = {original: row[0] for part in parts for original, row in part.originals.items()}
    return tuple(sorted(found.values(), key=lambda h: (extent(h.bits), h.record.id)))


def _seen_before(since: FirstSeen, left: datetime | None) -> Bits:
    """Return the nights that were there when others *left* them (None: at any time); of a first fetch this is not known."""
    return since.bits if since.after is not None and (left is None or since.seen < left) else 0


def _shown_before(candidate: HeldNights, end: datetime, at: datetime) -> Bits:
    """Return the nights of *candidate* that its source, read until *at*, has not shown at *end* or later."""
    late = _join(bits for bits, since in candidate.unshown if since < end)
    last_shown = min(at, candidate.held_since or at)
    return late if last_shown >= end else late | candidate.bits & ~_unshown(candidate)


def _unshown(candidate: HeldNights) -> Bits:
    return _join(bits for bits, _ in candidate.unshown)


def _join(nights: Iterable[Bits]) -> Bits:
    return reduce(or_, nights, 0)
