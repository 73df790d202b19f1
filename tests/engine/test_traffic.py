"""Syncs that a request wakes: with a dead schedule visitors keep things fresh, and never notice it."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT, Tenant
from bokit.core.model.monitor import Monitor
from bokit.core.model.records import TenantId
from bokit.core.model.runs import Trigger
from bokit.engine.runs import traffic
from bokit.engine.runs.messages import BatchMessage, read_message
from bokit.engine.runs.traffic import TrafficTrigger
from bokit.errors import LaterError, StoreUnreachableError
from tests.engine.house import START, Counting, House
from tests.engine.test_sync import run_queue

OTHER = TenantId("other")


class Street:
    """A house whose schedule is dead, and instances of the API before it."""

    def __init__(self, *, queue: bool = True) -> None:
        self.house = House(queue=queue)
        self.clock, self.store = self.house.clock, self.house.store

    def open_instance(self, store: Any = None) -> TrafficTrigger:
        """Return the watch of one more instance."""
        return self.house.assemble(store or self.store).traffic

    def count(self) -> tuple[TrafficTrigger, list[str]]:
        """Return the watch of an instance, and the calls that its store gets."""
        counting = Counting(self.store)
        return self.open_instance(counting), counting.calls

    def visit(self, watch: TrafficTrigger, tenant: TenantId = DEFAULT_TENANT) -> None:
        """Make one request, with all the patience that a look may want."""
        watch.begin(tenant)
        watch.finish(within=10)

    @property
    def sent(self) -> list[BatchMessage]:
        return [read_message(body) for body in self.house.queue.bodies]


@pytest.fixture
def street() -> Street:
    return Street()


def all_at_once(acts: list[Callable[[], object]]) -> None:
    """Run *acts* in threads that begin together."""
    together = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> None:
        together.wait(10)
        act()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)


def test_a_request_starts_an_overdue_sync():
    """With the schedule off, a request syncs what is late, in this process where there is no queue; the run says why."""
    street = Street(queue=False)
    source = street.house.add_source("a", {"1": {"name": "Ann"}})
    watch = street.open_instance()
    street.clock.move(minutes=2)

    street.visit(watch)

    assert street.house.presences(source) == {"1": "present"}
    (run,) = street.house.bokit.status.load_history(DEFAULT_TENANT).items
    assert (run.trigger, run.status) == ("traffic", "succeeded")


def test_the_sync_is_handed_to_the_queue(street):
    """The visitor's instance claims and sends; a worker syncs."""
    source = street.house.add_source("a", {"1": {"name": "Ann"}})
    street.clock.move(minutes=2)

    street.visit(street.open_instance())

    (message,) = street.sent
    assert (message.trigger, message.source_ids) == (Trigger.TRAFFIC, (source.id,))
    assert street.house.fetcher.asked == []
    run_queue(street.house)
    assert street.house.presences(source) == {"1": "present"}


def test_late_is_late_by_two_ticks(street):
    """A source that the next tick may yet take is left to it."""
    street.house.add_source("a", {})
    watch = street.open_instance()
    street.clock.move(seconds=119)
    street.visit(watch)
    assert street.sent == []

    street.clock.move(seconds=61)
    street.visit(watch)

    assert len(street.sent) == 1


def test_a_hundred_requests_start_one_sync(street):
    """On one instance, one after another, and while the batch is in hand, done, and until it is late again."""
    street.house.add_source("a", {})
    watch = street.open_instance()
    street.clock.move(minutes=5)

    for _ in range(100):
        street.visit(watch)
    assert len(street.sent) == 1
    run_queue(street.house)
    street.house.queue.bodies.clear()

    for _ in range(100):
        street.clock.move(seconds=30)
        street.visit(watch)
    assert street.sent == []
    street.clock.move(minutes=13)
    street.visit(watch)
    assert len(street.sent) == 1


def test_thirty_two_requests_at_once_on_two_instances_start_one_sync():
    """A hundred times: the turn is taken once an instance, and the shard claimed once among them."""
    for _ in range(100):
        street = Street()
        street.house.add_source("a", {})
        watches = [street.open_instance(), street.open_instance()]
        street.clock.move(minutes=3)

        all_at_once([partial(street.visit, watches[n % 2]) for n in range(32)])

        assert len(street.sent) == 1


def test_instances_that_look_in_turn_start_one_sync(street):
    """The second one reads that the shard is in hand, and does not even try to claim it."""
    street.house.add_source("a", {})
    street.clock.move(minutes=3)
    street.visit(street.open_instance())
    watch, calls = street.count()

    street.visit(watch)

    assert len(street.sent) == 1
    assert calls == ["load_due"]


def test_the_tick_and_a_request_at_once_start_one_sync():
    """The schedule may come to life again at that very moment."""
    for _ in range(50):
        street = Street()
        street.house.add_source("a", {})
        watch = street.open_instance()
        street.clock.move(minutes=3)

        all_at_once([partial(street.visit, watch), street.house.bokit.tick])

        assert len(street.house.queue.bodies) == 1


def test_where_the_schedule_works_a_look_is_one_read_a_minute(street):
    """A thousand requests in ten minutes: ten looks, each of one read, and no write."""
    for n in range(3):
        street.house.add_source(f"n{n}", {})
    street.house.bokit.tick()
    run_queue(street.house)
    watch, calls = street.count()

    for second in range(0, 600, 6):
        street.clock.at = START + timedelta(seconds=second)
        for _ in range(10):
            street.visit(watch)

    assert calls == ["load_due"] * 10


def test_most_requests_start_no_thread(street, monkeypatch):
    """Within the minute memory says that it is not time, and nothing is begun."""
    watch = street.open_instance()
    street.visit(watch)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a thread was made")

    monkeypatch.setattr(threading, "Thread", refuse)
    for _ in range(100):
        watch.begin(DEFAULT_TENANT)
        watch.finish()


def test_an_overdue_sync_costs_five_reads_and_a_claim(street):
    """Counted: the index, options, monitor, sources, shards; then one claim for the shard."""
    street.house.add_source("a", {})
    street.clock.move(minutes=3)
    watch, calls = street.count()

    street.visit(watch)

    assert calls == ["load_due", "load_options", "load_monitors", "load_sources", "load_shards", "claim_shard"]


@pytest.mark.parametrize(("option", "value"), [("sync.on_traffic", False), ("sync.enabled", False), ("install.complete", None)])
def test_a_tenant_that_is_switched_off_is_left_alone(street, option, value):
    """Nothing is claimed or sent; switched on again, the next look does it."""
    street.house.add_source("a", {})
    street.clock.move(minutes=3)
    street.store.save_option(DEFAULT_TENANT, option, value)
    watch, calls = street.count()

    street.visit(watch)

    assert street.sent == []
    assert calls == ["load_due", "load_options"]
    street.store.save_option(DEFAULT_TENANT, option, True)
    street.clock.move(minutes=1)
    street.visit(watch)
    assert len(street.sent) == 1


@pytest.mark.parametrize("is_stopped", [True, False])
def test_a_tenant_on_a_monitor_is_left_to_it(street, is_stopped):
    """The monitor has taken the schedule's place; when it is gone, or has run all its runs, traffic counts again."""
    street.house.add_source("a", {})
    street.clock.move(minutes=3)
    running = Monitor(
        tenant=DEFAULT_TENANT,
        interval=timedelta(hours=1),
        max_runs=2,
        started_at=START,
        started_by="token:tok_1",
        next_at=START + timedelta(hours=1),
    )
    saved = street.store.save_monitor(running)
    watch = street.open_instance()
    street.visit(watch)
    assert street.sent == []

    if is_stopped:
        street.store.delete_monitor(DEFAULT_TENANT)
    else:
        street.store.save_monitor(replace(saved, runs=2))
    street.clock.move(minutes=1)
    street.visit(watch)

    assert len(street.sent) == 1


def test_a_visitor_wakes_her_own_tenant_alone(street):
    """Tenants share a shard; the other one's late source stays as it is, and is claimed by its own visitor."""
    street.store.save_tenant(Tenant(id=OTHER, name="Other", created_at=START))
    street.store.save_option(OTHER, "install.complete", True)
    ours = street.house.add_source("ours", {})
    theirs = street.house.add_source("theirs", {}, tenant=OTHER)
    assert ours.shard_id == theirs.shard_id
    street.clock.move(minutes=3)
    watch = street.open_instance()

    street.visit(watch)
    assert [m.source_ids for m in street.sent] == [(ours.id,)]
    run_queue(street.house)
    street.house.queue.bodies.clear()
    street.visit(watch, OTHER)

    assert [m.source_ids for m in street.sent] == [(theirs.id,)]


def test_what_is_late_for_another_tenant_wakes_nothing(street):
    """Such a look reads the late shard, and ends there."""
    street.store.save_tenant(Tenant(id=OTHER, name="Other", created_at=START))
    street.house.add_source("theirs", {}, tenant=OTHER)
    street.clock.move(minutes=3)
    watch, calls = street.count()

    street.visit(watch)

    assert (street.sent, calls) == ([], ["load_due"])


def test_one_late_source_takes_along_what_else_is_due(street, monkeypatch):
    """Over all shards of the tenant: a sync is asked for once."""
    monkeypatch.setattr(street.store, "pick_shard", lambda _: type(street.store).pick_shard(street.store, 1))
    first = street.house.add_source("first", {})
    street.clock.move(minutes=1)
    second = street.house.add_source("second", {})
    street.clock.move(minutes=1, seconds=30)
    assert first.shard_id != second.shard_id

    street.visit(street.open_instance())

    assert {source_id for m in street.sent for source_id in m.source_ids} == {first.id, second.id}


def test_a_paused_or_removed_source_is_never_late(street):
    """It has no due time, however long ago it was synced."""
    source = street.house.add_source("a", {})
    schedule = street.house.schedule(source)
    street.store.save_source(
        street.house.head(source), type(schedule)(tenant=DEFAULT_TENANT, due_at=None, interval=schedule.interval)
    )
    street.clock.move(days=3)

    street.visit(street.open_instance())

    assert street.sent == []


def test_after_a_sync_the_next_look_waits_for_its_interval(street):
    """A source of ten minutes that was handed on is looked at again after ten, whatever becomes of the message."""
    street.house.add_source("a", {}, interval=600)
    street.clock.move(minutes=3)
    watch, calls = street.count()
    street.visit(watch)
    calls.clear()

    for _ in range(9):
        street.clock.move(minutes=1)
        street.visit(watch)
    assert calls == []

    street.clock.move(minutes=1)
    street.visit(watch)
    assert calls == ["load_due"]


def test_another_source_does_not_wait_for_that_interval(street):
    """One that is late earlier is looked after when it is, and not an hour later."""
    street.house.add_source("a", {})
    street.clock.move(minutes=2)
    street.house.add_source("b", {})
    b = street.store.load_source(DEFAULT_TENANT, "src_b")
    late_soon = street.clock() + timedelta(minutes=10)
    street.store.save_source(
        street.house.head(b), type(street.house.schedule(b))(tenant=DEFAULT_TENANT, due_at=late_soon, interval=timedelta(hours=1))
    )
    watch = street.open_instance()
    street.visit(watch)
    run_queue(street.house)
    street.house.queue.bodies.clear()

    for _ in range(13):
        street.clock.move(minutes=1)
        street.visit(watch)

    assert [m.source_ids for m in street.sent] == [(b.id,)]


def test_a_late_tenant_is_found_behind_many_others(street, monkeypatch):
    """Where more is late than one look reads, the tenant's own shards are read."""
    monkeypatch.setattr(traffic, "MAX_LATE_SOURCES", 2)
    monkeypatch.setattr(street.store, "pick_shard", lambda _: type(street.store).pick_shard(street.store, 1))
    street.store.save_tenant(Tenant(id=OTHER, name="Other", created_at=START))
    for n in range(5):
        street.house.add_source(f"theirs{n}", {}, tenant=OTHER)
    street.clock.move(minutes=1)
    ours = street.house.add_source("ours", {})
    street.clock.move(minutes=3)

    street.visit(street.open_instance())

    assert [m.source_ids for m in street.sent] == [(ours.id,)]


# ── the visitor ──


class SlowStore:
    """A store whose calls wait until the test lets them through."""

    def __init__(self, inner: Any) -> None:
        self._inner, self.may_answer, self.was_asked = inner, threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        def call(*args: Any, **given: Any) -> Any:
            self.was_asked.set()
            assert self.may_answer.wait(30)
            return method(*args, **given)

        return call


def test_an_answer_does_not_wait_for_a_slow_store(street):
    """While the store hangs, begin comes back, finish gives up within its bound, and no other look is begun meanwhile."""
    street.house.add_source("a", {})
    street.clock.move(minutes=3)
    slow = SlowStore(street.store)
    watch = street.open_instance(slow)

    for _ in range(5):
        watch.begin(DEFAULT_TENANT)
        watch.finish(within=0.01)
        street.clock.move(minutes=1)
    assert slow.was_asked.wait(10)
    (look,) = [t for t in threading.enumerate() if t.name == "traffic"]

    slow.may_answer.set()
    look.join(10)

    assert len(street.sent) == 1


def test_finish_waits_for_its_own_requests_look_alone(street):
    """A request that began none goes at once, though another's hangs."""
    slow = SlowStore(street.store)
    watch = street.open_instance(slow)
    watch.begin(DEFAULT_TENANT)
    assert slow.was_asked.wait(10)
    ended = threading.Event()

    def other_request() -> None:
        watch.begin(DEFAULT_TENANT)
        watch.finish(within=30)
        ended.set()

    threading.Thread(target=other_request).start()

    assert ended.wait(10)
    slow.may_answer.set()
    watch.finish(within=10)


@pytest.mark.parametrize("call", ["load_due", "load_options", "load_monitors", "load_sources", "load_shards", "claim_shard"])
@pytest.mark.parametrize("error", [StoreUnreachableError("the table does not answer"), RuntimeError("unforeseen")])
def test_nothing_that_fails_reaches_the_visitor(street, monkeypatch, caplog, call, error):
    """It is logged; a minute later there is another look, which does its work."""
    monkeypatch.setattr(logging.getLogger("bokit"), "propagate", True)
    caplog.set_level("WARNING", "bokit")
    street.house.add_source("a", {})
    street.clock.move(minutes=3)
    watch = street.open_instance()

    def fail(*_: Any, **__: Any) -> None:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(street.store, call, fail)
        street.visit(watch)
    assert "a check after traffic failed" in caplog.text
    assert street.sent == []

    street.clock.move(minutes=1)
    street.visit(watch)

    assert len(street.sent) == 1


def test_a_queue_that_takes_nothing_costs_a_quarter_of_an_hour(street, monkeypatch):
    """The claim comes back by itself, and the next look hands the sync on."""
    source = street.house.add_source("a", {})
    street.clock.move(minutes=3)
    watch = street.open_instance()

    def fail(*_: Any, **__: Any) -> None:
        raise LaterError("the queue took nothing", code="queue")

    with monkeypatch.context() as broken:
        broken.setattr(street.house.queue, "send", fail)
        street.visit(watch)
    for _ in range(16):
        street.clock.move(minutes=1)
        street.visit(watch)

    assert [m.source_ids for m in street.sent] == [(source.id,)]


def test_no_thread_to_be_had_is_no_ones_business(street, monkeypatch):
    """A machine out of threads answers its visitor; the look is made up for."""
    street.house.add_source("a", {})
    street.clock.move(minutes=3)
    watch = street.open_instance()

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as broken:
        broken.setattr(threading.Thread, "start", fail)
        street.visit(watch)
    street.clock.move(minutes=1)
    street.visit(watch)

    assert len(street.sent) == 1


def test_an_instance_forgets_rather_than_grows(street, monkeypatch):
    """However many tenants pass, it remembers a bounded number; one that is forgotten is looked at once more, no worse."""
    monkeypatch.setattr(traffic, "MAX_TENANTS", 3)
    watch = street.open_instance()

    for n in range(20):
        street.visit(watch, TenantId(f"t{n}"))

    assert len(watch._not_before) <= 3


def test_a_message_tells_no_more_than_its_tenants_options(street):
    """What goes to the queue names ids, and the options of the tenant that was woken."""
    street.house.add_source("a", {})
    street.clock.move(minutes=3)

    street.visit(street.open_instance())

    message = json.loads(street.house.queue.bodies[0])
    assert set(message["options"]) == {DEFAULT_TENANT}
