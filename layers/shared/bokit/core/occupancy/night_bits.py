"""Nights as the bits of one integer: a whole year of them is compared in one operation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from functools import cached_property, reduce
from operator import or_

from bokit.core.bookings.nights import Span
from bokit.values import Value

Bits = int
"""A set of nights; bit 0 is the first night of the grid."""


class NightGrid(Value, dict=True):
    """Which night each bit is, and from which bit on nights are to come."""

    first: date
    today: date

    @cached_property
    def to_come(self) -> Bits:
        """Every night from today on."""
        return -1 << max(0, (self.today - self.first).days)

    def bits(self, held: Iterable[date]) -> Bits:
        """Return the nights of *held*; none may lie before the grid's first.

        >>> NightGrid(first=date(2026, 7, 1), today=date(2026, 7, 1)).bits([date(2026, 7, 1), date(2026, 7, 3)])
        5
        """
        start, bits = self.first.toordinal(), 0
        for night in held:
            bits |= 1 << (night.toordinal() - start)
        return bits

    def span(self, first: date, end: date) -> Bits:
        """Return the nights of ``[first, end)`` that are in the grid."""
        start = self.first.toordinal()
        skipped = max(0, first.toordinal() - start)
        return ((1 << max(0, end.toordinal() - start - skipped)) - 1) << skipped

    def join(self, spans: Iterable[Span]) -> Bits:
        """Return the nights of all *spans* that are in the grid."""
        bits = 0
        for first, end in spans:
            bits |= self.span(first, end)
        return bits

    def spans(self, bits: Bits) -> list[Span]:
        """Return the spans that the nights of *bits* make, as few and as long as can be, in order.

        >>> [(a.day, b.day) for a, b in NightGrid(first=date(2026, 7, 1), today=date(2026, 7, 1)).spans(0b1011)]
        [(1, 3), (4, 5)]
        """
        start = self.first.toordinal()
        return [(date.fromordinal(start + first), date.fromordinal(start + end)) for first, end in runs(bits)]

    def nights(self, bits: Bits) -> tuple[date, ...]:
        """Return the nights of *bits*, in order."""
        start, found = self.first.toordinal(), []
        while bits:
            lowest = bits & -bits
            found.append(date.fromordinal(start + lowest.bit_length() - 1))
            bits ^= lowest
        return tuple(found)


def runs(nights: Bits) -> Iterator[tuple[int, int]]:
    """Yield the first night and the end of each row of nights without a gap.

    >>> list(runs(0b1100110))
    [(1, 3), (5, 7)]
    """
    first = 0
    while nights:
        skip = (nights & -nights).bit_length() - 1
        nights >>= skip
        length = (~nights & nights + 1).bit_length() - 1
        first += skip
        yield first, first + length
        nights >>= length
        first += length


def join_bits(found: Iterable[Bits]) -> Bits:
    """Return every night that any of *found* has.

    >>> join_bits([0b001, 0b100])
    5
    """
    return reduce(or_, found, 0)


def extent(bits: Bits) -> tuple[int, int]:
    """Return the lowest bit of *bits*, and the bit above its highest; *bits* is not empty.

    >>> extent(0b10100)
    (2, 5)
    """
    return (bits & -bits).bit_length() - 1, bits.bit_length()


def stretch(bits: Bits, nights: int) -> Bits:
    """Return *bits* with the *nights* after each.

    >>> bin(stretch(0b1001, 1))
    '0b11011'
    """
    for _ in range(nights):
        bits |= bits << 1
    return bits
