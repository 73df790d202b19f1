"""CPU time of syncs of costly calendars, relative to icalendar's parse of the same body: ``python -m bench.bench_matching``.

Every shape of ``tests.support.feed_shapes``, through a first, a second and a third sync of the whole engine on the memory store:
the second changes all of it, the third shows half of it and another event, and is held in most shapes.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import icalendar

from bench.rows import Row, show_rows
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


def run(count: int = EVENTS) -> dict[str, Any]:
    """Return for each shape the seconds of icalendar's parse and of each sync, and the largest ratio; and the worst of all."""
    shapes: dict[str, dict[str, float]] = {}
    for shape in SHAPES:
        first, second, third = bodies(shape, count)
        parse = cpu(lambda body=first: icalendar.Calendar.from_ical(body))  # type: ignore[misc]
        app = OneFeedApp()
        taken = [cpu(lambda: app.add(first)), cpu(lambda: app.sync(second)), cpu(lambda: app.sync(third))]  # noqa: B023
        names = ("first", "second", "third")
        seconds = {name: round(value, 2) for name, value in zip(names, taken, strict=True)}
        ratio = round(max(taken) / parse, 2)
        shapes[shape.name] = {"icalendar": round(parse, 2), **seconds, "ratio": ratio}
    worst = max(shapes, key=lambda name: shapes[name]["ratio"])
    longest = max(max(row[name] for name in ("first", "second", "third")) for row in shapes.values())
    megabytes = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return {
        "shapes": shapes,
        "events": count,
        "shape": worst,
        "ratio": shapes[worst]["ratio"],
        "seconds": longest,
        "seconds_of_goal": round(longest / TARGETS["seconds"], 3),
        "megabytes": megabytes,
        "megabytes_of_goal": round(megabytes / TARGETS["megabytes"], 3),
    }


def rows(report: dict[str, Any]) -> list[Row]:
    """Return the worst of all shapes."""
    worst = report["shapes"][report["shape"]]
    slow = f"{worst['ratio'] * worst['icalendar']:.2f} s"
    measured: dict[str, Any] = {"at_most": True, "is_ratio": False, "goal": 1}
    return [
        Row(
            name="matching.ratio",
            what=f"sync {report['events']:,} events, worst; icalendar",
            ours=slow,
            peer=f"{worst['icalendar']:.2f} s",
            ratio=report["ratio"],
            goal=TARGETS["ratio"],
            at_most=True,
        ),
        Row(
            name="matching.seconds_of_goal",
            what=f"the longest of those syncs, of {TARGETS['seconds']} s",
            ours=f"{report['seconds']:.2f} s",
            ratio=report["seconds_of_goal"],
            **measured,
        ),
        Row(
            name="matching.megabytes_of_goal",
            what=f"memory of the process, of {TARGETS['megabytes']} MB",
            ours=f"{report['megabytes']:.0f} MB",
            ratio=report["megabytes_of_goal"],
            **measured,
        ),
    ]


if __name__ == "__main__":
    show_rows(rows(run(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)))
