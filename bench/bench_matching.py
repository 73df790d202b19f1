"""CPU time of syncs of costly calendars, relative to icalendar's parse of the same body: ``python -m bench.bench_matching``.

Every shape of ``tests.support.feed_shapes``, through a first, a second and a third sync of the whole engine on the memory store:
the second changes all of it, the third shows half of it and another event, and is held in most shapes.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable

import icalendar

from tests.support.feed_shapes import SHAPES, FeedShape, ShapedEvent, write
from tests.support.one_feed_app import OneFeedApp

EVENTS = 10_000
TARGETS = {"ratio": 10, "seconds": 5, "megabytes": 256}
"""At most: times icalendar's parse, seconds of CPU of one sync, and megabytes of the process."""


def cpu(work: Callable[[], object]) -> float:
    """Return the seconds of CPU that *work* takes, in every thread of this process."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def bodies(shape: FeedShape, count: int) -> list[bytes]:
    """Return what the three syncs read."""
    half = [*list(shape.events(count, 1))[: count // 2 - 1], ShapedEvent("other@z", 1, 2)]
    return [shape.body(count), shape.body(count, 1), write(half, shape.prodid)]


def run(count: int = EVENTS) -> dict[str, dict[str, float]]:
    """Return for each shape the seconds of icalendar's parse and of each sync, the largest ratio, and the megabytes so far."""
    report: dict[str, dict[str, float]] = {}
    for shape in SHAPES:
        first, second, third = bodies(shape, count)
        parse = cpu(lambda body=first: icalendar.Calendar.from_ical(body))  # type: ignore[misc]
        app = OneFeedApp()
        taken = [cpu(lambda: app.add(first)), cpu(lambda: app.sync(second)), cpu(lambda: app.sync(third))]  # noqa: B023
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        names = ("first", "second", "third")
        seconds = {name: round(value, 2) for name, value in zip(names, taken, strict=True)}
        ratio = round(max(taken) / parse, 2)
        report[shape.name] = {"icalendar": round(parse, 2), **seconds, "ratio": ratio, "megabytes": round(peak)}
    return report


def show(report: dict[str, dict[str, float]]) -> None:
    """Print a line for each shape."""
    print(f"  at most {TARGETS['ratio']} times icalendar, {TARGETS['seconds']} s and {TARGETS['megabytes']} MB are the targets")
    for name, row in report.items():
        taken = f"{row['first']:>5.2f} {row['second']:>5.2f} {row['third']:>5.2f} s; icalendar {row['icalendar']:.2f} s"
        print(f"  {name:<24} {taken}; ratio {row['ratio']:g}; {row['megabytes']:g} MB")


if __name__ == "__main__":
    show(run(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS))
