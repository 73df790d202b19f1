"""A unit's nights one by one: who has each, how it is drawn, who arrives and leaves. Pure.

The page draws the same from the bookings' documents (``web/page/src/bars.ts``); looks and channels have the same names there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import date
from enum import StrEnum
from string import ascii_uppercase
from typing import Annotated, TypedDict

from bokit.core.bookings.nights import DAY
from bokit.core.bookings.stay import read_span
from bokit.core.ical.entries import EntryKind
from bokit.core.model.documents import Count, Day
from bokit.core.model.records import Scope, SourceId
from bokit.core.occupancy.conflict_records import ConflictDocument
from bokit.core.occupancy.echo_verdict import EchoState
from bokit.core.occupancy.night_bits import Bits, join_bits
from bokit.core.occupancy.occupancy import Booking, Occupancy
from bokit.values import Value

COLORS = 8
BY_HAND, REMOVED = "By hand", "Removed calendar"
ANY_LETTER = "*"
"""Stands for each channel for which no letter is left."""


class Look(StrEnum):
    """How a night is drawn; in the order in which one goes before another where several bookings hold it."""

    RESERVATION = "reservation"
    BLOCK = "block"
    HELD = "held"
    """Closed although the dates of its booking do not say so, or by a window that a guard holds back."""
    FADING = "fading"
    ECHO = "echo"
    WINDOW = "window"


class ChannelDocument(TypedDict):
    """A channel: all sources of one name."""

    name: str
    letter: Annotated[str, "Stands for it in a calendar of text; `*` where no letter is left."]
    color: Annotated[Count, "Which of eight colors; those that are not sources have the first ones, too."]
    source_ids: Annotated[list[str], "Empty: what was entered by hand, or by calendars that were removed."]


class VisitDocument(TypedDict):
    """An arrival or a departure."""

    booking_id: str
    channel: str


class NightDocument(TypedDict):
    """One night of a unit, and the day that it begins on."""

    night: Day
    look: Annotated[Look | None, "How it is drawn; null: it is free."]
    channel: Annotated[str | None, "The name of the channel of the booking that is drawn."]
    booking_id: Annotated[str | None, "The booking that is drawn."]
    unit_id: Annotated[str | None, "The unit of that booking: another one, where a linked unit was booked."]
    kept: Annotated[bool, "Its calendar no longer shows that booking, or the calendar was removed; it is held nevertheless."]
    goes_on: Annotated[bool, "That booking holds the night before, too."]
    by: Annotated[list[str], "Every booking that holds the night; the one that is drawn is first."]
    arrives: Annotated[list[VisitDocument], "The unit's own guests who arrive on this day."]
    leaves: Annotated[list[VisitDocument], "The unit's own guests who leave on this day."]
    conflict: Annotated[str | None, "The conflict in which the night is."]
    tight: Annotated[str | None, "A conflict of guests with too little time between them, in which the night is."]


class Channels(Value):
    """Names, letters and colors of channels; those of sources are the same for all units and periods."""

    names: Mapping[SourceId, str]
    """Of each source that was not removed."""

    def name_of(self, source: SourceId | None) -> str:
        """Return the channel's name; a removed calendar has no name any more."""
        return BY_HAND if source is None else self.names.get(source, REMOVED)

    def describe(self) -> list[ChannelDocument]:
        """Return all channels by name, then those that are not sources."""
        names = sorted(set(self.names.values()))
        every = [*names, *(name for name in (BY_HAND, REMOVED) if name not in names)]
        letters = assign_letters(every)
        return [
            {
                "name": name,
                "letter": letters[name],
                "color": number % COLORS,
                "source_ids": sorted(source for source, channel in self.names.items() if channel == name),
            }
            for number, name in enumerate(every)
        ]


def assign_letters(names: Sequence[str]) -> dict[str, str]:
    """Return a letter for each name: its first one that is free, else any; those that begin with it come first.

    >>> assign_letters(["Airbnb", "Agoda", "Booking.com", "By hand"])
    {'Airbnb': 'A', 'Booking.com': 'B', 'By hand': 'H', 'Agoda': 'G'}
    """
    letters: dict[str, str] = {}
    own = {name: re.findall("[A-Z]", {BY_HAND: "HAND", REMOVED: "X"}.get(name, name.upper())) for name in names}
    for wanted in (lambda n: own[n][:1], lambda n: own[n], lambda n: ascii_uppercase):
        for name in (n for n in names if n not in letters):
            if free := next((letter for letter in wanted(name) if letter not in letters.values()), None):
                letters[name] = free
    return letters | {name: ANY_LETTER for name in names if name not in letters}


def describe_nights(
    occupancy: Occupancy,
    unit: Scope,
    period: tuple[date, date],
    *,
    channel_of: Callable[[SourceId | None], str],
    kept: Set[str] = frozenset(),
    conflicts: Iterable[ConflictDocument] = (),
) -> list[NightDocument]:
    """Return the nights of ``[first, end)`` of a *unit*: by its own bookings, its parts', and those of what it is a part of.

    *kept* are bookings that their source no longer shows.
    """
    row = _NightRow(occupancy, unit, period, channel_of, kept)
    conflicts_of = _read_conflicts(conflicts, unit)
    return [row.describe(night, conflicts_of.get(night.isoformat(), ())) for night in _days(*period)]


def _days(first: date, end: date) -> Iterator[date]:
    return (date.fromordinal(n) for n in range(first.toordinal(), end.toordinal()))


def _read_conflicts(conflicts: Iterable[ConflictDocument], unit: Scope) -> dict[str, list[ConflictDocument]]:
    """Return the conflicts of *unit* by their nights."""
    by_night: dict[str, list[ConflictDocument]] = {}
    for conflict in conflicts:
        for night in conflict["nights"] if unit in conflict["unit_ids"] else ():
            by_night.setdefault(night, []).append(conflict)
    return by_night


class _NightRow:
    """The bookings of one unit in one period."""

    def __init__(
        self,
        occupancy: Occupancy,
        unit: Scope,
        period: tuple[date, date],
        channel_of: Callable[[SourceId | None], str],
        kept: Set[str],
    ) -> None:
        self.unit, self.grid, self.channel_of, self.kept = unit, occupancy.grid, channel_of, kept
        seen = self.grid.span(period[0] - DAY, period[1])
        self.bookings = [b for b in occupancy.of_unit(unit) if b.bits & seen]
        guests = [b for b in self.bookings if b.unit_id == unit and is_guest(b)]
        self.arrivals, self.departures = self._by_day(guests, "check_in"), self._by_day(guests, "check_out")

    def _by_day(self, guests: Iterable[Booking], field: str) -> dict[str, list[VisitDocument]]:
        """Return who arrives, or leaves, by day."""
        days: dict[str, list[VisitDocument]] = {}
        for guest in guests:
            visit: VisitDocument = {"booking_id": guest.id, "channel": self.channel_of(guest.records[0].source_id)}
            days.setdefault(str(guest.fields[field]), []).append(visit)
        return days

    def describe(self, night: date, conflicts: Sequence[ConflictDocument]) -> NightDocument:
        """Return one night; it is in a conflict of linked units where two of its bookings hold it in this one."""
        bit, day = self.grid.span(night, night + DAY), night.isoformat()
        looks = {b: look_of(b, bit) for b in self.bookings if b.bits & bit}
        holding = sorted(looks, key=lambda b: (_ORDER.index(looks[b]), b.unit_id != self.unit))
        shown = holding[0] if holding else None
        return {
            "night": day,
            "look": looks[shown] if shown else None,
            "channel": self.channel_of(shown.records[0].source_id) if shown else None,
            "booking_id": shown.id if shown else None,
            "unit_id": shown.unit_id if shown else None,
            "kept": bool(shown and (shown.is_missing or self.kept & {r.id for r in shown.records})),
            "goes_on": bool(shown and shown.holds(night - DAY)),
            "by": [b.id for b in holding],
            "arrives": self.arrivals.get(day, []),
            "leaves": self.departures.get(day, []),
            "conflict": next((c["id"] for c in conflicts if not c["is_turnover"] and _count_members(c, holding) > 1), None),
            "tight": next((c["id"] for c in conflicts if c["is_turnover"]), None),
        }


_ORDER = tuple(Look)


def _count_members(conflict: ConflictDocument, bookings: Iterable[Booking]) -> int:
    members = set(conflict["bookings"])
    return sum(not members.isdisjoint(r.id for r in b.records) for b in bookings)


def is_guest(booking: Booking) -> bool:
    """Return whether a booking is a guest's, and not a repetition of another."""
    return booking.kind is EntryKind.RESERVATION and booking.state is EchoState.OWN


def look_of(booking: Booking, night: Bits) -> Look:
    """Return how a *night* is drawn that *booking* holds."""
    if booking.kind is EntryKind.WINDOW:
        return Look.HELD if join_bits(h.doubtful for h in booking.holdings) & night else Look.WINDOW
    if not booking.grid.span(*read_span(booking.fields)) & night:
        return Look.HELD
    if booking.verdict.fades:
        return Look.FADING
    return Look.ECHO if booking.state is EchoState.ECHO else Look(booking.kind)
