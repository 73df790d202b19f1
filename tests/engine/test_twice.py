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
from tests.engine.villa import Calls, Died, Villa

FEEDS = ("airbnb/garden", "booking_com/garden", "vrbo/loft", "beds24/loft")
ROUNDS = 20
SEEDS = 20


def test_an_edit_that_is_said_twice_is_one_edit():
    """A person (or a client that heard no answer) repeats an edit: one line in the change log, one version."""
    villa = Villa()
    villa.settle_in()
    source = villa.add_source("airbnb/garden")
    villa.world.book("airbnb/garden", date(2026, 12, 1), date(2026, 12, 5))
    villa.bokit.tick()
    villa.deliver_all()
    record = villa.records(source)[0]

    service, values = villa.bokit.records, {"notes": "late"}
    first, second = (service.edit(DEFAULT_TENANT, BOOKINGS, record.id, values, by="user:rosa") for _ in "12")

    assert first == second
    assert [c.action for c in villa.bokit.records.list_changes(DEFAULT_TENANT, record.id).items] == ["edit", "create"]


def live(seed: int, *, shuffled: bool) -> tuple[dict, Counter[str]]:
    """Live through some rounds of an eventful world; *shuffled*: messages come up to five times, some rounds late."""
    villa, luck, counts = Villa(world=World(seed=seed), concurrency=1), Random(seed), Counter()
    villa.settle_in()
    for feed in FEEDS:
        villa.add_source(feed)
    days = {feed: Random(f"{seed}/{feed}") for feed in FEEDS}
    late: list[str] = []
    for number in range(ROUNDS):
        for feed in FEEDS:
            befall(villa.world, feed, days[feed], number)
        villa.bokit.tick()
        bodies, villa.queue.bodies = villa.queue.bodies, []
        coming = [body for body in bodies for _ in range(luck.randint(1, 5))] + late if shuffled else bodies
        if shuffled:
            luck.shuffle(coming)
            late = luck.sample(coming, k=len(coming) // 3)
        for body in coming:
            counts["stale" if villa.deliver(body).stale else "worked"] += 1
            if shuffled:
                villa.bokit.tick()
        assert not villa.queue.bodies
        villa.move(hours=1, seconds=1)
    return villa.describe(), counts


def befall(world: World, feed: str, luck: Random, number: int) -> None:
    """Let something happen to a feed in this round: a booking, a cancellation, an unreadable hour, a dead address."""
    today = FIRST_NOW.date() + timedelta(days=20)
    world.clear(feed)
    chance = luck.random()
    if chance < 0.4:
        start = today + timedelta(days=luck.randrange(200))
        if world.is_free(feed, start, start + timedelta(days=3)):
            world.book(feed, start, start + timedelta(days=3))
    elif chance < 0.5:
        active = [s.id for s in world.stays.values() if s.feed == feed and s.is_active]
        if active:
            world.cancel(luck.choice(active))
    elif chance < 0.65:
        world.fault(feed, luck.choice(("html", "404", "json")))


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
        villa = Villa(concurrency=1)
        villa.settle_in()
        source = villa.add_source("airbnb/garden")
        villa.world.book("airbnb/garden", date(2026, 12, 1), date(2026, 12, 5))
        villa.bokit.tick()
        calls = Calls(die_at=call, die_after=after)
        worker = villa.open(store=calls.watch_part(villa.store))
        body = villa.queue.bodies.pop()
        try:
            villa.deliver(body, worker)
        except Died:
            villa.deliver(body)

        line = villa.bokit.records.list_changes(DEFAULT_TENANT, villa.records(source)[0].id).items[-1]
        assert villa.bokit.status.load_run(DEFAULT_TENANT, line.run_id).run_id == line.run_id, f"call {call}: {calls.names}"
        if not calls.deaths:
            break
    assert call > 8


def test_a_batch_that_ends_after_its_claim_tells_what_it_did():
    """Its claim was taken over while it worked: it beats nothing, stops no other batch, and its run is in the history."""
    villa = Villa(concurrency=1)
    villa.settle_in()
    source = villa.add_source("airbnb/garden")
    villa.world.book("airbnb/garden", date(2026, 12, 1), date(2026, 12, 5))
    villa.bokit.tick()
    body = villa.queue.bodies.pop()
    fetch = villa.fetcher.fetch

    def fetch_slowly(*args, **given):
        villa.fetcher.fetch = fetch
        answer = fetch(*args, **given)
        villa.move(minutes=16)
        villa.bokit.tick()
        return answer

    villa.fetcher.fetch = fetch_slowly
    late = villa.deliver(body)
    villa.deliver_all()

    assert late.stale
    assert len(villa.records(source)) == 1
    line = villa.bokit.records.list_changes(DEFAULT_TENANT, villa.records(source)[0].id).items[0]
    assert villa.bokit.status.load_run(DEFAULT_TENANT, line.run_id).counts["created"] == 1
    assert villa.states() == {source.id: "ok"}


def test_who_loses_a_race_by_hand_leaves_the_source_well():
    """A sync by hand that finds another at work skips the source: that is no failure of the source."""
    villa = Villa(concurrency=1)
    villa.settle_in()
    source = villa.add_source("airbnb/garden")
    villa.bokit.tick()
    villa.deliver_all()
    now = villa.clock()
    lease = villa.store.acquire_lease(source, holder="another", now=now, until=now + timedelta(minutes=5))

    run = villa.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, source_ids=(source.id,)))
    villa.store.release_lease(lease)

    assert [str(r.outcome) for r in run.sources] == ["skipped"]
    assert villa.states() == {source.id: "ok"}


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
    villa = Villa(concurrency=1)
    villa.settle_in()
    source = villa.add_source("airbnb/garden")
    villa.bokit.tick()
    slow = villa.open(store=Overtaken(villa.store, villa.deliver_all))

    report = slow.tick()

    assert (report.sent, villa.queue.bodies, villa.fetcher.asked) == (0, [], [source.id])
    shard = villa.store.load_shards([source.shard_id])[0]
    assert (shard.holder, shard.next_due) == (None, shard.schedules[source.id].due_at)
