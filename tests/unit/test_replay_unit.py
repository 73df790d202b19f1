"""Several histories as the sources of one unit: echoes, joint bookings and conflicts, in the histories' own time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from bokit.engine.bookings.replay import replay_history
from bokit.engine.bookings.replay_unit import replay_unit
from simulator.world import World

START = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
AIRBNB, BOOKING = "airbnb/r", "booking_com/r"


class Shelves:
    """One folder a feed, fetched hour by hour."""

    def __init__(self, folder) -> None:
        self.world, self.folders = World(seed=5, now=START), {}
        for feed in (AIRBNB, BOOKING):
            self.world.add_feed(feed, timezone="Europe/Rome")
            self.folders[feed] = folder / feed.partition("/")[0]
            self.folders[feed].mkdir()
            meta = {"platform": feed.partition("/")[0], "timezone": "Europe/Rome"}
            (self.folders[feed] / "meta.json").write_text(json.dumps(meta))

    def fetch(self, times: int = 1) -> None:
        for _ in range(times):
            self.world.advance(hours=1)
            for feed, folder in self.folders.items():
                (folder / f"{self.world.now:%Y%m%dT%H%M%SZ}.ics").write_bytes(self.world.render(feed))

    def book(self, feed: str, first: int, end: int) -> str:
        return self.world.book(feed, START.date() + timedelta(days=first), START.date() + timedelta(days=end))

    def play(self):
        return replay_unit(list(self.folders.values()))


@pytest.fixture
def shelves(tmp_path):
    made = Shelves(tmp_path)
    made.book(AIRBNB, 60, 64)
    made.fetch()
    return made


def test_the_other_channels_closure_is_an_echo_from_then_on(shelves):
    """Reported with its source, what it repeats, and since when."""
    shelves.book(AIRBNB, 20, 24)
    shelves.fetch()
    shelves.book(BOOKING, 20, 24)
    shelves.fetch(2)

    document = shelves.play()

    (echo,) = document["echoes"]
    stays = {s["id"]: s for s in document["stays"]}
    assert [stays[original]["code"] for original in echo["echo_of"]] == [s["code"] for s in document["stays"] if s["code"]][1:]
    assert (echo["source_id"], echo["check_in"], echo["from"], echo["until"]) == (
        "src_2",
        "2026-06-21",
        "2026-06-01T12:00:00Z",
        None,
    )
    assert document["conflicts"] == []


def test_a_double_booking_is_reported_with_its_history(shelves):
    """Opened by the fetch that brings the second one, closed when one of the two is released."""
    shelves.book(BOOKING, 20, 24)
    shelves.fetch()
    stay = shelves.book(AIRBNB, 20, 24)
    shelves.fetch()
    shelves.world.cancel(stay)
    shelves.fetch(27)

    (conflict,) = shelves.play()["conflicts"]

    assert (conflict["certainty"], conflict["status"]) == ("likely", "closed")
    assert conflict["nights"] == ["2026-06-21", "2026-06-22", "2026-06-23", "2026-06-24"]
    assert [(h["at"][8:16], h["change"]) for h in conflict["history"]] == [("01T12:00", "open"), ("02T13:00", "close")]


def test_each_sources_stays_are_as_in_its_own_replay(shelves):
    """Playing together changes nothing of what one history says: only ids and sources are added."""
    shelves.book(AIRBNB, 20, 24)
    shelves.book(BOOKING, 22, 26)
    shelves.fetch(3)

    document = shelves.play()

    for number, folder in enumerate(shelves.folders.values(), start=1):
        alone = replay_history(folder)
        mine = [s for s in document["stays"] if s["source_id"] == f"src_{number}"]
        assert [(s["kind"], s["code"], s["history"]) for s in mine] == [
            (s["kind"], s["code"], s["history"]) for s in alone["stays"]
        ]
    assert [s["fetches"] for s in document["sources"]] == [4, 4]
    assert document["fetches"] == 8


def test_refused_fetches_name_their_source(shelves):
    """A web page in one of them."""
    shelves.fetch()
    (shelves.folders[BOOKING] / "20260601T120000Z.ics").write_bytes(b"<html>no</html>")

    assert [(r["source_id"], r["code"]) for r in shelves.play()["refused"]] == [("src_2", "unreadable-feed")]
