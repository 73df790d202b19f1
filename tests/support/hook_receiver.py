"""A receiver of webhooks on loopback, for the stack's own functions to send to."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver(ThreadingHTTPServer):
    """A receiver on loopback that keeps what comes, and answers with its ``status``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.came = 204, list[tuple[dict[str, str], str]]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    def events(self) -> list[Any]:
        """Return the events that came, in their order."""
        return [json.loads(body) for _, body in self.came]


class Handler(BaseHTTPRequestHandler):
    """Answers a POST."""

    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.came.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Print nothing."""
