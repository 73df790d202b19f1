"""Conflicts: bookings that hold the same nights of the same unit, or of linked units.

Two bookings are in conflict:

neither an echo, nor fading, nor a window; at least one a reservation; a shared night to come    yes
an echo of what its source had read nowhere, as far as is known, and its original                possibly
two owners' blocks                                                                               no: it costs nobody
two records of one source                                                                        only where both name their
                                                                                                 guests, be it in the summary,
                                                                                                 and differ
one that its source no longer shows, and is not released yet                                     they stay so, and do not
                                                                                                 become so
a departure and an arrival on one day                                                            no, unless the unit needs
                                                                                                 days between
they meet only in the night after an end late in the evening                                     possibly at most

A conflict is a group of them: all that are connected with each other over shared nights. Guests who leave and those who
arrive too soon after them, without sharing a night, are a group of their own for each gap; it says nothing more where all of
them are in one conflict already.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import date
from functools import reduce
from itertools import chain, pairwise
from operator import or_
from typing import NamedTuple

from bokit.core.ical.entries import EntryKind
from bokit.core.model.records import RecordId, Scope, make_record_id
from bokit.core.occupancy.echo_verdict import EchoState
from bokit.core.occupancy.limits import MAX_CONFLICT_BOOKINGS
from bokit.core.occupancy.night_bits import Bits
from bokit.core.occupancy.occupancy import Booking, Occupancy
from bokit.core.occupancy.overlaps import Certainty, Overlap, Overlaps
from bokit.core.occupancy.timeline import Members, each, find_components
from bokit.values import Value

__all__ = ["Certainty", "Conflict", "find_conflicts"]


class Conflict(Value):
    """Bookings that hold the same nights."""

    unit_id: Scope
    """The unit in which they meet: of linked units, the smallest one."""
    unit_ids: tuple[Scope, ...]
    nights: tuple[date, ...]
    """Those to come that two of them hold; of a turnover conflict, those that the turnover needs."""
    records: tuple[tuple[RecordId, ...], ...]
    """Of each booking its records, the first of which gives it its id; the booking that was seen first is first."""
    certainty: Certainty
    """The highest of any two of them."""
    is_turnover: bool = False
    """They share no night, but there are fewer days between them than the unit needs."""
    gap: str = ""
    """Of a turnover conflict, what the first booking does in it: one that leaves too late may also arrive too early."""

    @property
    def bookings(self) -> tuple[RecordId, ...]:
        """Their ids."""
        return tuple(records[0] for records in self.records)

    @property
    def members(self) -> frozenset[RecordId]:
        """Every record of theirs."""
        return frozenset(chain.from_iterable(self.records))

    def id_of(self, turn: int = 0) -> RecordId:
        """Return the id with which it is opened, made of the unit and the first booking; *turn*: where others have that.

        It keeps its id when bookings come and go (``conflict_records``).
        """
        parts = [self.bookings[0], *filter(None, [self.gap]), *[str(turn)] * bool(turn)]
        return make_record_id(self.unit_id, hashlib.sha256("/".join(parts).encode()).hexdigest()[:20])


class _Group(NamedTuple):
    """Bookings that are connected with each other."""

    bookings: tuple[Booking, ...]
    """The one that was seen first is first."""
    nights: Mapping[RecordId, Bits]
    """What each shares with others."""
    certainty: Certainty
    gap: str = ""


class _Place(NamedTuple):
    """A holding in a graph of conflicts, and what it meets there."""

    booking: Booking
    met: Overlap
    number: int | None = None
    """Of the holding; an echo has none."""
    gap: str = ""


def find_conflicts(
    occupancy: Occupancy, turnover: Mapping[Scope, int], known: Iterable[Iterable[RecordId]] | None = None
) -> list[Conflict]:
    """Return every conflict with a night to come, in the order of their nights; *turnover* is in days, by unit.

    *known*: the records of each open conflict. With it, missing bookings stay in their conflicts, and join no other.
    """
    overlaps = Overlaps(occupancy, turnover, known)
    shared = _read_groups(overlaps, *_shared_graph(overlaps))
    numbers = {booking.id: number for number, group in enumerate(shared) for booking in group.bookings}
    gaps = [g for g in _read_groups(overlaps, *_turnover_graph(overlaps)) if not _is_one({numbers.get(b.id) for b in g.bookings})]
    conflicts = [_make_conflict(part, occupancy) for group in [*shared, *gaps] for part in _cut(group)]
    return sorted(conflicts, key=lambda c: (c.nights, c.id_of()))


def _is_one(groups: Set[int | None]) -> bool:
    """Return whether all bookings of a gap are in one conflict already."""
    return len(groups) == 1 and None not in groups


def _shared_graph(overlaps: Overlaps) -> tuple[list[_Place], list[Members]]:
    """Return the holdings with the nights that they share, and echoes that may be bookings of their own; and their edges."""
    places = [_Place(b, met, n) for n, (b, met) in enumerate(zip(overlaps.bookings, overlaps.shared, strict=True))]
    edges = [met.others and met.others | overlaps.mask[booking.id] for booking, met, *_ in places]
    numbers: dict[RecordId, int] = {}
    for echo, original, nights in _doubtful_echoes(overlaps):
        mine = numbers.setdefault(echo.id, len(places))
        if mine == len(places):
            places.append(_Place(echo, Overlap()))
            edges.append(0)
        places[mine] = _Place(echo, Overlap(nights=places[mine].met.nights | nights))
        their_mask = overlaps.mask[original.id]
        theirs = next(each(their_mask))
        edges[mine] |= 1 << theirs
        edges[theirs] |= their_mask | 1 << mine
    return places, edges


def _doubtful_echoes(overlaps: Overlaps) -> Iterator[tuple[Booking, Booking, Bits]]:
    """Yield the echoes that may be bookings of their own, each with the original, and the nights to come.

    A block is none: where a feed distinguishes blocks from reservations, its guests are reservations.
    """
    occupancy = overlaps.occupancy
    echoes = (b for b in occupancy.bookings if b.state is EchoState.ECHO and b.kind is EntryKind.RESERVATION)
    for booking in echoes:
        for original, nights in booking.verdict.doubtful:
            other = occupancy.by_record[original.record.id]
            if other.state is EchoState.OWN and nights & occupancy.grid.to_come and overlaps.counts(booking, other):
                yield booking, other, nights & occupancy.grid.to_come


def _turnover_graph(overlaps: Overlaps) -> tuple[list[_Place], list[Members]]:
    """Return each holding twice, as one that leaves and one that arrives: two gaps of one guest are two conflicts."""
    leaves, arrives = overlaps.find_turnovers()
    size = len(leaves)
    if not any(met.others for met in leaves):  # most units need no day between two guests
        return [], []
    places = [_Place(overlaps.bookings[n], met, n, "leaves") for n, met in enumerate(leaves)]
    places += [_Place(overlaps.bookings[n], met, n, "arrives") for n, met in enumerate(arrives)]
    masks = [overlaps.mask[booking.id] for booking in overlaps.bookings]
    edges = [met.others and met.others << size | mask for met, mask in zip(leaves, masks, strict=True)]
    return places, edges + [met.others and met.others | mask << size for met, mask in zip(arrives, masks, strict=True)]


def _read_groups(overlaps: Overlaps, places: Sequence[_Place], edges: Sequence[Members]) -> list[_Group]:
    """Return the groups of two bookings or more."""
    found = [[places[n] for n in each(members)] for members in find_components(edges)]
    found = [group for group in found if any(place.booking is not group[0].booking for place in group)]
    sure = [max((_certainty(overlaps, place) for place in group), key=_RANK.index) for group in found]
    open_questions = [group for group, certainty in zip(found, sure, strict=True) if certainty is Certainty.POSSIBLE]
    closures = [n for group in open_questions for place in group if (n := _closure_of(overlaps, place)) is not None]
    first = overlaps.find_first(reduce(or_, (1 << n for n in closures), 0))
    return [_read_group(group, certainty, first) for group, certainty in zip(found, sure, strict=True)]


_RANK = (Certainty.POSSIBLE, Certainty.LIKELY, Certainty.CERTAIN)


def _certainty(overlaps: Overlaps, place: _Place) -> Certainty:
    """Return how sure the conflicts of *place* are, but for who was first."""
    if place.number is None or not place.met.firm:
        return Certainty.POSSIBLE
    if overlaps.certain(place.number) & place.met.firm:
        return Certainty.CERTAIN
    return Certainty.LIKELY if overlaps.likely(place.number) & place.met.firm else Certainty.POSSIBLE


def _closure_of(overlaps: Overlaps, place: _Place) -> int | None:
    """Return the number of the holding in *place* where it is a closure that meets an original."""
    is_closure = place.number is not None and overlaps.closures >> place.number & 1
    return place.number if is_closure and place.met.firm & ~overlaps.closures else None


def _read_group(places: Sequence[_Place], certainty: Certainty, first: Mapping[int, Members]) -> _Group:
    """Return the group of *places*; *first*: the originals that each closure in question was there before."""
    by_id = {p.booking.id: p.booking for p in places}
    nights: dict[RecordId, Bits] = {}
    for place in places:
        nights[place.booking.id] = nights.get(place.booking.id, 0) | place.met.nights
    bookings = sorted(by_id.values(), key=lambda b: (b.seen_at, b.id))
    was_first = any(p.met.firm & first.get(p.number, 0) for p in places if p.number is not None)
    return _Group(
        bookings=tuple(bookings),
        nights=nights,
        certainty=Certainty.LIKELY if was_first and certainty is Certainty.POSSIBLE else certainty,
        gap=next(p.gap for p in places if p.booking is bookings[0]),
    )


def _cut(group: _Group) -> Iterator[_Group]:
    """Yield *group*, in parts where it has more bookings than one record takes."""
    many = len(group.bookings)
    parts = -(-many // MAX_CONFLICT_BOOKINGS)
    ends = [many * n // parts for n in range(parts + 1)]
    yield from (group._replace(bookings=group.bookings[start:end]) for start, end in pairwise(ends))


def _make_conflict(group: _Group, occupancy: Occupancy) -> Conflict:
    units = tuple(dict.fromkeys(b.unit_id for b in group.bookings))
    return Conflict(
        unit_id=min(units, key=lambda unit: (len(occupancy.links[unit]), unit)),
        unit_ids=units,
        nights=occupancy.grid.nights(reduce(or_, (group.nights[b.id] for b in group.bookings))),
        records=tuple(tuple(record.id for record in b.records) for b in group.bookings),
        certainty=group.certainty,
        is_turnover=bool(group.gap),
        gap=group.gap,
    )
