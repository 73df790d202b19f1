"""Taken nights for one's own website: all that any calendar shows as taken, as of the last time that its sources were read."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from bokit.core.model.catalog import DEFAULT_TENANT, UnitId
from bokit.core.occupancy.out_calendar import CalendarVariant, OutCalendar
from bokit.values import replace
from simulator.model import SimulatorError
from tests.support.apartment import AIRBNB, BOOKING, DAY, VRBO, Flat
from tests.support.rows_app import CallCounter

CONSUMERS = (None, "airbnb", "booking_com", "vrbo")


class Website(Flat):
    """A flat with a website."""

    def document(self, calendar: OutCalendar | None = None) -> dict[str, Any]:
        """Return what the website's visitors read under a calendar's path."""
        found = self.bokit.feeds.serve_taken(self.bokit.calendars.token_of(calendar or self.calendar()))
        assert found is not None
        return dict(found[1])

    def taken(self, calendar: OutCalendar | None = None) -> list[tuple[int, int]]:
        """Return the taken nights, as days from today."""
        return [
            ((date.fromisoformat(r["from"]) - self.today).days, (date.fromisoformat(r["to"]) - self.today).days)
            for r in self.document(calendar)["taken"]
        ]

    def nights_shown(self, calendar: OutCalendar) -> set[date]:
        """Return the nights that a calendar's events close."""
        events = Calendar.from_ical(self.body(calendar)).events
        spans: list[tuple[date, date]] = [(event["DTSTART"].dt, event["DTEND"].dt) for event in events]  # type: ignore[misc]
        return {first + DAY * n for first, end in spans for n in range((end - first).days)}

    def nights_taken(self, calendar: OutCalendar) -> set[date]:
        """Return the nights that the website shows as taken."""
        ranges = [(date.fromisoformat(r["from"]), date.fromisoformat(r["to"])) for r in self.document(calendar)["taken"]]
        assert all(end < first for (_, end), (first, _) in pairwise(ranges)), "merged, and in order"
        return {first + DAY * n for first, end in ranges for n in range((end - first).days)}


@pytest.fixture
def home() -> Website:
    """A flat on two platforms with a guest on each."""
    return open_website(AIRBNB, VRBO)


def open_website(*feeds: str) -> Website:
    made = Website()
    for feed in feeds:
        made.add_feed(feed)
    made.sync()
    made.book(feeds[0], 20, 24)
    made.book(feeds[-1], 30, 33)
    made.sync()
    return made


def test_every_night_that_is_taken_is_shown_by_anybody(home):
    """The consumer's own guests, too, and nights that touch as one range; no guest, no text, nothing of a platform."""
    home.make(33, 35, guest_name="Ann")
    document = home.document(home.calendar("airbnb"))

    assert set(document) == {"unit", "as_of", "taken"}
    assert document["unit"] == "Flat"
    assert document["taken"] == [{"from": home.day(20), "to": home.day(24)}, {"from": home.day(30), "to": home.day(35)}]
    assert home.taken(home.calendar("airbnb")) == home.taken(home.calendar("vrbo")) == home.taken() == [(20, 24), (30, 35)]


def test_what_fades_and_what_is_held_is_taken(home):
    """Airbnb's guest cancels and VRBO still repeats it; an empty feed frees nothing."""
    home.page(home.calendar("vrbo"))
    first = home.make(40, 44)
    home.sync()
    home.page(home.calendar("vrbo"))
    home.world.block(VRBO, home.today + 40 * DAY, home.today + 44 * DAY)
    home.sync()
    home.bokit.bookings.edit(DEFAULT_TENANT, first["id"], {"status": "cancelled"}, by="user:rosa")
    home.sync()
    assert (40, 44) not in home.events()
    assert (40, 44) in home.taken()

    home.world.fault("airbnb/r", "empty-calendar", hours=30)
    home.sync()
    assert (20, 24) in home.taken()


def test_a_window_of_a_platforms_own_is_free(home):
    """Nights beyond a platform's horizon are closed there, and free on one's own website, as in every calendar."""
    home.world.set_options(AIRBNB, open_days=300)
    home.sync()

    assert any(r.remote.get("kind") == "window" for r in home.records())
    assert home.taken() == [(20, 24), (30, 33)]


def test_a_linked_units_nights_are_taken(home):
    """Who books a room takes the villa's nights."""
    villa = home.add_unit("Villa", parts=[home.flat])

    assert home.taken(home.calendar(unit=villa)) == [(20, 24), (30, 33)]


def test_a_path_that_would_show_more_has_no_taken_nights(home):
    """One whose calendar names guests, and one for who cleans: no document, and no address; others have both."""
    shows = {
        "occupied": home.calendar(),
        "bookings": home.calendar(variant=CalendarVariant.BOOKINGS),
        "arrivals": home.calendar(variant=CalendarVariant.ARRIVALS),
        "departures": home.calendar(variant=CalendarVariant.DEPARTURES),
    }
    hides = {"guests": home.calendar(details=True), "turnovers": home.calendar(variant=CalendarVariant.TURNOVERS)}
    for name, calendar in (shows | hides).items():
        url = home.bokit.calendars.describe(calendar, with_url=True)["availability_url"]
        found = home.bokit.feeds.serve_taken(home.bokit.calendars.token_of(calendar))
        assert (name, url is None, found is None) == (name, name in hides, name in hides)
        if name in shows:
            assert url == f"https://api.example/feeds/{home.bokit.calendars.token_of(calendar)}.json"
            assert home.taken(calendar) == [(20, 24), (30, 33)]

    home.bokit.catalog.options.set(DEFAULT_TENANT, "export.anonymous", False)
    assert home.bokit.feeds.serve_taken(home.bokit.calendars.token_of(shows["occupied"])) is None


def test_a_path_ends_for_the_website_when_it_ends_for_platforms(home):
    """Rotated: the former one for two days more; removed: at once. Invented ones are unknown."""
    calendar = home.calendar()
    former = home.bokit.calendars.token_of(calendar)
    rotated = home.bokit.calendars.rotate(DEFAULT_TENANT, calendar.id)
    token = home.bokit.calendars.token_of(rotated)
    serve = home.bokit.feeds.serve_taken
    assert (serve(former) is None, serve(token) is None) == (False, False)
    home.sync(hours=49)
    assert (serve(former) is None, serve(token) is None) == (True, False)
    home.bokit.calendars.remove(DEFAULT_TENANT, rotated.id)
    assert [serve(text) for text in (token, "", "A" * 43, "ü" * 5000)] == [None] * 4


def test_it_is_as_of_the_oldest_calendar(home):
    """A source that fails makes all of it old: what it sold since is not known. Without sources it is as of now."""
    before = datetime.fromisoformat(home.document()["as_of"])
    home.sync()
    after = datetime.fromisoformat(home.document()["as_of"])
    assert timedelta(0) < after - before < timedelta(hours=2)
    home.world.fault(VRBO, "503", hours=30)
    for _ in range(10):
        home.sync()
    assert datetime.fromisoformat(home.document()["as_of"]) - after < timedelta(hours=1)

    alone = home.add_unit("By hand")
    as_of = datetime.fromisoformat(home.document(home.calendar(unit=alone))["as_of"])
    assert timedelta(0) <= home.clock() - as_of < timedelta(minutes=15)


def test_visitors_cost_one_read_and_are_no_consumers(home):
    """Sources and shards are read once a minute; nothing is written: a visitor's read is not the channel's."""
    calendar, counting = home.calendar("airbnb"), CallCounter(home.store)
    server, token = home.open(counting).feeds, home.bokit.calendars.token_of(calendar)
    for _ in range(50):
        assert server.serve_taken(token) is not None

    assert counting.calls == ["find_published", "load_sources", "load_shards", *["find_published"] * 49]
    assert home.bokit.calendars.describe(calendar, with_url=False)["last_read_at"] is None


def test_a_page_of_a_former_release_is_published_again(home):
    """It has no taken nights yet: the first visitor makes them."""
    calendar = home.calendar()
    page = home.store.find_published(calendar.token_hash)
    home.store.save_published(replace(page, availability={}))

    assert home.taken(calendar) == [(20, 24), (30, 33)]
    assert home.store.find_published(calendar.token_hash).etag == page.etag


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["book", "block", "hand", "cancel", "fault", "read", "wait"]),
        st.sampled_from([AIRBNB, BOOKING, VRBO]),
        st.integers(1, 60),
        st.integers(1, 9),
    ),
    min_size=3,
    max_size=9,
)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate])
@given(STEPS)
def test_no_night_is_free_that_a_calendar_shows_as_taken(steps):
    """Whatever is booked, closed, cancelled, repeated, refused or read: after each step, for each consumer."""
    home = open_website(AIRBNB, BOOKING, VRBO)
    calendars: dict[Any, OutCalendar] = {consumer: home.calendar(consumer) for consumer in CONSUMERS}
    stays: list[Any] = []
    unit: UnitId = home.flat
    for action, feed, first, length in steps:
        if action == "book":
            with suppress(SimulatorError):  # the platform sold these nights already
                stays.append(home.book(feed, first, first + length))
        elif action == "block":
            with suppress(SimulatorError):
                home.world.block(feed, home.today + first * DAY, home.today + (first + length) * DAY)
        elif action == "hand":
            home.make(first, first + length, unit, kind="block")
        elif action == "cancel" and stays:
            home.world.cancel(stays.pop())
        elif action == "fault":
            home.world.fault(feed, ["empty-calendar", "half", "503"][length % 3], hours=length)
        elif action == "read":
            home.page(calendars[feed.partition("/")[0]])
        home.sync(hours=length if action == "wait" else 1)
        shown = {consumer: home.nights_shown(calendar) for consumer, calendar in calendars.items()}
        for consumer, calendar in calendars.items():
            taken = home.nights_taken(calendar)
            for other, nights in shown.items():
                assert nights <= taken, (action, feed, consumer, other, sorted(nights - taken))
