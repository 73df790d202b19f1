"""`make down` while the stack works, and `make up`: what was accepted before is there, in the log, and with its receivers."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from local import cloud
from local.logs import Logs
from local.update import note_as_deployed
from tests.support.api_client import Client, open_client
from tests.support.deployed import Deployed, run_cloud, wait_until
from tests.support.hook_receiver import Receiver

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest.fixture
def own(tmp_path: Path, built: Path, nobody: None) -> Iterator[Deployed]:
    """A stack of the test's own, which knows that nothing of it needs to be deployed again."""
    for deployed in run_cloud(tmp_path, built):
        note_as_deployed(deployed.place)
        yield deployed


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Start a receiver, which goes on while the cloud is down."""
    server = Receiver()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def add_until_refused(client: Client, accepted: list[str]) -> None:
    """Add properties, one after the other, until nothing answers; note those of which the answer came."""
    for number in range(10_000):
        try:
            status, document = client.ask("POST", "/properties", {"name": f"House {number}"})
        except (OSError, ValueError, HTTPException):  # no answer, or half of one
            return
        if status == 201:
            accepted.append(document["id"])


def load_all(client: Client, path: str) -> list[Any]:
    """Return every item of a list."""
    items, cursor = [], ""
    while True:
        page = client.get(f"{path}?limit=100{cursor}")
        items += page["items"]
        if page["cursor"] is None:
            return items
        cursor = f"&cursor={page['cursor']}"


def load_log(client: Client) -> list[Any]:
    """Return every event of the tenant."""
    items: list[Any] = []
    while found := client.get(f"/events?since={len(items)}")["items"]:
        items += found
    return items


def count_wakes(own: Deployed) -> int:
    """Return how often the table's stream has woken the function that numbers events; the schedule logs elsewhere."""
    group = Logs(connect=own.client, stack=own.name, pause=0).find_groups()["notify"]
    pages = own.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    return sum("outbox drained" in event["message"] for page in pages for event in page["events"])


def test_make_down_in_the_middle_of_a_burst_loses_nothing(own: Deployed, receiver: Receiver, record_property: Any) -> None:
    """Wherever each event was, in the outbox, the log or a delivery: it is in the log once, and arrives."""
    client, accepted = open_client(own), list[str]()
    hook = {"url": receiver.url, "types": ["catalog.changed"]}
    assert client.ask("POST", "/webhooks", hook)[0] == 201
    burst = Thread(target=add_until_refused, args=[client, accepted])
    burst.start()
    wait_until(lambda: len(receiver.came) >= 5, seconds=100)

    cloud.down(own.place)
    burst.join()
    sent_before = {event["data"]["id"] for event in receiver.events()}
    record_property("accepted, and not sent before", (len(accepted), len(set(accepted) - sent_before)))
    cloud.up(own.place, lambda _: None)

    assert set(accepted) <= {item["id"] for item in load_all(client, "/properties")}
    wait_until(lambda: set(accepted) <= {event["data"]["id"] for event in receiver.events()}, seconds=200)
    log = load_log(client)
    assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
    named = [event["data"]["id"] for event in log if event["type"] == "catalog.changed"]
    assert set(accepted) <= set(named)
    assert len(named) == len(set(named)) == len({event["id"] for event in log})

    woken = count_wakes(own)
    assert client.ask("POST", "/properties", {"name": "A house after the restart"})[0] == 201
    wait_until(lambda: count_wakes(own) > woken, seconds=100)
