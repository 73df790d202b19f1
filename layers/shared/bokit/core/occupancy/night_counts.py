"""How full units were and will be: nights sold, blocked and free by month and channel, lengths of stay, lead times. Pure.

    a night of a unit                                            counts as
    in the dates of a guest's booking of the unit                sold: once, however many bookings and sources hold it
    in those of a guest's booking of a linked unit               linked
    closed without a guest, as other calendars are shown it      blocked; linked, where only a linked unit is closed
    else, before the unit's first calendar was read              not covered
    else                                                         free

Bookings are the merged ones, edits of a person included; what repeats another booking, fades, or is a channel's own window
counts nothing. Where two guests hold the same night, it is the channel's that was seen first. Nothing here knows of money:
feeds have none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, TypedDict
from zoneinfo import ZoneInfo

from bokit.core.bookings.nights import Span
from bokit.core.bookings.stay import published_nights, read_span
from bokit.core.ical.entries import EntryKind
from bokit.core.model.documents import Count, Day
from bokit.core.model.records import Scope, SourceId
from bokit.core.occupancy.chart import is_guest
from bokit.core.occupancy.echo_verdict import EchoState
from bokit.core.occupancy.night_bits import Bits, join_bits
from bokit.core.occupancy.occupancy import Booking, Occupancy
from bokit.values import Value, field


class CountsBy(StrEnum):
    """What one item of the counts is of."""

    UNIT_MONTH = "unit-month"
    UNIT = "unit"
    MONTH = "month"
    TOTAL = "total"


class StayLengths(TypedDict):
    """How long guests stay, in nights, of those who arrive in the time of the item: whole stays, past its end as well."""

    stays: Annotated[Count, "Guests' bookings that begin in this time."]
    median: float | None
    mean: float | None


class LeadTimes(TypedDict):
    """How many days before arrival bookings were first seen, of those that begin in the time of the item."""

    known: Annotated[Count, "Bookings that appeared after the first sync of their calendar, and before they began."]
    unknown: Annotated[Count, "Those that were there at that first sync, or were seen later than they began."]
    median: Annotated[float | None, "Of those that are known."]
    mean: float | None


class ChannelCounts(TypedDict):
    """What of an item is one channel's."""

    channel: Annotated[str, "The name of the source that was the first to show the booking."]
    sold: Count
    length_of_stay: StayLengths
    lead_time: LeadTimes


_Period = TypedDict("_Period", {"from": Day, "until": Annotated[Day, "The day after the last night."]})


class OccupancyDocument(_Period):
    """Nights of a time: `sold`, `linked`, `blocked`, `not_covered` and `free` add up to `nights`. Amounts are in no calendar."""

    unit_id: Annotated[str | None, "Null: of all units that were asked for."]
    month: Annotated[str | None, "As in `2026-07`; null: of the whole time that was asked for."]
    nights: Annotated[Count, "Of each unit: a month of two units has twice its nights."]
    sold: Annotated[Count, "Held by guests of the unit; a night that was sold twice counts once."]
    linked: Annotated[Count, "Not for sale, since a linked unit has them: a villa's, while its loft is let."]
    blocked: Annotated[Count, "Closed by owner or platform, without a guest."]
    free: Count
    not_covered: Annotated[Count, "Not known to be taken, before the first calendar of the unit was read: not counted as free."]
    occupancy_percent: Annotated[Count | None, "Sold ones of those sold or free; null: none is, or not every night is covered."]
    length_of_stay: StayLengths
    lead_time: LeadTimes
    channels: Annotated[list[ChannelCounts], "By name; their sold nights add up to `sold`."]


class CountTerms(Value):
    """What nights are counted with, beside the bookings."""

    channel_of: Callable[[SourceId | None], str]
    synced_since: Mapping[SourceId, datetime]
    """When each source was first read."""
    covered_since: Mapping[Scope, datetime]
    """When the first calendar of each unit was read; a unit that is left out is not covered at all."""
    zones: Mapping[Scope, str]


class SoldNights(Value):
    """One channel's guests: nights, and of those who arrive the nights they stay and the days they booked ahead."""

    sold: int = 0
    lengths: tuple[int, ...] = ()
    leads: tuple[int | None, ...] = ()
    """None: not known."""


class NightCounts(Value):
    """The nights of one unit, or of several, in a time."""

    unit_id: Scope | None
    month: str | None
    period: Span
    nights: int = 0
    linked: int = 0
    blocked: int = 0
    not_covered: int = 0
    channels: Mapping[str, SoldNights] = field(default_factory=dict)

    @property
    def sold(self) -> int:
        """Nights that guests of the unit hold."""
        return sum(mine.sold for mine in self.channels.values())

    @property
    def free(self) -> int:
        """Nights that nobody holds."""
        return self.nights - self.sold - self.linked - self.blocked - self.not_covered


def count_nights(occupancy: Occupancy, unit: Scope, period: Span, terms: CountTerms) -> list[NightCounts]:
    """Return the counts of *unit* for each month of *period*, ``[first, end)``."""
    return _UnitNights(occupancy, unit, period, terms).count()


class _UnitNights:
    """The nights of a unit in a time; here bit 0 of all bits is the first night of that time."""

    def __init__(self, occupancy: Occupancy, unit: Scope, period: Span, terms: CountTerms) -> None:
        self.unit, self.period, self.terms, self._grid = unit, period, terms, occupancy.grid
        bookings = occupancy.of_unit(unit)
        self.guests = [b for b in bookings if b.unit_id == unit and is_guest(b)]
        self.sold = self._share([(b, self._read_sold(b)) for b in self.guests])
        taken = join_bits(self.sold.values())
        linked = join_bits(self._read_sold(b) for b in bookings if b.unit_id != unit and is_guest(b)) & ~taken
        blocked = join_bits(self._read_closed(b) for b in bookings if b.unit_id == unit) & ~taken & ~linked
        closed = join_bits(self._read_closed(b) for b in bookings if b.unit_id != unit) & ~taken & ~blocked
        self.linked, self.blocked = linked | closed, blocked
        self.uncovered = self._read_uncovered() & ~taken & ~self.linked & ~self.blocked

    def _cut(self, bits: Bits) -> Bits:
        """Return those of a booking's nights that lie in the time."""
        shift = (self._grid.first - self.period[0]).days
        moved = bits << shift if shift >= 0 else bits >> -shift
        return moved & self._span(*self.period)

    def _span(self, first: date, end: date) -> Bits:
        start, stop = ((min(max(day, self.period[0]), self.period[1]) - self.period[0]).days for day in (first, end))
        return ((1 << max(0, stop - start)) - 1) << start

    def _read_sold(self, guest: Booking) -> Bits:
        return self._cut(guest.bits & self._grid.span(*read_span(guest.fields)))

    def _read_closed(self, booking: Booking) -> Bits:
        """Return the nights that a booking closes in other calendars; a guest's are those beside the dates of the stay, too."""
        if booking.kind is EntryKind.WINDOW:
            shown = (n for r in booking.records for n in published_nights(r) if n >= self._grid.first)
            return self._cut(booking.bits & self._grid.bits(shown))
        return self._cut(booking.bits & ~booking.verdict.fades) if booking.state is EchoState.OWN else 0

    def _read_uncovered(self) -> Bits:
        since = self.terms.covered_since.get(self.unit)
        return self._span(self.period[0], self._day_of(since) if since else self.period[1])

    def _share(self, guests: Iterable[tuple[Booking, Bits]]) -> dict[str, Bits]:
        """Return the nights of each channel: what two guests hold is the first one's."""
        by_channel: dict[str, Bits] = {}
        taken = 0
        for guest, bits in guests:
            channel = self._channel_of(guest)
            by_channel[channel] = by_channel.get(channel, 0) | (bits & ~taken)
            taken |= bits
        return by_channel

    def _channel_of(self, guest: Booking) -> str:
        return self.terms.channel_of(guest.records[0].source_id)

    def _day_of(self, at: datetime) -> date:
        return at.astimezone(ZoneInfo(self.terms.zones.get(self.unit, "UTC"))).date()

    def _read_lead(self, guest: Booking, check_in: date) -> int | None:
        """Return how many days before arrival a booking was first seen; None: nobody knows when it was made."""
        first = min(guest.records, key=lambda r: (r.created_at, r.id))
        if first.source_id is not None:
            since = self.terms.synced_since.get(first.source_id)
            if since is None or first.created_at <= since:
                return None
        days = (check_in - self._day_of(first.created_at)).days
        return days if days >= 0 else None

    def count(self) -> list[NightCounts]:
        """Return the counts of each month."""
        arrivals: dict[str, dict[str, list[tuple[int, int | None]]]] = {}
        for guest in self.guests:
            check_in, check_out = read_span(guest.fields)
            if self.period[0] <= check_in < self.period[1]:
                stay = (check_out - check_in).days, self._read_lead(guest, check_in)
                arrivals.setdefault(month_of(check_in), {}).setdefault(self._channel_of(guest), []).append(stay)
        return [self._count_month(span, arrivals.get(month_of(span[0]), {})) for span in split_months(self.period)]

    def _count_month(self, span: Span, arrivals: Mapping[str, Sequence[tuple[int, int | None]]]) -> NightCounts:
        mask = self._span(*span)
        sold = {channel: (bits & mask).bit_count() for channel, bits in self.sold.items()}
        channels = {
            name: SoldNights(
                sold=sold[name],
                lengths=tuple(length for length, _ in arrivals.get(name, ())),
                leads=tuple(lead for _, lead in arrivals.get(name, ())),
            )
            for name in sold
            if sold[name] or name in arrivals
        }
        return NightCounts(
            unit_id=self.unit,
            month=month_of(span[0]),
            period=span,
            nights=(span[1] - span[0]).days,
            linked=(self.linked & mask).bit_count(),
            blocked=(self.blocked & mask).bit_count(),
            not_covered=(self.uncovered & mask).bit_count(),
            channels=channels,
        )


def month_of(day: date) -> str:
    """Return the month of *day*, as in ``2026-07``."""
    return f"{day:%Y-%m}"


def split_months(period: Span) -> Iterator[Span]:
    """Yield the parts of *period*, ``[first, end)``, that lie in one month each.

    >>> [(a.day, b.day) for a, b in split_months((date(2026, 1, 30), date(2026, 3, 2)))]
    [(30, 1), (1, 1), (1, 2)]
    """
    first, end = period
    while first < end:
        following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        yield first, min(following, end)
        first = following


def sum_counts(counts: Iterable[NightCounts], by: CountsBy, period: Span) -> list[NightCounts]:
    """Return *counts*, of units and months, summed for each unit, each month, or all; *period* is the whole time."""
    if by is CountsBy.UNIT_MONTH:
        return list(counts)
    groups: dict[tuple[Scope | None, str | None], list[NightCounts]] = {}
    for one in counts:
        key = (one.unit_id if by is CountsBy.UNIT else None, one.month if by is CountsBy.MONTH else None)
        groups.setdefault(key, []).append(one)
    return [_join(group, *key, period) for key, group in groups.items()]


def _join(counts: Sequence[NightCounts], unit_id: Scope | None, month: str | None, period: Span) -> NightCounts:
    channels: dict[str, SoldNights] = {}
    for name, more in ((name, more) for one in counts for name, more in one.channels.items()):
        known = channels.get(name, SoldNights())
        channels[name] = SoldNights(
            sold=known.sold + more.sold, lengths=known.lengths + more.lengths, leads=known.leads + more.leads
        )
    return NightCounts(
        unit_id=unit_id,
        month=month,
        period=counts[0].period if month else period,
        nights=sum(one.nights for one in counts),
        linked=sum(one.linked for one in counts),
        blocked=sum(one.blocked for one in counts),
        not_covered=sum(one.not_covered for one in counts),
        channels=channels,
    )


def describe_counts(counts: NightCounts) -> OccupancyDocument:
    """Return the document of *counts*."""
    lengths = [n for mine in counts.channels.values() for n in mine.lengths]
    leads = [n for mine in counts.channels.values() for n in mine.leads]
    for_sale = 0 if counts.not_covered else counts.sold + counts.free
    return {
        "unit_id": counts.unit_id,
        "month": counts.month,
        "from": counts.period[0].isoformat(),
        "until": counts.period[1].isoformat(),
        "nights": counts.nights,
        "sold": counts.sold,
        "linked": counts.linked,
        "blocked": counts.blocked,
        "free": counts.free,
        "not_covered": counts.not_covered,
        "occupancy_percent": (200 * counts.sold + for_sale) // (2 * for_sale) if for_sale else None,
        "length_of_stay": _describe_lengths(lengths),
        "lead_time": _describe_leads(leads),
        "channels": [
            {
                "channel": name,
                "sold": mine.sold,
                "length_of_stay": _describe_lengths(mine.lengths),
                "lead_time": _describe_leads(mine.leads),
            }
            for name, mine in sorted(counts.channels.items())
        ],
    }


def _describe_lengths(lengths: Sequence[int]) -> StayLengths:
    return {"stays": len(lengths), "median": find_median(lengths), "mean": find_mean(lengths)}


def _describe_leads(leads: Sequence[int | None]) -> LeadTimes:
    known = [n for n in leads if n is not None]
    unknown = len(leads) - len(known)
    return {"known": len(known), "unknown": unknown, "median": find_median(known), "mean": find_mean(known)}


def find_median(values: Sequence[int]) -> float | None:
    """Return the value in the middle, or between the two in the middle; None of no values.

    >>> find_median([1, 14, 3]), find_median([1, 2]), find_median([])
    (3.0, 1.5, None)
    """
    ordered, middle = sorted(values), len(values) // 2
    return (ordered[middle] + ordered[-middle - 1]) / 2 if ordered else None


def find_mean(values: Sequence[int]) -> float | None:
    """Return the mean to a tenth; None of no values.

    >>> find_mean([1, 14, 3]), find_mean([])
    (6.0, None)
    """
    return round(sum(values) / len(values), 1) if values else None
