"""Sources of a shard that were added one by one come to be synced together, each never much sooner than its interval."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from bokit.core.model.due_groups import draw_together
from bokit.core.model.records import SourceId, TenantId
from bokit.core.model.scheduling import SourceSchedule
from bokit.engine.runs.messages import read_message
from bokit.errors import SourceUnavailableError
from tests.support.queued_work import run_queue
from tests.support.rows_app import START, TestApp

MINUTE = timedelta(minutes=1)
QUARTER = 15 * MINUTE


def play(app: TestApp, minutes: int) -> tuple[list[int], dict[SourceId, list[datetime]]]:
    """Tick each minute and work all; return the batches of each minute, and when each source was synced."""
    batches, synced = [], defaultdict(list)
    for _ in range(minutes):
        app.bokit.tick()
        batches.append(len(app.queue.bodies))
        for body in app.queue.bodies:
            for source_id in read_message(body).source_ids:
                synced[source_id].append(app.clock())
        run_queue(app)
        app.clock.move(minutes=1)
    return batches, synced


def test_sources_that_were_added_one_by_one_come_to_be_synced_together():
    """One a minute: a shard of forty begins with a batch a minute, and ends with one an interval."""
    app = TestApp(queue=True)
    for n in range(40):
        app.add_source(f"s{n:02d}", {}, interval=900)
        play(app, 1)

    before, _ = play(app, 15)
    _, synced = play(app, 240)
    after, _ = play(app, 60)

    assert sum(before) > 10
    assert sum(after) == 4
    gaps = [later - earlier for times in synced.values() for earlier, later in pairwise(times)]
    assert min(gaps) >= 13 * MINUTE  # nine tenths of the interval, and half a minute that each is early anyway
    assert max(gaps) <= QUARTER


def test_a_source_of_another_interval_keeps_its_own_pace():
    app = TestApp(queue=True)
    for n in range(5):
        app.add_source(f"q{n}", {}, interval=900)
    play(app, 7)
    slow = app.add_source("slow", {}, interval=3600)
    _, synced = play(app, 600)

    gaps = [later - earlier for earlier, later in pairwise(synced[slow.id])]
    assert set(gaps) == {timedelta(hours=1)}


def test_a_source_that_fails_draws_no_other():
    """Its own times follow its failures; the others keep theirs."""
    app = TestApp(queue=True)
    app.add_source("bad", SourceUnavailableError("it does not answer", code="timeout"), interval=900)
    play(app, 4)
    good = app.add_source("good", {}, interval=900)
    _, synced = play(app, 300)

    gaps = [later - earlier for earlier, later in pairwise(synced[good.id])]
    assert set(gaps) == {QUARTER}


def line(due: datetime | None, *, failures: int = 0, interval: timedelta = QUARTER) -> SourceSchedule:
    return SourceSchedule(tenant=TenantId("default"), due_at=due, interval=interval, failures=failures)


@pytest.mark.parametrize(
    ("others", "earlier"),
    [
        ({"x": START + 12 * MINUTE, "y": START + 12 * MINUTE}, 1.5),  # a larger group: a tenth of the interval
        ({"x": START + 14 * MINUTE, "y": START + 14 * MINUTE}, 1),  # it is near: all of the way
        ({"x": START + 12 * MINUTE}, 0),  # as large, and its first id is later
        ({"a": START + 12 * MINUTE}, 1.5),  # as large, and its first id is earlier
        ({"x": START + 15.3 * MINUTE, "y": START + 15.3 * MINUTE}, 0),  # together already, but for chance
        ({"x": START, "y": START}, 0),  # due already: nobody syncs them
        ({"x": None, "y": None}, 0),
    ],
)
def test_a_batch_is_drawn_to_a_larger_group_of_its_shard(others, earlier):
    ended = {"m": line(START + QUARTER)}

    drawn = draw_together(ended, {source_id: line(due) for source_id, due in others.items()}, START)

    assert drawn["m"].due_at == START + QUARTER - earlier * MINUTE


@pytest.mark.parametrize("minutes", [2, 12])
def test_a_line_that_is_due_before_its_interval_is_over_is_not_moved(minutes):
    """It was put off, or a full pass comes first: earlier still, it would be due at each tick until then."""
    ended = {"m": line(START + minutes * MINUTE)}
    others = {name: line(START + 7 * MINUTE) for name in ("x", "y")}

    assert draw_together(ended, others, START) == ended


def test_lines_that_failed_or_have_no_time_are_not_moved():
    ended = {"bad": line(START + QUARTER, failures=1), "idle": line(None), "other": line(START + QUARTER, interval=MINUTE)}
    others = {name: line(START + 5 * MINUTE) for name in ("a", "b")}

    assert draw_together(ended, others, START) == ended
