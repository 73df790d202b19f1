"""Webhooks over HTTP: what is sent verifies with others' libraries, and every answer is one that a delivery understands."""

# ruff: noqa: F811 - fixtures that are imported are named again as arguments

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks

from bokit.core.model.webhook_signature import sign, write_secret
from bokit.core.model.webhooks import Answer
from bokit.net.session import SafeSession
from bokit.outlets.webhook import HttpWebhooks
from tests.support.guarded import Serve, serve  # noqa: F401
from tests.support.naughty_strings import NAUGHTY
from tests.support.scripted_server import ok, redirect, say

NODE = Path(__file__).resolve().parents[1] / "node"
SECRETS = [write_secret(bytes([n]) * 32) for n in range(3)]
needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (NODE / "node_modules/standardwebhooks").is_dir(),
    reason="not run: standardwebhooks is not installed; `npm ci --prefix tests/node` installs it",
)


def a_sender(**given: Any) -> HttpWebhooks:
    return HttpWebhooks(SafeSession(**{"allow_private_addresses": True, "deadline": 2.0, "max_bytes": 0} | given))


def a_body(text: str) -> bytes:
    return json.dumps({"type": "record.changed", "data": {"name": text}}, ensure_ascii=False).encode("utf-8", "replace")


# ── signatures ──


def messages() -> list[tuple[str, dict[str, str], str, bool]]:
    """Return messages with the secret that checks each, and whether it is one of those that signed."""
    now, found = datetime.now(UTC), []
    for number, text in enumerate(NAUGHTY[:60]):
        body = a_body(text)
        headers = dict(sign(SECRETS[:2], f"evt_{number}", now, body))
        found += [(secret, headers, body.decode(), secret is not SECRETS[2]) for secret in SECRETS]
        found.append((SECRETS[0], headers, body.decode() + " ", False))
        found.append((SECRETS[0], {**headers, "webhook-id": "evt_other"}, body.decode(), False))
    old = dict(sign(SECRETS[:1], "evt_old", now - timedelta(hours=1), b"{}"))
    return [*found, (SECRETS[0], old, "{}", False)]


def test_the_library_of_pypi_verifies_what_is_signed() -> None:
    """Of both secrets while they rotate; neither another's, nor a changed body, nor an old message."""
    for secret, headers, body, is_right in messages():
        webhook = standardwebhooks.Webhook(secret)
        if is_right:
            webhook.verify(body, headers)
        else:
            with pytest.raises(standardwebhooks.WebhookVerificationError):
                webhook.verify(body, headers)


@needs_node
def test_the_library_of_npm_verifies_what_is_signed() -> None:
    """The same messages."""
    sent = messages()
    given = json.dumps([{"secret": secret, "headers": headers, "body": body} for secret, headers, body, _ in sent])
    done = subprocess.run(
        ["node", "verify_webhook.mjs"],
        cwd=NODE,
        input=given,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == [is_right for *_, is_right in sent]


# ── requests ──


def test_a_request_is_one_post_with_its_headers(serve: Serve) -> None:
    """Signed, as JSON, on a connection of its own; the answer's body is not waited for."""
    bodies: list[bytes] = []

    def script(sock: socket.socket, head: bytes) -> bool:
        bodies.append(sock.recv(1000))
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        return sock.recv(1) != b""

    server = serve(script)
    body = a_body("Zoë")

    answer = a_sender().post(server.url("/hook?key=1"), {"webhook-id": "evt_1", "Content-Type": "application/json"}, body)

    assert (answer, bodies) == (Answer(status=200), [body])
    (head,) = server.heads
    lines = head.decode("latin-1").lower().split("\r\n")
    assert lines[0] == "post /hook?key=1 http/1.1"
    assert {"webhook-id: evt_1", "content-type: application/json", "connection: close"} <= set(lines)


def read_and(answer: bytes) -> Any:
    """Return a script that reads the body, and sends *answer*."""

    def script(sock: socket.socket, head: bytes) -> bool:
        sock.recv(1000)
        return say(answer, then_close=True)(sock, head)

    return script


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (ok(b"", status="204 No Content"), Answer(status=204)),
        (ok(b"thanks"), Answer(status=200)),
        (ok(b"x" * 100, "Content-Encoding: gzip"), Answer(status=200)),
        (ok(b"", status="410 Gone"), Answer(status=410, error="http-410")),
        (ok(b"", "Retry-After: 120", status="429 Too Many Requests"), Answer(status=429, error="http-429", retry_after=120.0)),
        (ok(b"", status="500 Oops"), Answer(status=500, error="http-500")),
        (redirect("/elsewhere", 307), Answer(status=307, error="http-307")),
        (b"nonsense\r\n\r\n", Answer(error="bad-http")),
        (b"", Answer(error="connection")),
    ],
    ids=["204", "200", "bad gzip", "410", "429", "500", "307", "no HTTP", "closed"],
)
def test_every_answer_is_understood(serve: Serve, reply: bytes, expected: Answer) -> None:
    """A redirect is not followed; no body matters."""
    server = serve(read_and(reply))

    assert a_sender().post(server.url("/hook"), {}, b"{}") == expected
    assert len(server.heads) == 1


def test_a_receiver_that_says_nothing_is_left_in_time(serve: Serve) -> None:
    """As one whose port is closed."""
    server = serve(lambda sock, head: sock.recv(1000) == b"" or sock.recv(1) != b"")
    url = server.url("/hook")

    assert a_sender(deadline=0.3).post(url, {}, b"{}") == Answer(error="timeout")
    server.stop()
    assert a_sender().post(url, {}, b"{}") == Answer(error="connection")


def test_a_private_address_is_not_asked(serve: Serve) -> None:
    """As little as for feeds, unless the stack is local."""
    server = serve(read_and(ok(b"")))

    assert a_sender(allow_private_addresses=False).post(server.url("/hook"), {}, b"{}").error == "address-refused"
    assert server.heads == []
