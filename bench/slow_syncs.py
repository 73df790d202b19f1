"""Slow syncs of one release, in a process of their own: ``python bench/slow_syncs.py ENDPOINT FEEDS``, for ``bench_change``.

PYTHONPATH says whose: nothing is imported but ``bokit``. Prints JSON: CPU of a sync in milliseconds, and the calls of the store
and the requests to the table of a batch of one source.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

UNITS, ROUNDS = 10, 7
REGION = "us-east-1"


def first_of(*names: str) -> Any:
    """Return the first of these modules that there is: a former release has some under other names."""
    for name in names[:-1]:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    return importlib.import_module(names[-1])


TENANT = first_of("bokit.core.model.catalog", "bokit.core.catalog").DEFAULT_TENANT
Settings = first_of("bokit.config").Settings
MemoryQueue = first_of("bokit.outlets.memory").MemoryQueue
create_table = first_of("bokit.store.dynamo.create_table", "bokit.store.create_table").create_table
read_message = first_of("bokit.engine.runs.messages", "bokit.engine.messages").read_message
wiring = first_of("bokit.wiring")


class Counted:
    """A store that counts its calls."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.calls = inner, Counter[str]()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if not callable(found):
            return found

        def call(*args: Any, **given: Any) -> Any:
            self.calls[name] += 1
            return found(*args, **given)

        return call


class Homes:
    """Units with one source and one outgoing calendar each; each fetch of a feed finds one of its events moved."""

    def __init__(self, name: str, endpoint_url: str, feed_url: str, units: int) -> None:
        create_table(name, region=REGION, endpoint_url=endpoint_url)
        settings = Settings(
            table_name=name, region=REGION, endpoint_url=endpoint_url, allow_private_addresses=True, calendar_key="bench" * 8
        )
        self.now, self.units, self.queue = datetime.now(UTC), units, MemoryQueue()
        self.store, self.requests = Counted(wiring.open_store(settings)), Counter[str]()
        self.bokit = wiring.build_engine(settings, store=self.store, queue=self.queue, clock=lambda: self.now)
        self.store.inner.client.meta.events.register("before-send.dynamodb", self._count)
        catalog = self.bokit.catalog
        home = catalog.add_property(TENANT, {"name": "Bench", "timezone": "Europe/Rome"})
        for number in range(units):
            unit = catalog.add_unit(TENANT, home.id, {"name": f"Unit {number}"})
            catalog.sources.add(TENANT, unit.id, {"name": "Airbnb", "url": f"{feed_url}/{name}/{number}.ics"})
            self.bokit.calendars.open(TENANT, unit.id)
        for _ in range(3):
            self.claim()
            self.sync()

    def _count(self, request: Any, **_: Any) -> None:
        self.requests[request.headers["X-Amz-Target"].decode().split(".")[-1]] += 1

    def claim(self) -> None:
        """Let the schedule find each source due."""
        self.now += timedelta(hours=2)
        self.bokit.tick()

    def sync(self) -> None:
        """Sync what was claimed, as a worker does."""
        while self.queue.bodies:
            self.bokit.work(read_message(self.queue.bodies.pop()))

    def check(self) -> None:
        """Raise RuntimeError unless the last run moved one booking of each source."""
        run = self.bokit.status.load_history(TENANT).items[0]
        if [source.counts.get("updated", 0) for source in run.sources] != [1] * self.units:
            raise RuntimeError(f"not one booking of each source was moved: {run.sources}")


def measure(endpoint_url: str, feed_url: str) -> dict[str, Any]:
    """Return what a slow sync costs: CPU of one among several, and the calls and requests of a batch of one."""
    one, many = (Homes(f"change-{units}", endpoint_url, feed_url, units) for units in (1, UNITS))
    one.claim()
    one.store.calls.clear()
    one.requests.clear()
    one.sync()
    calls, requests = dict(one.store.calls), dict(one.requests)
    one.check()
    spent = []
    for _ in range(ROUNDS):
        many.claim()
        begun = time.process_time()
        many.sync()
        spent.append((time.process_time() - begun) * 1000 / UNITS)
    many.check()
    return {"cpu_ms": median(spent), "calls": calls, "requests": requests}


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:3])))
