"""A terminal for tests: the real command line and engine on the memory store, with feeds that stand on a shelf."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bokit.config import Settings
from bokit.core.bookings.rules import BookingRules
from bokit.core.model.catalog import BOOKINGS, Source
from bokit.engine.app import Bokit, EngineParts
from bokit.engine.sync.kinds import SourceKind
from bokit.errors import BokitError
from bokit.net.addresses import check_url
from bokit.outlets.memory import MemoryAlerts
from bokit.sources.protocols import Fetched
from bokit.store.memory.store import MemoryStore
from bokit.wiring import make_booking_reconciler
from bokit_cli.main import execute
from bokit_cli.session import StackLocator
from tests.support.alert_server import open_local_sender
from tests.support.rows_app import ManualClock, Receivers

URL = "https://8.8.8.8/1.ics?s=sentinel"
UID = "1418fb94e984-0123456789abcdef0123456789abcd{:02d}@airbnb.com"


def an_event(number: int, check_in: str, check_out: str, code: str | None = None, summary: str = "Reserved") -> str:
    """Return a reservation as Airbnb's feed shows it."""
    link = f"DESCRIPTION:Reservation URL: https://www.airbnb.com/hosting/reservations/details/{code}\r\n" if code else ""
    return (
        f"BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:{check_in.replace('-', '')}\r\nDTEND;VALUE=DATE:{check_out.replace('-', '')}\r\n"
        f"SUMMARY:{summary}\r\nUID:{UID.format(number)}\r\n{link}END:VEVENT\r\n"
    )


def a_feed(*events: str) -> bytes:
    """Return a calendar of these events."""
    head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Airbnb Inc//Hosting Calendar 1.0//EN\r\n"
    return (head + "".join(events) + "END:VCALENDAR\r\n").encode()


JULY = an_event(1, "2026-07-10", "2026-07-14", "HMABCDEF12")
AUGUST = an_event(2, "2026-08-01", "2026-08-08", "HMABCDEF34")


@dataclass
class Shelf:
    """Answers by URL: a body, or an error to raise."""

    bodies: dict[str, Any] = field(default_factory=dict)

    def fetch(
        self, source: Source, *, etag: str | None = None, last_modified: str | None = None, seconds: float | None = None
    ) -> Fetched:
        body = self.bodies[source.url]
        if callable(body):
            body = body()
        if isinstance(body, BokitError):
            raise body
        return Fetched(body=body, host="feeds.example")


@dataclass
class Answer:
    """How one command ended."""

    code: int
    out: str
    err: str

    @property
    def doc(self) -> Any:
        return json.loads(self.out)


class MemoryLocator(StackLocator):
    """Finds a stack in memory."""

    def __init__(self, bokit: Bokit, home: Path) -> None:
        self.bokit, self._home = bokit, home

    @property
    def home(self) -> Path:
        return self._home

    @property
    def plans(self) -> Path:
        return self._home / "plans"

    def load_settings(self) -> Settings:
        return Settings(table_name="memory")

    def open(self) -> Bokit:
        return self.bokit


class Terminal:
    """Runs commands, one after another, on one store."""

    def __init__(self, capsys: Any, home: Path, api_url: str = "https://api.example") -> None:
        self.capsys, self.clock, self.store, self.shelf = capsys, ManualClock(), MemoryStore(), Shelf()
        self.shelf.bodies[URL] = a_feed(JULY, AUGUST)
        self.receivers = Receivers()
        self.numbers = iter(range(1, 100_000))
        kinds = {
            "ical": SourceKind(fetcher=self.shelf, rules=BookingRules(), collection=BOOKINGS, reconciler=make_booking_reconciler)
        }
        self.bokit = Bokit(
            EngineParts(
                store=self.store,
                kinds=kinds,
                alerts=MemoryAlerts(),
                clock=self.clock,
                open_sender=lambda: self.receivers,
                check_url=check_url,
                new_run_id=self._run_id,
                api_url=api_url,
                calendar_key=lambda: "a secret of tests",
                open_alert_sender=open_local_sender,
            )
        )
        self.locator = MemoryLocator(self.bokit, home)

    def _run_id(self, at: datetime) -> str:
        return f"run_{next(self.numbers):06d}"

    def run(self, *arguments: str, width: int | None = None) -> Answer:
        """Run one command line: in a pipe, or in a terminal of so many columns and without colours."""
        self.capsys.readouterr()
        seen = {"TTY_COMPATIBLE": "1", "TERM": "dumb", "COLUMNS": f"{width}", "LINES": "25"} if width else {"TTY_COMPATIBLE": "0"}
        with patch.dict(os.environ, seen):
            code = execute(list(arguments), self.locator)
        captured = self.capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run one command line with ``--json`` and return its document."""
        answer = self.run(*arguments, "--json")
        assert answer.code == code, answer
        return answer.doc

    def furnish(self) -> str:
        """Declare a property, a unit and a source; return the source's id."""
        self.json("property", "add", "Villa Rosa", "--timezone", "Europe/Rome")
        self.json("unit", "add", "Garden flat", "--property", "Villa Rosa")
        return str(self.json("source", "add", "Airbnb", "--unit", "Garden flat", "--url", URL)["id"])
