"""What each outgoing calendar held, since when, and when its consumer read it: by it closures are judged. Pure.

A calendar's page keeps its nights as ranges, in the document that is written with the page anyway:

    held    [first, end, since, read]                *since*: from when on the calendar holds them (None: not known, the page
                                                     is older than this record); *read*: the first recorded read since then
    left    [first, end, since, read, left, again]   *left*: when the calendar dropped them; *again*: the first recorded read
                                                     since then. Those that nobody read leave no trace.

The first read after a page was written stands beside the page and is added to its ranges when they are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

from bokit.core.bookings.night_history import PLATFORM
from bokit.core.bookings.nights import join_nights, nights
from bokit.core.model.documents import write_time
from bokit.core.model.records import Fields, Json, Record, Scope, SourceId
from bokit.core.occupancy.limits import MAX_FADING, MAX_READ_AGE, MAX_UNREAD_FADING, MIN_BETWEEN_FETCHES
from bokit.core.occupancy.night_bits import Bits, NightGrid, join_bits
from bokit.values import Value, field

HELD, LEFT = "held", "left"
EVERY_NIGHT: Bits = -1


class PublishedTimes(NamedTuple):
    """When a calendar held a night, and when it was read."""

    since: datetime | None
    """From when on it holds, or held, the night; None: not known."""
    read_at: datetime | None = None
    """When it was first read with the night."""
    left_at: datetime | None = None
    """When it dropped the night; None: it holds it."""
    read_without_at: datetime | None = None
    """When it was first read without the night."""


class PublishedRange(NamedTuple):
    """Nights that a calendar holds, or held, in the same time."""

    first: date
    end: date
    times: PublishedTimes


def read_ranges(stored: Fields, first_read_at: datetime | None) -> list[PublishedRange]:
    """Return the ranges that a page keeps; *first_read_at* is the first read since the page was written."""
    found: list[PublishedRange] = []
    known: dict[tuple[str | None, ...], PublishedTimes] = {}
    for first, end, *row in (*stored.get(HELD, ()), *stored.get(LEFT, ())):
        written = tuple(row)  # many ranges have the same times, so each of them is read once
        if (times := known.get(written)) is None:
            read = PublishedTimes(*(datetime.fromisoformat(time) if time else None for time in row))
            times = known[written] = _add_read(read, first_read_at)
        found.append(PublishedRange(date.fromisoformat(first), date.fromisoformat(end), times))
    return found


def find_times(ranges: Iterable[PublishedRange], night: date) -> PublishedTimes | None:
    """Return since when a page with these *ranges* holds *night*, and when it was read with it; None: it does not."""
    return next((r.times for r in ranges if r.times.left_at is None and r.first <= night < r.end), None)


def _add_read(times: PublishedTimes, read_at: datetime | None) -> PublishedTimes:
    """Return *times* with the first read since the page was written, where none is known yet."""
    if times.left_at is None:
        return times._replace(read_at=times.read_at or read_at)
    return times._replace(read_without_at=times.read_without_at or read_at)


def record_ranges(
    stored: Fields | None, shown: Iterable[date], *, at: datetime, first_read_at: datetime | None = None
) -> dict[str, Json]:
    """Return what a page keeps that shows the nights *shown* from *at* on, in the place of *stored*.

    None: there was no page before. Of a page that kept nothing yet, since when it holds a night is not known. Of each night
    that was read and dropped, the first read and the last drop are kept: for MAX_READ_AGE, or as long as it is held again.
    """
    ranges, mine = read_ranges(stored or {}, first_read_at), set(shown)
    before = {n: r.times for r in ranges if r.times.left_at is None for n in nights(r.first, r.end)}
    dropped = {n: r.times for r in ranges if r.times.left_at for n in nights(r.first, r.end)}
    left = {n: times for n, times in dropped.items() if n in mine or _is_recent(times, at)}
    for night in before.keys() - mine:
        times, first = before[night], left.get(night, before[night])
        if times.read_at or times.since is None:
            left[night] = PublishedTimes(first.since, first.read_at or times.read_at, at)
    new = PublishedTimes(None if stored is not None and HELD not in stored else at)
    return {HELD: _write_rows({n: before.get(n, new) for n in mine}, 2), LEFT: _write_rows(left, 4)}


def _is_recent(times: PublishedTimes, at: datetime) -> bool:
    return times.left_at is not None and at - times.left_at < MAX_READ_AGE


def _write_rows(by_night: Mapping[date, PublishedTimes], columns: int) -> list[list[str | None]]:
    """Return the nights as ranges with the same times, in order."""
    by_times: dict[PublishedTimes, list[date]] = {}
    for night, times in by_night.items():
        by_times.setdefault(times, []).append(night)
    spans = [(span, times) for times, found in by_times.items() for span in join_nights(found)]
    return [
        [first.isoformat(), end.isoformat(), *(write_time(time) if time else None for time in times[:columns])]
        for (first, end), times in sorted(spans, key=lambda row: row[0])
    ]


class CalendarReads(Value):
    """One outgoing calendar: for whom it is, and what it held when it was read."""

    unit: Scope
    consumer: str | None
    ranges: tuple[PublishedRange, ...] = ()
    is_known: bool = True
    """False: a page keeps nothing of it yet."""

    def concerns(self, record: Record) -> bool:
        """Return whether the source of *record* may have read it: it is that source's, or anybody's."""
        return self.unit == record.scope and (self.consumer is None or self.is_for(record))

    def is_for(self, record: Record) -> bool:
        """Return whether it is the calendar of *record*'s source, or of its platform."""
        return self.consumer is not None and self.consumer in (record.memory.get(PLATFORM), record.source_id)


class Fading(NamedTuple):
    """Nights that fade."""

    left: datetime
    """Since when what they repeated is gone."""
    end: datetime
    """When they are a closure's own, if they are still shown."""
    bits: Bits
    read_at: datetime | None = None
    """When their consumer first read its calendar without them; None: it has not yet, or that is not known."""
    is_awaited: bool = False
    """It has not yet: the end comes sooner once it has."""
    grace: timedelta = timedelta()
    """What is dropped so soon after the end was dropped in time: the second fetch may come a little later."""


class ReadRange(Value):
    """A range that was read, as bits."""

    bits: Bits
    read_at: datetime
    left_at: datetime | None
    read_without_at: datetime | None
    is_own: bool
    """In the consumer's own calendar; else in the one for anybody."""

    def covers(self, left: datetime) -> bool:
        """Return whether the calendar held the nights until *left*, when the record that had them left them."""
        return self.left_at is None or self.left_at >= left - MIN_BETWEEN_FETCHES


class NightsRead(Value):
    """Which nights a closure's source read in our calendars, and when."""

    unknown: Bits = EVERY_NIGHT
    """Nights of which it is not known."""
    ranges: tuple[ReadRange, ...] = ()
    two_fetches: timedelta = MIN_BETWEEN_FETCHES
    """Within this time two fetches of the source come."""

    def read_before(self, seen: datetime) -> Bits:
        """Return the nights that the source may have read as taken until *seen*."""
        return self.unknown | join_bits(r.bits for r in self.ranges if r.read_at <= seen)

    def surely_before(self, seen: datetime) -> Bits:
        """Return the nights that the source is known to have read as taken until *seen*."""
        return self.read_before(seen) & ~self.unknown

    def fading(self, mine: Bits, after: datetime | None, left: datetime) -> list[Fading]:
        """Return how those of the nights *mine* fade that others left at *left*.

        *after* is the fetch before the one in which the source first showed them (None: it was its first).

            the source                                  they fade
            read them in its own calendar               until it has read the calendar without them, and two fetches have
                                                        come since; MAX_UNREAD_FADING where it does not read
            showed them with its first fetch already    not at all
            else                                        MAX_FADING: no read is known
        """
        found, rest = [], mine
        for row in (r for r in self.ranges if r.is_own and r.covers(left)):
            if bits := rest & row.bits:
                again = row.read_without_at
                end = again + self.two_fetches if again else left + MAX_UNREAD_FADING
                grace = self.two_fetches if again else timedelta()
                found.append(Fading(left, end, bits, again, is_awaited=again is None, grace=grace))
            rest &= ~row.bits
        if after is not None and rest:
            found.append(Fading(left, left + MAX_FADING, rest))
        return found


class ReadLog(Value):
    """The outgoing calendars of linked units, as far as they were read."""

    calendars: tuple[CalendarReads, ...] = ()
    two_fetches: Mapping[SourceId, timedelta] = field(default_factory=dict)

    def of(self, record: Record, grid: NightGrid) -> NightsRead:
        """Return what the source of *record* read."""
        mine = [c for c in self.calendars if c.concerns(record)]
        if any(not c.is_known for c in mine):
            return NightsRead()
        rows = [(r.times, grid.span(r.first, r.end), c.is_for(record)) for c in mine for r in c.ranges]
        return NightsRead(
            unknown=join_bits(bits for times, bits, _ in rows if times.since is None),
            ranges=tuple(
                ReadRange(bits=bits, read_at=t.read_at, left_at=t.left_at, read_without_at=t.read_without_at, is_own=is_own)
                for t, bits, is_own in rows
                if t.since is not None and t.read_at is not None
            ),
            two_fetches=self.two_fetches.get(record.source_id, MIN_BETWEEN_FETCHES) if record.source_id else MIN_BETWEEN_FETCHES,
        )


class SourceReads:
    """What the source of each record read in our calendars; the same for all records of a source in a unit."""

    def __init__(self, reads: ReadLog | None, grid: NightGrid) -> None:
        self._reads, self._grid = reads, grid
        self._known: dict[tuple[SourceId | None, Scope, str | None], NightsRead] = {}

    def of(self, record: Record) -> NightsRead:
        """Return what the source of *record* read."""
        reader = record.source_id, record.scope, record.memory.get(PLATFORM)
        if reader not in self._known:
            self._known[reader] = self._reads.of(record, self._grid) if self._reads else NightsRead()
        return self._known[reader]
