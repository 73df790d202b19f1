"""Turnovers: who leaves a unit, who comes next, and the time between, in which it is cleaned. Pure.

    leaves ──── check-out ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒ check-in ──── arrives
                from      cleaning_minutes  until

Guests of a unit make it and all its parts ready for cleaning. Each of these is ready in time for the next guest who has
nights of it: its own, one of its parts', or one of what it is a part of. Dates are those of the merged bookings, edits of a
person included; what repeats another booking is nobody, nor are closures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, TypedDict

from bokit.core.bookings.nights import Span
from bokit.core.bookings.stay import read_span
from bokit.core.model.catalog import Unit
from bokit.core.model.day_times import DEFAULT_TIMES, DayTimes
from bokit.core.model.documents import Count, Day, Time
from bokit.core.model.records import Scope
from bokit.core.occupancy.chart import is_guest
from bokit.core.occupancy.links import find_wholes
from bokit.core.occupancy.occupancy import Booking, Occupancy
from bokit.values import Value

UnitTimes = Mapping[Scope, DayTimes]
"""The times that apply to each unit."""


class TurnoverWarning(StrEnum):
    """What is wrong with a turnover."""

    TOO_SHORT = "too-short"
    """Cleaning takes longer, or the next guest may come before this one has left."""
    DOUBLE_BOOKING = "double-booking"
    """The next guest has nights of this one's."""


_Window = TypedDict(
    "_Window",
    {
        "from": Annotated[Time, "When the guest has left, in the unit's timezone."],
        "until": Annotated[Time | None, "When the next guest may come; null: nobody is booked after this one."],
    },
)


class TurnoverDocument(_Window):
    """A guest leaves a unit, which is cleaned for the next one."""

    unit_id: str
    date: Annotated[Day, "The day on which the guest leaves."]
    leaves: Annotated[str, "The booking that ends: the unit's own, or one of a unit that it is a part of."]
    arrives: Annotated[str | None, "The booking that begins next, whenever that is."]
    same_day: Annotated[bool, "The next guest comes on the same day."]
    cleaning_minutes: Count | None
    warning: Annotated[
        TurnoverWarning | None,
        "`too-short`: cleaning takes longer than from `from` to `until`; `double-booking`: the two have nights in common.",
    ]


class Turnover(Value, eq=False):
    """One unit between two guests."""

    unit_id: Scope
    leaves: Booking
    arrives: Booking | None
    span: tuple[datetime, datetime | None]
    """From check-out to check-in; None: nobody is booked after."""
    cleaning_minutes: int | None
    warning: TurnoverWarning | None

    @property
    def day(self) -> date:
        """The day on which the guest leaves."""
        return read_span(self.leaves.fields)[1]

    @property
    def is_same_day(self) -> bool:
        """Return whether the next guest comes on the same day, or is there already."""
        return self.arrives is not None and read_span(self.arrives.fields)[0] <= self.day


def find_turnovers(occupancy: Occupancy, units: Sequence[Unit], unit: Scope, times: UnitTimes, period: Span) -> list[Turnover]:
    """Return the turnovers of *unit* on the days of *period*, ``[first, end)``, by day; *units* are those linked with it.

    Each guest who leaves is one, of two on the same day as well.
    """
    wholes = find_wholes(unit, units)
    guests = [(b, *read_span(b.fields)) for b in occupancy.of_unit(unit) if is_guest(b)]
    leaving = [(end, b) for b, _, end in guests if b.unit_id in wholes and period[0] <= end < period[1]]
    leaving.sort(key=lambda pair: (pair[0], pair[1].id))
    following = _find_following([end for end, _ in leaving], guests)
    return [_make_turnover(unit, b, following[end], times) for end, b in leaving]


def _find_following(days: Iterable[date], guests: Iterable[tuple[Booking, date, date]]) -> dict[date, Booking | None]:
    """Return for each of *days* the guest who comes first of those who are there after it; None: there is none."""
    later = sorted(guests, key=lambda guest: (guest[2], guest[0].id))
    found: dict[date, Booking | None] = {}
    first: tuple[date, str, Booking] | None = None
    for day in sorted(set(days), reverse=True):
        while later and later[-1][2] > day:
            booking, check_in, _ = later.pop()
            if first is None or (check_in, booking.id) < first[:2]:
                first = check_in, booking.id, booking
        found[day] = first[2] if first else None
    return found


def _make_turnover(unit: Scope, leaves: Booking, arrives: Booking | None, times: UnitTimes) -> Turnover:
    day, cleaning = read_span(leaves.fields)[1], times.get(unit, DEFAULT_TIMES).cleaning_minutes
    since = times.get(leaves.unit_id, DEFAULT_TIMES).departure_at(day)
    until, warning = None, None
    if arrives is not None:
        arrival = read_span(arrives.fields)[0]
        until = times.get(arrives.unit_id, DEFAULT_TIMES).arrival_at(arrival)
        if arrival < day:
            warning = TurnoverWarning.DOUBLE_BOOKING
        elif until - since < timedelta(minutes=cleaning or 0):
            warning = TurnoverWarning.TOO_SHORT
        until = max(since, until)
    span = (since, until)
    return Turnover(unit_id=unit, leaves=leaves, arrives=arrives, span=span, cleaning_minutes=cleaning, warning=warning)


def describe_turnover(turnover: Turnover) -> TurnoverDocument:
    """Return a turnover's document."""
    since, until = turnover.span
    return {
        "unit_id": turnover.unit_id,
        "date": turnover.day.isoformat(),
        "leaves": turnover.leaves.id,
        "arrives": turnover.arrives.id if turnover.arrives else None,
        "from": since.isoformat(),
        "until": until.isoformat() if until else None,
        "same_day": turnover.is_same_day,
        "cleaning_minutes": turnover.cleaning_minutes,
        "warning": turnover.warning,
    }
