"""Two tenants on a deployed stack, with what a page has to show: a double booking, an edit, a calendar that is held."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from local.gateway import page_url
from local.place import REGION
from tests.support.api_client import Client, open_client
from tests.support.deployed import Deployed
from tests.support.feed_bodies import airbnb_event, booking_event, calendar

ROOT = Path(__file__).resolve().parents[2]


class Feeds(ThreadingHTTPServer):
    """Serves calendars by path, as they are at the moment."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), FeedHandler)
        self.bodies: dict[str, bytes] = {}

    def put(self, name: str, body: bytes) -> str:
        """Serve *body* from now on; return its address."""
        self.bodies[f"/{name}"] = body
        return f"http://127.0.0.1:{self.server_port}/{name}"


class FeedHandler(BaseHTTPRequestHandler):
    server: Feeds

    def do_GET(self) -> None:
        body = self.server.bodies[self.path]
        self.send_response(200)
        self.send_header("Content-Type", "text/calendar")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def serve_feeds() -> Iterator[Feeds]:
    """Serve calendars on loopback meanwhile."""
    server = Feeds()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@dataclass(kw_only=True)
class Household:
    """A tenant with a unit, and what its page shows."""

    client: Client
    unit_name: str
    ids: dict[str, str] = field(default_factory=dict)

    def post(self, path: str, body: Any) -> Any:
        """Return what a POST answers."""
        status, answer = self.client.ask("POST", path, body)
        assert status < 300, answer
        return answer

    def add_unit(self) -> None:
        """Declare a property and the unit."""
        house = self.post("/properties", {"name": f"House of the {self.unit_name}"})["id"]
        self.ids["unit"] = self.post("/units", {"name": self.unit_name, "property_id": house})["id"]

    def add_source(self, name: str, url: str) -> str:
        """Declare a calendar of the unit, and read it."""
        source = str(self.post("/sources", {"name": name, "unit_id": self.ids["unit"], "url": url})["id"])
        self.sync(source)
        return source

    def sync(self, source: str) -> None:
        """Read a calendar now."""
        self.client.follow(self.post("/sync/trigger", {"source_ids": [source], "force": True})["run_id"])

    def book(self, guest: str, start: date, nights: int) -> str:
        """Enter a booking by hand."""
        days = {"check_in": str(start), "check_out": str(start + timedelta(days=nights))}
        return str(self.post("/bookings", {"unit_id": self.ids["unit"], "guest_name": guest, **days})["id"])

    def describe(self, booking: str) -> dict[str, str | None]:
        """Return what the tests in the browser have to know."""
        url = page_url(self.client.deployed.api_url, str(self.client.token))
        names = {"page": url, "token": self.client.token, "name": str(self.client.tenant)}
        return {**names, "unit": self.unit_name, "booking": booking}


def arrange(deployed: Deployed, feeds: Feeds) -> dict[str, Any]:
    """Fill two tenants; return what BOKIT_TEST_STACK has of them."""
    today = datetime.now(UTC).date()
    mine = Household(client=open_client(deployed), unit_name="Garden flat")
    mine.add_unit()
    mine.book("Ada", today + timedelta(days=3), 3)
    mine.book("Eve", today + timedelta(days=5), 3)
    mine.add_source("Airbnb", feeds.put("airbnb.ics", calendar("airbnb", [airbnb_event(1, today + timedelta(days=10), 3)])))
    arrival = str(today + timedelta(days=10))
    (edited,) = [b for b in mine.client.get("/bookings")["items"] if b["check_in"] == arrival]
    assert mine.client.ask("PATCH", f"/bookings/{edited['id']}", {"guest_name": "Grace"})[0] == 200
    closures = calendar("booking_com", [booking_event(n, today + timedelta(days=20 + 5 * n), 3) for n in range(3)])
    held = mine.add_source("Booking.com", feeds.put("booking.ics", closures))
    feeds.put("booking.ics", calendar("booking_com", []))
    mine.sync(held)
    assert mine.client.get(f"/sources/{held}")["state"] == "held"
    other = Household(client=open_client(deployed), unit_name="Harbour loft")
    other.add_unit()
    theirs = other.book("Zoe", today + timedelta(days=3), 3)
    command = [sys.executable, "-m", "bokit_cli"]
    return {"url": deployed.api_url, "command": command, "mine": mine.describe(edited["id"]), "other": other.describe(theirs)}


def terminal_env(deployed: Deployed) -> dict[str, str]:
    """Return the environment of a terminal on the stack; what its commands write, the stack's own functions publish."""
    places = [str(ROOT / "layers/shared"), str(ROOT / "cli"), str(ROOT)]
    return deployed.place.aws_env() | {
        "BOKIT_TABLE": deployed.outputs["TableName"],
        "BOKIT_QUEUE_URL": deployed.outputs["QueueUrl"],
        "AWS_REGION": REGION,
        "PYTHONPATH": ":".join(places),
    }


def make_env(deployed: Deployed, feeds: Feeds) -> dict[str, str]:
    """Return the environment of the tests in the browser."""
    return terminal_env(deployed) | {"BOKIT_TEST_STACK": json.dumps(arrange(deployed, feeds))}
