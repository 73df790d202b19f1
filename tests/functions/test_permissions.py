"""A function may do what it does, and little else. The local cloud enforces no policy, so it is shown here."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from bokit.core.runs import Trigger
from bokit.engine.messages import BatchMessage
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
    """Finding, claiming and reading options takes exactly the permissions of the tick's role."""
    house = House(queue=True, store=store)
    house.add_source("a", {"1": {"name": "x"}})
    requests = Requests(store)

    house.bokit.tick(Trigger.SCHEDULE)

    assert len(house.queue.bodies) == 1
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

    assert requests.needed == allowed("SyncBatchFunctionRole")
