"""What a run through the queue costs the table, beside the schedule."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.records import SourceId
from bokit.core.model.runs import Run, RunStatus, Trigger
from bokit.engine.runs.manual import SyncRequest
from bokit.store.dynamo.create_table import create_table
from bokit.store.dynamo.store import DynamoStore
from tests.support.builders import a_name
from tests.support.emulator import REGION
from tests.support.queued_work import ROW, work_off
from tests.support.rows_app import TestApp
from tests.support.table_units import TableUnits

SHARD, MANY = 100, 4
ALL = SyncRequest(tenant=DEFAULT_TENANT, trigger=Trigger.MANUAL, everything=True)


@pytest.fixture
def app(aws: None) -> Iterator[TestApp]:
    """A hundred synced sources in one shard of a table."""
    table = a_name("bokit")
    with mock_aws():
        create_table(table, region=REGION)
        made = TestApp(queue=True, store=DynamoStore(table, region=REGION), concurrency=1)
        for number in range(SHARD):
            made.add_source(f"0_{number:02d}abcdefghij", ROW)
        run_schedule(made)
        made.bokit.events.drain().check()  # of the first syncs; what is measured has none
        yield made


def run_schedule(app: TestApp) -> None:
    """Let the tick find what is due, and work it off."""
    app.clock.move(hours=3)
    app.bokit.tick()
    work_off(app.bokit, app.queue)


def add_shards(app: TestApp, count: int) -> None:
    """Add copies of the shard and its sources, item by item."""
    store = app.store
    pages = store.client.get_paginator("scan").paginate(TableName=store.table_name)
    items = [item for page in pages for item in page["Items"]]
    shard, copied = next(i["pk"]["S"].removeprefix("SHARD#") for i in items if i["sk"]["S"] == "STATE"), []
    for item in items:
        text = json.dumps(item, default=lambda packed: packed.decode("latin-1"))
        if item["pk"]["S"] == f"SHARD#{shard}" or "SOURCE#" in item["sk"]["S"]:
            copied.append(text)
    for number in range(1, count + 1):
        for text in copied:
            item = json.loads(text.replace(shard, f"{shard}{number}").replace("src_0_", f"src_{number}_"))
            item = {name: value for name, value in item.items() if not name.startswith("recent_")}
            store.client.put_item(TableName=store.table_name, Item=item)
        names = [key.replace("src_0_", f"src_{number}_") for key in app.fetcher.shelf if "src_0_" in key]
        app.fetcher.shelf |= {SourceId(name): ROW for name in names}


def trigger(app: TestApp, count: int) -> Run:
    """Sync every source by a triggered run, and return it."""
    app.bokit.queued_runs.trigger(ALL)
    work_off(app.bokit, app.queue)
    (run, *_) = [r for r in app.bokit.status.load_history(DEFAULT_TENANT).items if r.trigger is Trigger.MANUAL]
    assert (run.status, len(run.sources), run.counts["unchanged"]) == (RunStatus.SUCCEEDED, count, count)
    return run


@pytest.mark.slow
def test_a_triggered_run_of_many_costs_about_as_much_as_the_schedule(app: TestApp, record_property: Any) -> None:
    """At most ten write units more for each hundred; and four times the sources cost about four times as much."""
    units = TableUnits(app.store)
    run_schedule(app)
    schedule = units.take().writes
    trigger(app, SHARD)
    small = units.take().writes
    app.bokit.events.drain().check()
    add_shards(app, MANY - 1)
    units.take()
    run_schedule(app)
    large_schedule = units.take().writes

    trigger(app, MANY * SHARD)

    large = units.take().writes
    record_property("write_units", {SHARD: (small, schedule), MANY * SHARD: (large, large_schedule)})
    assert small <= schedule + 10, (small, schedule)
    assert large <= large_schedule + MANY * 10, (large, large_schedule)
    assert large <= 1.2 * MANY * small, (large, small)
