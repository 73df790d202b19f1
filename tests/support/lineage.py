"""A queue that counts the links of each message's chain, as Lambda's recursion guard does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

MOST = 16
"""Links that AWS lets pass; the next one is dropped."""


class LineageQueue:
    """``Queue`` in memory, whose delays pass with the clock. What is sent outside of any message's work begins a chain."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.waiting: list[tuple[datetime, int, str]] = []
        self.worked: list[str] = []
        self.deepest = 0
        self._links = 0

    def send(self, bodies: Sequence[str], *, delay_seconds: int = 0) -> None:
        due = self.clock() + timedelta(seconds=delay_seconds)
        self.waiting += [(due, self._links + 1, body) for body in bodies]
        self.deepest = max([self.deepest, *(links for _, links, _ in self.waiting)])

    def work_off(self, work: Callable[[str], object], until: datetime | None = None) -> int:
        """Work off what is ready, what is sent meanwhile too; return how many there were. One that is cut is never worked."""
        done = 0
        while ready := sorted(one for one in self.waiting if one[0] <= (until or self.clock())):
            first = ready[0]
            self.waiting.remove(first)
            if first[1] > MOST:
                continue
            self._links, done = first[1], done + 1
            self.worked.append(first[2])
            try:
                work(first[2])
            finally:
                self._links = 0
            assert done < 10_000, "the queue does not get empty"
        return done
