"""The processes that sync many feeds: one ticks, several take batches from a queue, as the functions of a stack do.

    tick      │ minute 1: claims ──► queue │ minute 2 … each begins when the batches of the one before the last are done
    worker 1  │                      └─► batch ─► batch ─► …
    worker 2  │                      └─► batch ─► …

The clock is set by the tick: each minute is a minute later. A worker's clock shows the minute of the batch's tick.
"""

from __future__ import annotations

import os
import resource
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.queues import Queue as ProcessQueue
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from bench.scale.stores import MINUTE, FilledStore
from bokit.core.model.records import SourceId
from bokit.core.model.runs import Outcome
from bokit.engine.runs.batch import BatchReport
from bokit.engine.runs.messages import read_message
from bokit.store.dynamo.store import DynamoStore
from bokit.store.protocols import Store
from bokit.wiring import build_engine

END = None
"""In the place of a message: the worker ends."""
TICK = "tick"
"""The name of the process that ticks; the others are workers."""
PAUSE_SECONDS = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one tick, or one batch, did and took; *began* and *ended* in seconds of a clock that all processes share."""

    process: str
    began: float
    ended: float
    cpu: float
    """Seconds."""
    feeds: tuple[SourceId, ...] = ()
    """Of a batch: those that were synced and unchanged."""
    others: int = 0
    """Of a batch: those that were anything else."""
    sent: int = 0
    """Of a tick: the batches that it sent."""
    calls: Counter[str] = field(default_factory=Counter)
    """Requests to the table by their kind; of the store in memory none are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A process's last word."""

    process: str
    peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """What the processes share."""

    work: ProcessQueue[tuple[datetime, str] | None]
    results: ProcessQueue[Step | Ended]
    done: Synchronized[int]
    """Batches that were worked."""


def work(name: str, store: FilledStore, lanes: Lanes) -> None:
    """Work batches until the queue says that there are no more."""
    now = [datetime.now(UTC)]
    bokit = build_engine(store.settings, store=(opened := store.open()), clock=lambda: now[0])
    calls = count_calls(opened)
    while (taken := lanes.work.get()) is not END:
        now[0], body = taken
        report, step = measure(name, lambda body=body: bokit.work(read_message(body)), calls)  # type: ignore[misc]
        lanes.results.put(replace_step(step, report))
        with lanes.done.get_lock():
            lanes.done.value += 1
    lanes.results.put(Ended(process=name, peak_bytes=peak_bytes()))


def replace_step(step: dict[str, Any], report: BatchReport) -> Step:
    """Return the step of a batch with what became of its feeds."""
    reports = [source for run in report.runs for source in run.sources]
    unchanged = tuple(source.source_id for source in reports if source.outcome is Outcome.UNCHANGED)
    return Step(**step, feeds=unchanged, others=len(reports) - len(unchanged) + report.left + report.stale)


def tick(store: FilledStore, lanes: Lanes, start: datetime, minutes: int, workers: int) -> None:
    """Tick for so many *minutes* from *start* on, then wait for the last batch, and end the workers."""
    now = [start]
    sent = SentBodies(lanes, now)
    bokit = build_engine(store.settings, store=(opened := store.open()), queue=sent, clock=lambda: now[0])
    calls = count_calls(opened)
    for _ in range(minutes):
        before = sent.count
        _, step = measure(TICK, bokit.tick, calls)
        lanes.results.put(Step(**step, sent=sent.count - before))
        wait_until_done(lanes, sent.count - max(workers, sent.count - before))
        now[0] += MINUTE
    wait_until_done(lanes, sent.count)
    for _ in range(workers):
        lanes.work.put(END)
    lanes.results.put(Ended(process=TICK, peak_bytes=peak_bytes()))


class SentBodies:
    """The engine's queue: messages go to the workers, with the time of the clock."""

    def __init__(self, lanes: Lanes, now: Sequence[datetime]) -> None:
        self._lanes, self._now, self.count = lanes, now, 0

    def send(self, bodies: Sequence[str], *, delay_seconds: int = 0) -> None:
        """Put *bodies* into the queue."""
        for body in bodies:
            self._lanes.work.put((self._now[0], body))
        self.count += len(bodies)


def wait_until_done(lanes: Lanes, count: int) -> None:
    """Wait until *count* batches were worked."""
    while lanes.done.value < count:
        time.sleep(PAUSE_SECONDS)


def measure(name: str, act: Callable[[], Any], calls: Counter[str]) -> tuple[Any, dict[str, Any]]:
    """Return what *act* returned, and the step that it was."""
    calls.clear()
    began, cpu = time.monotonic(), time.process_time()
    found = act()
    ended = time.monotonic()
    return found, {
        "process": name,
        "began": began,
        "ended": ended,
        "cpu": time.process_time() - cpu,
        "calls": Counter(calls),
    }


def count_calls(store: Store) -> Counter[str]:
    """Return the counter of the requests that *store* sends to its table from now on."""
    calls: Counter[str] = Counter()
    if isinstance(store, DynamoStore):
        store.client.meta.events.register(
            "before-send.dynamodb", lambda request, **_: calls.update([request.headers["X-Amz-Target"].decode().split(".")[-1]])
        )
    return calls


def peak_bytes() -> int:
    """Return the most memory that this process had; where the system does not say its own, its and its parent's at the fork."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def read_cpu(pid: int) -> float:
    """Return the CPU seconds of another process with all its threads; 0 where the system does not say."""
    fields = _read_stat(Path(f"/proc/{pid}/stat"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def children_of(pid: int) -> set[int]:
    """Return the processes that *pid* started and that still run; none where the system does not say."""
    found = {path.parent.name: _read_stat(path) for path in Path("/proc").glob("[0-9]*/stat")}
    return {int(child) for child, fields in found.items() if fields and fields[1] == str(pid)}


def _read_stat(path: Path) -> list[str]:
    """Return what follows the name of a process; nothing where it has ended."""
    try:
        return path.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
