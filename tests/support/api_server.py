"""The real HTTP API on loopback, for tests of programs that are not Python: ``python -m tests.support.api_server``.

    request ─► the authorizer ─► the function that has the path, on a store in memory ─► the outbox is numbered ─► answer

The WebSocket's events go to its function, too; who carries the messages asks for them, and does with them what a network does.

It prints one line of JSON, ``{"url", "tokens": {"admin", "operator", "viewer", "other"}}``, and ends with its standard input.
Besides the API it takes what a test needs of the world around it:

    POST /_test/feeds {"url", "events": [[number, check_in, check_out]]}   what a feed shows from now on; no other host is found
    POST /_test/feeds {"url", "body"} or {"url", "error": {"code", "message"}}   what its address answers instead
    POST /_test/collections {"name", …}                                    declare a collection
    POST /_test/sync {"hours"}                                             the schedule comes later, and the queue is worked off
    POST /_test/deliver                                                    webhooks and alert channels get what waits
    POST /_test/move {"hours"}                                             time passes without a schedule
    POST /_test/work {}                                                    the queue is worked off
    POST /_test/backup, /_test/restore                                     keep a copy of the table; go back to it
    POST /_test/revoke {"role"}                                            revoke the token of this role, and make another one
    POST /_test/connect {"ticket"}                                         open a socket: {"id"}; null where it is refused
    POST /_test/message {"id", "text"}, /_test/disconnect {"id"}           what its client says; it has left
    POST /_test/posted {}                                                  {"posted": {id: [message]}, "closed": [id]} since then
"""

from __future__ import annotations

import copy
import json
import sys
import threading
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from bokit.config import Settings
from bokit.core.model.access import Role
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.engine.live.alert_delivery import read_place
from bokit.engine.live.dispatch import read_turn
from bokit.errors import SourceRefusedError, SourceUnavailableError
from bokit.wiring import open_access
from tests.support.caller import OTHER, an_event, is_public, serve
from tests.support.live_app import LiveApp, Socket
from tests.support.terminal import a_feed
from tests.support.terminal import an_event as a_reservation


class Internet(dict[str, Any]):
    """What answers at which address; other hosts are not found."""

    def __missing__(self, url: str) -> SourceUnavailableError:
        return SourceUnavailableError(f"host {urlsplit(url).hostname} not found; check the URL", code="dns")


def read_answer(given: Any) -> bytes | SourceRefusedError:
    """Return what an address answers: a feed, another body, or an error."""
    if "error" in given:
        return SourceRefusedError(given["error"]["message"], code=given["error"]["code"])
    if "body" in given:
        return str(given["body"]).encode()
    return a_feed(*(a_reservation(*event) for event in given["events"]))


class World:
    """The product, its authorizer, and a lock: a function answers one request at a time."""

    def __init__(self) -> None:
        self.app = LiveApp(pytest.MonkeyPatch())
        self.app.shelf.bodies = Internet(self.app.shelf.bodies)
        self.sockets: dict[str, Socket] = {}
        self.access = open_access(Settings(table_name="none"), store=self.app.store, clock=self.app.clock)
        self.lock = threading.Lock()
        made = {str(role): self.access.create(DEFAULT_TENANT, role) for role in Role}
        made["other"] = self.access.create(OTHER, Role.ADMIN)
        self.backup: dict[str, Any] = {}
        self.ids = {name: token.id for name, (token, _) in made.items()}
        self.secrets = {name: secret for name, (_, secret) in made.items()}

    def answer(self, method: str, target: str, headers: dict[str, str], body: str) -> tuple[int, dict[str, str], bytes]:
        """Answer one request as the gateway and the functions behind it do."""
        path, query = unquote(urlsplit(target).path), dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
        with self.lock:
            if path.startswith("/_test/"):
                return 200, {}, json.dumps(self.arrange(path.removeprefix("/_test/"), json.loads(body or "{}"))).encode()
            claims = None
            if not is_public(path):
                principal = self.access.authorize(headers.get("authorization"))
                if principal is None:
                    return 403, {"Content-Type": "application/json"}, b'{"message": "Forbidden"}'
                claims = {"lambda": {"tenant": principal.tenant, "role": str(principal.role), "id": principal.id}}
            event = an_event(method, path, query=query, body=body or None, authorizer=claims, headers=headers)
            answer = serve(event)
            self.app.bokit.events.drain()
            content = b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()
            return answer["statusCode"], answer["headers"], content

    def deliver(self) -> None:
        """Send webhooks and alert channels what waits for them, as the function ``deliver`` does."""
        bodies = list(self.app.deliver_queue.bodies)
        self.app.deliver_queue.bodies.clear()
        for body in bodies:
            if channel := read_place(body):
                self.app.bokit.alert_delivery.serve(*channel)
            else:
                self.app.bokit.deliveries.take_turn(read_turn(body))

    def arrange(self, what: str, given: Any) -> Any:
        """Change the world."""
        if what == "collections":
            self.app.bokit.catalog.collections.declare(DEFAULT_TENANT, given)
        elif what == "feeds":
            self.app.shelf.bodies[given["url"]] = read_answer(given)
        elif what == "move":
            self.app.move(hours=given["hours"])
        elif what == "work":
            self.app.work()
        elif what == "sync":
            self.app.move(hours=given.get("hours", 1))
            self.app.sync()
        elif what == "deliver":
            self.app.bokit.events.drain()
            self.deliver()
        elif what == "backup":
            self.backup = copy_state(self.app.store)
        elif what == "restore":
            vars(self.app.store).update(self.backup)
        elif what == "revoke":
            self.app.bokit.access.revoke(DEFAULT_TENANT, self.ids[given["role"]])
            token, secret = self.access.create(DEFAULT_TENANT, Role(given["role"]))
            self.ids[given["role"]] = token.id
            return {"token": secret}
        elif what == "connect":
            return {"id": self.connect(given["ticket"])}
        elif what == "message":
            self.sockets[given["id"]].send_event("unknown", body=given["text"])
        elif what == "disconnect":
            self.sockets.pop(given["id"]).send_event("disconnect")
        elif what == "posted":
            posted, self.app.sockets.posted = self.app.sockets.posted, {}
            return {"posted": posted, "closed": self.app.sockets.closed}
        else:
            raise LookupError(what)
        self.app.bokit.events.drain()
        return {}

    def connect(self, ticket: str) -> str | None:
        """Open a socket as the gateway does; return its id, None where it is refused."""
        claims = self.app.admit(ticket)
        socket = self.app.open(claims) if claims else None
        if socket is None or socket.status != 200:
            return None
        self.sockets[socket.id] = socket
        return socket.id


def copy_state(store: Any) -> dict[str, Any]:
    """Return a copy of what a store in memory holds."""
    return copy.deepcopy({name: value for name, value in vars(store).items() if isinstance(value, (dict, list, set))})


def make_handler(world: World) -> type[BaseHTTPRequestHandler]:
    """Return the handler of *world*'s requests."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, sent, data = world.answer(self.command, self.path, headers, body)
            self.send_response_only(status)
            for name, value in sent.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - names of the standard library

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def main() -> None:
    """Serve until standard input ends."""
    world = World()
    server = ThreadingHTTPServer(("127.0.0.1", 0), make_handler(world))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}", "tokens": world.secrets}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
