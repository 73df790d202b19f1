"""The outgoing calendar of turnovers, for who cleans: times, no guest, and what follows a moved booking."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.occupancy.out_calendar import CalendarVariant
from tests.support.apartment import Flat

TURNOVERS, ARRIVALS, DEPARTURES = CalendarVariant.TURNOVERS, CalendarVariant.ARRIVALS, CalendarVariant.DEPARTURES


@pytest.fixture
def home() -> Flat:
    """A flat in Rome with two guests by hand, one after the other, and a block."""
    made = Flat()
    made.bokit.catalog.edit_unit(DEFAULT_TENANT, made.flat, {"timezone": "Europe/Rome"})
    made.make(20, 24, guest_name="Sentinel Ada", phone="+39 055 1234567")
    made.make(24, 27, guest_name="Sentinel Grace", guests=3)
    made.make(40, 42, kind="block")
    return made


def events(home: Flat, variant: CalendarVariant = TURNOVERS, **given: Any) -> list[Any]:
    """Return a calendar's events by time."""
    found = Calendar.from_ical(home.body(home.calendar(variant=variant, **given))).events
    return sorted(found, key=lambda e: e["DTSTART"].dt)


def clock(home: Flat, event: Any) -> list[str]:
    """Return when an event begins and ends, as days from today and times in Rome."""
    times = (event[name].dt.astimezone(ZoneInfo("Europe/Rome")) for name in ("DTSTART", "DTEND"))
    return [f"{(at.date() - home.today).days} {at:%H:%M}" for at in times]


def move(home: Flat, guest: str, **days: int) -> None:
    """Move the booking of a guest to other days."""
    (booking,) = (b for b in home.bokit.bookings.list_bookings(DEFAULT_TENANT, [home.flat]) if b["guest_name"] == guest)
    values = {name: home.day(day) for name, day in days.items()}
    home.clock.move(hours=1)
    home.bokit.bookings.edit(DEFAULT_TENANT, booking["id"], values, by="user:rosa")


def test_it_shows_the_time_between_two_guests(home):
    """Up to the next guest on the same day; else up to the usual time."""
    first, last = events(home)

    assert clock(home, first) == ["24 11:00", "24 15:00"]
    assert clock(home, last) == ["27 11:00", "27 15:00"]
    assert [str(e["SUMMARY"]) for e in (first, last)] == ["Turnover, next guest the same day", "Turnover"]
    assert str(first["DESCRIPTION"]).startswith("Check-out by 11:00\nNext guest from ")
    assert str(last["DESCRIPTION"]) == "Check-out by 11:00\nNobody is booked after"


def test_no_guest_is_named_unless_it_is_asked_for(home):
    """Names and phones are in it with details alone, or where the tenant names guests in all calendars."""
    calendar = home.calendar(variant=TURNOVERS)
    assert b"Sentinel" not in home.body(calendar)
    assert b"1234567" not in home.body(calendar)

    (first, _) = events(home, details=True)
    assert "Leaves: Sentinel Ada" in str(first["DESCRIPTION"])
    assert "Arrives: Sentinel Grace\nGuests: 3" in str(first["DESCRIPTION"])

    home.bokit.catalog.options.set(DEFAULT_TENANT, "export.anonymous", False)
    assert b"Sentinel Ada" in home.body(calendar)


def test_it_follows_a_moved_booking(home):
    """The same event at another time, changed later; it follows the next guest as well."""
    before, _ = events(home)

    move(home, "Sentinel Ada", check_out=23)
    after, last = events(home)
    assert clock(home, after) == ["23 11:00", "23 15:00"]
    assert after["UID"] == before["UID"] != last["UID"]
    assert after["LAST-MODIFIED"].dt > before["LAST-MODIFIED"].dt
    assert str(after["SUMMARY"]) == "Turnover"

    move(home, "Sentinel Grace", check_in=23)
    again, _ = events(home)
    assert (clock(home, again), str(again["SUMMARY"])) == (["23 11:00", "23 15:00"], "Turnover, next guest the same day")
    assert again["LAST-MODIFIED"].dt > after["LAST-MODIFIED"].dt


def test_it_follows_the_times_of_the_unit_and_of_its_property(home):
    """At once; a warning where cleaning takes longer than there is."""
    unit = home.bokit.catalog.load_unit(DEFAULT_TENANT, home.flat)
    home.bokit.catalog.edit_property(DEFAULT_TENANT, unit.property_id, {"check_in_time": "16:00", "cleaning_minutes": 400})
    home.bokit.catalog.edit_unit(DEFAULT_TENANT, home.flat, {"check_out_time": "10:00"})

    first, last = events(home)
    assert (clock(home, first), clock(home, last)) == (["24 10:00", "24 16:00"], ["27 10:00", "27 16:00"])
    assert str(first["DESCRIPTION"]).endswith("Cleaning takes 400 minutes\nToo little time before the next guest")
    assert "Too little" not in str(last["DESCRIPTION"])


def test_an_event_never_ends_before_it_begins(home):
    """Where guests may come before others leave, it lasts as long as cleaning, or an hour."""
    home.bokit.catalog.edit_unit(DEFAULT_TENANT, home.flat, {"check_in_time": "09:00"})
    assert [clock(home, e) for e in events(home)] == [["24 11:00", "24 12:00"], ["27 11:00", "27 12:00"]]

    home.bokit.catalog.edit_unit(DEFAULT_TENANT, home.flat, {"cleaning_minutes": 90})
    assert [clock(home, e) for e in events(home)] == [["24 11:00", "24 12:30"], ["27 11:00", "27 12:30"]]


def test_unchanged_data_is_unchanged_bytes(home):
    """Whatever the day on which it is written."""
    calendar = home.calendar(variant=TURNOVERS)
    before = home.body(calendar)
    home.clock.move(days=3)

    assert home.bokit.calendars.write(calendar) == before


def test_arrivals_and_departures_say_the_time(home):
    """Still events of whole days, which every calendar shows at the top of the day."""
    home.bokit.catalog.edit_unit(DEFAULT_TENANT, home.flat, {"check_out_time": "10:00"})

    assert [str(e["DESCRIPTION"]) for e in events(home, ARRIVALS)] == ["Check-in from 15:00"] * 2
    assert [str(e["DESCRIPTION"]) for e in events(home, DEPARTURES)] == ["Check-out by 10:00"] * 2
    assert not any(isinstance(e["DTSTART"].dt, datetime) for e in events(home, ARRIVALS))


def stamps(home: Flat, variant: CalendarVariant) -> list[Any]:
    """Return when each event last changed, as the calendar says."""
    return [e["LAST-MODIFIED"].dt for e in events(home, variant)]


@pytest.mark.parametrize("field", ["check_in_time", "check_out_time", "timezone", "cleaning_minutes"])
@pytest.mark.parametrize("place", ["unit", "property"])
def test_other_times_change_the_stamp_with_the_body(home, field, place):
    """A reader that goes by LAST-MODIFIED takes the new times over, be they the unit's or inherited."""
    catalog, value = home.bokit.catalog, {"timezone": "Asia/Bangkok", "cleaning_minutes": 90}.get(field, "12:30")
    catalog.edit_unit(DEFAULT_TENANT, home.flat, {"timezone": None})
    before, body = stamps(home, TURNOVERS), home.body(home.calendar(variant=TURNOVERS))
    home.clock.move(hours=1)

    edit = catalog.edit_unit if place == "unit" else catalog.edit_property
    edit(DEFAULT_TENANT, home.flat if place == "unit" else home.rosa.id, {field: value})

    changed_at = home.clock().replace(microsecond=0)
    assert home.body(home.calendar(variant=TURNOVERS)) != body
    assert stamps(home, TURNOVERS) == [changed_at] * len(before)
    assert all(at < changed_at for at in before)


def test_what_says_no_time_keeps_its_stamp(home):
    """Calendars of nights, and times of the property that the unit has of its own; another name changes none."""
    nights, bookings = (home.calendar(variant=CalendarVariant(name)) for name in ("occupied", "bookings"))
    own = {"check_in_time": "16:00", "check_out_time": "10:00", "timezone": "Europe/Rome", "cleaning_minutes": 60}
    home.bokit.catalog.edit_unit(DEFAULT_TENANT, home.flat, own)
    before = [home.body(nights), home.body(bookings), home.body(home.calendar(variant=TURNOVERS)), stamps(home, ARRIVALS)]
    home.clock.move(hours=1)

    home.bokit.catalog.edit_property(DEFAULT_TENANT, home.rosa.id, {"check_in_time": "12:00", "name": "Blu"})
    assert [home.body(nights), home.body(bookings), home.body(home.calendar(variant=TURNOVERS)), stamps(home, ARRIVALS)] == before

    home.bokit.catalog.edit_unit(DEFAULT_TENANT, home.flat, {"check_in_time": "17:00"})
    assert [home.body(nights), home.body(bookings)] == before[:2]
    assert stamps(home, ARRIVALS) == [home.clock().replace(microsecond=0)] * 2
