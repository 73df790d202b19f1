"""Time that a request spends on starting an overdue sync: ``python -m bench.bench_traffic``.

Runs the API's handler in this process, on a table with 5 ms a call; the schedule has stopped and every source is overdue.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from bench.rows import Row, show_rows
from bokit.core.model.catalog import DEFAULT_TENANT, ShardId, Source
from bokit.core.model.records import Scope, SourceId
from bokit.core.model.scheduling import Head, SourceSchedule
from bokit.engine.app import Bokit, EngineParts
from bokit.outlets.memory import MemoryAlerts, MemoryQueue
from bokit.store.memory.store import MemoryStore
from functions.api_sync import app

CALL = 0.005
"""Seconds of one call to the table."""
REQUESTS = 100
MAX_RATIO = 1.1
"""Target: time of a request that may start a sync, relative to one that may not."""


class SlowStore:
    """A store with the latency of a network."""

    def __init__(self, inner: MemoryStore) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if not callable(method):
            return method  # such as its quotas

        def call(*args: Any, **given: Any) -> Any:
            time.sleep(CALL)
            return method(*args, **given)

        return call


class Context:
    """The part of Lambda's context that the logger reads."""

    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "bench"

    def get_remaining_time_in_millis(self) -> int:
        """Return a long remaining time."""
        return 29_000


def open_late(*, on_traffic: bool) -> Bokit:
    """Return Bokit with twenty sources that are overdue by an hour."""
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
    return Bokit(EngineParts(store=slow, kinds={}, alerts=MemoryAlerts(), clock=lambda: datetime.now(UTC), queue=MemoryQueue()))


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
    """Return the milliseconds of each request."""
    app.engine = lambda: bokit  # type: ignore[assignment]
    spent = []
    for _ in range(REQUESTS):
        begun = time.perf_counter()
        ask_status()
        spent.append((time.perf_counter() - begun) * 1000)
    return spent


def run() -> dict[str, float]:
    """Measure requests without and with starting syncs; return the time of the first and the median."""
    time_requests(open_late(on_traffic=False))  # imports everything once
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
    }


def rows(report: dict[str, float]) -> list[Row]:
    """Return what a request spends on starting a sync."""
    return [
        Row(
            name="traffic.ratio",
            what="a request that wakes a sync; one that does not",
            ours=f"{report['on_ms']:.1f} ms",
            floor=f"{report['off_ms']:.1f} ms",
            ratio=report["ratio"],
            goal=MAX_RATIO,
            at_most=True,
        )
    ]


if __name__ == "__main__":
    show_rows(rows(run()))
