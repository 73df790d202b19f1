"""What a slow sync of one source costs: how often it calls the store, and how often it matches entries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from bokit.core.bookings.matching import FeedMatches
from bokit.core.bookings.rules import BookingRules
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.engine.sync.kinds import SourceKind
from bokit.wiring import make_booking_reconciler
from tests.support.apartment import AIRBNB, Flat
from tests.support.rows_app import CallCounter

MAX_CALLS = 13


class RecordingRules(BookingRules):
    """The real rules, and how often they matched a feed."""

    def __init__(self) -> None:
        self.matched = 0

    def match(self, *args: Any) -> FeedMatches:
        self.matched += 1
        return super().match(*args)


@pytest.fixture
def home() -> Flat:
    """A flat on Airbnb, read twice, with one outgoing calendar."""
    made = Flat()
    made.add_feed(AIRBNB)
    made.sync()
    made.book(AIRBNB, 20, 24)
    made.sync()
    made.calendar("vrbo")
    return made


def sync_once(home: Flat) -> tuple[Sequence[str], RecordingRules]:
    """Sync an hour later in a process of its own; return its calls of the store, and its rules."""
    rules, store = RecordingRules(), CallCounter(home.store)
    fetcher = home.calls.watch_part(home.fetcher)
    kind = SourceKind(fetcher=fetcher, rules=rules, collection=BOOKINGS, reconciler=make_booking_reconciler)
    bokit = home.open(store=store, kinds={"ical": kind})
    home.move(hours=1)
    home.bokit.tick()
    for body in home.queue.bodies:
        home.deliver(body, bokit)
    home.queue.bodies.clear()
    return store.calls, rules


def test_a_changed_feed_with_one_outgoing_calendar_is_synced_in_few_calls(home):
    """A new booking: written, published, and everything loaded once."""
    home.book(AIRBNB, 40, 44)

    calls, _ = sync_once(home)

    assert home.events("vrbo") == [(20, 24), (40, 44)]
    assert len(calls) <= MAX_CALLS, calls
    loads = Counter(call for call in calls if call.startswith(("load_", "find_")))
    assert loads.pop("load_records") == 2  # before the plan; then calendars
    assert set(loads.values()) == {1}


def test_a_new_conflict_adds_its_write_and_one_more_look(home):
    """It is found from what was loaded for the calendar; that is loaded once more, since another may have written meanwhile."""
    days = {"check_in": home.day(41), "check_out": home.day(43)}
    home.bokit.bookings.create(DEFAULT_TENANT, home.flat, days | {"guest_name": "Ann"}, by="user:rosa")
    home.book(AIRBNB, 40, 44)

    calls, _ = sync_once(home)

    assert len(home.conflicts()) == 1
    look = ["load_records", "find_published", "load_places", "load_scopes"]
    written = [at for at, call in enumerate(calls) if call == "apply_records"]
    assert len(written) == 2
    assert [*calls[written[1] + 1 :][: len(look)]] == look
    assert len(calls) <= MAX_CALLS + 1 + len(look), calls


def test_a_slow_sync_matches_the_feed_once(home):
    """The guard judges by the same matches as the plan."""
    home.book(AIRBNB, 40, 44)

    _, rules = sync_once(home)

    assert rules.matched == 1


def test_an_unchanged_feed_is_not_matched(home):
    """It is neither read nor planned."""
    calls, rules = sync_once(home)

    assert rules.matched == 0
    assert "load_records" not in calls
