"""Which bookings want the same nights, and how sure that is, for all of them at once.

Every holding is a bit. For each one, a few operations on sets give all that it may conflict with: those of linked units, of
other sources, or of its own that name another guest. The timeline then gives which of them hold its nights. Nothing is
compared in pairs: three hundred bookings of one night are three hundred steps, not 44,850.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cached_property, reduce
from operator import itemgetter, or_
from typing import NamedTuple, TypeVar

from bokit.core.ical.entries import EntryKind
from bokit.core.model.records import Presence, RecordId, Scope, SourceId
from bokit.core.occupancy.contradictions import Contradictions
from bokit.core.occupancy.echo_verdict import EchoState
from bokit.core.occupancy.holdings import HeldNights
from bokit.core.occupancy.night_bits import Bits, stretch
from bokit.core.occupancy.occupancy import Booking, Occupancy
from bokit.core.occupancy.timeline import Members, Timeline, each

Key = TypeVar("Key", bound=Hashable)


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


class Overlap(NamedTuple):
    """What one holding shares with others."""

    nights: Bits = 0
    others: Members = 0
    firm: Members = 0
    """Those of the others that it meets not only in a night that is held for a late end alone."""


NOTHING = Overlap()


class Overlaps:
    """The holdings of *occupancy* that hold nights to come for themselves, and which of them meet.

    *known*: the bookings of each conflict that is open, by the ids of their records. With it, a booking that is missing (most
    likely it was cancelled, and others took its nights) meets only those that it is known to be in conflict with.
    """

    def __init__(
        self, occupancy: Occupancy, turnover: Mapping[Scope, int], known: Iterable[Iterable[RecordId]] | None = None
    ) -> None:
        self.occupancy, self._turnover = occupancy, turnover
        own = [(b, h, _own_nights(b, h)) for b in occupancy.bookings if b.verdict.state is EchoState.OWN for h in b.holdings]
        rows = [row for row in own if row[2]]
        self.bookings: Sequence[Booking] = [booking for booking, _, _ in rows]
        self.holdings: Sequence[HeldNights] = [holding for _, holding, _ in rows]
        self.all_nights: Sequence[Bits] = [nights for _, _, nights in rows]
        self.nights: Sequence[Bits] = [nights & occupancy.grid.to_come for nights in self.all_nights]
        self.mask = _number_bookings(self.bookings)
        self._classes: dict[tuple[Scope, EntryKind, SourceId | None], Members] = {}
        self._twice: dict[SourceId | None, Bits] = {}
        self._contradictions: dict[SourceId | None, Contradictions] = {}
        self._left_open: dict[SourceId | None, Members] = {}
        self._known = None if known is None else _number_known(known, occupancy)

    # ── who may conflict with whom ──

    def may_meet(self, n: int) -> Members:
        """Return those that are in conflict with the n-th wherever they share a night.

        of linked units, one of the two a reservation, of two sources            yes
        of one source                                                           where both name their guests, and differ
        one of them is missing                                                  only where an open conflict has both
        """
        holding = self.holdings[n]
        found = self._of_other_sources(n)
        if holding.source is not None:
            found |= self._of_other_guests(holding) & self._of_links(holding.unit) & self._of_kinds(holding.kind)
        return found & self._counted(n) & ~self.mask[self.bookings[n].id]

    def _may_share(self, n: int) -> Members:
        """Return what :meth:`may_meet` does, of those that share a night with the n-th: seldom one of its own source."""
        if self.nights[n] & self._held_twice_by(self.holdings[n].source):
            return self.may_meet(n)
        return self._of_other_sources(n) & self._counted(n) & ~self.mask[self.bookings[n].id]

    def _held_twice_by(self, source: SourceId | None) -> Bits:
        """Return the nights that two or more of *source* hold; of those entered by hand none, who are no source."""
        if source not in self._twice:
            mine = each(self._of_source(source))
            self._twice[source] = _held_twice(self.nights[n] for n in mine)
        return self._twice[source]

    def _of_other_sources(self, n: int) -> Members:
        """Return those of linked units and of other sources with which the n-th may be in conflict."""
        holding = self.holdings[n]
        key = holding.unit, holding.kind, holding.source
        if key not in self._classes:
            self._classes[key] = self._of_links(holding.unit) & self._of_kinds(holding.kind) & ~self._of_source(holding.source)
        return self._classes[key]

    def _of_links(self, unit: Scope) -> Members:
        return reduce(or_, (self._by_unit.get(linked, 0) for linked in self.occupancy.links[unit]), 0)

    def _of_kinds(self, kind: EntryKind) -> Members:
        """Return those that an entry of *kind* may conflict with: two blocks cost nobody."""
        return self.reservations if kind is EntryKind.BLOCK else self._everyone

    def _of_source(self, source: SourceId | None) -> Members:
        return 0 if source is None else self._by_source.get(source, 0)

    def _of_other_guests(self, holding: HeldNights) -> Members:
        """Return the entries of the same source that name another guest."""
        source = holding.source
        if source not in self._contradictions:
            mine = ((1 << n, self.holdings[n].identity) for n in each(self._of_source(source)))
            self._contradictions[source] = Contradictions(mine)
        return self._contradictions[source].of(holding.identity)

    def _counted(self, n: int) -> Members:
        """Return those with which the n-th may be in conflict as far as missing bookings go."""
        if self._known is None:
            return self._everyone
        booking = self.bookings[n]
        together = reduce(or_, (self._known_members[group] for group in self._known.get(booking.id, ())), 0)
        return together if booking.is_missing else together | self._present

    def counts(self, one: Booking, other: Booking) -> bool:
        """Return whether two bookings may be in conflict: neither is missing, or an open conflict has both."""
        if self._known is None or not (one.is_missing or other.is_missing):
            return True
        return not self._known.get(one.id, frozenset()).isdisjoint(self._known.get(other.id, ()))

    @cached_property
    def _known_members(self) -> Mapping[int, Members]:
        """The members of each open conflict."""
        found: dict[int, Members] = {}
        for booking, groups in (self._known or {}).items():
            for group in groups:
                found[group] = found.get(group, 0) | self.mask.get(booking, 0)
        return found

    def select(self, chosen: Iterable[bool]) -> Members:
        """Return the members for which *chosen*, in their order, is true."""
        return int("".join(["01"[is_in] for is_in in chosen])[::-1] or "0", 2)

    @cached_property
    def _everyone(self) -> Members:
        return (1 << len(self.holdings)) - 1

    @cached_property
    def reservations(self) -> Members:
        """Those that are reservations."""
        return self.select(h.kind is EntryKind.RESERVATION for h in self.holdings)

    @cached_property
    def closures(self) -> Members:
        """Those that may be a repetition from elsewhere."""
        return self.select(h.is_candidate for h in self.holdings)

    @cached_property
    def _present(self) -> Members:
        missing = (n for n, h in enumerate(self.holdings) if h.record.presence is Presence.MISSING)
        return self._everyone & ~reduce(or_, (1 << n for n in missing if self.bookings[n].is_missing), 0)

    @cached_property
    def _by_unit(self) -> Mapping[Scope, Members]:
        return _collect((h.unit, n) for n, h in enumerate(self.holdings))

    @cached_property
    def _by_source(self) -> Mapping[SourceId | None, Members]:
        return _collect((h.source, n) for n, h in enumerate(self.holdings))

    # ── who meets whom ──

    @cached_property
    def timeline(self) -> Timeline:
        """Who holds each night to come."""
        return Timeline.of_each(self.nights)

    @cached_property
    def _firm_timeline(self) -> Timeline:
        """Who holds each night, but for those that are held for a late end alone."""
        return Timeline.of_each(self.firm_nights)

    @cached_property
    def firm_nights(self) -> Sequence[Bits]:
        """Of each, the nights to come that are not held for a late end alone."""
        return [nights & ~h.late for nights, h in zip(self.nights, self.holdings, strict=True)]

    @cached_property
    def shared(self) -> Sequence[Overlap]:
        """What each shares with others that it may be in conflict with."""
        found, twice = [NOTHING] * len(self.holdings), _held_twice(self.nights)  # most share no night with anybody
        crowded = Timeline.of_each([bits & twice for bits in self.nights])
        for n, bits in enumerate(self.nights):
            if bits & twice:
                nights, others = crowded.meet(bits & twice, self._may_share(n))
                found[n] = Overlap(nights, others, self._meet_firmly(n, others)) if others else NOTHING
        return found

    def _meet_firmly(self, n: int, others: Members) -> Members:
        """Return which of *others* the n-th meets not only in a night for a late end alone: there, or in a turnover."""
        if not self._has_late:
            return others
        nights, guests = self.firm_nights[n], others & self.reservations
        met = self._firm_timeline.meet(nights, others)[1]
        if any(self._firmly_needed) and self.reservations >> n & 1:
            met |= self._firm_timeline.meet(self._firmly_needed[n], guests)[1] | self._all_needed[1].meet(nights, guests)[1]
        return met

    @cached_property
    def _has_late(self) -> bool:
        return any(h.late for h in self.holdings)

    @cached_property
    def _needed(self) -> Sequence[Bits]:
        """The nights to come within the days that the turnover after each needs."""
        return [self._after(n, nights) for n, nights in enumerate(self.all_nights)]

    @cached_property
    def _firmly_needed(self) -> Sequence[Bits]:
        return [self._after(n, nights & ~self.holdings[n].late) for n, nights in enumerate(self.all_nights)]

    @cached_property
    def _all_needed(self) -> tuple[Timeline, Timeline]:
        """Who needs each night, and who needs it after a night that is not held for a late end alone."""
        return Timeline.of_each(self._needed), Timeline.of_each(self._firmly_needed)

    def find_turnovers(self) -> tuple[Sequence[Overlap], Sequence[Overlap]]:
        """Return what each that leaves meets within the days that its unit needs, and what each that arrives meets of these.

        Guests alone, who share no night to come with each other.
        """
        leaves, arrives = [NOTHING] * len(self.holdings), [NOTHING] * len(self.holdings)
        for n in each(self.reservations if any(self._needed) else 0):
            others = self.may_meet(n) & self.reservations & ~self.shared[n].others
            nights, found = self.timeline.meet(self._needed[n], others)
            leaves[n] = Overlap(nights, found, self._firm_timeline.meet(self._firmly_needed[n], found)[1])
            nights, found = self._all_needed[0].meet(self.nights[n], others)
            arrives[n] = Overlap(nights, found, self._all_needed[1].meet(self.firm_nights[n], found)[1])
        return leaves, arrives

    def _after(self, n: int, nights: Bits) -> Bits:
        """Return the nights to come within the days that the unit of the n-th needs after *nights*; a block needs none."""
        holding = self.holdings[n]
        days = self._turnover.get(holding.unit, 0) if holding.kind is EntryKind.RESERVATION else 0
        return stretch(nights, days) & self.occupancy.grid.to_come if days else 0

    # ── how sure it is ──

    def certain(self, n: int) -> Members:
        """Return those with which the n-th makes a certain conflict."""
        same = self.reservations if self.holdings[n].kind is EntryKind.RESERVATION else 0
        return 0 if self.holdings[n].is_candidate else same & ~self.closures

    def likely(self, n: int) -> Members:
        """Return those with which the n-th makes a likely conflict, as far as it itself shows it."""
        holding = self.holdings[n]
        if not holding.is_candidate:
            return ~self.closures
        alike = self.reservations if holding.kind is EntryKind.RESERVATION else 0
        return self.left_open(n) & (~self.closures | alike)

    def left_open(self, n: int) -> Members:
        """Return those of which the source of the n-th leaves a night to come open, or left one when it closed its own."""
        sold = filter(None, map(self.occupancy.by_record.get, self.bookings[n].verdict.sold))
        return reduce(or_, (self.mask.get(b.id, 0) for b in sold), self._leaves_open(self.holdings[n].source))

    def _leaves_open(self, source: SourceId | None) -> Members:
        """Return those of which *source* leaves a night to come open."""
        if source not in self._left_open:
            closed = self.occupancy.closed_by[source]
            is_open = {b.id: bool(b.bits & ~closed & self.occupancy.grid.to_come) for b in self.bookings}
            self._left_open[source] = self.select(is_open[b.id] for b in self.bookings)
        return self._left_open[source]

    def sure_conflicts(self, n: int, first: Members) -> Members:
        """Return those with which the closure *n* is in a likely or certain conflict; *first*: what it was there before."""
        mine = self.likely(n) | (first & ~self.closures)
        theirs = 0
        if self.holdings[n].kind is EntryKind.RESERVATION:
            sources = (members for source, members in self._by_source.items() if self._leaves_open(source) >> n & 1)
            sold = (self._sold_by.get(record.id, 0) for record in self.bookings[n].records)
            theirs = reduce(or_, (*sources, *sold), 0) & self.closures & self.reservations
        return (mine | theirs) & self.shared[n].firm

    @cached_property
    def _sold_by(self) -> Mapping[RecordId, Members]:
        """The closures whose sources sold each record's nights themselves."""
        return _collect((record, n) for n, b in enumerate(self.bookings) for record in b.verdict.sold)

    def find_first(self, closures: Members) -> dict[int, Members]:
        """Return for each of *closures* the originals that it surely held a night before (``holdings.was_before``).

        From the latest time back: every night remembers whose source was seen to leave it open since.
        """
        nights: dict[int, Members] = {}
        found: dict[int, Members] = {}
        if not closures:
            return found
        for _, is_left_open, n, bits in sorted(self._times(closures), key=itemgetter(0, 1), reverse=True):
            for night in each(bits):
                if is_left_open:
                    nights[night] = nights.get(night, 0) | self.mask[self.bookings[n].id]
                else:
                    found[n] = found.get(n, 0) | nights.get(night, 0)
        return found

    def _times(self, closures: Members) -> Iterator[tuple[datetime, bool, int, Bits]]:
        """Yield since when *closures* hold their nights, and when the nights of originals were last seen open."""
        for n in each(closures):
            yield from ((row.seen, False, n, row.bits) for row in self.holdings[n].since)
        for n in each(self._everyone & ~self.closures):
            yield from ((row.after, True, n, row.bits) for row in self.holdings[n].since if row.after is not None)


def _own_nights(booking: Booking, holding: HeldNights) -> Bits:
    """Return the nights that *holding* holds for itself: those that fade, or repeat what it had read, make no conflict."""
    return holding.bits & ~booking.verdict.fades & ~booking.verdict.explained


def _number_known(known: Iterable[Iterable[RecordId]], occupancy: Occupancy) -> dict[RecordId, frozenset[int]]:
    """Return in which of the open conflicts each booking is."""
    found: dict[RecordId, set[int]] = {}
    for number, group in enumerate(known):
        for booking in filter(None, map(occupancy.by_record.get, group)):
            found.setdefault(booking.id, set()).add(number)
    return {booking: frozenset(groups) for booking, groups in found.items()}


def _number_bookings(bookings: Sequence[Booking]) -> dict[RecordId, Members]:
    return dict(_collect((b.id, n) for n, b in enumerate(bookings)))


def _held_twice(all_nights: Iterable[Bits]) -> Bits:
    """Return the nights that more than one of *all_nights* has."""
    once = twice = 0
    for nights in all_nights:
        twice |= once & nights
        once |= nights
    return twice


def _collect(numbered: Iterable[tuple[Key, int]]) -> dict[Key, Members]:
    found: dict[Key, Members] = {}
    for key, n in numbered:
        found[key] = found.get(key, 0) | 1 << n
    return found
