"""The demo's world, the listing that README adds, and the config file for a world's feeds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from simulator.feeds import PLATFORMS
from simulator.model import DAY
from simulator.world import World

AIRBNB, BOOKING, VRBO, BEDS24 = "airbnb/terrace-flat", "booking_com/terrace-flat", "vrbo/quay-loft", "beds24/quay-loft"
README_LISTING = "airbnb/rose-room"


def build_demo(seed: int, now: datetime) -> World:
    """Return a world of two properties with four feeds.

    One Airbnb and one Booking.com guest of the Terrace flat share nights: the double booking of the demo.
    """
    world = World(seed=seed, now=now)
    _add_feeds(world)
    _book(world, AIRBNB, ("Melanie Weber", 3, 7), ("Luca Moretti", 17, 19), ("Anna Keller", 34, 41))
    _book(world, BOOKING, ("Jean Dupont", -2, 3), ("Sofia Lind", 9, 13), ("Tom Baker", 24, 27), ("Élise Martin", 39, 43))
    _book(world, VRBO, ("Clara Rossi", -20, -15), ("Inês Costa", 5, 10), ("Pavel Novák", 28, 33))
    _book(world, BEDS24, ("Marta Silva", 12, 15), ("Noor de Vries", 20, 24))
    _block(world, AIRBNB, 50, 54)
    _block(world, VRBO, 60, 62)
    return world


def _add_feeds(world: World) -> None:
    luna = {"property": "Casa Luna", "unit": "Terrace flat", "timezone": "Europe/Rome"}
    harbour = {"property": "Harbour House", "unit": "Quay loft", "timezone": "Europe/Lisbon"}
    world.add_feed(AIRBNB, **luna, notice_days=1, open_days=300)
    world.add_feed(BOOKING, **luna, open_until=world.today(AIRBNB) + DAY * 300)
    world.add_feed(VRBO, **harbour)
    world.add_feed(BEDS24, **harbour)


def add_readme_listing(world: World) -> None:
    """Add the listing that README's reader adds by hand; it is in no config file."""
    world.add_feed(README_LISTING, property="", unit="", notice_days=1)
    _book(world, README_LISTING, ("Ann Meyer", 6, 10), ("Paul Brandt", 21, 24))


def _book(world: World, feed: str, *stays: tuple[str, int, int]) -> None:
    """Book stays: guest, first and last day, counted from today."""
    today = world.today(feed)
    for guest, start, end in stays:
        world.book(feed, today + DAY * start, today + DAY * end, guest=guest)


def _block(world: World, feed: str, start: int, end: int) -> None:
    today = world.today(feed)
    world.block(feed, today + DAY * start, today + DAY * end)


def config_of(world: World, url: str) -> dict[str, Any]:
    """Return the config file, for ``bokit config import``, of the feeds of *world* that have a property."""
    properties: dict[str, dict[str, Any]] = {}
    for feed in (f for f in world.feeds.values() if f.property):
        home = properties.setdefault(feed.property, {"name": feed.property, "timezone": feed.timezone, "units": {}})
        unit = home["units"].setdefault(feed.unit, {"name": feed.unit, "sources": []})
        source = {"name": PLATFORMS[feed.platform].title, "kind": "ical", "url": f"{url.rstrip('/')}/{feed.name}.ics"}
        unit["sources"].append(source)
    return {"properties": [{**home, "units": list(home["units"].values())} for home in properties.values()]}
