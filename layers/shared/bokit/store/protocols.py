"""What the engine asks of a store. Both stores, the table and the memory, pass one contract suite.

Times are aware and UTC. A store never reads a clock: every time is handed in. Library errors become StoreConflictError,
StaleFenceError, UnknownIdError or StoreUnreachableError at the adapter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from bokit.core.model.access import Token, TokenId
from bokit.core.model.catalog import Collection, Property, PropertyId, ShardId, Source, Tenant, Unit, UnitId
from bokit.core.model.monitor import Monitor
from bokit.core.model.records import (
    CollectionName,
    Fields,
    Json,
    LoggedChange,
    Record,
    RecordId,
    RunId,
    Scope,
    SourceId,
    TenantId,
)
from bokit.core.model.runs import Answered, OpenRun, Run, SourceReport
from bokit.core.model.scheduling import Head, HeartbeatRun, Lease, Shard, SourceSchedule

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A part of a list, and where the next part begins (None: this was the last)."""

    items: tuple[T, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What the tick has to look after now."""

    shards: tuple[Shard, ...] = ()
    monitors: tuple[Monitor, ...] = ()
    runs: tuple[OpenRun, ...] = ()
    """Open runs that are overdue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One document under a secret path, as it is served."""

    hash: str
    """SHA-256 of the path's token."""
    tenant: TenantId
    id: str
    """What it is made from: an outgoing calendar's id."""
    body: bytes
    content_type: str
    etag: str
    changed_at: datetime
    """Last-Modified: when *body* last became another."""
    expires_at: datetime | None = None
    """A rotated path's last moment; None: it is current."""
    refresh_at: datetime | None = None
    """When time alone makes another of it."""
    version: int = field(default=0, compare=False)
    """The store's; the condition of a write that asks for one. 0: not stored yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The source's agreed state: the last accepted content, read, and what the rules remember."""

    content: bytes = b""
    memory: Fields = field(default_factory=dict)
    version: int = 0


class CatalogStore(Protocol):
    """Tenants, properties, units, sources and options."""

    def load_tenants(self) -> Sequence[Tenant]: ...
    def save_tenant(self, tenant: Tenant) -> None:
        """Write it; one that is there is replaced."""
        ...

    def remove_tenant(self, tenant: TenantId) -> None:
        """Forget the tenant; its data must be gone or unreachable through every other method."""
        ...

    def load_properties(self, tenant: TenantId) -> Sequence[Property]: ...
    def load_units(self, tenant: TenantId) -> Sequence[Unit]: ...
    def load_sources(self, tenant: TenantId) -> Sequence[Source]:
        """Every source of the tenant, removed ones included, in the order of their ids."""
        ...

    def load_property(self, tenant: TenantId, id: PropertyId) -> Property:
        """Raises UnknownIdError."""
        ...

    def load_unit(self, tenant: TenantId, id: UnitId) -> Unit: ...
    def load_source(self, tenant: TenantId, id: SourceId) -> Source: ...
    def save_property(self, property: Property) -> Property:
        """Write it if its version is the stored one (0: new); raises StoreConflictError. Returns it with its new version."""
        ...

    def save_unit(self, unit: Unit) -> Unit: ...
    def save_source(self, head: Head, schedule: SourceSchedule) -> Source:
        """Write ``head.source``, its head and its shard's line for it in one transaction (the source's version as the
        condition). The head's fence and version go on from the stored ones. Lowers the shard's next_due where needed.
        """
        ...

    def delete_property(self, tenant: TenantId, id: PropertyId) -> None: ...
    def delete_unit(self, tenant: TenantId, id: UnitId) -> None: ...
    def load_collections(self, tenant: TenantId) -> Sequence[Collection]:
        """Every collection that the tenant declared, by name."""
        ...

    def save_collection(self, collection: Collection) -> Collection:
        """Write it if its version is the stored one (0: new); raises StoreConflictError. Returns it with its new version."""
        ...

    def delete_collection(self, tenant: TenantId, name: CollectionName) -> None: ...
    def pick_shard(self, limit: int, lane: str = "shard") -> ShardId:
        """Return a shard of this *lane* with room for one more of *limit* sources, made where there is none.

        A shard's id begins with its lane: what is claimed together is synced by one kind of worker.
        """
        ...

    def load_options(self, tenants: Iterable[TenantId]) -> Mapping[TenantId, Mapping[str, Json]]:
        """The options that are set, by tenant, in one batched read; no entry where nothing is set."""
        ...

    def save_option(self, tenant: TenantId, name: str, value: Json | None) -> None:
        """Set one option; None unsets it."""
        ...


class ScheduleStore(Protocol):
    """Heads, shards, claims and leases: all that an unchanged sync touches."""

    def load_due(self, now: datetime, limit: int = 100) -> Due:
        """Shards, monitors and open runs whose time is not after *now*, earliest first, by one index query; never a scan."""
        ...

    def load_due_shards(self, now: datetime, limit: int = 100) -> Sequence[Shard]:
        """The shards of :meth:`load_due`."""
        ...

    def load_shards(self, ids: Iterable[ShardId]) -> Sequence[Shard]: ...
    def claim_shard(self, shard: Shard, *, holder: str, now: datetime, until: datetime) -> Shard | None:
        """Claim *shard* as it was read: None where its fence has moved on, or another holds it beyond *now*."""
        ...

    def load_heads(self, shard: ShardId) -> tuple[Shard, Sequence[Head]]:
        """The shard and its sources' heads, in one query."""
        ...

    def load_head(self, source: Source) -> Head: ...
    def complete_batch(
        self,
        shard: ShardId,
        *,
        fence: int,
        beats: Mapping[SourceId, SourceSchedule],
        next_due: datetime | None,
        run: HeartbeatRun | None,
    ) -> None:
        """End a claim: write the lines of the batch, the next due time, and the run where nothing changed.

        Raises StaleFenceError where the claim was taken over.
        """
        ...

    def save_source_schedule(self, shard: ShardId, source_id: SourceId, schedule: SourceSchedule) -> None:
        """Write one line outside a claim (a manual run, a pause), lowering next_due where it is earlier."""
        ...

    def take_lease(self, source: Source, *, holder: str, now: datetime, until: datetime) -> Lease | None:
        """Take the source's lease if it is free, expired or ours; None where another holds it. Raises the fence."""
        ...

    def release_lease(self, lease: Lease) -> None:
        """Give it back; nothing happens where it is ours no longer."""
        ...


class RecordStore(Protocol):
    """Records, their change logs, and the agreed state of their source."""

    def load_records(self, tenant: TenantId, collection: CollectionName, scope: Scope) -> Sequence[Record]:
        """Every record of the scope, gone ones included, strongly consistent, in the order of their ids."""
        ...

    def load_record(self, tenant: TenantId, collection: CollectionName, id: RecordId) -> Record:
        """Raises UnknownIdError. The id tells its scope to the store's codec."""
        ...

    def find_records(self, tenant: TenantId, collection: CollectionName, ids: Iterable[RecordId]) -> Mapping[RecordId, Record]:
        """Those of the records that are there, strongly consistent, a hundred in one batched read."""
        ...

    def load_snapshot(self, source: Source) -> Snapshot: ...
    def apply_records(
        self, records: Sequence[Record], changes: Sequence[LoggedChange], *, lease: Lease | None
    ) -> Sequence[Record]:
        """Write *records* (each conditional on its version) with their changes, in transactions of at most 99 actions
        and the check of *lease*. A record and its changes are in one transaction. Without a lease (a person's edit)
        the versions alone decide. Raises StaleFenceError or StoreConflictError. Returns them with their new versions.
        """
        ...

    def save_snapshot(self, snapshot: Snapshot, *, lease: Lease) -> Snapshot: ...
    def load_chunks(self, source: Source, names: Iterable[str]) -> Mapping[str, bytes]:
        """The named chunks of the source's agreed state that are there: what is too much for one snapshot, in key ranges."""
        ...

    def save_chunks(self, source: Source, chunks: Mapping[str, bytes | None], *, lease: Lease) -> None:
        """Write chunks of any size (None: forget it), each whole or not at all; raises StaleFenceError."""
        ...

    def save_head(self, head: Head, *, lease: Lease) -> None:
        """Write what a slow sync learned, last of all, if the fence is still ours; the lease is given back with it."""
        ...

    def load_changes(self, tenant: TenantId, id: RecordId, *, limit: int = 100, cursor: str | None = None) -> Page[LoggedChange]:
        """Newest first."""
        ...


class MonitorStore(Protocol):
    """The tenants' monitors: at most one each."""

    def load_monitors(self, tenants: Iterable[TenantId]) -> Mapping[TenantId, Monitor]:
        """The monitors that run, by tenant, in one batched read."""
        ...

    def save_monitor(self, monitor: Monitor) -> Monitor:
        """Write it if its version is the stored one (0: none runs); raises StoreConflictError. Returns it with its new one."""
        ...

    def delete_monitor(self, tenant: TenantId) -> None:
        """Stop it at once; nothing happens where none runs."""
        ...


class AccessStore(Protocol):
    """Tokens, found by the hash of what a request carries."""

    def save_token(self, token: Token) -> None:
        """Write a new token, under its tenant and under its hash, in one transaction; raises StoreConflictError."""
        ...

    def find_token(self, hash: str) -> Token | None:
        """The token of this hash, in one read; None: there is none. It may be expired or revoked."""
        ...

    def load_token(self, tenant: TenantId, id: TokenId) -> Token:
        """Raises UnknownIdError."""
        ...

    def load_tokens(self, tenant: TenantId) -> Sequence[Token]:
        """Every token of the tenant, revoked ones included, oldest first."""
        ...

    def touch_token(self, token: Token, at: datetime) -> None:
        """Note its last use; nothing happens where it is gone or revoked meanwhile."""
        ...

    def rename_token(self, tenant: TenantId, id: TokenId, name: str) -> Token:
        """Give it another name, and touch nothing else of it; raises UnknownIdError."""
        ...

    def revoke_token(self, tenant: TenantId, id: TokenId, at: datetime) -> Token:
        """Make it worthless from now on; raises UnknownIdError. A second time changes nothing."""
        ...


class PublishedStore(Protocol):
    """What anybody may read who knows a secret path: outgoing calendars, made when something changes, served in one read."""

    def save_published(self, page: Published, *, only_if_unmoved: bool = False) -> None:
        """Write it whole, replacing what stood under its hash; *only_if_unmoved*: if its version is the stored one, else
        StoreConflictError is raised: then what the page was made from may be older than what is there.
        """
        ...

    def find_published(self, hash: str) -> Published | None:
        """The page under this hash, in one read (large ones take more); None: there is none. It may be expired."""
        ...

    def delete_published(self, hash: str) -> None:
        """Forget it; nothing happens where there is none."""
        ...


class RunStore(Protocol):
    """The history of runs."""

    def open_run(self, open: OpenRun, *, expires_at: datetime, answered: Answered | None, now: datetime) -> Answered | None:
        """Write a queued run and the answer to its Idempotency-Key in one transaction.

        Returns None where that was done, or the first answer where the key is taken and not expired at *now*: then
        nothing was written. A run of the same id raises StoreConflictError; one that waits for more than a thousand
        sources raises InputError ``too-large``. Until it ends, the history shows it with the reports so far.
        """
        ...

    def save_answer(self, tenant: TenantId, answered: Answered, now: datetime) -> Answered | None:
        """Keep the answer to an Idempotency-Key that opens no run (a dry one); returns the first answer where there is one."""
        ...

    def find_answer(self, tenant: TenantId, key: str, now: datetime) -> Answered | None:
        """The first answer under this key, unless it is expired at *now*."""
        ...

    def find_open_run(self, tenant: TenantId, id: RunId) -> OpenRun | None:
        """The run while it is open, strongly consistent; None: it has ended, or there is none."""
        ...

    def report_sources(self, tenant: TenantId, id: RunId, reports: Sequence[SourceReport]) -> OpenRun | None:
        """Take the reports of those sources that are pending, and let them wait no longer; the run is RUNNING from then on.

        Each source's report counts once, whoever brings it; the run has them in the order of their sources. In a run
        of many sources a report may lose its plan, its steps and the ends of long words. Each call rewrites the run,
        so bring what is at hand in one. Returns the run as it stands then; None: it has ended.
        """
        ...

    def close_run(self, run: Run, *, expires_at: datetime) -> bool:
        """Replace an open run with *run* as it ended; False where it was not open any more (nothing is written then)."""
        ...

    def save_run(self, run: Run, *, expires_at: datetime) -> None:
        """Write it whole; a run of the same id is replaced. *expires_at* feeds the table's TTL, which only tidies."""
        ...

    def load_run(self, tenant: TenantId, id: RunId) -> Run: ...
    def load_runs(self, tenant: TenantId, *, limit: int = 50, cursor: str | None = None) -> Page[Run]:
        """Newest first; run ids sort by their start."""
        ...


class Store(CatalogStore, ScheduleStore, RecordStore, RunStore, MonitorStore, AccessStore, PublishedStore, Protocol):
    """All of it."""
