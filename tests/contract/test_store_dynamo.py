"""What is the table's alone: requests counted, errors translated, sizes, and rows of other versions."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from moto import mock_aws

from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, ShardId
from bokit.core.model.records import RunId, Scope, SourceId, TenantId
from bokit.core.model.scheduling import Shard
from bokit.errors import InputError, StoreConflictError, StoreUnreachableError
from bokit.store.dynamo.create_table import create_table
from bokit.store.dynamo.model import ItemRow, bind_row
from bokit.store.dynamo.store import DynamoStore
from bokit.store.limits import MAX_DOCUMENT_BYTES, MAX_PACKED_BYTES
from bokit.store.protocols import Snapshot
from bokit.values import replace
from tests.support.builders import (
    DAY,
    NOW,
    a_batch_run,
    a_change,
    a_collection,
    a_head,
    a_monitor,
    a_page,
    a_record,
    a_report,
    a_schedule,
    a_source,
    a_tenant,
    a_token,
    an_answer,
    an_open_run,
)
from tests.support.emulator import REGION
from tests.support.steps import add_source, claim, lease_of


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
    """A hundred unchanged sources cost one claim, one query and one completed batch; nothing else is read or written."""
    shard = dynamo.pick_shard(100)
    sources = [dynamo.save_source(a_head(a_source(shard_id=shard)), a_schedule()) for _ in range(100)]
    found = dynamo.load_due(NOW + DAY).shards[0]
    schedules = {source.id: a_schedule(due_at=NOW + DAY) for source in sources}
    run = a_batch_run(sources=tuple(schedules))
    with counted(dynamo) as sent:
        claimed = dynamo.claim_shard(found, holder="tick", now=NOW, until=NOW + DAY)
        assert claimed is not None
        _, heads = dynamo.load_heads(shard)
        dynamo.complete_batch(shard, fence=claimed.fence, schedules=schedules, next_due=NOW + DAY, run=run)

    assert sent == {"UpdateItem": 2, "Query": 1}
    assert len(heads) == 100
    assert dynamo.load_shards([shard])[0].schedules == schedules


def test_finding_what_is_due_is_an_index_query_and_a_batched_read(dynamo: DynamoStore) -> None:
    """The tick never scans: two requests return up to a hundred due shards."""
    for _ in range(5):
        add_source(dynamo, limit=1)
    with counted(dynamo) as sent:
        assert len(dynamo.load_due(NOW + DAY).shards) == 5

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


def test_a_known_page_is_replaced_by_one_request_and_keeps_who_read_it(dynamo: DynamoStore) -> None:
    """What is stored of its readers meanwhile stays; when it was first read counts from its new body on."""
    dynamo.save_published(a_page(hash="h", body=b"old", expires_at=NOW + timedelta(days=9)))
    known = dynamo.find_published("h")
    assert known is not None
    dynamo.touch_published("h", NOW)
    with counted(dynamo) as sent:
        dynamo.save_published(replace(known, body=b"new", expires_at=None), only_if_unchanged=True)

    found = dynamo.find_published("h")
    assert sent == {"UpdateItem": 1}
    assert found is not None
    assert (found.body, found.expires_at, found.version) == (b"new", None, 2)
    assert (found.read_at, found.first_read_at) == (NOW, None)
    with pytest.raises(StoreConflictError):
        dynamo.save_published(replace(known, body=b"late"), only_if_unchanged=True)


def test_a_known_page_that_becomes_small_leaves_no_part_behind(dynamo: DynamoStore) -> None:
    """A page in parts is looked at before it is replaced, on the same condition."""
    for size in (1_000_000, 10):
        known = dynamo.find_published("h")
        body = random.Random(size).randbytes(size)
        dynamo.save_published(a_page(hash="h", body=body, version=known.version if known else 0), only_if_unchanged=True)

    found = dynamo.find_published("h")
    pages = dynamo.client.get_paginator("scan").paginate(TableName=dynamo.table_name)
    assert found is not None
    assert (len(found.body), found.version) == (10, 2)
    assert not [item for page in pages for item in page["Items"] if "#PARTS" in item["pk"]["S"]]


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


@contextmanager
def interrupted(store: DynamoStore, operation: str, meanwhile: Callable[[], Any]) -> Iterator[None]:
    """Let *meanwhile* happen once, just before the first request of *operation*."""
    waiting = [meanwhile]

    def interrupt(model: Any, **_: Any) -> None:
        if model.name == operation and waiting:
            waiting.pop()()

    store.client.meta.events.register("before-call.dynamodb", interrupt)
    try:
        yield
    finally:
        store.client.meta.events.unregister("before-call.dynamodb", interrupt)
    assert not waiting


def test_who_tidies_late_takes_no_parts_of_the_next(dynamo: DynamoStore) -> None:
    """A run that is overtaken between its snapshot and its tidying leaves the snapshot of the next one whole."""
    source = add_source(dynamo)
    old = lease_of(dynamo, source)
    first, second = (Snapshot(content=random.Random(n).randbytes(700_000)) for n in range(2))
    kept: list[Snapshot] = []

    def overtake() -> None:
        new = dynamo.acquire_lease(source, holder="new", now=old.until, until=old.until + DAY)
        assert new is not None
        kept.append(dynamo.save_snapshot(replace(second, version=1), lease=new))
        dynamo.save_chunks(source, {"c": second.content}, lease=new)

    with interrupted(dynamo, "Query", overtake):
        dynamo.save_snapshot(first, lease=old)
    assert [dynamo.load_snapshot(source)] == kept
    assert dynamo.load_chunks(source, ["c"]) == {"c": second.content}


def test_a_page_that_is_overtaken_between_parts_and_item_is_written_again(dynamo: DynamoStore) -> None:
    """The parts of one writer are never joined with another's item, nor tidied away from under it."""
    pages = [a_page(hash="h", body=random.Random(n).randbytes(700_000)) for n in range(3)]
    dynamo.save_published(pages[0])
    for operation in ("PutItem", "Query"):
        with interrupted(dynamo, operation, lambda: dynamo.save_published(pages[1])):
            dynamo.save_published(pages[2])
        assert dynamo.find_published("h") in pages[1:]
    assert sum("#PARTS#" in key for key in keys_of(dynamo)) == 3

    with interrupted(dynamo, "Query", lambda: dynamo.delete_published("h")):
        assert dynamo.find_published("h") is None
    assert keys_of(dynamo) == []


def test_a_replaced_large_page_leaves_no_part_behind(dynamo: DynamoStore) -> None:
    """Only the parts of the page that is served are kept, and none of one that was deleted."""
    counts = []
    for size in (1_000_000, 800_000, 10, 800_000):
        dynamo.save_published(a_page(hash="h", body=random.Random(size).randbytes(size)))
        counts.append(sum("#PARTS#" in key for key in keys_of(dynamo)))
    dynamo.delete_published("h")

    assert counts == [3, 3, 0, 3]
    assert keys_of(dynamo) == []


def keys_of(store: DynamoStore) -> list[str]:
    """Return the partition of every item."""
    pages = store.client.get_paginator("scan").paginate(TableName=store.table_name)
    return [item["pk"]["S"] for page in pages for item in page["Items"]]


def test_a_removed_tenant_leaves_no_item(dynamo: DynamoStore) -> None:
    """Of tokens, pages with their parts, open runs, answers, monitors and chunks not one item is left."""
    source = add_source(dynamo)
    dynamo.save_chunks(source, {"c": random.Random(1).randbytes(700_000)}, lease=lease_of(dynamo, source))
    dynamo.save_token(a_token())
    dynamo.save_published(a_page(body=random.Random(2).randbytes(700_000)))
    dynamo.save_monitor(a_monitor())
    dynamo.save_collection(a_collection())
    answered = an_answer(body=random.Random(3).randbytes(700_000).hex())
    dynamo.open_run(an_open_run("a"), expires_at=NOW + DAY, answered=answered, now=NOW)
    assert len(keys_of(dynamo)) > 15
    dynamo.remove_tenant(DEFAULT_TENANT)

    assert sorted(keys_of(dynamo)) == [f"SHARD#{source.shard_id}", "SHARDS", "USAGE", "USAGE"]
    assert not any(dynamo.load_usage(None, NOW.date()).values())


def test_a_removal_that_dies_has_shut_the_door_first(dynamo: DynamoStore) -> None:
    """Tokens are deleted before anything else, and the removal can be repeated."""
    add_source(dynamo)
    dynamo.save_tenant(a_tenant(id=DEFAULT_TENANT))
    dynamo.save_token(token := a_token())

    def die() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), interrupted(dynamo, "TransactWriteItems", die):
        dynamo.remove_tenant(DEFAULT_TENANT)
    assert dynamo.find_token(token.hash) is None
    assert len(dynamo.load_tenants()) == len(dynamo.load_sources(DEFAULT_TENANT)) == 1
    dynamo.remove_tenant(DEFAULT_TENANT)
    assert [*dynamo.load_tenants(), *dynamo.load_tokens(DEFAULT_TENANT)] == []


def test_the_progress_of_a_run_that_was_never_opened_is_nobodys(dynamo: DynamoStore) -> None:
    """A process died before it wrote the run; the next one opens it under the same id, with other sources or the same."""
    for n, sources in enumerate((("a", "b"), ("b", "c"))):
        dead, alive = an_open_run("a", "b", run_id=RunId(f"run_{n}")), an_open_run(*sources, run_id=RunId(f"run_{n}"))

        def die() -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), interrupted(dynamo, "TransactWriteItems", die):
            dynamo.open_run(dead, expires_at=NOW + DAY, answered=None, now=NOW)
        assert dynamo.find_open_run(DEFAULT_TENANT, dead.run.run_id) is None
        assert dynamo.open_run(alive, expires_at=NOW + DAY, answered=None, now=NOW) is None
        assert dynamo.find_open_run(DEFAULT_TENANT, dead.run.run_id) == alive


def test_requests_of_one_row_are_counted(dynamo: DynamoStore) -> None:
    """A token, a small page, a report and a closed run cost what the decision's page says."""
    open_run, page = an_open_run("a", "b", "c"), a_page()
    dynamo.save_token(token := a_token())
    dynamo.save_published(page)
    dynamo.open_run(open_run, expires_at=NOW + DAY, answered=None, now=NOW)
    run, at = open_run.run.run_id, NOW + DAY
    reports = [a_report(source_id=SourceId(source)) for source in "abc"]
    asked = {
        "token": (lambda: dynamo.find_token(token.hash), {"GetItem": 1}),
        "touch": (lambda: dynamo.touch_token(token, NOW), {"UpdateItem": 1}),
        "page": (lambda: dynamo.find_published(page.hash), {"GetItem": 1}),
        "read": (lambda: dynamo.touch_published(page.hash, NOW), {"UpdateItem": 1}),
        "publish": (lambda: dynamo.save_published(page), {"GetItem": 1, "PutItem": 1}),
        "monitors": (lambda: dynamo.load_monitors([TenantId(f"t{n}") for n in range(100)]), {"BatchGetItem": 1}),
        "reports": (
            lambda: dynamo.report_sources(DEFAULT_TENANT, run, reports),
            {"GetItem": 2, "Query": 1, "UpdateItem": 1},
        ),
        "close": (lambda: dynamo.close_run(open_run.run, expires_at=at), {"TransactWriteItems": 1}),
    }
    for name, (ask, cost) in asked.items():
        with counted(dynamo) as sent:
            ask()
        assert (name, sent) == (name, cost)


def test_all_that_is_due_is_an_index_query_and_a_batched_read(dynamo: DynamoStore) -> None:
    """Monitors beside shards add no request to the tick, and each overdue run a query of its progress."""
    add_source(dynamo)
    dynamo.save_monitor(a_monitor())
    dynamo.open_run(an_open_run("a"), expires_at=NOW + DAY, answered=None, now=NOW)
    with counted(dynamo) as sent:
        due = dynamo.load_due(NOW + DAY)

    assert sent == {"Query": 2, "BatchGetItem": 1}
    assert (len(due.shards), len(due.monitors), len(due.runs)) == (1, 1, 1)


def test_large_records_are_cut_by_size_too(dynamo: DynamoStore) -> None:
    """A hundred records of 60 KB, more than one transaction takes, are all written."""
    records = [a_record(remote={"notes": "x" * 60_000}) for _ in range(100)]
    dynamo.apply_records(records, [], lease=None)

    assert len(dynamo.load_records(DEFAULT_TENANT, BOOKINGS, Scope("unit_1"))) == 100


def test_a_record_that_no_item_holds_is_bad_input(dynamo: DynamoStore) -> None:
    """A value over the limit of the store, or over that of its parts when compressed, is refused with a sentence of our own."""
    for text in ("x" * MAX_DOCUMENT_BYTES, random.Random(1).randbytes(MAX_PACKED_BYTES).hex()):
        with pytest.raises(InputError) as caught:
            dynamo.apply_records([a_record(remote={"notes": text})], [], lease=None)
        assert caught.value.stable_code == "too-large"


def test_a_row_of_a_newer_version_is_read(dynamo: DynamoStore) -> None:
    """A field that this version does not know is passed over, one that is not there reads as its default."""
    source = add_source(dynamo)
    row = bind_row(dynamo.table_name, REGION, dynamo.client.meta.endpoint_url)
    stored = row.get("T#default#CATALOG", f"SOURCE#{source.id}")
    document = json.loads(stored.doc) | {"of_tomorrow": 1}
    stored.update(actions=[ItemRow.doc.set(json.dumps(document))])

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


def test_a_missing_table_is_reported(aws: None) -> None:
    """Without its table the store says which one it looked for, and how to get it."""
    with mock_aws():
        store = DynamoStore("nowhere", region=REGION)
        for ask in (store.load_tenants, lambda: store.load_options([DEFAULT_TENANT]), lambda: store.pick_shard(1)):
            with pytest.raises(StoreUnreachableError, match=r"make up.*nowhere"):
                ask()


def test_an_endpoint_that_does_not_answer_is_reported(aws: None) -> None:
    """A dangling endpoint is an error of ours that says what to check, on reads, writes and transactions."""
    store = DynamoStore("bokit", region=REGION, endpoint_url="http://127.0.0.1:9")
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
def test_an_endpoint_that_is_not_a_url_is_reported(aws: None, url: str) -> None:
    """An invalid endpoint is an error when the store is built."""
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
