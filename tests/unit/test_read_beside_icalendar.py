"""Plain events are read by our own reader: it must read in them what icalendar reads."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import icalendar
from hypothesis import given, settings
from hypothesis import strategies as st

from bokit.core.ical.reader import ReadSettings, read_ical
from bokit.core.model.source_rules import SEVERAL_ROOMS

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
ROME = ZoneInfo("Europe/Rome")
ZONES = ("Europe/Paris", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe")

texts = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\x85"), min_size=1, max_size=80)
days = st.dates(date(2026, 5, 1), date(2028, 5, 1))
nights = st.integers(1, 40)


@st.composite
def events(draw, number):
    """One event as icalendar writes it, folded where it folds; all-day, in UTC, or in a zone."""
    event = icalendar.Event()
    event.add("uid", f"{number}@feeds.example")
    event.add("dtstamp", AT)
    start, length = draw(days), timedelta(days=draw(nights))
    shape = draw(st.sampled_from(("date", "utc", "zone")))
    if shape != "date":
        zone = UTC if shape == "utc" else ZoneInfo(draw(st.sampled_from(ZONES)))
        start = datetime(start.year, start.month, start.day, draw(st.integers(12, 20)), 30, tzinfo=zone)
    event.add("dtstart", start)
    if draw(st.booleans()):
        event.add("dtend", start + length)
    else:
        event.add("duration", length)
    event.add("summary", draw(texts))
    event.add("description", draw(texts))
    return event


@st.composite
def calendars(draw):
    """A calendar of some events."""
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//somebody//some calendar//EN")
    calendar.add("version", "2.0")
    for number in range(draw(st.integers(1, 8))):
        calendar.add_component(draw(events(number)))
    return calendar


def local_day(moment: date | datetime) -> date:
    """Return the day of *moment* in the unit's timezone."""
    return moment.astimezone(ROME).date() if isinstance(moment, datetime) else moment


def departure(moment: date | datetime) -> date:
    """Return the day of departure: a stay that ends at 21:00 or later, in the unit's timezone, holds that night too."""
    is_late = isinstance(moment, datetime) and moment.astimezone(ROME).hour >= 21
    return local_day(moment) + timedelta(days=1 if is_late else 0)


@settings(max_examples=200, deadline=None)
@given(calendars())
def test_our_reader_reads_what_icalendar_reads(calendar):
    """UID, summary, first night and departure of plain events are the same for both."""
    body = calendar.to_ical()
    theirs = {
        str(e["UID"]): (local_day(e.start), departure(e.end), str(e["SUMMARY"]).strip())
        for e in icalendar.Calendar.from_ical(body).walk("VEVENT")
    }

    ends = {str(e["UID"]): e.end for e in icalendar.Calendar.from_ical(body).walk("VEVENT")}

    seen = read_ical(body, ReadSettings(at=AT, timezone=ROME))

    assert {e.uid: (e.check_in, e.check_out, e.summary) for e in seen.entries} == theirs
    late = {uid for uid, event in ends.items() if departure(event) != local_day(event)}
    assert {p.uid for p in seen.problems if p.code != SEVERAL_ROOMS} == late
