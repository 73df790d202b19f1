"""A world with names of every script and length, on a terminal: what a table must print without coming apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bokit.errors import SourceUnavailableError
from tests.support.terminal import AUGUST, JULY, Terminal, a_feed, an_event

HOUSES = {"Villa Rosa on the hill above the old harbour": "Europe/Rome", "בית על הים": "Asia/Jerusalem"}
UNITS = {"Garden flat": 0, "ห้องริมน้ำชั้นสองหลังบ้าน": 0, "河畔の部屋 👨‍👩‍👧 二階": 0, "דירת גן 2": 1}
GUESTS = ("Anastasia Papadopoulou-Wolfeschlegelsteinhausen", "משה כהן (3)", "山田太郎 🏠", "เมย์ ใจดี")
CHANNELS = {"Airbnb": "airbnb", "Booking.com": "booking_com", "A channel with a name of more than forty cells": "vrbo"}
ADDRESS = "https://8.8.8.8/calendar/ical/{}.ics?s=0123456789abcdef0123456789abcdef"
HOOK = "https://hooks.example/bokit/reservations/of/the/house?key=0123456789abcdef0123456789"


class NamedWorld:
    """Four units of two houses, with three sources each: one held, one failing, one paused, one removed."""

    def __init__(self, terminal: Terminal, folder: Path) -> None:
        self.terminal, self.folder = terminal, folder
        houses = [self.make("property", "add", name, "--timezone", zone)["id"] for name, zone in HOUSES.items()]
        units = [self.make("unit", "add", name, "--property", houses[house])["id"] for name, house in UNITS.items()]
        self.make("unit", "add", "Whole house", "--property", houses[0], "--part", units[0], "--part", units[1])
        self.sources = [self._add_source(number, unit) for number, unit in enumerate(units)]
        self.make("sync", "--all")
        for booking, guest in zip(self.make("bookings")["items"], GUESTS, strict=False):
            self.make("booking", "edit", booking["id"], "--set", f"guest_name={guest}")
        self.make("guest", "erase", GUESTS[-1], "--yes")
        self.webhook = self.make("webhook", "add", HOOK, "--type", "booking.created", "--type", "sync.finished")["id"]
        self.make("alert", "add", "webhook", "--url", "http://127.0.0.1:1/alerts", "--name", "משרד הניקיון", "--no-test")
        self.make("token", "create", "--name", "the cleaning company in the old harbour", "--role", "operator")
        self.make("token", "create", "--expires-in", "7d")
        self._push()
        self._age()

    def make(self, *arguments: str) -> Any:
        """Run a command, which may find that a source failed, and return its document."""
        answer = self.terminal.run(*arguments, "--json")
        if answer.code not in (0, 1):
            raise AssertionError(answer)
        return answer.doc

    def write(self, name: str, content: str | bytes) -> str:
        """Write a file and return its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def _add_source(self, number: int, unit: str) -> list[str]:
        """Give a unit a source of each channel; the first unit's all have the same nights."""
        ids = []
        for place, (name, platform) in enumerate(CHANNELS.items()):
            url, event = ADDRESS.format(f"{number}{place}"), 10 * number + place
            own = an_event(
                event, f"2026-06-{2 * event % 20 + 2:02d}", f"2026-06-{2 * event % 20 + 6:02d}", f"HMABCDEF{event:02d}"
            )
            self.terminal.shelf.bodies[url] = a_feed(
                JULY if number == 0 else own, an_event(event + 50, "2026-12-28", "2027-01-03")
            )
            added = self.make("source", "add", name, "--unit", unit, "--url", url, "--platform", platform)
            ids.append(str(added["id"]))
        return ids

    def _push(self) -> None:
        """Declare collections, and push records with long ids and values."""
        self.collection = "bateaux_du_vieux_port"
        declared = {"name": self.collection, "preserve": ["raison_sociale", "adresse.code_postal"]}
        file = self.write("boats.json", json.dumps({"collections": [declared, {"name": "clients"}]}))
        self.make("config", "import", file)
        for number, guest in enumerate(GUESTS):
            fields = ("--set", f"raison_sociale={guest}", "--set", f"numéro:={number}", "--set", f"adresse.ville={guest[::-1]}")
            self.make("records", "set", f"boat-{number}-{guest}", "--collection", self.collection, "--create", *fields)

    def _age(self) -> None:
        """Let one feed come empty and one not at all, and let hours pass."""
        bodies, clock = self.terminal.shelf.bodies, self.terminal.clock
        bodies[ADDRESS.format("00")] = a_feed()
        bodies[ADDRESS.format("01")] = SourceUnavailableError("the host did not answer within 30 s, will retry")
        clock.move(hours=2)
        self.make("sync", "--all", "--force")
        self.make("source", "pause", self.sources[1][0])
        self.make("source", "remove", self.sources[1][1])
        clock.move(minutes=12)
        self.history = str(Path(self.write("feed/20260601T120000Z.ics", a_feed(JULY))).parent)
        self.write("feed/20260602T120000Z.ics", a_feed(JULY, AUGUST))
        self.feed = self.write("x.ics", a_feed(JULY, AUGUST))
        self.config = self.write("less.yaml", "{}")
