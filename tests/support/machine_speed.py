"""How fast this machine is now, so that a bound on CPU holds on a slow one as on a fast one."""

from __future__ import annotations

from functools import cache
from time import process_time

ADDITIONS = 1_000_000
"""Of the floor: a loop that takes about 0.06 s of CPU where bounds in seconds were set."""
MAX_FLOORS_A_READ = 85
"""What one read or sync of a feed may cost, in floors: 5 s where the floor takes 0.06 s."""


@cache
def floor_seconds() -> float:
    """Return the seconds of CPU that the floor takes in this process: the middle one of five."""
    return sorted(_floor() for _ in range(5))[2]


def _floor() -> float:
    begun, total = process_time(), 0
    for number in range(ADDITIONS):
        total += number
    return process_time() - begun


def count_floors(cpu_seconds: float) -> float:
    """Return *cpu_seconds* as a multiple of the floor."""
    return cpu_seconds / floor_seconds()
