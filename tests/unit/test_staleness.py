"""Stale bodies: they close nights, prove no absence, and a source that stands still is reported."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from bokit.core.bookings.staleness import follows_fetches
from bokit.core.ical.lexer import read_stamp
from bokit.core.ical.platforms.registry import traits_of
from bokit.core.model.due_times import SourceState, judge_source
from bokit.core.model.options import Options
from bokit.core.model.plan import ActionKind, Plan
from bokit.core.model.records import Presence
from bokit.core.model.scheduling import Staleness
from bokit.core.model.source_memory import SourceHabits, read_memory
from bokit.net.headers import read_made_at
from bokit.values import replace
from tests.support.builders import a_head, a_schedule
from tests.support.simulated_source import START, SimulatedSource, block, kinds, nights_of, reservation

A, B = reservation("HMAAAAAAAA", 10, 14), reservation("HMBBBBBBBB", 20, 24)
C, D = reservation("HMCCCCCCCC", 30, 34), reservation("HMDDDDDDDD", 40, 44)
CANCEL, MISS = ActionKind.CANCEL, ActionKind.MARK_MISSING


def see(source: SimulatedSource, *entries, hours: float = 1, age: float = 0.01, **given) -> Plan:
    """Fetch a body that was stamped *age* hours before."""
    stamp = source.at + timedelta(hours=hours - age)
    return source.see(*entries, hours=hours, stamp=stamp, **given)


def airbnb() -> SimulatedSource:
    return SimulatedSource("airbnb", interval=timedelta(hours=1))


def habits(source: SimulatedSource) -> SourceHabits:
    return read_memory(source.memory).habits


def test_an_older_body_proves_no_absence_and_moves_nothing():
    """B was booked, and A moved, since a cache kept its copy."""
    source = airbnb()
    see(source, A, C, D)
    moved = reservation("HMAAAAAAAA", 50, 53)
    see(source, moved, B, C, D)

    plan = see(source, A, C, D, age=1.5)

    assert kinds(plan) == []
    assert plan.refused
    assert plan.stale_since == source.at - timedelta(hours=1.5)
    assert len(source.stays(Presence.PRESENT)) == 4
    assert nights_of(50, 53) | nights_of(20, 24) <= source.held()
    assert nights_of(10, 14) <= source.held(), "what it closes is held for now"


def test_for_however_long_it_comes():
    source = airbnb()
    see(source, A, C, D)
    see(source, A, B, C, D)
    made = source.at - timedelta(minutes=40)
    for _ in range(40):
        source.see(A, C, D, hours=1, stamp=made)
    assert not source.stays(Presence.MISSING, Presence.GONE)
    see(source, A, C, D)
    assert kinds(see(source, A, C, D, hours=25)) == [CANCEL]


def test_a_frozen_body_lets_no_time_pass():
    """A is missing, and the same body comes for days: nothing says that it is still missing."""
    source = airbnb()
    see(source, A, B, C, D)
    see(source, B, C, D)
    made = source.at - timedelta(hours=0.01)
    for _ in range(3):
        plan = source.see(B, C, D, hours=20, stamp=made)
        assert kinds(plan) == []
        assert plan.stale_since == made
    assert kinds(see(source, B, C, D)) == [CANCEL]
    assert habits(source).stale_since is None


def test_the_nights_that_a_stale_body_closed_open_again():
    source = airbnb()
    see(source, A, C, D)
    see(source, reservation("HMAAAAAAAA", 50, 53), C, D)
    see(source, A, C, D, age=1.5)
    for _ in range(3):
        see(source, reservation("HMAAAAAAAA", 50, 53), C, D, hours=20)
    assert not nights_of(10, 14) & source.held()


def test_a_late_body_that_is_newer_than_the_last_is_believed():
    source = airbnb()
    see(source, A, B, C)
    plan = see(source, A, B, C, D, hours=10, age=5)
    assert kinds(plan) == [ActionKind.CREATE]


def test_news_under_the_same_stamp_show_that_stamps_follow_nothing():
    source = airbnb()
    stamp = source.at + timedelta(hours=1)
    source.see(A, B, C, D, stamp=stamp)
    assert kinds(source.see(B, C, D, stamp=stamp)) == [MISS]
    assert habits(source).stamps == 0
    assert kinds(source.see(B, C, D, hours=25, stamp=stamp)) == [CANCEL]


def test_a_fixed_stamp_does_not_show_age():
    """Many systems stamp an event when it was written."""
    source = airbnb()
    stamp = datetime(2025, 1, 1, tzinfo=UTC)
    source.see(A, B, C, D, stamp=stamp)
    source.see(B, C, D, stamp=stamp)
    assert kinds(source.see(B, C, D, hours=25, stamp=stamp)) == [CANCEL]


def test_stamps_of_other_calendars_prove_nothing():
    """A calendar that is stamped when it changes is read again only when it changed: its stamps seem to follow fetches."""
    source = SimulatedSource("generic", interval=timedelta(hours=1))
    for _ in range(5):
        see(source, A, B, C, D)
        assert not follows_fetches(habits(source), traits_of("generic"))


def test_a_cached_response_is_stale_by_its_date():
    source = SimulatedSource("generic", interval=timedelta(hours=1))

    def see_dated(*entries, made: datetime, hours: float = 1) -> Plan:
        source.given["made_at"] = made
        return source.see(*entries, hours=hours)

    see_dated(A, B, C, D, made=source.at)
    made = source.at
    see_dated(A, B, C, made=made)
    for _ in range(3):
        assert kinds(see_dated(A, B, C, hours=20, made=made)) == []
    assert kinds(see_dated(A, B, C, made=source.at)) == [CANCEL]


def test_a_cache_that_writes_its_own_date_is_stale_by_the_age_of_its_content():
    """The age is in whole seconds, so what was cached once seems to be made some seconds earlier or later."""
    source = SimulatedSource("generic", interval=timedelta(hours=1))

    def see_aged(*entries, age: float, hours: float = 1) -> Plan:
        date = format_datetime(source.at + timedelta(hours=hours), usegmt=True)
        source.given["made_at"] = read_made_at(date, str(int(age)), source.at + timedelta(hours=hours))
        return source.see(*entries, hours=hours)

    see_aged(A, B, C, D, age=0)
    see_aged(A, B, C, age=30)
    for n in range(1, 4):
        assert kinds(see_aged(A, B, C, hours=20, age=30 + n * 20 * 3600 - n % 3)) == []
    assert kinds(see_aged(A, B, C, age=10)) == [CANCEL]


def test_a_clock_that_runs_ahead_is_not_a_standstill():
    """It drifted for a day of fetches without news: what it sends now is doubtful since the last of them, not since the first."""
    source = airbnb()
    see(source, A, B)
    source.at += timedelta(hours=24)
    source.last_read = source.at
    assert see(source, A, B, age=-1.1).stale_since == source.last_read - timedelta(hours=1)


# ── the end of a calendar ──


def rolling_source(days: int = 4) -> SimulatedSource:
    """Return a source without stamps, whose calendar ends 300 and more days ahead and rolled with midnights."""
    source = SimulatedSource("generic", interval=timedelta(hours=1))
    source.see(*NIGHTS_ALONE)
    for n in range(1, days + 1):
        source.see(*NIGHTS_ALONE, the_end(n), hours=24)
    return source


def the_end(rolled: int):
    return block(270 + rolled, 366 + rolled)


NIGHTS_ALONE = tuple(block(first, first + 4) for first in (60, 70, 80, 90))


def test_an_end_that_did_not_roll_shows_an_old_body():
    """A day and an hour after it last rolled; what is missing then is not gone, and the source stands still."""
    source = rolling_source()
    source.see(*NIGHTS_ALONE[1:], the_end(4))
    assert source.see(*NIGHTS_ALONE[1:], the_end(4), hours=23).stale_since is None
    for hours in (1.5, 24, 24):
        plan = source.see(*NIGHTS_ALONE[1:], the_end(4), hours=hours)
        assert (kinds(plan), plan.refused) == ([], True)
        assert plan.stale_since == START + timedelta(hours=1, days=5)
    assert kinds(source.see(*NIGHTS_ALONE[1:], the_end(7), hours=1)) == [CANCEL]


def test_a_quiet_source_is_looked_at_when_its_end_must_have_rolled():
    """The body is the same, so nothing else would."""
    source = rolling_source()
    assert source.see(*NIGHTS_ALONE, the_end(4), hours=24.5).settle_at == source.at + timedelta(hours=0.5)


def test_an_end_that_moved_back_shows_an_older_body():
    """Whatever else it shows; further back it is a shorter calendar."""
    source = rolling_source()
    plan = source.see(*NIGHTS_ALONE[1:], the_end(2))
    assert (kinds(plan), plan.stale_since) == ([], START + timedelta(hours=1, days=2))
    assert source.see(*NIGHTS_ALONE[1:], the_end(-40)).stale_since is None


@pytest.mark.parametrize("shown", [NIGHTS_ALONE[1:], (*NIGHTS_ALONE, block(40, 42))])
def test_news_show_that_an_end_no_longer_rolls(shown):
    source = rolling_source()
    plan = source.see(*shown, the_end(4), hours=30)
    assert (kinds(plan) != [], plan.stale_since) == (True, None)
    assert source.see(*shown, the_end(4), hours=30).stale_since is None


def test_an_end_some_months_ahead_stands_still_at_the_end_of_a_month():
    source = rolling_source()
    for n in range(5, 28):
        source.see(*NIGHTS_ALONE, the_end(n), hours=24)
    assert source.today.day == 28
    assert [source.see(*NIGHTS_ALONE, the_end(27), hours=24).stale_since for _ in range(2)] == [None, None]


@pytest.mark.parametrize("days", [1, 2, 3])
def test_an_end_that_rolled_too_seldom_shows_nothing(days):
    source = rolling_source(days)
    assert source.see(*NIGHTS_ALONE, the_end(days), hours=30).stale_since is None


def test_the_first_stamp_of_a_body_is_read():
    assert read_stamp(b"BEGIN:VEVENT\r\nDTSTAMP:20260601T090000Z\r\nUID:a\r\n") == datetime(2026, 6, 1, 9, tzinfo=UTC)
    assert read_stamp(b"BEGIN:VEVENT\nDTSTAMP;X=1:20260601T090000Z\n") == datetime(2026, 6, 1, 9, tzinfo=UTC)
    for body in (b"", b"\nDTSTAMP:20261301T090000Z\n", b"\nDTSTAMP:20260601\n", b"DESCRIPTION:DTSTAMP:20260601T090000Z"):
        assert read_stamp(body) is None


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("Mon, 01 Jun 2026 09:00:00 GMT", datetime(2026, 6, 1, 9, tzinfo=UTC)),
        ("Mon, 01 Jun 2026 09:00:00 -0000", datetime(2026, 6, 1, 9, tzinfo=UTC)),
        ("yesterday", None),
        ("Mon, 01 Jun 2026 09:00:00 +99999999999999999999", None),
        ("Mon, 31 Dec 9999 23:59:59 -1200", None),
        ("", None),
    ],
)
def test_the_date_of_a_response_is_read(text, made):
    assert read_made_at(text, None, datetime(2026, 6, 1, 12, tzinfo=UTC)) == made


@pytest.mark.parametrize(
    ("date", "age", "hour"),
    [
        ("Mon, 01 Jun 2026 12:00:00 GMT", "7200", 10),
        ("Mon, 01 Jun 2026 09:00:00 GMT", "7200", 9),
        ("Mon, 01 Jun 2026 12:00:00 GMT", "0", 12),
        ("Mon, 01 Jun 2026 12:00:00 GMT", "two hours", 12),
        ("Mon, 01 Jun 2026 12:00:00 GMT", "-7200", 12),
        (None, " 3600 ", 11),
    ],
)
def test_the_age_of_a_response_counts_where_its_date_is_newer(date, age, hour):
    at = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert read_made_at(date, age, at) == at.replace(hour=hour)


@pytest.mark.parametrize(("hours", "state"), [(2, SourceState.OK), (3, SourceState.STALE), (100, SourceState.STALE)])
def test_a_source_that_stands_still_for_three_intervals_is_stale(hours, state):
    now = datetime(2026, 6, 1, 9, tzinfo=UTC)
    schedule = a_schedule(interval=timedelta(hours=1), succeeded_at=now, due_at=now + timedelta(hours=1), failures=0)
    head = a_head(stale=Staleness(since=now - timedelta(hours=hours)), failure=None, hold=None, synced_at=now)
    assert judge_source(head, schedule, Options(), now) is state


@pytest.mark.parametrize(("hours", "state"), [(0, SourceState.NEW), (2, SourceState.NEW), (3, SourceState.STALE)])
def test_a_source_is_new_until_its_first_success_and_stale_once_that_is_late(hours, state):
    """Nobody knows what its calendar holds: that is not "ok". One that no scheduler reads does not stay "new" for ever."""
    added = datetime(2026, 6, 1, 9, tzinfo=UTC)
    schedule = a_schedule(interval=timedelta(hours=1), succeeded_at=None, due_at=added, failures=0)
    head = a_head(stale=None, failure=None, hold=None, synced_at=None)
    now = added + timedelta(hours=hours)
    assert judge_source(head, schedule, Options(), now) is state
    assert judge_source(head, replace(schedule, succeeded_at=now), Options(), now) is SourceState.OK
    assert judge_source(head, replace(schedule, failures=1), Options(), now) is SourceState.FAILING


def test_a_body_from_the_future_is_not_fresh():
    """Another listing's page, or a copy of tomorrow's: it closes nights, and teaches nothing."""
    source = airbnb()
    see(source, A, B, C, D)

    plan = see(source, B, C, D, age=-300)

    assert (plan.refused, kinds(plan)) == (True, [])
    assert habits(source).stamp is not None
    assert habits(source).stamp < source.at
    assert kinds(see(source, B, C, D)) == [MISS], "the next fresh one is believed"


def test_bodies_that_are_all_as_far_ahead_show_a_wrong_clock():
    """Ours or the platform's: stamps prove nothing then, and the calendar is read as it is."""
    source = airbnb()
    see(source, A, B, C, D)
    assert kinds(see(source, B, C, D, age=-2)) == []

    assert kinds(see(source, B, C, D, age=-2)) == [MISS]
    assert habits(source).stamps == 0
    assert kinds(see(source, B, C, D, hours=25, age=-2)) == [CANCEL]


def test_an_empty_calendar_was_made_when_it_was_fetched():
    """A quiet listing: an older page of a former summer is stale, and makes no booking."""
    source = airbnb()
    see(source, A)
    source.see(hours=24 * 30)

    plan = see(source, C, D, age=24 * 5)

    assert (plan.refused, kinds(plan)) == (True, [])
    assert nights_of(30, 34) - nights_of(0, (source.today - A.check_in).days + 10) <= source.held()
    assert kinds(see(source, C, D)) == [ActionKind.CREATE] * 2


def test_stale_bodies_of_another_listing_agree_on_nothing():
    """One page for days, as a cache keeps it: a small listing's hold is not lifted by it."""
    source = airbnb()
    see(source, A)
    made = source.at - timedelta(hours=5)
    for _ in range(60):
        source.see(B, hours=1, stamp=made)
    assert source.stays(Presence.MISSING, Presence.GONE) == []
