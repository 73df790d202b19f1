"""Slow syncs: a feed of 100 events of which one moved, fetch, store and outgoing calendar included, relative to release d9eec7f.

    ours, former     this tree, and d9eec7f as Git has it: each in a process of its own (``slow_syncs.py``), against an emulated
                     table and the same feeds, in turn
    calls            of the store by a batch of one source, and its requests to the table
    unit             conflicts and outgoing calendars of one unit with 20 sources and 500 bookings, as each slow sync computes
                     them, on the store in memory, relative to one serialisation of the same bookings by icalendar

Where Git has no history, nothing is compared with d9eec7f.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from statistics import median
from typing import Any

import icalendar

from bench.bench_unchanged import Answers, cpu, emulator, feed_server
from bench.rows import Row, show_rows
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.core.model.records import Scope
from bokit.engine.base.reconcile import ReconcileRequest
from bokit.wiring import make_booking_reconciler
from tests.support.apartment import Flat

ROOT = Path(__file__).resolve().parents[1]
FORMER = "d9eec7f"
ROUNDS = 3
EVERY = timedelta(hours=2)
"""What the clock of who syncs moves on between two fetches."""
MAX_CALLS, MAX_RATIO = 13, 0.5
SOURCES, BOOKINGS_OF_EACH, UNIT_ROUNDS = 20, 25, 9
MAX_UNIT_RATIO = 0.6
"""Conflicts and calendars to one serialisation: 20 ms where that takes some 35."""


class Moving(Answers):
    """Serves the feed with its first event a day later at each fetch, by path."""

    fetched: Counter[str] = Counter()

    def do_GET(self) -> None:  # noqa: N802  the base class calls it so
        self.fetched[self.path] += 1
        first = date(2028, 1, 1) + timedelta(days=self.fetched[self.path])
        moved = f"DTSTART;VALUE=DATE:{first:%Y%m%d}\r\nDTEND;VALUE=DATE:{first + timedelta(days=2):%Y%m%d}".encode()
        stored = Answers.body
        begin = stored.index(b"DTSTART;VALUE=DATE")
        self.body = stored[:begin] + moved + stored[stored.index(b"\r\nSUMMARY", begin) :]
        super().do_GET()

    def made_at(self) -> datetime:
        return datetime.now(UTC) + self.fetched[self.path] * EVERY  # as the clock of who syncs

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(self.made_at(), usegmt=True)


@contextmanager
def former_release() -> Iterator[Path | None]:
    """Yield a folder with the former release's shared code; None where Git does not have it."""
    packed = subprocess.run(["git", "archive", FORMER, "layers/shared"], cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["tar", "-x", "-C", folder], input=packed.stdout, check=True)
        yield Path(folder)


def sync_slowly(release: Path, feed_url: str) -> dict[str, Any]:
    """Return what slow syncs of the release in *release* cost, on a table of their own."""
    with emulator() as endpoint_url:
        env = {**os.environ, "PYTHONPATH": str(release / "layers/shared")}
        env |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
        command = [sys.executable, str(ROOT / "bench/slow_syncs.py"), endpoint_url, feed_url]
        done = subprocess.run(command, env=env, cwd=release, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(f"slow syncs failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


class Unit:
    """A unit of 20 sources with 500 bookings, some of which share a night, and two outgoing calendars."""

    def __init__(self) -> None:
        self.home = home = Flat()
        for number in range(SOURCES):
            feed = f"vrbo/{number}"
            home.add_feed(feed)
            for place in range(BOOKINGS_OF_EACH):
                night = 1 + number + place * SOURCES
                home.book(feed, night, night + 1 + (place % 10 == 0))
        home.sync()
        home.calendar("airbnb")
        home.calendar("booking_com")
        self.reconciler = make_booking_reconciler(home.store, {})
        self.records = home.store.load_records(DEFAULT_TENANT, BOOKINGS, Scope(home.flat))
        if len(self.records) != SOURCES * BOOKINGS_OF_EACH:
            raise RuntimeError(f"the unit has {len(self.records)} bookings")

    def reconcile(self) -> None:
        """Find conflicts, and write the calendars where they differ, as a slow sync does once its records are written."""
        scope, at = Scope(self.home.flat), self.home.clock()
        self.reconciler.reconcile(ReconcileRequest(tenant=DEFAULT_TENANT, scope=scope, at=at, by="bench"))

    def serialise(self) -> None:
        """Write the same bookings with icalendar."""
        calendar = icalendar.Calendar()
        for record in self.records:
            event = icalendar.Event()
            event.add("uid", record.id)
            event.add("dtstart", date.fromisoformat(str(record.fields["check_in"])))
            event.add("dtend", date.fromisoformat(str(record.fields["check_out"])))
            event.add("summary", "Reserved")
            calendar.add_component(event)
        calendar.to_ical()


def time_unit() -> dict[str, float]:
    """Return CPU of conflicts and calendars of the unit, and of one serialisation of its bookings."""
    unit = Unit()
    unit.reconcile()
    pairs = [(cpu(unit.reconcile), cpu(unit.serialise)) for _ in range(UNIT_ROUNDS)]
    ours, floor = (median(pair[i] for pair in pairs) for i in (0, 1))
    return {"ours_ms": ours, "floor_ms": floor, "ratio": median(mine / least for mine, least in pairs)}


def run() -> dict[str, Any]:
    """Return what a slow sync costs here and in the former release, and what a large unit's conflicts and calendars do."""
    mine, former = [], []
    with former_release() as folder:
        for _ in range(ROUNDS):
            for release, taken in ((ROOT, mine), (folder, former)):
                if release is not None:
                    with feed_server(Moving) as feed_url:
                        taken.append(sync_slowly(release, feed_url))
    report: dict[str, Any] = {
        "calls": {"ratio": sum(mine[-1]["calls"].values()), **mine[-1]["calls"]},
        "requests": {"ratio": sum(mine[-1]["requests"].values()), **mine[-1]["requests"]},
        "ours_ms": median(each["cpu_ms"] for each in mine),
        "unit": time_unit(),
    }
    if former:
        report["cpu"] = {
            "former_ms": median(each["cpu_ms"] for each in former),
            "ratio": median(ours["cpu_ms"] / theirs["cpu_ms"] for ours, theirs in zip(mine, former, strict=True)),
            "former_calls": sum(former[-1]["calls"].values()),
            "former_requests": sum(former[-1]["requests"].values()),
        }
    return report


def rows(report: dict[str, Any]) -> list[Row]:
    """Return the figures of *report*."""
    what, unit, cpu_of = "one of 100 events moved", report["unit"], report.get("cpu")
    peer = str(cpu_of["former_calls"]) if cpu_of else ""
    calls = report["calls"]["ratio"]
    found = [
        Row(
            name="change.calls.ratio",
            what=f"{what}: store calls; {FORMER}",
            ratio=calls,
            goal=MAX_CALLS,
            at_most=True,
            is_ratio=False,
            ours=f"{calls}",
            peer=peer,
        ),
        Row(
            name="change.unit.ratio",
            what="a unit of 20 sources, 500 stays; icalendar's text",
            ratio=unit["ratio"],
            goal=MAX_UNIT_RATIO,
            at_most=True,
            ours=f"{unit['ours_ms']:.1f} ms",
            floor=f"{unit['floor_ms']:.1f} ms",
        ),
    ]
    if cpu_of:
        found.append(
            Row(
                name="change.cpu.ratio",
                what=f"{what}: CPU; {FORMER}",
                ratio=cpu_of["ratio"],
                goal=MAX_RATIO,
                at_most=True,
                ours=f"{report['ours_ms']:.1f} ms",
                peer=f"{cpu_of['former_ms']:.1f} ms",
            )
        )
    return found


if __name__ == "__main__":
    show_rows(rows(run()))
