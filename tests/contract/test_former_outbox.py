"""What former releases put into one of sixteen partitions of the outbox is numbered all the same."""

from __future__ import annotations

from datetime import timedelta

from bokit.core.model.codec import pack, write_document
from bokit.core.model.events import EventType, NewEvent, fill_outbox
from bokit.core.model.records import TenantId
from bokit.engine.live.events import FORMER_PARTITIONS, EventLog
from tests.support.builders import NOW
from tests.support.rows_app import ManualClock


def test_what_a_former_release_left_is_numbered_within_minutes(dynamo):
    """Each tick looks into one more of their partitions; after twelve minutes nothing is left, and each event is there once."""
    tenants = [TenantId(f"t{number}") for number in FORMER_PARTITIONS]
    for number, tenant in zip(FORMER_PARTITIONS, tenants, strict=True):
        (item,) = fill_outbox(tenant, NOW, [NewEvent(type=EventType.RECORD_CHANGED, data={"id": "left"})])
        dynamo.client.put_item(
            TableName=dynamo.table_name,
            Item={
                "pk": {"S": f"OUT#{number:02d}"},
                "sk": {"S": item.sort_key},
                "packed": {"B": pack(write_document(item))},
                "tenant": {"S": tenant},
            },
        )
    clock = ManualClock(NOW + timedelta(minutes=1))
    log = EventLog(dynamo, clock)

    numbered = []
    for _ in FORMER_PARTITIONS:
        numbered.append(log.drain_left_behind(timedelta(minutes=1)).events)
        clock.move(minutes=1)

    assert numbered == [1] * len(FORMER_PARTITIONS)
    assert [dynamo.load_last_seq(tenant) for tenant in tenants] == [1] * len(tenants)
    assert [item for number in FORMER_PARTITIONS for item in dynamo.load_outbox(number)] == []
