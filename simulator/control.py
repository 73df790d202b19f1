"""The commands by which a world changes, as JSON: what the control API and the command line speak."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from simulator.errors import SimulatorError
from simulator.life import live
from simulator.world import World

Arguments = Mapping[str, Any]


def run_command(world: World, name: str, arguments: Arguments) -> dict[str, Any]:
    """Do what was asked, and return what is so now; raises SimulatorError for what can't be done."""
    command = COMMANDS.get(name)
    if command is None:
        raise SimulatorError(f"no such command: {name}; there are {', '.join(COMMANDS)}")
    return command(world, arguments)


def _book(world: World, given: Arguments) -> dict[str, Any]:
    span = _span(given)
    guest, tentative = given.get("guest"), bool(given.get("tentative"))
    return asdict(world.book(_text(given, "feed"), *span, guest=guest, is_tentative=tentative))


def _block(world: World, given: Arguments) -> dict[str, Any]:
    weeks, over = _count(given, "weeks", 1), bool(given.get("over"))
    return asdict(world.block(_text(given, "feed"), *_span(given), weeks=weeks, over=over))


def _move(world: World, given: Arguments) -> dict[str, Any]:
    return asdict(world.move(_text(given, "stay"), *_span(given), is_new_phone=bool(given.get("new_phone"))))


def _cancel(world: World, given: Arguments) -> dict[str, Any]:
    return asdict(world.cancel(_text(given, "stay"), leaves_block=bool(given.get("leave_block"))))


def _bring_back(world: World, given: Arguments) -> dict[str, Any]:
    return asdict(world.bring_back(_text(given, "stay")))


def _advance(world: World, given: Arguments) -> dict[str, Any]:
    return {"now": world.advance(days=_count(given, "days", 0), hours=_count(given, "hours", 0))}


def _live(world: World, given: Arguments) -> dict[str, Any]:
    return {"happened": live(world, min(_count(given, "days", 1), 3660)), "now": world.now}


def _fault(world: World, given: Arguments) -> dict[str, Any]:
    count = _count(given, "count", 0) or None
    return asdict(
        world.fault(_text(given, "feed"), _text(given, "kind"), count=count, retry_after=_count(given, "retry_after", 120))
    )


def _clear(world: World, given: Arguments) -> dict[str, Any]:
    world.clear(given.get("feed"))
    return {"faults": list(world.faults)}


COMMANDS: Mapping[str, Callable[[World, Arguments], dict[str, Any]]] = {
    "book": _book, "block": _block, "move": _move, "cancel": _cancel, "unblock": _cancel, "bring-back": _bring_back,
    "advance": _advance, "live": _live, "fault": _fault, "clear": _clear,
}  # fmt: skip


def _span(given: Arguments) -> tuple[date, date]:
    return _date(given, "check_in"), _date(given, "check_out")


def _date(given: Arguments, name: str) -> date:
    try:
        return date.fromisoformat(_text(given, name))
    except ValueError:
        raise SimulatorError(f"{name} is no date; write it as 2027-03-01") from None


def _text(given: Arguments, name: str) -> str:
    if not isinstance(given.get(name), str):
        raise SimulatorError(f"{name} is missing")
    return str(given[name])


def _count(given: Arguments, name: str, default: int) -> int:
    value = given.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise SimulatorError(f"{name} is no count")
    return value
