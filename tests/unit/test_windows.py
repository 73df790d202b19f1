"""Closures that the calendar's own rules make. What a platform is known for is not published, what rolls is not an event."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from bokit.core.bookings.nights import nights_of as nights_of_spans
from bokit.core.bookings.nights import read_spans
from bokit.core.bookings.stay import NIGHTS, ROLLING
from bokit.core.ical.entries import Entry, EntryKind, Status
from bokit.core.model.plan import ActionKind, Plan
from bokit.core.model.source_memory import read_memory
from tests.support.simulated_source import SimulatedSource, block, day, kinds, nights_of, reservation, window

CREATE, CANCEL, UPDATE, MISS = ActionKind.CREATE, ActionKind.CANCEL, ActionKind.UPDATE, ActionKind.MARK_MISSING
A, B = reservation("HMAAAAAAAA", 60, 64), reservation("HMBBBBBBBB", 70, 74)


def closed(first: int, end: int, **given: Any) -> Entry:
    """Return a closure of a calendar of unknown make: its UID has the first night."""
    filled = {"uid": f"{first}@host.example", "kind": EntryKind.BLOCK, "status": Status.UNAVAILABLE, "summary": "Not available"}
    return Entry(**filled | {"check_in": day(first), "check_out": day(end)} | given)


def taken(first: int, end: int, **given: Any) -> Entry:
    """Return nights of a calendar that calls everything a reservation, and names nobody."""
    return closed(first, end, kind=EntryKind.RESERVATION, status=Status.UNDEFINED, summary="Reserved", **given)


def held_as(source: SimulatedSource, name: str) -> set[date]:
    """Return the nights to come that the source's window holds under this name."""
    record = source.window()
    found = nights_of_spans(read_spans(record.remote.get(name, ()))) if record else set()
    return {night for night in found if night >= source.today}


def roll(
    source: SimulatedSource, *shown: tuple[int, int], days: range, make: Any = closed, rest: tuple[Entry, ...] = ()
) -> list[Plan]:
    """Show closures morning and evening, each day a day later; *shown* is their first day. Return the plans of the mornings."""
    plans = []
    for n in days:
        entries = *(make(first + n, end + n) for first, end in shown), *rest
        plans.append(source.see(*entries, hours=12 if n else 0))
        assert kinds(source.see(*entries, hours=12)) == []
    return plans


GENERIC_REST = (closed(60, 64), closed(80, 83))


# ── what a platform is known for ──


@pytest.mark.parametrize("entry", [window(200, 366), window(0, 1), window(1, 2)])
def test_what_the_platform_closes_by_rule_makes_no_event_and_is_not_published(entry):
    source = SimulatedSource("airbnb")
    plan = source.see(A, entry)
    assert kinds(plan) == [CREATE]
    assert held_as(source, NIGHTS) == {n for n in nights_of(0, 400) if entry.check_in <= n < entry.check_out}
    assert not held_as(source, ROLLING)


def test_a_far_closure_of_a_platform_that_marks_its_end_is_a_closure():
    """Booking.com shows a guest's nights a year ahead as it shows all others: they are published."""
    source = SimulatedSource("booking_com")
    plan = source.see(*(taken(first, first + 40) for first in (60, 310)))
    assert kinds(plan) == [CREATE, CREATE]


# ── the end of another platform's calendar ──


def test_the_end_of_a_calendar_makes_no_event_and_is_published_until_it_rolled_three_times():
    source = SimulatedSource("generic")
    source.see(*GENERIC_REST)
    for n in range(1, 8):
        plan = source.see(*GENERIC_REST, closed(270 + n, 366 + n), hours=24)
        assert kinds(plan) == []
        name, other = (NIGHTS, ROLLING) if n > 3 else (ROLLING, NIGHTS)
        assert nights_of(270 + n, 366 + n) <= held_as(source, name)
        assert not nights_of(270 + n, 366 + n) & held_as(source, other)
    assert read_memory(source.memory).habits.calendar_end.times == 3


@pytest.mark.parametrize("first", [260, 265])
def test_a_closure_beside_an_end_that_was_learned_is_somebodys(first):
    """Only what is known of a platform is withheld: its nights are a booking, and published."""
    source = SimulatedSource("generic")
    source.see(*GENERIC_REST)
    for n in range(1, 6):
        source.see(*GENERIC_REST, closed(270 + n, 366 + n), hours=24)
    plan = source.see(*GENERIC_REST, closed(first, 275), closed(275, 371))
    assert kinds(plan) == [CREATE]
    assert not nights_of(first, 275) & held_as(source, NIGHTS)


def test_an_end_that_somebodys_nights_cut_in_two_makes_one_event():
    """The guest's. The first piece begins where the end began, and moves nobody from day to day; nor does it once it is short."""
    source = SimulatedSource("generic")
    source.see(*GENERIC_REST)
    for n in range(1, 5):
        source.see(*GENERIC_REST, closed(270 + n, 366 + n), hours=24)
    guest = closed(285, 290)

    plans = [source.see(*GENERIC_REST, closed(270 + n, 285), guest, closed(290, 366 + n), hours=24) for n in range(5, 15)]

    assert [kinds(plan) for plan in plans] == [[CREATE], *[[]] * 9]
    assert nights_of(284, 285) <= held_as(source, ROLLING)
    assert not nights_of(285, 290) & held_as(source, ROLLING)
    assert kinds(source.see(*GENERIC_REST, guest, closed(290, 381), hours=24)) == []


def test_the_end_of_airbnbs_calendar_before_a_stay_that_reaches_beyond_it_makes_no_event():
    """No window is left behind the guest's nights: what lies before them no longer ends as the calendar does."""
    source = SimulatedSource("airbnb")
    source.see(A)
    label = "Airbnb (Not available)"
    for n in range(1, 5):
        source.see(A, window(330 + n, 366 + n, summary=label), hours=24)
    guest = reservation("HMGGGGGGGG", 362, 376)

    plans = [source.see(A, block(330 + n, 362, summary=label), guest, hours=24) for n in range(5, 12)]

    assert [kinds(plan) for plan in plans] == [[CREATE], *[[]] * 6]
    assert nights_of(341, 362) <= held_as(source, ROLLING)


def test_an_end_whose_last_day_stands_still_rolls_by_its_first():
    source = SimulatedSource("generic")
    source.see(*GENERIC_REST)
    for n in range(1, 12):
        assert kinds(source.see(*GENERIC_REST, closed(270 + n, 700), hours=24)) == []
    assert nights_of(281, 700) <= held_as(source, ROLLING)


@pytest.mark.parametrize("piece", [closed(275, 280), closed(276, 280), taken(275, 280)])
def test_a_guest_at_the_first_day_of_a_calendars_end_is_a_booking_two_days_later_at_most(piece):
    """It stands still as the end rolls on. Another label, or another first day, is a booking at once."""
    source = SimulatedSource("generic")
    source.see(*GENERIC_REST)
    for n in range(1, 5):
        source.see(*GENERIC_REST, closed(270 + n, 366 + n), hours=24)
    plans = [source.see(*GENERIC_REST, piece, closed(280, 371 + n), hours=24) for n in range(3)]

    is_piece = piece == closed(275, 280)
    assert [kinds(plan) for plan in plans] == ([[], [], [CREATE]] if is_piece else [[CREATE], [], []])


@pytest.mark.parametrize("first", [310, 250])
def test_a_far_closure_that_stands_still_is_somebodys(first):
    """After four days it is a closure like any other, and it was held and published meanwhile."""
    source = SimulatedSource("generic")
    source.see(*GENERIC_REST)
    long = closed(first, 345)
    assert kinds(source.see(*GENERIC_REST, long)) == []
    assert held_as(source, ROLLING) == nights_of(first, 345)
    for _ in range(3):
        assert kinds(source.see(*GENERIC_REST, long, hours=24)) == []
    assert kinds(source.see(*GENERIC_REST, long, hours=24)) == [CREATE]
    for _ in range(3):
        assert kinds(source.see(*GENERIC_REST, long, hours=24)) == []
    assert (first, 345) in source.spans()
    assert not held_as(source, ROLLING)


@pytest.mark.parametrize(
    "entry",
    [
        closed(270, 300),
        closed(310, 339),
        taken(310, 345, guest_name="Ann Example"),
        taken(310, 345, reservation_code="ABC123"),
    ],
)
def test_what_is_nearer_or_shorter_or_somebodys_is_a_booking_at_once(entry):
    source = SimulatedSource("generic")
    source.see(*GENERIC_REST)
    assert kinds(source.see(*GENERIC_REST, entry)) == [CREATE]


def test_a_closure_before_the_last_one_is_not_the_end():
    source = SimulatedSource("generic")
    source.see(*GENERIC_REST)
    assert kinds(source.see(*GENERIC_REST, closed(310, 345), closed(350, 400))) == [CREATE]


# ── the advance notice ──


@pytest.mark.parametrize("make", [closed, taken])
@pytest.mark.parametrize("length", [1, 2, 7, 14])
def test_what_starts_today_and_rolls_makes_no_event_from_the_first_roll_on(length, make):
    """It is published as a closure, each night of it, and its first day's booking just runs out."""
    source, rest = SimulatedSource("generic"), (make(60, 64), make(80, 83))
    source.see(*rest, hours=0)
    first, *later = roll(source, (0, length), days=range(12), make=make, rest=rest)

    assert kinds(first) == [CREATE]
    assert [kinds(plan) for plan in later] == [[]] * 11
    assert nights_of(11, 11 + length) <= held_as(source, ROLLING)
    assert source.spans() == [(0, length), (60, 64), (80, 83)]


def test_a_notice_of_one_event_a_night_rolls_as_one():
    source = SimulatedSource("generic")
    source.see(*GENERIC_REST, hours=0)
    first, *later = roll(source, (0, 1), (1, 2), (2, 3), days=range(9), rest=GENERIC_REST)

    assert kinds(first) == [CREATE] * 3
    assert [kinds(plan) for plan in later] == [[]] * 8
    assert nights_of(8, 11) <= held_as(source, ROLLING)


def test_a_notice_under_one_uid_moves_nothing():
    """Its UID stays while its dates roll: a UID that would identify a booking identifies none here."""
    source = SimulatedSource("google")
    shown = lambda n: (closed(n, n + 3, uid="notice@host.example"), *GENERIC_REST)  # noqa: E731
    source.see(*shown(0))
    assert [kinds(source.see(*shown(n), hours=24)) for n in range(1, 6)] == [[]] * 5


@pytest.mark.parametrize("length", [15, 20])
def test_what_is_longer_than_a_notice_is_a_block(length):
    source = SimulatedSource("generic")
    source.see(*GENERIC_REST, hours=0)
    assert UPDATE in kinds(roll(source, (0, length), days=range(2), rest=GENERIC_REST)[1])


def test_another_length_or_label_is_not_the_same_notice():
    source = SimulatedSource("generic")
    source.see(closed(0, 2), *GENERIC_REST)
    assert kinds(source.see(closed(1, 4), *GENERIC_REST, hours=24)) == [UPDATE]
    source = SimulatedSource("generic")
    source.see(closed(0, 2), *GENERIC_REST)
    assert kinds(source.see(closed(1, 3, summary="Blocked"), *GENERIC_REST, hours=24)) != []


def test_a_clip_is_never_a_window():
    """The guest is here: the start rolls, the end does not."""
    source = SimulatedSource("generic")
    for n in range(9):
        plan = source.see(taken(max(n, 0), 9), taken(60, 64), taken(80, 83), hours=24 if n else 0)
        assert kinds(plan) == ([CREATE] * 3 if n == 0 else [])
    assert source.window() is None
    assert source.spans()[0] == (0, 9)


def test_after_three_midnights_the_notice_is_remembered():
    """A guest takes some of its nights; what is left of it, and what comes back, makes no event."""
    source = SimulatedSource("generic")
    source.see(*GENERIC_REST, hours=0)
    roll(source, (0, 3), days=range(4), rest=GENERIC_REST)
    guest = taken(5, 8, guest_name="Ann Example")
    assert kinds(source.see(closed(4, 5), guest, *GENERIC_REST, hours=24)) == [CREATE]
    assert kinds(source.see(guest, *GENERIC_REST, hours=24)) == []
    assert kinds(source.see(guest, closed(8, 9), *GENERIC_REST, hours=24)) == []
    assert kinds(source.see(closed(8, 11), *GENERIC_REST, hours=48)) == []
    assert nights_of(8, 11) <= held_as(source, ROLLING)


def test_a_night_that_opens_today_ends_the_notice():
    source = SimulatedSource("generic")
    source.see(*GENERIC_REST, hours=0)
    roll(source, (0, 2), days=range(4), rest=GENERIC_REST)
    assert kinds(source.see(*GENERIC_REST, hours=24)) == []
    assert read_memory(source.memory).habits.notice_kept is None
    assert kinds(source.see(*GENERIC_REST, closed(5, 7), hours=24)) == [CREATE]


def test_nights_that_a_notice_no_longer_closes_open_by_the_rule_of_all_nights():
    source = SimulatedSource("generic")
    source.see(*GENERIC_REST, hours=0)
    roll(source, (0, 5), days=range(4), rest=GENERIC_REST)
    source.see(*GENERIC_REST)
    assert nights_of(3, 8) <= source.held()
    source.see(*GENERIC_REST, hours=25)
    assert not nights_of(5, 8) & source.held()


@pytest.mark.parametrize(
    ("hour", "last_read", "events"),
    [
        (0.5, 0.25, []),  # soon after midnight
        (9, -1, []),  # the first fetch of the day
        (14, 13, [CREATE]),  # somebody booked today, for tonight
        (14, -11, [CREATE]),  # fetched too rarely to know
    ],
)
def test_a_guest_who_books_for_tonight_is_not_a_notice(hour, last_read, events):
    """What changes at another time than the day is a booking."""
    source, rest = SimulatedSource("generic"), (taken(60, 64), taken(80, 83))
    source.see(taken(0, 1), *rest, hours=0)
    midnight = source.at.replace(hour=0) + timedelta(days=1)
    source.given["last_read"] = midnight + timedelta(hours=last_read)
    source.at = midnight
    assert kinds(source.see(taken(1, 2), *rest, hours=hour)) == events


def test_a_block_that_rolls_becomes_no_window_on_its_first_day():
    """One midnight is needed, and then only its events stop: the booking of the first day keeps what a person wrote."""
    source = SimulatedSource("generic")
    source.see(closed(0, 5), *GENERIC_REST)
    assert source.window() is None
    source.see(closed(1, 6), *GENERIC_REST, hours=24)
    assert (0, 5) in source.spans()
    assert held_as(source, ROLLING) == nights_of(1, 6)


def test_a_held_fetch_keeps_what_rolls():
    """A feed that a guard holds releases nothing."""
    source = SimulatedSource("generic")
    source.see(*GENERIC_REST, hours=0)
    roll(source, (0, 5), days=range(4), rest=GENERIC_REST)
    source.see()
    assert held_as(source, ROLLING) == nights_of(3, 8)


# ── a block in the place of a reservation ──


def test_a_block_that_took_a_guests_night_is_published_in_the_fetch_that_releases_the_guest():
    """A reservation goes and a block of one of its nights comes: it is a booking a fetch later, and published until then."""
    source = SimulatedSource("airbnb")
    source.see(A, B)
    last = block(62, 63)
    source.see(B, last)
    source.see(B, last, hours=13)
    assert kinds(source.see(B, last, hours=13)) == [CANCEL]
    assert (held_as(source, ROLLING), held_as(source, NIGHTS)) == (nights_of(62, 63), set())

    assert kinds(source.see(B, last)) == [CREATE]
    assert (held_as(source, ROLLING), held_as(source, NIGHTS)) == (set(), set())
