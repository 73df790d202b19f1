"""A source's settings of reading: what the end of an event is, and whether events marked as free hold nights."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from bokit.core.model.records import Presence
from bokit.errors import InputError
from tests.support.one_feed_app import OneFeedApp

FIRST = date(2026, 12, 1)


def event(uid: str, first: int, end: int, *lines: str) -> str:
    """Return an all-day event that begins so many days after the first of December."""
    start, stop = (f"{FIRST + timedelta(days=n):%Y%m%d}" for n in (first, end))
    own = ("BEGIN:VEVENT", f"UID:{uid}", f"DTSTART;VALUE=DATE:{start}", f"DTEND;VALUE=DATE:{stop}", "SUMMARY:Reserved", *lines)
    return "\r\n".join([*own, "END:VEVENT", ""])


def calendar(*events: str) -> bytes:
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Small PMS//EN\r\n{''.join(events)}END:VCALENDAR\r\n".encode()


def volatile(fetch: int) -> bytes:
    """Return the stays of a feed that makes new UIDs for each fetch."""
    return calendar(*(event(f"{fetch}-{n}", 10 * n, 10 * n + 3) for n in range(1, 5)))


def stable(fetch: int) -> bytes:
    """Return the stays of a feed that says the same at every fetch."""
    return volatile(0)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


@pytest.mark.parametrize("feed", [stable, volatile])
def test_a_changed_end_is_read_from_the_same_content_and_keeps_edits(feed):
    """The next sync reads the whole body, whatever ETag and hash say: each stay gains its night, and is the same booking."""
    app = OneFeedApp()
    app.add(feed(0))
    app.sync(feed(1))
    ids = [record.id for record in app.records()]
    app.bokit.bookings.edit(app.records()[0].tenant, ids[0], {"notes": "arrives late"}, by="user:rosa")

    app.edit(ends_on="last-night")
    report = app.sync(feed(1))

    assert (report.outcome, app.feed.answers[-1]) == ("changed", "200")
    assert {day(10 * n + 3) for n in range(1, 5)} <= app.held()
    assert [record.id for record in app.records()] == ids
    assert app.records()[0].fields["notes"] == "arrives late"
    for fetch in range(2, 5):
        assert app.sync(feed(fetch)).outcome in ("unchanged", "not-modified")


@pytest.mark.parametrize("feed", [stable, volatile])
def test_an_end_that_frees_nights_again_waits_for_evidence(feed):
    """Back to the day of departure: a night opens as every other does, after a day, and no fetch is held meanwhile."""
    app = OneFeedApp()
    app.add(feed(0), ends_on="last-night")
    app.sync(feed(1))
    app.edit(ends_on="departure")

    outcomes = {str(app.sync(feed(fetch)).outcome) for fetch in range(2, 22)}
    assert "held" not in outcomes
    assert day(13) in app.held()
    for fetch in range(22, 32):
        app.sync(feed(fetch))

    assert not {day(10 * n + 3) for n in range(1, 5)} & app.held()
    assert [record.presence for record in app.records()] == [Presence.PRESENT] * 4


def test_events_marked_as_free_are_ignored_where_the_owner_says_so():
    """They are held and noted; ignored, they are missed as a cancelled stay is, and back at once when the setting is."""
    app = OneFeedApp()
    body = calendar(event("a", 10, 13), event("b", 20, 23, "TRANSP:TRANSPARENT"))
    app.add(body)
    assert day(20) in app.held()

    app.edit(ignore_transparent=True)
    report = app.sync()
    assert (report.counts["missing"], [p["code"] for p in report.problems]) == (1, ["transparent-ignored"])
    assert day(20) in app.held()
    app.sync(times=26)
    assert day(20) not in app.held()
    assert day(10) in app.held()

    app.edit(ignore_transparent=False)
    app.sync()
    assert day(20) in app.held()


def test_the_same_setting_again_reads_nothing_again():
    """An edit that changes nothing leaves ETag and hash as they are."""
    app = OneFeedApp()
    app.add(stable(0), ends_on="last-night")
    app.edit(ends_on="last-night", ignore_transparent=False)

    assert (app.sync().outcome, app.feed.answers[-1]) == ("not-modified", "304")


@pytest.mark.parametrize(
    ("events", "settings", "suggested"),
    [
        ((event("a", 10, 13), event("b", 20, 20)), {}, {"ends_on": "last-night"}),
        ((event("a", 10, 13), event("b", 14, 14), event("c", 15, 17)), {}, {"ends_on": "last-night"}),
        ((event("a", 10, 13), event("b", 13, 15), event("c", 20, 20)), {}, {}),
        ((event("a", 10, 13), event("b", 14, 17)), {}, {}),
        ((event("a", 10, 13), event("b", 20, 20)), {"ends_on": "last-night"}, {}),
        ((event("a", 10, 13), event("b", 13, 15)), {"ends_on": "last-night"}, {"ends_on": "departure"}),
        ((event("a", 10, 13), event("b", 20, 20, "STATUS:CANCELLED")), {}, {"ends_on": "last-night"}),
    ],
)
def test_the_preview_suggests_what_the_feed_looks_like(events, settings, suggested):
    """Events that end on the day of their start give last nights away, unless a stay begins where another one ends."""
    assert OneFeedApp().preview(calendar(*events), **settings).as_dict()["suggested"] == suggested


@pytest.mark.parametrize(("name", "value"), [("ends_on", "checkout"), ("ends_on", 3), ("ignore_transparent", "perhaps")])
def test_a_bad_setting_is_refused(name, value):
    """What a setting may be is said, with its field."""
    app = OneFeedApp()
    app.add(stable(0))

    with pytest.raises(InputError) as caught:
        app.edit(**{name: value})
    assert caught.value.facts["field"] == name


@pytest.mark.parametrize("lines", [("DTSTART:soon", "DTEND;VALUE=DATE:{end}"), ("DTSTART;VALUE=DATE:{start}", "DTEND:soon")])
def test_a_date_that_cannot_be_read_opens_no_night_of_a_known_stay(lines):
    """A known stay keeps its nights, dates and edits while its feed writes one of its dates wrongly; the report says so."""
    app = OneFeedApp()
    app.add(calendar(event("a", 10, 13), event("b", 20, 23)))
    before = [(record.id, record.remote["check_in"], record.remote["check_out"]) for record in app.records()]
    dates = {"start": f"{day(10):%Y%m%d}", "end": f"{day(13):%Y%m%d}"}
    broken = "\r\n".join(["BEGIN:VEVENT", "UID:a", *(line.format(**dates) for line in lines), "END:VEVENT", ""])

    body = calendar(broken, event("b", 20, 23))
    report = app.sync(body)
    app.sync(body, times=50)

    assert [(record.id, record.remote["check_in"], record.remote["check_out"]) for record in app.records()] == before
    assert {day(n) for n in (10, 11, 12, 20)} <= app.held()
    assert report.problems[0]["uid"] == "a"
