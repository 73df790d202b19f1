"""What a former release stored is read equal, field by field, by every later one.

``tests/data/stored/d9eec7f`` is a table as release d9eec7f wrote it (``items.json``), and every value as that release
read it back (``values.json``). Nobody edits either: a test that fails here says that stored data is read differently.
"""

from __future__ import annotations

import json
import zlib
from datetime import timedelta
from typing import Any

import pytest

from bokit.core.ical.snapshot import pack_snapshot, unpack_snapshot
from bokit.core.model.catalog import BOOKINGS, PropertyId
from bokit.core.model.codec import write_document
from bokit.core.model.records import RecordId, RunId
from bokit.core.model.runs import Outcome
from bokit.core.model.source_memory import read_memory, write_memory
from bokit.core.occupancy.out_calendar import read_calendar
from bokit.core.tables.chunks import pack_chunk, pack_manifest, unpack_chunk, unpack_manifest
from bokit.core.tables.progress import read_table_memory, write_table_memory
from bokit.errors import UnknownIdError
from bokit.store.dynamo.model import ItemRow
from bokit.store.dynamo.store import DynamoStore
from bokit.values import replace
from tests.support.builders import a_report, a_schedule
from tests.support.former_table import (
    API,
    CALENDARS,
    GARDEN,
    ICAL,
    LOADS,
    NEVER_STORED,
    NOW,
    OTHER,
    SHARD,
    SQL,
    TENANT,
    chunk_names,
    find_differences,
    find_silent_fields,
    put_items,
    read_items,
    read_values,
    records_of,
    source_of,
)


@pytest.fixture
def stored(dynamo: DynamoStore) -> DynamoStore:
    """A table with the items of d9eec7f, as they were."""
    put_items(dynamo)
    return dynamo


# ── the claims ──


def test_what_d9eec7f_stored_is_read_equal(stored: DynamoStore) -> None:
    """Every value that d9eec7f read from its table is read equal today, field by field."""
    values = read_values()
    differences = [line for name, load in LOADS.items() for line in find_differences(values[name], load(stored), name)]

    assert differences == []
    assert LOADS.keys() == values.keys()


def test_every_stored_field_says_something(stored: DynamoStore) -> None:
    """Each field has a value other than its default somewhere: one that is no longer found could not hide behind that."""
    values, says = read_values(), dict[str, bool]()
    for name, load in LOADS.items():
        for field, has_value in find_silent_fields(values[name], load(stored)):
            says[field] = says.get(field, False) or has_value

    assert {field for field, has_value in says.items() if not has_value} == NEVER_STORED


def test_every_stored_attribute_is_known() -> None:
    """The table's model names every attribute that d9eec7f wrote: a misspelt one would be read as missing."""
    stored = {name for item in read_items() for name in item}

    assert stored <= {attribute.attr_name for attribute in ItemRow.get_attributes().values()}


def test_what_is_read_is_written_as_it_stood(stored: DynamoStore) -> None:
    """Names are written as d9eec7f wrote them, so that workers of both releases can run side by side."""
    documents = {item["doc"]["S"] for item in read_items() if "doc" in item}
    records = records_of(stored)
    found: list[Any] = [
        *stored.load_tenants(),
        *stored.load_properties(TENANT),
        *stored.load_units(TENANT),
        *stored.load_sources(TENANT),
        *stored.load_collections(TENANT),
        *stored.load_monitors([TENANT]).values(),
        *(replace(record, version=0) for record in records),
        *(replace(head, version=0, fence=0, leased_until=None) for head in stored.load_heads(SHARD)[1]),
        *(replace(change, line="") for record in records for change in stored.load_changes(TENANT, record.id).items),
    ]

    assert [value for value in found if write_document(value) not in documents] == []


def test_what_the_core_reads_it_writes_as_it_stood(stored: DynamoStore) -> None:
    """The documents that the core writes by hand inside of snapshots and records have the names that they had."""
    ical, sql = (stored.load_snapshot(source_of(stored, s)) for s in (ICAL, SQL))
    memory, chunks = unpack_snapshot(ical.content), stored.load_chunks(source_of(stored, SQL), chunk_names(stored))
    calendars = stored.load_records(TENANT, CALENDARS, GARDEN)

    assert write_memory(read_memory(ical.memory)) == ical.memory
    assert memory is not None
    assert zlib.decompress(pack_snapshot(memory)) == zlib.decompress(ical.content)
    assert write_table_memory(read_table_memory(sql.memory)) == sql.memory
    assert pack_manifest(unpack_manifest(sql.content)) == sql.content
    assert {name: pack_chunk(unpack_chunk(chunk)) for name, chunk in chunks.items()} == chunks
    assert [read_calendar(record).as_fields() for record in calendars] == [record.remote for record in calendars]


def test_a_lease_of_d9eec7f_is_honoured(stored: DynamoStore) -> None:
    """Nobody takes a source's lease before it expires; then its fence goes on from the stored one."""
    source = source_of(stored, ICAL)
    fence = stored.load_head(source).fence

    assert stored.acquire_lease(source, holder="another", now=NOW, until=NOW + timedelta(hours=1)) is None
    later = NOW + timedelta(days=1)
    lease = stored.acquire_lease(source, holder="another", now=later, until=later + timedelta(hours=1))
    assert lease is not None
    assert lease.fence == fence + 1


def test_a_claim_of_d9eec7f_is_honoured(stored: DynamoStore) -> None:
    """Nobody claims a shard before its claim expires, and its end keeps the due time that was lowered meanwhile."""
    (shard,) = stored.load_shards([SHARD])
    next_due, later = shard.next_due, NOW + timedelta(days=1)

    assert stored.claim_shard(shard, holder="another", now=NOW, until=later) is None
    stored.complete_batch(SHARD, fence=shard.fence, schedules={ICAL: a_schedule(tenant=TENANT)}, next_due=later, run=None)
    (ended,) = stored.load_shards([SHARD])
    assert (ended.next_due, ended.holder) == (next_due, None)
    assert stored.claim_shard(ended, holder="another", now=NOW, until=later) is not None


def test_an_open_run_of_d9eec7f_goes_on(stored: DynamoStore) -> None:
    """A source that was waited for reports, within the share that the run was opened with."""
    opened = stored.find_open_run(TENANT, RunId("run_08"))
    assert opened is not None
    report = a_report(source_id=API, outcome=Outcome.CHANGED)

    after = stored.report_sources(TENANT, RunId("run_08"), [report])

    assert after is not None
    assert after.pending == opened.pending - {API}
    assert report in after.run.sources


def test_stored_values_are_saved_over(stored: DynamoStore) -> None:
    """What d9eec7f stored has the version under which it is written next."""
    monitor = stored.load_monitors([TENANT])[TENANT]
    (collection,) = stored.load_collections(TENANT)
    record = stored.load_record(TENANT, BOOKINGS, RecordId("unit_garden.stay"))

    assert stored.save_monitor(monitor).version == monitor.version + 1
    assert stored.save_collection(collection).version == collection.version + 1
    assert stored.apply_records([record], [], lease=None)[0].version == record.version + 1


def test_a_full_shard_of_d9eec7f_takes_no_more(stored: DynamoStore) -> None:
    """The list of shards still counts their sources."""
    held = len(stored.load_heads(SHARD)[1])

    assert stored.pick_shard(held + 1) == SHARD
    assert stored.pick_shard(held) != SHARD


def test_nothing_is_left_of_a_removed_tenant(stored: DynamoStore) -> None:
    """All that d9eec7f stored of a tenant is found when it is removed; another's stays."""
    stored.remove_tenant(TENANT)

    items = stored.client.scan(TableName=stored.table_name)["Items"]
    assert [item for item in items if TENANT in json.dumps(item, default=repr)] == []
    assert [tenant.id for tenant in stored.load_tenants()] == [OTHER]
    with pytest.raises(UnknownIdError):
        stored.load_property(TENANT, PropertyId("prop_rosa"))
