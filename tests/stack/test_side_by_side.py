"""Workers side by side on one property: ticks, batches, syncs by hand, edits and pauses at once, on a table of its own."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest

from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, Source
from bokit.engine.runs.manual import SyncRequest
from bokit.sources.protocols import Fetched
from bokit.values import replace
from tests.support.emulator import needs_emulator
from tests.support.side_by_side import FEEDS, ROUNDS, Crowd, judge_truth, play_rounds
from tests.support.simulated_app import WorldFetcher

pytestmark = [needs_emulator, pytest.mark.slow]


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
    crowd = Crowd(emulator, size)

    play_rounds(crowd)

    damage = judge_truth(crowd.app)
    assert not damage.is_damage, damage.summary()
    assert crowd.overlap.most["any"] > size / 2
    assert size < 16 or min(crowd.overlap.most[what] for what in ("batch", "hand", "edit", "pause", "tick")) > 1
    record_property("most at once", dict(crowd.overlap.most))


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
