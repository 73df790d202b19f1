"""What conflicts cost: twice the bookings are twice the steps, however they lie, and never as many as their pairs."""

from __future__ import annotations

import sys
from datetime import timedelta
from functools import partial

import pytest

from bokit.core.ical.writer import write_calendar
from bokit.core.model.records import RunId, Scope
from bokit.core.occupancy.conflict_records import ConflictAuthor, list_known, plan_conflicts
from bokit.core.occupancy.conflicts import find_conflicts
from bokit.core.occupancy.limits import MAX_CONFLICT_BOOKINGS
from bokit.core.occupancy.occupancy import read_occupancy
from bokit.core.occupancy.out_calendar import CalendarId, OutCalendar
from bokit.core.occupancy.outgoing import select_events
from bokit.core.occupancy.publication import PublicationRules
from tests.support.builders import HOUR, NOW
from tests.support.july import FLAT, TODAY, a_stay

TURNOVER = {Scope("unit_1"): 2}
MAX_STEPS_EACH = 460
"""For a booking that meets few others, with conflicts and two calendars; each night, pair or value made twice shows here."""


def a_booking(source, platform, number, first, end, **given):
    days = {"check_in": str(TODAY + timedelta(days=first)), "check_out": str(TODAY + timedelta(days=end))}
    return a_stay(1, 2, source, platform, name=f"{source}-{number}", **(days | given))


def a_guest(number, first=30, end=33, **given):
    """Return a guest of Airbnb, with a code of their own."""
    letters = "".join("ABCDEFGHIJ"[int(digit)] for digit in f"{number:08d}")
    return a_booking("src_a", "airbnb", number, first, end, reservation_code=f"HM{letters}", **given)


def a_closure(number, first=30, end=33, **given):
    values = {"status": "undefined", "summary": "CLOSED - Not available"} | given
    return a_booking("src_b", "booking_com", number, first, end, **values)


SHAPES = {
    "one feed, one night": lambda n: [a_guest(i) for i in range(n)],
    "two feeds": lambda n: [*map(a_guest, range(n)), *(a_booking("src_v", "vrbo", i, 30, 33) for i in range(n))],
    "names alone": lambda n: [a_booking("src_m", "beds24", i, 30, 33, guest_name=f"Guest{i} Foo{i}") for i in range(n)],
    "one word in common": lambda n: [a_booking("src_m", "beds24", i, 30, 33, guest_name=f"Ann Foo{i}") for i in range(n)],
    "a staircase": lambda n: [a_guest(i, i, i + 60) for i in range(n)],
    "closures that were there first": lambda n: [
        *(a_guest(i, seen=NOW, after=NOW - HOUR / 2) for i in range(n // 4)),
        *(a_closure(i, seen=NOW - HOUR) for i in range(n)),
    ],
    "closures of which nobody knows who was first": lambda n: [
        *map(a_guest, range(n // 4)),
        *(a_closure(i, 30, 34 + i % 9) for i in range(n)),
    ],
    "guests who come too soon": lambda n: [*map(a_guest, range(n)), *(a_guest(n + i, 33, 35) for i in range(n))],
    "pairs apart": lambda n: [b for i in range(n) for b in (a_guest(i, 3 * i, 3 * i + 2), a_closure(i, 3 * i + 1, 3 * i + 3))],
    "joint bookings": lambda n: [
        *map(a_guest, range(n)),
        *(
            a_booking("src_m", "beds24", i, 30, 33, reservation_code=r.remote["reservation_code"])
            for i, r in enumerate(map(a_guest, range(n)))
        ),
    ],
}


def count_steps(work):
    """Return how many lines of Python *work* runs, each turn of a loop counted."""
    steps = 0

    def trace(frame, event, arg):
        nonlocal steps
        steps += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return steps


def author():
    return ConflictAuthor(tenant="default", at=NOW, today=TODAY, by="source:src_a", run_id=RunId("run_1"))


def cost_of(shape, number):
    """Return the steps of finding, opening, keeping and publishing the conflicts of so many bookings, and how many there are."""
    occupancy = read_occupancy(FLAT, SHAPES[shape](number), today=TODAY, at=NOW + HOUR)
    found = find_conflicts(occupancy, TURNOVER)
    known = [c.record for c in plan_conflicts([], found, author())]

    def work():
        again = find_conflicts(occupancy, TURNOVER, list_known(known))
        assert plan_conflicts(known, again, author()) == []
        PublicationRules(occupancy)

    return count_steps(work), sum(len(c.bookings) for c in found)


@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_bookings_are_twice_the_steps(shape):
    """Doubled twice, each time at most 2.2 times as many; 400 bookings have some 80,000 pairs."""
    (small, _), (middle, _), (large, bookings) = (cost_of(shape, number) for number in (100, 200, 400))

    assert middle <= 2.2 * small
    assert large <= 2.2 * middle
    assert bookings > 100 or shape == "one word in common"


CROWDS = {
    "guests of one feed": lambda n: [a_guest(i) for i in range(n)],
    "guests of two feeds": lambda n: [*map(a_guest, range(n)), *(a_booking("src_v", "vrbo", i, 30, 33) for i in range(n))],
    "closures of one feed": lambda n: [*map(a_guest, range(5)), *(a_closure(i) for i in range(n))],
    "one code": lambda n: [a_booking("src_m", "beds24", i, 30, 33, reservation_code="7352") for i in range(n)],
}


@pytest.mark.parametrize("crowd", CROWDS)
def test_who_holds_the_nights_of_a_crowd_is_judged_in_proportion(crowd):
    """Joint bookings and echoes are looked for among what may be one: twice the bookings of a feed are twice the steps."""
    small, large = (
        count_steps(partial(read_occupancy, FLAT, CROWDS[crowd](number), today=TODAY, at=NOW + HOUR)) for number in (200, 400)
    )

    assert large <= 2.2 * small


def test_a_group_of_thousands_is_cut_between_bookings():
    """Each booking is in one of the conflicts, no conflict has more than a record takes, and every part is stable."""
    guests = [a_guest(i) for i in range(2 * MAX_CONFLICT_BOOKINGS + 1)]
    found = find_conflicts(read_occupancy(FLAT, guests, today=TODAY, at=NOW), {})
    known = [c.record for c in plan_conflicts([], found, author())]

    assert sorted(len(c.bookings) for c in found) == [667, 667, 667]
    assert {b for c in found for b in c.bookings} == {r.id for r in guests}
    assert plan_conflicts(known, find_conflicts(read_occupancy(FLAT, guests, today=TODAY, at=NOW), {}), author()) == []


def publish_two_calendars(records):
    """Read the bookings, find their conflicts and write two platforms' calendars; return the texts and the conflicts."""
    occupancy = read_occupancy(FLAT, records, today=TODAY, at=NOW + HOUR)
    found, rules = find_conflicts(occupancy, {}, []), PublicationRules(occupancy)
    given = {
        "id": CalendarId("unit_1.c"),
        "tenant": "default",
        "unit_id": Scope("unit_1"),
        "token_hash": "hash",
        "created_at": NOW,
    }
    calendars = [OutCalendar(consumer=consumer, **given) for consumer in ("airbnb", "booking_com")]
    return [write_calendar("Flat", select_events(rules, calendar, anonymous=True)) for calendar in calendars], found


def test_a_booking_of_a_unit_with_many_sources_costs_few_steps():
    """What a slow sync works out of 400 bookings of 20 sources, some of which share a night, is bounded for each of them."""
    stays = [(i, i + 1 + (i // 20 % 10 == 0)) for i in range(400)]
    records = [
        a_booking(f"src_{i % 20}", "vrbo", i, *span, guest_name=f"Ann{i} Foo{i}", seen=NOW, after=NOW - HOUR)
        for i, span in enumerate(stays)
    ]

    (one, other), found = publish_two_calendars(records)
    steps = count_steps(partial(publish_two_calendars, records))

    assert one == other
    assert one.count(b"BEGIN:VEVENT") == 400
    assert found
    assert steps <= MAX_STEPS_EACH * len(records)
