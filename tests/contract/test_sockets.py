"""What API Gateway answers about connections, as boto3 reads it over HTTP on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

import pytest

from bokit.config import Settings
from bokit.core.model.connections import ConnectionId
from bokit.engine.live.limits import MAX_POST_SECONDS
from bokit.errors import LaterError
from bokit.outlets.protocols import Connections
from bokit.wiring import open_sockets, open_sockets_of
from tests.support.emulator import REGION
from tests.support.scripted_server import ScriptedServer, ok, say

ID = ConnectionId("L0SM9cOFvHcCIhw=")


@pytest.fixture
def server(aws: None) -> Iterator[ScriptedServer]:
    """A gateway that answers as a test says."""
    made = ScriptedServer(say(ok(b"")))
    yield made
    made.stop()


def answer(server: ScriptedServer, status: str, kind: str = "") -> None:
    """Let the gateway answer with this status, and an error of this kind."""
    server.script = say(ok(b'{"message": "x"}', f"x-amzn-ErrorType: {kind}", status=status))


def open_at(server: ScriptedServer) -> Connections:
    """Return what posts to the server, as the functions make it."""
    return open_sockets(Settings(table_name="none", region=REGION), server.url("/live"))


def test_a_message_is_posted_to_the_connection_of_the_stage(server):
    """Signed, at the endpoint's path, the id escaped."""
    assert open_at(server).post(ID, '{"type":"pong","seq":1}') is True

    head = server.heads[0].decode()
    assert unquote(head.splitlines()[0]) == f"POST /live/@connections/{ID} HTTP/1.1"
    assert "/execute-api/aws4_request" in head


def test_a_connection_is_closed(server):
    """By the same path; one that is gone is closed."""
    sockets = open_at(server)
    sockets.close(ID)
    answer(server, "410 Gone", "GoneException")
    sockets.close(ID)

    assert [head.decode().partition(" ")[0] for head in server.heads] == ["DELETE", "DELETE"]


def test_one_that_is_gone_is_said(server):
    """410 is an answer, and not an error."""
    answer(server, "410 Gone", "GoneException")

    assert open_at(server).post(ID, "{}") is False


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("403 Forbidden", "ForbiddenException"),
        ("413 Payload Too Large", "PayloadTooLargeException"),
        ("429 Too Many Requests", "LimitExceededException"),
        ("500 Internal Server Error", ""),
        ("503 Service Unavailable", ""),
    ],
)
def test_what_is_not_taken_is_an_error_after_one_attempt(server, status, kind):
    """No retry: the client finds what it missed."""
    answer(server, status, kind)

    with pytest.raises(LaterError):
        open_at(server).post(ID, "{}")
    assert len(server.heads) == 1


def test_a_gateway_that_is_silent_or_gone_is_an_error(server):
    """After the timeout, once; the fault names no address."""
    server.script = lambda _, __: server.ended.wait(MAX_POST_SECONDS + 2) and False
    sockets = open_at(server)
    with pytest.raises(LaterError) as silent:
        sockets.post(ID, "{}")
    server.stop()

    with pytest.raises(LaterError) as gone:
        sockets.post(ID, "{}")
    assert "127.0.0.1" not in f"{silent.value}{gone.value}"
    assert len(server.heads) == 1


def test_without_an_address_nothing_is_posted():
    """A command line on a table alone; with the socket's address, the gateway's is the same by HTTPS."""
    assert open_sockets_of(Settings(table_name="none")) is None
    assert open_sockets_of(Settings(table_name="none", live_url="wss://live.example/live"))
