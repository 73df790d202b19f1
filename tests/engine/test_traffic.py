"""Syncs started by requests: without a schedule, requests keep sources fresh, and do not wait for it."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
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
from bokit.values import replace
from tests.support.queued_work import run_queue
from tests.support.rows_app import START, CallCounter, TestApp

OTHER = TenantId("other")


class ApiInstances:
    """An app whose schedule is stopped, with instances of the API that check it."""

    def __init__(self, *, queue: bool = True) -> None:
        self.app = TestApp(queue=queue)
        self.clock, self.store = self.app.clock, self.app.store

    def open_instance(self, store: Any = None) -> TrafficTrigger:
        """Return the traffic trigger of one more instance."""
        return self.app.assemble(store or self.store).traffic

    def count(self) -> tuple[TrafficTrigger, list[str]]:
        """Return the traffic trigger of an instance, and the calls that its store gets."""
        counting = CallCounter(self.store)
        return self.open_instance(counting), counting.calls

    def visit(self, watch: TrafficTrigger, tenant: TenantId = DEFAULT_TENANT) -> None:
        """Make one request, and wait for its check."""
        watch.begin(tenant)
        watch.finish(within=10)

    @property
    def sent(self) -> list[BatchMessage]:
        return [m for body in self.app.queue.bodies if isinstance(m := read_message(body), BatchMessage)]


@pytest.fixture
def instances() -> ApiInstances:
    return ApiInstances()


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
    """With the schedule off, a request syncs what is late, in this process if it has no queue; the run says why."""
    instances = ApiInstances(queue=False)
    source = instances.app.add_source("a", {"1": {"name": "Ann"}})
    watch = instances.open_instance()
    instances.clock.move(minutes=2)

    instances.visit(watch)

    assert instances.app.presences(source) == {"1": "present"}
    (run,) = instances.app.bokit.status.load_history(DEFAULT_TENANT).items
    assert (run.trigger, run.status) == ("traffic", "succeeded")


def test_the_sync_is_handed_to_the_queue(instances):
    """The visitor's instance claims and sends; a worker syncs."""
    source = instances.app.add_source("a", {"1": {"name": "Ann"}})
    instances.clock.move(minutes=2)

    instances.visit(instances.open_instance())

    (message,) = instances.sent
    assert (message.trigger, message.source_ids) == (Trigger.TRAFFIC, (source.id,))
    assert instances.app.fetcher.asked == []
    run_queue(instances.app)
    assert instances.app.presences(source) == {"1": "present"}


def test_late_is_late_by_two_ticks(instances):
    """A source that the next tick may yet take is left to it."""
    instances.app.add_source("a", {})
    watch = instances.open_instance()
    instances.clock.move(seconds=119)
    instances.visit(watch)
    assert instances.sent == []

    instances.clock.move(seconds=61)
    instances.visit(watch)

    assert len(instances.sent) == 1


def test_a_hundred_requests_start_one_sync(instances):
    """On one instance, one after another, and while the batch is in hand, done, and until it is late again."""
    instances.app.add_source("a", {})
    watch = instances.open_instance()
    instances.clock.move(minutes=5)

    for _ in range(100):
        instances.visit(watch)
    assert len(instances.sent) == 1
    run_queue(instances.app)
    instances.app.queue.bodies.clear()

    for _ in range(100):
        instances.clock.move(seconds=30)
        instances.visit(watch)
    assert instances.sent == []
    instances.clock.move(minutes=13)
    instances.visit(watch)
    assert len(instances.sent) == 1


def test_thirty_two_requests_at_once_on_two_instances_start_one_sync():
    """A hundred times: each instance checks once, and the shard is claimed once."""
    for _ in range(100):
        instances = ApiInstances()
        instances.app.add_source("a", {})
        watches = [instances.open_instance(), instances.open_instance()]
        instances.clock.move(minutes=3)

        all_at_once([partial(instances.visit, watches[n % 2]) for n in range(32)])

        assert len(instances.sent) == 1


def test_instances_that_look_in_turn_start_one_sync(instances):
    """The second one reads that the shard is in hand, and does not even try to claim it."""
    instances.app.add_source("a", {})
    instances.clock.move(minutes=3)
    instances.visit(instances.open_instance())
    watch, calls = instances.count()

    instances.visit(watch)

    assert len(instances.sent) == 1
    assert calls == ["load_due"]


def test_the_tick_and_a_request_at_once_start_one_sync():
    """The schedule may come to life again at that very moment."""
    for _ in range(50):
        instances = ApiInstances()
        instances.app.add_source("a", {})
        watch = instances.open_instance()
        instances.clock.move(minutes=3)

        all_at_once([partial(instances.visit, watch), instances.app.bokit.tick])

        assert len(instances.app.queue.bodies) == 1


def test_where_the_schedule_works_a_look_is_one_read_a_minute(instances):
    """A thousand requests in ten minutes: ten looks, each of one read, and no write."""
    for n in range(3):
        instances.app.add_source(f"n{n}", {})
    instances.app.bokit.tick()
    run_queue(instances.app)
    watch, calls = instances.count()

    for second in range(0, 600, 6):
        instances.clock.at = START + timedelta(seconds=second)
        for _ in range(10):
            instances.visit(watch)

    assert calls == ["load_due"] * 10


def test_most_requests_start_no_thread(instances, monkeypatch):
    """Within the minute memory says that it is not time, and nothing is begun."""
    watch = instances.open_instance()
    instances.visit(watch)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a thread was made")

    monkeypatch.setattr(threading, "Thread", refuse)
    for _ in range(100):
        watch.begin(DEFAULT_TENANT)
        watch.finish()


def test_an_overdue_sync_costs_five_reads_and_a_claim(instances):
    """Counted: the index, options, monitor, sources, shards; then one claim for the shard."""
    instances.app.add_source("a", {})
    instances.clock.move(minutes=3)
    watch, calls = instances.count()

    instances.visit(watch)

    assert calls == ["load_due", "load_options", "load_monitors", "load_sources", "load_shards", "claim_shard"]


@pytest.mark.parametrize(("option", "value"), [("sync.on_traffic", False), ("sync.enabled", False), ("install.complete", None)])
def test_a_tenant_that_is_switched_off_is_left_alone(instances, option, value):
    """Nothing is claimed or sent; switched on again, the next look does it."""
    instances.app.add_source("a", {})
    instances.clock.move(minutes=3)
    instances.store.save_option(DEFAULT_TENANT, option, value)
    watch, calls = instances.count()

    instances.visit(watch)

    assert instances.sent == []
    assert calls == ["load_due", "load_options"]
    instances.store.save_option(DEFAULT_TENANT, option, True)
    instances.clock.move(minutes=1)
    instances.visit(watch)
    assert len(instances.sent) == 1


@pytest.mark.parametrize("is_stopped", [True, False])
def test_a_tenant_on_a_monitor_is_left_to_it(instances, is_stopped):
    """The monitor has taken the schedule's place; when it is gone, or has run all its runs, traffic counts again."""
    instances.app.add_source("a", {})
    instances.clock.move(minutes=3)
    running = Monitor(
        tenant=DEFAULT_TENANT,
        interval=timedelta(hours=1),
        max_runs=2,
        started_at=START,
        started_by="token:tok_1",
        next_at=START + timedelta(hours=1),
    )
    saved = instances.store.save_monitor(running)
    watch = instances.open_instance()
    instances.visit(watch)
    assert instances.sent == []

    if is_stopped:
        instances.store.delete_monitor(DEFAULT_TENANT)
    else:
        instances.store.save_monitor(replace(saved, runs=2))
    instances.clock.move(minutes=1)
    instances.visit(watch)

    assert len(instances.sent) == 1


def test_a_visitor_wakes_her_own_tenant_alone(instances):
    """Tenants share a shard; the other one's late source stays as it is, and is claimed by its own visitor."""
    instances.store.save_tenant(Tenant(id=OTHER, name="Other", created_at=START))
    instances.store.save_option(OTHER, "install.complete", True)
    ours = instances.app.add_source("ours", {})
    theirs = instances.app.add_source("theirs", {}, tenant=OTHER)
    assert ours.shard_id == theirs.shard_id
    instances.clock.move(minutes=3)
    watch = instances.open_instance()

    instances.visit(watch)
    assert [m.source_ids for m in instances.sent] == [(ours.id,)]
    run_queue(instances.app)
    instances.app.queue.bodies.clear()
    instances.visit(watch, OTHER)

    assert [m.source_ids for m in instances.sent] == [(theirs.id,)]


def test_what_is_late_for_another_tenant_wakes_nothing(instances):
    """Such a look reads the late shard, and ends there."""
    instances.store.save_tenant(Tenant(id=OTHER, name="Other", created_at=START))
    instances.app.add_source("theirs", {}, tenant=OTHER)
    instances.clock.move(minutes=3)
    watch, calls = instances.count()

    instances.visit(watch)

    assert (instances.sent, calls) == ([], ["load_due"])


def test_one_late_source_takes_along_what_else_is_due(instances, monkeypatch):
    """Over all shards of the tenant: a sync is asked for once."""
    monkeypatch.setattr(instances.store, "pick_shard", lambda _: type(instances.store).pick_shard(instances.store, 1))
    first = instances.app.add_source("first", {})
    instances.clock.move(minutes=1)
    second = instances.app.add_source("second", {})
    instances.clock.move(minutes=1, seconds=30)
    assert first.shard_id != second.shard_id

    instances.visit(instances.open_instance())

    assert {source_id for m in instances.sent for source_id in m.source_ids} == {first.id, second.id}


def test_a_paused_or_removed_source_is_never_late(instances):
    """It has no due time, however long ago it was synced."""
    source = instances.app.add_source("a", {})
    schedule = instances.app.schedule(source)
    instances.store.save_source(
        instances.app.head(source), type(schedule)(tenant=DEFAULT_TENANT, due_at=None, interval=schedule.interval)
    )
    instances.clock.move(days=3)

    instances.visit(instances.open_instance())

    assert instances.sent == []


def test_after_a_sync_the_next_look_waits_for_its_interval(instances):
    """A source of ten minutes that was handed on is looked at again after ten, whatever becomes of the message."""
    instances.app.add_source("a", {}, interval=600)
    instances.clock.move(minutes=3)
    watch, calls = instances.count()
    instances.visit(watch)
    calls.clear()

    for _ in range(9):
        instances.clock.move(minutes=1)
        instances.visit(watch)
    assert calls == []

    instances.clock.move(minutes=1)
    instances.visit(watch)
    assert calls == ["load_due"]


def test_another_source_does_not_wait_for_that_interval(instances):
    """One that is late earlier is looked after when it is, and not an hour later."""
    app = instances.app
    app.add_source("a", {})
    instances.clock.move(minutes=2)
    app.add_source("b", {})
    b = instances.store.load_source(DEFAULT_TENANT, "src_b")
    late_soon = instances.clock() + timedelta(minutes=10)
    instances.store.save_source(
        app.head(b), type(app.schedule(b))(tenant=DEFAULT_TENANT, due_at=late_soon, interval=timedelta(hours=1))
    )
    watch = instances.open_instance()
    instances.visit(watch)
    run_queue(instances.app)
    instances.app.queue.bodies.clear()

    for _ in range(13):
        instances.clock.move(minutes=1)
        instances.visit(watch)

    assert [m.source_ids for m in instances.sent] == [(b.id,)]


def test_a_late_tenant_is_found_behind_many_others(instances, monkeypatch):
    """Where more is late than one look reads, the tenant's own shards are read."""
    monkeypatch.setattr(traffic, "MAX_LATE_SOURCES", 2)
    monkeypatch.setattr(instances.store, "pick_shard", lambda _: type(instances.store).pick_shard(instances.store, 1))
    instances.store.save_tenant(Tenant(id=OTHER, name="Other", created_at=START))
    for n in range(5):
        instances.app.add_source(f"theirs{n}", {}, tenant=OTHER)
    instances.clock.move(minutes=1)
    ours = instances.app.add_source("ours", {})
    instances.clock.move(minutes=3)

    instances.visit(instances.open_instance())

    assert [m.source_ids for m in instances.sent] == [(ours.id,)]


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


def test_an_answer_does_not_wait_for_a_slow_store(instances):
    """While the store hangs, begin comes back, finish gives up within its bound, and no other look is begun meanwhile."""
    instances.app.add_source("a", {})
    instances.clock.move(minutes=3)
    slow = SlowStore(instances.store)
    watch = instances.open_instance(slow)

    for _ in range(5):
        watch.begin(DEFAULT_TENANT)
        watch.finish(within=0.01)
        instances.clock.move(minutes=1)
    assert slow.was_asked.wait(10)
    (look,) = [t for t in threading.enumerate() if t.name == "traffic"]

    slow.may_answer.set()
    look.join(10)

    assert len(instances.sent) == 1


def test_finish_waits_for_its_own_requests_look_alone(instances):
    """A request that began none goes at once, though another's hangs."""
    slow = SlowStore(instances.store)
    watch = instances.open_instance(slow)
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
def test_nothing_that_fails_reaches_the_visitor(instances, monkeypatch, caplog, call, error):
    """It is logged; a minute later there is another look, which does its work."""
    monkeypatch.setattr(logging.getLogger("bokit"), "propagate", True)
    caplog.set_level("WARNING", "bokit")
    instances.app.add_source("a", {})
    instances.clock.move(minutes=3)
    watch = instances.open_instance()

    def fail(*_: Any, **__: Any) -> None:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(instances.store, call, fail)
        instances.visit(watch)
    assert "a check after traffic failed" in caplog.text
    assert instances.sent == []

    instances.clock.move(minutes=1)
    instances.visit(watch)

    assert len(instances.sent) == 1


def test_a_queue_that_takes_nothing_costs_a_quarter_of_an_hour(instances, monkeypatch):
    """The claim comes back by itself, and the next look hands the sync on."""
    source = instances.app.add_source("a", {})
    instances.clock.move(minutes=3)
    watch = instances.open_instance()

    def fail(*_: Any, **__: Any) -> None:
        raise LaterError("the queue took nothing", code="queue")

    with monkeypatch.context() as broken:
        broken.setattr(instances.app.queue, "send", fail)
        instances.visit(watch)
    for _ in range(16):
        instances.clock.move(minutes=1)
        instances.visit(watch)

    assert [m.source_ids for m in instances.sent] == [(source.id,)]


def test_a_thread_that_cannot_start_breaks_no_request(instances, monkeypatch):
    """A machine out of threads answers its visitor; the look is made up for."""
    instances.app.add_source("a", {})
    instances.clock.move(minutes=3)
    watch = instances.open_instance()

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as broken:
        broken.setattr(threading.Thread, "start", fail)
        instances.visit(watch)
    instances.clock.move(minutes=1)
    instances.visit(watch)

    assert len(instances.sent) == 1


def test_an_instance_forgets_rather_than_grows(instances, monkeypatch):
    """However many tenants pass, it remembers a bounded number; one that is forgotten is looked at once more, no worse."""
    monkeypatch.setattr(traffic, "MAX_TENANTS", 3)
    watch = instances.open_instance()

    for n in range(20):
        instances.visit(watch, TenantId(f"t{n}"))

    assert len(watch._not_before) <= 3


def test_a_message_asks_for_no_more_than_its_tenants_options(instances):
    """What goes to the queue names ids, and the options of the tenant that was woken."""
    instances.app.add_source("a", {})
    instances.clock.move(minutes=3)

    instances.visit(instances.open_instance())

    message = json.loads(instances.app.queue.bodies[0])
    assert set(message["options"]) == {DEFAULT_TENANT}
