"""The stores of the benchmark of many feeds, and how they are filled: the table, and the store in memory.

One feed is added by the real catalog and synced by the real engine. All others are written as copies of what is stored of it
then: its head (content hash, times, terms) and its line, each with an id, a unit and an address of its own, a hundred in a
shard. So a hundred thousand are there in seconds, and none of them is new to the engine.

The store in memory lives in a process of its own, as a table does, and the engine's processes call it over a pipe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from multiprocessing import get_context
from multiprocessing.managers import BaseManager, BaseProxy
from typing import Any, Protocol, cast

from bokit.config import Settings
from bokit.core.model.catalog import DEFAULT_TENANT, ShardId, Source
from bokit.core.model.codec import write_document
from bokit.core.model.due_times import plan_next_due
from bokit.core.model.quotas import UNBOUNDED
from bokit.core.model.records import Scope, SourceId
from bokit.core.model.scheduling import Head, SourceSchedule, earliest
from bokit.engine.catalog.limits import MAX_SOURCES_PER_SHARD
from bokit.store.dynamo import keys
from bokit.store.dynamo.create_table import create_table
from bokit.store.dynamo.model import ItemRow, bind_row
from bokit.store.dynamo.shards import write_head
from bokit.store.dynamo.store import DynamoStore
from bokit.store.memory.store import MemoryStore
from bokit.store.protocols import Store
from bokit.values import replace
from bokit.wiring import build_engine

INTERVAL = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)
SLOTS = INTERVAL // MINUTE
"""Ticks over which the shards' due times are spread."""
REGION = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeds:
    """A number of feeds, as copies of one that was synced."""

    head: Head
    line: SourceSchedule
    count: int
    start: datetime
    """When the first shard was last claimed: the next ones follow within an interval."""

    def shards(self) -> Iterator[tuple[ShardId, list[tuple[Head, SourceSchedule]]]]:
        """Yield each shard with its feeds, as they are after a batch of all of them."""
        size = -(-self.count // MAX_SOURCES_PER_SHARD)
        numbers = iter(range(self.count))
        for n in range(size):
            claimed_at = self.start + n * SLOTS // size * MINUTE
            shard = ShardId(f"shard_{n + 2:06d}")  # the first is that of the feed that was really added
            yield shard, [self._copy(number, shard, claimed_at) for number in islice(numbers, MAX_SOURCES_PER_SHARD)]

    def _copy(self, number: int, shard: ShardId, claimed_at: datetime) -> tuple[Head, SourceSchedule]:
        first = self.head.source
        url = first.url.replace("first.ics", f"{number}.ics")
        ids = {"id": SourceId(f"src_{number:08d}"), "scope": Scope(f"unit_{number:08d}"), "shard_id": shard}
        source = replace(first, **ids, url=url, name=f"Feed {number}", version=0)
        times = {"attempted_at": claimed_at, "succeeded_at": claimed_at}
        line = replace(self.line, **times, due_at=plan_next_due(self.line, source.id, claimed_at))
        return replace(self.head, source=source, fence=0, version=0, open_leases=0), line


class FilledStore(Protocol):
    """A store that can be filled, and opened by any process."""

    @property
    def settings(self) -> Settings: ...

    def open(self) -> Store: ...
    def fill(self, feeds: Feeds) -> None: ...


@dataclass(frozen=True)
class TableStore:
    """A table of an emulator."""

    settings: Settings

    def open(self) -> Store:
        return DynamoStore(self.settings.table_name, region=REGION, endpoint_url=self.settings.endpoint_url)

    def create(self) -> None:
        create_table(self.settings.table_name, region=REGION, endpoint_url=self.settings.endpoint_url)

    def fill(self, feeds: Feeds) -> None:
        store = DynamoStore(self.settings.table_name, region=REGION, endpoint_url=self.settings.endpoint_url)
        row = bind_row(self.settings.table_name, REGION, self.settings.endpoint_url)
        with row.batch_write() as batch:
            for shard, members in feeds.shards():
                for head, _ in members:
                    batch.save(row(*keys.head_key(head.source), doc=write_head(head), tenant=DEFAULT_TENANT, fence=1, version=1))
                    batch.save(_source_row(row, head.source))
                _write_lines(store, shard, {head.source.id: line for head, line in members})


def _write_lines(store: DynamoStore, shard: ShardId, lines: Mapping[SourceId, SourceSchedule]) -> None:
    """Make a shard, and write the lines of its feeds as a batch does at its end."""
    store._make_shard(shard)
    due = earliest(*(line.due_at for line in lines.values()))
    store.complete_batch(shard, fence=0, schedules=lines, next_due=due, run=None)


def _source_row(row: type[ItemRow], source: Source) -> ItemRow:
    return row(*keys.catalog_key(source.tenant, "SOURCE", source.id), doc=write_document(source), version=1)


class LoadedStore(MemoryStore):
    """The store in memory, with a way to fill it where it is."""

    def fill(self, feeds: Feeds) -> None:
        """Write every feed, as the catalog does."""
        for _, members in feeds.shards():
            for head, line in members:
                self.save_source(head, line)


class StoreManager(BaseManager):
    """Runs the store in memory in a process of its own."""


StoreManager.register("LoadedStore", LoadedStore, exposed=[name for name in dir(LoadedStore) if not name.startswith("_")])


class ServedStore:
    """The store in memory as another process calls it: every method of it, by its name."""

    def __init__(self, proxy: BaseProxy) -> None:
        self._proxy, self.quotas = proxy, UNBOUNDED

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            return self._proxy._callmethod(name, tuple(list(a) if isinstance(a, Iterator) else a for a in args), named)

        return call


@dataclass(frozen=True)
class MemoryServer:
    """The store in memory of a manager's process."""

    settings: Settings
    proxy: BaseProxy

    def open(self) -> Store:
        return cast("Store", ServedStore(self.proxy))

    def fill(self, feeds: Feeds) -> None:
        self.proxy._callmethod("fill", (feeds,))


def open_manager() -> StoreManager:
    """Return a manager whose process has been started."""
    manager = StoreManager(ctx=get_context("spawn"))
    manager.start()
    return manager


def sync_first(store: FilledStore, feed_url: str, now: datetime) -> tuple[Head, SourceSchedule]:
    """Add one feed and sync it, by the real services; return what is stored of it, and pause it."""
    bokit = build_engine(store.settings, store=store.open(), clock=lambda: now)
    home = bokit.catalog.add_property(DEFAULT_TENANT, {"name": "Bench", "timezone": "Europe/Rome"})
    unit = bokit.catalog.add_unit(DEFAULT_TENANT, home.id, {"name": "First"})
    values = {"name": "Airbnb", "url": f"{feed_url}/first.ics", "interval": int(INTERVAL.total_seconds())}
    source = bokit.catalog.sources.add(DEFAULT_TENANT, unit.id, values)
    bokit.tick()
    shard, (head,) = bokit.store.load_heads(source.shard_id)
    if head.content_hash is None or head.failure:
        raise RuntimeError("the first feed was not synced")
    bokit.catalog.sources.edit(DEFAULT_TENANT, source.id, {"enabled": False})
    return head, shard.schedules[source.id]
