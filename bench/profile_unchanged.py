"""Where each microsecond of an unchanged feed goes: CPU time by part, beside a bare socket that reads and hashes its bytes.

``python -m bench.profile_unchanged`` prints it, on the server and table of ``bench_unchanged``. Each part is a function of the
product that is timed by the CPU of its thread, without the parts inside it, so that the parts and the rest add up to the whole.
The clocks cost time themselves: that line is an estimate, and lies within the others.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from importlib import import_module
from statistics import median
from typing import Any

from bench.bench_unchanged import FEEDS, Ours, cpu, emulator, feed_server, read_raw
from bench.rows import Row, show_rows

ROUNDS = 10
MAX_FLOORS = 5
"""Goal: what an unchanged feed costs at most, in floors."""
STORE = "bokit.store.dynamo.store:DynamoStore"
PARTS = (
    ("the tick: what else is due", "bokit.engine.runs.tick:Tick.run"),
    ("the tick: due shards", f"{STORE}.load_due"),
    ("the tick: options", f"{STORE}.load_options"),
    ("the tick: monitors", f"{STORE}.load_monitors"),
    ("the tick: the outbox, 5 reads", f"{STORE}.load_outbox"),
    ("claim", f"{STORE}.claim_shard"),
    ("the batch", "bokit.engine.runs.batch:BatchRunner.run"),
    ("heads: read and decode", f"{STORE}.load_heads"),
    ("a thread takes a source", "bokit.engine.runs.batch:BatchRunner._sync_one"),
    ("sync: pass, steps, report", "bokit.engine.sync.sync:SourceSync.sync"),
    ("sync: settings and context", "bokit.engine.sync.sync:SourceSync._is_unchanged"),
    ("hash the body", "bokit.core.bookings.rules:BookingRules.hash_content"),
    ("fetch: headers asked and kept", "bokit.sources.ical:IcalFetcher.fetch"),
    ("fetch: address, request, response", "bokit.net.session:SafeSession.request"),
    ("connection: take a kept one", "bokit.net.connections:Connections.take"),
    ("connection: open, with the name", "bokit.net.guard:Guard.connect"),
    ("send", "bokit.net.adapter:GuardedAdapter._send_once"),
    ("wait for the head, and split it", "bokit.net.adapter:read_response"),
    ("read the body", "bokit.net.adapter:read_body"),
    ("next lines", "bokit.engine.runs.batch:BatchClaim._ended"),
    ("runs and their log lines", "bokit.engine.runs.batch:BatchClaim.complete"),
    ("heartbeat: write the batch", f"{STORE}.complete_batch"),
)
"""What is timed, and where it is."""


@dataclass(slots=True)
class Clocks:
    """The CPU time of each part, in seconds, and how often it ran."""

    seconds: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    here: threading.local = field(default_factory=threading.local)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def timed(self, part: str, act: Callable[..., Any]) -> Callable[..., Any]:
        """Return *act*, which adds its time to that of *part*, without what the parts in it take."""

        @wraps(act)
        def run(*args: Any, **more: Any) -> Any:
            inner = self.here.__dict__.setdefault("inner", [])
            inner.append(0.0)
            began = time.thread_time()
            try:
                return act(*args, **more)
            finally:
                took, within = time.thread_time() - began, inner.pop()
                if inner:
                    inner[-1] += took
                with self.lock:
                    self.seconds[part] += took - within
                    self.calls[part] += 1

        return run


@contextmanager
def clocks_on_parts() -> Iterator[Clocks]:
    """Time the parts for as long as the block runs."""
    clocks, former = Clocks(), []
    for part, place in PARTS:
        owner, name = find_owner(place)
        former.append((owner, name, owner.__dict__.get(name)))
        setattr(owner, name, clocks.timed(part, getattr(owner, name)))
    try:
        yield clocks
    finally:
        for owner, name, act in former:
            if act is None:  # inherited
                delattr(owner, name)
            else:
                setattr(owner, name, act)


def find_owner(place: str) -> tuple[Any, str]:
    """Return the class or module of a part, and the name of its function there."""
    module, _, path = place.partition(":")
    owner: Any = import_module(module)
    *outer, name = path.split(".")
    for each in outer:
        owner = getattr(owner, each)
    return owner, name


def cost_of_a_clock() -> float:
    """Return the seconds of CPU that timing a call takes, of one that does nothing."""
    clocks = Clocks()
    nothing = clocks.timed("nothing", lambda: None)
    return cpu(lambda: [nothing() for _ in range(10_000)]) / 1000 / 10_000


def run(rounds: int = ROUNDS) -> dict[str, Any]:
    """Return the parts of an unchanged feed in microseconds of CPU, their calls a batch, the whole, and the floor."""
    os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1")
    with emulator() as endpoint_url, feed_server() as feed_url:
        ours = Ours(endpoint_url, feed_url)
        ours.sync_unchanged()
        whole = [(cpu(ours.sync), cpu(lambda: read_raw(feed_url))) for _ in range(rounds)]
        with clocks_on_parts() as clocks:
            timed = sum(cpu(ours.sync) for _ in range(rounds)) / 1000
    feeds = rounds * FEEDS
    micros = {part: clocks.seconds[part] / feeds * 1e6 for part, _ in PARTS}
    micros["threads, waiting, and what else"] = (timed - sum(clocks.seconds.values())) / feeds * 1e6
    return {
        "parts_us": micros,
        "calls_a_batch": {part: clocks.calls[part] / rounds for part, _ in PARTS},
        "timed_us": timed / feeds * 1e6,
        "clocks_us": cost_of_a_clock() * clocks.calls.total() / feeds * 1e6,
        "whole_us": median(each[0] for each in whole) / FEEDS * 1000,
        "floor_us": median(each[1] for each in whole) / FEEDS * 1000,
        "floor": {"ratio": median(ours / floor for ours, floor in whole)},
    }


def rows(report: Mapping[str, Any]) -> list[Row]:
    """Return how many floors an unchanged feed costs."""
    return [
        Row(
            name="profile_unchanged.floor.ratio",
            what="an unchanged feed over reading and hashing its bytes",
            ours=f"{report['whole_us']:.0f} µs",
            floor=f"{report['floor_us']:.0f} µs",
            ratio=report["floor"]["ratio"],
            goal=MAX_FLOORS,
            at_most=True,
        )
    ]


def show(report: Mapping[str, Any]) -> None:
    """Print the parts, the largest first."""
    parts, timed = report["parts_us"], report["timed_us"]
    for part, micros in sorted(parts.items(), key=lambda each: -each[1]):
        calls = report["calls_a_batch"].get(part)
        print(f"{part:36} {micros:8.1f} µs {micros / timed:6.1%}" + (f"  {calls:6.1f} calls a batch" if calls else ""))
    print(f"{'together, with the clocks':36} {timed:8.1f} µs")
    print(f"{'of which the clocks take about':36} {report['clocks_us']:8.1f} µs")
    show_rows(rows(report))


if __name__ == "__main__":
    show(run())
