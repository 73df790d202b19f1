"""Turnovers: who leaves, who comes next, and the time between."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bokit.core.model.day_times import DayTimes, read_times
from bokit.core.model.records import Presence, Scope
from bokit.core.occupancy.occupancy import read_occupancy
from bokit.core.occupancy.turnovers import describe_turnover, find_turnovers
from tests.support.builders import DAY, NOW, a_property, a_unit, an_edit
from tests.support.july import FLAT, TODAY, VILLA, a_block, a_closure, a_stay, an_airbnb

ROME = DayTimes(zone="Europe/Rome")
JULY = (date(2026, 7, 1), date(2026, 8, 1))


def turnovers(*records, units=FLAT, unit="unit_1", times=ROME, period=JULY):
    """Return the documents of a unit's turnovers in July."""
    occupancy = read_occupancy(units, records, today=TODAY, at=NOW)
    of_unit = times if isinstance(times, dict) else {Scope(u.id): times for u in units}
    return [describe_turnover(t) for t in find_turnovers(occupancy, units, Scope(unit), of_unit, period)]


def brief(*records, **given):
    """Return each turnover as days and the ends of ids: who leaves when, who comes, what is wrong."""
    last = lambda booking: booking and booking.partition(".")[2]  # noqa: E731
    return [(t["date"][-2:], last(t["leaves"]), last(t["arrives"]), t["warning"]) for t in turnovers(*records, **given)]


def guest(name, first, end, unit="unit_1", **more):
    return a_stay(first, end, f"src_{name}", None, unit=unit, name=name, guest_name=name, **more)


def test_the_next_guest_comes_on_the_same_day():
    """From check-out to check-in, as moments with the unit's own offset."""
    (first, last) = turnovers(guest("Ada", 1, 5), guest("Grace", 5, 9))

    assert first == {
        "unit_id": "unit_1",
        "date": "2026-07-05",
        "leaves": "unit_1.Ada",
        "arrives": "unit_1.Grace",
        "from": "2026-07-05T11:00:00+02:00",
        "until": "2026-07-05T15:00:00+02:00",
        "same_day": True,
        "cleaning_minutes": None,
        "warning": None,
    }
    assert (last["leaves"], last["arrives"], last["until"], last["same_day"]) == ("unit_1.Grace", None, None, False)


def test_the_next_guest_comes_later():
    """The window lasts until then; an owner's block between the two does not end it."""
    (first, _) = turnovers(guest("Ada", 1, 5), a_block(5, 7), guest("Grace", 8, 9))

    assert (first["until"], first["same_day"]) == ("2026-07-08T15:00:00+02:00", False)


def test_only_departures_of_the_time_asked_for_count():
    """The first day is included, the last one is not; who comes next may come after it."""
    period = (date(2026, 7, 5), date(2026, 7, 9))
    found = brief(guest("a", 1, 4), guest("b", 4, 5), guest("c", 6, 8), guest("d", 8, 9), guest("e", 20, 21), period=period)

    assert found == [("05", "b", "c", None), ("08", "c", "d", None)]
    assert brief(guest("d", 8, 9), period=(date(2026, 7, 9), date(2026, 7, 10))) == [("09", "d", None, None)]


def test_only_guests_leave_something_to_clean():
    """Not cancelled ones, closures that repeat a booking, and blocks; who is missing but held is a guest still."""
    kept = guest("kept", 20, 22, presence=Presence.MISSING, missing_since=NOW)
    gone = guest("gone", 24, 26, presence=Presence.GONE, gone_at=NOW, status="cancelled")

    found = brief(an_airbnb(1, 5), a_closure(1, 5, seen=NOW + DAY, after=NOW + DAY), a_block(10, 12), kept, gone)

    assert found == [("05", "src_a-1", "kept", None), ("22", "kept", None, None)]


def test_a_person_who_moves_a_booking_moves_its_turnover():
    """The dates are those that apply, not those of the feed."""
    moved = guest("Ada", 1, 5, edits={"check_out": an_edit("2026-07-06")})

    assert brief(moved, guest("Grace", 8, 9)) == [("06", "Ada", "Grace", None), ("09", "Grace", None, None)]


def test_two_guests_of_the_same_nights_are_said():
    """Each of a double booking leaves; the other one's nights make it one."""
    assert brief(guest("a", 1, 5), guest("b", 3, 8)) == [("05", "a", "b", "double-booking"), ("08", "b", None, None)]
    one, other = (a_stay(1, 5, "src_v", "vrbo", name=name) for name in ("a", "b"))
    assert brief(one, other, guest("c", 5, 6)) == [
        ("05", "a", "c", None),
        ("05", "b", "c", None),
        ("06", "c", None, None),
    ]
    (first, _) = turnovers(guest("a", 1, 5), guest("b", 3, 8))
    assert first["from"] == first["until"], "a window never ends before it begins"


@pytest.mark.parametrize(
    ("times", "warning"),
    [
        ({"cleaning_minutes": 240}, None),
        ({"cleaning_minutes": 241}, "too-short"),
        ({"check_in": "10:00"}, "too-short"),
        ({"check_in": "11:00"}, None),
        ({"check_in": "11:00", "cleaning_minutes": 0}, None),
        ({"check_in": "11:00", "cleaning_minutes": 1}, "too-short"),
    ],
)
def test_too_little_time_is_said(times, warning):
    """Cleaning takes longer than there is; or guests may come before the others have left."""
    found = turnovers(guest("a", 1, 5), guest("b", 5, 8), times=DayTimes(zone="Europe/Rome", **times))

    assert found[0]["warning"] == warning
    assert found[0]["from"] <= found[0]["until"]
    assert found[1]["warning"] is None


def test_a_villas_guest_leaves_its_parts_and_a_parts_guest_that_part():
    """Each is ready for the next guest who has nights of it."""
    villa, flat, loft = "unit_villa", "unit_flat", "unit_loft"
    stays = [guest("all", 1, 5, villa), guest("f", 5, 7, flat), guest("l", 8, 9, loft), guest("all2", 10, 12, villa)]

    found = {unit: brief(*stays, units=VILLA, unit=unit) for unit in (villa, flat, loft)}

    assert found == {
        villa: [("05", "all", "f", None), ("12", "all2", None, None)],
        flat: [("05", "all", "f", None), ("07", "f", "all2", None), ("12", "all2", None, None)],
        loft: [("05", "all", "l", None), ("09", "l", "all2", None), ("12", "all2", None, None)],
    }


def test_each_guest_keeps_the_times_of_what_was_booked():
    """The villa's guest leaves at the villa's time, also the flat; how long that is cleaned is its own."""
    times = {
        Scope("unit_villa"): DayTimes(check_out="10:00"),
        Scope("unit_flat"): DayTimes(check_in="16:30", cleaning_minutes=90),
    }
    stays = guest("all", 1, 5, "unit_villa"), guest("f", 5, 7, "unit_flat")

    (first, _) = turnovers(*stays, units=VILLA, unit="unit_flat", times=times)

    assert (first["from"], first["until"]) == ("2026-07-05T10:00:00+00:00", "2026-07-05T16:30:00+00:00")
    assert first["cleaning_minutes"] == 90


def test_a_units_time_goes_before_its_propertys_and_this_before_the_default():
    """Each of the fields by itself; zero minutes are a value."""
    house = a_property(timezone="Europe/Rome", check_in_time="16:00", cleaning_minutes=120)
    unit = a_unit(check_out_time="10:00", cleaning_minutes=0)

    assert read_times(unit, house, "UTC") == DayTimes(zone="Europe/Rome", check_in="16:00", check_out="10:00", cleaning_minutes=0)
    assert read_times(a_unit(), None, "Asia/Bangkok") == DayTimes(zone="Asia/Bangkok", check_in="15:00", check_out="11:00")


@pytest.mark.parametrize(
    ("day", "clock", "moment"),
    [
        ("2026-03-29", "11:00", "2026-03-29T11:00:00+02:00"),
        ("2026-03-28", "11:00", "2026-03-28T11:00:00+01:00"),
        ("2026-03-29", "02:30", "2026-03-29T03:30:00+02:00"),  # clocks skip it
        ("2026-10-25", "02:30", "2026-10-25T02:30:00+02:00"),  # they show it twice
        ("2026-10-25", "11:00", "2026-10-25T11:00:00+01:00"),
    ],
)
def test_days_on_which_clocks_change(day, clock, moment):
    """In Rome, 2026."""
    assert DayTimes(zone="Europe/Rome", check_out=clock).departure_at(date.fromisoformat(day)).isoformat() == moment


CLOCKS = st.times().map("{:%H:%M}".format)
ZONES = st.sampled_from(["UTC", "Europe/Rome", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "Australia/Lord_Howe"])
STAYS = st.lists(
    st.tuples(st.integers(1, 28), st.integers(1, 6), st.sampled_from(["unit_villa", "unit_flat", "unit_loft"])), max_size=7
)


@given(stays=STAYS, zone=ZONES, out=CLOCKS, into=CLOCKS, minutes=st.none() | st.integers(0, 1440))
def test_every_departure_is_one_turnover_of_each_unit_that_it_empties(stays, zone, out, into, minutes):
    """Against the definition, one by one: nobody is left out, and nobody who is there comes sooner than the one named."""
    records = [guest(f"g{n}", first, min(first + length, 31), unit) for n, (first, length, unit) in enumerate(stays)]
    times = DayTimes(zone=zone, check_out=out, check_in=into, cleaning_minutes=minutes)
    spans = {r.id: (r.remote["check_in"], r.remote["check_out"]) for r in records}
    above = {"unit_villa": {"unit_villa"}, "unit_flat": {"unit_flat", "unit_villa"}, "unit_loft": {"unit_loft", "unit_villa"}}
    linked = above | {"unit_villa": {"unit_villa", "unit_flat", "unit_loft"}}

    for unit in VILLA:
        found = turnovers(*records, units=VILLA, unit=unit.id, times=times)
        occupancy = read_occupancy(VILLA, records, today=TODAY, at=NOW)
        own = [b for b in occupancy.bookings if b.kind == "reservation" and b.state == "own"]
        assert sorted(t["leaves"] for t in found) == sorted(b.id for b in own if b.unit_id in above[unit.id])
        for t in found:
            there = [b for b in own if b.unit_id in linked[unit.id] and spans[b.id][1] > t["date"]]
            first = min(there, key=lambda b: (spans[b.id][0], b.id), default=None)
            assert t["arrives"] == (first.id if first else None)
            check(t, spans, minutes)


def check(turnover, spans, minutes):
    """Assert what holds of every turnover by itself."""
    since, until = (datetime.fromisoformat(turnover[name] or turnover["from"]) for name in ("from", "until"))
    coming = spans[turnover["arrives"]][0] if turnover["arrives"] else None
    assert turnover["date"] == spans[turnover["leaves"]][1]
    assert since <= until
    assert turnover["same_day"] == (coming is not None and coming <= turnover["date"])
    assert (turnover["warning"] == "double-booking") == (coming is not None and coming < turnover["date"])
    if coming and turnover["warning"] is None:
        assert until - since >= timedelta(minutes=minutes or 0)
    if coming and coming >= turnover["date"] and minutes and until - since < timedelta(minutes=minutes):
        assert turnover["warning"] == "too-short"
