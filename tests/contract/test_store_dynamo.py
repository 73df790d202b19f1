"""What is the table's alone: requests counted, errors translated, sizes, and rows of other versions."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from moto import mock_aws

from bokit.core.catalog import BOOKINGS, DEFAULT_TENANT, Shard, ShardId
from bokit.core.records import Scope, TenantId
from bokit.errors import InputError, StoreUnreachableError
from bokit.store.base import Snapshot
from bokit.store.create_table import create_table
from bokit.store.dynamo import DynamoStore
from bokit.store.tables import Row, bind_row
from tests.builders import DAY, NOW, a_batch_run, a_beat, a_change, a_head, a_record, a_source
from tests.contract.steps import add_source, claim, lease_of
from tests.emulator import REGION


@contextmanager
def counted(store: DynamoStore) -> Iterator[Counter[str]]:
    """Count the requests that the store sends meanwhile, by operation."""
    sent: Counter[str] = Counter()

    def count(model: Any, **_: Any) -> None:
        sent[model.name] += 1

    store.client.meta.events.register("before-call.dynamodb", count)
    yield sent
    store.client.meta.events.unregister("before-call.dynamodb", count)


def test_an_unchanged_batch_is_three_requests(dynamo: DynamoStore) -> None:
    """A hundred unchanged sources cost one claim, one query and one beat; nothing else is read or written."""
    shard = dynamo.pick_shard(100)
    sources = [dynamo.save_source(a_head(a_source(shard_id=shard)), a_beat()) for _ in range(100)]
    found = dynamo.load_due_shards(NOW + DAY)[0]
    beats = {source.id: a_beat(due_at=NOW + DAY) for source in sources}
    run = a_batch_run(sources=tuple(beats))
    with counted(dynamo) as sent:
        claimed = dynamo.claim_shard(found, holder="tick", now=NOW, until=NOW + DAY)
        assert claimed is not None
        _, heads = dynamo.load_heads(shard)
        dynamo.beat_shard(shard, fence=claimed.fence, beats=beats, next_due=NOW + DAY, run=run)

    assert sent == {"UpdateItem": 2, "Query": 1}
    assert len(heads) == 100
    assert dynamo.load_shards([shard])[0].beats == beats


def test_finding_what_is_due_is_an_index_query_and_a_batched_read(dynamo: DynamoStore) -> None:
    """The tick never scans: two requests tell up to a hundred due shards."""
    for _ in range(5):
        add_source(dynamo, limit=1)
    with counted(dynamo) as sent:
        assert len(dynamo.load_due_shards(NOW + DAY)) == 5

    assert sent == {"Query": 1, "BatchGetItem": 1}


def test_options_of_many_tenants_are_one_read(dynamo: DynamoStore) -> None:
    """The options of a hundred tenants come in one batched read."""
    with counted(dynamo) as sent:
        dynamo.load_options([DEFAULT_TENANT, *(TenantId(f"t{n}") for n in range(99))])

    assert sent == {"BatchGetItem": 1}


def test_a_slow_sync_counts_its_requests(dynamo: DynamoStore) -> None:
    """Fifty changed records with their changes are two transactions; a small snapshot is one, and a look for old parts."""
    source = add_source(dynamo)
    records = [a_record() for _ in range(50)]
    with counted(dynamo) as sent:
        lease = lease_of(dynamo, source)
        dynamo.apply_records(records, [a_change(record) for record in records], lease=lease)
        dynamo.load_records(DEFAULT_TENANT, BOOKINGS, Scope("unit_1"))
        dynamo.load_snapshot(source)
        dynamo.save_snapshot(Snapshot(content=b"x" * 1000), lease=lease)
        dynamo.save_head(replace(a_head(source), version=1), lease=lease)

    assert sent == {"UpdateItem": 2, "TransactWriteItems": 3, "Query": 2, "GetItem": 1}


def test_a_replaced_large_snapshot_leaves_no_part_behind(dynamo: DynamoStore) -> None:
    """Only the parts of the present content are kept."""
    source = add_source(dynamo)
    lease = lease_of(dynamo, source)
    snapshot = Snapshot()
    counts = []
    for size in (1_000_000, 800_000, 10):
        content = random.Random(size).randbytes(size)
        snapshot = dynamo.save_snapshot(replace(snapshot, content=content), lease=lease)
        pages = dynamo.client.get_paginator("scan").paginate(TableName=dynamo.table_name)
        counts.append(sum("#PARTS#" in item["pk"]["S"] for page in pages for item in page["Items"]))

    assert counts == [3, 3, 0]


def test_large_records_are_cut_by_size_too(dynamo: DynamoStore) -> None:
    """A hundred records of 60 KB, more than one transaction takes, are all written."""
    records = [a_record(remote={"notes": "x" * 60_000}) for _ in range(100)]
    dynamo.apply_records(records, [], lease=None)

    assert len(dynamo.load_records(DEFAULT_TENANT, BOOKINGS, Scope("unit_1"))) == 100


def test_a_record_that_no_item_holds_is_bad_input(dynamo: DynamoStore) -> None:
    """A value over DynamoDB's limit is refused with a sentence, not with AWS's error."""
    with pytest.raises(InputError) as caught:
        dynamo.apply_records([a_record(remote={"notes": "x" * 450_000})], [], lease=None)
    assert caught.value.stable_code == "too-large"


def test_a_row_of_a_newer_version_is_read(dynamo: DynamoStore) -> None:
    """A field that this version does not know is passed over, one that is not there reads as its default."""
    source = add_source(dynamo)
    row = bind_row(dynamo.table_name, REGION, dynamo.client.meta.endpoint_url)
    stored = row.get("T#default#CATALOG", f"SOURCE#{source.id}")
    document = json.loads(stored.doc) | {"of_tomorrow": 1}
    stored.update(actions=[Row.doc.set(json.dumps(document))])

    assert dynamo.load_source(DEFAULT_TENANT, source.id) == source


def test_thirty_two_threads_share_one_client(dynamo: DynamoStore) -> None:
    """A cold start with many threads makes one client, not one each."""
    source = add_source(dynamo)
    fresh = DynamoStore(dynamo.table_name, region=REGION, endpoint_url=dynamo.client.meta.endpoint_url)
    client = fresh.client
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda _: fresh.load_head(source), range(64)))

    assert fresh.client is client
    assert bind_row("t", REGION, None).shared_connection() is not bind_row("t", REGION, None).shared_connection()


def test_a_missing_table_is_told(aws: None) -> None:
    """Without its table the store says which one it looked for, and how to get it."""
    with mock_aws():
        store = DynamoStore("nowhere", region=REGION)
        for ask in (store.load_tenants, lambda: store.load_options([DEFAULT_TENANT]), lambda: store.pick_shard(1)):
            with pytest.raises(StoreUnreachableError, match=r"make up.*nowhere"):
                ask()


def test_an_endpoint_that_does_not_answer_is_told(aws: None) -> None:
    """A dangling endpoint is an error of ours that says what to check, on reads, writes and transactions."""
    store = DynamoStore("t", region=REGION, endpoint_url="http://127.0.0.1:9")
    source = a_source()
    asks = [
        store.load_tenants,
        lambda: store.claim_shard(Shard(id=ShardId("s")), holder="a", now=NOW, until=DAY + NOW),
        lambda: store.apply_records([a_record()], [], lease=None),
        lambda: store.load_head(source),
    ]
    for ask in asks:
        with pytest.raises(StoreUnreachableError, match="AWS_ENDPOINT_URL"):
            ask()


@pytest.mark.parametrize("url", ["nonsense", "http://", "http://[::1"])
def test_an_endpoint_that_is_no_url_is_told(aws: None, url: str) -> None:
    """An address that cannot be one is told when the store is made."""
    with pytest.raises(StoreUnreachableError):
        DynamoStore("t", region=REGION, endpoint_url=url).load_tenants()


def test_making_the_table_twice_keeps_it(dynamo: DynamoStore) -> None:
    """The table is made where it is missing, and left alone where it is there."""
    source = add_source(dynamo)
    create_table(dynamo.table_name, region=REGION, endpoint_url=dynamo.client.meta.endpoint_url)

    assert dynamo.load_sources(DEFAULT_TENANT) == [source]


def test_the_claim_survives_on_the_table(dynamo: DynamoStore) -> None:
    """A second process sees the claim of the first."""
    source = add_source(dynamo)
    shard = claim(dynamo, source)
    other = DynamoStore(dynamo.table_name, region=REGION, endpoint_url=dynamo.client.meta.endpoint_url)

    assert other.load_shards([shard.id]) == [shard]
