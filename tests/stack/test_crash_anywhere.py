"""A call that kills its process, is refused, delayed or not answered, anywhere in a life: the next one completes it."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.emulator import make_dynamo_store, needs_emulator
from tests.support.faulty_calls import DELAYED, LOST, REFUSED, SOON, FaultyLife, live_all

FEWEST_POINTS = 250
pytestmark = [pytest.mark.slow, needs_emulator]


@pytest.fixture(scope="module")
def life(emulator: str, aws: None) -> FaultyLife:
    """A life on a table of its own."""
    return FaultyLife(make_dynamo_store(emulator))


@pytest.fixture(scope="module")
def quick_life(emulator: str, aws: None) -> FaultyLife:
    """A life in which nothing may wait for a claim or a lease to expire."""
    return FaultyLife(make_dynamo_store(emulator), SOON)


def test_a_process_that_dies_at_any_call_is_made_good_by_the_next(life, record_property):
    """Wherever it dies, the end is the same: records, logs, head, hold and notices.

    Before a call, with the message delivered again; after it, with the message lost for good. ``make reliability`` plays all of
    these deaths; here are the first of each kind of call, and each tenth.
    """
    every = life.deaths()
    firsts = {death.name: at for at, death in reversed(list(enumerate(every)))}
    deaths = [death for at, death in enumerate(every) if at % 10 == 0 or at in firsts.values()]

    damage = live_all(life, deaths)

    record_property("points", dict(Counter(d.name for d in deaths)))
    assert not damage.is_damage, damage.traces[:5]
    assert life.ends[-1]["notices"] == [
        ("source.failing", "http-500"),
        ("source.held", "unreadable-feed"),
        ("source.recovered", ""),
    ]
    assert {d.name for d in deaths} >= {"MemoryQueue.send", "MemoryAlerts.publish", "WorldFetcher.fetch", "TransactWriteItems"}
    assert len(every) >= FEWEST_POINTS


def test_an_answer_that_is_lost_anywhere_costs_nothing(quick_life, record_property):
    """A sample of ``make reliability``: the table does each tenth call, and botocore sends it again; nothing is late."""
    faults = quick_life.faults(LOST)[::10]

    damage = live_all(quick_life, faults)

    record_property("points", dict(Counter(f.name for f in faults)))
    assert not damage.is_damage, damage.traces[:5]
    assert len(faults) >= 10


@pytest.mark.parametrize(("kind", "minutes"), [(REFUSED, 0), (DELAYED, 6), (DELAYED, 16)])
def test_a_table_that_is_busy_or_slow_at_any_call_loses_and_doubles_nothing(life, kind, minutes, record_property):
    """A sample of ``make reliability``: each tenth call refused, or answered late."""
    faults = life.faults(kind, minutes)[minutes % 10 :: 10]

    damage = live_all(life, faults)

    record_property("points", dict(Counter(f.name for f in faults)))
    assert not damage.is_damage, damage.traces[:5]
    assert len(faults) >= 10
