"""What is evidence of absence: fetches apart, guests in the house, the last 72 hours, refused fetches."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bokit.core.bookings.fetch_gaps import fetch_gap
from bokit.core.ical.entries import Entry, EntryKind, Status
from bokit.core.model.plan import ActionKind
from bokit.core.model.records import Presence
from bokit.core.model.source_memory import SourceHabits, read_memory
from bokit.core.model.source_rules import Verdict
from tests.support.simulated_source import SimulatedSource, closure, day, kinds, nights_of, reservation

CANCEL, MISS = ActionKind.CANCEL, ActionKind.MARK_MISSING
A, B = reservation("HMAAAAAAAA", 10, 14), reservation("HMBBBBBBBB", 20, 24)
C, D = reservation("HMCCCCCCCC", 30, 34), reservation("HMDDDDDDDD", 40, 44)


def stay(uid: str, first: int, end: int, summary: str = "Reserved") -> Entry:
    """Return a stay as any calendar shows it."""
    return Entry(
        uid=f"{uid}@pms",
        summary=summary,
        kind=EntryKind.RESERVATION,
        status=Status.UNDEFINED,
        check_in=day(first),
        check_out=day(end),
    )


FAR = (stay("x", 60, 63), stay("y", 70, 73), stay("z", 80, 83))


# ── fetches apart ──


@pytest.mark.parametrize(
    ("interval", "gap"),
    [(None, 60), (60, 60), (600, 150), (3600, 900), (86_400, 21_600), (7 * 86_400, 21_600)],
)
def test_fetches_count_as_two_a_quarter_of_the_interval_apart(interval, gap):
    source = SimulatedSource("airbnb", interval=interval and timedelta(seconds=interval))
    assert fetch_gap(source.context()) == timedelta(seconds=gap)


@pytest.mark.parametrize(
    "entries", [(A, B, C, D), (stay("a", 10, 14), *FAR), (closure(10, 14), closure(20, 24), closure(30, 34))]
)
def test_two_fetches_a_moment_apart_are_one(entries):
    """With no wait at all, the second must still be a quarter of the interval later."""
    platform = {"HMAAAAAAAA@airbnb.com": "airbnb", "a@pms": "generic"}.get(entries[0].uid, "booking_com")
    source = SimulatedSource(platform, cancel_after=timedelta(0), interval=timedelta(hours=1))
    source.see(*entries)
    assert kinds(source.see(*entries[1:])) == [MISS]

    for seconds in (0.001, 60, 800):
        assert CANCEL not in kinds(source.see(*entries[1:], hours=seconds / 3600))
    assert kinds(source.see(*entries[1:], hours=40 / 3600)) == [CANCEL]


def test_after_a_long_gap_a_burst_of_fetches_cancels_nothing():
    """Missed first long after the last fetch, and again at once: the wait begins at the first."""
    source = SimulatedSource("airbnb", interval=timedelta(hours=1))
    source.see(A, B, C, D)
    source.see(B, C, D, hours=200)
    assert kinds(source.see(B, C, D, hours=0.0001)) == []
    assert kinds(source.see(B, C, D, hours=24)) == [CANCEL]


def test_a_shortened_stay_keeps_its_tail_until_two_fetches_apart():
    source = SimulatedSource(cancel_after=timedelta(0), interval=timedelta(hours=4))
    source.see(closure(10, 20), closure(40, 44))
    source.see(closure(10, 14), closure(40, 44))
    source.see(closure(10, 14), closure(40, 44), hours=0.9)
    assert nights_of(10, 20) <= source.held()
    source.see(closure(10, 14), closure(40, 44), hours=0.2)
    assert not nights_of(14, 20) & source.held()


# ── guests in the house ──


def habits(source: SimulatedSource) -> SourceHabits:
    return read_memory(source.memory).habits


@pytest.mark.parametrize("summary", ["Reserved", "Anna Rossi"])
def test_a_guest_in_the_house_is_not_cancelled_where_the_source_lists_only_what_is_to_come(summary):
    """Shown until the day of arrival, then not: held until the departure."""
    source = SimulatedSource("generic")
    mine = stay("a", 2, 9, summary)
    source.see(mine, *FAR)
    source.see(mine, *FAR, hours=48)

    for _ in range(6):
        source.see(*FAR, hours=24)
        assert nights_of((source.at.date() - day(0)).days, 9) <= source.held()
        assert not source.stays(Presence.GONE)


def test_a_stay_that_vanished_before_its_arrival_was_cancelled():
    source = SimulatedSource("generic")
    source.see(stay("a", 2, 9), *FAR)
    source.see(*FAR, hours=30)
    assert kinds(source.see(*FAR, hours=25)) == [CANCEL]


def test_two_stays_shown_well_after_their_arrival_prove_the_habit():
    """From then on a begun stay that vanishes was cancelled."""
    source = SimulatedSource("generic")
    first, second, third = stay("a", 1, 6), stay("b", 6, 11), stay("c", 11, 19)
    source.see(first, second, third, *FAR)
    for n in range(1, 9):
        source.see(first, second, third, *FAR, hours=24)
        assert len(habits(source).begun) == (0 if n < 3 else 1 if n < 8 else 2)
    source.see(third, *FAR, hours=96)
    source.see(*FAR, hours=24)
    assert kinds(source.see(*FAR, hours=25)) == [CANCEL]


def test_short_stays_prove_nothing():
    source = SimulatedSource("generic")
    stays = [stay(f"s{n}", n, n + 2) for n in range(1, 12, 2)]
    source.see(*stays, *FAR)
    for _ in range(12):
        source.see(*stays, *FAR, hours=24)
    assert habits(source).begun == ()


def test_a_platform_that_shows_begun_stays_cancels_them():
    source = SimulatedSource("airbnb")
    mine = reservation("HMEEEEEEEE", 1, 9)
    source.see(mine, A, B, C)
    source.see(mine, A, B, C, hours=48)
    source.see(A, B, C, hours=24)
    assert kinds(source.see(A, B, C, hours=25)) == [CANCEL]


def test_a_begun_stay_that_comes_back_unlearns_it():
    source = SimulatedSource("airbnb")
    mine = reservation("HMEEEEEEEE", 1, 9)
    source.see(mine, A, B, C)
    source.see(mine, A, B, C, hours=24)
    source.see(A, B, C, hours=20)
    source.see(mine, A, B, C, hours=1)
    assert habits(source) == SourceHabits(drops_begun=True)


def test_two_stays_in_a_row_that_vanish_the_day_after_their_arrival_unlearn_it():
    source = SimulatedSource("booking_com")
    first, second, far = closure(1, 5), closure(6, 12), (closure(40, 44), closure(50, 54), closure(60, 64))
    source.see(first, second, *far)
    source.see(first, second, *far, hours=24)
    source.see(second, *far, hours=24)
    assert habits(source).dropped == 1
    source.see(second, *far, hours=96)
    source.see(*far, hours=24)
    assert habits(source).drops_begun
    for _ in range(4):
        source.see(*far, hours=24)
    assert nights_of(11, 12) <= source.held()


# ── the last 72 hours ──


@pytest.mark.parametrize(("arrival", "cancelled"), [(6, False), (8, False), (12, True)])
def test_near_an_arrival_time_alone_cancels_nothing_on_a_source_in_doubt(arrival, cancelled):
    """Held four days ago: a stay that arrives within 72 hours waits, another does not."""
    source = SimulatedSource("airbnb")
    mine = reservation("HMEEEEEEEE", arrival, arrival + 4)
    source.see(mine, A, B, C, D)
    source.see(verdict=Verdict.UNREADABLE)
    source.see(mine, A, B, C, D, hours=96)

    source.see(A, B, C, D, hours=1)
    plan = source.see(A, B, C, D, hours=26)

    assert (CANCEL in kinds(plan)) is cancelled


def test_a_week_later_it_does_again():
    source = SimulatedSource("airbnb")
    mine = reservation("HMEEEEEEEE", 11, 15)
    source.see(mine, B, C, D)
    source.see(verdict=Verdict.UNREADABLE)
    source.see(mine, B, C, D, hours=24 * 8)
    source.see(B, C, D)
    assert kinds(source.see(B, C, D, hours=25)) == [CANCEL]


def test_what_the_source_itself_cancels_is_cancelled_however_near():
    source = SimulatedSource("airbnb")
    mine = reservation("HMEEEEEEEE", 2, 5)
    source.see(mine, A, B, C)
    source.see(verdict=Verdict.UNREADABLE)
    cancelled = reservation("HMEEEEEEEE", 2, 5, status=Status.CANCELLED)
    assert kinds(source.see(cancelled, A, B, C)) == [CANCEL]


@pytest.mark.parametrize("arrival", [3, 4])
def test_near_an_arrival_60_hours_without_it_are_enough(arrival):
    """Neither longer, nor by fetches that say nothing: from the last fetch that showed it."""
    source = SimulatedSource("airbnb", interval=timedelta(hours=1))
    mine = reservation("HMEEEEEEEE", arrival, arrival + 6)
    source.see(mine, A, B, C, D)
    source.see(verdict=Verdict.UNREADABLE)
    source.see(mine, A, B, C, D)

    plans = [kinds(source.see(A, B, C, D)) for _ in range(60)]

    assert plans == [[MISS], *[[]] * 58, [CANCEL]]


# ── after an outage ──


def outage(hours: int, *before: Entry) -> SimulatedSource:
    """Return a source whose calendar came empty for so many hours."""
    source = SimulatedSource("airbnb", interval=timedelta(hours=1))
    source.see(*before)
    for _ in range(hours):
        source.see()
    return source


def test_what_an_empty_calendar_of_days_and_then_three_fetches_miss_is_cancelled():
    """The feed is back without A: not shown for three days, and not by three fetches of its own."""
    source = outage(72, A, B, C, D)

    assert [kinds(source.see(B, C, D)) for _ in range(3)] == [[MISS], [], [CANCEL]]


@pytest.mark.parametrize(("hours", "fetches"), [(1, 24), (5, 24), (40, 24), (60, 11), (70, 2), (100, 2)])
def test_how_long_the_feed_must_miss_it_after_an_outage(hours, fetches):
    """For a day, or until it was not shown for three days, in three fetches at least."""
    source = outage(hours, A, B, C, D)

    assert [kinds(source.see(B, C, D)) for _ in range(26)].index([CANCEL]) == fetches


@pytest.mark.parametrize("minutes", [15, 60, 240])
@pytest.mark.parametrize("shape", ["stay", "closure"])
def test_nights_that_a_stay_lost_after_an_outage_of_days_open_in_the_third_fetch(minutes, shape):
    """Not sooner, however long the interval is."""
    longer, shorter = (stay("a", 10, 16), stay("a", 10, 13)) if shape == "stay" else (closure(10, 16), closure(10, 13))
    source = SimulatedSource("generic" if shape == "stay" else "booking_com", interval=timedelta(minutes=minutes))
    source.see(longer, *FAR)
    for _ in range(100 * 60 // minutes):
        source.see(hours=minutes / 60)

    lost, held = nights_of(13, 16), []
    for _ in range(3):
        source.see(shorter, *FAR, hours=minutes / 60)
        held.append(lost <= source.held())

    assert (held, lost & source.held()) == ([True, True, False], set())


def test_what_a_page_showed_amid_an_outage_was_shown_then():
    """Half a page that is held, ten hours before the feed is back: the three days begin with it."""
    source = outage(60, A, B, C, D)
    source.see(A)
    for _ in range(10):
        source.see()

    assert [kinds(source.see(B, C, D)) for _ in range(26)].index([CANCEL]) == 24


OTHERS = tuple(reservation(f"HM{n}OTHERXX", 50 + 5 * n, 53 + 5 * n) for n in range(5))
SAME_NIGHTS = reservation("HMXXXXXXXX", 12, 15)
"""Another guest's, of another listing, that closes nights of A."""


@pytest.mark.parametrize(
    ("page", "code"), [((B,), "shrunken-feed"), (OTHERS, "other-listing"), ((B, *OTHERS[:3]), "shrunken-feed")]
)
def test_a_held_page_between_an_outage_and_the_own_feed_changes_nothing_for_what_it_misses(page, code):
    """Half of our page, another listing's, or one of both: A was not shown by it either."""
    source = outage(72, A, B, C, D)
    assert source.see(*page).hold.code == code
    source.see(*page)

    assert [kinds(source.see(B, C, D)) for _ in range(3)] == [[MISS], [], [CANCEL]]


@pytest.mark.parametrize("page", [(A,), (SAME_NIGHTS, *OTHERS), (B, SAME_NIGHTS)])
def test_what_a_held_page_after_an_outage_closes_was_shown_then(page):
    source = outage(72, A, B, C, D)
    source.see(*page)

    assert [kinds(source.see(B, C, D)) for _ in range(26)].index([CANCEL]) == 24


@pytest.mark.parametrize("between", [[(B,), (A,)], [(B,), ()], [(A,), (B,)]])
def test_pages_of_which_one_shows_it_and_a_new_outage_begin_the_day_again(between):
    source = outage(72, A, B, C, D)
    for page in between:
        source.see(*page)

    assert [kinds(source.see(B, C, D)) for _ in range(26)].index([CANCEL]) == 24


def test_a_page_that_was_read_in_part_ends_an_outage():
    """What it lost may have been A."""
    source = outage(72, A, B, C, D)
    source.see(B, verdict=Verdict.PARTIAL)

    assert [kinds(source.see(B, C, D)) for _ in range(26)].index([CANCEL]) == 24


def test_one_that_a_third_fetch_shows_is_kept():
    source = outage(72, A, B, C, D)
    source.see(B, C, D)
    source.see(B, C, D)
    source.see(A, B, C, D)
    assert nights_of(10, 14) <= source.held()
    assert [kinds(source.see(B, C, D)) for _ in range(25)].index([CANCEL]) == 24


def test_an_unreadable_calendar_of_days_says_nothing_of_absence():
    source = SimulatedSource("airbnb", interval=timedelta(hours=1))
    source.see(A, B, C, D)
    for _ in range(80):
        source.see(verdict=Verdict.UNREADABLE)

    assert CANCEL not in [kind for _ in range(20) for kind in kinds(source.see(B, C, D))]


def test_what_was_missed_before_an_outage_does_not_wait_for_its_end():
    """A was missed by the feed's own fetches: the empty calendar only agrees, until three days are over."""
    source = SimulatedSource("airbnb", interval=timedelta(hours=1))
    source.see(A, B, C, D)
    for _ in range(3):
        source.see(B, C, D)

    plans = [kinds(source.see()) for _ in range(72)]

    assert [CANCEL] not in plans[:68]
    assert plans[68] == [CANCEL]
    assert not nights_of(10, 14) & source.held()
    assert nights_of(20, 24) | nights_of(30, 34) | nights_of(40, 44) <= source.held()


def test_one_fetch_that_missed_it_before_an_outage_is_not_enough():
    source = SimulatedSource("airbnb", interval=timedelta(hours=1))
    source.see(A, B, C, D)
    source.see(B, C, D)

    assert not [kind for _ in range(120) for kind in kinds(source.see())]


def test_a_held_page_that_shows_a_missing_stay_contradicts_those_that_missed_it():
    """Half pages for days, another half each time: one shows A, and is held for what else it misses."""
    source = SimulatedSource("airbnb", interval=timedelta(hours=24))
    e, f = reservation("HMEEEEEEEE", 50, 54), reservation("HMFFFFFFFF", 60, 64)
    source.see(A, B, C, D, e, f)
    source.see(B, C, D, e, f, hours=24)
    assert source.see(A, B, hours=24).hold is not None

    assert kinds(source.see(B, C, D, e, f, hours=24)) == []
    assert kinds(source.see(B, C, D, e, f, hours=24)) == []
    assert nights_of(10, 14) <= source.held()
    assert kinds(source.see(B, C, D, e, f, hours=24)) == [CANCEL]
