"""What the tests of the guarded client share."""

from __future__ import annotations

import socket
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bokit.net.session import SafeSession
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
