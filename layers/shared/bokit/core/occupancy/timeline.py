"""Who holds which nights, as bits: all of many holdings are compared with one at once, and never in pairs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from bokit.core.occupancy.night_bits import Bits, runs

Members = int
"""A set of holdings; bit n is the n-th of a list."""


def each(members: Members) -> Iterator[int]:
    """Yield the numbers of *members*, in order.

    >>> list(each(0b10010))
    [1, 4]
    """
    while members:
        lowest = members & -members
        yield lowest.bit_length() - 1
        members ^= lowest


class Timeline:
    """The members of every night: segments of nights on which they are the same ones. Made from rows of members and their
    nights; no member has a night twice.
    """

    def __init__(self, nights: Iterable[tuple[Members, Bits]]) -> None:
        changes: dict[int, Members] = {0: 0}
        for members, held in nights:
            for first, end in runs(held):
                changes[first] = changes.get(first, 0) ^ members
                changes[end] = changes.get(end, 0) ^ members
        self._starts = sorted(changes)
        self._active: list[Members] = []
        active = 0
        for start in self._starts:
            active ^= changes[start]
            self._active.append(active)

    @classmethod
    def of_each(cls, nights: Sequence[Bits]) -> Timeline:
        """Return the timeline of the members 0, 1, 2 …, who hold these *nights*."""
        return cls((1 << n, held) for n, held in enumerate(nights))

    def meet(self, nights: Bits, members: Members) -> tuple[Bits, Members]:
        """Return which of *nights* any of *members* holds, and which of them hold one of these nights."""
        met, found = 0, 0
        for first, end, active in self._segments(nights):
            if here := active & members:
                met |= (1 << end) - (1 << first)
                found |= here
        return met, found

    def _segments(self, nights: Bits) -> Iterator[tuple[int, int, Members]]:
        """Yield the segments of *nights*: the first night, the end, and who is active."""
        for first, end in runs(nights):
            place = bisect_right(self._starts, first) - 1
            while place < len(self._starts) and self._starts[place] < end:
                following = self._starts[place + 1] if place + 1 < len(self._starts) else end
                yield max(first, self._starts[place]), min(end, following), self._active[place]
                place += 1


def find_components(edges: Sequence[Members]) -> list[Members]:
    """Return the sets of members that are connected with each other; *edges* has each member's neighbours, both ways.

    Who has no neighbour is in none.

    >>> find_components([0b10, 0b1, 0, 0b10000, 0b1000])
    [3, 24]
    """
    found, rest = [], sum(1 << n for n, edge in enumerate(edges) if edge)
    while rest:
        group, front = 0, rest & -rest
        while front:
            lowest = front & -front
            group |= lowest
            front = (front | edges[lowest.bit_length() - 1]) & ~group
        found.append(group)
        rest &= ~group
    return found
