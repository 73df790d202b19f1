"""The schema number of a table, on every store; and that an older release writes nothing to a newer table."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT, ShardId
from bokit.errors import StoreUnreachableError
from bokit.store.dynamo.store import DynamoStore
from bokit.store.protocols import Store
from bokit.store.schema import SCHEMA
from tests.support.builders import NOW, a_property, a_tenant

KEY = {"pk": {"S": "SCHEMA"}, "sk": {"S": "SCHEMA"}}

WRITES: dict[str, Callable[[Store], object]] = {
    "put": lambda store: store.save_tenant(a_tenant()),
    "transaction": lambda store: store.save_property(a_property(version=0), at=NOW),
    "update": lambda store: store.count_writes(DEFAULT_TENANT, NOW.date(), 1),
    "delete": lambda store: store.delete_monitor(DEFAULT_TENANT),
    "number": lambda store: store.raise_schema(),
    "touch": lambda store: store.touch_published("0" * 64, NOW),
}


def reopen(store: DynamoStore) -> DynamoStore:
    """Return the store as another process opens it."""
    return DynamoStore(store.table_name, region="us-east-1", endpoint_url=store.client.meta.endpoint_url)


def count_calls(store: DynamoStore) -> list[str]:
    """Return a list to which each call of the store adds its name."""
    calls: list[str] = []
    store.client.meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))
    return calls


@pytest.fixture
def newer(dynamo: DynamoStore) -> DynamoStore:
    """A table to which the next release has written, as another process opens it."""
    dynamo.client.put_item(TableName=dynamo.table_name, Item={**KEY, "schema": {"N": str(SCHEMA + 1)}})
    return reopen(dynamo)


def test_the_number_is_stored_where_there_is_none(store):
    """The first release to come stores its own; a second time changes nothing."""
    fresh = reopen(store) if isinstance(store, DynamoStore) else store
    assert fresh.load_schema() is None

    fresh.raise_schema()
    fresh.raise_schema()

    assert (fresh.load_schema(), SCHEMA) == (SCHEMA, 1)
    if isinstance(fresh, DynamoStore):
        assert reopen(fresh).load_schema() == SCHEMA


@pytest.mark.parametrize("name", WRITES)
def test_nothing_is_written_to_a_newer_table(newer, name):
    """Every kind of write is refused, and says what to do; the table stays as it is."""
    before = newer.client.scan(TableName=newer.table_name)["Items"]

    with pytest.raises(StoreUnreachableError, match="upgrade Bokit") as caught:
        WRITES[name](newer)

    assert (caught.value.stable_code, caught.value.facts) == ("newer-schema", {"schema": SCHEMA + 1, "known": SCHEMA})
    assert newer.client.scan(TableName=newer.table_name)["Items"] == before


def test_a_newer_table_is_still_read(newer):
    """Reading breaks nothing."""
    assert (newer.load_tenants(), newer.load_shards([ShardId("shard_1")])) == ([], [])


def test_a_process_reads_the_number_once(dynamo):
    """The first write costs one read more, and the second none; a process that only reads does not ask."""
    reopen(dynamo).raise_schema()
    fresh = reopen(dynamo)
    calls = count_calls(fresh)

    fresh.load_tenants()
    assert calls == ["Query"]
    for _ in range(3):
        fresh.delete_monitor(DEFAULT_TENANT)
        fresh.raise_schema()
    assert calls == ["Query", "GetItem", *["DeleteItem"] * 3]


def test_two_first_processes_store_one_number(dynamo):
    """The one that comes second finds it, and does not fail."""
    first, second = reopen(dynamo), reopen(dynamo)
    assert first.load_schema() is second.load_schema() is None

    first.raise_schema()
    second.raise_schema()

    assert first.load_schema() == second.load_schema() == SCHEMA
