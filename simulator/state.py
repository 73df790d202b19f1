"""Write a world as JSON, read it back, and keep it in a file between two runs of the server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

from simulator.client_api import api_as_dict, read_api
from simulator.faults import Fault
from simulator.model import Feed, GroundTruth, LogEntry, SimulatedStay, SimulatorError
from simulator.world import World

FILE = "world.json"
FORM = 1
T = TypeVar("T")


def world_as_dict(world: World) -> dict[str, Any]:
    """Return *world* as JSON types."""
    return {
        "form": FORM,
        "seed": world.seed,
        "now": _plain(world.now),
        "answers": world.answers,
        "feeds": [_fields(feed) for feed in world.feeds.values()],
        "stays": [_fields(stay) for stay in world.stays.values()],
        "faults": {name: [_fields(fault) for fault in queued] for name, queued in world.faults.items()},
        "log": [_fields(entry) for entry in world.log],
        "clients": api_as_dict(world.clients),
    }


def read_world(document: Mapping[str, Any]) -> World:
    """Return the world that :func:`world_as_dict` wrote; raise ValueError for another version of the format."""
    if document["form"] != FORM:
        raise ValueError(document["form"])
    world = World(seed=document["seed"], now=_time(document["now"]))
    world.answers = document["answers"]
    world.feeds = {feed["name"]: Feed(**feed) for feed in document["feeds"]}
    world.stays = {stay["id"]: _typed(SimulatedStay, stay) for stay in document["stays"]}
    world.faults = {name: tuple(_typed(Fault, fault) for fault in queued) for name, queued in document["faults"].items()}
    world.log = [_typed(LogEntry, entry) for entry in document["log"]]
    if "clients" in document:
        world.clients = read_api(document["clients"])
    return world


def truth_as_dict(truth: GroundTruth) -> dict[str, Any]:
    """Return *truth* as JSON types; nights are sorted."""
    return {
        "now": _plain(truth.now),
        "stays": [{**_fields(stay), "status": stay.status} for stay in truth.stays],
        "feeds": {
            name: {"closed": sorted(map(str, closed)), "windows": sorted(map(str, truth.windows[name]))}
            for name, closed in truth.closed.items()
        },
    }


def load_world(folder: Path) -> World | None:
    """Return the world saved in *folder*, or None."""
    try:
        return read_world(json.loads((folder / FILE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SimulatorError(f"the state in {folder / FILE} cannot be read; delete it to start a new world") from error


def save_world(world: World, folder: Path) -> None:
    """Save *world* in *folder*, atomically."""
    text = json.dumps(world_as_dict(world), ensure_ascii=False, indent=1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (part := folder / f"{FILE}.part").write_text(text + "\n", encoding="utf-8")
        part.replace(folder / FILE)
    except OSError as error:
        raise SimulatorError(f"cannot write to {folder}: {error.strerror}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def _fields(value: Fault | Feed | SimulatedStay | LogEntry) -> dict[str, Any]:
    return {name: _plain(field) for name, field in asdict(value).items()}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


_READ: Mapping[str, Callable[[str], Any]] = {
    "check_in": date.fromisoformat,
    "check_out": date.fromisoformat,
    "at": _time,
    "changed_at": _time,
    "until": lambda text: text and _time(text),
}


def _typed(kind: Callable[..., T], fields: Mapping[str, Any]) -> T:
    return kind(**{name: _READ[name](value) if name in _READ else value for name, value in fields.items()})
