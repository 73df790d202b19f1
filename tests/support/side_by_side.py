"""Workers side by side on one property: ticks, batches, syncs by hand, edits and pauses at once, on a table of its own."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from random import Random
from typing import Any

from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, Source
from bokit.core.model.records import Presence
from bokit.engine.runs.manual import SyncRequest
from bokit.errors import LaterError, StateError
from bokit.store.dynamo.store import DynamoStore
from tests.support.damage import Damage, nights_between
from tests.support.emulator import REGION, make_dynamo_store
from tests.support.simulated_app import SimulatedApp

FEEDS = ("airbnb/garden", "booking_com/garden", "vrbo/garden", "google/garden")
ROUNDS = 4


class Overlap:
    """Counts how many are inside at once, and keeps the most."""

    def __init__(self) -> None:
        self._lock, self._inside, self.most = threading.Lock(), Counter[str](), Counter[str]()

    @contextmanager
    def inside(self, what: str) -> Iterator[None]:
        with self._lock:
            self._inside[what] += 1
            self.most[what] = max(self.most[what], self._inside[what])
        try:
            yield
        finally:
            with self._lock:
                self._inside[what] -= 1


class Crowd:
    """One simulated app, and workers with clients of their own on its table."""

    def __init__(self, endpoint_url: str, size: int) -> None:
        self.app, self.overlap, self.size = SimulatedApp(store=make_dynamo_store(endpoint_url), concurrency=2), Overlap(), size
        self.app.save_tenant()
        for feed in FEEDS:
            self.app.add_source(feed)
            for day in (1, 9, 17):
                self.app.world.book(feed, date(2026, 12, day), date(2026, 12, day + 4))
        self.queue_lock = threading.Lock()
        table = self.app.store.table_name
        clients = min(size, 8)  # a client takes half a second to make: beyond eight, two and more workers share one
        stores = [DynamoStore(table, region=REGION, endpoint_url=endpoint_url) for _ in range(clients)]
        self.workers = [self.app.open(store=stores[n % clients]) for n in range(size)]

    def run(self, tasks: list[Callable[[], object]]) -> list[object]:
        """Begin all tasks at the same moment, one thread each; return what they gave, or the error they met."""
        together = threading.Barrier(len(tasks))

        def one(task: Callable[[], object]) -> object:
            together.wait(30)
            with self.overlap.inside("any"):
                return task()

        with ThreadPoolExecutor(max_workers=len(tasks)) as pool:
            return list(pool.map(one, tasks))

    def tick(self, worker: Any) -> Any:
        with self.overlap.inside("tick"):
            return worker.tick()

    def work_off(self, worker: Any) -> Any:
        """Take a message, or one that another has taken as well, and work it."""
        bodies = list(self.app.queue.bodies)
        with self.overlap.inside("batch"):
            return [self.app.deliver(body, worker) for body in bodies]

    def sync_by_hand(self, worker: Any, **given: Any) -> Any:
        with self.overlap.inside("hand"):
            return worker.sync(SyncRequest(tenant=DEFAULT_TENANT, **given))

    def edit(self, worker: Any, luck: Random, note: str) -> Any:
        """Edit some booking: the answer may be to try again, and it does."""
        source = luck.choice(self.sources())
        records = [r for r in self.app.records(source) if r.remote.get("kind") != "window"]
        if not records:
            return None
        record = luck.choice(records)
        with self.overlap.inside("edit"):
            for _ in range(20):
                try:
                    return worker.records.edit(DEFAULT_TENANT, BOOKINGS, record.id, {"notes": note}, by="user:rosa")
                except LaterError:
                    continue
        raise AssertionError("an edit never came through")

    def pause_and_resume(self, worker: Any, source: Source) -> Any:
        with self.overlap.inside("pause"):
            try:
                worker.catalog.sources.pause(DEFAULT_TENANT, source.id)
                return worker.catalog.sources.resume(DEFAULT_TENANT, source.id)
            except (StateError, LaterError) as error:
                return error

    def sources(self) -> list[Source]:
        return list(self.app.store.load_sources(DEFAULT_TENANT))


def settle(crowd: Crowd) -> None:
    """Let the schedule go on by itself for a while: what was skipped is tried again, what is new is found."""
    for minutes in (3, 20, 58):
        crowd.app.move(minutes=minutes)
        crowd.app.bokit.tick()
        crowd.app.deliver_all()


def play_rounds(crowd: Crowd) -> int:
    """Tick, work the same batch in many hands, sync by hand, edit and pause at once, some rounds long; return how many acts."""
    luck, app, sources, acts = Random(crowd.size), crowd.app, crowd.sources(), 0
    for number in range(ROUNDS):
        app.bokit.tick()
        tasks: list[Callable[[], object]] = []
        for n, worker in enumerate(crowd.workers):
            acts_of = (
                partial(crowd.work_off, worker),
                partial(crowd.sync_by_hand, worker, everything=True),
                partial(crowd.tick, worker),
                partial(crowd.edit, worker, Random(f"{number}/{n}"), f"{number}/{n}"),
                partial(crowd.sync_by_hand, worker),
                partial(crowd.pause_and_resume, worker, sources[n % 4]),
                partial(crowd.work_off, worker),
                partial(crowd.sync_by_hand, worker, source_ids=(sources[0].id,), force=True),
            )
            tasks.append(acts_of[n % 8])
        crowd.run(tasks)
        acts += len(tasks)
        app.queue.bodies.clear()
        feed = FEEDS[number % 4]
        start = date(2027, 2, 1) + timedelta(days=5 * number + luck.randrange(2))
        app.world.book(feed, start, start + timedelta(days=3))
        settle(crowd)
    return acts


def judge_truth(app: SimulatedApp) -> Damage:
    """Return what the records are not beside the feeds' stays: each once, present, and in each log each version once."""
    sources = list(app.store.load_sources(DEFAULT_TENANT))
    late = sum(state != "ok" for state in app.states().values())
    return sum((_judge_source(app, source) for source in sources), Damage(doubled=len(app.notices()), late=late))


def _judge_source(app: SimulatedApp, source: Source) -> Damage:
    stays = [s for s in app.world.stays.values() if s.feed == source.name and s.is_active]
    truth = Counter((s.check_in.isoformat(), s.check_out.isoformat()) for s in stays)
    kept = [r for r in app.records(source) if r.remote.get("kind") != "window" and r.presence is not Presence.GONE]
    found = Counter((str(r.fields["check_in"]), str(r.fields["check_out"])) for r in kept)
    missing = sum(r.presence is not Presence.PRESENT for r in kept)
    open_nights = {n for span in truth for n in nights_between(*span)} - {n for span in found for n in nights_between(*span)}
    logs = [_judge_log(app, record) for record in kept]
    return Damage(
        lost=(truth - found).total() + missing + sum(not lost for lost, _ in logs),
        doubled=(found - truth).total() + sum(doubled for _, doubled in logs),
        open_nights=len(open_nights),
        traces=tuple(f"{source.name}: {span} is kept, and the feed has no such stay" for span in found - truth),
    )


def _judge_log(app: SimulatedApp, record: Any) -> tuple[bool, int]:
    """Return whether the record is as its log says, and how many lines are there twice."""
    lines = app.bokit.records.list_changes(DEFAULT_TENANT, record.id, limit=1000).items
    notes = [c.fields["notes"] for c in reversed(lines) if "notes" in c.fields]
    follows = all(later.before == sooner.after for sooner, later in itertools.pairwise(notes))
    is_last = record.fields.get("notes") == (notes[-1].after if notes else None)
    return follows and is_last, abs([c.action for c in lines].count("create") - 1)
