"""A function may do what it does, and little else. The local cloud enforces no policy, so it is shown here."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from bokit.core.catalog import DEFAULT_TENANT
from bokit.core.runs import Trigger
from bokit.engine.manual import SyncRequest
from bokit.engine.messages import BatchMessage, read_message
from bokit.errors import SourceUnavailableError
from bokit.sources.base import Fetched
from bokit.store.create_table import create_table
from bokit.store.dynamo import DynamoStore
from tests.engine.house import House
from tests.unit.transformed import as_list, policy_statements

GONE = SourceUnavailableError("no answer")
IN_A_TRANSACTION = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}


class Requests:
    """The DynamoDB permissions that a store's requests need, as botocore's events tell them."""

    def __init__(self, store: DynamoStore) -> None:
        self.needed: set[str] = set()
        store.client.meta.events.register("provide-client-params.dynamodb.*", self.note)

    def note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        parts = [IN_A_TRANSACTION[kind] for item in params.get("TransactItems", []) for kind in item]
        self.needed |= {f"dynamodb:{name}" for name in parts or [model.name]}


@pytest.fixture
def store() -> Iterator[DynamoStore]:
    """A table on moto."""
    with pytest.MonkeyPatch.context() as monkeypatch, mock_aws():
        for name in [n for n in os.environ if n.startswith("AWS_ENDPOINT")]:
            monkeypatch.delenv(name)
        create_table("bokit", region="us-east-1")
        yield DynamoStore("bokit", region="us-east-1")


def allowed(role: str) -> set[str]:
    """Return what a role may do to the table."""
    actions = {a for s in policy_statements(role) for a in as_list(s["Action"])}
    return {action for action in actions if action.startswith("dynamodb:")}


def test_the_tick_may_do_what_it_does_and_nothing_else(store):
    """Claiming, carrying a monitor to its end and ending an overdue run takes exactly the permissions of the tick's role."""
    house = House(queue=True, store=store)
    house.add_source("a", {"1": {"name": "x"}})
    house.bokit.dispatch.trigger(SyncRequest(tenant=DEFAULT_TENANT, everything=True))
    requests = Requests(store)

    house.bokit.tick(Trigger.SCHEDULE)
    needed = requests.needed
    house.bokit.monitors.start(DEFAULT_TENANT, interval=60, max_runs=2, by="token:tok_1")
    requests.needed = needed
    begun = [house.bokit.tick(Trigger.SCHEDULE).monitors]
    house.clock.move(hours=1)
    reports = [house.bokit.tick(Trigger.SCHEDULE) for _ in range(2)]
    house.clock.move(minutes=1)
    begun += [r.monitors for r in (*reports, house.bokit.tick(Trigger.SCHEDULE))]

    assert ([r.closed for r in reports], begun, len(house.queue.bodies)) == ([2, 0], [1, 0, 0, 1], 4)
    assert requests.needed == allowed("SyncFunctionRole")


def test_the_worker_may_do_what_it_does_and_nothing_else(store):
    """New, changed, missing, cancelled, unchanged, refused and failed content takes exactly the worker's permissions."""
    house = House(queue=True, store=store)
    many = {str(n): {"name": random.Random(n).randbytes(4000).hex()} for n in range(120)}
    source = house.add_source("a", many)
    fewer = {"1": {"name": "y"}}
    requests = Requests(store)

    for answer in (many, many, {**many, **fewer}, fewer, fewer, GONE, Fetched(body=b"<html>"), fewer):
        house.show(source, answer)
        needed, requests.needed = requests.needed, set()
        house.bokit.tick(Trigger.SCHEDULE)
        requests.needed = needed
        for body in house.queue.bodies:
            house.bokit.run_batch(BatchMessage.from_json(body))
        house.queue.bodies.clear()
        house.clock.move(hours=25)
    needed = requests.needed
    house.bokit.dispatch.trigger(SyncRequest(tenant=DEFAULT_TENANT, everything=True))
    requests.needed = needed
    report = house.bokit.work(read_message(house.queue.bodies.pop()))

    assert report.as_dict() == {"sources": 1, "left": 0, "stale": False}
    assert requests.needed == allowed("SyncBatchFunctionRole")
