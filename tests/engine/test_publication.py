"""Who is shown a night, and who is not: double bookings while they last and after, and linked units."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.occupancy.out_calendar import CalendarVariant
from tests.support.apartment import AIRBNB, BOOKING, DAY, VRBO, Flat

VILLA = "vrbo/villa"


@pytest.fixture
def home() -> Flat:
    """A flat on three platforms, read once, with guests on each far ahead, so that no feed is ever empty."""
    made = Flat()
    for feed in (AIRBNB, BOOKING, VRBO):
        made.add_feed(feed)
    made.sync()
    made.book(VRBO, 90, 92)
    for number in range(3):
        made.book(AIRBNB, 100 + 10 * number, 102 + 10 * number)
        made.book(BOOKING, 104 + 10 * number, 106 + 10 * number)
    made.sync()
    return made


def near(home: Flat, consumer: str) -> list[tuple[int, int]]:
    """Return what a calendar shows of the nights before those guests."""
    return [(first, end) for first, end in home.events(consumer) if first < 90]


def test_nights_that_two_guests_bought_are_closed_everywhere_until_the_last_one_cancels(home):
    """Airbnb sold 20 to 27, Booking.com 25 to 29: each calendar has the other's nights, whole; none opens one too early."""
    first = home.book(AIRBNB, 20, 27)
    home.sync()
    second = home.book(BOOKING, 25, 29)
    home.sync()
    assert [c["certainty"] for c in home.conflicts()] == ["likely"]
    home.sync()
    assert near(home, "airbnb") == [(25, 29)]
    assert near(home, "booking_com") == [(20, 27)]
    assert near(home, "vrbo") == [(20, 27), (25, 29)]

    home.world.cancel(first)  # Airbnb sells 20 to 27 again
    for _ in range(40):
        home.sync()
        assert near(home, "airbnb") == [(25, 29)]
        assert (25, 29) in near(home, "vrbo")
    assert near(home, "vrbo") == [(25, 29)]
    assert near(home, "booking_com") == []
    assert home.conflicts() == []

    home.world.cancel(second)
    for _ in range(27):
        home.sync()
    assert near(home, "airbnb") == near(home, "vrbo") == near(home, "booking_com") == []


SOLD_TWICE = "it repeats another booking, or it was sold twice: its channel had not read the other in a calendar of ours"


def reasons(home: Flat, night: int) -> list[list[str]]:
    """Return why each booking holds a night, and what it is to the others, originals first."""
    (found,) = home.bokit.bookings.explain(DEFAULT_TENANT, [home.flat], home.today + night * DAY)
    return [by["why"] for by in found["by"]]


def read_all(home: Flat) -> None:
    """Let each platform read its calendar."""
    for consumer in ("airbnb", "booking_com", "vrbo"):
        home.page(home.calendar(consumer))


def test_a_closure_of_all_that_another_holds_is_a_possible_conflict_until_it_was_read(home):
    """Booking.com closes Airbnb's nights, and has not read them in a calendar of ours: perhaps sold twice. The next one was."""
    read_all(home)
    home.book(AIRBNB, 20, 24)
    home.sync()
    home.world.block(BOOKING, home.today + 20 * DAY, home.today + 24 * DAY)
    home.sync()
    assert [c["certainty"] for c in home.conflicts()] == ["possible"]
    assert "perhaps two bookings" in next(n.text for n in home.alerts.notices.values() if n.type == "conflict.opened")
    assert near(home, "vrbo") == [(20, 24)]
    assert near(home, "booking_com") == [(20, 24)]
    assert reasons(home, 21) == [["its dates hold the night"], ["its dates hold the night", SOLD_TWICE]]

    home.book(AIRBNB, 30, 34)
    home.sync()
    read_all(home)
    home.world.block(BOOKING, home.today + 30 * DAY, home.today + 34 * DAY)
    home.sync()
    assert [c["nights"][0] for c in home.conflicts()] == [home.day(20)]
    assert reasons(home, 31)[1] == ["its dates hold the night", "it repeats another booking"]
    (night,) = home.bokit.bookings.explain(DEFAULT_TENANT, [home.flat], home.today + 31 * DAY)
    assert [by["reasons"] for by in night["by"]] == [["dates"], ["dates", "echo"]]


def test_a_closure_of_more_than_a_cancelled_booking_is_published_at_once(home):
    """Booking.com never read our calendar, and closed a guest's nights with more: they are its own, once the guest is gone."""
    guest = home.book(AIRBNB, 24, 26)
    home.sync()
    home.book(BOOKING, 22, 28)
    home.sync()
    home.world.cancel(guest)
    for _ in range(40):
        home.sync()
        closed = {night for first, end in near(home, "vrbo") for night in range(first, end)}
        assert closed == set(range(22, 28))
    assert near(home, "vrbo") == near(home, "airbnb") == [(22, 28)]


def test_an_echo_fades_until_its_platform_has_read_the_calendar_without_it(home):
    """Airbnb's guest cancels, Booking.com keeps the nights closed: two fetches after it read that they are open, they are its."""
    first = home.book(AIRBNB, 20, 24)
    home.sync()
    read_all(home)
    home.world.block(BOOKING, home.today + 20 * DAY, home.today + 24 * DAY)
    home.sync()
    home.world.cancel(first)
    for _ in range(40):
        home.sync()
        assert near(home, "vrbo") in ([], [(20, 24)])
    assert near(home, "vrbo") == near(home, "airbnb") == []

    read_all(home)
    home.sync()
    assert near(home, "vrbo") == []
    home.sync()
    assert near(home, "vrbo") == near(home, "airbnb") == [(20, 24)]
    assert near(home, "booking_com") == []


def test_a_guest_within_another_guests_nights_is_published_from_the_second_fetch_on(home):
    """Airbnb sold 20 to 28, Booking.com 22 to 25, and leaves the others open: likely sold twice, and closed for all but it."""
    first = home.book(AIRBNB, 20, 28)
    home.sync()
    home.book(BOOKING, 22, 25)
    home.sync()
    home.sync()
    assert [c["certainty"] for c in home.conflicts()] == ["likely"]
    assert near(home, "airbnb") == [(22, 25)]
    assert near(home, "vrbo") == [(20, 28), (22, 25)]
    assert reasons(home, 23)[1][1:] == ["its channel sold it itself: it left other nights of the booking that it meets open"]

    home.world.cancel(first)
    for _ in range(26):
        home.sync()
        assert near(home, "airbnb") == [(22, 25)]
    assert near(home, "vrbo") == [(22, 25)]
    assert near(home, "booking_com") == home.conflicts() == []


def test_a_conflict_seen_once_is_published_at_the_second_fetch(home):
    """Although nothing changed meanwhile; and from then on no byte changes."""
    home.book(AIRBNB, 20, 27)
    home.sync()
    home.book(BOOKING, 25, 29)
    home.sync()
    assert near(home, "airbnb") == [(27, 29)]
    page = home.store.find_published(home.calendar("airbnb").token_hash)

    home.sync()
    after = home.store.find_published(home.calendar("airbnb").token_hash)
    for _ in range(5):
        home.sync(hours=10)

    assert page.refresh_at is not None
    assert near(home, "airbnb") == [(25, 29)]
    assert after.refresh_at is None
    assert home.page(home.calendar("airbnb")) == after


def test_a_closure_that_only_joins_what_others_hold_is_not_published_for_it(home):
    """Booking.com closes Airbnb's guest and two days more as one: the two days are new, the rest is left to Airbnb's guest."""
    home.book(AIRBNB, 20, 24)
    home.sync()
    home.world.block(BOOKING, home.today + 20 * DAY, home.today + 26 * DAY)
    home.sync()
    home.sync()

    assert near(home, "vrbo") == [(20, 24), (24, 26)]
    assert near(home, "airbnb") == [(24, 26)]


def test_a_closure_of_the_whole_is_shown_in_each_part_that_does_not_hold_its_original(home):
    """A guest in the loft, and the owner closes the whole villa for that night and two before: the flat is closed for all."""
    loft = home.add_unit("Loft")
    villa = home.add_unit("Villa", parts=[home.flat, loft])
    home.add_feed(VILLA, villa)
    home.sync()
    home.make(32, 33, loft, guest_name="Vera")
    home.world.block(VILLA, home.today + 30 * DAY, home.today + 33 * DAY)
    home.sync()

    for _ in range(3):
        assert near(home, "airbnb") == [(30, 33)]
        assert [e for e in home.events("airbnb", loft) if e[0] < 90] == [(30, 32), (32, 33)]
        home.sync(hours=20)


def test_an_echo_of_one_part_is_shown_in_the_others(home):
    """The whole villa is closed for the loft's one night: for the flat it is closed too, by nothing but that closure."""
    loft = home.add_unit("Loft")
    villa = home.add_unit("Villa", parts=[home.flat, loft])
    home.add_feed(VILLA, villa)
    home.sync()
    home.make(32, 33, loft, guest_name="Vera")
    home.world.block(VILLA, home.today + 32 * DAY, home.today + 33 * DAY)
    home.sync()

    assert near(home, "airbnb") == [(32, 33)]
    assert [e for e in home.events("airbnb", loft) if e[0] < 90] == [(32, 33)]


def explained(home: Flat, night: int) -> dict[str | None, tuple[bool, list[str]]]:
    """Return for each consumer whether its calendar closes a night, and the reasons for what it leaves out."""
    (found,) = home.bokit.bookings.explain(DEFAULT_TENANT, [home.flat], home.today + night * DAY)
    return {p["for"]: (p["closed"], [str(w["reason"]) for w in p["withheld"]]) for p in found["published"]}


def import_airbnb(home: Flat, first: int, end: int) -> None:
    """Let Booking.com import a guest of Airbnb's, and with that the whole calendar."""
    for start, stop in [(first, end), *((100 + 10 * n, 102 + 10 * n) for n in range(3))]:
        home.world.block(BOOKING, home.today + start * DAY, home.today + stop * DAY)
    home.sync()


def test_a_second_guest_of_the_same_nights_is_in_every_calendar_in_the_fetch_in_which_the_first_cancels(home):
    """Booking.com reads nobody's calendar: Airbnb's older guests are open there. It sold 20 to 24 itself."""
    first = home.book(AIRBNB, 20, 24)
    home.sync()
    home.book(BOOKING, 20, 24)
    home.sync()
    assert [c["certainty"] for c in home.conflicts()] == ["possible"], "a person may have closed them"
    home.sync()

    home.world.cancel(first)
    for _ in range(40):
        home.sync()
        assert (20, 24) in near(home, "vrbo")
    assert near(home, "airbnb") == [(20, 24)]


@pytest.mark.parametrize("goes", [False, True])
def test_a_closure_where_a_moved_booking_was_is_published_when_that_leaves(goes):
    """VRBO's guest moves from 20 to 21, and perhaps cancels. Booking.com sold 20 and leaves the rest open: no repetition."""
    home = Flat()
    for feed in (VRBO, BOOKING):
        home.add_feed(feed)
    home.book(BOOKING, 90, 92)
    first = home.book(VRBO, 20, 25)
    home.sync()
    home.sync()
    home.book(VRBO, 100, 102)
    home.world.move(first, home.today + 21 * DAY, home.today + 26 * DAY)
    home.sync()
    home.book(BOOKING, 20, 21)
    home.sync()
    for hour in range(60):
        if hour == 26 and goes:
            home.world.cancel(first)
        home.sync()
        assert (20, 21) in near(home, "airbnb") or (20, 26) in near(home, "airbnb"), hour
    assert near(home, "airbnb") == ([(20, 21)] if goes else [(20, 21), (21, 26)])


def test_a_copy_of_a_whole_calendar_fades_as_its_guest_cancels(home):
    """Older guests of Airbnb's are closed on Booking.com, too: it reads Airbnb, or somebody does for it."""
    first = home.book(AIRBNB, 20, 24)
    home.sync()
    import_airbnb(home, 20, 24)

    home.world.cancel(first)
    for _ in range(27):
        home.sync()
    assert near(home, "airbnb") == near(home, "vrbo") == []


def test_a_night_is_explained_calendar_by_calendar(home):
    """To whom it is published, and why not to the others: what --explain says is what the calendars show."""
    for consumer in ("airbnb", "booking_com", "vrbo"):
        home.calendar(consumer)
    home.calendar(variant=CalendarVariant.ARRIVALS)
    first = home.book(AIRBNB, 20, 24)
    home.sync()
    import_airbnb(home, 20, 24)

    assert explained(home, 21) == {"airbnb": (False, ["own", "echo"]), "booking_com": (True, ["own"]), "vrbo": (True, ["echo"])}
    assert explained(home, 40) == dict.fromkeys(("airbnb", "booking_com", "vrbo"), (False, []))

    home.world.cancel(first)
    for _ in range(27):
        home.sync()
    assert explained(home, 21) == {"airbnb": (False, ["fading"]), "booking_com": (False, ["own"]), "vrbo": (False, ["fading"])}
    for consumer, (closed, _) in explained(home, 21).items():
        assert closed is any(first <= 21 < end for first, end in home.events(consumer))


def test_a_night_says_since_when_a_calendar_closes_it_and_whether_that_was_read(home):
    """First written, then read; an open night has neither."""
    home.calendar("vrbo")
    home.book(AIRBNB, 20, 24)
    home.sync()
    written = home.clock.at

    def times(night):
        (found,) = home.bokit.bookings.explain(DEFAULT_TENANT, [home.flat], home.today + night * DAY)
        (calendar,) = found["published"]
        return [at and datetime.fromisoformat(at) for at in (calendar["closed_since"], calendar["read_closed_at"])]

    since, read_at = times(21)
    assert timedelta() < written - since < timedelta(minutes=1)
    assert read_at is None
    home.sync()
    home.page(home.calendar("vrbo"))
    assert times(21)[0] == since
    assert times(21)[1] > written
    assert times(40) == [None, None]


def test_a_calendar_of_reservations_alone_says_that_it_leaves_out_closures(home):
    """A variant that shows fewer nights is explained too."""
    home.calendar(variant=CalendarVariant.BOOKINGS)
    home.make(40, 42, kind="block")

    assert explained(home, 40) == {None: (False, ["variant"])}
