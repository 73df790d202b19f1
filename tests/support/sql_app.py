"""A test app for SQL sources: the real engine on the memory store, with a billing database in a file of SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT, Collection, Source, Tenant
from bokit.core.model.collections import copy_collection, scopes_of
from bokit.core.model.records import CollectionName, LoggedChange, Record, Scope, SourceId
from bokit.core.model.runs import Run, SourceReport
from bokit.core.model.scheduling import Head, SourceSchedule
from bokit.core.tables.rules import TableRules
from bokit.engine.app import Bokit, EngineParts
from bokit.engine.catalog.config.file import read_config
from bokit.engine.catalog.config.importing import ImportResult, import_config, plan_import
from bokit.engine.runs.manual import SyncRequest
from bokit.engine.sync.kinds import SourceKind
from bokit.engine.tables.sync import TableSync
from bokit.outlets.memory import MemoryAlerts, MemoryQueue
from bokit.sources.sql.table import SqlReader, SqlSample
from bokit.sources.sql.url import Reach
from bokit.store.memory.store import MemoryStore
from tests.support.rows_app import START, ManualClock

CLIENTS = {"table": "clients", "collection": "clients", "key": ["id"]}


class SqlApp:
    """Bokit with one SQL source."""

    def __init__(self, url: str, store: Any = None, *, queue: bool = False) -> None:
        self.url, self.clock, self.alerts = url, ManualClock(), MemoryAlerts()
        self.store = store or MemoryStore()
        self.queue = MemoryQueue() if queue else None
        self.numbers = iter(range(1, 100_000))
        self.bokit = self.assemble()
        self.store.save_tenant(Tenant(id=DEFAULT_TENANT, name="Default", created_at=START))
        self.store.save_option(DEFAULT_TENANT, "install.complete", True)

    def assemble(self, store: Any = None) -> Bokit:
        """Return an engine on the store (or on *store*)."""
        reader = SqlReader(lambda url, tenant: url, Reach(local=True))
        kind = SourceKind(fetcher=SqlSample(reader), rules=TableRules(), tables=partial(TableSync, reader=reader))
        return Bokit(
            EngineParts(
                store=store or self.store,
                kinds={"sql": kind},
                alerts=self.alerts,
                clock=self.clock,
                queue=self.queue,
                new_run_id=lambda at: f"run_{next(self.numbers):06d}",
            )
        )

    def add_source(
        self, *tables: dict[str, Any], name: str = "Billing", collections: Sequence[Collection] = (), **settings: Any
    ) -> Source:
        """Add a source of these tables; collections that are not declared have no rules."""
        document = {**settings, "tables": list(tables), "collections": {c.name: copy_collection(c) for c in collections}}
        first = CollectionName(tables[0]["collection"])
        source = Source(
            id=SourceId(f"src_{name}"),
            tenant=DEFAULT_TENANT,
            name=name,
            kind="sql",
            url=self.url,
            collection=first,
            scope=Scope(first),
            interval=timedelta(minutes=5),
            cancel_after=timedelta(hours=24),
            settings=document,
            shard_id=self.store.pick_shard(1, "sql"),
        )
        return self.store.save_source(
            Head(source=source), SourceSchedule(tenant=DEFAULT_TENANT, due_at=START, interval=timedelta(minutes=5))
        )

    def declare(
        self, *tables: dict[str, Any], collections: Sequence[dict[str, Any]] = (), prune: bool = False, **source: Any
    ) -> ImportResult:
        """Import a config file with one SQL source of these tables; return what it did, after it was planned alike."""
        declared = {"name": "Billing", "kind": "sql", "url": self.url, "interval": 300, "tables": list(tables), **source}
        config = read_config({"collections": list(collections), "sources": [declared]})
        plan = plan_import(self.bokit.catalog, DEFAULT_TENANT, config, prune=prune)
        done = import_config(self.bokit.catalog, DEFAULT_TENANT, config, prune=prune)
        assert [d["effects"] for d in plan.changed] == [d["effects"] for d in done.changed]
        return done

    def change_settings(self, source: Source, **settings: Any) -> Source:
        """Give the source other settings."""
        from bokit.values import replace

        head = self.store.load_head(source)
        after = replace(head, source=replace(head.source, settings={**head.source.settings, **settings}))
        return self.store.save_source(after, self.schedule(source))

    def sync(self, *, advance: float = 300, **request: Any) -> Run:
        """Sync now, as a person asks, *advance* seconds later."""
        self.clock.move(seconds=advance)
        request = {"everything": True, **request}
        return self.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, **request))

    def report(self, **request: Any) -> SourceReport:
        """Sync, and return what became of the one source."""
        (report,) = self.sync(**request).sources
        return report

    def schedule(self, source: Source) -> SourceSchedule:
        return self.store.load_heads(source.shard_id)[0].schedules[source.id]

    def records(self, collection: str = "clients", buckets: int = 1) -> dict[str, Record]:
        """Return a collection's records by key."""
        scopes = scopes_of(CollectionName(collection), buckets)
        found = [r for scope in scopes for r in self.store.load_records(DEFAULT_TENANT, CollectionName(collection), scope)]
        return {record.key: record for record in found}

    def presences(self, collection: str = "clients") -> dict[str, str]:
        return {key: str(record.presence) for key, record in self.records(collection).items()}

    def changes(self, record: Record) -> list[LoggedChange]:
        return list(self.store.load_changes(DEFAULT_TENANT, record.id).items)


def shrink_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have chunks of four rows, pages of three, batches of two, a checkpoint at every second chunk."""
    for place in ("core.tables.chunks", "engine.tables.ranges"):
        monkeypatch.setattr(f"bokit.{place}.CHUNK_ROWS", 4)
    for place in ("ranges", "missing", "table"):
        monkeypatch.setattr(f"bokit.engine.tables.{place}.BATCH", 2)
    monkeypatch.setattr("bokit.engine.tables.ranges.CHECKPOINT", 2)
    monkeypatch.setattr("bokit.sources.sql.query.PAGE_ROWS", 3)


class SqliteFile:
    """A database in a file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "billing.db"
        self.url = f"sqlite:///{self.path}"
        self.run("PRAGMA journal_mode = WAL")

    def run(self, *statements: str, rows: Sequence[Sequence[Any]] = ()) -> None:
        """Run statements; with *rows*, the last of them for each."""
        made = sqlite3.connect(self.path)
        with made:
            for statement in statements[:-1] if rows else statements:
                made.execute(statement)
            if rows:
                made.executemany(statements[-1], rows)
        made.close()


class TimeBudget:
    """A time budget that shrinks by 2 s at each reading, and starts again for each worker."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.left = seconds, seconds

    def start(self) -> Callable[[], float]:
        self.left = self.seconds
        return self.read

    def read(self) -> float:
        self.left -= 2
        return self.left
