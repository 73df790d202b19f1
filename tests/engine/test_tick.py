"""The tick: what is due is claimed once and sent on, however many machines tick."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from bokit.core.model.catalog import Tenant
from bokit.core.model.due_times import SourceState
from bokit.core.model.records import TenantId
from bokit.core.model.runs import Trigger
from bokit.engine.runs.deadline import Deadline, RateLimiter
from bokit.engine.runs.manual import SyncRequest
from bokit.engine.runs.messages import BatchMessage, RunMessage, read_message
from bokit.errors import InputError, SourceUnavailableError
from bokit.sources.protocols import Fetched
from tests.support.queued_work import run_queue
from tests.support.rows_app import DEFAULT_TENANT, START, TestApp


def test_two_ticks_at_once_send_each_source_once():
    """Sixteen ticks side by side: one claims the shard, the others pass it over."""
    app = TestApp(queue=True)
    source = app.add_source("a", {})
    together = threading.Barrier(16)

    def tick() -> None:
        together.wait(10)
        app.bokit.tick()

    threads = [threading.Thread(target=tick) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert [read_message(body).source_ids for body in app.queue.bodies] == [(source.id,)]


def test_a_message_that_comes_twice_is_worked_once():
    """The second delivery finds the claim over, and does nothing."""
    app = TestApp(queue=True)
    app.add_source("a", {"1": {"name": "Ann"}})
    app.bokit.tick()
    message = read_message(app.queue.bodies[0])

    first, second = app.bokit.run_batch(message), app.bokit.run_batch(message)

    assert (first.stale, second.stale) == (False, True)
    assert len(app.fetcher.asked) == 1


def test_a_claim_that_nobody_ended_expires_and_comes_back():
    """A message that is lost costs a quarter of an hour, not the source."""
    app = TestApp(queue=True)
    source = app.add_source("a", {"1": {"name": "Ann"}})
    app.bokit.tick()
    lost = read_message(app.queue.bodies.pop())
    app.clock.move(minutes=14)
    app.bokit.tick()
    assert app.queue.bodies == []

    app.clock.move(minutes=2)
    app.bokit.tick()
    run_queue(app)

    assert app.presences(source) == {"1": "present"}
    assert app.bokit.run_batch(lost).stale


def test_a_source_is_due_again_after_its_interval():
    """A tick a minute syncs a source of ten minutes six times an hour."""
    app = TestApp()
    app.add_source("a", {}, interval=600)
    for _ in range(60):
        app.bokit.tick()
        app.clock.move(minutes=1)

    assert len(app.fetcher.asked) == 6


@pytest.mark.parametrize("interval", [300, 900, 3600])
def test_sources_that_were_synced_together_are_claimed_together(interval):
    """One claim and one batch an interval, although each source has a due time of its own, and ticks come some seconds off."""
    app = TestApp(queue=True)
    for n in range(50):
        app.add_source(f"s{n}", {}, interval=interval)
    sizes = []
    for minute in range(4 * interval // 60):
        app.clock.move(seconds=(0, 3, -2, 4, 1, -3)[minute % 6])
        app.bokit.tick()
        app.clock.move(seconds=-(0, 3, -2, 4, 1, -3)[minute % 6])
        sizes += [len(read_message(body).source_ids) for body in app.queue.bodies]
        run_queue(app)
        app.clock.move(minutes=1)

    assert sizes == [50] * 4


@pytest.mark.parametrize("seconds", [0, 10, 55])
def test_a_message_that_waits_costs_no_interval(seconds):
    """A source of a minute is synced at each tick, however long its message waits for a worker within the minute."""
    app = TestApp(queue=True)
    app.add_source("a", {}, interval=60)
    for _ in range(20):
        app.bokit.tick()
        app.clock.move(seconds=seconds)
        run_queue(app)
        app.clock.move(seconds=60 - seconds)

    assert len(app.fetcher.asked) == 20


def test_each_tenant_has_its_own_pace_and_its_own_switch():
    """Tenants of 60 and 3600 seconds sync at their own pace; one that is switched off, or not set up, does not."""
    app = TestApp()
    other, off, new = TenantId("other"), TenantId("off"), TenantId("new")
    for tenant in (other, off, new):
        app.store.save_tenant(Tenant(id=tenant, name=tenant, created_at=START))
    for tenant, name, value in ((other, "install.complete", True), (off, "install.complete", True), (off, "sync.enabled", False)):
        app.store.save_option(tenant, name, value)
    sources = {
        "fast": app.add_source("fast", {}, interval=60),
        "slow": app.add_source("slow", {}, tenant=other),
        "off": app.add_source("off", {}, tenant=off),
        "new": app.add_source("new", {}, tenant=new),
    }
    for _ in range(50):
        app.bokit.tick()
        app.clock.move(minutes=1)

    asked = [source_id for source_id, _ in app.fetcher.asked]
    assert {name: asked.count(s.id) for name, s in sources.items()} == {"fast": 50, "slow": 1, "off": 0, "new": 0}


def test_the_tick_reports_how_late_the_most_overdue_source_is():
    """In the source's own intervals, claimed and lost messages included; 0 where syncing is off."""
    app = TestApp(queue=True)
    app.add_source("a", {}, interval=600)
    assert app.bokit.tick().overdue_intervals == 0
    app.clock.move(minutes=12)
    assert app.bokit.tick().overdue_intervals == pytest.approx(1.2)

    app.store.save_option(DEFAULT_TENANT, "sync.enabled", False)

    assert app.bokit.tick().overdue_intervals == 0


def test_a_batch_that_runs_out_of_time_leaves_the_rest_due():
    """What was not begun keeps its due time, and the next tick takes it."""
    app = TestApp(queue=True, concurrency=1)
    sources = [app.add_source(f"n{n}", {"1": {"n": n}}) for n in range(5)]
    app.bokit.tick()
    message = read_message(app.queue.bodies.pop())
    report = app.bokit.run_batch(message, seconds_left=lambda: 900.0 if len(app.fetcher.asked) < 2 else 10.0)
    assert (report.left, [bool(app.records(s)) for s in sources]) == (3, [True, True, False, False, False])

    app.bokit.tick()
    run_queue(app)

    assert all(app.records(s) for s in sources)


def test_a_sync_by_hand_and_the_tick_share_the_work():
    """What a person's sync has just done is no longer due."""
    app = TestApp()
    app.add_source("a", {})
    app.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT))
    app.bokit.tick()

    assert len(app.fetcher.asked) == 1


def test_a_paused_source_is_left_alone_until_a_person_names_it():
    """Neither the tick nor ``--all`` touches it."""
    app = TestApp()
    source = app.add_source("a", {}, enabled=False)
    app.bokit.tick()
    app.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, everything=True))
    assert app.fetcher.asked == []

    app.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, source_ids=(source.id,)))

    assert len(app.fetcher.asked) == 1


def test_no_such_source_is_bad_input():
    """An unknown id is an error, and nothing is synced."""
    with pytest.raises(InputError, match="no such source"):
        TestApp().bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, source_ids=("src_none",)))


@pytest.mark.parametrize("body", ["", "{}", "[]", "null", '{"run_id": "r", "trigger": "x"}', '"text"'])
def test_what_is_not_a_batch_goes_to_the_dead_letters(body):
    """A message that can't be read raises, so that the queue keeps it."""
    with pytest.raises(InputError, match="not a message of this queue"):
        read_message(body)


def test_a_message_reads_back_as_it_was_sent():
    """Options and all."""
    message = BatchMessage(
        run_id="run_1",
        trigger=Trigger.SCHEDULE,
        shard_id="shard_1",
        fence=7,
        source_ids=("a", "b"),
        options={"default": {"sync.interval": 60}},
        defaults={"sync.interval": 900},
    )

    assert read_message(message.to_json()) == message
    assert message.options_of("default")["sync.interval"] == 60


@pytest.mark.parametrize("paused", [(), ("b",)])
def test_a_message_of_an_open_run_reads_back_as_it_was_sent(paused):
    """Without a list of sources it is not a message."""
    message = RunMessage(run_id="run_1", tenant="default", source_ids=("a", "b"), paused=paused)

    assert read_message(message.to_json()) == message
    assert message.narrow({"b"}) == RunMessage(run_id="run_1", tenant="default", source_ids=("b",), paused=paused)
    for body in ('{"open_run": "run_1"}', '{"open_run": "run_1", "tenant": "default", "source_ids": null}'):
        with pytest.raises(InputError, match="not a message of this queue"):
            read_message(body)


def test_no_request_waits_beyond_the_end_of_time():
    """A pause longer than the time left is not started, and a stop during it takes effect."""
    waits: list[float] = []
    pace, left = RateLimiter(sleep=waits.append), Deadline(lambda: 40.0)

    assert [pace.wait("a", 5_000, left), pace.wait("a", 5_000, left), pace.wait("a", 20_000, left)] == [True, True, False]
    assert waits == [5.0]
    stopped = Deadline()
    assert RateLimiter(sleep=lambda _: stopped.set()).wait("b", 1, stopped)
    stopped.set()
    assert not pace.wait("c", 0, stopped)


def test_requests_of_a_tenant_are_spaced_and_others_do_not_wait():
    """The first request goes at once, each further one of the same tenant waits."""
    waits: list[float] = []
    pace = RateLimiter(sleep=waits.append)
    for tenant in ("a", "a", "b", "a"):
        pace.wait(tenant, 250)
    pace.wait("c", 0)

    assert waits == [0.25, 0.25]


def test_stop_is_a_persons_word_or_the_end_of_time():
    """Either keeps further sources from being begun."""
    stopped, timed = Deadline(), Deadline(lambda: 29.0)
    stopped.set()

    assert stopped.is_set()
    assert timed.is_set()
    assert not Deadline(lambda: 31.0).is_set()


def test_status_says_in_a_word_how_each_source_fares():
    """ok, failing, held, stale and paused, judged when read, without any sync."""
    app = TestApp()
    ok = app.add_source("ok", {})
    failing = app.add_source("failing", SourceUnavailableError("it does not answer", code="timeout"))
    held = app.add_source("held", {"1": {"n": 1}})
    paused = app.add_source("paused", {}, enabled=False)
    app.bokit.tick()
    app.clock.move(hours=1)
    app.show(held, Fetched(body=b"<html>"))
    app.bokit.tick()

    states = {s.head.source.id: s.state for s in app.bokit.status.load_sources(DEFAULT_TENANT)}
    ids = [source.id for source in (ok, failing, held, paused)]
    assert [states[source_id] for source_id in ids] == ["ok", "failing", "held", "paused"]
    assert len(states) == len(ids)

    app.clock.move(hours=4)
    assert {s.head.source.id: s.state for s in app.bokit.status.load_sources(DEFAULT_TENANT)}[ok.id] is SourceState.STALE
    assert app.bokit.status.load_status(DEFAULT_TENANT)["totals"]["stale"] == 1


def test_the_interval_in_force_is_the_sources_own_else_the_tenants():
    """A tenant's option applies to the sources that have none of their own."""
    app = TestApp()
    source = app.add_source("a", {}, interval=600)
    app.bokit.tick()

    assert app.schedule(source).interval == timedelta(seconds=600)
