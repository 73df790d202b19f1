"""The WebSocket of the deployed stack: opened by a ticket, posted to by the function that the table's stream wakes."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from bokit.core.model.records import TenantId
from bokit.engine.base.clock import read_clock
from tests.support.api_client import Client, open_client
from tests.support.deployed import open_stack, wait_until
from tests.support.node import find_node

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE, CLIENT = ROOT / "examples/live/follow.py", ROOT / "tests/node/follow_client.mjs"

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@contextmanager
def open_socket(client: Client) -> Iterator[ClientConnection]:
    """Open a socket with a new ticket."""
    status, ticket = client.ask("POST", "/sync/ticket")
    assert status == 200
    with connect(ticket["url"], proxy=None, open_timeout=60, close_timeout=5) as socket:
        yield socket


def ask(socket: ClientConnection, message: Any) -> dict[str, Any]:
    """Send a message, and return the next one that comes."""
    socket.send(message if isinstance(message, str) else json.dumps(message))
    return receive(socket)


def receive(socket: ClientConnection, timeout: float = 60) -> dict[str, Any]:
    """Return the next message."""
    return json.loads(socket.recv(timeout=timeout))


def until(socket: ClientConnection, kind: str) -> list[dict[str, Any]]:
    """Return the messages up to the first of this kind."""
    messages = [receive(socket)]
    while messages[-1]["type"] != kind:
        messages.append(receive(socket))
    return messages


def test_a_change_is_on_the_socket_by_itself(client):
    """Resumed, pinged, and posted to: the event of a write comes without a question, and only to its tenant."""
    other = open_client(client.deployed)
    start = client.get("/events")["seq"]
    with open_socket(client) as socket, open_socket(other) as stranger:
        assert ask(socket, {"action": "resume", "since": start}) == {"type": "ready", "seq": start}
        made = client.ask("POST", "/properties", {"name": "Villa Rosa"})[1]

        event = until(socket, "catalog.changed")[-1]
        assert (event["data"]["id"], event["seq"] > start) == (made["id"], True)
        assert event in client.get(f"/events?since={start}")["items"]
        assert ask(stranger, {"action": "ping"})["type"] == "pong"
        with pytest.raises(TimeoutError):
            receive(stranger, timeout=1)


def test_a_client_that_was_away_resumes(client):
    """What happened meanwhile comes, and then that this was all; a wrong number is said."""
    start = client.get("/events")["seq"]
    for n in range(3):
        client.ask("POST", "/properties", {"name": f"Villa {n}"})
    wait_until(lambda: client.get("/events")["seq"] >= start + 3, seconds=100)

    with open_socket(client) as socket:
        socket.send(json.dumps({"action": "resume", "since": start}))
        came = until(socket, "ready")
        assert sorted(m["seq"] for m in came[:-1]) == [start + 1, start + 2, start + 3]
        assert ask(socket, {"action": "resume", "since": start + 100}) == {"type": "resync", "seq": start + 3}
        assert ask(socket, "hello")["type"] == ask(socket, {"action": "drop"})["type"] == "error"


def test_a_ticket_opens_one_socket(client):
    """The second time, or with another text, or with none, the gateway refuses the handshake."""
    url = client.ask("POST", "/sync/ticket")[1]["url"]
    with connect(url, proxy=None, open_timeout=60):
        pass

    for wrong in (url, url[:-4] + "AAAA", url.partition("?")[0]):
        with pytest.raises(InvalidStatus) as refused:
            connect(wrong, proxy=None, open_timeout=60)
        assert refused.value.response.status_code in (401, 403)


def test_a_revoked_token_is_cut_off_and_one_that_left_is_forgotten(client):
    """Revoked over HTTP, its socket is closed at once; the others of the tenant stay until they leave."""
    stack, tenant = open_stack(client.deployed), TenantId(client.tenant)
    status, made = client.ask("POST", "/tokens", {"role": "viewer"})
    assert status == 201
    viewer = dataclasses.replace(client, token=made["token"])
    with open_socket(client) as kept, open_socket(viewer) as cut:
        assert len(stack.store.load_connections(tenant)) == 2
        client.ask("DELETE", f"/tokens/{made['id']}")

        with pytest.raises(ConnectionClosed):
            receive(cut)
        assert ask(kept, {"action": "ping"})["type"] == "pong"
    wait_until(lambda: not stack.store.load_connections(tenant), seconds=60)


def test_what_a_command_line_revokes_the_tick_closes(client):
    """It cannot post: the token is due, and the next minute closes what is left."""
    stack, tenant = open_stack(client.deployed), TenantId(client.tenant)
    made = client.ask("POST", "/tokens", {"role": "viewer"})[1]
    with open_socket(dataclasses.replace(client, token=made["token"])) as cut:
        stack.access.revoke(tenant, made["id"])
        assert [t.id for t in stack.store.load_due_closings(read_clock() + timedelta(seconds=1)).tokens] == [made["id"]]
        run_tick(client)

        with pytest.raises(ConnectionClosed):
            receive(cut)
    assert stack.store.load_due_closings(read_clock() + timedelta(seconds=1)).tokens == ()


def run_tick(client: Client) -> None:
    """Let the schedule come now."""
    name = client.deployed.outputs["SyncFunctionName"]
    answer = client.deployed.client("lambda").invoke(FunctionName=name, Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()


def test_the_documents_example_follows_events(client):
    """docs/live.md: it prints that the log is read up to now, and then what happens."""
    env = os.environ | {"API": client.deployed.api_url, "TOKEN": client.token or "", "NO_PROXY": "*"}
    process = subprocess.Popen([sys.executable, EXAMPLE], env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert "'type': 'ready'" in process.stdout.readline()
        client.ask("POST", "/properties", {"name": "Villa Rosa"})
        assert "'type': 'catalog.changed'" in process.stdout.readline()
    finally:
        process.kill()
        process.wait()


@contextmanager
def follow(client: Client) -> Iterator[Callable[[Callable[[dict[str, Any]], bool]], dict[str, Any]]]:
    """Run web/client in Node; yields a function that returns the first of its states from now on for which *is_so* holds."""
    command = [str(find_node().path), str(CLIENT), client.deployed.api_url, client.token or ""]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait_for(is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        assert process.stdout
        while line := process.stdout.readline():
            if is_so(state := json.loads(line)):
                return state
        raise AssertionError("the client ended")

    try:
        yield wait_for
    finally:
        process.kill()
        process.wait()


def test_the_npm_package_is_live_on_the_stack_until_its_token_is_revoked(client):
    """It opens the socket, shows what another program writes, and says that its token is refused once it is revoked."""
    made = client.ask("POST", "/tokens", {"role": "viewer"})[1]
    with follow(dataclasses.replace(client, token=made["token"])) as wait_for:
        assert wait_for(lambda state: state["connection"] == "live")["names"] == []
        client.ask("POST", "/properties", {"name": "Villa Rosa"})
        assert wait_for(lambda state: state["names"] == ["Villa Rosa"])["connection"] == "live"

        client.ask("DELETE", f"/tokens/{made['id']}")
        assert wait_for(lambda state: state["connection"] == "offline")["status"] in (401, 403)
