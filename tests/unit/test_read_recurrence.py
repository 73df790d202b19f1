"""Series: as recurring_ical_events counts them on the whole calendar, and never for long."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events

from bokit.core.read_ical import read_ical
from bokit.core.recurrence_rules import can_happen, read_rule
from bokit.core.rules import Verdict
from tests.unit.feed_bodies import AT

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
    return read_ical(body, at=AT, timezone=ROME, since=FIRST, until=LAST)


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
