"""The monitor: a tenant's sources every so many seconds, so many times; the schedule waits meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT, Tenant
from bokit.core.model.monitor import Monitor
from bokit.core.model.records import TenantId
from bokit.core.model.runs import Run, RunStatus, Trigger
from bokit.engine.app import Bokit
from bokit.engine.runs import monitors as monitors_module
from bokit.engine.runs.manual import SyncRequest
from bokit.engine.runs.messages import read_message
from bokit.errors import InputError, StateError, StoreUnreachableError
from bokit.values import replace
from tests.support.queued_work import ROW, Failing, furnish, work_off
from tests.support.rows_app import START, TestApp
from tests.support.simulated_app import Calls, Died, SimulatedApp

OTHER = TenantId("other")


def runs_of(bokit: Bokit, tenant: TenantId = DEFAULT_TENANT) -> list[Run]:
    """Return the monitor's runs, oldest first."""
    return [r for r in bokit.status.load_history(tenant).items[::-1] if r.trigger is Trigger.MONITOR]


def start(bokit: Bokit, tenant: TenantId = DEFAULT_TENANT, **given: Any) -> Monitor:
    return bokit.monitors.start(tenant, **{"interval": 60, "by": "token:tok_1"} | given)


def pass_minutes(app: TestApp, minutes: int) -> None:
    """Let minutes pass, with a tick at each, and everything worked off at once."""
    for _ in range(minutes):
        app.bokit.tick()
        work_off(app.bokit, app.queue)
        app.clock.move(minutes=1)


# ── start and stop ──


def test_a_monitor_of_two_runs_makes_two_runs_and_ends():
    """Two runs with trigger monitor, an interval apart, of every source, due or not; then it is gone."""
    app, sources = furnish(3)
    pass_minutes(app, 1)
    start(app.bokit, max_runs=2)
    assert app.bokit.status.load_status(DEFAULT_TENANT)["monitor"] == {
        "interval": 60,
        "new_only": None,
        "max_runs": 2,
        "runs": 0,
        "started_at": app.clock(),
        "started_by": "token:tok_1",
        "next_at": app.clock(),
        "last_run_id": None,
    }

    pass_minutes(app, 2)
    assert app.store.load_monitors([DEFAULT_TENANT]) == {}
    pass_minutes(app, 8)

    runs = runs_of(app.bokit)
    assert [(r.status, r.started_at, len(r.sources)) for r in runs] == [
        (RunStatus.SUCCEEDED, START + timedelta(minutes=n), 3) for n in (1, 2)
    ]
    assert (app.bokit.monitors.find(DEFAULT_TENANT), app.store.load_monitors([DEFAULT_TENANT])) == (None, {})
    assert app.bokit.status.load_status(DEFAULT_TENANT)["monitor"] is None
    assert len(app.fetcher.asked) == 3 * len(sources)


def test_a_monitor_without_an_end_runs_until_it_is_stopped():
    """Stopping is at once, returns what was stopped, and a second time does nothing."""
    app, _ = furnish(1)
    start(app.bokit)
    pass_minutes(app, 5)
    assert app.bokit.status.load_status(DEFAULT_TENANT)["monitor"]["runs"] == 5

    stopped = app.bokit.monitors.stop(DEFAULT_TENANT)
    pass_minutes(app, 5)

    assert (stopped.runs, app.bokit.monitors.stop(DEFAULT_TENANT), len(runs_of(app.bokit))) == (5, None, 5)


def test_a_second_start_is_refused():
    """Also of eight at once, all but one; another tenant's is none of its business."""
    app, _ = furnish(1)
    app.store.save_tenant(Tenant(id=OTHER, name="Other", created_at=START))
    app.store.save_option(OTHER, "install.complete", True)
    together, codes = threading.Barrier(8), []

    def begin() -> None:
        together.wait(10)
        try:
            start(app.bokit)
        except StateError as error:
            codes.append(error.stable_code)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert codes == 7 * ["monitor-running"]
    assert start(app.bokit, OTHER).tenant == OTHER


@pytest.mark.parametrize("option", ["sync.enabled", "install.complete"])
def test_nothing_starts_where_nothing_syncs_by_itself(option):
    """Switched off, or not set up yet."""
    app, _ = furnish(1)
    app.store.save_option(DEFAULT_TENANT, option, False)
    with pytest.raises(StateError) as caught:
        start(app.bokit)

    assert caught.value.stable_code == "sync-disabled"


@pytest.mark.parametrize(
    "given", [{"interval": 59}, {"interval": 10**12}, {"interval": True}, {"interval": 60.5}, {"max_runs": 0}, {"max_runs": "2"}]
)
def test_bad_numbers_are_refused(given):
    """An interval of 60 seconds at least, one run at least."""
    with pytest.raises(InputError) as caught:
        start(furnish(1)[0].bokit, **given)

    assert (caught.value.stable_code, caught.value.facts["field"]) == ("bad-field", next(iter(given)))


def test_a_monitor_asks_only_for_what_is_new_if_so_started():
    """new_only reaches its runs."""
    app, (source,) = furnish(1)
    pass_minutes(app, 1)
    app.show(source, {"2": {"name": "Bob"}})

    start(app.bokit, new_only=True, max_runs=1)
    pass_minutes(app, 2)

    assert app.presences(source) == {"1": "present", "2": "present"}


# ── its place ──


def test_the_schedule_waits_while_a_monitor_runs_and_goes_on_after_it():
    """Sources that come due are left to a slower monitor; when it stops, the next tick takes them by their due times."""
    app, (source,) = furnish(1)
    other = app.add_source("other", ROW, tenant=OTHER, interval=600)
    app.store.save_tenant(Tenant(id=OTHER, name="Other", created_at=START))
    app.store.save_option(OTHER, "install.complete", True)
    often = replace(app.head(source), source=replace(app.head(source).source, interval=timedelta(seconds=600)))
    app.store.save_source(often, replace(app.schedule(source), interval=timedelta(seconds=600)))
    start(app.bokit, interval=3600)
    pass_minutes(app, 60)
    asked = [source_id for source_id, _ in app.fetcher.asked]
    assert (asked.count(source.id), asked.count(other.id)) == (1, 6)

    app.bokit.monitors.stop(DEFAULT_TENANT)
    pass_minutes(app, 1)

    assert [source_id for source_id, _ in app.fetcher.asked].count(source.id) == 2
    assert [r.trigger for r in app.bokit.status.load_history(DEFAULT_TENANT, limit=1).items][:1] == [Trigger.SCHEDULE]


def test_traffic_leaves_a_tenant_to_its_monitor():
    """A claim by traffic passes its sources over; a person's sync of what is due does not."""
    app, _ = furnish(1)
    start(app.bokit, interval=3600)
    claimer = app.bokit.manual.claimer
    shards = app.store.load_due(app.clock()).shards
    stored = claimer.load_options(shards)

    assert claimer.claim(shards, stored, Trigger.TRAFFIC) == []
    assert len(app.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT)).sources) == 1


def test_a_monitor_is_late_only_when_its_own_time_has_passed():
    """Overdue is counted in the source's intervals, from when the monitor should have synced it; a dead worker shows."""
    app, _ = furnish(1)
    start(app.bokit, interval=3600)
    app.clock.move(hours=1)
    assert app.bokit.tick().overdue_intervals == 0
    app.queue.bodies.clear()

    app.clock.move(hours=2)

    assert app.bokit.tick().overdue_intervals == pytest.approx(2)


# ── the tick ──


def test_ticks_that_come_a_little_early_or_late_cost_no_run():
    """A monitor of 60 seconds under ticks that waver by two seconds: a run a tick."""
    app, _ = furnish(1)
    start(app.bokit)
    for waver in (0, 1, -2, 2, 0, -1, 1, -2, 2, -1):
        app.clock.move(seconds=waver)
        app.bokit.tick()
        work_off(app.bokit, app.queue)
        app.clock.move(seconds=60 - waver)

    assert len(runs_of(app.bokit)) == 10


def test_what_was_slept_through_is_not_made_up_for():
    """Seven minutes without a tick: one run, and the next an interval later."""
    app, _ = furnish(1)
    start(app.bokit)
    app.clock.move(minutes=7)
    pass_minutes(app, 2)

    assert [r.started_at for r in runs_of(app.bokit)] == [START + timedelta(minutes=n) for n in (7, 8)]


def test_a_run_that_is_not_over_postpones_the_next():
    """Nobody works its messages: no second run piles up, until the first is ended as overdue."""
    app, _ = furnish(1)
    start(app.bokit)
    for _ in range(76):
        app.bokit.tick()
        app.clock.move(minutes=1)
    assert [r.status for r in runs_of(app.bokit)] == [RunStatus.FAILED]

    app.bokit.tick()

    assert [r.status for r in runs_of(app.bokit)] == [RunStatus.FAILED, RunStatus.QUEUED]


def test_a_monitor_rests_while_syncing_is_off():
    """It begins nothing, counts nothing, and goes on when syncing is on again."""
    app, _ = furnish(1)
    start(app.bokit, max_runs=2)
    app.store.save_option(DEFAULT_TENANT, "sync.enabled", False)
    pass_minutes(app, 3)
    assert (runs_of(app.bokit), app.bokit.monitors.find(DEFAULT_TENANT).runs) == ([], 0)

    app.store.save_option(DEFAULT_TENANT, "sync.enabled", True)
    pass_minutes(app, 5)

    assert len(runs_of(app.bokit)) == 2


def test_two_ticks_side_by_side_begin_one_run():
    """Sixteen at once, a run each minute: one run each, with one message."""
    app, _ = furnish(1)
    start(app.bokit)
    for minute in range(3):
        together = threading.Barrier(16)

        def tick(together: threading.Barrier = together) -> None:
            together.wait(10)
            app.bokit.tick()

        threads = [threading.Thread(target=tick) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        work_off(app.bokit, app.queue)
        app.clock.move(minutes=1)
        assert len(runs_of(app.bokit)) == minute + 1
    assert app.bokit.monitors.find(DEFAULT_TENANT).runs == 3


class Meanwhile:
    """A store on which something happens just before its first call of a method."""

    def __init__(self, inner: Any, name: str, happen: Callable[[], object]) -> None:
        self._inner, self._name, self._happen = inner, name, [happen]

    def __getattr__(self, name: str) -> Any:
        if name == self._name and self._happen:
            self._happen.pop()()
        return getattr(self._inner, name)


def test_a_monitor_that_is_stopped_under_a_ticks_hands_begins_nothing():
    """The tick has read it, a person stops it: no run, no message, and it does not rise again."""
    app, _ = furnish(1)
    start(app.bokit)
    bokit = app.assemble(Meanwhile(app.store, "save_monitor", lambda: app.bokit.monitors.stop(DEFAULT_TENANT)))

    report = bokit.tick()

    assert (report.monitors, runs_of(app.bokit), app.bokit.monitors.find(DEFAULT_TENANT)) == (0, [], None)


def test_a_monitor_that_was_stopped_and_started_again_is_left_alone():
    """What a slow tick knew of the old one does not move the new one."""
    app, _ = furnish(1)
    start(app.bokit)
    due = app.store.load_due(app.clock()).monitors

    app.bokit.monitors.stop(DEFAULT_TENANT)
    app.clock.move(seconds=1)
    second = start(app.bokit, interval=120)

    assert (app.bokit.monitors.run_due_monitors(due).count, app.bokit.monitors.find(DEFAULT_TENANT)) == (0, second)


def test_a_monitor_that_cannot_be_carried_keeps_no_other_from_its_run():
    """The table fails over one tenant: the others' runs begin, sources are sent, and the report says so."""
    app, _ = furnish(1)
    app.store.save_tenant(Tenant(id=OTHER, name="Other", created_at=START))
    app.store.save_option(OTHER, "install.complete", True)
    scheduled = app.add_source("third", ROW, tenant=TenantId("third"))
    app.store.save_option(scheduled.tenant, "install.complete", True)
    start(app.bokit)
    start(app.bokit, OTHER)

    report = app.assemble(Failing(app.store, "open_run", at=1)).tick()

    assert (report.monitors, report.sources, report.as_dict()["failed"]) == (1, 1, True)
    with pytest.raises(StoreUnreachableError):
        report.check()
    assert [len(runs_of(app.bokit, t)) for t in (DEFAULT_TENANT, OTHER)] == [0, 1]
    app.bokit.tick()
    assert [len(runs_of(app.bokit, t)) for t in (DEFAULT_TENANT, OTHER)] == [1, 1]


def test_many_sources_are_several_runs_of_one_round(monkeypatch):
    """More sources than a run takes: runs that follow each other, counted as one, none begun again while one is open."""
    monkeypatch.setattr(monitors_module, "MAX_SOURCES_PER_RUN", 10)
    app, sources = furnish(25)
    start(app.bokit, max_runs=2)
    app.bokit.tick()
    first = runs_of(app.bokit)
    assert [(r.run_id.partition("-")[2], r.status) for r in first] == [(n, RunStatus.QUEUED) for n in ("", "2", "3")]
    bodies, app.queue.bodies = app.queue.bodies, []
    app.bokit.work(read_message(bodies[0]))
    app.clock.move(minutes=1)
    app.bokit.tick()
    assert len(runs_of(app.bokit)) == 3

    app.queue.bodies = bodies[1:]
    work_off(app.bokit, app.queue)
    app.clock.move(minutes=1)
    pass_minutes(app, 3)

    runs = runs_of(app.bokit)
    assert [len(r.sources) for r in runs] == [10, 10, 5, 10, 10, 5]
    assert sorted(r.source_id for run in runs[:3] for r in run.sources) == [s.id for s in sources]


def test_without_a_queue_a_monitor_runs_in_the_tick():
    """The run is over when the tick is."""
    app = TestApp()
    app.add_source("a", ROW)
    start(app.bokit, max_runs=1)

    app.bokit.tick()

    assert [r.status for r in runs_of(app.bokit)] == [RunStatus.SUCCEEDED]


# ── deaths ──


def live(die_at: int | None = None, *, after: bool = False) -> tuple[dict, Calls]:
    """Start a monitor of two runs, carry it, and let the next tick go on where the process died."""
    app = SimulatedApp(concurrency=1)
    app.save_tenant()
    for feed in ("airbnb/garden", "vrbo/loft"):
        app.add_source(feed)
        app.world.book(feed, date(2026, 12, 1), date(2026, 12, 5))
    start(app.bokit, max_runs=2)
    calls = Calls(die_at=die_at, die_after=after)
    hand = app.open(store=calls.watch_part(app.store), queue=calls.watch_part(app.queue))
    for bokit in (hand, hand, app.bokit, app.bokit, app.bokit):
        try:
            bokit.tick()
        except Died:
            app.move(minutes=1)
            app.bokit.tick()
        work_off(app.bokit, app.queue)
        app.move(minutes=1)
    runs = [(str(r.status), [r.source_id for r in r.sources]) for r in runs_of(app.bokit)]
    waiting = app.store.load_due(app.clock() + timedelta(days=1))
    return {**app.describe(), "runs": runs, "left": (waiting.runs, waiting.monitors)}, calls


def test_a_tick_that_dies_over_a_monitor_loses_no_run_and_doubles_none(record_property):
    """Before and after each call to table and queue in both its runs: two runs in the end, and no monitor."""
    expected, calls = live()
    points = [(n, after) for n in range(1, len(calls.names) + 1) for after in (False, True)]

    for n, after in points:
        found, died = live(n, after=after)
        assert died.deaths <= 1
        assert found == expected, (n, after, calls.names)
    record_property("points", len(points))
    assert expected["runs"] == 2 * [("succeeded", ["src_airbnb_garden", "src_vrbo_loft"])]
    assert (expected["left"], len(points) >= 20) == (((), ()), True)
