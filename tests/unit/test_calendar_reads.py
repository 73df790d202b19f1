"""What calendars held when they were read, and what that proves of the closures that repeat it."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from bokit.core.model.records import Presence, Scope
from bokit.core.occupancy.calendar_reads import CalendarReads, ReadLog, read_ranges, record_ranges
from bokit.core.occupancy.conflicts import find_conflicts
from bokit.core.occupancy.limits import MAX_FADING, MAX_READ_AGE, MAX_UNREAD_FADING
from bokit.core.occupancy.occupancy import read_occupancy
from bokit.values import replace
from tests.support.builders import DAY, HOUR, NOW, an_edit
from tests.support.july import FLAT, TODAY, a_block, a_closure, an_airbnb, states

TWO_FETCHES = timedelta(minutes=105)


def nights(first: int, end: int) -> set[date]:
    return {date(2026, 7, day) for day in range(first, end)}


# ── what a page keeps ──


def test_a_page_keeps_since_when_it_holds_each_night_and_who_read_it():
    """Written, read, written again: nights that stay keep their times, new ones begin, dropped ones end."""
    first = record_ranges(None, nights(1, 5), at=NOW)
    second = record_ranges(first, nights(3, 8), at=NOW + DAY, first_read_at=NOW + HOUR)

    assert [r.times for r in read_ranges(first, None)] == [(NOW, None, None, None)]
    held, new, left = read_ranges(second, NOW + DAY + HOUR)
    assert (held.first.day, held.end.day, held.times) == (3, 5, (NOW, NOW + HOUR, None, None))
    assert (new.first.day, new.end.day, new.times) == (5, 8, (NOW + DAY, NOW + DAY + HOUR, None, None))
    assert (left.first.day, left.end.day, left.times) == (1, 3, (NOW, NOW + HOUR, NOW + DAY, NOW + DAY + HOUR))


def test_what_nobody_read_leaves_no_trace():
    """Nights that came and went between two reads were in nobody's calendar."""
    assert record_ranges(record_ranges(None, nights(1, 5), at=NOW), nights(1, 3), at=NOW + HOUR)["left"] == []


def test_a_night_that_comes_back_keeps_its_first_read_and_its_last_drop():
    """However often it comes and goes, a page keeps one row of it; forgotten only while it is not held."""
    stored = record_ranges(None, nights(1, 3), at=NOW)
    for hour in range(1, 9):
        shown = nights(1, 3) if hour % 2 == 0 else ()
        stored = record_ranges(stored, shown, at=NOW + hour * HOUR, first_read_at=NOW + hour * HOUR - HOUR / 2)
    (_, left) = read_ranges(stored, None)

    assert left.times == (NOW, NOW + HOUR / 2, NOW + 7 * HOUR, NOW + 7.5 * HOUR)
    assert record_ranges(stored, nights(1, 3), at=NOW + 9 * MAX_READ_AGE)["left"] == stored["left"]
    gone = record_ranges(stored, (), at=NOW + DAY, first_read_at=NOW + 9 * HOUR)
    assert record_ranges(gone, (), at=NOW + DAY + MAX_READ_AGE)["left"] == []


def test_of_an_older_page_it_is_not_known_since_when_it_holds_a_night():
    """A page that a former release wrote keeps nothing: its nights have no beginning, later ones do."""
    first = record_ranges({}, nights(1, 3), at=NOW)
    second = record_ranges(first, nights(1, 5), at=NOW + HOUR)

    assert [r.times.since for r in read_ranges(second, None)] == [None, NOW + HOUR]


# ── closures by what was read ──


def a_log(*ranges, consumer="booking_com", is_known=True, unit="unit_1"):
    """Return what one calendar held: ranges of first and last day and times in hours from now."""
    rows = [
        [f"2026-07-{a:02d}", f"2026-07-{b:02d}", *(t if t is None else (NOW + t * HOUR).isoformat() for t in times)]
        for a, b, *times in ranges
    ]
    stored = {"held": [r for r in rows if len(r) == 4], "left": [r for r in rows if len(r) == 6]}
    calendar = CalendarReads(unit=Scope(unit), consumer=consumer, ranges=tuple(read_ranges(stored, None)), is_known=is_known)
    return ReadLog(calendars=(calendar,), two_fetches={"src_b": TWO_FETCHES, "src_v": TWO_FETCHES})


def look(*records, reads, at=NOW + DAY):
    return read_occupancy(FLAT, records, today=TODAY, at=at, reads=reads)


def certainties(*records, reads, at=NOW + DAY):
    return [str(c.certainty) for c in find_conflicts(look(*records, reads=reads, at=at), {})]


OWN = an_airbnb(1, 5, after=NOW - HOUR)
ECHO = a_closure(1, 5, seen=NOW + 3 * HOUR, after=NOW + 2 * HOUR)


@pytest.mark.parametrize(
    ("reads", "found"),
    [
        (a_log((1, 5, 0, 2)), []),
        (a_log((1, 5, 0, 4)), ["possible"]),
        (a_log((1, 5, 0, None)), ["possible"]),
        (a_log((3, 5, 0, 2)), ["possible"]),
        (a_log((1, 5, 0, 2), consumer=None), []),
        (a_log((1, 5, 0, 2), consumer="src_b"), []),
        (a_log((1, 5, 0, 2), consumer="vrbo"), ["possible"]),
        (a_log((1, 5, 0, 2), unit="unit_2"), ["possible"]),
        (a_log(is_known=False), []),
        (a_log((1, 5, None, None)), []),
        (None, []),
        (ReadLog(), ["possible"]),
    ],
)
def test_a_closure_is_possibly_sold_unless_its_platform_had_read_the_original(reads, found):
    """An echo in any case, and published to nobody while the original holds; what is not known proves nothing."""
    assert states(look(OWN, ECHO, reads=reads))["src_b-1"] == "echo"
    assert certainties(OWN, ECHO, reads=reads) == found


def test_a_first_day_on_which_all_are_linked_shows_possible_conflicts():
    """Without order nobody knows which closure repeats which; of two closures a reservation is the original."""
    own, closure, block = an_airbnb(1, 5), a_closure(1, 5), a_block(11, 14, "src_a", "airbnb")
    other = a_closure(11, 14, seen=NOW + timedelta(seconds=1))

    assert certainties(own, closure, reads=ReadLog()) == ["possible"]
    assert states(look(block, other, reads=ReadLog())) == {"src_b-11": "own", "src_a-11": "echo"}
    assert certainties(block, other, reads=ReadLog()) == [], "no guest is shown as a block"


def test_two_bookings_that_were_read_nowhere_show_a_direct_link():
    """Twice the same nights after the other, none of them from us: one platform reads the other. One closure more is a guest."""
    own = [an_airbnb(day, day + 3, f"HMAAAAAA{day:02d}", after=NOW - HOUR) for day in (1, 10, 20)]
    echoes = [a_closure(day, day + 3, seen=NOW + 3 * HOUR, after=NOW + 2 * HOUR) for day in (1, 10)]

    assert certainties(*own, echoes[0], reads=ReadLog()) == ["possible"]
    assert certainties(*own, *echoes, reads=ReadLog()) == []
    assert certainties(*own, *echoes, a_closure(22, 26, seen=NOW + 4 * HOUR, after=NOW), reads=ReadLog()) == ["likely"]


def test_closures_of_a_first_fetch_show_no_link():
    """They have no order."""
    own = [an_airbnb(day, day + 3, f"HMAAAAAA{day:02d}") for day in (1, 10, 20)]

    assert certainties(*own, *(a_closure(day, day + 3) for day in (1, 10, 20)), reads=ReadLog()) == ["possible"] * 3


def test_a_closure_that_leaves_another_night_open_is_its_platforms_own():
    """Nested in the other, partly own, or beside a closure of its own: from the second fetch on, whatever was read."""
    nested = a_closure(2, 4, seen=NOW + 3 * HOUR, after=NOW + 2 * HOUR)
    reads = a_log((1, 5, 0, 2))

    assert states(look(OWN, nested, reads=reads, at=NOW + 3 * HOUR))["src_b-2"] == "echo"
    assert look(OWN, nested, reads=reads, at=NOW + 3 * HOUR).settle_at == NOW + 3 * HOUR + timedelta(minutes=1)
    for log in (reads, ReadLog(), None):
        assert states(look(OWN, nested, reads=log))["src_b-2"] == "own"
        assert certainties(OWN, nested, reads=log) == ["likely"]
    rest = [a_block(1, 2, "src_b", "booking_com", name="one"), a_block(4, 5, "src_b", "booking_com", name="two")]
    assert states(look(OWN, nested, *rest, reads=reads))["src_b-2"] == "echo"


def test_what_was_added_later_or_not_read_is_not_left_open():
    """The guest stays longer, or a person adds a night: a repetition of the booking as it was leaves these open."""
    rows = [["2026-07-01", "2026-07-05", NOW.isoformat(), None], ["2026-07-05", "2026-07-07", (NOW + 5 * HOUR).isoformat(), None]]
    longer = an_airbnb(1, 7)
    longer.memory["gained"] = rows
    early = an_airbnb(1, 7, after=NOW - HOUR)

    edited = an_airbnb(1, 5, after=NOW - HOUR, edits={"check_out": an_edit("2026-07-07", base="2026-07-05")})

    for own in (longer, edited):
        assert states(look(own, ECHO, reads=None))["src_b-1"] == "echo"
    assert states(look(early, ECHO, reads=a_log((1, 5, 0, 2), (5, 7, 0, 20))))["src_b-1"] == "echo"
    assert states(look(early, ECHO, reads=a_log((1, 7, 0, 2))))["src_b-1"] == "own"


def test_nights_of_two_closures_that_leave_each_other_open_are_likely_sold_twice():
    """Two platforms that name no guest: neither imported the other whole."""
    one, two = a_closure(1, 8, "src_c"), a_closure(6, 10, seen=NOW + 3 * HOUR, after=NOW + 2 * HOUR)

    assert certainties(one, two, reads=ReadLog()) == ["likely"]
    assert certainties(one, a_block(3, 5, seen=NOW + 3 * HOUR, after=NOW), reads=ReadLog()) == ["possible"]


def test_nights_that_a_platform_read_are_not_sold_twice_though_it_joins_them_with_its_own():
    """Booking.com shows its owner's two days and Airbnb's guest as one closure: no conflict, and the two days are its own."""
    joined = a_closure(1, 7, seen=NOW + 3 * HOUR, after=NOW + 2 * HOUR)

    assert certainties(OWN, joined, reads=a_log((1, 5, 0, 2))) == []
    assert certainties(OWN, joined, reads=ReadLog()) == ["possible"]
    assert states(look(OWN, joined, reads=a_log((1, 5, 0, 2))))["src_b-1"] == "own"


def test_what_a_platform_read_in_our_calendar_is_the_repetition_on_a_first_day_too():
    """A first fetch shows blocks in no order, but this one was published, and read, before the other showed it."""
    first = a_block(1, 5, "src_n", "generic", seen=NOW)
    imported = a_block(1, 5, seen=NOW + HOUR / 4, after=NOW)

    assert states(look(first, imported, reads=a_log((1, 5, 0, 0), consumer="vrbo"))) == {"src_n-1": "own", "src_v-1": "echo"}


def test_a_block_does_not_fade_with_its_own_repetition():
    """The other platform read it in our calendar and dropped it: although a guard held that feed, it was the later one."""
    block = a_block(1, 5, "src_n", "generic", seen=NOW, after=NOW - HOUR)
    dropped = a_block(1, 5, seen=NOW + HOUR, presence=Presence.GONE, gone_at=NOW + DAY, status="vanished")
    at = NOW + 25 * HOUR

    assert states(look(block, dropped, reads=a_log((1, 5, 0, 0.5), consumer="vrbo"), at=at)) == {"src_n-1": "own"}
    assert states(look(block, dropped, reads=ReadLog(), at=at)) == {"src_n-1": "fading"}


# ── fading by reads ──

GONE = an_airbnb(1, 5, after=NOW - HOUR, presence=Presence.GONE, gone_at=NOW + DAY, status="vanished")


def end_of(reads: ReadLog, closure=ECHO) -> datetime | None:
    """Return until when *closure* fades, or None where it does not; it is its platform's own at that time."""
    verdict = look(GONE, closure, reads=reads, at=NOW + 25 * HOUR).by_record[closure.id].verdict
    if verdict.until is not None:
        before, after = (look(GONE, closure, reads=reads, at=at) for at in (verdict.until - HOUR / 60, verdict.until))
        assert [str(o.by_record[closure.id].state) for o in (before, after)] == ["fading", "own"]
    return verdict.until


def test_an_echo_fades_until_its_platform_has_read_the_calendar_without_it_and_was_fetched_twice():
    """MAX_UNREAD_FADING where it does not read any more, MAX_FADING where no read is known."""
    left = NOW + DAY

    assert end_of(a_log((1, 5, 0, 2, 24, 26))) == NOW + 26 * HOUR + TWO_FETCHES
    assert end_of(a_log((1, 5, 0, 2, 24, None))) == left + MAX_UNREAD_FADING
    assert look(GONE, ECHO, reads=a_log((1, 5, 0, 2, 24, None)), at=NOW + 25 * HOUR).watch_at is not None
    assert look(GONE, ECHO, reads=a_log((1, 5, 0, 2, 24, 26)), at=NOW + 27 * HOUR).watch_at is None
    for reads in (ReadLog(), a_log(is_known=False), a_log((1, 5, 0, 2, 24, 26), consumer=None), a_log((1, 5, None, 2, 24, 26))):
        assert end_of(reads) == left + MAX_FADING


def test_an_echo_that_is_dropped_in_the_second_fetch_was_dropped_in_time():
    """It comes an interval after the first, be it a little later than the end; one that is dropped later was the platform's."""

    def dropped(hours):
        values = {"presence": Presence.MISSING, "missing_since": NOW + hours * HOUR}
        echo = a_closure(1, 5, seen=NOW + 3 * HOUR, after=NOW + 2 * HOUR, **values)
        return states(look(GONE, echo, reads=a_log((1, 5, 0, 2, 24, 26)), at=NOW + 40 * HOUR))["src_b-1"]

    assert (dropped(27), dropped(28), dropped(31)) == ("fading", "fading", "own")


def test_a_closure_of_a_first_fetch_fades_where_its_platform_read_the_original():
    """Otherwise closures that were linked before Bokit was there would keep each other alive."""
    first = a_closure(1, 5, seen=NOW)

    assert end_of(a_log((1, 5, 0, 2, 24, 26)), first) == NOW + 26 * HOUR + TWO_FETCHES
    assert end_of(ReadLog(), first) is None
    assert states(look(GONE, first, reads=ReadLog(), at=NOW + 25 * HOUR)) == {"src_b-1": "own"}


def test_a_closure_fades_on_where_its_platform_drops_some_of_the_nights():
    """It closed all of the booking while that was there: it did not sell the others itself."""
    gone = an_airbnb(1, 8, after=NOW - HOUR, presence=Presence.GONE, gone_at=NOW + DAY, status="vanished")
    rest = a_closure(5, 8, seen=NOW + 3 * HOUR, after=NOW + 2 * HOUR)
    times = [(NOW + hours * HOUR).isoformat() for hours in (25.5, 3, 2)]
    dropped = replace(rest, memory={**rest.memory, "left": [["2026-07-01", "2026-07-05", *times]]})
    reads = a_log((1, 8, 0, 2, 24, None))

    assert states(look(gone, dropped, reads=reads, at=NOW + 26 * HOUR)) == {"src_b-5": "fading"}
    assert states(look(gone, rest, reads=reads, at=NOW + 26 * HOUR)) == {"src_b-5": "own"}


def test_an_echo_waits_longer_where_another_source_still_showed_the_nights():
    """Its platform may read that one, too, before it drops them."""
    beside = a_block(1, 5, seen=NOW + 3 * HOUR, after=NOW + 2 * HOUR)
    dropped = a_block(1, 5, seen=NOW + 3 * HOUR, after=NOW, presence=Presence.MISSING, missing_since=NOW + 25.5 * HOUR)
    reads = a_log((1, 5, 0, 2, 24, 26))

    def until(*records):
        return look(GONE, ECHO, *records, reads=reads, at=NOW + 26 * HOUR).by_record[ECHO.id].verdict.until

    assert until() == until(dropped) == NOW + 26 * HOUR + TWO_FETCHES
    assert until(beside) == NOW + DAY + MAX_FADING


OLDER = an_airbnb(8, 10, "HMOLDERXXX", name="older", seen=NOW - DAY)
MISSED = an_airbnb(8, 10, "HMOLDERXXX", presence=Presence.MISSING, missing_since=NOW, seen=NOW - DAY)
DROPPED = a_closure(8, 10, seen=NOW, name="dropped", presence=Presence.GONE, gone_at=NOW + DAY, status="vanished")
LATER = a_closure(12, 14, seen=NOW)
"""The closure's calendar shows nights after those of the older guest."""


@pytest.mark.parametrize(
    ("beside", "reads", "state"),
    [
        ([OLDER, LATER], ReadLog(), "own"),
        ([OLDER], ReadLog(), "fading"),  # its calendar may end before them
        ([LATER], ReadLog(), "fading"),
        ([OLDER, LATER, a_closure(8, 10, seen=NOW)], ReadLog(), "fading"),  # it has the older guest, too
        ([an_airbnb(8, 10, "HMYOUNGXXX", seen=NOW + HOUR, after=NOW), LATER], ReadLog(), "fading"),
        ([a_block(8, 10, "src_a", "airbnb", seen=NOW - DAY), LATER], ReadLog(), "fading"),  # many calendars leave out closures
        (
            [an_airbnb(8, 10, "HMOLDERXXX", presence=Presence.MISSING, missing_since=NOW, seen=NOW - DAY), LATER],
            ReadLog(),
            "fading",
        ),
        ([OLDER, LATER, DROPPED], ReadLog(), "fading"),  # it had the older guest, too
        ([OLDER, LATER], a_log((1, 5, 0, 2, 24, None)), "fading"),  # it read the original in our calendar
        ([OLDER, LATER], None, "fading"),
    ],
)
def test_who_left_an_older_guest_open_imported_nobody(beside, reads, state):
    """Platforms import whole calendars: once the other guest cancels, the closure holds its nights for itself."""
    assert states(look(GONE, ECHO, *beside, reads=reads, at=NOW + 25 * HOUR))["src_b-1"] == state
