"""The stock scenario: two properties, four feeds, relative to the virtual today."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

from simulator.records import Listing
from simulator.world import World

AIRBNB, BOOKING, VRBO, BEDS24 = "airbnb/garden-flat", "booking_com/garden-flat", "vrbo/loft", "beds24/loft"
_PLACES = (
    ("Villa Rosa", "Europe/Rome", "Garden flat", ((AIRBNB, "Airbnb"), (BOOKING, "Booking.com"))),
    ("Harbour House", "Europe/Lisbon", "Loft", ((VRBO, "VRBO"), (BEDS24, "Beds24"))),
)


def build_demo(*, today: date, seed: int = 1) -> World:
    """Return the demo's world at nine in the morning (UTC) of *today*."""
    world = World(seed=seed, now=datetime(today.year, today.month, today.day, 9, tzinfo=UTC))
    _add_garden_flat(world, today)
    _add_loft(world, today)
    return world


def write_config(base_url: str) -> str:
    """Return the file that `bokit config import` takes: the demo's properties, with their feeds at *base_url*.

    It is JSON, which is YAML too.
    """
    return json.dumps({"properties": [_property(base_url, *place) for place in _PLACES]}, indent=2, ensure_ascii=False) + "\n"


def _property(base_url: str, name: str, timezone: str, unit: str, feeds: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    sources = [{"name": shown, "kind": "ical", "url": f"{base_url.rstrip('/')}/{id}.ics"} for id, shown in feeds]
    return {"name": name, "timezone": timezone, "units": [{"name": unit, "sources": sources}]}


def _add_garden_flat(world: World, today: date) -> None:
    far = today + timedelta(days=300)
    world.add_listing(Listing(platform="airbnb", name="garden-flat", notice_days=1, closed_from=far))
    world.add_listing(Listing(platform="booking_com", name="garden-flat", closed_from=far))
    _book(world, AIRBNB, today, (("Melanie Weber", 3, 7), ("Luca Moretti", 17, 19), ("Anna Keller", 34, 41)))
    _book(world, BOOKING, today, (("Jean Dupont", -2, 3), ("Sofia Lind", 9, 13), ("Tom Baker", 24, 27)))
    world.block(AIRBNB, today + timedelta(days=50), today + timedelta(days=54))


def _add_loft(world: World, today: date) -> None:
    world.add_listing(Listing(platform="vrbo", name="loft", timezone="Europe/Lisbon"))
    world.add_listing(Listing(platform="beds24", name="loft", timezone="Europe/Lisbon"))
    _book(world, VRBO, today, (("Ines Costa", 5, 10), ("Pavel Novak", 28, 33)))
    _book(world, BEDS24, today, (("Marta Silva", 12, 15), ("Noor de Vries", 20, 24)))
    world.block(VRBO, today + timedelta(days=60), today + timedelta(days=62))


def _book(world: World, feed: str, today: date, stays: tuple[tuple[str, int, int], ...]) -> None:
    for guest, start, end in stays:
        world.book(feed, today + timedelta(days=start), today + timedelta(days=end), guest=guest)
