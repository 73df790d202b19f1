"""The stock scenario, and the config file that makes Bokit read a world's feeds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from simulator.feeds import PLATFORMS
from simulator.truth import DAY
from simulator.world import World

AIRBNB, BOOKING, VRBO, BEDS24 = "airbnb/garden-flat", "booking_com/garden-flat", "vrbo/loft", "beds24/loft"


def build_demo(seed: int, now: datetime) -> World:
    """Return two properties with four feeds.

    A guest of Airbnb and one of Booking.com have some nights of the Garden flat in common: the conflict to be found.
    """
    world = World(seed=seed, now=now)
    _furnish(world)
    _let(world, AIRBNB, ("Melanie Weber", 3, 7), ("Luca Moretti", 17, 19), ("Anna Keller", 34, 41))
    _let(world, BOOKING, ("Jean Dupont", -2, 3), ("Sofia Lind", 9, 13), ("Tom Baker", 24, 27), ("Élise Martin", 39, 43))
    _let(world, VRBO, ("Clara Rossi", -20, -15), ("Inês Costa", 5, 10), ("Pavel Novák", 28, 33))
    _let(world, BEDS24, ("Marta Silva", 12, 15), ("Noor de Vries", 20, 24))
    _close(world, AIRBNB, 50, 54)
    _close(world, VRBO, 60, 62)
    return world


def _furnish(world: World) -> None:
    villa = {"property": "Villa Rosa", "unit": "Garden flat", "timezone": "Europe/Rome"}
    harbour = {"property": "Harbour House", "unit": "Loft", "timezone": "Europe/Lisbon"}
    world.add_feed(AIRBNB, **villa, notice_days=1, open_days=300)
    world.add_feed(BOOKING, **villa, open_until=world.today(AIRBNB) + DAY * 300)
    world.add_feed(VRBO, **harbour)
    world.add_feed(BEDS24, **harbour)


def _let(world: World, feed: str, *stays: tuple[str, int, int]) -> None:
    """Book by days from today."""
    today = world.today(feed)
    for guest, start, end in stays:
        world.book(feed, today + DAY * start, today + DAY * end, guest=guest)


def _close(world: World, feed: str, start: int, end: int) -> None:
    today = world.today(feed)
    world.block(feed, today + DAY * start, today + DAY * end)


def config_of(world: World, url: str) -> dict[str, Any]:
    """Return what ``bokit config import`` reads to sync the feeds of *world*, served at *url*."""
    properties: dict[str, dict[str, Any]] = {}
    for feed in world.feeds.values():
        house = properties.setdefault(feed.property, {"name": feed.property, "timezone": feed.timezone, "units": {}})
        unit = house["units"].setdefault(feed.unit, {"name": feed.unit, "sources": []})
        source = {"name": PLATFORMS[feed.platform].title, "kind": "ical", "url": f"{url.rstrip('/')}/{feed.name}.ics"}
        unit["sources"].append(source)
    return {"properties": [{**house, "units": list(house["units"].values())} for house in properties.values()]}
