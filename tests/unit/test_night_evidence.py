"""What a calendar says of a night: taken, free, or nothing."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bokit.core.bookings.stay import NIGHTS, ROLLING
from bokit.core.model.records import Presence
from bokit.core.occupancy.night_evidence import judge_evidence
from tests.support.builders import NOW, a_record
from tests.support.july import an_airbnb

READ = datetime.fromisoformat("2026-07-10T23:30:00Z")
"""Which is the 11th in Rome."""
STAY = an_airbnb(14, 17)
WINDOW = a_record(
    id="unit_1.window",
    source_id="src_a",
    remote={
        "kind": "window",
        "status": "blocked",
        NIGHTS: [["2026-07-25", "2026-07-28"]],
        ROLLING: [["2026-07-30", "2026-07-31"]],
    },
)
MISSING = an_airbnb(14, 17, presence=Presence.MISSING, missing_since=NOW)
CANCELLED = an_airbnb(14, 17, status="cancelled_by_guest")


@pytest.mark.parametrize(
    ("records", "day", "says"),
    [
        ([STAY], 14, "taken"),
        ([STAY], 16, "taken"),
        ([STAY], 17, "free"),
        ([STAY], 13, "free"),
        ([STAY, WINDOW], 27, "taken"),
        ([STAY, WINDOW], 28, "nothing"),
        ([WINDOW], 30, "taken"),
        ([MISSING], 15, "free"),
        ([CANCELLED], 15, "free"),
        ([], 11, "free"),
        ([], 10, "nothing"),
        ([], 20, "free"),
        ([], 21, "nothing"),
        ([an_airbnb(21, 22)], 21, "taken"),
    ],
)
def test_a_calendar_speaks_from_the_day_of_its_reading_up_to_its_horizon(records, day, says):
    """By the unit's own days. What it shows counts wherever it lies, whatever a person made of it."""
    judged = judge(records, day)

    assert judged[:2] == (says, date(2026, 7, 21))


def judge(records, day, read_at=READ):
    return judge_evidence(records, date(2026, 7, day), read_at=read_at, zone=ZoneInfo("Europe/Rome"), horizon=timedelta(days=10))


def test_the_last_night_that_a_calendar_shows_is_given_by_the_day_after_it():
    assert [judge(records, 1)[2] for records in ([STAY], [STAY, WINDOW], [MISSING], [])] == [
        date(2026, 7, 17),
        date(2026, 7, 31),
        None,
        None,
    ]


def test_what_was_never_read_says_nothing():
    assert judge([], 15, read_at=None) == ("nothing", None, None)
