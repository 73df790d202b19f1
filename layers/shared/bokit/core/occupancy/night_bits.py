"""Nights as the bits of one integer: a whole year of them is compared in one operation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import or_

Bits = int
"""A set of nights; bit 0 is the first night of the grid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NightGrid:
    """Which night each bit is, and from which bit on nights are to come."""

    first: date
    today: date

    @property
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
        start = max(0, (first - self.first).days)
        return ((1 << max(0, (end - self.first).days - start)) - 1) << start

    def nights(self, bits: Bits) -> tuple[date, ...]:
        """Return the nights of *bits*, in order."""
        start, found = self.first.toordinal(), []
        while bits:
            lowest = bits & -bits
            found.append(date.fromordinal(start + lowest.bit_length() - 1))
            bits ^= lowest
        return tuple(found)


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
