"""What a request pays for waking an overdue sync: ``python -m bench.bench_traffic``.

The API's handler in this process, on a table that takes 5 ms a call; the schedule is dead, and everything is late.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from bokit.core.model.catalog import DEFAULT_TENANT, ShardId, Source
from bokit.core.model.records import Scope, SourceId
from bokit.core.model.scheduling import Head, SourceSchedule
from bokit.engine.app import Bokit, Parts
from bokit.outlets.memory import MemoryAlerts, MemoryQueue
from bokit.store.memory.store import MemoryStore
from functions.api_sync import app

CALL = 0.005
"""Seconds that the table takes to answer."""
REQUESTS = 100
REACH = 1.1
"""A request is at most so many times slower where it may wake a sync."""


class SlowStore:
    """A store behind a network."""

    def __init__(self, inner: MemoryStore) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        def call(*args: Any, **given: Any) -> Any:
            time.sleep(CALL)
            return method(*args, **given)

        return call


class Context:
    """What Lambda tells of an invocation, as far as the logger asks."""

    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "bench"

    def get_remaining_time_in_millis(self) -> int:
        """Return plenty."""
        return 29_000


def open_late(*, on_traffic: bool) -> Bokit:
    """Return Bokit with twenty sources that the schedule forgot an hour ago."""
    store, now = MemoryStore(), datetime.now(UTC)
    store.save_option(DEFAULT_TENANT, "install.complete", True)
    store.save_option(DEFAULT_TENANT, "sync.on_traffic", on_traffic)
    hour = timedelta(hours=1)
    for number in range(20):
        source = Source(
            id=SourceId(f"src_{number}"),
            tenant=DEFAULT_TENANT,
            name=f"Feed {number}",
            kind="ical",
            scope=Scope("unit"),
            url=f"https://feeds.example/{number}",
            shard_id=ShardId(store.pick_shard(100)),
        )
        store.save_source(Head(source=source), SourceSchedule(tenant=DEFAULT_TENANT, due_at=now - hour, interval=hour))
    slow: Any = SlowStore(store)
    return Bokit(Parts(store=slow, kinds={}, alerts=MemoryAlerts(), clock=lambda: datetime.now(UTC), queue=MemoryQueue()))


def ask_status() -> None:
    """Answer ``GET /sync/status`` once."""
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/sync/status",
        "rawQueryString": "",
        "headers": {},
        "isBase64Encoded": False,
        "requestContext": {
            "stage": "$default",
            "requestId": "r",
            "http": {"method": "GET", "path": "/sync/status"},
            "authorizer": {"lambda": {"tenant": DEFAULT_TENANT, "role": "viewer", "id": "tok"}},
        },
    }
    answer = app.lambda_handler(event, Context())  # type: ignore[arg-type]
    if answer["statusCode"] != 200:
        raise RuntimeError(answer["body"])


def time_requests(bokit: Bokit) -> list[float]:
    """Return the milliseconds of each of a hundred requests."""
    app.engine = lambda: bokit  # type: ignore[assignment]
    spent = []
    for _ in range(REQUESTS):
        begun = time.perf_counter()
        ask_status()
        spent.append((time.perf_counter() - begun) * 1000)
    return spent


def run() -> dict[str, float]:
    """Measure a hundred requests without and with waking, and return what the first and the others took."""
    time_requests(open_late(on_traffic=False))  # everything is imported once
    without, waking = open_late(on_traffic=False), open_late(on_traffic=True)
    off, on = time_requests(without), time_requests(waking)
    queue: Any = waking._parts.queue
    return {
        "off_ms": round(median(off), 2),
        "on_ms": round(median(on), 2),
        "ratio": round(median(on) / median(off), 3),
        "first_off_ms": round(off[0], 2),
        "first_on_ms": round(on[0], 2),
        "syncs_started": len(queue.bodies),
        "reach": REACH,
    }


def show(report: dict[str, float]) -> None:
    """Print what a request takes."""
    told = report
    print(
        f"  a request {told['on_ms']:.1f} ms, {told['off_ms']:.1f} ms where traffic wakes nothing; ratio {told['ratio']:g} "
        f"(target {told['reach']:g})"
    )
    print(
        f"  the one that woke the sync {told['first_on_ms']:.1f} ms, {told['first_off_ms']:.1f} ms without; "
        f"syncs started by {REQUESTS} requests: {told['syncs_started']}"
    )


if __name__ == "__main__":
    show(run())
