"""README's calendar: the demo's world in this process, after what `make demo` does with it; run as a module to print it."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from rich.console import Console

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit_cli.chart import print_chart
from bokit_cli.main import execute
from bokit_cli.months import read_period
from simulator.model import DAY
from simulator.scenario import build_demo, config_of
from simulator.world import FIRST_NOW, World
from tests.support.terminal import Terminal

MONTH = "december"
URL = "https://8.8.8.8"
MOVED = "Luca Moretti"


def draw_demo(width: int = 80) -> str:
    """Return what `bokit calendar december` shows of the demo's world in a terminal of this width, without colors."""
    world = build_demo(0, FIRST_NOW)
    with tempfile.TemporaryDirectory() as folder:
        terminal = open_world(world, Path(folder))
        for source in sorted(terminal.bokit.catalog.sources.list_sources(DEFAULT_TENANT), key=lambda s: (s.name, s.id)):
            _run(terminal, "sync", "--source", source.id)  # one by one: which booking was first is then the same each time
            terminal.clock.move(minutes=1)
        _move_guest(world)
        terminal.clock.move(hours=1)
        world.advance(hours=1)
        _run(terminal, "sync", "--all")
    charts, units = terminal.bokit.bookings.charts, [u.id for u in terminal.bokit.catalog.list_units(DEFAULT_TENANT)]
    doc = charts.load_chart(DEFAULT_TENANT, units, *read_period(MONTH, None, charts.load_today(DEFAULT_TENANT, units)))
    file = io.StringIO()
    print_chart(Console(file=file, width=width, force_terminal=True, color_system=None, highlight=False), doc)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def open_world(world: World, folder: Path) -> Terminal:
    """Return a terminal with the demo's config file imported."""
    terminal = Terminal(SimpleNamespace(readouterr=lambda: SimpleNamespace(out="", err="")), folder)
    terminal.clock.at = world.now
    for name in world.feeds:
        terminal.shelf.bodies[f"{URL}/{name}.ics"] = lambda name=name: world.answer(name).body
    file = folder / "demo.json"
    file.write_text(json.dumps(config_of(world, URL)), encoding="utf-8")
    _run(terminal, "config", "import", str(file))
    return terminal


def _run(terminal: Terminal, *arguments: str) -> None:
    """Run one command; a demo of which a command fails has nothing to show."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = execute(list(arguments), terminal.locator)
    if code:
        raise AssertionError(f"`bokit {' '.join(arguments)}` failed: {out.getvalue()}")


def _move_guest(world: World) -> None:
    """Move a guest by three days, as the demo does."""
    (stay,) = [stay for stay in world.truth().stays if stay.guest == MOVED]
    world.move(stay.id, stay.check_in + DAY * 3, stay.check_out + DAY * 3)


if __name__ == "__main__":
    sys.stdout.write(draw_demo())
