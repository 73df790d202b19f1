"""What a slow sync reads and writes together: the same as one after the other, in fewer requests."""

from __future__ import annotations

import random

import pytest

from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, PropertyId, UnitId
from bokit.core.model.quotas import QuotaName, QuotaOwner, Quotas
from bokit.core.model.records import CollectionName, Scope
from bokit.errors import QuotaError, StaleFenceError, StoreConflictError
from bokit.store.dynamo.store import DynamoStore
from bokit.store.protocols import DayWrites, Snapshot, Store
from bokit.values import replace
from tests.support.builders import NOW, a_change, a_property, a_record, a_unit
from tests.support.steps import OTHER, add_source, lease_of

UNIT, TODAY = Scope("unit_1"), NOW.date()
CONTENT = {size: random.Random(size).randbytes(size) for size in (3, 900_000)}


@pytest.mark.parametrize("size", CONTENT)
@pytest.mark.parametrize("count", [1, 97, 120])
def test_records_and_a_snapshot_are_both_saved(shared_store: Store, count: int, size: int) -> None:
    """Whether they fit one transaction or not."""
    source = add_source(shared_store)
    lease = lease_of(shared_store, source)
    records = [a_record(id=f"{UNIT}.{n:03d}") for n in range(count)]
    before = shared_store.save_snapshot(Snapshot(content=b"before"), lease=lease)

    shared_store.apply_records(records, [], lease=lease, snapshot=replace(before, content=CONTENT[size], memory={"a": 1}))

    assert shared_store.load_snapshot(source) == Snapshot(content=CONTENT[size], memory={"a": 1}, version=2)
    assert len(shared_store.load_records(DEFAULT_TENANT, BOOKINGS, UNIT)) == count


def test_a_small_snapshot_that_was_replaced_leaves_its_records_unwritten(store: Store) -> None:
    """They are in one transaction: both, or none."""
    source = add_source(store)
    lease = lease_of(store, source)
    kept = store.save_snapshot(Snapshot(content=b"kept"), lease=lease)

    with pytest.raises(StoreConflictError):
        store.apply_records([a_record()], [], lease=lease, snapshot=Snapshot(content=b"stale"))

    assert store.load_snapshot(source) == kept
    assert not store.load_records(DEFAULT_TENANT, BOOKINGS, UNIT)


def test_a_lease_that_was_taken_over_writes_neither(store: Store) -> None:
    """The fence is checked in the same transaction."""
    source = add_source(store)
    stale = replace(lease_of(store, source), fence=0)

    with pytest.raises(StaleFenceError):
        store.apply_records([a_record()], [], lease=stale, snapshot=Snapshot(content=b"stale"))

    assert store.load_snapshot(source) == Snapshot()
    assert not store.load_records(DEFAULT_TENANT, BOOKINGS, UNIT)


def test_parts_of_a_large_snapshot_go_when_a_small_one_replaces_it_with_records(dynamo: DynamoStore) -> None:
    """As when it is saved alone."""
    source = add_source(dynamo)
    lease = lease_of(dynamo, source)
    large = dynamo.save_snapshot(Snapshot(content=CONTENT[900_000]), lease=lease)

    dynamo.apply_records([a_record()], [], lease=lease, snapshot=replace(large, content=b"small"))

    items = dynamo.client.scan(TableName=dynamo.table_name, ProjectionExpression="pk")["Items"]
    assert not [item for item in items if "#PARTS#" in item["pk"]["S"]]
    assert dynamo.load_snapshot(source).content == b"small"


def test_records_and_a_small_snapshot_are_one_transaction(dynamo: DynamoStore) -> None:
    """Counted at the client."""
    source = add_source(dynamo)
    record, lease, sent = a_record(), lease_of(dynamo, source), []
    count = "before-call.dynamodb.TransactWriteItems"
    dynamo.client.meta.events.register(count, lambda model, **_: sent.append(model.name), unique_id="counted")

    dynamo.apply_records([record], [a_change(record)], lease=lease, snapshot=Snapshot(content=b"small"))
    dynamo.client.meta.events.unregister(count, unique_id="counted")

    assert len(sent) == 1


def test_writes_are_counted_before_anything_is_written(store: Store) -> None:
    """Records and changes; over the quota neither is there, and forced ones are written nevertheless."""
    before, store.quotas = store.quotas, Quotas(limits={(QuotaOwner.TENANT, QuotaName.WRITES): 1})  # type: ignore[misc]
    record = a_record()
    try:
        with pytest.raises(QuotaError):
            store.apply_records([record], [a_change(record)], lease=None, writes=DayWrites(day=TODAY))
        assert not store.load_records(DEFAULT_TENANT, BOOKINGS, UNIT)
        store.apply_records([record], [a_change(record)], lease=None, writes=DayWrites(day=TODAY, forced=True))
    finally:
        store.quotas = before  # type: ignore[misc]

    assert store.load_usage(DEFAULT_TENANT, TODAY)[QuotaName.WRITES] == 2


def test_places_are_what_each_of_the_three_reads_says(store: Store) -> None:
    """Units, properties and options of this tenant alone, in their order, whatever else its catalog has."""
    add_source(store)
    for tenant in (DEFAULT_TENANT, OTHER):
        for name in ("b", "a#c", "ü"):
            store.save_property(a_property(id=PropertyId(f"prop_{name}"), tenant=tenant))
            store.save_unit(a_unit(id=UnitId(f"unit_{name}"), tenant=tenant))
    store.save_option(DEFAULT_TENANT, "timezone", "Europe/Rome")

    for tenant in (DEFAULT_TENANT, OTHER):
        found = store.load_places(tenant)
        assert list(found.units) == list(store.load_units(tenant))
        assert list(found.properties) == list(store.load_properties(tenant))
        assert found.options == store.load_options([tenant]).get(tenant, {})
    assert len(store.load_places(OTHER).units) == 3


def test_scopes_are_what_each_read_of_one_says(store: Store) -> None:
    """By collection, in the order of the scopes."""
    names, scopes = [BOOKINGS, CollectionName("conflicts")], [Scope("unit_2"), UNIT]
    records = [
        a_record(id=f"{scope}.{name}{n}", scope=scope, collection=name) for name in names for scope in scopes for n in (2, 1)
    ]
    store.apply_records(records, [], lease=None)

    found = store.load_scopes(DEFAULT_TENANT, names, scopes)

    assert found == {name: [r for s in scopes for r in store.load_records(DEFAULT_TENANT, name, s)] for name in names}
    assert [len(found[name]) for name in names] == [4, 4]
