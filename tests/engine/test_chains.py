"""No chain of messages is longer than twelve, whatever happens; and what is left then is finished nevertheless."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.records import RunId
from bokit.core.model.runs import Run, RunStatus, Trigger
from bokit.engine.live.dispatch import read_turn
from bokit.engine.live.limits import MAX_TURN_HOPS
from bokit.engine.runs.limits import MAX_CHAIN_MESSAGES, MAX_RECEIVES, MAX_RUN_AGE, OVERDUE_AFTER
from bokit.engine.runs.manual import SyncRequest
from bokit.engine.runs.messages import RunMessage, read_message
from bokit.errors import InputError, LaterError, StoreConflictError
from bokit.store.limits import PROGRESS_TTL
from bokit.values import replace
from tests.support.lineage import LineageQueue
from tests.support.queued_work import ROW
from tests.support.rows_app import START, TestApp
from tests.support.sql_app import CLIENTS, SqlApp, SqliteFile, shrink_tables
from tests.support.webhook_app import WebhookApp

ALL = SyncRequest(tenant=DEFAULT_TENANT, trigger=Trigger.MANUAL, everything=True)
HIDDEN = timedelta(minutes=12)
SECONDS = 110
"""Of a worker: each question of its takes one."""
ROWS = 2100
"""Of a table that takes more than two chains of workers."""


def follow(app: Any) -> LineageQueue:
    """Have the app send to a queue that knows the chains."""
    app.queue = queue = LineageQueue(app.clock)
    app.bokit = app.assemble(app.store)
    return queue


def begin(app: Any, how: str) -> None:
    """Have all sources synced."""
    if how == "trigger":
        app.bokit.queued_runs.trigger(ALL)
    elif how == "monitor":
        app.bokit.monitors.start(DEFAULT_TENANT, interval=3600, max_runs=1, by="test")


def asked_runs(app: Any) -> list[Run]:
    return [r for r in app.bokit.status.load_history(DEFAULT_TENANT).items if r.trigger is not Trigger.SCHEDULE]


def live(app: Any, minutes: int, work: Callable[[str], object]) -> None:
    """Let minutes pass, each with a tick and the messages that are ready."""
    for _ in range(minutes):
        app.bokit.tick()
        for _ in range(4):
            app.queue.work_off(work)
            app.clock.move(seconds=15)


# ── a busy table ──


def refuse_records(app: TestApp, until: timedelta) -> None:
    """Have the table refuse every record for a while."""
    apply = app.store.apply_records

    def busy(*given: Any, **named: Any) -> Any:
        if app.clock() - START < until:
            raise StoreConflictError("the table is busy; try again", code="store-busy")
        return apply(*given, **named)

    app.store.apply_records = busy


@pytest.mark.parametrize("how", ["trigger", "monitor"])
def test_a_busy_table_is_tried_again_by_chains_of_twelve(how):
    """As long as it is busy; when it is not any more, the run ends well."""
    app = TestApp(queue=True)
    queue = follow(app)
    app.store.save_option(DEFAULT_TENANT, "sync.enabled", how == "monitor")
    sources = [app.add_source(name, ROW) for name in ("a", "b")]
    refuse_records(app, timedelta(minutes=30))
    begin(app, how)

    live(app, 33, lambda body: app.bokit.work(read_message(body)))

    (run,) = asked_runs(app)
    assert queue.deepest == MAX_CHAIN_MESSAGES
    assert len(queue.worked) > 5 * MAX_CHAIN_MESSAGES
    assert (run.status, [r.source_id for r in run.sources]) == (RunStatus.SUCCEEDED, [s.id for s in sources])
    assert queue.waiting == []


def test_without_headway_a_run_ends_as_overdue():
    """However often its messages were worked."""
    app = TestApp(queue=True)
    queue = follow(app)
    app.store.save_option(DEFAULT_TENANT, "sync.enabled", False)
    app.add_source("a", ROW)
    refuse_records(app, timedelta(days=1))
    begin(app, "trigger")

    live(app, 77, lambda body: app.bokit.work(read_message(body)))

    (run,) = asked_runs(app)
    assert (run.status, [r.error["code"] for r in run.sources if r.error]) == (RunStatus.FAILED, ["run-overdue"])
    assert run.finished_at is not None
    assert OVERDUE_AFTER <= run.finished_at - START <= OVERDUE_AFTER + timedelta(minutes=1)
    assert queue.deepest == MAX_CHAIN_MESSAGES


def test_a_run_outlasts_all_deliveries_of_a_message():
    """Before its message is a dead letter it is not overdue; and it is not put off for longer than its progress is kept."""
    assert MAX_RECEIVES * HIDDEN < OVERDUE_AFTER
    assert MAX_RUN_AGE < PROGRESS_TTL


# ── sources that take their time ──


@pytest.mark.parametrize("how", ["trigger", "monitor"])
def test_forty_slow_sources_are_synced_by_chains_of_twelve(how):
    """Each worker has the time for one: of one shard, in forty messages, over hours, and the run is never overdue."""
    app = TestApp(queue=True)
    queue = follow(app)
    app.store.save_option(DEFAULT_TENANT, "sync.enabled", how == "monitor")
    sources = [app.add_source(f"n{n:02d}", ROW) for n in range(40)]
    begin(app, how)

    def work(body: str) -> None:
        asked = len(app.fetcher.asked)
        app.bokit.work(read_message(body), seconds_left=lambda: 900.0 if len(app.fetcher.asked) == asked else 1.0)
        app.clock.move(minutes=5)

    app.bokit.batch.concurrency = 1
    live(app, 8, work)

    (run,) = asked_runs(app)
    assert (run.status, len(run.sources)) == (RunStatus.SUCCEEDED, 40)
    assert [r.source_id for r in run.sources] == [s.id for s in sources]
    assert run.finished_at is not None
    assert run.finished_at - START > 2 * OVERDUE_AFTER
    assert queue.deepest == MAX_CHAIN_MESSAGES


@pytest.mark.parametrize("how", ["schedule", "trigger", "monitor"])
def test_a_table_that_takes_hours_is_read_by_chains_of_twelve(how, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Worker after worker reads a part, for nine minutes each; a run through the queue is put off as long as they come on."""
    shrink_tables(monkeypatch)
    file = SqliteFile(tmp_path)
    file.run("CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT)")
    file.run("INSERT INTO clients VALUES (?, ?)", rows=[(n, f"Client {n}") for n in range(ROWS)])
    app = SqlApp(file.url, queue=True)
    queue = follow(app)
    app.store.save_option(DEFAULT_TENANT, "sync.enabled", how != "trigger")
    source = app.add_source(CLIENTS)
    begin(app, how)

    def work(body: str) -> None:
        left = iter(range(SECONDS, 0, -1))
        app.bokit.work(read_message(body), seconds_left=lambda: float(next(left, 0)))
        app.clock.move(minutes=9)

    live(app, 6, work)

    assert (len(app.records()), queue.deepest) == (ROWS, MAX_CHAIN_MESSAGES)
    assert len(queue.worked) > 1.5 * MAX_CHAIN_MESSAGES
    assert app.schedule(source).succeeded_at is not None
    if how != "schedule":
        (run,) = asked_runs(app)
        assert (run.status, run.sources[0].error) == (RunStatus.SUCCEEDED, None)
        # the schedule reads parts of the same pass; whose part is the last reports it all
        assert sum(r.counts.get("created", 0) for r in app.bokit.status.load_history(DEFAULT_TENANT).items) == ROWS
        assert run.finished_at is not None
        assert run.finished_at - START > 2 * OVERDUE_AFTER


def test_what_waits_for_the_tick_is_sent_once_and_alone():
    """Of three shards one has a chain too long: the others' messages are not sent again; where the queue refuses, it waits on."""
    app = TestApp(queue=True, shard_size=1)
    queue = follow(app)
    sources = [app.add_source(name, ROW) for name in ("a", "b", "c")]
    app.store.save_option(DEFAULT_TENANT, "sync.enabled", False)
    begin(app, "trigger")
    bodies = [body for _, _, body in queue.waiting]
    queue.waiting.clear()
    last = replace(read_message(bodies[1]), hops=MAX_CHAIN_MESSAGES - 1)
    assert app.bokit.work(last, seconds_left=lambda: 1.0).left == 1
    assert queue.waiting == []

    def refuse(*_: object, **__: object) -> None:
        raise LaterError("the queue took nothing", code="queue")

    send, queue.send = queue.send, refuse  # type: ignore[method-assign]
    assert app.bokit.tick().as_dict()["failed"]
    queue.send = send  # type: ignore[method-assign]
    app.bokit.tick()
    app.bokit.tick()

    sent = [read_message(body) for _, _, body in queue.waiting]
    assert [(type(m), m.source_ids, m.hops) for m in sent] == [(RunMessage, (sources[1].id,), 0)]


def test_a_paused_source_that_a_person_named_waits_as_such():
    """It is synced all the same."""
    app = TestApp(queue=True)
    queue = follow(app)
    source = app.add_source("a", ROW)
    head = app.head(source)
    app.store.save_source(replace(head, source=replace(source, enabled=False)), replace(app.schedule(source), due_at=None))
    app.bokit.queued_runs.trigger(replace(ALL, everything=False, source_ids=(source.id,)))
    ((_, _, body),) = queue.waiting
    queue.waiting.clear()
    app.bokit.work(replace(read_message(body), hops=MAX_CHAIN_MESSAGES - 1), seconds_left=lambda: 1.0)

    live(app, 1, lambda sent: app.bokit.work(read_message(sent)))

    (run,) = asked_runs(app)
    assert (run.status, run.counts["created"]) == (RunStatus.SUCCEEDED, 1)


# ── messages ──


@pytest.mark.parametrize("kind", ["batch", "run"])
def test_the_hops_stand_in_the_message(kind):
    """A former release's message has none, and is the first of its chain."""
    app = TestApp(queue=True)
    app.add_source("a", ROW)
    if kind == "batch":
        app.bokit.tick()
    else:
        begin(app, "trigger")
    (body,) = app.queue.bodies
    message = read_message(body)
    last = replace(message, hops=MAX_CHAIN_MESSAGES - 1)

    assert ("hops" in body, message.hops, message.is_last) == (False, 0, False)
    assert read_message(last.to_json()) == last
    assert (last.is_last, replace(message, hops=MAX_CHAIN_MESSAGES - 2).is_last) == (True, False)
    with pytest.raises(InputError):
        read_message(body.replace("{", '{"hops": "many", ', 1))


# ── turns ──


def test_turns_of_a_webhook_end_their_chain_too():
    """A hundred events, the time for one in each turn: chains of nine, and all arrive; an alert's message may follow as tenth."""
    app = WebhookApp()
    app.deliver_queue = queue = LineageQueue(app.clock)  # type: ignore[assignment]
    app.bokit = app.assemble(app.store)
    app.add()
    app.happen(*range(100))
    app.notify()

    def take(body: str) -> None:
        came = len(app.receivers.came)
        app.bokit.deliveries.take_turn(read_turn(body), lambda: 80.0 if len(app.receivers.came) == came else 1.0)

    for _ in range(30):
        app.bokit.dispatcher.send_due()
        queue.work_off(take)
        app.clock.move(minutes=1)

    assert app.names() == [str(n) for n in range(100)]
    assert queue.deepest == MAX_TURN_HOPS + 1
    assert queue.deepest + 1 <= MAX_CHAIN_MESSAGES


def test_an_unknown_run_is_not_put_off():
    """It has ended, or never was."""
    app = TestApp(queue=True)
    queue = follow(app)
    app.add_source("a", ROW)
    begin(app, "trigger")
    ((_, _, body),) = queue.waiting
    message = read_message(body)
    opened = app.store.find_open_run(DEFAULT_TENANT, RunId(message.run_id))
    assert opened is not None
    app.bokit.work(message)

    app.bokit.queued_runs.open_runs.postpone(opened, waiting=message.source_ids, has_headway=False)

    assert app.store.load_due(START + timedelta(days=30)).runs == ()
    assert asked_runs(app)[0].status is RunStatus.SUCCEEDED
