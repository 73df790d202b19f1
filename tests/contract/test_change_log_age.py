"""Change logs have an age: a line older than that goes, but the last lines of each record stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.records import Record
from bokit.store.dynamo import keys
from bokit.store.dynamo.store import DynamoStore
from bokit.store.limits import MAX_KEPT_CHANGES
from bokit.store.protocols import Store
from bokit.values import replace
from tests.support.builders import NOW, a_change, a_record

DAYS = 90


def write(store: Store, record: Record, at: datetime, lines: int = 1, days: int | None = DAYS) -> Record:
    """Write the record with so many lines."""
    changes = [a_change(record, at=at) for _ in range(lines)]
    return store.apply_records([record], changes, lease=None, kept_days=days)[0]


def write_daily(store: Store, days: int, record: Record | None = None, kept: int | None = DAYS) -> Record:
    record = a_record() if record is None else record
    for day in range(days):
        record = write(store, record, NOW + timedelta(days=day), days=kept)
    return record


def log_of(store: Store, record: Record) -> list[datetime]:
    return [line.at for line in store.load_changes(DEFAULT_TENANT, record.id, limit=1000).items]


def ends_of(store: DynamoStore, record: Record) -> list[datetime | None]:
    """Return when TTL deletes each line, oldest first."""
    found = store.client.query(
        TableName=store.table_name,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": keys.change_partition(DEFAULT_TENANT, record.id)}},
    )
    ends = [item.get("expires_at") for item in found["Items"]]
    return [datetime.fromtimestamp(int(end["N"]), UTC) if end else None for end in ends]


def test_a_line_that_is_pushed_out_ends_at_its_age(dynamo: DynamoStore) -> None:
    """Of 25 daily lines the last ten have no end; each of the others ends 90 days after it was written."""
    record = write_daily(dynamo, 25)

    assert ends_of(dynamo, record) == [
        *(NOW + timedelta(days=day + DAYS) for day in range(25 - MAX_KEPT_CHANGES)),
        *[None] * MAX_KEPT_CHANGES,
    ]


def test_without_an_age_every_line_stays(dynamo: DynamoStore) -> None:
    """A caller that names no age deletes nothing."""
    record = write_daily(dynamo, 15, kept=None)

    assert ends_of(dynamo, record) == [None] * 15


def test_bookkeeping_pushes_out_nothing(dynamo: DynamoStore) -> None:
    """Writes without a line leave the log as it is, however many they are."""
    record = write_daily(dynamo, MAX_KEPT_CHANGES)
    for _ in range(30):
        [record] = dynamo.apply_records([record], [], lease=None, kept_days=DAYS)
    write(dynamo, record, NOW + timedelta(days=300))

    assert ends_of(dynamo, record) == [NOW + timedelta(days=DAYS), *[None] * MAX_KEPT_CHANGES]


@pytest.mark.parametrize("lines", [1, 10, 12, 30])
def test_many_lines_at_once_are_all_written(store: Store, lines: int) -> None:
    """One write's own lines are all there, more than are kept without an end too."""
    record = write(store, write_daily(store, 3), NOW + timedelta(days=5), lines)

    assert len(log_of(store, record)) == 3 + lines


def test_the_memory_deletes_what_ttl_would(store: Store) -> None:
    """A line is gone from the memory once it is old and pushed out; on a table that is TTL's work, at any time after."""
    record = write_daily(store, 20)
    record = write(store, record, NOW + timedelta(days=DAYS + 4))
    log = log_of(store, record)

    first = NOW + timedelta(days=5) if not isinstance(store, DynamoStore) else NOW
    assert log[-1] == first
    assert log[0] == NOW + timedelta(days=DAYS + 4)


def test_a_quiet_record_keeps_its_last_lines(store: Store) -> None:
    """Lines of years ago stay where nothing newer came."""
    record = write_daily(store, MAX_KEPT_CHANGES - 1)
    record = write(store, record, NOW + timedelta(days=3000))

    assert len(log_of(store, record)) == MAX_KEPT_CHANGES


def test_records_of_a_former_release_keep_their_lines(dynamo: DynamoStore) -> None:
    """What was written before lines were remembered stays for ever; newer lines age as any other."""
    record = replace(write_daily(dynamo, 12), lines=())
    for day in range(100, 112):
        record = write(dynamo, record, NOW + timedelta(days=day))

    ends = ends_of(dynamo, record)
    assert [end for end in ends if end] == [NOW + timedelta(days=day + DAYS) for day in (0, 1, 100, 101)]


def test_a_line_that_somebody_deleted_does_no_harm(dynamo: DynamoStore) -> None:
    """Where a line is gone from the table, the log can be read and written on."""
    record = write_daily(dynamo, MAX_KEPT_CHANGES)
    key = keys.make_key(keys.change_partition(DEFAULT_TENANT, record.id), record.lines[0])
    dynamo.client.delete_item(TableName=dynamo.table_name, Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}})
    record = write(dynamo, record, NOW + timedelta(days=60))

    assert len(log_of(dynamo, record)) == MAX_KEPT_CHANGES
