"""The feeds and the control API over HTTP, on loopback alone. The world is saved whenever it changed."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, is_dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

from simulator.answers import Answer, take_answer
from simulator.control import run_command
from simulator.errors import SimulatorError
from simulator.state import save_world
from simulator.world import World

HOST = "127.0.0.1"


class FeedServer(ThreadingHTTPServer):
    """Serves one world; *folder* None keeps it in memory."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, world: World, *, port: int = 0, folder: Path | None = None) -> None:
        self.world, self.folder, self.lock = world, folder, Lock()
        try:
            super().__init__((HOST, port), FeedHandler)
        except (OSError, OverflowError):
            raise SimulatorError(f"port {port} is in use or not ours; choose another with --port") from None
        self.save()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that went away; anything else is told as ever."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.server_address[1]}"

    def save(self) -> None:
        """Write the world down."""
        if self.folder is not None:
            save_world(self.world, self.folder)

    def take_answer(self, feed: str, if_none_match: str | None) -> Answer:
        """Return the next answer of *feed*; what was counted is kept."""
        with self.lock:
            is_faulty = feed in self.world.faults
            answer = take_answer(self.world, feed, if_none_match)
            if is_faulty:
                self.save()
            return answer

    def run_command(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Change the world, and keep it."""
        with self.lock:
            result = run_command(self.world, name, arguments)
            self.save()
            return result

    def read_truth(self) -> dict[str, Any]:
        """Return what is so."""
        with self.lock:
            return self.world.truth()


class FeedHandler(BaseHTTPRequestHandler):
    """``GET /<platform>/<listing>.ics``, ``GET /``, ``GET /control/truth``, ``POST /control/<command>``."""

    server: FeedServer
    protocol_version = "HTTP/1.1"
    server_version = "simulator"
    sys_version = ""
    timeout = 60
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        """Answer with a feed, the list of feeds, or the truth."""
        path = self.path.partition("?")[0]
        if path == "/":
            self._send_json(200, {"feeds": [f"{self.server.url}/{id}.ics" for id in self.server.world.listings]})
        elif path == "/control/truth":
            self._send_json(200, self.server.read_truth())
        else:
            self._send_feed(path)

    def do_POST(self) -> None:
        """Run a command of the control API. A page of another site can't: it may not send this content type."""
        if not self.path.startswith("/control/") or self.headers.get_content_type() != "application/json":
            self._send_json(404, {"detail": "POST application/json to /control/<command>"}, close=True)
            return
        try:
            length = min(int(self.headers.get("Content-Length") or 0), 1_000_000)
            arguments = json.loads(self.rfile.read(length) or b"{}")
            if not isinstance(arguments, dict):
                raise SimulatorError("the body is no JSON object")
            self._send_json(200, self.server.run_command(self.path.removeprefix("/control/"), arguments))
        except (SimulatorError, ValueError) as error:
            self._send_json(400, {"detail": str(error)}, close=True)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _send_feed(self, path: str) -> None:
        feed = path.removeprefix("/").removesuffix(".ics")
        if not path.endswith(".ics") or feed not in self.server.world.listings:
            self._send_json(404, {"detail": "no such feed; GET / lists them"})
            return
        self._send(self.server.take_answer(feed, self.headers.get("If-None-Match")))

    def _send(self, answer: Answer) -> None:
        if answer.silence:
            time.sleep(answer.silence)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 304:
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self._send_body(answer)

    def _send_body(self, answer: Answer) -> None:
        try:
            if not answer.seconds_a_byte:
                self.wfile.write(answer.body)
                return
            for byte in answer.body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(answer.seconds_a_byte)
        except OSError:
            self.close_connection = True

    def _send_json(self, status: int, told: object, *, close: bool = False) -> None:
        body = json.dumps(told, default=_as_json, indent=1).encode()
        headers = {"Connection": "close"} if close else {}
        self._send(Answer(status=status, body=body, content_type="application/json", headers=headers))


def _as_json(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else str(value)
