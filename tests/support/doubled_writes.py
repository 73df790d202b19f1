"""Each write of a scenario sent twice, one at a time, as botocore does where the first answer is lost."""

from __future__ import annotations

from typing import Any

from bokit.core.model.records import SourceId
from bokit.store.dynamo.store import DynamoStore
from bokit.store.protocols import Store
from tests.support.damage import Damage
from tests.support.emulator import empty_table
from tests.support.faulty_calls import doubling_write
from tests.support.steps import add_source
from tests.support.store_writes import Write

MAY_COUNT_TWICE = {"uses": "how often an endpoint was woken", "fence": "a fence only rises"}
"""Of an endpoint, and compared for equality with what was read alone: twice is as good as once."""


def prepare(store: Store) -> None:
    """Save a source, which the writes are about."""
    add_source(store, id=SourceId("src_1"))


def stored(store: DynamoStore) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the whole table without what a request leaves there of itself."""
    found = {}
    for item in store.client.scan(TableName=store.table_name, ConsistentRead=True)["Items"]:
        key = item["pk"]["S"], item["sk"]["S"]
        left_out = {"nonce", *(MAY_COUNT_TWICE if "ENDPOINT" in f"{key}" else ())}
        found[key] = {name: value for name, value in item.items() if name not in left_out}
    return found


def double_writes(store: DynamoStore, write: Write, *, step: int = 1) -> Damage:
    """Send the first write twice, then each *step*-th after it; a trial whose outcome or table differs is traced."""
    expected, writes, _ = play(store, write, 0)
    damage = Damage()
    for at in range(1, len(writes) + 1, step):
        found, sent, twice = play(store, write, at)
        assert twice == 1, f"nothing was sent twice at {at}"
        damage += Damage(tried=1, doubled=int(found != expected)).at(f"{write.__name__}: write {at}, {sent[at - 1]}")
    return damage


def play(store: DynamoStore, write: Write, at: int) -> tuple[Any, list[str], int]:
    """Return the outcome with the whole table, the operations that wrote, and how many of them were sent twice."""
    prepare(empty_table(store))
    store._table.remember_schema(None)  # it was of the table before
    with doubling_write(store.client, at) as session:
        outcome = write(store)
    return (outcome, stored(store)), session.writes, session.doubled
