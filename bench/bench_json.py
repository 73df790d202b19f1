"""A JSON API of 100,000 items in 100 pages, 50 MB: ``python -m bench.bench_json``.

Its syncs run in one process of their own, whose records are in a file, so that its peak memory is the engine's. The first
sync is killed at each third request; the process that the next one would be is the same one, without what the dead one knew.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bench.bench_tables import DiskStore, read_peak
from bench.rows import Row, show_rows
from bokit.net.response import SafeResponse
from tests.support.json_app import JsonApp
from tests.support.rows_app import Died

PAGES, PAGE_ITEMS = 100, 1000
TARGETS = {"peak_mb": 150, "extra_requests": 1, "unchanged_writes": 0}
"""At most: peak memory; requests of an unchanged sync beyond the list's pages; its writes."""


class GeneratedApi:
    """Makes each page when it is requested; keeps no item. It can die at a request."""

    def __init__(self) -> None:
        self.requests, self.bytes, self.changed, self.die_at = list[int](), 0, range(0), 0

    def request(self, method: str, url: str, **given: Any) -> SafeResponse:
        page = int(dict(parse_qsl(urlsplit(url).query))["page"])
        self.requests.append(page)
        if len(self.requests) == self.die_at:
            raise Died
        numbers = range((page - 1) * PAGE_ITEMS, min(page, PAGES) * PAGE_ITEMS)
        body = b"[%s]" % b",".join(map(self._make, numbers))
        self.bytes += len(body)
        return SafeResponse(url="https://api.example/", status=200, headers={}, body=body)

    def _make(self, number: int) -> bytes:
        name = f"Client {number}{' (new)' if number in self.changed else ''}"
        item = {"id": number, "name": name, "email": f"c{number}@clients.example", "tags": ["a", "b"], "notes": "x" * 400}
        return json.dumps(item).encode()


class BenchApp(JsonApp):
    """Bokit with the generated API and records in a file."""

    def __init__(self, disk: str) -> None:
        self.generated = GeneratedApi()
        pages = {"page": "page", "size": PAGE_ITEMS, "first": 1}
        super().__init__(DiskStore(Path(disk)), url="https://api.example/clients", items=None, headers=None, pages=pages)

    def assemble(self, store: Any) -> Any:
        self.line = self.generated  # type: ignore[assignment]
        return super().assemble(store)


def sync_all(disk: str) -> dict[str, Any]:
    """Sync the list: killed at each third request, unchanged, and with 1 % of its items changed."""
    app = BenchApp(disk)
    api, store, taken = app.generated, app.store, dict[str, Any]()
    taken["first"] = _measure(app, lambda: _sync_killed(app))
    taken["first"] |= {"requests": len(api.requests), "from_start": api.requests.count(1)}
    for name, changed in (("unchanged", range(0)), ("1 %", range(0, PAGES * PAGE_ITEMS, 100))):
        api.changed, before, calls = changed, len(api.requests), store.calls
        app.clock.move(hours=1)
        taken[name] = _measure(app, lambda: app.sync().counts)
        taken[name] |= {"requests": len(api.requests) - before, "store_writes": store.calls - calls}
    return {**taken, "peak_mb": read_peak(), "mb": round(api.bytes / 3e6, 1)}


def _sync_killed(app: BenchApp) -> dict[str, int]:
    deaths = 0
    while True:
        app.generated.die_at = len(app.generated.requests) + 3
        try:
            return {**app.sync().counts, "deaths": deaths}
        except Died:
            deaths += 1
            app.clock.move(minutes=6)


def _measure(app: BenchApp, act: Any) -> dict[str, Any]:
    cpu, wall = time.process_time(), time.perf_counter()
    counts = act()
    app.generated.die_at = 0
    return {**counts, "cpu_s": round(time.process_time() - cpu, 2), "wall_s": round(time.perf_counter() - wall, 2)}


def run() -> dict[str, Any]:
    """Measure in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "bench.bench_json", str(Path(folder) / "records.db")],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[1],
            env={"PYTHONPATH": "layers/shared:cli:.", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        )
    report = json.loads(done.stdout.splitlines()[-1])
    extra, share = report["unchanged"]["requests"] - PAGES, round(report["peak_mb"] / TARGETS["peak_mb"], 3)
    return {**report, "extra_requests": extra, "peak_of_goal": share}


def rows(report: dict[str, Any]) -> list[Row]:
    """Return what an unchanged sync requests and writes, and the peak memory."""
    measured: dict[str, Any] = {"at_most": True, "is_ratio": False}
    return [
        Row(
            name="json.extra_requests",
            what=f"requests beyond {PAGES} pages of JSON, unchanged",
            ours=f"{report['unchanged']['requests']}",
            ratio=report["extra_requests"],
            goal=TARGETS["extra_requests"],
            **measured,
        ),
        Row(
            name="json.unchanged.store_writes",
            what=f"writes of {PAGES * PAGE_ITEMS:,} unchanged items of JSON",
            ratio=report["unchanged"]["store_writes"],
            goal=TARGETS["unchanged_writes"],
            **measured,
        ),
        Row(
            name="json.peak_of_goal",
            what=f"memory of {report['mb']:.0f} MB of JSON, of {TARGETS['peak_mb']} MB",
            ours=f"{report['peak_mb']:.0f} MB",
            ratio=report["peak_of_goal"],
            goal=1,
            **measured,
        ),
    ]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(sync_all(sys.argv[1])))
    else:
        show_rows(rows(run()))
