"""The world as JSON and back, and the file that keeps it between two lives of the server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

from simulator.client_api import api_as_dict, read_api
from simulator.faults import Fault
from simulator.truth import Feed, Happening, SimulatorError, Stay, Truth
from simulator.world import World

FILE = "simulated.json"
FORM = 1
T = TypeVar("T")


def world_as_dict(world: World) -> dict[str, Any]:
    """Return all of *world* in JSON's types."""
    return {
        "form": FORM,
        "seed": world.seed,
        "now": _plain(world.now),
        "answers": world.answers,
        "feeds": [_fields(feed) for feed in world.feeds.values()],
        "stays": [_fields(stay) for stay in world.stays.values()],
        "faults": {name: [asdict(fault) for fault in waiting] for name, waiting in world.faults.items()},
        "log": [_fields(happening) for happening in world.log],
        "clients": api_as_dict(world.clients),
    }


def read_world(told: Mapping[str, Any]) -> World:
    """Return the world that :func:`world_as_dict` told of; raises ValueError for another form's."""
    if told["form"] != FORM:
        raise ValueError(told["form"])
    world = World(seed=told["seed"], now=_moment(told["now"]))
    world.answers = told["answers"]
    world.feeds = {feed["name"]: Feed(**feed) for feed in told["feeds"]}
    world.stays = {stay["id"]: _typed(Stay, stay) for stay in told["stays"]}
    world.faults = {name: tuple(Fault(**fault) for fault in waiting) for name, waiting in told["faults"].items()}
    world.log = [_typed(Happening, happening) for happening in told["log"]]
    if "clients" in told:
        world.clients = read_api(told["clients"])
    return world


def truth_as_dict(truth: Truth) -> dict[str, Any]:
    """Return *truth* in JSON's types; stays carry their feed, nights are in order."""
    return {
        "now": _plain(truth.now),
        "stays": [{**_fields(stay), "status": stay.status} for stay in truth.stays],
        "feeds": {
            name: {"closed": sorted(map(str, closed)), "windows": sorted(map(str, truth.windows[name]))}
            for name, closed in truth.closed.items()
        },
    }


def load_world(folder: Path) -> World | None:
    """Return the world kept in *folder*; None where there is none yet."""
    try:
        return read_world(json.loads((folder / FILE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SimulatorError(f"the state in {folder / FILE} cannot be read; remove it to begin anew") from error


def save_world(world: World, folder: Path) -> None:
    """Keep *world* in *folder*, wholly or not at all."""
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


def _fields(value: Feed | Stay | Happening) -> dict[str, Any]:
    return {name: _plain(field) for name, field in asdict(value).items()}


def _moment(told: str) -> datetime:
    return datetime.fromisoformat(told.replace("Z", "+00:00"))


_READ: Mapping[str, Callable[[str], Any]] = {
    "check_in": date.fromisoformat,
    "check_out": date.fromisoformat,
    "at": _moment,
    "changed_at": _moment,
}


def _typed(kind: Callable[..., T], told: Mapping[str, Any]) -> T:
    return kind(**{name: _READ[name](value) if name in _READ else value for name, value in told.items()})
