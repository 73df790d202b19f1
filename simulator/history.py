"""Histories: what a feed showed at one fetch after another, as `bokit replay` reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from simulator.life import live
from simulator.model import SimulatorError
from simulator.world import World

TIME_FORMAT = "%Y%m%dT%H%M%SZ"


def make_history(world: World, feed: str, *, days: int, every_hours: int = 6) -> Iterator[tuple[datetime, bytes]]:
    """Let time pass with random changes, and yield the time and the body of each fetch of *feed*."""
    if days < 1 or not 1 <= every_hours <= 24:
        raise SimulatorError("a history needs a day or more, and fetches 1 to 24 hours apart")
    for _ in range(days * 24 // every_hours):
        yield world.now, world.render(feed)
        live(world, hours=every_hours)


def save_history(world: World, feed: str, folder: Path, *, days: int, every_hours: int = 6) -> int:
    """Write a history of *feed* into *folder*, a file for each fetch; return how many."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SimulatorError(f"the folder {folder} is not empty")
    (folder / "meta.json").write_text(json.dumps({"timezone": world.feed(feed).timezone}) + "\n")
    number = 0
    for at, body in make_history(world, feed, days=days, every_hours=every_hours):
        (folder / f"{at:{TIME_FORMAT}}.ics").write_bytes(body)
        number += 1
    return number
