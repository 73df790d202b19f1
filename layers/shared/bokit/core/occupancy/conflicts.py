"""Conflicts: two bookings that hold the same night of the same unit, or of linked units.

neither an echo, nor fading, nor a window; at least one a reservation; a shared night to come    a conflict
an echo of what its source had read nowhere, as far as is known, and its original                a possible one
two owners' blocks                                                                               none: it costs nobody
two records of one source                                                                        only where both name their
                                                                                                 guests, be it in the summary,
                                                                                                 and differ
one that its source no longer shows, and is not released yet                                     stays one, becomes none
a departure and an arrival on one day                                                            none, unless the unit
                                                                                                 needs days between
they meet only in the night after an end late in the evening                                     possible at most
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from operator import or_
from typing import NamedTuple

from bokit.core.ical.entries import EntryKind
from bokit.core.model.records import RecordId, Scope, make_record_id
from bokit.core.occupancy.echoes import EchoState
from bokit.core.occupancy.guests import contradict, share_reference
from bokit.core.occupancy.holdings import HeldNights, overlapping_pairs, was_before
from bokit.core.occupancy.night_bits import Bits, stretch
from bokit.core.occupancy.occupancy import Booking, Occupancy


class Certainty(StrEnum):
    """How sure it is that two parties want the same night."""

    CERTAIN = "certain"
    """Two reservations that cannot be one."""
    LIKELY = "likely"
    """A reservation, and nights that a person blocked; or a closure that was there first, or whose source leaves nights of
    the other open: no repetition does."""
    POSSIBLE = "possible"
    """A reservation, and a closure that holds all its nights, or all and more, which may be a repetition from elsewhere; or
    two closures that may repeat each other; or any two that meet only in the night after a late end, whose guest may leave at
    22:00."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Two bookings that hold the same nights."""

    id: RecordId
    """Derived from the unit and the two bookings: the same pair has the same conflict."""
    unit_id: Scope
    """The unit in which they meet: of linked units, the smaller one."""
    unit_ids: tuple[Scope, ...]
    nights: tuple[date, ...]
    """Those to come; of a turnover conflict, those that the turnover needs."""
    bookings: tuple[RecordId, RecordId]
    """The one that was seen first is first."""
    certainty: Certainty
    is_turnover: bool = False
    """They share no night, but there are fewer days between them than the unit needs."""
    is_doubtful: bool = False
    """One of them is missing: most likely it was cancelled, and the other one took its nights."""


def find_conflicts(occupancy: Occupancy, turnover: Mapping[Scope, int]) -> list[Conflict]:
    """Return every conflict with a night to come, in the order of their nights; *turnover* is in days, by unit."""
    own_bookings = [b for b in occupancy.bookings if b.state is EchoState.OWN]
    held = {h.record.id: h.bits & ~b.verdict.fades & ~b.verdict.explained for b in own_bookings for h in b.holdings}
    own = [h for b in occupancy.bookings for h in b.holdings if held.get(h.record.id)]
    shared: dict[tuple[RecordId, RecordId], _Shared] = {}
    for one, other in overlapping_pairs(own, reach=max(turnover.values(), default=0)):
        first, second = occupancy.by_record[one.record.id], occupancy.by_record[other.record.id]
        if first is not second and _may_conflict(one, other, occupancy):
            found = _share(one, other, held[one.record.id], held[other.record.id], turnover)
            key = (first.id, second.id) if first.id < second.id else (second.id, first.id)
            shared[key] = _Shared(*map(or_, shared.get(key, _NOTHING), found))
    for first, second, nights in _doubtful_echoes(occupancy):
        key = (first.id, second.id) if first.id < second.id else (second.id, first.id)
        shared.setdefault(key, _Shared(nights, 0, nights))
    conflicts = [_make_conflict(key, bits, occupancy) for key, bits in shared.items()]
    return sorted((c for c in conflicts if c), key=lambda c: (c.nights, c.id))


class _Shared(NamedTuple):
    """The nights that two bookings want both."""

    met: Bits
    near: Bits  # within the days that the other's turnover needs
    firm: Bits  # of either sort, without those that are held for a late end alone


_NOTHING = _Shared(0, 0, 0)


def _doubtful_echoes(occupancy: Occupancy) -> Iterator[tuple[Booking, Booking, Bits]]:
    """Yield the echoes that may be bookings of their own, each with the original, and the nights.

    A block is none: where a feed distinguishes blocks from reservations, its guests are reservations.
    """
    echoes = (b for b in occupancy.bookings if b.state is EchoState.ECHO and b.kind is EntryKind.RESERVATION)
    for booking in echoes:
        for original, nights in booking.verdict.doubtful:
            other = occupancy.by_record[original.record.id]
            if other.state is EchoState.OWN and _may_conflict(booking.holdings[0], original, occupancy):
                yield booking, other, nights


def _may_conflict(one: HeldNights, other: HeldNights, occupancy: Occupancy) -> bool:
    if other.unit not in occupancy.links[one.unit] or EntryKind.RESERVATION not in (one.kind, other.kind):
        return False
    if one.source != other.source or one.source is None:
        return True
    mine, theirs = one.identity, other.identity
    if not (mine.is_named and theirs.is_named) or share_reference(mine, theirs):
        return False
    return contradict(mine, theirs) or bool(mine.title and theirs.title and not mine.title & theirs.title)


def _share(one: HeldNights, other: HeldNights, mine: Bits, theirs: Bits, turnover: Mapping[Scope, int]) -> _Shared:
    """Return what two holdings share, which hold *mine* and *theirs* for themselves."""
    met, near = _meet(one, other, mine, theirs, turnover)
    if not one.late | other.late:
        return _Shared(met, near, met | near)
    firm_met, firm_near = _meet(one, other, mine & ~one.late, theirs & ~other.late, turnover)
    return _Shared(met, near, firm_met | firm_near)


def _meet(one: HeldNights, other: HeldNights, mine: Bits, theirs: Bits, turnover: Mapping[Scope, int]) -> tuple[Bits, Bits]:
    """Return the nights that both hold, and those of either that the other's turnover needs."""
    near = _too_near(one, mine, theirs, turnover) | _too_near(other, theirs, mine, turnover)
    return mine & theirs, near if one.kind is other.kind else 0


def _too_near(leaving: HeldNights, mine: Bits, theirs: Bits, turnover: Mapping[Scope, int]) -> Bits:
    """Return the nights of *theirs* within the turnover days after *leaving* departs; a block needs none."""
    return 0 if leaving.kind is EntryKind.BLOCK else stretch(mine, turnover.get(leaving.unit, 0)) & theirs


def _make_conflict(key: tuple[RecordId, RecordId], bits: _Shared, occupancy: Occupancy) -> Conflict | None:
    shared, near, firm = (found & occupancy.grid.to_come for found in bits)
    if not shared | near:
        return None
    pair = sorted((occupancy.by_record[booking] for booking in key), key=lambda b: (b.seen_at, b.id))
    unit = _meeting_place(pair[0].unit_id, pair[1].unit_id, occupancy)
    digest = hashlib.sha256("/".join(key).encode()).hexdigest()[:20]
    return Conflict(
        id=make_record_id(unit, digest),
        unit_id=unit,
        unit_ids=tuple(dict.fromkeys(b.unit_id for b in pair)),
        nights=occupancy.grid.nights(shared or near),
        bookings=(pair[0].id, pair[1].id),
        certainty=_judge_certainty(pair[0], pair[1], occupancy) if firm else Certainty.POSSIBLE,
        is_turnover=not shared,
        is_doubtful=any(b.is_missing for b in pair),
    )


def _meeting_place(one: Scope, other: Scope, occupancy: Occupancy) -> Scope:
    """Return the smaller of two linked units: the one with fewer links of its own."""
    return min((one, other), key=lambda unit: (len(occupancy.links[unit]), unit))


def _judge_certainty(first: Booking, second: Booking, occupancy: Occupancy) -> Certainty:
    closures = [b for b in (first, second) if b.holdings[0].is_candidate]
    if not closures:
        return Certainty.CERTAIN if first.kind is second.kind else Certainty.LIKELY
    if any(b.state is EchoState.ECHO for b in closures):
        return Certainty.POSSIBLE
    pairs = [(c, second if c is first else first) for c in closures]
    if len(closures) == 1:
        is_likely = any(_came_first(c, o) or _leaves_open(c, o, occupancy) for c, o in pairs)
    else:
        is_likely = first.kind is second.kind and any(_leaves_open(c, o, occupancy) for c, o in pairs)
    return Certainty.LIKELY if is_likely else Certainty.POSSIBLE


def _came_first(closure: Booking, other: Booking) -> bool:
    return any(was_before(c.since, o.since) for c in closure.holdings for o in other.holdings)


def _leaves_open(closure: Booking, other: Booking, occupancy: Occupancy) -> bool:
    """Return whether the source of *closure* leaves a night to come of *other* open, or left one when it closed its own."""
    if closure.verdict.sold & {r.id for r in other.records}:
        return True
    return bool(other.bits & ~occupancy.closed_by[closure.holdings[0].source] & occupancy.grid.to_come)
