"""Messages that come twice, late and in any order: the end is as if each had come once and in its turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.engine.runs.manual import SyncRequest
from simulator.world import FIRST_NOW, World
from tests.support.simulated_app import Calls, Died, SimulatedApp

FEEDS = ("airbnb/garden", "booking_com/garden", "vrbo/loft", "beds24/loft")
ROUNDS = 20
SEEDS = 20


def test_an_edit_that_is_said_twice_is_one_edit():
    """A person (or a client that heard no answer) repeats an edit: one line in the change log, one version."""
    app = SimulatedApp()
    app.save_tenant()
    source = app.add_source("airbnb/garden")
    app.world.book("airbnb/garden", date(2026, 12, 1), date(2026, 12, 5))
    app.bokit.tick()
    app.deliver_all()
    record = app.records(source)[0]

    service, values = app.bokit.records, {"notes": "late"}
    first, second = (service.edit(DEFAULT_TENANT, BOOKINGS, record.id, values, by="user:rosa") for _ in "12")

    assert first == second
    assert [c.action for c in app.bokit.records.list_changes(DEFAULT_TENANT, record.id).items] == ["edit", "create"]


def live(seed: int, *, shuffled: bool) -> tuple[dict, Counter[str]]:
    """Live through some rounds of an eventful world; *shuffled*: messages come up to five times, some rounds late."""
    app, rng, counts = SimulatedApp(world=World(seed=seed), concurrency=1), Random(seed), Counter()
    app.save_tenant()
    for feed in FEEDS:
        app.add_source(feed)
    days = {feed: Random(f"{seed}/{feed}") for feed in FEEDS}
    late: list[str] = []
    for number in range(ROUNDS):
        for feed in FEEDS:
            change_at_random(app.world, feed, days[feed], number)
        app.bokit.tick()
        bodies, app.queue.bodies = app.queue.bodies, []
        coming = [body for body in bodies for _ in range(rng.randint(1, 5))] + late if shuffled else bodies
        if shuffled:
            rng.shuffle(coming)
            late = rng.sample(coming, k=len(coming) // 3)
        for body in coming:
            counts["stale" if app.deliver(body).stale else "worked"] += 1
            if shuffled:
                app.bokit.tick()
        assert not app.queue.bodies
        app.move(hours=1, seconds=1)
    return app.describe(), counts


def change_at_random(world: World, feed: str, rng: Random, number: int) -> None:
    """Change a feed at random in this round: a booking, a cancellation, an unreadable body, an error status."""
    today = FIRST_NOW.date() + timedelta(days=20)
    world.clear(feed)
    chance = rng.random()
    if chance < 0.4:
        start = today + timedelta(days=rng.randrange(200))
        if world.is_free(feed, start, start + timedelta(days=3)):
            world.book(feed, start, start + timedelta(days=3))
    elif chance < 0.5:
        active = [s.id for s in world.stays.values() if s.feed == feed and s.is_active]
        if active:
            world.cancel(rng.choice(active))
    elif chance < 0.65:
        world.fault(feed, rng.choice(("html", "404", "json")))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_any_number_and_order_of_deliveries_ends_alike(seed, record_property):
    """Each message one to five times, shuffled, a third of them again rounds later, a tick after each: the same end state."""
    expected, once = live(seed, shuffled=False)
    found, often = live(seed, shuffled=True)

    assert found == expected
    assert often["worked"] == once["worked"] == ROUNDS
    assert often["stale"] > ROUNDS
    record_property("deliveries", often.total())


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_run_that_changed_something_is_kept_wherever_it_dies(after):
    """At each call to the store from the first record on, the message then delivered again: the run is in the history."""
    for call in range(1, 20):
        app = SimulatedApp(concurrency=1)
        app.save_tenant()
        source = app.add_source("airbnb/garden")
        app.world.book("airbnb/garden", date(2026, 12, 1), date(2026, 12, 5))
        app.bokit.tick()
        calls = Calls(die_at=call, die_after=after)
        worker = app.open(store=calls.watch_part(app.store))
        body = app.queue.bodies.pop()
        try:
            app.deliver(body, worker)
        except Died:
            app.deliver(body)

        line = app.bokit.records.list_changes(DEFAULT_TENANT, app.records(source)[0].id).items[-1]
        assert app.bokit.status.load_run(DEFAULT_TENANT, line.run_id).run_id == line.run_id, f"call {call}: {calls.names}"
        if not calls.deaths:
            break
    assert call > 8


def test_a_batch_that_ends_after_its_claim_reports_what_it_did():
    """Its claim was taken over while it worked: it beats nothing, stops no other batch, and its run is in the history."""
    app = SimulatedApp(concurrency=1)
    app.save_tenant()
    source = app.add_source("airbnb/garden")
    app.world.book("airbnb/garden", date(2026, 12, 1), date(2026, 12, 5))
    app.bokit.tick()
    body = app.queue.bodies.pop()
    fetch = app.fetcher.fetch

    def fetch_slowly(*args, **given):
        app.fetcher.fetch = fetch
        answer = fetch(*args, **given)
        app.move(minutes=16)
        app.bokit.tick()
        return answer

    app.fetcher.fetch = fetch_slowly
    late = app.deliver(body)
    app.deliver_all()

    assert late.stale
    assert len(app.records(source)) == 1
    line = app.bokit.records.list_changes(DEFAULT_TENANT, app.records(source)[0].id).items[0]
    assert app.bokit.status.load_run(DEFAULT_TENANT, line.run_id).counts["created"] == 1
    assert app.states() == {source.id: "ok"}


def test_who_loses_a_race_by_hand_leaves_the_source_well():
    """A sync by hand that finds another at work skips the source: that is not a failure of the source."""
    app = SimulatedApp(concurrency=1)
    app.save_tenant()
    source = app.add_source("airbnb/garden")
    app.bokit.tick()
    app.deliver_all()
    now = app.clock()
    lease = app.store.acquire_lease(source, holder="another", now=now, until=now + timedelta(minutes=5))

    run = app.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, source_ids=(source.id,)))
    app.store.release_lease(lease)

    assert [str(r.outcome) for r in run.sources] == ["skipped"]
    assert app.states() == {source.id: "ok"}


class Overtaken:
    """A store on which something happens just before a shard is claimed."""

    def __init__(self, inner: Any, happen: Callable[[], object]) -> None:
        self._inner, self._happen = inner, happen

    def __getattr__(self, name: str) -> Any:
        if name == "claim_shard":
            self._happen()
        return getattr(self._inner, name)


def test_a_claim_on_what_was_synced_since_it_was_read_sends_nothing():
    """A tick reads a shard that another has claimed, and claims it itself once that one has ended: nothing is due any more."""
    app = SimulatedApp(concurrency=1)
    app.save_tenant()
    source = app.add_source("airbnb/garden")
    app.bokit.tick()
    slow = app.open(store=Overtaken(app.store, app.deliver_all))

    report = slow.tick()

    assert (report.sent, app.queue.bodies, app.fetcher.asked) == (0, [], [source.id])
    shard = app.store.load_shards([source.shard_id])[0]
    assert (shard.holder, shard.next_due) == (None, shard.schedules[source.id].due_at)
