"""A life in which the clock of one process jumps by an hour, at each of its readings in turn: nothing is lost or doubled.

Claims, leases, evidence of absence, due times and staleness are computed with that clock. The next process has the right one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.support.damage import Damage, compare_ends
from tests.support.faulty_calls import FEED, LIFE
from tests.support.simulated_app import SimulatedApp, TickingClock

HOUR = timedelta(hours=1)
HOURS = 3
"""Between two steps of the life: what a late fetch missed, the next one sees."""
SETTLING = 30
"""Hours after the life, in which what was delayed is made good."""


class JumpingClock(TickingClock):
    """A clock that is wrong by *by* from one of its readings on, until the process ends (``restart``)."""

    def __init__(self, jump_at: int = 0, by: timedelta = HOUR) -> None:
        super().__init__()
        self.readings, self.jump_at, self.by, self.wrong_by = 0, jump_at, by, timedelta()

    def __call__(self) -> datetime:
        self.readings += 1
        if self.readings == self.jump_at:
            self.wrong_by = self.by
        return super().__call__() + self.wrong_by

    def restart(self) -> None:
        """The next process has the right time."""
        self.wrong_by = timedelta()


def live(clock: JumpingClock) -> dict[str, Any]:
    """Live the whole life by *clock*; return its end."""
    app = SimulatedApp(concurrency=1, clock=clock)
    app.save_tenant()
    app.add_source(FEED)
    clock.readings = 0
    for happen, act in LIFE:
        happen(app)
        act(app)
        clock.restart()
        pass_hours(app, clock, HOURS)
    pass_hours(app, clock, SETTLING)
    return app.describe()


def pass_hours(app: SimulatedApp, clock: JumpingClock, hours: int) -> None:
    """Tick and work every quarter of an hour; each is a process of its own."""
    for _ in range(4 * hours):
        app.move(minutes=15)
        app.bokit.tick()
        clock.restart()
        app.deliver_all()
        clock.restart()


def count_readings() -> tuple[int, dict[str, Any]]:
    """Return how often the clock is read in a life with the right time, and its end."""
    clock = JumpingClock()
    end = live(clock)
    return clock.readings, end


def live_all(step: int = 1, hours: Sequence[timedelta] = (HOUR, -HOUR)) -> Damage:
    """Jump at each *step*-th reading, an hour ahead and an hour back; return all damage."""
    readings, end = count_readings()
    places = [(at, by) for by in hours for at in range(1, readings + 1, step)]
    return sum((compare_ends(end, live(JumpingClock(at, by))).at(f"reading {at} by {by}") for at, by in places), Damage())
