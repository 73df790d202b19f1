"""The world as JSON, so that it is there again after a restart."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

from simulator.errors import SimulatorError
from simulator.records import Fault, FaultKind, Listing, Stay, StayKind
from simulator.world import World

T = TypeVar("T", Listing, Stay, Fault)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "check_in": _day,
    "check_out": _day,
    "closed_from": _day,
    "booked_at": _moment,
    "cancelled_at": _moment,
    "linked": tuple,
}


def dump_world(world: World) -> str:
    """Return the world as JSON."""
    told = {
        "seed": world.seed, "now": world.now, "drawn": world.drawn, "answers": world.answers,
        "listings": [asdict(listing) for listing in world.listings.values()],
        "stays": [asdict(stay) for stay in world.stays.values()],
        "faults": {id: asdict(fault) for id, fault in world.faults.items()},
    }  # fmt: skip
    return json.dumps(told, default=str, indent=1)


def read_world(text: str) -> World:
    """Return the world that :func:`dump_world` wrote; raises SimulatorError for anything else."""
    try:
        return _read_world(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SimulatorError("the state cannot be read; remove its file to begin anew") from error


def save_world(world: World, folder: Path) -> None:
    """Write the world's file in one move, so that a crash leaves the old one or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / "world.json.new"
    fresh.write_text(dump_world(world), encoding="utf-8")
    os.replace(fresh, folder / "world.json")


def load_world(folder: Path) -> World | None:
    """Return the world of *folder*, or None where there is none yet."""
    try:
        text = (folder / "world.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return read_world(text)


def _read_world(told: dict[str, Any]) -> World:
    world = World(seed=told["seed"], now=datetime.fromisoformat(told["now"]))
    world.drawn, world.answers = told["drawn"], told["answers"]
    for listing in told["listings"]:
        world.add_listing(_read(Listing, listing))
    for stay in told["stays"]:
        made = _read(Stay, stay | {"kind": StayKind(stay["kind"])})
        world.stays[made.id] = made
    world.faults = {id: _read(Fault, fault | {"kind": FaultKind(fault["kind"])}) for id, fault in told["faults"].items()}
    return world


def _read(kind: type[T], told: dict[str, Any]) -> T:
    known = {field.name for field in fields(kind)}
    values: dict[str, Any] = {name: _READERS.get(name, _same)(value) for name, value in told.items() if name in known}
    return kind(**values)


def _same(value: Any) -> Any:
    return value
