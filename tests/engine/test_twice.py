"""Messages that come twice, late and in any order: the end is as if each had come once and in its turn."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.core.model.due_times import FIRST_RETRY
from bokit.core.model.scheduling import Lease, SourceSchedule
from bokit.engine.runs.manual import SyncRequest
from bokit.engine.runs.messages import read_message
from tests.support.shuffled_messages import ROUNDS, SEEDS, compare_orders
from tests.support.simulated_app import Calls, Died, SimulatedApp


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


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_any_number_and_order_of_deliveries_ends_alike(seed, record_property):
    """Each message one to five times, shuffled, a third of them again rounds later, a tick after each: the same end state."""
    damage, once, often = compare_orders(seed)

    assert not damage.is_damage, damage.summary()
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


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "ok"])
def test_a_batch_that_finds_another_run_at_work_leaves_the_source_well(is_new):
    """Not read yet, or well: so it stays. It is due again in some minutes; what the other wrote meanwhile is kept."""
    app = SimulatedApp(concurrency=1)
    app.save_tenant()
    source = app.add_source("airbnb/garden")
    if not is_new:
        app.bokit.tick()
        app.deliver_all()
        app.clock.move(hours=2)
    state, now = app.states()[source.id], app.clock()
    lease = app.store.acquire_lease(source, holder="another", now=now, until=now + timedelta(minutes=5))
    app.world.book("airbnb/garden", date(2026, 12, 1), date(2026, 12, 4))

    app.bokit.tick()
    app.deliver_all()

    assert state == ("new" if is_new else "ok")
    assert app.states() == {source.id: state}
    line = app.store.load_shards([source.shard_id])[0].schedules[source.id]
    assert (line.failures, line.due_at > now + FIRST_RETRY, line.due_at < now + 2 * FIRST_RETRY) == (0, True, True)
    assert app.notices() == []
    app.store.release_lease(lease)
    app.clock.move(minutes=3)
    app.bokit.tick()
    app.deliver_all()
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
    """A tick reads a shard, a person syncs its sources, and the tick claims it: nothing is due any more, and it is released."""
    app = SimulatedApp(concurrency=1)
    app.save_tenant()
    source = app.add_source("airbnb/garden")
    by_hand = SyncRequest(tenant=DEFAULT_TENANT, source_ids=(source.id,))
    slow = app.open(store=Overtaken(app.store, lambda: app.bokit.sync(by_hand)))

    report = slow.tick()

    assert (report.sent, app.queue.bodies, app.fetcher.asked) == (0, [], [source.id])
    shard = app.store.load_shards([source.shard_id])[0]
    assert (shard.holder, shard.next_due) == (None, shard.schedules[source.id].due_at)


class Interrupted:
    """A store on which something happens once, just before the first call of this name."""

    def __init__(self, inner: Any, name: str, happen: Callable[[], object]) -> None:
        self._inner, self._name, self._happen = inner, name, happen

    def __getattr__(self, name: str) -> Any:
        if name == self._name:
            self._name = ""
            self._happen()
        return getattr(self._inner, name)


WRITES = ["apply_records", "save_snapshot", "save_head"]


class Overlap:
    """An app whose one source has news, and the message that two workers hold at once."""

    def __init__(self) -> None:
        self.app = SimulatedApp(concurrency=1)
        self.app.save_tenant()
        self.source = self.app.add_source("airbnb/garden")
        self.app.world.book("airbnb/garden", date(2026, 12, 1), date(2026, 12, 5))
        self.app.bokit.tick()
        self.body = self.app.queue.bodies.pop()
        self.run_id = read_message(self.body).run_id

    def take_over(self) -> Lease:
        """Acquire the lease as another worker of the same run does."""
        now = self.app.clock()
        lease = self.app.store.acquire_lease(self.source, holder=self.run_id, now=now, until=now + timedelta(minutes=5))
        assert lease
        return lease

    def give_back(self) -> None:
        """Take the lease over, and leave the source to whom it was taken from."""
        self.app.store.release_lease(self.take_over())

    def work(self, name: str, happen: Callable[[], object]) -> str:
        """Work the message; let something happen before the first call of this name; return what became of the source."""
        worker = self.app.open(store=Interrupted(self.app.store, name, happen))
        ((run,),) = (self.app.deliver(self.body, worker).runs,)
        return str(run.sources[0].outcome)

    def line(self) -> SourceSchedule:
        return self.app.store.load_shards([self.source.shard_id])[0].schedules[self.source.id]


@pytest.mark.parametrize("name", WRITES)
def test_a_source_that_was_taken_over_and_given_back_is_synced_all_the_same(name):
    """Two workers have one message, and the later one ends as soon as it sees the other: the source does not fail by it."""
    two = Overlap()

    outcome = two.work(name, two.give_back)

    assert outcome in ("changed", "unchanged")
    assert (two.line().failures, len(two.app.records(two.source)), two.app.notices()) == (0, 1, [])
    now = two.app.clock()
    assert two.app.store.acquire_lease(two.source, holder="another", now=now, until=now + timedelta(minutes=1))


@pytest.mark.parametrize("name", WRITES)
def test_a_source_that_was_taken_over_is_left_to_who_syncs_it(name):
    """The later worker of the same message holds the lease, or has ended well: the earlier one does not sync it again."""
    held, done = Overlap(), Overlap()

    outcomes = [held.work(name, held.take_over), done.work(name, lambda: done.app.deliver(done.body))]

    assert outcomes == ["skipped", "skipped"]
    assert (held.line().failures, done.line().failures) == (0, 0)
    assert len(done.app.fetcher.asked) <= 3
    assert [c.action for c in done.app.bokit.records.list_changes(DEFAULT_TENANT, done.app.records(done.source)[0].id).items] == [
        "create"
    ]
