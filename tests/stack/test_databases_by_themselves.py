"""The deployed stack reads a database: schedule, queue, the worker that passes it on, the worker that reads it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT, Source, Tenant
from bokit.core.model.records import CollectionName, Scope, SourceId
from bokit.core.model.runs import Trigger
from bokit.core.model.scheduling import Head, SourceSchedule
from tests.support.builders import a_name
from tests.support.deployed import Deployed, wait_until
from tests.support.sql_app import SqliteFile

pytestmark = [pytest.mark.stack, pytest.mark.slow]


def add_database(deployed: Deployed, url: str) -> Source:
    """Write a source with a table of clients, due now."""
    store = deployed.store
    store.save_tenant(Tenant(id=DEFAULT_TENANT, name="Tests", created_at=datetime.now(UTC)))
    store.save_option(DEFAULT_TENANT, "install.complete", True)
    source = Source(
        id=SourceId(a_name("src")),
        tenant=DEFAULT_TENANT,
        name="Billing",
        kind="sql",
        url=url,
        scope=Scope("clients"),
        collection=CollectionName("clients"),
        shard_id=store.pick_shard(1, "sql"),
        interval=timedelta(minutes=5),
        settings={"tables": [{"table": "clients", "collection": "clients", "key": ["id"]}]},
    )
    return store.save_source(
        Head(source=source), SourceSchedule(tenant=DEFAULT_TENANT, due_at=datetime.now(UTC), interval=timedelta(minutes=5))
    )


def test_the_schedule_syncs_a_database_by_itself(deployed, tmp_path):
    """A database that is due is read by the deployed schedule, and its run is in the history."""
    file = SqliteFile(tmp_path)
    file.run("CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT)")
    file.run("INSERT INTO clients VALUES (?, ?)", rows=[(n, f"Client {n}") for n in range(250)])
    source = add_database(deployed, file.url)

    def records() -> list[object]:
        return list(deployed.store.load_records(DEFAULT_TENANT, CollectionName("clients"), Scope("clients")))

    wait_until(lambda: len(records()) == 250, 240)
    wait_until(lambda: deployed.store.load_shards([source.shard_id])[0].schedules[source.id].succeeded_at, 60)
    runs = [r for r in deployed.store.load_runs(DEFAULT_TENANT).items if source.id in {s.source_id for s in r.sources}]

    assert [(r.trigger, r.counts["created"]) for r in runs] == [(Trigger.SCHEDULE, 250)]
    assert deployed.count("SqlQueueUrl") == deployed.count("SqlDeadLettersUrl") == 0
