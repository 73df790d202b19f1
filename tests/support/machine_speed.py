"""How fast this machine is now, so that a bound on CPU holds on a slow one as on a fast one."""

from __future__ import annotations

from time import process_time

ADDITIONS = 1_000_000
"""Of the floor: a loop that takes about 0.06 s of CPU where bounds in seconds were set."""
MAX_FLOORS_A_READ = 85
"""What one read or sync of a feed may cost, in floors: 5 s where the floor takes 0.06 s."""


def count_floors(cpu_seconds: float) -> float:
    """Return *cpu_seconds* as a multiple of the floor: the middle one of five that run now, beside what else runs now."""
    return cpu_seconds / sorted(_floor() for _ in range(5))[2]


def _floor() -> float:
    begun, total = process_time(), 0
    for number in range(ADDITIONS):
        total += number
    return process_time() - begun
