"""A server on loopback that takes alerts as the services do, keeps what it was posted, and is down when a test says so."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bokit.outlets.post import ChannelSender
from tests.support.loopback import keep_to_loopback


def open_local_sender() -> ChannelSender:
    """Return what sends alerts to loopback, whatever address it is given; no tenant has a secret."""
    keep_to_loopback()  # also where no pytest is: what records the examples of the API, and the API for tests in Node
    return ChannelSender(allow_private_addresses=True, reveal=lambda text, tenant: text)


@dataclass(frozen=True)
class Posted:
    """One request that was accepted or refused."""

    path: str
    headers: dict[str, str]
    body: Any
    status: int


@dataclass
class AlertServer:
    """What the server does, and what it got."""

    port: int = 0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    refuse: set[str] = field(default_factory=set)
    """Titles that are answered 400."""
    posted: list[Posted] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def accepted(self) -> list[Any]:
        """The bodies that were accepted, in their order."""
        return [p.body for p in self.posted if 200 <= p.status < 300]

    def titles(self) -> list[str]:
        """Return the titles of the plain webhook's messages that were accepted."""
        return [body["title"] for body in self.accepted]


@contextmanager
def serve_alerts() -> Iterator[AlertServer]:
    """Run a server for as long as the block runs."""
    state = AlertServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = 400 if body.get("title") in state.refuse else state.status
            state.posted.append(Posted(self.path, {k.lower(): v for k, v in self.headers.items()}, body, status))
            self.send_response(status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
