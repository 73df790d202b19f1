"""The runs that the documents show: real commands on the simulator's feeds (``docs_blocks`` writes them into the pages).

Ids are numbered in the order in which they are shown, since they are other ones each time, and so is the minute of the next sync.
Everything else is what the command prints.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit_cli.main import execute
from simulator.model import DAY
from simulator.world import World
from tests.support.demo_calendar import open_world

WIDTH = 84
AIRBNB, BOOKING = "airbnb/garden-flat", "booking_com/garden-flat"
UNIT = "Garden flat"


class Stage:
    """One unit on two channels, in a world whose time moves by command; keeps what was shown."""

    def __init__(self, folder: Path) -> None:
        self.world = World(seed=3)
        self.today = self.world.now.date()
        self.world.add_feed(AIRBNB, unit=UNIT)
        self.world.add_feed(BOOKING, unit=UNIT)
        self.shown = ""
        self.numbers: dict[str, str] = {}
        self.terminal: Any = None
        self.folder = folder

    def day(self, number: int) -> date:
        """Return the date in so many days from the first one."""
        return self.today + DAY * number

    def book(self, feed: str, start: int, end: int, guest: str = "Ann Example") -> str:
        """Book nights by the number of their day; return the stay's id."""
        return self.world.book(feed, self.day(start), self.day(end), guest=guest)

    def open(self) -> None:
        """Import the world's config file, and sync once."""
        self.terminal = open_world(self.world, self.folder)
        self.run("sync", "--all")

    def wait(self, **span: float) -> None:
        """Let time pass, and sync."""
        self.terminal.clock.move(**span)
        self.world.advance(**span)
        self.run("sync", "--all")

    def run(self, *arguments: str) -> str:
        """Run a command; return what it prints, its ids shortened."""
        seen = {"TTY_COMPATIBLE": "1", "TERM": "dumb", "COLUMNS": f"{WIDTH}", "LINES": "40"}
        with (
            patch.dict(os.environ, seen),
            contextlib.redirect_stdout(io.StringIO()) as out,
            contextlib.redirect_stderr(io.StringIO()),
        ):
            execute(list(arguments), self.terminal.locator)
        return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())

    def show(self, *arguments: str) -> None:
        """Run a command, and show it with what it prints."""
        words = [f'"{word}"' if " " in word else self.shorten(word) for word in arguments]
        self.write(f"$ bokit {' '.join(words)}\n{self.run(*arguments)}")

    def write(self, text: str) -> None:
        """Show a text."""
        self.shown += ("\n" if self.shown else "") + self.shorten(text)

    def shorten(self, text: str) -> str:
        """Return a text with the ids of bookings and conflicts numbered, and those of units and sources left out."""
        text = re.sub(r"\bin 5\d min\b", "in 59 min", text)
        text = re.sub(r"unit_[0-9a-z]{16}\.([0-9a-f]{8})[0-9a-f]*", r"\1", text)
        text = re.sub(r"(window-)?(src|unit)_[0-9a-z]{8,16}", _short_name, re.sub(r"--plan [0-9a-f]+", "--plan …", text))
        return re.sub(r"(?<![\w-])[0-9a-f]{8}(?=[@\s,;:]|$)", lambda found: self._number(found[0]), text)

    def _number(self, short: str) -> str:
        return self.numbers.setdefault(short, f"id-{len(self.numbers) + 1:05d}")

    def bookings(self) -> list[dict[str, Any]]:
        """Return the bookings that there are, by arrival."""
        return sorted(json.loads(self.run("bookings", "--json"))["items"], key=lambda item: item["check_in"])

    def read_by(self, channel: str) -> None:
        """Let a channel read its calendar of the unit, as it does every few hours."""
        address = json.loads(self.run("export", UNIT, "--for", channel, "--json"))["url"]
        self.terminal.bokit.feeds.serve(address.rpartition("/")[2].removesuffix(".ics"))


@contextmanager
def stage() -> Iterator[Stage]:
    """Open a stage in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        yield Stage(Path(folder))


def nights(start: Any, end: Any) -> str:
    """Return nights as in ``21 – 24 Nov``."""
    first, last = date.fromisoformat(str(start)), date.fromisoformat(str(end))
    month = "" if (first.year, first.month) == (last.year, last.month) else f" {first:%b}"
    return f"{first.day}{month} – {last.day} {last:%b}"


def beside(on: Stage, feed: str) -> str:
    """Return a line: when, what a feed shows, and what Bokit holds from it."""
    now: datetime = on.world.now
    text = on.world.render(feed).decode()
    uid, start, end = (re.findall(rf"^{name}:(.+)\r$", text, re.MULTILINE)[0] for name in ("UID", "DTSTART.*", "DTEND.*"))
    name = "Airbnb" if feed == AIRBNB else "Booking.com"
    source = {s.id for s in on.terminal.bokit.catalog.sources.list_sources(DEFAULT_TENANT) if s.name == name}
    (booking,) = [b for b in on.bookings() if b["source_id"] in source]
    seen = f"{uid[:20]}…  {nights(start, end)}"
    held = f"{on.shorten(booking['id'])}  {nights(booking['check_in'], booking['check_out'])}"
    return f"{now:%d %b %H:%M}   {seen:<38}{held}\n"


def _short_name(found: re.Match[str]) -> str:
    return "the window" if found[1] else f"{found[2]}_…"


HEAD = f"{'read at':<15}{'in the calendar: UID, nights':<38}in Bokit: booking, nights\n"


def clipped() -> str:
    """A guest is in the house; Booking.com clips the stay to today, with another UID each night."""
    with stage() as on:
        on.book(BOOKING, 0, 5)
        on.open()
        lines = [beside(on, BOOKING)]
        for _ in range(3):
            on.wait(days=1)
            lines.append(beside(on, BOOKING))
        return HEAD + "".join(lines)


def moved() -> str:
    """An Airbnb guest moves: the code and the UID stay, the nights do not."""
    with stage() as on:
        guest = on.book(AIRBNB, 12, 15)
        on.open()
        lines = [beside(on, AIRBNB)]
        on.wait(hours=5)
        on.world.move(guest, on.day(20), on.day(24))
        on.wait(hours=1)
        lines.append(beside(on, AIRBNB))
        on.write(HEAD + "".join(lines))
        on.show("booking", "changes", *[b["id"] for b in on.bookings()])
        return on.shown


def windows() -> str:
    """What Airbnb's calendar has beside two guests: a block of the owner, the advance notice, the end of the calendar."""
    with stage() as on:
        on.world.set_options(AIRBNB, notice_days=1, open_days=180)
        on.book(AIRBNB, 4, 7)
        on.book(AIRBNB, 12, 15, "Bo Example")
        on.world.block(AIRBNB, on.day(20), on.day(23))
        on.open()
        on.run("export", UNIT, "--for", "booking_com")
        on.show("bookings")
        on.show("bookings", "--unit", UNIT, "--explain", str(on.day(200)))
        return on.shown


def absence() -> str:
    """A guest cancels: the booking is missing, and cancelled a day later."""
    with stage() as on:
        gone = on.book(AIRBNB, 12, 15)
        on.book(AIRBNB, 30, 33, "Bo Example")
        on.book(AIRBNB, 40, 43, "Cy Example")
        on.open()
        on.wait(days=1)
        on.world.cancel(gone)
        on.wait(hours=1)
        on.show("bookings", "--unit", UNIT, "--explain", str(on.day(13)))
        on.wait(hours=12)
        on.wait(hours=13)
        on.show("bookings", "--unit", UNIT, "--explain", str(on.day(13)))
        return on.shown


def empty() -> str:
    """A calendar comes without any event."""
    with stage() as on:
        on.book(AIRBNB, 12, 15)
        on.open()
        on.wait(days=1)
        on.world.fault(AIRBNB, "empty-calendar", times=1)
        on.wait(hours=1)
        on.show("source", "show", f"{UNIT} / Airbnb")
        on.wait(hours=1)
        on.show("status")
        return on.shown


def echo() -> str:
    """Booking.com imports our calendar, and shows what it read as a closure of its own."""
    with stage() as on:
        on.book(AIRBNB, 12, 15)
        on.book(AIRBNB, 20, 24, "Bo Example")
        on.open()
        on.run("export", UNIT, "--for", "booking_com")
        on.wait(hours=1)
        on.read_by("booking_com")
        on.wait(hours=1)
        on.world.set_options(BOOKING, linked=[AIRBNB])
        on.wait(hours=1)
        on.show("bookings", "--unit", UNIT, "--explain", str(on.day(13)))
        on.show("conflicts")
        return on.shown


def twice() -> str:
    """Two guests book the same night on two channels, before either channel has read of the other."""
    with stage() as on:
        on.book(AIRBNB, 12, 15)
        on.open()
        for channel in ("airbnb", "booking_com"):
            on.run("export", UNIT, "--for", channel)
        on.wait(hours=1)
        on.book(BOOKING, 14, 17, "Bo Example")
        on.wait(hours=1)
        on.wait(hours=1)
        on.show("conflicts")
        on.show("bookings", "--unit", UNIT, "--explain", str(on.day(14)))
        return on.shown


RUNS: Mapping[str, Callable[[], str]] = {
    run.__name__: run for run in (windows, clipped, moved, absence, empty, echo, twice)
}  # what a page may show, by name
