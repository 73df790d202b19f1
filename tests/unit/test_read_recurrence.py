"""Series: as recurring_ical_events counts them on the whole calendar, and never for long."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events

from bokit.core.ical.reader import ReadSettings, read_ical
from bokit.core.ical.recurrence_rules import can_happen, read_rule
from bokit.core.model.source_rules import Verdict
from tests.support.feed_bodies import AT

ROME = ZoneInfo("Europe/Rome")
FIRST, LAST = date(2026, 12, 1), date(2028, 12, 1)
RULES = [
    "FREQ=DAILY",
    "FREQ=DAILY;COUNT=10",
    "FREQ=DAILY;INTERVAL=3;UNTIL=20270401T000000Z",
    "FREQ=DAILY;BYMONTH=1,2",
    "FREQ=WEEKLY",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;WKST=SU",
    "FREQ=WEEKLY;BYDAY=TU;COUNT=30",
    "FREQ=MONTHLY",
    "FREQ=MONTHLY;BYDAY=1FR",
    "FREQ=MONTHLY;BYDAY=-1SU,1MO",
    "FREQ=MONTHLY;BYMONTHDAY=-3",
    "FREQ=MONTHLY;BYMONTHDAY=31",
    "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
    "FREQ=MONTHLY;INTERVAL=18;BYMONTHDAY=10,11",
    "FREQ=YEARLY",
    "FREQ=YEARLY;BYMONTH=6,7",
    "FREQ=YEARLY;BYDAY=20MO",
    "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
    "FREQ=YEARLY;BYYEARDAY=1,100,-1",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=YEARLY;INTERVAL=2;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
]
STARTS = {
    "all-day": "DTSTART;VALUE=DATE:20261203\r\nDTEND;VALUE=DATE:20261205",
    "utc": "DTSTART:20261203T150000Z\r\nDTEND:20261204T100000Z",
    "zoned": "DTSTART;TZID=Europe/Rome:20261203T160000\r\nDTEND;TZID=Europe/Rome:20261204T100000",
}
MORE = "EXDATE:20261217T150000Z\r\nRDATE:20270111T150000Z\r\n"


def series(start: str, rule: str, more: str = "") -> bytes:
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:s\r\n{start}\r\nRRULE:{rule}\r\n{more}"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


def expected(body: bytes) -> list[date]:
    found = recurring_ical_events.of(icalendar.Calendar.from_ical(body)).between(FIRST, LAST)
    starts = (component["DTSTART"].dt for component in found)
    return sorted(s.astimezone(ROME).date() if hasattr(s, "astimezone") else s for s in starts)


def read(body: bytes):
    return read_ical(body, ReadSettings(at=AT, timezone=ROME, since=FIRST, until=LAST))


@pytest.mark.slow
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_means_what_the_library_says(start, rule):
    """The stays of a series are those that recurring_ical_events finds in the whole calendar."""
    body = series(start, rule)
    seen = read(body)

    assert seen.verdict is Verdict.OK
    assert [entry.check_in for entry in seen.entries] == expected(body)


def test_an_hour_in_the_rule_counts_for_timed_events():
    """BYHOUR with one value moves a timed series to that hour."""
    body = series(STARTS["zoned"], "FREQ=DAILY;BYHOUR=16")

    assert [entry.check_in for entry in read(body).entries] == expected(body)


@pytest.mark.parametrize("start", [STARTS["utc"], STARTS["zoned"]])
def test_exceptions_and_extra_dates_count(start):
    """EXDATE takes a date away, RDATE adds one, and a calendar's X-WR-TIMEZONE moves a series of UTC through summer."""
    body = series(start, "FREQ=WEEKLY;COUNT=40", MORE)
    zoned = body.replace(b"PRODID:x", b"PRODID:x\r\nX-WR-TIMEZONE:America/New_York")

    assert [entry.check_in for entry in read(body).entries] == expected(body)
    assert [entry.check_in for entry in read(zoned).entries] == expected(zoned)


BOMBS = [
    "FREQ=SECONDLY",
    "FREQ=MINUTELY",
    "FREQ=HOURLY",
    "FREQ=DAILY;INTERVAL=0",
    "FREQ=DAILY;INTERVAL=-1",
    "FREQ=DAILY;BYSECOND=1,2,3",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=31",
    "FREQ=YEARLY;BYYEARDAY=400",
    "FREQ=YEARLY;BYMONTH=13",
    "FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=20",
    "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=300",
    "FREQ=WEEKLY;BYDAY=XX",
    "FREQ=DAILY;FREQ=DAILY",
    "",
    "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
    "FREQ=MONTHLY;INTERVAL=12;BYMONTH=5",
    "FREQ=DAILY;BYEASTER=1",
    "nonsense",
    "FREQ=YEARLY;BYWEEKNO=60",
]


@pytest.mark.parametrize("rule", BOMBS)
def test_a_rule_that_would_run_for_ever_costs_a_problem(rule):
    """Such a series holds the night that it names itself, and makes the feed partial."""
    seen = read(series(STARTS["all-day"], rule))

    assert seen.verdict is Verdict.PARTIAL
    assert [entry.check_in for entry in seen.entries] == [date(2026, 12, 3)]
    assert [problem.code for problem in seen.problems] == ["unsupported-recurrence"]


def test_many_series_share_one_budget():
    """A thousand endless daily series are read in part, not for minutes."""
    one = "BEGIN:VEVENT\r\nUID:{}\r\nDTSTART;VALUE=DATE:20200101\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\n"
    body = "BEGIN:VCALENDAR\r\n" + "".join(one.format(i) for i in range(1000)) + "END:VCALENDAR\r\n"
    seen = read(body.encode())

    assert seen.verdict is Verdict.PARTIAL
    assert len(seen.entries) < 20_000


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_of_the_standard_can_happen(rule):
    """No sound rule is taken for one that never fits a day."""
    found = read_rule(rule)

    assert found is not None
    assert can_happen(found, date(2026, 12, 3))
    assert found.cost(date(2026, 12, 3), date(2026, 12, 3) + timedelta(days=730)) <= 731


ZONE = (
    "BEGIN:VTIMEZONE\r\nTZID:{name}\r\nBEGIN:DAYLIGHT\r\nDTSTART:19700329T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\n"
    "TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nEND:DAYLIGHT\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\n"
    "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)
SUMMERS = {
    "into summer": "20270325T{hour}0000",
    "into winter": "20271028T{hour}0000",
    "over both": "20270101T{hour}0000",
}
ZONES = {
    "IANA with its VTIMEZONE": ("Europe/Rome", ZONE.format(name="Europe/Rome")),
    "IANA without": ("Europe/Rome", ""),
    "of its own": ("Our house", ZONE.format(name="Our house")),
    "Windows with its VTIMEZONE": ("W. Europe Standard Time", ZONE.format(name="W. Europe Standard Time")),
    "Windows without": ("W. Europe Standard Time", ""),
    "another side of the world": ("America/New_York", ""),
}


def whole(zone: str, *events: str) -> bytes:
    """A calendar of these events of one series, in *zone*."""
    parts = "".join(f"BEGIN:VEVENT\r\nUID:s\r\n{event}END:VEVENT\r\n" for event in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{zone}{parts}END:VCALENDAR\r\n".encode()


def expected_moments(body: bytes) -> list[tuple[object, object]]:
    """The library's occurrences over the same days, as moments in UTC."""
    found = recurring_ical_events.of(icalendar.Calendar.from_ical(body)).between(FIRST, LAST)
    return sorted((c["DTSTART"].dt.astimezone(UTC), c["DTEND"].dt.astimezone(UTC)) for c in found)


def moments(body: bytes) -> list[tuple[object, object]]:
    seen = read(body)
    assert seen.verdict is Verdict.OK
    return sorted((entry.starts_at, entry.ends_at) for entry in seen.entries)


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES.values(), ids=ZONES)
@pytest.mark.parametrize("hour", ["00", "01", "03", "23"])
@pytest.mark.parametrize("day", SUMMERS.values(), ids=SUMMERS)
def test_a_timed_series_goes_through_summer_time(day, hour, zone):
    """Stays keep their local hours over a change of clocks in either direction, whatever names the zone."""
    name, component = zone
    body = whole(component, weekly(name, day.format(hour=hour)))

    assert moments(body) == expected_moments(body)


@pytest.mark.parametrize("name", ["Europe/Rome", "W. Europe Standard Time"])
def test_an_hour_that_the_clocks_leave_out_is_read_with_the_offset_before(name):
    """Two o'clock on the night of the change means what the standard says, and recurring_ical_events for an IANA name."""
    start = SUMMERS["into summer"].format(hour="02")

    assert moments(whole("", weekly(name, start))) == expected_moments(whole("", weekly("Europe/Rome", start)))


def weekly(zone: str, start: str) -> str:
    """Stays of twenty hours, three times a week."""
    end = datetime.fromisoformat(start) + timedelta(hours=20)
    rule = "RRULE:FREQ=WEEKLY;BYDAY=TH,SA,SU;COUNT=120"
    return f"DTSTART;TZID={zone}:{start}\r\nDTEND;TZID={zone}:{end:%Y%m%dT%H%M%S}\r\n{rule}\r\n"


EXCEPTIONS = {
    "one moved": "RECURRENCE-ID;TZID=Europe/Rome:20270325T160000\r\nDTSTART;TZID=Europe/Rome:20270327T170000\r\n"
    "DTEND;TZID=Europe/Rome:20270330T100000\r\n",
    "one moved, named in UTC": "RECURRENCE-ID:20270325T150000Z\r\nDTSTART:20270326T150000Z\r\nDTEND:20270327T150000Z\r\n",
    "all from one on": "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Rome:20270401T160000\r\n"
    "DTSTART;TZID=Europe/Rome:20270402T180000\r\nDTEND;TZID=Europe/Rome:20270404T100000\r\n",
    "one that is not of the series": "RECURRENCE-ID;TZID=Europe/Rome:20270326T160000\r\n"
    "DTSTART;TZID=Europe/Rome:20270611T160000\r\nDTEND;TZID=Europe/Rome:20270612T100000\r\n",
}
DATES = {
    "none": "",
    "one taken away": "EXDATE;TZID=Europe/Rome:20270318T160000\r\n",
    "taken away, in UTC": "EXDATE:20270318T150000Z,20270415T140000Z\r\n",
    "one more": "RDATE;TZID=Europe/Rome:20270320T120000\r\n",
    "one more and taken away": "RDATE;TZID=Europe/Rome:20270320T120000\r\nEXDATE;TZID=Europe/Rome:20270320T120000\r\n",
    "one twice": "RDATE;TZID=Europe/Rome:20270318T160000\r\n",
}


@pytest.mark.parametrize("dates", DATES.values(), ids=DATES)
@pytest.mark.parametrize("exception", EXCEPTIONS.values(), ids=EXCEPTIONS)
def test_exceptions_move_what_the_library_moves(exception, dates):
    """RECURRENCE-ID for one stay or for all that follow, with EXDATE and RDATE beside it, over a change of clocks."""
    master = (
        "DTSTART;TZID=Europe/Rome:20270304T160000\r\nDTEND;TZID=Europe/Rome:20270306T100000\r\n"
        f"RRULE:FREQ=WEEKLY;UNTIL=20270901T000000Z\r\n{dates}"
    )

    body = whole("", master, exception)

    assert moments(body) == expected_moments(body)
    assert moments(whole("", exception, master)) == expected_moments(body)
