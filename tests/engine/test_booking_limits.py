"""More bookings than one source may have: the rest is held as nights, published, and said."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from bokit.core.bookings.booking_limits import limit_bookings
from bokit.core.bookings.pairs import MatchReason, Pair
from bokit.core.bookings.stay import Stay, is_window, read_stay
from bokit.core.ical.entries import Entry, EntryKind, Status
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.limits import MAX_LIVE_BOOKINGS, MAX_LIVE_NIGHTS
from bokit.core.model.records import Presence, Record
from bokit.core.model.source_rules import BookingLimits
from bokit.engine.runs.manual import SyncRequest
from tests.support.builders import a_record
from tests.support.feed_shapes import FIRST, ShapedEvent, word, write
from tests.support.one_feed_app import OneFeedApp

DAY = timedelta(days=1)
TODAY = FIRST - DAY


def guests(count: int, *, first: int = 0) -> list[ShapedEvent]:
    """Return one guest for each night from the first on."""
    return [ShapedEvent(f"{i}@x", i, 1, f"Reserved - {word(i)}") for i in range(first, first + count)]


def bookings(app: OneFeedApp) -> list[Record]:
    """Return the bookings that are not gone."""
    return [r for r in app.records() if not is_window(r) and r.presence is not Presence.GONE]


def published(app: OneFeedApp) -> bytes:
    """Return the flat's calendar for anybody."""
    calendars = app.bokit.calendars
    calendar = calendars.open(DEFAULT_TENANT, app.unit)
    return app.bokit.feeds.serve(calendars.token_of(calendars.find(DEFAULT_TENANT, calendar.id))).body


def test_the_rest_is_held_as_nights_published_and_said():
    """Beyond the bookings of one source every night is held and published; the run says how many, and no booking is made."""
    app, count = OneFeedApp(), MAX_LIVE_BOOKINGS + 30
    app.add(write(guests(count)))

    [report] = app.bokit.status.load_history(DEFAULT_TENANT).items[0].sources
    body = published(app)

    assert len(bookings(app)) == MAX_LIVE_BOOKINGS
    assert app.held() == {FIRST + i * DAY for i in range(count)}
    assert report.problems[0]["code"] == "too-many-bookings"
    assert "30 more bookings" in str(report.problems[0]["message"])
    assert (
        f"DTSTART;VALUE=DATE:{FIRST + MAX_LIVE_BOOKINGS * DAY:%Y%m%d}\r\nDTEND;VALUE=DATE:{FIRST + count * DAY:%Y%m%d}".encode()
        in body
    )


def test_the_source_says_that_there_is_a_rest_as_long_as_there_is_one():
    """In the source and in the status, also after syncs without news; not any more once all are bookings."""
    app, count = OneFeedApp(), MAX_LIVE_BOOKINGS + 2
    source = app.add(write(guests(count)))

    def advice() -> list[str | None]:
        [status] = app.bokit.status.load_status(DEFAULT_TENANT)["sources"]
        return [app.store.load_head(source).advice, status["advice"]]

    first = advice()
    app.sync(times=3)
    later = advice()
    app.sync(write(guests(MAX_LIVE_BOOKINGS)), times=30)

    assert "2 more bookings than one source may have" in str(first[0])
    assert first[0] == first[1] == later[0] == later[1]
    assert advice() == [None, None]


def test_a_night_of_the_rest_opens_by_evidence_alone():
    """What the rest no longer shows stays held for a day and two fetches, like any night."""
    app, count = OneFeedApp(), MAX_LIVE_BOOKINGS + 30
    app.add(write(guests(count)))
    last = FIRST + (count - 1) * DAY

    app.sync(write(guests(count - 1)))
    assert last in app.held()
    app.sync(times=30)

    assert last not in app.held()
    assert len(app.held()) == count - 1


def test_the_rest_becomes_bookings_once_there_is_room():
    """A booking that ends makes room for one of the rest, whose nights were held all the time."""
    app, count = OneFeedApp(), MAX_LIVE_BOOKINGS + 2
    app.add(write(guests(count)))
    fewer = [e for e in guests(count) if e.first not in (5, 6)]

    for _ in range(30):
        app.sync(write(fewer))
        assert {FIRST + e.first * DAY for e in fewer} <= app.held()

    assert {r.key for r in bookings(app)} == {e.uid for e in fewer}


def test_events_of_one_uid_and_the_same_nights_are_bookings_of_their_own():
    """Two guests under one UID, of the same nights, are two bookings; their source syncs."""
    app = OneFeedApp()
    app.add(write([ShapedEvent("one@x", 3, 2, f"Reserved - {word(i)}") for i in range(3)]))

    assert len(bookings(app)) == 3
    assert len({r.id for r in bookings(app)}) == 3
    assert app.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, force=True)).sources[0].error is None


def a_pair(
    number: int, length: int = 1, *, known: bool = False, kind: EntryKind = EntryKind.BLOCK, code: str | None = None
) -> Pair:
    """Return an entry that arrives *number* days after tomorrow, with its stay if it is *known*."""
    first = TODAY + (number + 1) * DAY
    status = Status.CONFIRMED if kind is EntryKind.RESERVATION else Status.BLOCKED
    entry = Entry(
        uid=str(number), kind=kind, status=status, check_in=first, check_out=first + length * DAY, reservation_code=code
    )
    return Pair(entry=entry, stay=a_stay(number, length) if known else None, reason=MatchReason.NEW)


def a_stay(number: int, length: int = 1) -> Stay:
    """Return a known stay."""
    first = TODAY + (number + 1) * DAY
    remote = {"kind": "block", "status": "blocked", "check_in": str(first), "check_out": str(first + length * DAY)}
    return read_stay(a_record(id=f"unit_1.{number}", remote=remote))


@pytest.mark.parametrize(
    ("pairs", "absent", "limits", "rest"),
    [
        ([a_pair(i) for i in range(5)], [], BookingLimits(live=5), []),
        ([a_pair(i) for i in range(5)], [], BookingLimits(live=3), [3, 4]),
        ([a_pair(i, known=True) for i in range(5)], [], BookingLimits(live=3), []),
        ([a_pair(0), *(a_pair(i, known=True) for i in range(1, 5))], [], BookingLimits(live=3), [0]),
        ([a_pair(0), a_pair(1)], [a_stay(7), a_stay(8)], BookingLimits(live=3), [1]),
        ([a_pair(0), a_pair(1), a_pair(2, code="HM1", kind=EntryKind.RESERVATION)], [], BookingLimits(live=1), [0, 1]),
        ([a_pair(0, 40), a_pair(1, 70), a_pair(2, 50)], [], BookingLimits(nights=100), [1]),
        ([a_pair(-900 - i, 3) for i in range(5)], [], BookingLimits(live=3), []),
    ],
)
def test_who_has_room(pairs, absent, limits, rest):
    """Known bookings stay, guests come before closures, and the first to arrive before the later; past ones are no nights."""
    kept, beyond = limit_bookings(pairs, absent, TODAY, limits)

    assert [e.uid for e in beyond] == [str(n) for n in rest]
    assert len(kept) <= max(limits.live, sum(p.stay is not None for p in pairs))


def test_the_limits_are_those_of_the_page():
    """The defaults are the stated limits."""
    assert BookingLimits() == BookingLimits(live=MAX_LIVE_BOOKINGS, nights=MAX_LIVE_NIGHTS)


def test_an_event_of_a_far_year_is_said_and_not_held():
    """A stay of the year 2206 is most likely a slip: it is a note of the run, and no booking."""
    app = OneFeedApp()
    app.add(write([*guests(1), ShapedEvent("slip@x", (date(2206, 7, 1) - FIRST).days, 3)]))

    [report] = app.bokit.status.load_history(DEFAULT_TENANT).items[0].sources
    assert [r.key for r in bookings(app)] == ["0@x"]
    assert [p["code"] for p in report.problems] == ["far-away"]
