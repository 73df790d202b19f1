"""The platforms over HTTP on loopback: feeds for anybody, a control API for whoever plays the world."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from simulator.control import apply_operation, tell_truth
from simulator.faults import Answer
from simulator.scenario import config_of
from simulator.state import save_world
from simulator.truth import SimulatorError
from simulator.world import World

HOST = "127.0.0.1"
MAX_BYTES = 1_000_000
DRIP_SECONDS = 0.5
HANG_SECONDS = 120.0


class Stage:
    """One world that many threads look at: a lock around it, and its file after each change."""

    def __init__(self, world: World, folder: Path | None = None) -> None:
        self.world = world
        self._folder = folder
        self._lock = threading.Lock()

    def look(self, read: Callable[[World], Any]) -> Any:
        """Return what *read* finds; it must change nothing."""
        with self._lock:
            return read(self.world)

    def act(self, name: str, arguments: dict[str, Any]) -> Any:
        """Do an operation and keep the world."""
        with self._lock:
            try:
                return apply_operation(self.world, name, arguments)
            finally:
                self._save()

    def answer(self, feed: str, **options: Any) -> Answer:
        """Return what a client of *feed* gets; a fault that counted down is kept."""
        with self._lock:
            waiting = self.world.faults.get(feed)
            answer = self.world.answer(feed, **options)
            if waiting != self.world.faults.get(feed):
                self._save()
            return answer

    def answer_client(self, path: str, query: dict[str, str], headers: dict[str, str]) -> Answer:
        """Return what a request to the client API gets."""
        with self._lock:
            waiting = bool(self.world.clients.faults)
            answer = self.world.clients.answer(path, query, headers)
            if waiting:
                self._save()
            return answer

    def keep(self) -> None:
        """Write the world down, where it has a folder."""
        with self._lock:
            self._save()

    def _save(self) -> None:
        if self._folder:
            save_world(self.world, self._folder)


class SimulatorServer(ThreadingHTTPServer):
    """Serves a stage on loopback; *port* 0 lets the system choose one."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, stage: Stage, port: int = 0) -> None:
        self.stage = stage
        self.closing = threading.Event()
        try:
            super().__init__((HOST, port), _Request)
        except OSError as error:
            raise SimulatorError(f"port {port} cannot be had ({error.strerror}); choose another with --port") from error

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away; anything else is told as ever."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def start(self) -> None:
        """Serve from a thread of its own."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """End what drips and hangs, stop serving, and keep the world."""
        self.closing.set()
        self.shutdown()
        self.server_close()
        self.stage.keep()


class _Request(BaseHTTPRequestHandler):
    server: SimulatorServer
    protocol_version = "HTTP/1.1"
    server_version = "simulator"
    sys_version = ""
    timeout = 60

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        routes = {
            "/": self._index,
            "/control/truth": lambda: self._send_json(self.server.stage.look(tell_truth)),
            "/control/config": lambda: self._send_json(self.server.stage.look(lambda w: config_of(w, self.server.url))),
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
        names = self.server.stage.look(lambda w: sorted(w.feeds))
        self._send(Answer(body="".join(f"/{name}.ics\n" for name in names).encode(), content_type="text/plain; charset=utf-8"))

    def _feed(self) -> None:
        url = urlsplit(self.path)
        if not url.path.endswith(".ics"):
            raise SimulatorError("nothing here; feeds are /<platform>/<listing>.ics")
        name = url.path.removeprefix("/").removesuffix(".ics")
        wants_certain = name.startswith("vrbo/") and "nonTentative" in parse_qs(url.query, keep_blank_values=True)
        self._send(self.server.stage.answer(name, **({"tentative": False} if wants_certain else {})))

    def _client(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        self._send(self.server.stage.answer_client(url.path, query, {n.lower(): v for n, v in self.headers.items()}))

    def _operation(self) -> None:
        name = urlsplit(self.path).path.removeprefix("/control/")
        self._send_json(self.server.stage.act(name, self._read_json()))

    def _read_json(self) -> dict[str, Any]:
        """Return the arguments. A web page of elsewhere can't send this content type, so it can't play the world."""
        length = self.headers.get("Content-Length", "0")
        if self.headers.get_content_type() != "application/json":
            self.close_connection = True
            raise SimulatorError("send the arguments as application/json")
        if not length.isdecimal() or int(length) > MAX_BYTES:
            self.close_connection = True
            raise SimulatorError("the body is too large, or its length is not told")
        try:
            told = json.loads(self.rfile.read(int(length)) or b"{}")
        except ValueError:
            raise SimulatorError("the body is not JSON") from None
        if not isinstance(told, dict):
            raise SimulatorError("the body is not a JSON object")
        return told

    def _send_json(self, told: Any, status: int = 200) -> None:
        body = json.dumps(told, ensure_ascii=False).encode() + b"\n"
        self._send(Answer(status=status, body=body, content_type="application/json"))

    def _send(self, answer: Answer) -> None:
        headers = {"Content-Type": answer.content_type, "Content-Length": str(len(answer.body)), **answer.headers}
        if "ETag" in answer.headers and self.headers.get("If-None-Match") == answer.headers["ETag"]:
            answer, headers = Answer(status=304), dict(answer.headers)
        self._wait(answer)
        self.send_response(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self._write(answer)

    def _wait(self, answer: Answer) -> None:
        if answer.pace == "hang":
            self.server.closing.wait(HANG_SECONDS)
            raise ConnectionAbortedError

    def _write(self, answer: Answer) -> None:
        if answer.pace == "whole":
            self.wfile.write(answer.body)
            return
        for byte in answer.body:
            self.wfile.write(bytes([byte]))
            if self.server.closing.wait(DRIP_SECONDS):
                raise ConnectionAbortedError

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: feeds' addresses belong in no log."""
