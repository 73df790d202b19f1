"""Workers side by side on one property: ticks, batches, syncs by hand, edits and pauses at once, on a table of its own."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, Source
from bokit.core.model.records import Presence
from bokit.engine.runs.manual import SyncRequest
from bokit.errors import LaterError, StateError
from bokit.sources.protocols import Fetched
from bokit.store.dynamo.store import DynamoStore
from tests.support.emulator import REGION, make_dynamo_store, needs_emulator
from tests.support.simulated_app import SimulatedApp, WorldFetcher

FEEDS = ("airbnb/garden", "booking_com/garden", "vrbo/garden", "google/garden")
ROUNDS = 4
pytestmark = [needs_emulator, pytest.mark.slow]


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


@pytest.mark.parametrize("size", [2, 8, 32])
def test_many_ticks_and_batches_sync_each_due_source_once_a_round(emulator, aws, size, record_property):
    """However many tick, and however many work the same messages in turn, each source is fetched once a round."""
    crowd = Crowd(emulator, size)
    for number in range(ROUNDS):
        before = len(crowd.app.fetcher.asked)
        crowd.run([lambda worker=worker: crowd.tick(worker) for worker in crowd.workers])
        assert len(crowd.app.queue.bodies) == 1
        crowd.work_off(crowd.workers[0])
        crowd.run([lambda worker=worker: crowd.work_off(worker) for worker in crowd.workers])
        crowd.app.queue.bodies.clear()
        asked = Counter(crowd.app.fetcher.asked[before:])
        assert asked == Counter(s.id for s in crowd.sources())
        crowd.app.world.book(FEEDS[number % 4], date(2027, 1, 1 + 5 * number), date(2027, 1, 4 + 5 * number))
        crowd.app.move(hours=1)

    assert crowd.overlap.most["tick"] > size / 2
    record_property("fetches", len(crowd.app.fetcher.asked))


@pytest.mark.parametrize("size", [2, 8, 32])
def test_all_at_once_ends_as_if_one_after_another(emulator, aws, size, record_property):
    """Ticks, the same batch in many hands, syncs by hand, edits and pauses at once: what every feed shows is what is kept."""
    crowd, luck = Crowd(emulator, size), Random(size)
    app, sources = crowd.app, crowd.sources()
    for number in range(ROUNDS):
        app.bokit.tick()
        tasks: list[Callable[[], object]] = []
        for n, worker in enumerate(crowd.workers):
            tasks.append(
                [
                    lambda w=worker: crowd.work_off(w),
                    lambda w=worker: crowd.sync_by_hand(w, everything=True),
                    lambda w=worker: crowd.tick(w),
                    lambda w=worker, note=f"{number}/{n}": crowd.edit(w, Random(note), note),
                    lambda w=worker: crowd.sync_by_hand(w),
                    lambda w=worker, source=sources[n % 4]: crowd.pause_and_resume(w, source),
                    lambda w=worker: crowd.work_off(w),
                    lambda w=worker: crowd.sync_by_hand(w, source_ids=(sources[0].id,), force=True),
                ][n % 8]
            )
        crowd.run(tasks)
        app.queue.bodies.clear()
        feed = FEEDS[number % 4]
        start = date(2027, 2, 1) + timedelta(days=5 * number + luck.randrange(2))
        app.world.book(feed, start, start + timedelta(days=3))
        settle(crowd)

    for source in crowd.sources():
        assert_true(crowd, source)
    assert set(app.states().values()) == {"ok"}
    assert app.notices() == []
    assert crowd.overlap.most["any"] > size / 2
    assert size < 16 or min(crowd.overlap.most[what] for what in ("batch", "hand", "edit", "pause", "tick")) > 1
    record_property("most at once", dict(crowd.overlap.most))


def settle(crowd: Crowd) -> None:
    """Let the schedule go on by itself for a while: what was skipped is tried again, what is new is found."""
    for minutes in (3, 20, 58):
        crowd.app.move(minutes=minutes)
        crowd.app.bokit.tick()
        crowd.app.deliver_all()


def assert_true(crowd: Crowd, source: Source) -> None:
    """The records are the feed's stays, each once, and each record's log has each version once."""
    truth = {(s.check_in.isoformat(), s.check_out.isoformat()) for s in crowd.app.world.stays.values() if s.feed == source.url}
    kept = [r for r in crowd.app.records(source) if r.remote.get("kind") != "window"]
    assert sorted((r.fields["check_in"], r.fields["check_out"]) for r in kept) == sorted(truth)
    assert {r.presence for r in kept} == {Presence.PRESENT}
    for record in kept:
        lines = crowd.app.bokit.records.list_changes(DEFAULT_TENANT, record.id, limit=1000).items
        assert [c.action for c in lines].count("create") == 1
        notes = [c.fields["notes"] for c in reversed(lines) if "notes" in c.fields]
        assert all(later.before == sooner.after for sooner, later in itertools.pairwise(notes))
        assert record.fields.get("notes") == (notes[-1].after if notes else None)


class SleepyFetcher:
    """Delays one fetch until it is released; it returns what the feed had before the delay."""

    def __init__(self, inner: WorldFetcher) -> None:
        self.inner, self.asleep, self.wake, self.first = inner, threading.Event(), threading.Event(), True

    def fetch(self, source: Source, **given: Any) -> Fetched:
        answer = self.inner.fetch(source, **given)
        if self.first:
            self.first = False
            self.asleep.set()
            assert self.wake.wait(60)
        return answer


@pytest.mark.parametrize("by_hand", [True, False], ids=["by hand", "batch"])
def test_a_paused_holder_that_wakes_up_late_writes_nothing_stale(emulator, aws, by_hand):
    """It fetched, slept while its lease or claim expired and others synced a newer feed, and then wanted to write the old."""
    crowd = Crowd(emulator, 2)
    app, (sleeper, other) = crowd.app, crowd.workers
    app.bokit.tick()
    app.deliver_all()
    app.move(hours=1)
    source = next(s for s in crowd.sources() if s.url == FEEDS[0])
    fetcher = SleepyFetcher(app.fetcher)
    sleeper.source_sync.kinds = {"ical": replace(sleeper.source_sync.kinds["ical"], fetcher=fetcher)}
    app.world.move("stay-1", date(2026, 12, 2), date(2026, 12, 5))
    act = (
        (lambda: sleeper.sync(SyncRequest(tenant=DEFAULT_TENANT, source_ids=(source.id,))))
        if by_hand
        else (lambda: [sleeper.tick(), [app.deliver(body, sleeper) for body in app.queue.bodies]])
    )
    with ThreadPoolExecutor(max_workers=1) as pool:
        late = pool.submit(act)
        assert fetcher.asleep.wait(30)
        app.world.move("stay-1", date(2026, 12, 3), date(2026, 12, 7))
        app.move(minutes=16)
        other.sync(SyncRequest(tenant=DEFAULT_TENANT, everything=True))
        assert not late.done()
        before = [app.store.load_record(DEFAULT_TENANT, BOOKINGS, r.id) for r in app.records(source)]
        fetcher.wake.set()
        late.result(timeout=60)

    after = app.records(source)
    assert sorted(before, key=lambda r: r.id) == sorted(after, key=lambda r: r.id)
    assert ("2026-12-03", "2026-12-07") in {(r.fields["check_in"], r.fields["check_out"]) for r in after}
