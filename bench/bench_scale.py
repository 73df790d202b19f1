"""Many unchanged feeds of 100 events, synced by a tick and two workers in processes of their own, relative to few.

    feed server ◄── worker 1 ──┐
        ▲                      ├──► the emulator's table, or the store in memory in a process of its own
        └────────── worker 2 ──┤
                     tick ─────┘    all on the same two cores; what each takes of them is printed

1,000 and 10,000 feeds are in the table; 1,000 and 100,000 in the store in memory. One feed is really added and synced, all others
are copies of what is stored of it then (``bench.scale.stores``); every fetch, hash, claim and write that is measured is real.
Due times are spread over the interval of 15 minutes, as ticks see them, and the clock runs as fast as the work is done. Every
feed must be found unchanged, once an interval.

    cpu_ms        CPU of the workers for each feed: at most a tenth more with more feeds
    tick_cpu_ms   CPU of a tick, whose largest part is the same for any number of feeds
    peak_mb       memory of a worker: at most a fifth more with more feeds
    rate          feeds a second of real time, with feed server and store on the same cores
    rate_alone    the same where nothing else ran, by the share of the cores that all of these took
    tick_s        the longest tick

``python -m bench.bench_scale`` takes other sizes: ``--table SIZE …``, ``--memory SIZE …``; ``--draw FILE`` draws the curve.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import queue
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from pathlib import Path
from statistics import median
from typing import Any

from bench.bench_unchanged import emulator
from bench.rows import Row, show_rows
from bench.scale.curve import draw_curve
from bench.scale.feeds import feed_server
from bench.scale.processes import TICK, Ended, Lanes, Step, children_of, read_cpu, tick, work
from bench.scale.stores import (
    INTERVAL,
    MINUTE,
    REGION,
    SLOTS,
    Feeds,
    FilledStore,
    MemoryServer,
    TableStore,
    open_manager,
    sync_first,
)
from bokit.config import Settings

SIZES = {"table": (1_000, 10_000), "memory": (1_000, 100_000)}
WORKERS = 2
WARM = 2
"""Batches of each worker that are not measured: connections are opened and modules imported."""
LEAST_FEEDS = 10_000
"""Syncs that are measured at least: few feeds are synced in several intervals."""
GOAL_RATE, GOAL_CPU, GOAL_PEAK, GOAL_TICK = 800, 1.1, 1.2, 1.0
SPAWN = multiprocessing.get_context("spawn")


@contextmanager
def table_store() -> Iterator[tuple[FilledStore, int]]:
    """Create a table in an emulator of its own; yield it with the emulator's process id."""
    before = children_of(os.getpid())
    with emulator() as endpoint_url:
        (pid,) = children_of(os.getpid()) - before or {0}
        store = TableStore(make_settings(endpoint_url))
        store.create()
        yield store, pid


@contextmanager
def memory_store() -> Iterator[tuple[FilledStore, int]]:
    """Open a store in memory in a process of its own; yield it with the process's id."""
    before = children_of(os.getpid())
    with open_manager() as manager:
        (pid,) = children_of(os.getpid()) - before or {0}
        yield MemoryServer(make_settings(None), manager.LoadedStore()), pid  # type: ignore[attr-defined]


STORES: dict[str, Callable[[], Any]] = {"table": table_store, "memory": memory_store}


def make_settings(endpoint_url: str | None) -> Settings:
    """Return the settings of every process."""
    return Settings(table_name="scale", region=REGION, endpoint_url=endpoint_url, allow_private_addresses=True)


def measure(kind: str, count: int, *, workers: int = WORKERS, least: int = LEAST_FEEDS, warm: int = WARM) -> dict[str, Any]:
    """Sync *count* feeds of the store *kind* for whole intervals, *least* syncs in all; return what it took.

    The first *warm* batches of each worker, and what ticked meanwhile, are not counted.
    """
    with feed_server() as (feed_url, feed_pid), STORES[kind]() as (store, store_pid):
        start = datetime.now(UTC).replace(second=0, microsecond=0)
        head, line = sync_first(store, feed_url, start - INTERVAL)
        store.fill(Feeds(head=head, line=line, count=count, start=start - INTERVAL))
        intervals = max(1, -(-least // count))
        running = Running(store, {"feed server": feed_pid, "store": store_pid}, workers, warm)
        running.run(start - MINUTE, intervals * SLOTS + 1)
    running.check(count, intervals)
    return running.summarize()


class Running:
    """Tick and workers, what they report, and what the processes beside them take."""

    def __init__(self, store: FilledStore, beside: dict[str, int], workers: int, warm: int) -> None:
        self.store, self.beside, self.workers, self.warm = store, beside, workers, warm
        self.steps: list[Step] = []
        self.ended: list[Ended] = []
        self.warm_at = 0.0
        self.shares: dict[str, float] = {}
        """Of all cores' time: what each process took that is not Bokit's."""

    def run(self, start: datetime, minutes: int) -> None:
        """Run all processes to their end."""
        lanes = Lanes(work=SPAWN.Queue(), results=SPAWN.Queue(), done=SPAWN.Value("i", 0))
        names = [f"worker {n}" for n in range(self.workers)]
        processes: list[BaseProcess] = [SPAWN.Process(target=work, args=(name, self.store, lanes)) for name in names]
        processes.append(SPAWN.Process(target=tick, args=(self.store, lanes, start, minutes, self.workers)))
        for process in processes:
            process.start()
        self._listen(lanes, processes)
        for process in processes:
            process.join()

    def _listen(self, lanes: Lanes, processes: list[BaseProcess]) -> None:
        before = None
        while len(self.ended) < len(processes):
            found = take(lanes, processes)
            if isinstance(found, Step):
                self.steps.append(found)
            elif isinstance(found, Ended):
                self.ended.append(found)
            if before is None and self._is_warm():
                self.warm_at, before = time.monotonic(), self._cpu()
            if isinstance(found, Ended) and before is not None and not self.shares:
                spent, cores = time.monotonic() - self.warm_at, os.cpu_count() or 1
                self.shares = {name: (cpu - before[name]) / spent / cores for name, cpu in self._cpu().items()}

    def _is_warm(self) -> bool:
        """Return whether all workers together have worked as many batches as are not counted."""
        return sum(step.process != TICK for step in self.steps) >= self.warm * self.workers

    def _cpu(self) -> dict[str, float]:
        return {name: read_cpu(pid) for name, pid in self.beside.items()}

    def check(self, count: int, intervals: int) -> None:
        """Raise if not every feed was synced in each interval (one may be cut off at the end), or one was found changed."""
        times = Counter(source_id for step in self.steps for source_id in step.feeds)
        others = sum(step.others for step in self.steps)
        if len(times) != count or min(times.values()) < max(1, intervals - 1) or others:
            least = f"each {min(times.values())} times or more" if times else "never"
            raise RuntimeError(f"of {count} feeds {len(times)} were synced, {least}; {others} times not unchanged")

    def summarize(self) -> dict[str, Any]:
        """Return what each feed, batch and tick took."""
        counted = [step for step in self.steps if step.began >= self.warm_at]
        batches = [step for step in counted if step.process != TICK]
        ticks = [step for step in counted if step.process == TICK]
        feeds = sum(len(step.feeds) for step in batches)
        seconds = max(step.ended for step in batches) - self.warm_at
        calls: Counter[str] = sum((step.calls for step in batches), Counter())
        shares = {"Bokit": sum(step.cpu for step in counted) / seconds / (os.cpu_count() or 1), **self.shares}
        return {
            "feeds": feeds,
            "others": sum(step.others for step in batches),
            "rate": feeds / seconds,
            "rate_alone": feeds / seconds / sum(shares.values()),
            "cpu_ms": sum(step.cpu for step in batches) / feeds * 1000,
            "tick_cpu_ms": sum(step.cpu for step in ticks) / len(ticks) * 1000,
            "tick_s": max(step.ended - step.began for step in ticks),
            "median_tick_s": median(step.ended - step.began for step in ticks),
            "most_batches_a_tick": max(step.sent for step in ticks),
            "batches_a_hundred_feeds": len(batches) / feeds * 100,
            "calls_a_batch": {name: n / len(batches) for name, n in sorted(calls.items())},
            "calls_a_tick": count_each(ticks),
            "peak_mb": {"tick": self._peak_mb(is_tick=True), "worker": self._peak_mb(is_tick=False)},
            "shares": shares,
        }

    def _peak_mb(self, *, is_tick: bool) -> float:
        return max(ended.peak_bytes for ended in self.ended if (ended.process == TICK) == is_tick) / 2**20


def count_each(ticks: list[Step]) -> dict[str, float]:
    """Return the requests of a tick, on average."""
    calls: Counter[str] = sum((step.calls for step in ticks), Counter())
    return {name: n / len(ticks) for name, n in sorted(calls.items())}


def take(lanes: Lanes, processes: list[BaseProcess]) -> Step | Ended | None:
    """Return the next result, or None where there is none yet; raises, and ends all, where a process failed."""
    try:
        return lanes.results.get(timeout=1)
    except queue.Empty:
        if not any(process.exitcode for process in processes):
            return None
    for process in processes:
        process.kill()
    raise RuntimeError("a process failed; its error is above")


def run(sizes: Mapping[str, Sequence[int]] = SIZES) -> dict[str, Any]:
    """Measure each store's sizes; return what each took, and the largest relative to the smallest."""
    os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1")
    report: dict[str, Any] = {}
    for kind, counts in sizes.items():
        found = {str(count): measure(kind, count) for count in sorted(counts)}
        least, most = (found[str(count)] for count in (min(counts), max(counts)))
        report[kind] = {
            "sizes": found,
            "cpu": {"ratio": most["cpu_ms"] / least["cpu_ms"]},
            "peak": {"ratio": most["peak_mb"]["worker"] / least["peak_mb"]["worker"]},
            "rate": {"ratio": most["rate"] / GOAL_RATE},
            "tick": {"ratio": max(each["tick_s"] for each in found.values()) / GOAL_TICK},
        }
    return report


def rows(report: Mapping[str, Any]) -> list[Row]:
    """Return what each goal is about, for each store."""
    return [row for kind, found in report.items() for row in _rows_of(kind, found)]


def _rows_of(kind: str, found: Mapping[str, Any]) -> Iterator[Row]:
    sizes = sorted(found["sizes"], key=int)
    least, most = found["sizes"][sizes[0]], found["sizes"][sizes[-1]]
    feeds = f"{int(sizes[-1]):,} feeds {'in the table' if kind == 'table' else 'in memory'}"
    if len(sizes) > 1:
        beside = f"{feeds} beside {int(sizes[0]):,}"
        cpu = {"ours": f"{most['cpu_ms']:.3f} ms", "peer": f"{least['cpu_ms']:.3f} ms"}
        yield _row(kind, "cpu", found, f"{beside}: CPU of each", GOAL_CPU, at_most=True, **cpu)
        peak = {"ours": f"{most['peak_mb']['worker']:.0f} MB", "peer": f"{least['peak_mb']['worker']:.0f} MB"}
        yield _row(kind, "peak", found, f"{beside}: memory", GOAL_PEAK, at_most=True, **peak)
    here = {"is_ratio": False}
    yield _row(kind, "rate", found, f"{feeds}: a second", 1, ours=f"{most['rate']:.0f}", floor=f"{GOAL_RATE}", **here)
    longest = f"{max(size['tick_s'] for size in found['sizes'].values()):.2f} s"
    yield _row(kind, "tick", found, f"{feeds}: the longest tick", 1, at_most=True, ours=longest, floor=f"{GOAL_TICK} s", **here)


def _row(kind: str, figure: str, found: Mapping[str, Any], what: str, goal: float, **sides: Any) -> Row:
    return Row(name=f"scale.{kind}.{figure}.ratio", what=what, ratio=found[figure]["ratio"], goal=goal, **sides)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the sizes that the command line names, print what each took, and draw the curve where it says so."""
    parser = argparse.ArgumentParser(prog="python -m bench.bench_scale", description=__doc__.partition("\n")[0])
    parser.add_argument("--table", type=int, nargs="*", metavar="FEEDS", help="sizes of the table")
    parser.add_argument("--memory", type=int, nargs="*", metavar="FEEDS", help="sizes of the store in memory")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="where the curve is drawn, as an SVG")
    given = parser.parse_args(arguments)
    sizes = {"table": given.table, "memory": given.memory}
    report = run({kind: counts for kind, counts in sizes.items() if counts} or SIZES)
    print(json.dumps(report, indent=1))
    show_rows(rows(report))
    if given.draw:
        given.draw.write_text(draw_curve(report), encoding="utf-8")


if __name__ == "__main__":
    main()
