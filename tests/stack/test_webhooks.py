"""Webhooks of the deployed stack: sent by the function that its queue feeds, until their receiver accepts them."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread

import pytest
from standardwebhooks import Webhook as Verifier

from tests.support.deployed import wait_until
from tests.support.hook_receiver import Receiver

pytestmark = [pytest.mark.stack, pytest.mark.slow]


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
    assert (answer["delivered"], receiver.events()[-1]["type"]) == (True, "webhook.test")
