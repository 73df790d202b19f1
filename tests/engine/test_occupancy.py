"""How full a unit is, through syncs: from when on it is covered, and whose lead time is known."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.core.occupancy.night_counts import CountsBy
from bokit.engine.bookings.night_counts import read_period
from bokit.errors import InputError
from bokit.values import replace
from tests.support.door_app import calendar, stay
from tests.support.one_feed_app import OneFeedApp

NOV, DEC = ("2026-11", "2026-12")
WINTER = (date(2026, 11, 1), date(2027, 1, 1))


@pytest.fixture
def app() -> OneFeedApp:
    """A host of one flat in Rome, on 20 November."""
    return OneFeedApp()


def counts(app: OneFeedApp, by: CountsBy = CountsBy.UNIT_MONTH) -> dict[str | None, Any]:
    """Return the counts of November and December, by month."""
    return {doc["month"]: doc for doc in app.bokit.bookings.list_occupancy(DEFAULT_TENANT, [app.unit], WINTER, by)}


def test_a_calendar_covers_its_unit_from_its_first_sync_on(app):
    """Also where it was empty: that nobody had booked was known; what came later was booked later."""
    app.add(calendar())
    app.clock.move(days=2)
    app.sync(calendar(stay("A", 1, 5)))

    found = counts(app)
    assert [(found[m]["not_covered"], found[m]["free"], found[m]["sold"]) for m in (NOV, DEC)] == [(19, 11, 0), (0, 27, 4)]
    assert found[DEC]["lead_time"] == {"known": 1, "unknown": 0, "median": 10.0, "mean": 10.0}
    assert [c["channel"] for c in found[DEC]["channels"]] == ["Feed"]


def test_what_was_there_at_the_first_sync_has_no_known_lead_time(app):
    """Nobody knows when it was booked; it is counted as unknown, and its nights and length count."""
    app.add(calendar(stay("A", 1, 5)))
    app.clock.move(days=3)
    app.sync(calendar(stay("A", 1, 6), stay("B", 8, 10)))

    found = counts(app)[DEC]
    assert found["lead_time"] == {"known": 1, "unknown": 1, "median": 16.0, "mean": 16.0}
    assert (found["sold"], found["length_of_stay"]) == (7, {"stays": 2, "median": 3.5, "mean": 3.5})


def test_a_first_sync_that_was_not_noted_is_when_its_first_booking_was_seen(app):
    """As a former release left it: later bookings have a lead time, and the unit is covered since then."""
    source = app.add(calendar(stay("A", 1, 5)))
    forget_first_sync(app, source)
    app.sync(calendar(stay("A", 1, 5), stay("B", 8, 10)))

    assert app.store.load_head(source).first_synced_at is None
    found = counts(app)
    assert (found[DEC]["lead_time"]["known"], found[DEC]["lead_time"]["unknown"]) == (1, 1)
    assert (found[NOV]["not_covered"], found[NOV]["free"]) == (19, 11)


def forget_first_sync(app, source):
    now = app.clock()
    lease = app.store.acquire_lease(source, holder="run", now=now, until=now)
    app.store.save_head(replace(app.store.load_head(source), first_synced_at=None), lease=lease, at=now)


def test_what_a_removed_calendar_showed_still_counts(app):
    """Its nights are held until they are released, and nobody else has them; its lead times stay known."""
    source = app.add(calendar())
    app.sync(calendar(stay("A", 1, 5)))
    app.bokit.catalog.sources.remove(DEFAULT_TENANT, source.id, by="user:rosa")

    found = counts(app)
    assert (found[DEC]["sold"], [c["channel"] for c in found[DEC]["channels"]]) == (4, ["Removed calendar"])
    assert (found[DEC]["lead_time"]["known"], found[NOV]["free"]) == (1, 11)


def test_a_cancelled_booking_is_free_again(app):
    """Once its calendar left it out for long enough."""
    app.add(calendar(stay("A", 1, 5), stay("B", 8, 10)))
    app.sync(calendar(stay("B", 8, 10)))
    assert counts(app)[DEC]["sold"] == 6

    app.clock.move(days=2)
    app.sync(times=3)
    assert counts(app)[DEC]["sold"] == 2


def test_a_unit_without_a_calendar(app):
    """Nothing is known of it; with a booking by hand, everything since that was entered."""
    assert counts(app, CountsBy.TOTAL)[None]["not_covered"] == 61

    values = {"check_in": "2026-12-01", "check_out": "2026-12-04"}
    app.bokit.bookings.create(DEFAULT_TENANT, app.unit, values, by="user:rosa")
    total = counts(app, CountsBy.TOTAL)[None]
    assert (total["not_covered"], total["sold"], total["free"]) == (19, 3, 39)
    assert total["lead_time"]["median"] == 11.0


def test_a_part_of_a_villa_is_covered_by_its_own_calendar(app):
    """A unit without one by those of the units linked with it."""
    app.add(calendar())
    house = app.bokit.catalog.list_units(DEFAULT_TENANT)[0].property_id
    villa = app.bokit.catalog.add_unit(DEFAULT_TENANT, house, {"name": "Villa", "parts": [app.unit]})
    app.bokit.bookings.create(DEFAULT_TENANT, villa.id, {"check_in": "2026-12-01", "check_out": "2026-12-04"}, by="user:rosa")

    docs = app.bokit.bookings.list_occupancy(DEFAULT_TENANT, [app.unit, villa.id], WINTER, CountsBy.UNIT)
    found = {doc["unit_id"]: (doc["sold"], doc["linked"], doc["free"], doc["not_covered"]) for doc in docs}
    assert found == {app.unit: (0, 3, 39, 19), villa.id: (3, 0, 39, 19)}


def test_the_time_that_is_counted():
    """A year from January 1 of this year, or from the day that is given; a year and a day at most."""
    today = date(2027, 7, 10)

    assert read_period(None, None, today) == (date(2027, 1, 1), date(2028, 1, 1))
    assert read_period("2028-02-29", None, today) == (date(2028, 2, 29), date(2029, 3, 1))
    assert read_period("2026-05-02", "2026-05-03", today) == (date(2026, 5, 2), date(2026, 5, 3))
    for since, until in (("2026-05-02", "2026-05-02"), ("2026-05-02", "2027-05-04"), (None, "2026-12-31")):
        with pytest.raises(InputError, match="1 to 366 days after from"):
            read_period(since, until, today)


def test_the_first_sync_of_a_source_is_noted_once(app):
    """Later ones leave it as it is, and bookings of the first have its time."""
    source = app.add(calendar(stay("A", 1, 5)))
    first = app.store.load_head(source).first_synced_at
    (record,) = app.store.load_records(DEFAULT_TENANT, BOOKINGS, app.unit)

    app.sync(calendar(stay("A", 1, 6)))
    assert (app.store.load_head(source).first_synced_at, record.created_at) == (first, first)
