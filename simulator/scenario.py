"""The stock scenario, and the config file that makes Bokit read a world's feeds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from simulator.feeds import PLATFORMS
from simulator.truth import DAY
from simulator.world import World

GARDEN_AIRBNB, GARDEN_BOOKING = "airbnb/garden-flat", "booking_com/garden-flat"
LOFT_VRBO, LOFT_BEDS24 = "vrbo/canal-loft", "beds24/canal-loft"


def build_demo(seed: int, now: datetime) -> World:
    """Return two properties with four feeds; a guest of Airbnb and one of Booking.com share two nights of the Garden flat."""
    world = World(seed=seed, now=now)
    _furnish(world)
    _let_garden_flat(world)
    _let_loft(world)
    return world


def _furnish(world: World) -> None:
    villa = {"property": "Villa Rosa", "unit": "Garden flat", "timezone": "Europe/Rome"}
    quay = {"property": "Harbour House", "unit": "Canal loft", "timezone": "Europe/Paris"}
    world.add_feed(GARDEN_AIRBNB, **villa, notice_days=1, open_days=300)
    world.add_feed(GARDEN_BOOKING, **villa, open_until=date(world.now.year + 1, world.now.month, 1))
    world.add_feed(LOFT_VRBO, **quay)
    world.add_feed(LOFT_BEDS24, **quay)


def _let_garden_flat(world: World) -> None:
    day = _days(world, GARDEN_AIRBNB)
    world.book(GARDEN_AIRBNB, day(-2), day(1), guest="Melanie Hart")
    world.book(GARDEN_AIRBNB, day(6), day(10), guest="Tom O'Neill")
    world.book(GARDEN_AIRBNB, day(21), day(28), guest="Aiko Tanaka")
    world.block(GARDEN_AIRBNB, day(40), day(43))
    world.book(GARDEN_BOOKING, day(2), day(5), guest="Jürgen Weiß")
    world.book(GARDEN_BOOKING, day(10), day(13), guest="Clara Moreau")
    world.book(GARDEN_BOOKING, day(26), day(30), guest="Petra Nováková")


def _let_loft(world: World) -> None:
    day = _days(world, LOFT_VRBO)
    world.book(LOFT_VRBO, day(-20), day(-15), guest="Sam Lee")
    world.book(LOFT_VRBO, day(4), day(9), guest="Zoé Lambert")
    world.book(LOFT_VRBO, day(33), day(36), guest="Olu Adeyemi", tentative=True)
    world.block(LOFT_VRBO, day(15), day(17))
    world.book(LOFT_BEDS24, day(11), day(14), guest="Søren Dahl")
    world.book(LOFT_BEDS24, day(50), day(57), guest="Inês Duarte")


def _days(world: World, feed: str) -> Any:
    today = world.today(feed)
    return lambda number: today + DAY * number


def config_of(world: World, url: str) -> dict[str, Any]:
    """Return what ``bokit config import`` reads to sync the feeds of *world*, served at *url*."""
    properties: dict[str, dict[str, Any]] = {}
    for feed in world.feeds.values():
        house = properties.setdefault(feed.property, {"name": feed.property, "timezone": feed.timezone, "units": {}})
        unit = house["units"].setdefault(feed.unit, {"name": feed.unit, "sources": []})
        source = {"name": PLATFORMS[feed.platform].title, "kind": "ical", "url": f"{url.rstrip('/')}/{feed.name}.ics"}
        unit["sources"].append(source)
    return {"properties": [{**house, "units": list(house["units"].values())} for house in properties.values()]}


def write_yaml(config: Mapping[str, Any]) -> str:
    """Return the document of :func:`config_of` as YAML."""
    return "\n".join(_lines(config)) + "\n"


def _lines(config: Mapping[str, Any]) -> Iterator[str]:
    yield "properties:"
    for house in config["properties"]:
        yield f"  - name: {_quoted(house['name'])}"
        yield f"    timezone: {house['timezone']}"
        yield "    units:"
        for unit in house["units"]:
            yield f"      - name: {_quoted(unit['name'])}"
            yield "        sources:"
            for source in unit["sources"]:
                yield f"          - {{name: {_quoted(source['name'])}, kind: ical, url: {_quoted(source['url'])}}}"


def _quoted(text: str) -> str:
    """JSON's strings are YAML's too."""
    return json.dumps(text, ensure_ascii=False)
