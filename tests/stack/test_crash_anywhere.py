"""The process dies before and after every call to the table, the queue, the alerts and the feeds: the next one completes it."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pytest

from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.outlets.protocols import Notice
from bokit.store.dynamo.store import DynamoStore
from simulator.world import World
from tests.support.emulator import empty_table, make_dynamo_store, needs_emulator
from tests.support.simulated_app import Calls, Died, SimulatedApp

FEED = "airbnb/garden"
ATTEMPTS = (0, 16, 16)
"""Minutes between the ticks of a step: an orphan claim has expired by the next."""
FEWEST_POINTS = 250


@pytest.fixture(scope="module")
def table(emulator: str, aws: None) -> DynamoStore:
    return make_dynamo_store(emulator)


def begin(app: SimulatedApp) -> None:
    for start in (date(2026, 12, 1), date(2026, 12, 10), date(2026, 12, 20)):
        app.world.book(FEED, start, start.replace(day=start.day + 4), guest="Ann Example")


def move_book_and_cancel(app: SimulatedApp) -> None:
    app.world.move("stay-1", date(2026, 12, 3))
    app.world.book(FEED, date(2027, 1, 5), date(2027, 1, 9), guest="Bob Example")
    app.world.cancel("stay-2")


def person_edits(app: SimulatedApp) -> None:
    record = next(
        r for r in app.store.load_records(DEFAULT_TENANT, BOOKINGS, villa_scope(app)) if "2026-12-20" in r.remote.values()
    )
    app.bokit.records.edit(DEFAULT_TENANT, BOOKINGS, record.id, {"notes": "late"}, by="user:rosa")


def villa_scope(app: SimulatedApp) -> Any:
    return app.store.load_sources(DEFAULT_TENANT)[0].scope


def answer_html(app: SimulatedApp) -> None:
    app.world.fault(FEED, "html")


def answer_500(app: SimulatedApp) -> None:
    app.world.clear(FEED)
    app.world.fault(FEED, "500")


def be_well(app: SimulatedApp) -> None:
    app.world.clear(FEED)


def let_ripen(app: SimulatedApp) -> None:
    app.move(hours=25)


def do_nothing(app: SimulatedApp) -> None: ...


LIFE: tuple[tuple[Callable[[SimulatedApp], None], Callable[[SimulatedApp], None]], ...] = (
    (begin, do_nothing),
    (move_book_and_cancel, person_edits),
    (answer_html, do_nothing),
    (answer_500, do_nothing),
    (be_well, do_nothing),
    (let_ripen, do_nothing),
    (do_nothing, do_nothing),
)
"""What happens in the world, and what a person does then, step by step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """All there is between two steps of the life, so that it can be lived from here on again and again."""

    items: dict[str, dict[str, Any]]
    world: World
    at: datetime
    notices: dict[str, Notice]


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """Where the process dies, and whether its message comes again."""

    step: int
    call: int
    name: str
    after: bool
    again: bool


def play_step(app: SimulatedApp, step: int, *, again: bool) -> None:
    """Do one step; where the process dies, a new one continues: the message is delivered *again*, or is lost."""
    app.move(minutes=60 - sum(ATTEMPTS))
    happen, act = LIFE[step]
    happen(app)
    outlive(app, lambda: act(app))
    for minutes in ATTEMPTS:
        app.move(minutes=minutes)
        outlive(app, app.bokit.tick)
        outlive(app, app.deliver_all, tries=2 if again else 1)
        app.queue.bodies.clear()


def outlive(app: SimulatedApp, act: Callable[[], object], tries: int = 2) -> None:
    """Do it, and where the process dies do it once more, as long as there are *tries*."""
    for _ in range(tries):
        try:
            act()
        except Died:
            app.calls.dead = False
        else:
            return


def save_moment(app: SimulatedApp) -> Moment:
    return Moment(items=load_items(app), world=copy.deepcopy(app.world), at=app.clock.at, notices=dict(app.alerts.notices))


def load_items(app: SimulatedApp) -> dict[str, dict[str, Any]]:
    """Return the whole table."""
    items = app.store.client.scan(TableName=app.store.table_name, ConsistentRead=True)["Items"]
    return {f"{item['pk']['S']}|{item['sk']['S']}": item for item in items}


def restore_moment(app: SimulatedApp, moment: Moment) -> None:
    """Put the table, the world, the clock and the notices back; a new process begins."""
    there = load_items(app)
    gone = [{"DeleteRequest": {"Key": {k: there[key][k] for k in ("pk", "sk")}}} for key in there.keys() - moment.items.keys()]
    puts = [{"PutRequest": {"Item": item}} for key, item in moment.items.items() if there.get(key) != item]
    for batch in batched([*gone, *puts], 25):
        app.store.client.batch_write_item(RequestItems={app.store.table_name: list(batch)})
    app.world = app.fetcher.world = copy.deepcopy(moment.world)
    app.clock.at, app.alerts.notices = moment.at, dict(moment.notices)
    app.queue.bodies.clear()
    app.calls.names.clear()


def batched(items: list[Any], size: int) -> Iterator[list[Any]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]


def live_well(app: SimulatedApp) -> tuple[list[Moment], list[dict[str, Any]], list[list[str]]]:
    """Live the whole life without a death; return each step's beginning, its end state, and its calls."""
    moments, ends, names = [], [], []
    for step in range(len(LIFE)):
        moments.append(save_moment(app))
        app.calls.names.clear()
        play_step(app, step, again=True)
        names.append(list(app.calls.names))
        ends.append(app.describe())
    return moments, ends, names


def die_and_live_on(app: SimulatedApp, moments: list[Moment], ends: list[dict[str, Any]], death: Death) -> None:
    """Die once; some steps later everything is as if nothing had happened."""
    restore_moment(app, moments[death.step])
    app.calls.die_at, app.calls.die_after = death.call, death.after
    deaths, found = app.calls.deaths, None
    for step in range(death.step, len(LIFE)):
        play_step(app, step, again=death.again)
        if (found := app.describe()) == ends[step]:
            break
    assert app.calls.deaths == deaths + 1, f"nothing died: {death}"
    assert found == ends[step], death


@pytest.mark.slow
@needs_emulator
def test_a_process_that_dies_at_any_call_is_made_good_by_the_next(table, record_property):
    """Wherever it dies, the end is the same: records, logs, head, hold and notices.

    Before a call, with the message delivered again; after it, with the message lost for good.
    """
    calls = Calls()
    calls.watch_client(table.client)
    app = SimulatedApp(store=empty_table(table), calls=calls, concurrency=1)
    app.save_tenant()
    app.add_source(FEED)
    moments, ends, names = live_well(app)
    deaths = [
        Death(step=step, call=call, name=name, after=after, again=not after)
        for step, made in enumerate(names)
        for call, name in enumerate(made, start=1)
        for after in (False, True)
    ]

    for death in deaths:
        die_and_live_on(app, moments, ends, death)

    record_property("points", dict(Counter(d.name for d in deaths)))
    assert ends[-1]["notices"] == [("source.failing", "http-500"), ("source.held", "unreadable-feed"), ("source.recovered", "")]
    assert {d.name for d in deaths} >= {"MemoryQueue.send", "MemoryAlerts.publish", "WorldFetcher.fetch", "TransactWriteItems"}
    assert len(deaths) >= FEWEST_POINTS
