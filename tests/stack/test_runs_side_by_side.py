"""Requests, workers and ticks at once on a real table: one run for one key, one report for one source, one run a round."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.runs import Run, RunStatus, Trigger
from bokit.engine.runs.limits import OVERDUE_AFTER
from bokit.engine.runs.manual import SyncRequest
from bokit.engine.runs.messages import read_message
from bokit.store.dynamo.store import DynamoStore
from bokit.values import replace
from tests.support.emulator import empty_table, needs_emulator
from tests.support.queued_work import ROW, work_off
from tests.support.rows_app import TestApp

pytestmark = needs_emulator
ALL = SyncRequest(tenant=DEFAULT_TENANT, trigger=Trigger.MANUAL, everything=True)


@pytest.fixture
def app(emulated_store: DynamoStore) -> TestApp:
    """An app on the emulator's table, with 25 sources of one record each."""
    app = TestApp(queue=True, store=empty_table(emulated_store))
    for n in range(25):
        app.add_source(f"n{n:02d}", ROW)
    return app


def at_once(tasks: list[Callable[[], object]]) -> list[object]:
    """Do all tasks from the same moment on; return what they gave, and raise what they met."""
    together, results, errors = threading.Barrier(len(tasks)), [], []

    def one(task: Callable[[], object]) -> None:
        together.wait(30)
        try:
            results.append(task())
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]
    return results


def runs_of(app: TestApp, trigger: Trigger) -> list[Run]:
    return [r for r in app.bokit.status.load_history(DEFAULT_TENANT).items if r.trigger is trigger]


def test_one_key_at_once_is_one_run_and_all_its_messages_at_once_count_once(app):
    """Eight requests under one key, then every message that they sent worked by its own thread: 25 reports, one end."""
    ask = [lambda: app.bokit.queued_runs.trigger(ALL, key="k", request_hash="h")] * 8
    answers = at_once(ask)
    assert len({a.body for a in answers}) == 1

    bodies, app.queue.bodies = app.queue.bodies, []
    assert len(bodies) >= 3
    at_once([lambda body=body: app.bokit.work(read_message(body)) for body in bodies[:12]])
    app.queue.bodies += bodies[12:]
    work_off(app.bokit, app.queue)

    (run,) = runs_of(app, Trigger.MANUAL)
    assert (run.status, len(run.sources), app.store.find_open_run(DEFAULT_TENANT, run.run_id)) == (
        RunStatus.SUCCEEDED,
        25,
        None,
    )
    assert {str(r.outcome) for r in run.sources} <= {"changed", "unchanged"}
    assert [len(app.records(s)) for s in app.store.load_sources(DEFAULT_TENANT)] == 25 * [1]


def test_ticks_at_once_begin_a_monitors_run_once_and_end_an_overdue_one_once(app):
    """Eight ticks, twice: two runs of a monitor of two, then no monitor; the run without a worker is ended as failed."""
    app.bokit.queued_runs.trigger(ALL)
    app.queue.bodies.clear()
    app.bokit.monitors.start(DEFAULT_TENANT, interval=60, max_runs=2, by="token:tok_1")

    for _ in range(2):
        at_once([app.bokit.tick] * 8)
        work_off(app.bokit, app.queue)
        app.clock.move(minutes=1)
    app.clock.at += OVERDUE_AFTER
    at_once([app.bokit.tick] * 8)

    assert [(r.status, len(r.sources)) for r in runs_of(app, Trigger.MONITOR)] == 2 * [(RunStatus.SUCCEEDED, 25)]
    assert [(r.status, len(r.sources)) for r in runs_of(app, Trigger.MANUAL)] == [(RunStatus.FAILED, 25)]
    due = app.store.load_due(app.clock() + timedelta(days=1))
    assert (due.monitors, due.runs, app.bokit.monitors.find(DEFAULT_TENANT)) == ((), (), None)


def test_a_dry_runs_answer_comes_back_whole(app):
    """The plan of ten sources, as it was first returned."""
    dry = replace(ALL, dry_run=True, source_ids=tuple(s.id for s in app.store.load_sources(DEFAULT_TENANT)[:10]))
    first = app.bokit.queued_runs.trigger(dry, key="dry", request_hash="h")
    again = app.bokit.queued_runs.trigger(dry, key="dry", request_hash="h")

    assert (again.body, again.repeated, again.status) == (first.body, True, 200)
