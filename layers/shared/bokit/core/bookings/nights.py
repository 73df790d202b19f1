"""Nights: a stay holds the nights from its check-in to the night before its check-out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

Span = tuple[date, date]
"""Half-open: the first night, and the day after the last."""
DAY = timedelta(days=1)


def nights(check_in: date, check_out: date) -> set[date]:
    """Return the nights of ``[check_in, check_out)``.

    >>> len(nights(date(2026, 2, 27), date(2026, 3, 2)))
    3
    """
    return {date.fromordinal(n) for n in range(check_in.toordinal(), check_out.toordinal())}


def nights_of(spans: Iterable[Span]) -> set[date]:
    """Return the nights of several spans together; a night that many of them hold costs no more than once."""
    return {night for span in join_spans(spans) for night in nights(*span)}


def join_spans(spans: Iterable[Span]) -> list[Span]:
    """Return the spans that the nights of *spans* make together, as few and as long as can be, in order.

    >>> [(a.day, b.day) for a, b in join_spans([(date(2026, 1, 5), date(2026, 1, 9)), (date(2026, 1, 1), date(2026, 1, 5))])]
    [(1, 9)]
    """
    found = [span for span in spans if span[0] < span[1]]
    if len(found) < 2:  # most bookings hold one span
        return found
    joined: list[Span] = []
    for first, end in sorted(found):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((first, end))
    return joined


def read_spans(values: Iterable[Sequence[str]]) -> list[Span]:
    """Return spans written as pairs of ISO dates."""
    return [(date.fromisoformat(first), date.fromisoformat(end)) for first, end, *_ in values]


def join_nights(held: Iterable[date]) -> list[Span]:
    """Return the spans that *held* makes, as few and as long as can be, in order.

    >>> join_nights([date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 5)])[0]
    (datetime.date(2026, 1, 1), datetime.date(2026, 1, 3))
    """
    return join_spans((night, night + DAY) for night in held)


def write_spans(held: Iterable[date]) -> list[list[str]]:
    """Return *held* as JSON keeps it: pairs of ISO dates."""
    return [[first.isoformat(), end.isoformat()] for first, end in join_nights(held)]


class NightSet:
    """A set of nights as the bits of one integer, that grows: a span of any length is compared in one operation."""

    def __init__(self, spans: Iterable[Span] = (), *, first: date = date.max) -> None:
        """*first*: no night that is added later lies before it, nor before those of *spans*."""
        joined = join_spans(spans)
        self._start = min(first, joined[0][0] if joined else first).toordinal()
        self._bits = 0
        for span in joined:
            self.add(*span)

    def _span(self, first: date, end: date) -> int:
        start = max(first.toordinal() - self._start, 0)
        return ((1 << max(end.toordinal() - self._start - start, 0)) - 1) << start

    def add(self, first: date, end: date) -> None:
        """Add the nights of ``[first, end)``."""
        self._bits |= self._span(first, end)

    def covers(self, first: date, end: date) -> bool:
        """Return whether every night of ``[first, end)`` is in the set."""
        if first >= end:
            return True
        span = self._span(first, end)
        return first.toordinal() >= self._start and self._bits & span == span

    def meets(self, first: date, end: date) -> bool:
        """Return whether a night of ``[first, end)`` is in the set."""
        return bool(self._bits & self._span(first, end))


class NightIndex:
    """Spans, searched by where they lie: each one found costs a few steps, and those beside it none."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._order = sorted(range(len(spans)), key=lambda n: (spans[n], n))
        self._starts = [spans[n][0] for n in self._order]
        self._ends = [spans[n][1] for n in self._order]
        self._leaves = 1 << max(len(spans) - 1, 0).bit_length()
        self._latest = [date.min] * self._leaves + self._ends + [date.min] * (self._leaves - len(spans))
        for node in range(self._leaves - 1, 0, -1):
            self._latest[node] = max(self._latest[2 * node], self._latest[2 * node + 1])
        self._by_end = sorted(self._ends)

    def meeting(self, first: date, end: date) -> Iterator[int]:
        """Yield the number of each span that has a night of ``[first, end)``."""
        return self._find(end, first + DAY)

    def around(self, first: date, end: date) -> Iterator[int]:
        """Yield the number of each span that has all nights of ``[first, end)``."""
        return self._find(first + DAY, end)

    def count_meeting(self, first: date, end: date) -> int:
        """Return how many spans have a night of ``[first, end)``, without looking at each; none of them is empty."""
        return bisect_left(self._starts, end) - bisect_left(self._by_end, first + DAY)

    def _find(self, before: date, until: date) -> Iterator[int]:
        """Yield those that begin before *before* and end at *until* or later, by their first nights."""
        last, waiting = bisect_left(self._starts, before), [(1, 0, self._leaves)]
        while waiting:
            node, low, high = waiting.pop()
            if low >= last or self._latest[node] < until:
                continue
            if node >= self._leaves:
                yield self._order[low]
            else:
                middle = (low + high) // 2
                waiting += [(2 * node + 1, middle, high), (2 * node, low, middle)]


class NightRanges:
    """Spans that grow in number, of which only those are kept that no other one holds within itself."""

    def __init__(self) -> None:
        self._firsts: list[date] = []
        self._ends: list[date] = []

    def add(self, first: date, end: date) -> None:
        """Add ``[first, end)``."""
        if self.has_around(first, end):
            return
        low = bisect_left(self._firsts, first)
        high = bisect_right(self._ends, end)
        self._firsts[low:high], self._ends[low:high] = [first], [end]

    def has_around(self, first: date, end: date) -> bool:
        """Return whether one of them holds all of ``[first, end)``."""
        place = bisect_right(self._firsts, first)
        return place > 0 and self._ends[place - 1] >= end
