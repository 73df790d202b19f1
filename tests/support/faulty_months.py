"""Two months of a simulated listing whose feed goes wrong again and again: what the engine holds, beside the truth.

``make reliability`` plays many of them: ``python -m tests.support.faulty_months [COUNT] [FIRST]``. The gate plays a few.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random

from bokit.core.bookings.rules import BookingRules
from bokit.core.bookings.stay import held_nights, is_window
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, Source
from bokit.core.model.options import Options
from bokit.core.model.records import Presence, Record, RecordId, RunId, SourceId
from bokit.core.model.runs import Outcome, Trigger
from bokit.core.model.scheduling import Head, SourceSchedule
from bokit.engine.sync.job import SyncJob
from bokit.engine.sync.kinds import SourceKind
from bokit.engine.sync.sync import SourceSync
from bokit.sources.protocols import Fetched
from bokit.store.memory.store import MemoryStore
from simulator.faults import HARMLESS_FAULTS, SILENT_FAULTS
from simulator.life import live
from simulator.world import World
from tests.support.builders import a_source

PLATFORMS = ("airbnb", "booking_com", "vrbo")
DAYS = 60
LIVED_BEFORE = 40
"""Days in which guests have booked before the first fetch."""
FAULTS = 0.012
"""Short faults that begin at a fetch; with those that last, one fetch in thirty is wrong."""
LASTING = (
    ("other-listing", 30),
    ("stale", 30),
    ("empty-calendar", 80),
    ("half-and-ghosts", 1),
    ("half-and-ghosts", 1),
    ("prodid-glitch", 3),
)
"""Faults that each listing has once, and for how many hours."""
SETTLED = timedelta(hours=72)
"""For so long a night may stay held that no body has shown."""
GOOD_FETCHES = 3
EVENT = re.compile(r"DTSTART[^:\n]*:(\d{8}).*?DTEND[^:\n]*:(\d{8})", re.S)


@dataclass
class FaultyMonths:
    """One listing, hour by hour.

    opened      nights that guests had at the last good fetch, still have, and the engine holds open
    cancelled   bookings that the engine cancelled although the guest has them, and the last good fetch showed them
    refused     good fetches that were held
    ghosts      bookings made of a wrong body, of which the next good fetch shows no night
    stuck       nights held that nobody has, which no body has shown for 72 hours and three good fetches
    """

    seed: int
    found: Counter[str] = field(default_factory=Counter)
    traces: list[str] = field(default_factory=list)
    shown: dict[date, datetime] = field(default_factory=dict)
    good: list[datetime] = field(default_factory=list)
    good_closed: frozenset[date] = frozenset()
    doubtful: dict[RecordId, set[date]] = field(default_factory=dict)
    body: bytes = b""
    faults: int = 0
    """Wrong responses so far."""

    def __post_init__(self) -> None:
        self.rng = Random(f"faulty/{self.seed}")
        self.name = f"{PLATFORMS[self.seed % len(PLATFORMS)]}/villa"
        self.is_quiet = self.seed % 4 == 3  # no guest comes: what is known passes away
        self.world = World(seed=self.seed)
        self.world.add_feed(self.name)
        live(self.world, days=LIVED_BEFORE)
        self.store = MemoryStore()
        kinds = {"ical": SourceKind(fetcher=self, rules=BookingRules(), collection=BOOKINGS)}
        self.sync = SourceSync(self.store, kinds, lambda: self.world.now)
        source = a_source(
            id=SourceId("src_villa"),
            timezone="Europe/Rome",
            platform=self.world.feed(self.name).platform,
            shard_id=self.store.pick_shard(1),
        )
        self.schedule = SourceSchedule(tenant=DEFAULT_TENANT, due_at=self.world.now, interval=timedelta(hours=1))
        self.source = self.store.save_source(Head(source=source), self.schedule)
        self.job = SyncJob(run_id=RunId("run_1"), trigger=Trigger.CLI, started_at=self.world.now, options=Options())

    def fetch(self, source: Source, *, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        return Fetched(body=self.body, host="feeds.example")

    def play(self, days: int = DAYS) -> Counter[str]:
        """Return how often each sin was found."""
        self._fetch_once(is_good=True)
        hours = days * 24
        starts = {self.rng.randrange(hours // 6, hours - 200): fault for fault in LASTING}
        for hour in range(hours):
            self._pass_hour()
            if hour in starts:
                kind, span = starts[hour]
                self.world.clear()
                self.world.fault(self.name, kind, hours=span)
            elif self.world.fault_now(self.name) is None and self.rng.random() < FAULTS:
                self.world.fault(self.name, self.rng.choice(SILENT_FAULTS), self.rng.choice((1, 1, 1, 2, 3, 6)))
            self._fetch_once(is_good=self.world.fault_now(self.name) in (None, *HARMLESS_FAULTS))
        return self.found

    def _pass_hour(self) -> None:
        if self.is_quiet and self.rng.random() < 0.98:
            self.world.advance(hours=1)
        else:
            live(self.world, hours=1)

    def _fetch_once(self, *, is_good: bool) -> None:
        before = {r.id: r.presence for r in self._bookings()}
        self.body = self.world.answer(self.name).body
        if is_good:
            self.body = self.world.render(self.name)
        self.faults += not is_good
        outcome = self.sync.sync(self.store.load_head(self.source), self.schedule, self.job).report.outcome
        self._judge(before, is_good=is_good, is_held=outcome is Outcome.HELD)

    def _records(self) -> list[Record]:
        return list(self.store.load_records(DEFAULT_TENANT, BOOKINGS, self.source.scope))

    def _bookings(self) -> list[Record]:
        return [r for r in self._records() if not is_window(r)]

    def _judge(self, before: dict[RecordId, Presence], *, is_good: bool, is_held: bool) -> None:
        now, today = self.world.now, self.world.today(self.name)
        closed, records = self.world.truth().closed[self.name], self._records()
        held = {n for r in records for n in held_nights(r) if n >= today}
        self._note("opened", sorted(self.good_closed & closed - held if not is_good else closed - held))
        self._note("refused", [now] if is_good and is_held else [])
        self._note("cancelled", self._cancelled_wrongly(before, records))
        self.shown |= dict.fromkeys(self._shown_nights(), now)
        if is_good:
            self._note("ghosts", [i for i, nights in self.doubtful.items() if not nights & closed])
            self.doubtful, self.good_closed = {}, closed
            self.good.append(now)
        else:
            new = (r for r in records if not is_window(r) and r.id not in before)
            self.doubtful |= {r.id: {n for n in held_nights(r) if n >= today} or {today} for r in new}
        last = self.good[-GOOD_FETCHES] if len(self.good) >= GOOD_FETCHES else self.good[0]
        self._note("stuck", sorted(n for n in held - closed if self._is_settled(n, now, last)))

    def _is_settled(self, night: date, now: datetime, last: datetime) -> bool:
        shown = self.shown.get(night, self.good[0])
        return now - shown > SETTLED and last > shown

    def _cancelled_wrongly(self, before: dict[RecordId, Presence], records: list[Record]) -> list[str]:
        """Return the dates of bookings that have just gone, which somebody still has, and which no other holds."""
        active = {(s.check_in.isoformat(), s.check_out.isoformat()) for s in self.world.truth().active(self.name)}
        live_spans = {_span(r) for r in records if r.presence is not Presence.GONE}
        gone = [r for r in records if r.presence is Presence.GONE and before.get(r.id) not in (None, Presence.GONE)]
        return ["/".join(span) for r in gone if (span := _span(r)) in active - live_spans]

    def _shown_nights(self) -> set[date]:
        spans = ((_day(a), _day(b)) for a, b in EVENT.findall(self.body.decode("utf-8", "replace")))
        return {a + timedelta(days=n) for a, b in spans for n in range((b - a).days)}

    def _note(self, sin: str, where: list[object] | list[date] | list[str] | list[RecordId] | list[datetime]) -> None:
        if where:
            self.found[sin] += len(where)
            fault = self.world.fault_now(self.name)
            self.traces.append(f"{self.world.now:%Y-%m-%d %H:%M} {fault or ''} {sin}: {', '.join(map(str, where[:6]))}")


def _span(record: Record) -> tuple[str, str]:
    return str(record.remote["check_in"]), str(record.remote["check_out"])


def _day(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def main(count: int = 200, first: int = 0) -> int:
    """Play *count* listings from seed *first* on; print each sin, and return how many listings had any."""
    bad = 0
    for seed in range(first, first + count):
        months = FaultyMonths(seed)
        found = months.play()
        bad += bool(found)
        print(f"{seed} {months.name}: {dict(found) or 'clean'}", flush=True)
        for trace in months.traces[:8]:
            print(f"    {trace}")
    print(f"{count - bad} of {count} listings are clean")
    return bad


if __name__ == "__main__":
    sys.exit(bool(main(*map(int, sys.argv[1:]))))
