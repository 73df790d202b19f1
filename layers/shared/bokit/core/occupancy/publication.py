"""Which nights of a booking a consumer's calendar shows: one judgement, which calendars and explanations read. Pure.

First row that matches, for each night:

    the night                                                                  the consumer's calendar
    a calendar's own rules close it (a window), as its platform is known to    leaves it out
    the consumer reported it itself for this unit                              leaves it out
    it fades (``echoes``)                                                      leaves it out
    it repeats an original that is not in this calendar: one of a unit         shows it: nothing else would
    linked with the closure's, and not with the calendar's
    it repeats an original, but is in a likely or certain conflict with        shows it: when the other guest cancels,
    it, seen in two fetches                                                    it is closed already
    it repeats an original that the consumer reported, and does not show       shows it: it may be sold there again
    any more, and is certainly no copy of it
    it repeats an original                                                     leaves it out: the original is there,
                                                                               or the consumer reported it
    else (nights that a doubtful feed newly closes, too)                       shows it

A conflict counts from MIN_BETWEEN_FETCHES after the later of the two was first seen; the run that finds it asks for a second
fetch then (``again_at``).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from bokit.core.bookings.night_history import PLATFORM
from bokit.core.bookings.nights import DAY, Span
from bokit.core.bookings.stay import published_nights, read_span
from bokit.core.ical.writer import CalendarEvent
from bokit.core.model.records import Record, RecordId, Scope
from bokit.core.occupancy.echo_verdict import OWN, EchoState
from bokit.core.occupancy.holdings import HeldNights
from bokit.core.occupancy.limits import MIN_BETWEEN_FETCHES
from bokit.core.occupancy.night_bits import Bits, join_bits
from bokit.core.occupancy.occupancy import Booking, Occupancy
from bokit.core.occupancy.overlaps import Overlaps
from bokit.core.occupancy.timeline import Members, Timeline


class Withheld(StrEnum):
    """Why a night of a booking is not in a calendar."""

    WINDOW = "window"
    CONSUMERS_OWN = "own"
    FADING = "fading"
    ECHO = "echo"
    VARIANT = "variant"
    """The calendar shows reservations alone."""


class Publication(NamedTuple):
    """What one calendar shows of one booking."""

    shown: Bits
    withheld: tuple[tuple[Withheld, Bits], ...]
    """Every other night of the booking, by the reason."""


class PublicationRules:
    """The judgement for the calendars of linked units, as they are at the time of *occupancy*."""

    def __init__(self, occupancy: Occupancy) -> None:
        self.occupancy = occupancy
        self._contested = _contested_nights(occupancy)
        self._taken: dict[Scope, list[Span]] = {}
        self.written: dict[Hashable, dict[tuple[RecordId, Bits], Sequence[CalendarEvent]]] = {}
        """The events that calendars have of a booking's nights, by what else they depend on: most calendars of a unit show the
        same.
        """

    @property
    def again_at(self) -> datetime | None:
        """When a conflict that was seen once is seen in two fetches: what is published then changes."""
        return min((at for _, at in self._contested.values() if at is not None), default=None)

    def judge(self, booking: Booking, unit: Scope, consumer: str | None) -> Publication:
        """Return what the calendar of *unit* for *consumer* (None: for anybody) shows of *booking*."""
        rest, withheld = booking.bits, tuple[tuple[Withheld, Bits], ...]()
        for reason, nights in self._left_out(booking, unit, consumer):
            if found := rest & nights:
                withheld += ((reason, found),)
                rest &= ~found
        return Publication(rest, withheld)

    def _left_out(self, booking: Booking, unit: Scope, consumer: str | None) -> list[tuple[Withheld, Bits]]:
        """Return the rows of the module's table that leave nights out, in order."""
        verdict, rows = booking.verdict, []
        if verdict.state is EchoState.WINDOW:
            rows.append((Withheld.WINDOW, _window_nights(booking)))
        if consumer is not None and (reported := _reported_nights(booking, unit, consumer)):
            rows.append((Withheld.CONSUMERS_OWN, reported))
        if verdict is OWN:
            return rows
        rows += [(Withheld.FADING, verdict.fades), (Withheld.ECHO, self._repeated_nights(booking, unit, consumer))]
        if verdict.state in (EchoState.ECHO, EchoState.FADING):  # what is past of it was judged when it was to come
            rows.append((Withheld.ECHO, ~verdict.repeats))
        return rows

    def find_taken(self, unit: Scope) -> list[Span]:
        """Return the nights of *unit* that a guest who looks for free ones cannot have: for one's own website.

        That is all that any calendar of the unit shows, and what calendars leave out because somebody else says it: a consumer's
        own bookings, what fades, what repeats another. Nights that a platform's own rules close are free elsewhere.
        """
        if unit not in self._taken:  # asked for each calendar of the unit
            mine = self.occupancy.of_unit(unit)
            self._taken[unit] = self.occupancy.grid.spans(join_bits(b.bits & ~_window_nights(b) for b in mine))
        return self._taken[unit]

    def explain(self, booking: Booking, unit: Scope, consumer: str | None, night: date) -> Withheld | None:
        """Return why the calendar leaves out this *night* of *booking*; None: it shows it."""
        bit = booking.grid.span(night, night + DAY)
        withheld = self.judge(booking, unit, consumer).withheld
        return next((reason for reason, nights in withheld if nights & bit), None)

    def _repeated_nights(self, booking: Booking, unit: Scope, consumer: str | None) -> Bits:
        """Return the nights of *booking* that are left to their originals in the calendar of *unit*.

        An original holds these nights for itself: the calendar shows it, unless the consumer reported it. Where the consumer
        does not show it any more, it may sell them again: no copy of it stays.
        """
        links = self.occupancy.links[unit]
        there = join_bits(bits for original, bits in booking.verdict.repeated if original.unit in links)
        for_sale = join_bits(bits for original, bits in booking.verdict.distinct if _is_of(consumer, original))
        return there & ~for_sale & ~self._contested.get(booking.id, (0, None))[0]


def _contested_nights(occupancy: Occupancy) -> Mapping[RecordId, tuple[Bits, datetime | None]]:
    """Return by booking the repeated nights in a likely or certain conflict, and when more of them will count."""
    if not any(b.state is EchoState.OWN and b.verdict.repeats for b in occupancy.bookings):
        return {}
    overlaps = Overlaps(occupancy, {})
    repeating = [n for n, b in enumerate(overlaps.bookings) if b.verdict.repeats]
    first, fresh = overlaps.find_first(join_bits(1 << n for n in repeating)), _FreshNights(overlaps)
    sure = {n: overlaps.sure_conflicts(n, first.get(n, 0)) for n in repeating}
    return {overlaps.bookings[n].id: fresh.judge(n, others) for n, others in sure.items() if others}


class _FreshNights:
    """The nights that were not seen in two fetches yet, and when they will have been."""

    def __init__(self, overlaps: Overlaps) -> None:
        self._overlaps = overlaps
        self._by_booking: dict[RecordId, dict[datetime, Bits]] = {}
        for booking in {b.id: b for b in overlaps.bookings}.values():
            times = self._by_booking.setdefault(booking.id, {})
            for row in (row for holding in booking.holdings for row in holding.since):
                if (until := row.seen + MIN_BETWEEN_FETCHES) > overlaps.occupancy.at:
                    times[until] = times.get(until, 0) | row.bits

    def judge(self, n: int, others: Members) -> tuple[Bits, datetime | None]:
        """Return the repeated nights that the n-th and any of *others* hold, both in two fetches, and when there will be more."""
        booking = self._overlaps.bookings[n]
        nights = self._overlaps.nights[n] & booking.verdict.repeats
        met, _ = self._overlaps.timeline.meet(nights, others)
        ripe, _ = self._ripe.meet(nights & ~join_bits(self._by_booking[booking.id].values()), others)
        waits = [at for at, bits in self._by_booking[booking.id].items() if bits & met]
        waits += [at for at, fresh in self._by_time.items() if fresh.meet(nights, others)[1]]
        return ripe, min(waits, default=None)

    @cached_property
    def _ripe(self) -> Timeline:
        rows = zip(self._overlaps.nights, self._overlaps.bookings, strict=True)
        return Timeline.of_each([nights & ~join_bits(self._by_booking[booking.id].values()) for nights, booking in rows])

    @cached_property
    def _by_time(self) -> Mapping[datetime, Timeline]:
        """Who holds nights that will have been seen in two fetches at each time."""
        rows: dict[datetime, list[tuple[Members, Bits]]] = {}
        for booking, times in self._by_booking.items():
            for until, bits in times.items():
                rows.setdefault(until, []).append((self._overlaps.mask[booking], bits & self._overlaps.occupancy.grid.to_come))
        return {until: Timeline(mine) for until, mine in rows.items()}


def _window_nights(booking: Booking) -> Bits:
    """Return the nights that a calendar's own rules close, without those that roll and those that a doubtful feed closes."""
    if booking.state is not EchoState.WINDOW:
        return 0
    published = {n for record in booking.records for n in published_nights(record)}
    return booking.bits & ~_bits_of(published, booking)


def _reported_nights(booking: Booking, unit: Scope, consumer: str | None) -> Bits:
    """Return the nights of *booking* that the consumer itself reported for this unit.

    Those of a linked unit it may know in another listing only, and nights that a person or another source added not at all.
    Of a booking that another reports too, those alone that the consumer still shows: what it does not, it may sell again.
    """
    own = [h for h in booking.holdings if _is_of(consumer, h)]
    if not own:
        return 0
    known = [h for h in own if h.unit == unit]
    if known and booking.state is EchoState.WINDOW:
        return booking.bits
    is_joint = len(own) < len(booking.holdings)
    return join_bits(_span_bits(h.record, booking) & ~(_doubted_nights(h) if is_joint else 0) for h in known)


def _span_bits(record: Record, booking: Booking) -> Bits:
    return booking.bits & booking.grid.span(*read_span(record.remote))


def _is_of(consumer: str | None, holding: HeldNights) -> bool:
    record = holding.record
    return consumer is not None and consumer in (record.memory.get(PLATFORM), record.source_id)


def _doubted_nights(holding: HeldNights) -> Bits:
    """Return the nights that the source does not show any more, or may not: of a held feed, all."""
    return holding.bits if holding.held_since else holding.all_unshown


def _bits_of(nights: Iterable[date], booking: Booking) -> Bits:
    return booking.grid.bits(n for n in nights if n >= booking.grid.first)
