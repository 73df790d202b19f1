"""Replaying a history: the contract's document, from feeds that the simulator wrote."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bokit.engine.bookings.replay import read_history, replay_history
from bokit.errors import InputError
from simulator.world import World

START = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)


class Shelf:
    """A folder of feeds, fetched hour by hour."""

    def __init__(self, folder: Path, platform: str, **options) -> None:
        self.folder, self.platform, self.world = folder, platform, World(seed=3, now=START)
        self.name = f"{platform}/room"
        self.world.add_feed(self.name, timezone="Europe/Rome", **options)
        (folder / "meta.json").write_text(json.dumps({"platform": platform, "timezone": "Europe/Rome"}))

    def fetch(self, times: int = 1, *, hours: float = 1, body: bytes | None = None) -> None:
        for _ in range(times):
            self.world.advance(hours=hours)
            path = self.folder / f"{self.world.now:%Y%m%dT%H%M%SZ}.ics"
            path.write_bytes(self.world.render(self.name) if body is None else body)

    def book(self, first: int, end: int) -> str:
        return self.world.book(self.name, START.date() + timedelta(days=first), START.date() + timedelta(days=end))


def changes(document, number: int = 0) -> list[str]:
    return [h["change"] for h in stays(document)[number]["history"]]


def stays(document):
    return sorted((s for s in document["stays"] if s["kind"] != "window"), key=lambda s: s["history"][0]["check_in"])


def test_a_life_is_reported_as_created_moved_cancelled_and_restored(tmp_path):
    """One stay's changes, each at the fetch that brought it, with its dates and code."""
    shelf = Shelf(tmp_path, "airbnb")
    stay, _ = shelf.book(20, 24), shelf.book(40, 44)
    shelf.fetch(2)
    shelf.world.move(stay, date(2026, 6, 25))
    shelf.fetch(2)
    shelf.world.cancel(stay)
    shelf.fetch(26)
    shelf.world.bring_back(stay)
    shelf.fetch(1)

    document = replay_history(tmp_path)

    assert changes(document) == ["created", "moved", "cancelled", "restored"]
    moved = stays(document)[0]["history"][1]
    assert moved == {"at": "2026-06-01T12:00:00Z", "change": "moved", "check_in": "2026-06-25", "check_out": "2026-06-29"}
    assert stays(document)[0]["code"].startswith("HM")
    assert document["counts"] == {
        "created": 2,
        "moved": 1,
        "changed": 0,
        "cancelled": 1,
        "restored": 1,
        "merged": 0,
        "refused": 0,
    }
    assert (document["fetches"], document["refused"]) == (31, [])


def test_a_changed_phone_is_reported_as_changed(tmp_path):
    """A change of a field that is not a date is `changed`."""
    shelf = Shelf(tmp_path, "airbnb")
    stay = shelf.book(20, 24)
    shelf.fetch()
    shelf.world.change(stay, phone="+39 333 0000001")
    shelf.fetch()

    assert changes(replay_history(tmp_path)) == ["created", "changed"]


def test_stays_that_the_feed_joins_are_reported_as_merged(tmp_path):
    """Two closures become one: one stay goes on, the other ends as merged."""
    shelf = Shelf(tmp_path, "booking_com")
    one, two, _ = shelf.book(20, 24), shelf.book(24, 28), shelf.book(40, 44)
    shelf.fetch()
    shelf.world.cancel(two)
    shelf.world.move(one, date(2026, 6, 21), date(2026, 6, 29))
    shelf.fetch()

    document = replay_history(tmp_path)

    assert sorted([changes(document, 0)[-1], changes(document, 1)[-1]]) == ["merged", "moved"]


def test_refused_fetches_are_reported_and_change_nothing(tmp_path):
    """A web page, nothing and an empty calendar are refused by name; the stays are as before."""
    shelf = Shelf(tmp_path, "airbnb")
    shelf.book(20, 24)
    shelf.fetch()
    empty = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Airbnb Inc//Hosting Calendar 1.0//EN\r\nEND:VCALENDAR\r\n"
    for body in (b"<html>no</html>", b"", empty):
        shelf.fetch(body=body)
    shelf.fetch()

    document = replay_history(tmp_path)

    assert [r["code"] for r in document["refused"]] == ["unreadable-feed", "unreadable-feed", "empty-feed"]
    assert changes(document) == ["created"]


def test_what_a_held_fetch_releases_is_reported_at_once(tmp_path):
    """A cancelled stay, missed three times, and then an empty calendar for days."""
    shelf = Shelf(tmp_path, "airbnb")
    shelf.book(40, 44)
    cancelled = shelf.book(60, 64)
    shelf.fetch()
    shelf.world.cancel(cancelled)
    shelf.fetch(3)
    empty = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Airbnb Inc//Hosting Calendar 1.0//EN\r\nEND:VCALENDAR\r\n"
    shelf.fetch(80, body=empty)

    document = replay_history(tmp_path)

    assert [h["at"] for s in stays(document) for h in s["history"] if h["change"] == "cancelled"] == ["2026-06-04T10:00:00Z"]
    assert changes(document) == ["created"]


def test_what_a_doubtful_fetch_brought_is_reported_when_it_is_agreed(tmp_path):
    """A stay first seen in a truncated feed is reported at the next whole one; one that never comes again, never."""
    shelf = Shelf(tmp_path, "airbnb")
    shelf.book(20, 24)
    shelf.fetch()
    ghost = shelf.book(30, 32)
    shelf.book(50, 54)
    whole = shelf.world.render(shelf.name)
    shelf.fetch(body=whole[: whole.rindex(b"END:VCALENDAR")])
    shelf.world.cancel(ghost)
    shelf.fetch(2)

    document = replay_history(tmp_path)

    assert [s["history"][0]["at"] for s in stays(document)] == ["2026-06-01T10:00:00Z", "2026-06-01T12:00:00Z"]


def test_a_rolling_window_is_distinguished_from_stays(tmp_path):
    """A window's spans have the kind window, and are counted nowhere."""
    shelf = Shelf(tmp_path, "booking_com", open_until="2026-12-01")
    shelf.book(20, 24)
    shelf.fetch(3, hours=24)
    shelf.world.set_options(shelf.name, open_until="2030-01-01")
    shelf.fetch(3, hours=24)

    document = replay_history(tmp_path)

    (window,) = [s for s in document["stays"] if s["kind"] == "window"]
    assert {h["change"] for h in window["history"]} >= {"created", "moved"}
    assert sum(document["counts"].values()) == 1


def test_progress_is_reported_fetch_by_fetch(tmp_path):
    """The caller gets the progress and the total."""
    shelf = Shelf(tmp_path, "airbnb")
    shelf.fetch(3)
    heard = []

    replay_history(tmp_path, progress=lambda done, of: heard.append((done, of)))

    assert heard == [(1, 3), (2, 3), (3, 3)]


def test_a_history_needs_no_meta(tmp_path):
    """Without meta.json the platform is detected from the content, and times are UTC."""
    shelf = Shelf(tmp_path, "airbnb")
    shelf.book(20, 24)
    shelf.fetch()
    (tmp_path / "meta.json").unlink()

    assert changes(replay_history(tmp_path)) == ["created"]
    assert read_history(tmp_path).timezone == "UTC"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("meta.json", "{", "not JSON"),
        ("meta.json", "[]", "not an object"),
        ("meta.json", '{"platform": "myspace"}', "platform"),
        ("meta.json", '{"timezone": "Mars/Base"}', "timezone"),
        ("yesterday.ics", "", "name"),
    ],
)
def test_a_wrong_folder_is_refused_by_name(tmp_path, name, text, said):
    """Each thing that is wrong with a folder is an input error that says so."""
    Shelf(tmp_path, "airbnb").fetch()
    (tmp_path / name).write_text(text)

    with pytest.raises(InputError, match=said):
        replay_history(tmp_path)


def test_an_empty_or_missing_folder_is_refused(tmp_path):
    """There must be something to replay."""
    with pytest.raises(InputError, match="no <"):
        replay_history(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        replay_history(tmp_path / "nowhere")
