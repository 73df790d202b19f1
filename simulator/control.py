"""The commands of the control API and the command line, by name, with JSON arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from simulator import life
from simulator.model import SimulatorError
from simulator.state import truth_as_dict
from simulator.world import World

Json = Any


def _date(value: Json) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise SimulatorError(f"not a date: {value}; write YYYY-MM-DD") from None


def _number(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 10_000:
        raise SimulatorError(f"not a number up to 10000: {value}")
    return value


def _count(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise SimulatorError(f"not a whole number: {value}")
    return value


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise SimulatorError(f"not a string: {value}")
    return value


def _optional_text(value: Json) -> str | None:
    return None if value is None else _text(value)


def _flag(value: Json) -> bool:
    if not isinstance(value, bool):
        raise SimulatorError(f"not true or false: {value}")
    return value


def book(
    world: World, feed: str, check_in: str, check_out: str, guest: str | None = None, tentative: bool = False, over: bool = False
) -> Json:
    """Book a stay."""
    given: dict[str, Any] = {"guest": _optional_text(guest), "tentative": _flag(tentative), "over": _flag(over)}
    return {"stay": world.book(_text(feed), _date(check_in), _date(check_out), **given)}


def block(
    world: World, feed: str, check_in: str, check_out: str, every_days: int = 0, times: int = 1, over: bool = False
) -> Json:
    """Close nights as the owner; on google also as a series."""
    series = {"every_days": _count(every_days), "times": _count(times)}
    return {"stay": world.block(_text(feed), _date(check_in), _date(check_out), **series, over=_flag(over))}


def move(world: World, stay: str, check_in: str | None = None, check_out: str | None = None) -> Json:
    """Change a stay's dates."""
    start, end = (None if value is None else _date(value) for value in (check_in, check_out))
    if not start and not end:
        raise SimulatorError("new dates are missing: pass check_in, check_out or both")
    world.move(_text(stay), start, end)
    return {"stay": stay}


def change(world: World, stay: str, guest: str | None = None, phone: str | None = None, tentative: bool | None = None) -> Json:
    """Change the guest's name or phone, or whether the stay is tentative."""
    is_tentative = None if tentative is None else _flag(tentative)
    world.change(_text(stay), guest=_optional_text(guest), phone=_optional_text(phone), tentative=is_tentative)
    return {"stay": stay}


def cancel(world: World, stay: str, leave_block: bool = False) -> Json:
    """Cancel a stay; with leave_block its nights stay closed."""
    return {"stay": stay, "block": world.cancel(_text(stay), leave_block=_flag(leave_block))}


def unblock(world: World, stay: str) -> Json:
    """Remove a block."""
    world.unblock(_text(stay))
    return {"stay": stay}


def bring_back(world: World, stay: str) -> Json:
    """Undo a cancellation."""
    world.bring_back(_text(stay))
    return {"stay": stay}


def advance(world: World, days: float = 0, hours: float = 0) -> Json:
    """Move the time forward; nothing else changes."""
    return {"now": world.advance(days=_number(days), hours=_number(hours)).isoformat().replace("+00:00", "Z")}


def live(world: World, days: float = 0, hours: float = 0, faulty: bool = False) -> Json:
    """Move the time forward with random bookings and changes."""
    if not 0 <= _number(days) <= 366 or not 0 <= _number(hours) <= 10_000:
        raise SimulatorError("at most 366 days at a time, and forward only")
    happened = life.live(world, days, hours=hours, faulty=_flag(faulty))
    return {"happened": [{"what": h.what, "stay": h.stay, "feed": h.feed} for h in happened]}


def fault(world: World, feed: str, kind: str, times: int | None = None, hours: float | None = None) -> Json:
    """Queue a fault of a feed, for *times* responses, for *hours*, or until cleared."""
    given = {"hours": None if hours is None else _number(hours)}
    world.fault(_text(feed), _text(kind), None if times is None else _count(times), **given)
    return {"feed": feed, "fault": kind, "times": times, **given}


def clear(world: World, feed: str | None = None) -> Json:
    """Remove the faults of a feed, or of every feed."""
    world.clear(_optional_text(feed))
    return {"cleared": feed or "all"}


def options(world: World, feed: str, **values: Json) -> Json:
    """Change options of a feed."""
    return {"feed": feed, "options": dict(world.set_options(_text(feed), **values).options)}


def add_feed(world: World, feed: str, **values: Json) -> Json:
    """Add a listing: property, unit, timezone, and the platform's options."""
    place = {name: _text(values.pop(name)) for name in ("property", "unit", "timezone") if name in values}
    return {"feed": world.add_feed(_text(feed), **place, **values).name}


def client_add(world: World, **fields: Json) -> Json:
    """Add a client to the client API."""
    return {"client": world.clients.add(world.now, **fields)}


def client_change(world: World, client: int, **fields: Json) -> Json:
    """Change a client of the client API."""
    world.clients.change(_count(client), world.now, **fields)
    return {"client": client}


def client_remove(world: World, client: int) -> Json:
    """Delete a client of the client API."""
    world.clients.remove(_count(client))
    return {"client": client}


def client_fault(world: World, kind: str, times: int | None = None) -> Json:
    """Queue a fault of the client API, for *times* responses or until cleared."""
    world.clients.fault(_text(kind), None if times is None else _count(times))
    return {"fault": kind, "times": times}


def client_clear(world: World) -> Json:
    """Remove the faults of the client API."""
    world.clients.clear()
    return {"cleared": "client API"}


def client_limit(world: World, requests: int, pause: int = 2) -> Json:
    """Make the client API answer 429 after every *requests* requests; 0: never."""
    world.clients.limit, world.clients.pause = _count(requests), _count(pause)
    return {"requests": requests, "pause": pause}


OPERATIONS: Mapping[str, Callable[..., Json]] = {
    f.__name__.replace("_", "-"): f
    for f in (
        book,
        block,
        move,
        change,
        cancel,
        unblock,
        bring_back,
        advance,
        live,
        fault,
        clear,
        options,
        add_feed,
        client_add,
        client_change,
        client_remove,
        client_fault,
        client_clear,
        client_limit,
    )
}


def apply_operation(world: World, name: str, arguments: Mapping[str, Json]) -> Json:
    """Run the operation *name* and return its result; raise SimulatorError for an unknown name or wrong arguments."""
    operation = OPERATIONS.get(name)
    if operation is None:
        raise SimulatorError(f"no such operation: {name}; operations are {', '.join(OPERATIONS)}, and GET truth and config")
    try:
        inspect.signature(operation).bind(world, **arguments)
    except TypeError as error:
        raise SimulatorError(f"{name}: {error}") from None
    return operation(world, **arguments)


def read_truth(world: World) -> Json:
    """Return the ground truth and the queued faults."""
    faults = {name: [f.kind for f in queued] for name, queued in world.faults.items()}
    return {**truth_as_dict(world.truth()), "faults": faults}
