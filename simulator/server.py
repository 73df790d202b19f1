"""Serve a world over HTTP on loopback: its feeds, its client API, and a control API that runs commands."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from simulator.control import apply_operation, read_truth
from simulator.faults import SimulatedResponse
from simulator.model import SimulatorError
from simulator.scenario import config_of
from simulator.state import save_world
from simulator.world import World

HOST = "127.0.0.1"
MAX_REQUEST_BYTES = 1_000_000
DRIP_SECONDS = 0.5
HANG_SECONDS = 120.0


class SharedWorld:
    """A world with a lock, saved to its folder after each change.

    *clock*: platforms write when they made a response, however long nothing changes there; omitted, a response has the
    world's own time alone.
    """

    def __init__(self, world: World, folder: Path | None = None, clock: Callable[[], datetime] | None = None) -> None:
        self.world = world
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()

    def read(self, read: Callable[[World], Any]) -> Any:
        """Return the result of *read*, which must change nothing."""
        with self._lock:
            return read(self.world)

    def apply(self, name: str, arguments: dict[str, Any]) -> Any:
        """Run an operation and save the world."""
        with self._lock:
            try:
                return apply_operation(self.world, name, arguments)
            finally:
                self._save()

    def answer(self, feed: str, **options: Any) -> SimulatedResponse:
        """Return the response of *feed*; save the world if a fault was counted down."""
        with self._lock:
            faults = self.world.faults.get(feed)
            answer = self.world.answer(feed, stamp=self._clock() if self._clock else None, **options)
            if faults != self.world.faults.get(feed):
                self._save()
            return answer

    def answer_client(self, path: str, query: dict[str, str], headers: dict[str, str]) -> SimulatedResponse:
        """Return the response of the client API."""
        with self._lock:
            is_faulty = bool(self.world.clients.faults)
            answer = self.world.clients.answer(path, query, headers)
            if is_faulty:
                self._save()
            return answer

    def save(self) -> None:
        """Save the world, if it has a folder."""
        with self._lock:
            self._save()

    def _save(self) -> None:
        if self._folder:
            save_world(self.world, self._folder)


class SimulatorServer(ThreadingHTTPServer):
    """Serves a world on loopback; *port* 0 lets the system choose one."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, shared: SharedWorld, port: int = 0) -> None:
        self.shared = shared
        self.closing = threading.Event()
        try:
            super().__init__((HOST, port), _Request)
        except OSError as error:
            raise SimulatorError(f"port {port} cannot be used ({error.strerror}); choose another with --port") from error

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://{HOST}:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that closed the connection; report other errors as usual."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def start(self) -> None:
        """Serve in a background thread."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """End slow responses, stop serving, and save the world."""
        self.closing.set()
        self.shutdown()
        self.server_close()
        self.shared.save()


class _Request(BaseHTTPRequestHandler):
    server: SimulatorServer
    protocol_version = "HTTP/1.1"
    server_version = "simulator"
    sys_version = ""
    timeout = 60
    # the body follows the headers at once, without waiting for their acknowledgement
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        routes = {
            "/": self._index,
            "/control/truth": lambda: self._send_json(self.server.shared.read(read_truth)),
            "/control/config": lambda: self._send_json(self.server.shared.read(lambda w: config_of(w, self.server.url))),
        }
        self._guarded(routes.get(path, self._client if path.startswith("/api/") else self._feed), 404)

    def do_POST(self) -> None:
        self._guarded(self._operation, 422)

    def _guarded(self, answer: Callable[[], None], refusal: int) -> None:
        try:
            answer()
        except SimulatorError as error:
            self._send_json({"error": str(error)}, refusal)
        except OSError:
            self.close_connection = True

    def _index(self) -> None:
        names = self.server.shared.read(lambda w: sorted(w.feeds))
        body = "".join(f"/{name}.ics\n" for name in names).encode()
        self._send(SimulatedResponse(body=body, content_type="text/plain; charset=utf-8"))

    def _feed(self) -> None:
        url = urlsplit(self.path)
        if not url.path.endswith(".ics"):
            raise SimulatorError("not found; feeds are /<platform>/<listing>.ics")
        name = url.path.removeprefix("/").removesuffix(".ics")
        is_without_tentative = name.startswith("vrbo/") and "nonTentative" in parse_qs(url.query, keep_blank_values=True)
        self._send(self.server.shared.answer(name, **({"tentative": False} if is_without_tentative else {})))

    def _client(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        self._send(self.server.shared.answer_client(url.path, query, {n.lower(): v for n, v in self.headers.items()}))

    def _operation(self) -> None:
        name = urlsplit(self.path).path.removeprefix("/control/")
        self._send_json(self.server.shared.apply(name, self._read_json()))

    def _read_json(self) -> dict[str, Any]:
        """Return the arguments. A page of another origin cannot send this content type, so it cannot run commands."""
        length = self.headers.get("Content-Length", "0")
        if self.headers.get_content_type() != "application/json":
            self.close_connection = True
            raise SimulatorError("send the arguments as application/json")
        if not length.isdecimal() or int(length) > MAX_REQUEST_BYTES:
            self.close_connection = True
            raise SimulatorError("the body is too large, or Content-Length is missing")
        try:
            arguments = json.loads(self.rfile.read(int(length)) or b"{}")
        except ValueError:
            raise SimulatorError("the body is not JSON") from None
        if not isinstance(arguments, dict):
            raise SimulatorError("the body is not a JSON object")
        return arguments

    def _send_json(self, document: Any, status: int = 200) -> None:
        body = json.dumps(document, ensure_ascii=False).encode() + b"\n"
        self._send(SimulatedResponse(status=status, body=body, content_type="application/json"))

    def _send(self, answer: SimulatedResponse) -> None:
        headers = {"Content-Type": answer.content_type, "Content-Length": str(len(answer.body)), **answer.headers}
        if "ETag" in answer.headers and self.headers.get("If-None-Match") == answer.headers["ETag"]:
            answer, headers = SimulatedResponse(status=304), dict(answer.headers)
        self._wait(answer)
        self.send_response(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self._write(answer)

    def _wait(self, answer: SimulatedResponse) -> None:
        if answer.pace == "hang":
            self.server.closing.wait(HANG_SECONDS)
            raise ConnectionAbortedError

    def _write(self, answer: SimulatedResponse) -> None:
        if answer.pace == "whole":
            self.wfile.write(answer.body)
            return
        for byte in answer.body:
            self.wfile.write(bytes([byte]))
            if self.server.closing.wait(DRIP_SECONDS):
                raise ConnectionAbortedError

    def log_message(self, *args: Any) -> None:
        """Log nothing: URLs of feeds are secrets."""
