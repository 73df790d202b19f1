"""The process dies before and after every call to the table, the queue, the alerts and the feeds: the next makes it good."""

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
from tests.emulator import empty_table, make_dynamo_store, needs_emulator
from tests.engine.villa import Calls, Died, Villa

FEED = "airbnb/garden"
ATTEMPTS = (0, 16, 16)
"""Minutes between the ticks of a step: an orphan claim has expired by the next."""
FEWEST_POINTS = 250


@pytest.fixture(scope="module")
def table(emulator: str, aws: None) -> DynamoStore:
    return make_dynamo_store(emulator)


def begin(villa: Villa) -> None:
    for start in (date(2026, 12, 1), date(2026, 12, 10), date(2026, 12, 20)):
        villa.world.book(FEED, start, start.replace(day=start.day + 4), guest="Ann Example")


def move_book_and_cancel(villa: Villa) -> None:
    villa.world.move("stay-1", date(2026, 12, 3))
    villa.world.book(FEED, date(2027, 1, 5), date(2027, 1, 9), guest="Bob Example")
    villa.world.cancel("stay-2")


def person_edits(villa: Villa) -> None:
    record = next(
        r for r in villa.store.load_records(DEFAULT_TENANT, BOOKINGS, villa_scope(villa)) if "2026-12-20" in r.remote.values()
    )
    villa.bokit.records.edit(DEFAULT_TENANT, BOOKINGS, record.id, {"notes": "late"}, by="user:rosa")


def villa_scope(villa: Villa) -> Any:
    return villa.store.load_sources(DEFAULT_TENANT)[0].scope


def answer_html(villa: Villa) -> None:
    villa.world.fault(FEED, "html")


def answer_500(villa: Villa) -> None:
    villa.world.clear(FEED)
    villa.world.fault(FEED, "500")


def be_well(villa: Villa) -> None:
    villa.world.clear(FEED)


def let_ripen(villa: Villa) -> None:
    villa.move(hours=25)


def do_nothing(villa: Villa) -> None: ...


LIFE: tuple[tuple[Callable[[Villa], None], Callable[[Villa], None]], ...] = (
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


def play_step(villa: Villa, step: int, *, again: bool) -> None:
    """Live one step; where the process dies, a new one takes up its work: the message comes *again*, or is lost."""
    villa.move(minutes=60 - sum(ATTEMPTS))
    happen, act = LIFE[step]
    happen(villa)
    outlive(villa, lambda: act(villa))
    for minutes in ATTEMPTS:
        villa.move(minutes=minutes)
        outlive(villa, villa.bokit.tick)
        outlive(villa, villa.deliver_all, tries=2 if again else 1)
        villa.queue.bodies.clear()


def outlive(villa: Villa, act: Callable[[], object], tries: int = 2) -> None:
    """Do it, and where the process dies do it once more, as long as there are *tries*."""
    for _ in range(tries):
        try:
            act()
        except Died:
            villa.calls.dead = False
        else:
            return


def save_moment(villa: Villa) -> Moment:
    return Moment(
        items=load_items(villa), world=copy.deepcopy(villa.world), at=villa.clock.at, notices=dict(villa.alerts.notices)
    )


def load_items(villa: Villa) -> dict[str, dict[str, Any]]:
    """Return the whole table."""
    items = villa.store.client.scan(TableName=villa.store.table_name, ConsistentRead=True)["Items"]
    return {f"{item['pk']['S']}|{item['sk']['S']}": item for item in items}


def restore_moment(villa: Villa, moment: Moment) -> None:
    """Put the table, the world, the clock and the notices back; a new process begins."""
    there = load_items(villa)
    gone = [{"DeleteRequest": {"Key": {k: there[id][k] for k in ("pk", "sk")}}} for id in there.keys() - moment.items.keys()]
    puts = [{"PutRequest": {"Item": item}} for id, item in moment.items.items() if there.get(id) != item]
    for batch in batched([*gone, *puts], 25):
        villa.store.client.batch_write_item(RequestItems={villa.store.table_name: list(batch)})
    villa.world = villa.fetcher.world = copy.deepcopy(moment.world)
    villa.clock.at, villa.alerts.notices = moment.at, dict(moment.notices)
    villa.queue.bodies.clear()
    villa.calls.names.clear()


def batched(items: list[Any], size: int) -> Iterator[list[Any]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]


def live_well(villa: Villa) -> tuple[list[Moment], list[dict[str, Any]], list[list[str]]]:
    """Live the whole life without a death; return each step's beginning, its end state, and its calls."""
    moments, ends, names = [], [], []
    for step in range(len(LIFE)):
        moments.append(save_moment(villa))
        villa.calls.names.clear()
        play_step(villa, step, again=True)
        names.append(list(villa.calls.names))
        ends.append(villa.describe())
    return moments, ends, names


def die_and_live_on(villa: Villa, moments: list[Moment], ends: list[dict[str, Any]], death: Death) -> None:
    """Die once; some steps later everything is as if nothing had happened."""
    restore_moment(villa, moments[death.step])
    villa.calls.die_at, villa.calls.die_after = death.call, death.after
    deaths, found = villa.calls.deaths, None
    for step in range(death.step, len(LIFE)):
        play_step(villa, step, again=death.again)
        if (found := villa.describe()) == ends[step]:
            break
    assert villa.calls.deaths == deaths + 1, f"nothing died: {death}"
    assert found == ends[step], death


@pytest.mark.slow
@needs_emulator
def test_a_process_that_dies_at_any_call_is_made_good_by_the_next(table, record_property):
    """Wherever it dies, the end is the same: records, logs, head, hold and notices.

    Before a call, with the message delivered again; after it, with the message lost for good.
    """
    calls = Calls()
    calls.watch_client(table.client)
    villa = Villa(store=empty_table(table), calls=calls, concurrency=1)
    villa.settle_in()
    villa.add_source(FEED)
    moments, ends, names = live_well(villa)
    deaths = [
        Death(step=step, call=call, name=name, after=after, again=not after)
        for step, made in enumerate(names)
        for call, name in enumerate(made, start=1)
        for after in (False, True)
    ]

    for death in deaths:
        die_and_live_on(villa, moments, ends, death)

    record_property("points", dict(Counter(d.name for d in deaths)))
    assert ends[-1]["notices"] == [("source.failing", "http-500"), ("source.held", "unreadable-feed"), ("source.recovered", "")]
    assert {d.name for d in deaths} >= {"MemoryQueue.send", "MemoryAlerts.publish", "WorldFetcher.fetch", "TransactWriteItems"}
    assert len(deaths) >= FEWEST_POINTS
