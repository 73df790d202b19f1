"""How fast this machine is now, so that a bound on CPU holds on a slow one as on a fast one."""

from __future__ import annotations

from datetime import date
from time import process_time

OBJECTS = 60_000
"""Of the floor: dates, texts and dicts made and sorted, as a reader makes them, in about 0.06 s of CPU.

A loop of additions does not measure it: where memory and its caches are busy, reading takes longer, and such a loop hardly.
"""
MAX_FLOORS_A_READ = 85
"""What one read or sync of a feed may cost, in floors: 5 s where the floor takes 0.06 s."""


def count_floors(cpu_seconds: float) -> float:
    """Return *cpu_seconds* as a multiple of the floor: the middle one of five that run now, beside what else runs now."""
    return cpu_seconds / sorted(_floor() for _ in range(5))[2]


def _floor() -> float:
    begun = process_time()
    made = [(date.fromordinal(738_000 + n % 5_000).isoformat(), {"uid": str(n), "at": n}) for n in range(OBJECTS)]
    made.sort(key=lambda each: each[0])
    return process_time() - begun
