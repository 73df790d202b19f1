"""Webhooks of the deployed stack: sent by the function that its queue feeds, until their receiver accepts them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from standardwebhooks import Webhook as Verifier

from tests.support.deployed import wait_until

pytestmark = [pytest.mark.stack, pytest.mark.slow]


class Receiver(ThreadingHTTPServer):
    """A receiver on loopback that keeps what comes, and answers with its ``status``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.came = 204, list[tuple[dict[str, str], str]]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.came]


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


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Start a receiver."""
    server = Receiver()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def test_what_happens_is_sent_by_itself(client, receiver):
    """Signed; what was refused for a while comes again, under the same id; nobody wakes anything."""
    status, hook = client.ask("POST", "/webhooks", {"url": receiver.url, "types": ["catalog.changed"]})
    assert status == 201
    client.ask("POST", "/properties", {"name": "Villa"})
    wait_until(lambda: receiver.came, seconds=100)
    headers, body = receiver.came[0]
    assert Verifier(hook["secret"]).verify(body, headers)["type"] == "catalog.changed"

    receiver.status, before = 503, len(receiver.came)
    client.ask("POST", "/properties", {"name": "Casa"})
    wait_until(lambda: len(receiver.came) > before, seconds=100)
    receiver.status = 204
    refused = receiver.came[before][0]["webhook-id"]
    wait_until(lambda: [h["webhook-id"] for h, _ in receiver.came].count(refused) > 1, seconds=150)

    def states() -> set[str]:
        return {each["state"] for each in client.get(f"/webhooks/{hook['id']}/deliveries")["items"]}

    wait_until(lambda: states() == {"delivered"}, seconds=100)
    answer = client.ask("POST", f"/webhooks/{hook['id']}/test")[1]
    assert (answer["delivered"], receiver.types()[-1]) == (True, "webhook.test")
