"""Windows in the whole engine: closures that roll are published and silent, those that a platform is known for are neither."""

from __future__ import annotations

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from tests.support.apartment import AIRBNB, BOOKING, Flat

NIGHTS = "nights/r"


def flat_with(feed: str, **options: object) -> Flat:
    """A flat with guests far ahead, whose calendar at *feed* closes nights by rule, read every six hours."""
    made = Flat()
    made.add_feed(feed)
    made.add_feed(BOOKING)
    made.world.set_options(feed, **options)
    for number in range(3):
        made.book(feed, 100 + 10 * number, 102 + 10 * number)
        made.book(BOOKING, 104 + 10 * number, 106 + 10 * number)
    made.sync()
    return made


def pass_days(home: Flat, days: int) -> None:
    for _ in range(4 * days):
        home.sync(hours=6)


def changes(home: Flat) -> int:
    """Return how many lines the change logs of all bookings have."""
    return len([line for record in home.records() for line in home.bokit.records.list_changes(DEFAULT_TENANT, record.id).items])


@pytest.mark.parametrize("length", [1, 2, 7])
def test_a_notice_is_published_every_day_and_notifies_nobody(length):
    """After its first midnight no booking changes, nobody is notified, and every night of it is closed elsewhere."""
    home = flat_with(NIGHTS, notice_days=length)
    pass_days(home, 2)
    before, news, stays = changes(home), home.notices(), len(home.bokit.bookings.list_bookings(DEFAULT_TENANT, [home.flat]))

    for day in range(3, 12):
        pass_days(home, 1)
        shown = {n for first, end in home.events("booking_com") for n in range(first, end)}
        assert set(range(day, day + length)) <= shown
        assert not [event for event in home.events(NIGHTS) if event[0] < 100]
    assert (changes(home), home.notices()) == (before, news)
    assert len(home.bokit.bookings.list_bookings(DEFAULT_TENANT, [home.flat])) == stays


def test_guests_of_other_channels_in_a_notice_are_no_conflict():
    """A guest of Booking.com arrives every few days in nights that the other calendar closes by its notice."""
    home = flat_with(NIGHTS, notice_days=3)
    for first in range(5, 40, 7):
        home.book(BOOKING, first, first + 4)
    pass_days(home, 40)
    assert home.conflicts(everything=True) == []


@pytest.mark.parametrize(("days", "is_published"), [(2, True), (6, False)])
def test_the_end_of_a_calendar_is_published_until_it_is_known(days, is_published):
    home = flat_with(NIGHTS, open_days=270)
    pass_days(home, days)
    assert any(end > 360 for _, end in home.events("booking_com")) is is_published
    assert not [b for b in home.bokit.bookings.list_bookings(DEFAULT_TENANT, [home.flat]) if b["check_out"] > home.day(320)]


def test_what_a_platform_is_known_for_is_published_to_nobody():
    home = flat_with(AIRBNB, notice_days=1, open_days=270)
    pass_days(home, 3)
    assert [event for event in home.events("booking_com") if event[0] < 90 or event[1] > 150] == []
