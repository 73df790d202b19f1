"""The event log of the deployed stack: written with the change, numbered by the function that the table's stream wakes."""

from __future__ import annotations

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.events import EventType, NewEvent, fill_outbox
from bokit.engine.base.clock import read_clock
from tests.support.deployed import open_stack, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.slow]


def test_what_happens_is_in_the_log_by_itself(client, feed_url):
    """A property, a source and its first sync: nobody drains, and no event is there twice."""
    start = client.get("/events")["seq"]
    source = client.furnish(feed_url)
    client.follow(client.ask("POST", "/sync/trigger", {"source_ids": [source]})[1]["run_id"])

    def types() -> list[str]:
        return [item["type"] for item in client.get(f"/events?since={start}")["items"]]

    wait_until(lambda: "sync.finished" in types(), seconds=100)

    items = client.get(f"/events?since={start}")["items"]
    assert [item["seq"] for item in items] == list(range(start + 1, start + 1 + len(items)))
    assert {"catalog.changed", "sync.started", "collection.changed", "sync.finished"} <= set(types())
    assert len({item["id"] for item in items}) == len(items)


def test_the_function_numbers_what_the_stream_shows(deployed):
    """Without the schedule: many items of one tenant, each event once and in a row."""
    stack = open_stack(deployed)
    start = stack.store.load_last_seq(DEFAULT_TENANT)
    for n in range(60):
        for item in fill_outbox(DEFAULT_TENANT, read_clock(), [NewEvent(type=EventType.RECORD_CHANGED, data={"id": str(n)})]):
            stack.store.put_outbox(item)

    wait_until(lambda: stack.store.load_last_seq(DEFAULT_TENANT) >= start + 60, seconds=100)

    found = stack.store.load_events(DEFAULT_TENANT, after=start, until=start + 60)
    assert sorted(int(event.data["id"]) for event in found) == list(range(60))
    assert [event.seq for event in found] == list(range(start + 1, start + 61))
