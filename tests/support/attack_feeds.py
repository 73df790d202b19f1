"""A server on loopback with the feeds of an attacker, which differ at each fetch, and of a neighbour, which are quite usual."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.feed_bodies import airbnb_event, booking_event, calendar, vrbo_event

STAIRS = 700
STAIR_NIGHTS = 100
BOMB = 300
RENAMED = 500
DRIP_SECONDS = 1.0
GROWS_EVERY = 4
"""Fetches after which a neighbour's calendar has one booking more."""
Body = Callable[[int], bytes]
"""Makes the body of the n-th fetch of a feed, counted from 0."""


def _first_day() -> date:
    return datetime.now(UTC).date() + timedelta(days=10)


def staircase(fetch: int) -> bytes:
    """Closures of a hundred nights that begin one day after the other; all of them move by a day at each fetch."""
    start, base = _first_day() + timedelta(days=fetch), 1000 * (fetch + 1)
    return calendar("booking_com", (booking_event(base + n, start + timedelta(days=n), STAIR_NIGHTS) for n in range(STAIRS)))


def bomb(fetch: int) -> bytes:
    """Reservations of the same three nights, each with a code of its own; another one is left out at each fetch."""
    start = _first_day()
    return calendar("airbnb", (airbnb_event(n, start, 3) for n in range(BOMB + 1) if n != fetch % (BOMB + 1)))


def renamed(fetch: int) -> bytes:
    """Reservations whose UIDs and guests' names are all new at each fetch, on other nights than the time before."""
    start, base = _first_day() + timedelta(days=fetch % 2), 100_000 * (fetch + 1)
    return calendar("vrbo", (vrbo_event(base + n, start + timedelta(days=2 * n), 1) for n in range(RENAMED)))


def one_stay(fetch: int) -> bytes:
    """A reservation of the bomb's nights in another calendar of its unit."""
    return calendar("vrbo", [vrbo_event(1, _first_day(), 3)])


def grown(fetch: int) -> int:
    """Return how many bookings a neighbour's calendar shows at this fetch."""
    return 3 + fetch // GROWS_EVERY


def neighbour(fetch: int) -> bytes:
    """A few bookings, and one more every few fetches."""
    start = _first_day()
    return calendar("airbnb", (airbnb_event(n, start + timedelta(days=5 * n), 3) for n in range(grown(fetch))))


class AttackFeeds:
    """The server: `/NAME.ics` and `/drip.json`; it counts the fetches of each path."""

    def __init__(self) -> None:
        self.bodies: dict[str, Body] = {}
        self.fetches: Counter[str] = Counter()
        self._lock, self._ended = threading.Lock(), threading.Event()
        feeds = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                feeds.answer(self)

            def log_message(self, *args: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def add(self, name: str, body: Body) -> str:
        """Serve *body* as `/NAME.ics`; return its address."""
        self.bodies[f"/{name}.ics"] = body
        return self.url(f"/{name}.ics")

    def url(self, path: str) -> str:
        """Return the address of a path."""
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        path = request.path.partition("?")[0]
        with self._lock:
            fetch = self.fetches[path]
            self.fetches[path] += 1
        if path.endswith(".json"):
            self._drip(request)
            return
        body = self.bodies[path](fetch)
        request.send_response(200)
        request.send_header("Content-Type", "text/calendar; charset=utf-8")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _drip(self, request: BaseHTTPRequestHandler) -> None:
        """Send one byte a second, for as long as somebody reads."""
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", "1000000")
        request.end_headers()
        piece = b"["
        while not self._ended.is_set():
            try:
                request.wfile.write(piece)
                request.wfile.flush()
            except OSError:
                return
            piece = b" "
            time.sleep(DRIP_SECONDS)

    def stop(self) -> None:
        """End the server, and all that drips."""
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
