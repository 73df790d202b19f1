"""Runs through the queue: one run per key and one report per source, after repeats, delays and crashes."""

from __future__ import annotations

import json
import threading
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT, Property, PropertyId, Unit, UnitId
from bokit.core.model.records import CollectionName, RunId, Scope, SourceId
from bokit.core.model.runs import Run, RunStatus, Trigger, describe_run
from bokit.engine.app import Bokit
from bokit.engine.runs.manual import SyncRequest
from bokit.engine.runs.messages import RunMessage, read_message
from bokit.errors import (
    InputError,
    LaterError,
    SourceUnavailableError,
    StoreConflictError,
    StoreUnreachableError,
    UnknownIdError,
)
from bokit.values import replace
from tests.support.queued_work import ROW, Failing, furnish, work_off
from tests.support.rows_app import START, CallCounter, TestApp
from tests.support.simulated_app import Calls, Died, SimulatedApp

ALL = SyncRequest(tenant=DEFAULT_TENANT, trigger=Trigger.MANUAL, everything=True)
FEEDS = ("airbnb/garden", "vrbo/loft", "booking_com/garden")


def runs_of(bokit: Bokit) -> list[Run]:
    return [r for r in bokit.status.load_history(DEFAULT_TENANT).items if r.trigger is not Trigger.SCHEDULE]


def only_run(bokit: Bokit) -> Run:
    (run,) = runs_of(bokit)
    return run


# ── the request ──


def test_a_triggered_run_is_queued_then_ended_by_its_last_source():
    """202 with the run's id at once; the history shows it queued, then succeeded with every source's report."""
    app, sources = furnish(12, shard_size=10)

    answer = app.bokit.queued_runs.trigger(ALL)

    queued = describe_run(only_run(app.bokit), {})
    assert (answer.status, json.loads(answer.body), answer.repeated) == (202, {"run_id": queued["run_id"]}, False)
    assert (queued["status"], queued["trigger"], queued["finished_at"], queued["sources"]) == ("queued", "manual", None, [])
    sizes = [len(read_message(body).source_ids) for body in app.queue.bodies]
    assert sizes == [10, 2]

    app.bokit.work(read_message(app.queue.bodies.pop(0)))
    assert describe_run(only_run(app.bokit), {})["status"] == "running"
    app.clock.move(seconds=5)
    app.bokit.work(read_message(app.queue.bodies.pop(0)))

    run = only_run(app.bokit)
    assert (run.status, run.started_at, run.finished_at) == (RunStatus.SUCCEEDED, START, START + timedelta(seconds=5))
    assert run.counts["created"] == 12
    assert [r.source_id for r in run.sources] == [s.id for s in sources]
    assert app.store.find_open_run(DEFAULT_TENANT, run.run_id) is None


def test_a_run_without_sources_succeeds_at_once():
    """Nothing is sent, and nothing is left to wait for."""
    app = TestApp(queue=True)

    app.bokit.queued_runs.trigger(ALL)

    run = only_run(app.bokit)
    assert (run.status, run.finished_at, run.sources, app.queue.bodies) == (RunStatus.SUCCEEDED, START, (), [])


def test_without_a_queue_the_run_is_worked_at_once():
    """The answer comes when the run is over."""
    app = TestApp()
    app.add_source("a", ROW)
    app.add_source("b", SourceUnavailableError("it does not answer", code="timeout"))

    app.bokit.queued_runs.trigger(ALL)

    assert (only_run(app.bokit).status, [str(r.outcome) for r in only_run(app.bokit).sources]) == (
        RunStatus.PARTIAL,
        ["changed", "failed"],
    )


def test_the_delay_is_the_queues():
    """Each message waits as long as was asked, and a repeated one as long as is left of it."""
    app, _ = furnish()
    app.bokit.queued_runs.trigger(ALL, delay_seconds=900, key="k", request_hash="h")
    app.clock.move(seconds=700)
    app.bokit.queued_runs.trigger(ALL, delay_seconds=900, key="k", request_hash="h")
    app.clock.move(seconds=700)
    app.bokit.queued_runs.trigger(ALL, delay_seconds=900, key="k", request_hash="h")

    assert app.queue.delays == [900, 200, 0]


@pytest.mark.parametrize("delay", [-1, 901, True, 1.5, "10"])
def test_a_delay_that_no_queue_takes_is_refused(delay):
    """0 to 900 whole seconds."""
    with pytest.raises(InputError) as caught:
        furnish()[0].bokit.queued_runs.trigger(ALL, delay_seconds=delay)

    assert caught.value.stable_code == "bad-field"


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_has_a_length(key):
    """1 to 255 letters."""
    with pytest.raises(InputError, match="Idempotency-Key"):
        furnish()[0].bokit.queued_runs.trigger(ALL, key=key)


# ── what is meant ──


def test_a_unit_or_a_collection_selects_its_enabled_sources():
    """The others are not synced, and an unknown unit or collection is an error."""
    app, sources = furnish(2)
    store = app.store
    store.save_property(Property(id=PropertyId("p"), tenant=DEFAULT_TENANT, name="House"))
    store.save_unit(Unit(id=UnitId("scope_n0001"), tenant=DEFAULT_TENANT, property_id=PropertyId("p"), name="Flat"))

    app.bokit.queued_runs.trigger(replace(ALL, everything=False, scope=Scope("scope_n0001")))
    app.bokit.queued_runs.trigger(replace(ALL, everything=False, collection=CollectionName("rows")))

    assert [read_message(body).source_ids for body in app.queue.bodies] == [(sources[1].id,), tuple(s.id for s in sources)]
    for wrong in ({"scope": Scope("unit_none")}, {"collection": CollectionName("none")}, {"source_ids": (SourceId("src_none"),)}):
        with pytest.raises(UnknownIdError):
            app.bokit.queued_runs.trigger(replace(ALL, **wrong))
    assert len(app.queue.bodies) == 2


def test_a_collection_without_sources_is_an_empty_run():
    """Bookings are always there, even where nothing feeds them yet."""
    app, _ = furnish()

    app.bokit.queued_runs.trigger(replace(ALL, collection=CollectionName("bookings")))

    assert only_run(app.bokit).status is RunStatus.SUCCEEDED


def test_sources_and_a_selection_are_not_mixed():
    """Both together are ambiguous."""
    app, sources = furnish()
    with pytest.raises(InputError, match="not both"):
        app.bokit.queued_runs.trigger(replace(ALL, source_ids=(sources[0].id,), scope=Scope("scope_a")))


def test_more_than_a_thousand_sources_are_too_many():
    """A thousand are a run; one more is refused, and nothing is written."""
    app, sources = furnish(1001)
    with pytest.raises(InputError) as caught:
        app.bokit.queued_runs.trigger(ALL)
    assert (caught.value.stable_code, runs_of(app.bokit)) == ("too-many-sources", [])

    app.bokit.queued_runs.trigger(replace(ALL, source_ids=tuple(s.id for s in sources[:1000])))

    assert [len(read_message(body).source_ids) for body in app.queue.bodies] == 10 * [100]


def test_a_paused_source_is_synced_where_it_is_named():
    """As on the command line; not by a selection, and not where it was paused after it was asked for."""
    app, (first, second, _) = furnish()
    paused = app.store.save_source(
        replace(app.head(first), source=replace(app.head(first).source, enabled=False)),
        replace(app.schedule(first), due_at=None),
    )

    app.bokit.queued_runs.trigger(replace(ALL, source_ids=(first.id, second.id)))
    app.store.save_source(replace(app.head(second), source=replace(app.head(second).source, enabled=False)), app.schedule(second))
    work_off(app.bokit, app.queue)

    run = only_run(app.bokit)
    assert [(str(r.outcome), r.error and r.error["code"]) for r in run.sources] == [
        ("changed", None),
        ("skipped", "source-paused"),
    ]
    assert app.schedule(paused).due_at is None


def test_what_is_removed_before_its_turn_is_skipped():
    """A source removed while it waits, and one whose tenant's row is gone, end the run all the same."""
    app, (first, second, _) = furnish()
    response = app.bokit.queued_runs.trigger(ALL)
    head = app.head(first)
    app.store.save_source(replace(head, source=replace(head.source, removed_at=START)), replace(app.schedule(first), due_at=None))
    run_id = RunId(json.loads(response.body)["run_id"])
    message = RunMessage(run_id=run_id, tenant=DEFAULT_TENANT, source_ids=(first.id, second.id))

    app.bokit.work(message)
    work_off(app.bokit, app.queue)

    outcomes = {r.name: (str(r.outcome), r.error and r.error["code"]) for r in only_run(app.bokit).sources}
    assert outcomes == {"n0000": ("skipped", "source-removed"), "n0001": ("changed", None), "n0002": ("changed", None)}


def test_what_is_asked_of_a_run_is_done_by_its_workers():
    """new_only, force and the trigger stand in the open run."""
    app, (source, *_) = furnish(1)
    app.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, everything=True))
    app.show(source, {"2": {"name": "Bob"}})

    app.bokit.queued_runs.trigger(replace(ALL, trigger=Trigger.QUEUE, new_only=True, force=True))
    work_off(app.bokit, app.queue)

    run = next(r for r in runs_of(app.bokit) if r.trigger is Trigger.QUEUE)
    assert (run.counts["created"], run.counts["missing"]) == (1, 0)
    assert app.presences(source) == {"1": "present", "2": "present"}


# ── the key ──


def test_the_same_key_repeats_the_first_answer():
    """One run, whatever has become of the sources meanwhile; a day later the key is free."""
    app, (source, *_) = furnish()
    first = app.bokit.queued_runs.trigger(ALL, key="k", request_hash="h")
    work_off(app.bokit, app.queue)
    app.store.save_source(
        replace(app.head(source), source=replace(app.head(source).source, removed_at=START)), app.schedule(source)
    )

    again = app.bokit.queued_runs.trigger(ALL, key="k", request_hash="h")
    assert (again.status, again.body, again.repeated, len(runs_of(app.bokit))) == (202, first.body, True, 1)
    assert app.queue.bodies == []

    app.clock.move(hours=24)
    assert app.bokit.queued_runs.trigger(ALL, key="k", request_hash="h").body != first.body


def test_a_repeat_sends_again_what_waits():
    """The first send was lost: the repeat sends the same messages, and the run counts each source once."""
    app, _ = furnish(12, shard_size=10)
    app.bokit.queued_runs.trigger(ALL, key="k", request_hash="h")
    lost, app.queue.bodies = app.queue.bodies, []

    app.bokit.queued_runs.trigger(ALL, key="k", request_hash="h")
    assert app.queue.bodies == lost
    app.queue.bodies += lost
    work_off(app.bokit, app.queue)

    assert (only_run(app.bokit).counts["created"], only_run(app.bokit).status) == (12, RunStatus.SUCCEEDED)


def test_the_same_key_for_another_request_is_refused():
    """Also where the first was a dry one."""
    app, _ = furnish()
    app.bokit.queued_runs.trigger(ALL, key="k", request_hash="h")
    app.bokit.queued_runs.trigger(replace(ALL, dry_run=True), key="dry", request_hash="h")

    for key in ("k", "dry"):
        with pytest.raises(InputError) as caught:
            app.bokit.queued_runs.trigger(ALL, key=key, request_hash="other")
        assert caught.value.stable_code == "idempotency-key-reused"


def test_eight_requests_at_once_under_one_key_are_one_run():
    """They overlap: all get one answer, and each source is counted once."""
    app, _ = furnish(12)
    together, answers = threading.Barrier(8), []

    def ask() -> None:
        together.wait(10)
        answers.append(app.bokit.queued_runs.trigger(ALL, key="k", request_hash="h"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    work_off(app.bokit, app.queue)

    assert len({a.body for a in answers}) == 1
    assert sorted(a.repeated for a in answers) == [False] + 7 * [True]
    assert only_run(app.bokit).counts["created"] == 12


class Refusing:
    """A queue that takes nothing for a while."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.refuses = True

    def send(self, bodies: list[str], *, delay_seconds: int = 0) -> None:
        if self.refuses:
            raise LaterError("the queue took nothing", code="queue")
        self.bodies += bodies


@pytest.mark.parametrize("key", ["k", None])
def test_a_queue_that_accepts_nothing_is_reported(key):
    """With a key the run waits for the repeated request; without one it cannot be requested again, and ends as failed."""
    app, _ = furnish()
    app.queue = Refusing()
    bokit = app.assemble(app.store)
    with pytest.raises(LaterError):
        bokit.queued_runs.trigger(ALL, key=key, request_hash="h")
    assert only_run(bokit).status is (RunStatus.QUEUED if key else RunStatus.FAILED)

    app.queue.refuses = False
    if key:
        bokit.queued_runs.trigger(ALL, key=key, request_hash="h")
        work_off(bokit, app.queue)
        assert only_run(bokit).status is RunStatus.SUCCEEDED


# ── dry runs ──


def test_a_dry_run_answers_the_plan_and_writes_nothing():
    """200 with the contract's document, times with a Z; no record, no run."""
    app, (source, *_) = furnish(1)

    answer = app.bokit.queued_runs.trigger(replace(ALL, dry_run=True))

    run = json.loads(answer.body)
    assert (answer.status, run["started_at"], run["counts"]["created"]) == (200, "2026-06-01T12:00:00Z", 1)
    assert [(a["action"], a["fields"]) for a in run["plan"]] == [("create", {"name": {"from": None, "to": "Ann"}})]
    assert (app.records(source), runs_of(app.bokit), app.queue.bodies) == ([], [], [])


def test_a_dry_runs_key_repeats_its_plan():
    """The source has changed since; the answer has not, and nothing is fetched."""
    app, (source, *_) = furnish(1)
    first = app.bokit.queued_runs.trigger(replace(ALL, dry_run=True), key="k", request_hash="h")
    app.show(source, {})

    again = app.bokit.queued_runs.trigger(replace(ALL, dry_run=True), key="k", request_hash="h")

    assert (again.status, again.body, again.repeated, len(app.fetcher.asked)) == (200, first.body, True, 1)


def test_a_dry_run_is_small():
    """At most ten sources, no SQL, no long pauses: the caller waits for the answer."""
    app, sources = furnish(11)
    dry = replace(ALL, dry_run=True)
    ten = replace(dry, source_ids=tuple(s.id for s in sources[:10]))

    def refused(request: SyncRequest) -> bool:
        try:
            app.bokit.queued_runs.trigger(request)
        except InputError as error:
            return error.stable_code == "dry-run-too-large"
        return False

    assert (refused(dry), refused(ten)) == (True, False)
    app.store.save_option(DEFAULT_TENANT, "sync.request_delay", 60_000)
    assert (refused(ten), refused(replace(dry, source_ids=(sources[0].id,)))) == (True, False)
    head = app.head(sources[0])
    app.store.save_source(replace(head, source=replace(head.source, kind="sql")), app.schedule(sources[0]))
    assert refused(replace(dry, source_ids=(sources[0].id,)))


# ── the worker ──


@pytest.mark.parametrize("seed", range(20))
def test_any_number_and_order_of_deliveries_counts_once(seed):
    """Each message one to five times, shuffled: one report a source, one end, the same counts."""
    app, sources = furnish(25, shard_size=10)
    app.bokit.queued_runs.trigger(ALL)
    luck = Random(seed)
    coming = [body for body in app.queue.bodies for _ in range(luck.randint(1, 5))]
    luck.shuffle(coming)
    app.queue.bodies.clear()

    for body in coming:
        app.bokit.work(read_message(body))

    run = only_run(app.bokit)
    assert (run.status, run.counts["created"], app.queue.bodies) == (RunStatus.SUCCEEDED, 25, [])
    assert [r.source_id for r in run.sources] == [s.id for s in sources]
    assert sorted(source_id for source_id, _ in app.fetcher.asked) == [s.id for s in sources]


def test_one_message_worked_by_four_at_once_counts_once():
    """Deliveries that overlap take the lease from each other; the source is synced, reported once, and never as skipped."""
    app, sources = furnish(3)
    app.bokit.queued_runs.trigger(ALL)
    message = read_message(app.queue.bodies.pop())
    inside, together = threading.Barrier(4), threading.Barrier(4)
    waited = threading.local()

    def answer() -> dict:
        if not getattr(waited, "once", False):
            waited.once = True
            inside.wait(10)
        return ROW

    app.show(sources[0], answer)

    def deliver() -> None:
        together.wait(10)
        app.assemble(app.store, concurrency=1).work(message)

    threads = [threading.Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    work_off(app.bokit, app.queue)

    run = only_run(app.bokit)
    assert run.status is RunStatus.SUCCEEDED
    assert {str(r.outcome) for r in run.sources} <= {"changed", "unchanged"}
    assert [(len(app.records(s)), app.presences(s)) for s in sources] == 3 * [(1, {"1": "present"})]
    assert [len(app.bokit.records.list_changes(DEFAULT_TENANT, app.records(s)[0].id).items) for s in sources] == [1, 1, 1]


def test_a_delivery_that_another_overtakes_leaves_the_report_to_it():
    """The first is refused its write while the second has the source in hand: it reports nothing, so that the second counts."""
    app, _ = furnish(1)
    app.bokit.queued_runs.trigger(ALL)
    message = read_message(app.queue.bodies.pop())
    second, acquire = threading.Thread(target=lambda: app.bokit.work(message)), app.store.acquire_lease
    holders: list[str] = []

    def hand_over(*args: Any, **given: Any) -> Any:
        lease = acquire(*args, **given)
        holders.append(given["holder"])
        if len(holders) == 1:  # the first delivery: the second takes its lease, and ends before it writes
            second.start()
            second.join(10)
        return lease

    app.store.acquire_lease = hand_over
    app.bokit.work(message)

    run = only_run(app.bokit)
    assert ([str(r.outcome) for r in run.sources], run.counts["created"]) == (["changed"], 1)
    assert app.queue.delays == [0, 15]
    assert work_off(app.bokit, app.queue) == 1
    assert only_run(app.bokit) == run


def test_what_another_run_synced_meanwhile_is_read_again():
    """What was fetched before it is older than what is stored: it is fetched again, under the lease."""
    app, (source,) = furnish(1)
    newer = {"1": {"name": "Ann Lee"}}

    def answer_slowly() -> dict:
        app.show(source, newer)
        app.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, everything=True))
        return ROW

    app.show(source, answer_slowly)
    app.bokit.queued_runs.trigger(ALL)
    work_off(app.bokit, app.queue)

    assert [dict(r.remote) for r in app.records(source)] == [newer["1"]]
    assert [str(r.outcome) for r in next(r for r in runs_of(app.bokit) if r.trigger is Trigger.MANUAL).sources] == ["unchanged"]
    assert len(app.fetcher.asked) == 3


def test_a_source_that_another_run_holds_is_skipped():
    """The run says so, and ends; the source's schedule is the other's to write."""
    app, (held, *_) = furnish()
    lease = app.store.acquire_lease(held, holder="another", now=START, until=START + timedelta(minutes=5))
    before = app.schedule(held)

    app.bokit.queued_runs.trigger(ALL)
    work_off(app.bokit, app.queue)
    app.store.release_lease(lease)

    run = only_run(app.bokit)
    assert [str(r.outcome) for r in run.sources] == ["skipped", "changed", "changed"]
    assert (run.sources[0].error["code"], run.status, app.schedule(held)) == ("lease-held", RunStatus.SUCCEEDED, before)


def test_what_does_not_fit_in_the_time_comes_again_by_itself():
    """The rest is sent again at once where some were synced, and a little later where none was: nothing is lost."""
    app, sources = furnish(3, concurrency=1)
    app.bokit.queued_runs.trigger(ALL)
    message = read_message(app.queue.bodies.pop())
    report = app.bokit.work(message, seconds_left=lambda: 10.0 if app.fetcher.asked else 900.0)
    assert (report.sources, report.left) == (1, 2)
    none = app.bokit.work(read_message(app.queue.bodies.pop()), seconds_left=lambda: 1.0)
    assert (none.sources, none.left, app.queue.delays) == (0, 2, [0, 0, 15])

    work_off(app.bokit, app.queue)

    assert [r.source_id for r in only_run(app.bokit).sources] == [s.id for s in sources]
    assert len(app.fetcher.asked) == 3


def test_a_long_pause_between_requests_is_not_slept_through_the_end():
    """Where sync.request_delay does not fit into what is left of the time, the rest comes again."""
    app, _ = furnish(3)
    app.store.save_option(DEFAULT_TENANT, "sync.request_delay", 60_000)
    app.bokit.queued_runs.trigger(ALL)

    report = app.bokit.work(read_message(app.queue.bodies.pop()), seconds_left=lambda: 85.0)

    assert (report.sources, report.left) == (1, 2)


def test_a_message_of_a_run_that_is_over_does_nothing():
    """An ended run, an unknown one, and another tenant's."""
    app, (source, *_) = furnish(1)
    app.bokit.queued_runs.trigger(ALL)
    body = app.queue.bodies[0]
    work_off(app.bokit, app.queue)
    asked = len(app.fetcher.asked)

    stale = [
        app.bokit.work(read_message(body)).stale,
        app.bokit.work(RunMessage(run_id=RunId("run_none"), tenant=DEFAULT_TENANT, source_ids=(source.id,))).stale,
        app.bokit.work(replace(read_message(body), tenant="stranger")).stale,
    ]

    assert (stale, len(app.fetcher.asked)) == ([True, True, True], asked)


def test_a_table_that_cannot_be_reached_lets_the_message_come_again():
    """What was reported stays reported; the error reaches the queue."""
    app, _ = furnish(3, shard_size=2)
    app.bokit.queued_runs.trigger(ALL)
    first, second = app.queue.bodies
    app.bokit.work(read_message(first))
    store = Failing(app.store, "save_schedules", at=1)
    with pytest.raises(StoreUnreachableError):
        app.assemble(store).work(read_message(second))

    assert only_run(app.bokit).status is RunStatus.RUNNING
    app.bokit.work(read_message(second))
    assert (only_run(app.bokit).status, len(app.fetcher.asked)) == (RunStatus.SUCCEEDED, 4)


class Refused:
    """A store that refuses a method some times, as a busy table does."""

    def __init__(self, inner: Any, name: str, times: int) -> None:
        self._inner, self._name, self.left = inner, name, times

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        def refuse(*args: Any, **given: Any) -> Any:
            self.left -= 1
            if self.left >= 0:
                raise StoreConflictError("the table is busy; try again", code="store-busy")
            return method(*args, **given)

        return refuse if name == self._name else method


@pytest.mark.parametrize("name", ["report_sources", "save_schedules"])
def test_one_refused_report_is_written_again_at_once(name, no_pause):
    """No source is synced again, and no message waits for its visibility timeout."""
    app, _ = furnish(12)
    app.bokit.queued_runs.trigger(ALL)

    report = app.assemble(Refused(app.store, name, 1)).work(read_message(app.queue.bodies.pop()))

    assert (report.sources, report.left, app.queue.bodies) == (12, 0, [])
    assert (only_run(app.bokit).counts["created"], len(app.fetcher.asked)) == (12, 12)


@pytest.mark.parametrize("name", ["report_sources", "save_schedules"])
def test_reports_that_are_refused_for_long_come_again_in_seconds(name, no_pause):
    """Their sources are sent again, and the run counts each once."""
    app, sources = furnish(12)
    app.bokit.queued_runs.trigger(ALL)

    report = app.assemble(Refused(app.store, name, 99)).work(read_message(app.queue.bodies.pop()))
    assert (report.sources, report.left, app.queue.delays) == (0, 12, [0, 15])
    work_off(app.bokit, app.queue)

    run = only_run(app.bokit)
    assert (run.status, [r.source_id for r in run.sources]) == (RunStatus.SUCCEEDED, [s.id for s in sources])


@pytest.fixture
def no_pause(monkeypatch):
    """Write again without a pause."""
    monkeypatch.setattr("bokit.engine.runs.ended.REPORT_PAUSE_SECONDS", 0.0)


def test_a_message_of_a_former_release_is_worked():
    """It does not name its shard, and its sources may be of several."""
    app, sources = furnish(12, shard_size=10)
    app.bokit.queued_runs.trigger(ALL)
    run_id, ids = only_run(app.bokit).run_id, [s.id for s in sources[5:]]
    app.queue.bodies[:] = [json.dumps({"open_run": run_id, "tenant": "default", "source_ids": ids}), app.queue.bodies[0]]

    work_off(app.bokit, app.queue)

    assert (only_run(app.bokit).status, only_run(app.bokit).counts["created"]) == (RunStatus.SUCCEEDED, 12)


def test_a_message_costs_little():
    """Twelve sources that say nothing new: the run, heads and options are read, and one write each has lines and reports."""
    app, _ = furnish(12)
    app.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, everything=True))
    app.bokit.queued_runs.trigger(ALL)
    store = CallCounter(app.store)

    app.assemble(store).work(read_message(app.queue.bodies.pop()))

    assert store.calls == [
        "find_open_run",
        "load_heads",
        "load_options",
        "save_schedules",
        "report_sources",
        "load_options",
        "close_run",
    ]


# ── the end of what nobody ended ──


def test_the_tick_ends_a_run_that_is_overdue():
    """What no worker came to is reported as failed 75 minutes after its time; a message that comes later does nothing."""
    app, sources = furnish(12, shard_size=10)
    app.bokit.queued_runs.trigger(ALL, delay_seconds=600)
    app.bokit.work(read_message(app.queue.bodies.pop(0)))
    late = app.queue.bodies.pop(0)
    app.clock.move(minutes=84, seconds=57)
    assert app.bokit.tick().closed == 0

    app.clock.move(seconds=3)
    report = app.bokit.tick()

    run = only_run(app.bokit)
    assert (report.closed, report.as_dict()["failed"], run.status, run.finished_at) == (
        1,
        False,
        RunStatus.PARTIAL,
        app.clock(),
    )
    failed = [(r.source_id, r.name, r.error["code"]) for r in run.sources if r.error]
    assert failed == [(s.id, s.name, "run-overdue") for s in sources[10:]]
    assert app.bokit.work(read_message(late)).stale
    assert app.bokit.tick().closed == 0


def test_two_ticks_end_an_overdue_run_once():
    """Eight side by side: one end, one report a source."""
    app, _ = furnish(3)
    app.bokit.queued_runs.trigger(ALL)
    app.clock.move(hours=2)
    runs = app.store.load_due(app.clock()).runs
    together = threading.Barrier(8)

    def close() -> None:
        together.wait(10)
        app.bokit.queued_runs.close_overdue(runs)

    threads = [threading.Thread(target=close) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    run = only_run(app.bokit)
    assert (run.status, len(run.sources), app.store.load_due(app.clock()).runs) == (RunStatus.FAILED, 3, ())


def test_a_part_of_the_tick_that_fails_keeps_the_others_from_nothing():
    """An overdue run that cannot be ended: sources are sent all the same, the report says so, and check() raises."""
    app, sources = furnish(2)
    app.bokit.queued_runs.trigger(ALL)
    app.queue.bodies.clear()
    app.clock.move(hours=2)
    bokit = app.assemble(Failing(app.store, "report_sources", at=1))

    report = bokit.tick()

    assert (report.sources, report.closed, report.as_dict()["failed"]) == (2, 0, True)
    with pytest.raises(StoreUnreachableError):
        report.check()
    assert bokit.tick().closed == 1
    assert [s.id for s in sources] == list(read_message(app.queue.bodies[0]).source_ids)


# ── deaths ──


def app_with_feeds() -> SimulatedApp:
    """Return a simulated app with three sources, each with a stay."""
    app = SimulatedApp(concurrency=1)
    app.save_tenant()
    for feed in FEEDS:
        app.add_source(feed)
        app.world.book(feed, date(2026, 12, 1), date(2026, 12, 5))
    return app


def describe(app: SimulatedApp) -> dict[str, Any]:
    """Return the end state, the runs' statuses and the sources that each reported."""
    runs = [(str(r.trigger), str(r.status), [r.source_id for r in r.sources]) for r in runs_of(app.bokit)]
    waiting = app.store.load_due(app.clock() + timedelta(days=1)).runs
    return {**app.describe(), "runs": runs, "open": len(waiting)}


def live_trigger(die_at: int | None = None, *, after: bool = False) -> tuple[dict, Calls]:
    """Trigger under a key, once more where the process died, and work off what was sent."""
    app = app_with_feeds()
    calls = Calls(die_at=die_at, die_after=after)
    hand = app.open(store=calls.watch_part(app.store), queue=calls.watch_part(app.queue))
    try:
        hand.queued_runs.trigger(ALL, key="k", request_hash="h")
    except Died:
        app.bokit.queued_runs.trigger(ALL, key="k", request_hash="h")
    work_off(app.bokit, app.queue)
    return describe(app), calls


def live_work_in_haste(die_at: int | None = None, *, after: bool = False) -> tuple[dict, Calls]:
    """As below, where there is time for two of three sources."""
    return live_work(die_at, after=after, time_for=2)


def live_work(die_at: int | None = None, *, after: bool = False, time_for: int = 3) -> tuple[dict, Calls]:
    """Trigger, work the message off, and deliver it once more where the process died over it."""
    app = app_with_feeds()
    app.bokit.queued_runs.trigger(ALL)
    calls = Calls(die_at=die_at, die_after=after)
    parts = {"store": calls.watch_part(app.store), "queue": calls.watch_part(app.queue)}
    hand = app.open(**parts, alerts=calls.watch_part(app.alerts))
    body = app.queue.bodies.pop(0)
    try:
        hand.work(read_message(body), seconds_left=lambda: 900.0 if len(app.fetcher.asked) < time_for else 1.0)
    except Died:
        app.move(minutes=12)
        app.bokit.work(read_message(body))
    work_off(app.bokit, app.queue)
    return describe(app), calls


@pytest.mark.slow
@pytest.mark.parametrize("live", [live_trigger, live_work, live_work_in_haste])
def test_a_death_anywhere_leaves_one_run(live, record_property):
    """Before and after each call to table and queue, then again: the same records, logs and heads, each source reported once."""
    expected, calls = live()
    points = [(n, after) for n in range(1, len(calls.names) + 1) for after in (False, True)]

    for n, after in points:
        found, died = live(n, after=after)
        assert died.deaths == 1
        assert found == expected, (n, after, calls.names)
    record_property("points", len(points))
    assert expected["runs"] == [("manual", "succeeded", sorted(f"src_{f.replace('/', '_')}" for f in FEEDS))]
    assert (expected["open"], len(points) >= 10) == (0, True)
