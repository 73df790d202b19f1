"""A body that a guard holds costs its work once: the same again is not matched until something can change."""

from __future__ import annotations

from typing import Any

import pytest

from bokit.core.bookings.rules import BookingRules
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.runs import Outcome
from bokit.core.model.source_memory import read_memory
from tests.support.feed_shapes import ShapedEvent, word, write
from tests.support.one_feed_app import OneFeedApp

MINE = [ShapedEvent(f"{i}@x", 40 + 5 * i, 3, f"Reserved - {word(i)}") for i in range(8)]
HELD = {
    "other-listing": write([ShapedEvent(f"o{i}@y", 42 + 6 * i, 2, f"Reserved - {word(900 + i)}") for i in range(9)]),
    "shrunken-feed": write(MINE[:2]),
    "partial-feed": write(MINE)[:-40],
    "unreadable-feed": b"<html>maintenance</html>",
}


class CountingRules(BookingRules):
    """The rules of calendars, which count how often they match."""

    def __init__(self) -> None:
        self.matched = 0

    def match(self, *given: Any) -> Any:
        self.matched += 1
        return super().match(*given)


@pytest.fixture
def app(monkeypatch) -> OneFeedApp:
    """Return a host of one flat, whose feed was read well."""
    counting = CountingRules()
    monkeypatch.setattr("tests.support.one_feed_app.BookingRules", lambda: counting)
    app = OneFeedApp()
    app.rules = counting  # type: ignore[attr-defined]
    app.add(write(MINE))
    app.sync(times=2)
    return app


@pytest.mark.parametrize("code", sorted(HELD))
def test_the_same_held_body_is_not_matched_at_every_fetch(app, code):
    """Of a day's fetches of a held body, those are matched that count as agreement, and some to look again."""
    reports = [app.sync(HELD[code]) for _ in range(3)]
    app.rules.matched = 0

    reports += [app.sync(_stamped(HELD[code], hour)) for hour in range(20)]

    assert {(r.outcome, r.error and r.error["code"]) for r in reports} == {(Outcome.HELD, code)}
    assert app.rules.matched <= 6


@pytest.mark.parametrize("code", ["other-listing", "shrunken-feed"])
def test_a_body_with_news_is_matched_at_once(app, code):
    """Another event in a held body is held in that very fetch."""
    for _ in range(6):
        app.sync(HELD[code])
    before = app.held()

    new = ShapedEvent("new@x", 300, 2, "Reserved - Nora").text().encode()
    app.sync(HELD[code].replace(b"END:VCALENDAR", new + b"END:VCALENDAR"))

    assert len(app.held() - before) == 2


def test_a_hold_that_time_lifts_opens_in_its_hour(app):
    """A shrunken feed is believed after a day of agreement, not later because its fetches were not matched."""
    hours = next(n for n in range(1, 40) if app.sync(HELD["shrunken-feed"]).outcome is not Outcome.HELD)

    assert hours == 25


def test_the_own_feed_ends_a_hold_at_once(app):
    """Our own bookings again are accepted in the fetch that shows them."""
    app.sync(HELD["other-listing"], times=8)

    assert app.sync(write(MINE)).outcome is not Outcome.HELD
    assert app.sync(write(MINE)).outcome is Outcome.NOT_MODIFIED


def test_a_source_is_doubtful_since_the_last_fetch_that_was_held(app):
    """Fetches of a held body that are not matched are held ones, too: the source is doubtful since the last of them."""
    app.sync(HELD["other-listing"], times=64)
    last, [source] = app.clock.at, app.bokit.catalog.sources.list_sources(DEFAULT_TENANT)

    app.sync(write(MINE))

    doubted_at = read_memory(app.store.load_snapshot(source).memory).doubted_at
    assert doubted_at is not None
    assert abs((last - doubted_at).total_seconds()) < 60


def _stamped(body: bytes, hour: int) -> bytes:
    """Return *body* as generated at that hour."""
    return body.replace(b"BEGIN:VEVENT\r\n", f"BEGIN:VEVENT\r\nDTSTAMP:20261122T{hour:02d}0000Z\r\n".encode())
