"""What the tests of the guarded client share."""

from __future__ import annotations

import socket
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from bokit.errors import AddressRefusedError, SourceMalformedError, SourceUnavailableError
from bokit.net.adapter import GuardedAdapter, Opened
from bokit.net.guard import Guard
from bokit.net.session import SafeSession
from bokit.net.wire import Input, WireResponse
from tests.support.damage import Damage
from tests.support.scripted_server import Script, ScriptedServer, make_certificate, ok, say

DEADLINE = 0.8
"""Seconds that a request to a server that errs may take; what hangs ends with the client's own code for it."""
Serve = Callable[..., ScriptedServer]
SECRET_PATH = "/SENTINEL-path/x.ics?s=SENTINEL-query"
SECRET_HEADERS = {"X-Key": "SENTINEL-header"}


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers; they stop after the test."""
    servers: list[ScriptedServer] = []

    def start(script: Script, *args: Any, **more: Any) -> ScriptedServer:
        servers.append(ScriptedServer(script, *args, **more))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def canary(serve: Serve) -> Iterator[ScriptedServer]:
    """A server that nobody may connect to."""
    server = serve(say(ok(b"you should not be here")))
    yield server
    assert server.connections == 0


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    """A certificate of loopback and of a name."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "127.0.0.1", "feeds.example.org")


def a_client(**more: Any) -> SafeSession:
    """A client that may ask loopback, and that is soon out of patience."""
    return SafeSession(**{"allow_private_addresses": True, "deadline": DEADLINE, **more})


def a_patient_client(**more: Any) -> SafeSession:
    """A client whose deadline plays no part."""
    return a_client(deadline=30.0, **more)


def leads_to(*addresses: str, port: int | None = None) -> Callable[[str, int], list[tuple[Any, ...]]]:
    """A resolver that answers the same for every name."""

    def resolver(host: str, asked_port: int) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port or asked_port)) for address in addresses]

    return resolver


def error_texts(error: BaseException) -> str:
    """Return whatever a log, a page or a person could see of an error and of all that it came from."""
    texts, waiting, met = [], [error], set()
    while waiting:
        one = waiting.pop()
        if id(one) in met:
            continue
        met.add(id(one))
        texts += [str(one), repr(one), repr(one.args), repr(getattr(one, "facts", "")), repr(getattr(one, "__notes__", ""))]
        texts += traceback.format_exception(one)
        waiting += [more for more in (one.__cause__, one.__context__, *one.args) if isinstance(more, BaseException)]
    return "\n".join(texts)


class LuredAdapter(GuardedAdapter):
    """A strict adapter for which a public server is played; all other hosts are asked for real."""

    lure = b""
    status = 302

    def _send_once(self, request: Any, target: Any, exchange: Any) -> Opened:
        if target.host == "feeds.example.org":
            played = WireResponse(Input(socket.socket()), "GET")
            played.status, played.fields = self.status, {"location": ("Location", self.lure.decode("latin-1"))}
            return played, None
        return super()._send_once(request, target, exchange)


def a_lured_client(resolver: Any) -> tuple[SafeSession, LuredAdapter]:
    """A strict client and its adapter."""
    client = SafeSession()
    client.adapter = adapter = LuredAdapter(Guard(False, resolver))
    return client, adapter


class Names:
    """A resolver that knows no name, and remembers which it was asked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __call__(self, host: str, port: int) -> list[Any]:
        self.asked.add(host)
        return []

    @property
    def hostile(self) -> list[str]:
        return [host for host in self.asked if not host.endswith("example.org")]


def request_all(urls: Sequence[str]) -> Damage:
    """Request each of *urls*; lost: those that are not refused, or whose name is resolved."""
    names = Names()
    client = SafeSession(resolver=names)
    asked = [url for url in urls if not _is_refused(partial(client.get, url), AddressRefusedError)]
    return Damage(tried=len(urls), lost=len(asked) + len(names.asked), traces=tuple(asked))


def follow_all(urls: Sequence[str]) -> Damage:
    """Be redirected to each of *urls*; lost: those that are followed to another server than the one that redirects."""
    names = Names()
    client, adapter = a_lured_client(names)
    tried, followed = [url for url in urls if url.strip()], []
    for url in tried:
        adapter.lure = url.encode("utf-8", "surrogatepass")
        errors = (AddressRefusedError, SourceMalformedError, SourceUnavailableError)
        if not _is_refused(lambda: client.get("http://feeds.example.org/"), *errors):
            followed.append(url)
    return Damage(tried=len(tried), lost=len(followed) + len(names.hostile), traces=tuple(followed))


def _is_refused(ask: Callable[[], object], *errors: type[Exception]) -> bool:
    try:
        ask()
    except errors:
        return True
    return False
