"""The store in memory: replay, tests and `bokit feed` run on it. It passes the same contract suite as the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import RLock
from typing import Any, Protocol, TypeVar

from bokit.core.catalog import (
    BatchRun,
    Beat,
    Head,
    Lease,
    Property,
    PropertyId,
    Shard,
    ShardId,
    Source,
    Tenant,
    Unit,
    UnitId,
)
from bokit.core.records import (
    CollectionName,
    Json,
    LoggedChange,
    Record,
    RecordId,
    RunId,
    Scope,
    SourceId,
    TenantId,
    scope_of,
)
from bokit.core.runs import Run
from bokit.errors import StaleFenceError, StoreConflictError, UnknownIdError
from bokit.store.base import Page, Snapshot
from bokit.store.codec import settle_json, settle_record
from bokit.store.paging import (
    RECENT_RUNS,
    RecordWrite,
    clamp_limit,
    cut_transactions,
    earliest,
    make_cursor,
    pair_changes,
    read_cursor,
    sort_recent,
)

K = TypeVar("K")
V = TypeVar("V")


class _Versioned(Protocol):
    @property
    def version(self) -> int: ...


@dataclass(slots=True, kw_only=True)
class _ShardState:
    """A shard, and what the table keeps beside it."""

    shard: Shard
    lowered: datetime | None = None
    """The earliest due time written outside the present claim; the end of the claim must not rise above it."""
    runs: dict[int, BatchRun] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _HeadState:
    """A head, and its lease."""

    head: Head
    holder: str | None = None
    until: datetime | None = None


class MemoryStore:
    """All of ``Store`` in dictionaries behind one lock."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._tenants: dict[TenantId, Tenant] = {}
        self._properties: dict[tuple[TenantId, PropertyId], Property] = {}
        self._units: dict[tuple[TenantId, UnitId], Unit] = {}
        self._sources: dict[tuple[TenantId, SourceId], Source] = {}
        self._options: dict[TenantId, dict[str, Json]] = {}
        self._shards: dict[ShardId, _ShardState] = {}
        self._heads: dict[SourceId, _HeadState] = {}
        self._records: dict[tuple[TenantId, CollectionName, Scope], dict[RecordId, Record]] = {}
        self._changes: dict[tuple[TenantId, RecordId], list[LoggedChange]] = {}
        self._snapshots: dict[SourceId, Snapshot] = {}
        self._runs: dict[TenantId, dict[RunId, Run]] = {}

    # the catalog

    def load_tenants(self) -> Sequence[Tenant]:
        """Return every tenant, in the order of their ids."""
        with self._lock:
            return [self._tenants[id] for id in sorted(self._tenants)]

    def save_tenant(self, tenant: Tenant) -> None:
        """Write it; one that is there is replaced."""
        with self._lock:
            self._tenants[tenant.id] = tenant

    def remove_tenant(self, tenant: TenantId) -> None:
        """Forget the tenant and all that is its own."""
        with self._lock:
            for source in self.load_sources(tenant):
                self._forget_source(source)
            for rows in (self._properties, self._units, self._sources, self._records, self._changes):
                _drop_tenant(rows, tenant)
            self._options.pop(tenant, None)
            self._runs.pop(tenant, None)
            self._tenants.pop(tenant, None)

    def _forget_source(self, source: Source) -> None:
        self._heads.pop(source.id, None)
        self._snapshots.pop(source.id, None)
        if state := self._shards.get(source.shard_id):
            beats = {id: beat for id, beat in state.shard.beats.items() if id != source.id}
            state.shard = replace(state.shard, beats=beats, fence=state.shard.fence + 1)

    def load_properties(self, tenant: TenantId) -> Sequence[Property]:
        """Return the tenant's properties, in the order of their ids."""
        with self._lock:
            return _of_tenant(self._properties, tenant)

    def load_units(self, tenant: TenantId) -> Sequence[Unit]:
        """Return the tenant's units, in the order of their ids."""
        with self._lock:
            return _of_tenant(self._units, tenant)

    def load_sources(self, tenant: TenantId) -> Sequence[Source]:
        """Return the tenant's sources, removed ones included, in the order of their ids."""
        with self._lock:
            return _of_tenant(self._sources, tenant)

    def load_property(self, tenant: TenantId, id: PropertyId) -> Property:
        """Return one property; raises UnknownIdError."""
        with self._lock:
            return _find(self._properties, (tenant, id), "no such property", id)

    def load_unit(self, tenant: TenantId, id: UnitId) -> Unit:
        """Return one unit; raises UnknownIdError."""
        with self._lock:
            return _find(self._units, (tenant, id), "no such unit", id)

    def load_source(self, tenant: TenantId, id: SourceId) -> Source:
        """Return one source; raises UnknownIdError."""
        with self._lock:
            return _find(self._sources, (tenant, id), "no such source", id)

    def save_property(self, property: Property) -> Property:
        """Write it if its version is the stored one; return it with its new version."""
        with self._lock:
            version = _next_version(property, self._properties.get((property.tenant, property.id)))
            saved = self._properties[property.tenant, property.id] = replace(property, version=version)
            return saved

    def save_unit(self, unit: Unit) -> Unit:
        """Write it if its version is the stored one; return it with its new version."""
        with self._lock:
            version = _next_version(unit, self._units.get((unit.tenant, unit.id)))
            saved = self._units[unit.tenant, unit.id] = replace(unit, version=version)
            return saved

    def save_source(self, head: Head, beat: Beat) -> Source:
        """Write a source, its head and its shard's line; return the source with its new version."""
        with self._lock:
            source = head.source
            state = self._heads.get(source.id)
            if state and state.head.source.tenant != source.tenant:
                raise StoreConflictError("the id is another source's", id=source.id)
            version = _next_version(source, self._sources.get((source.tenant, source.id)))
            saved = self._sources[source.tenant, source.id] = replace(source, version=version)
            self._put_head(replace(head, source=saved))
            self._put_beat(self._shards.setdefault(source.shard_id, _new_shard(source.shard_id)), source.id, beat)
            return saved

    def _put_head(self, head: Head) -> None:
        state = self._heads.get(head.source.id)
        if state is None:
            self._heads[head.source.id] = _HeadState(head=replace(head, fence=0, version=1))
        else:
            state.head = replace(head, fence=state.head.fence, version=state.head.version + 1)

    def delete_property(self, tenant: TenantId, id: PropertyId) -> None:
        """Forget one property; nothing happens where there is none."""
        with self._lock:
            self._properties.pop((tenant, id), None)

    def delete_unit(self, tenant: TenantId, id: UnitId) -> None:
        """Forget one unit; nothing happens where there is none."""
        with self._lock:
            self._units.pop((tenant, id), None)

    def pick_shard(self, limit: int) -> ShardId:
        """Return a shard with room for one more of *limit* sources, made where there is none."""
        with self._lock:
            for id in sorted(self._shards):
                if len(self._shards[id].shard.beats) < limit:
                    return id
            made = _new_shard(ShardId(f"shard_{len(self._shards) + 1:06d}"))
            self._shards[made.shard.id] = made
            return made.shard.id

    def load_options(self, tenants: Iterable[TenantId]) -> Mapping[TenantId, Mapping[str, Json]]:
        """Return the options that are set, by tenant; no entry where nothing is set."""
        with self._lock:
            return {tenant: dict(self._options[tenant]) for tenant in tenants if self._options.get(tenant)}

    def save_option(self, tenant: TenantId, name: str, value: Json | None) -> None:
        """Set one option; None unsets it."""
        with self._lock:
            options = self._options.setdefault(tenant, {})
            if value is None:
                options.pop(name, None)
            else:
                options[name] = settle_json(value)

    # the schedule

    def load_due_shards(self, now: datetime, limit: int = 100) -> Sequence[Shard]:
        """Return the shards whose next_due is not after *now*, earliest first."""
        with self._lock:
            due = [s.shard for s in self._shards.values() if s.shard.next_due is not None and s.shard.next_due <= now]
            return sorted(due, key=lambda shard: (shard.next_due or now, shard.id))[:limit]

    def load_shards(self, ids: Iterable[ShardId]) -> Sequence[Shard]:
        """Return the shards of these ids that exist, in the order of the ids given."""
        with self._lock:
            return [self._shards[id].shard for id in dict.fromkeys(ids) if id in self._shards]

    def claim_shard(self, shard: Shard, *, holder: str, now: datetime, until: datetime) -> Shard | None:
        """Claim *shard* as it was read: None where its fence has moved on, or another holds it beyond *now*."""
        with self._lock:
            state = self._shards.get(shard.id)
            if state is None or state.shard.fence != shard.fence:
                return None
            if not _is_open(state.shard.holder, state.shard.claimed_until, holder, now):
                return None
            state.lowered = None
            state.shard = replace(state.shard, holder=holder, claimed_until=until, fence=shard.fence + 1)
            return state.shard

    def load_heads(self, shard: ShardId) -> tuple[Shard, Sequence[Head]]:
        """Return the shard and its sources' heads; raises UnknownIdError."""
        with self._lock:
            found = _find(self._shards, shard, "no such shard", shard).shard
            return found, [self._heads[id].head for id in sorted(found.beats) if id in self._heads]

    def load_head(self, source: Source) -> Head:
        """Return the source's head; raises UnknownIdError."""
        with self._lock:
            return self._find_head(source).head

    def beat_shard(
        self, shard: ShardId, *, fence: int, beats: Mapping[SourceId, Beat], next_due: datetime | None,
        run: BatchRun | None,
    ) -> None:  # fmt: skip
        """End a claim; raises StaleFenceError where it was taken over."""
        with self._lock:
            state = self._shards.get(shard)
            if state is None or state.shard.fence != fence:
                raise StaleFenceError("the shard was claimed by another", shard=shard)
            if run is not None:
                state.runs[fence % RECENT_RUNS] = run
            state.shard = replace(
                state.shard, beats={**state.shard.beats, **beats}, next_due=earliest(next_due, state.lowered),
                holder=None, claimed_until=None, recent=sort_recent(state.runs.values()),
            )  # fmt: skip
            state.lowered = None

    def save_beat(self, shard: ShardId, source_id: SourceId, beat: Beat) -> None:
        """Write one line outside a claim, lowering next_due where it is earlier."""
        with self._lock:
            self._put_beat(_find(self._shards, shard, "no such shard", shard), source_id, beat)

    def _put_beat(self, state: _ShardState, source_id: SourceId, beat: Beat) -> None:
        state.lowered = earliest(state.lowered, beat.due_at)
        next_due = earliest(state.shard.next_due, beat.due_at)
        state.shard = replace(state.shard, beats={**state.shard.beats, source_id: beat}, next_due=next_due)

    def take_lease(self, source: Source, *, holder: str, now: datetime, until: datetime) -> Lease | None:
        """Take the source's lease if it is free, expired or ours; None where another holds it."""
        with self._lock:
            state = self._find_head(source)
            if not _is_open(state.holder, state.until, holder, now):
                return None
            state.holder, state.until = holder, until
            state.head = replace(state.head, fence=state.head.fence + 1)
            return Lease(source=source, holder=holder, fence=state.head.fence, until=until)

    def release_lease(self, lease: Lease) -> None:
        """Give it back; nothing happens where it is ours no longer."""
        with self._lock:
            state = self._heads.get(lease.source.id)
            if state and state.head.fence == lease.fence and state.holder == lease.holder:
                state.holder = state.until = None

    def _find_head(self, source: Source) -> _HeadState:
        state = self._heads.get(source.id)
        if state is None or state.head.source.tenant != source.tenant:
            raise UnknownIdError("no such source", id=source.id)
        return state

    def _check(self, lease: Lease) -> _HeadState:
        state = self._heads.get(lease.source.id)
        if state is None or state.head.fence != lease.fence:
            raise StaleFenceError("the lease was taken over by another run", source_id=lease.source.id)
        return state

    # records

    def load_records(self, tenant: TenantId, collection: CollectionName, scope: Scope) -> Sequence[Record]:
        """Return every record of the scope, gone ones included, in the order of their ids."""
        with self._lock:
            return list(self._records.get((tenant, collection, scope), {}).values())

    def load_record(self, tenant: TenantId, collection: CollectionName, id: RecordId) -> Record:
        """Return one record; raises UnknownIdError."""
        with self._lock:
            return _find(self._records.get((tenant, collection, scope_of(id)), {}), id, "no such record", id)

    def load_snapshot(self, source: Source) -> Snapshot:
        """Return the source's agreed state; an empty one before the first."""
        with self._lock:
            state = self._heads.get(source.id)
            ours = state is not None and state.head.source.tenant == source.tenant
            return self._snapshots.get(source.id, Snapshot()) if ours else Snapshot()

    def apply_records(
        self, records: Sequence[Record], changes: Sequence[LoggedChange], *, lease: Lease | None
    ) -> Sequence[Record]:
        """Write *records* and *changes* under *lease*; return the records with their new versions."""
        writes = pair_changes(records, changes)
        for transaction in cut_transactions(writes):
            with self._lock:
                if lease is not None:
                    self._check(lease)
                self._write_all(transaction)
        return [write.record for write in writes]

    def _write_all(self, writes: Sequence[RecordWrite]) -> None:
        for record in (write.record for write in writes):
            stored = self._records.get((record.tenant, record.collection, record.scope), {}).get(record.id)
            if record.version - 1 != (stored.version if stored else 0):
                raise StoreConflictError("the record was changed by another", id=record.id)
        for write in writes:
            self._put_record(settle_record(write.record))
            self._changes.setdefault((write.record.tenant, write.record.id), []).extend(write.changes)

    def _put_record(self, record: Record) -> None:
        rows = self._records.setdefault((record.tenant, record.collection, record.scope), {})
        is_behind = record.id not in rows and bool(rows) and next(reversed(rows)) > record.id
        rows[record.id] = record
        if is_behind:  # a scope's dictionary stays sorted, so that loading it is a plain copy
            self._records[record.tenant, record.collection, record.scope] = dict(sorted(rows.items()))

    def save_snapshot(self, snapshot: Snapshot, *, lease: Lease) -> Snapshot:
        """Write the source's agreed state under *lease*; return it with its new version."""
        with self._lock:
            self._check(lease)
            version = _next_version(snapshot, self._snapshots.get(lease.source.id))
            saved = self._snapshots[lease.source.id] = replace(snapshot, memory=settle_json(snapshot.memory), version=version)
            return saved

    def save_head(self, head: Head, *, lease: Lease) -> None:
        """Write what a slow sync learned, and give the lease back with it."""
        with self._lock:
            state = self._check(lease)
            version = _next_version(head, state.head)
            state.head = replace(head, fence=lease.fence, version=version)
            state.holder = state.until = None

    def load_changes(self, tenant: TenantId, id: RecordId, *, limit: int = 100, cursor: str | None = None) -> Page[LoggedChange]:
        """Return a page of the record's change log, newest first."""
        with self._lock:
            lines = self._changes.get((tenant, id), [])
            rows = {f"{line.at.isoformat(timespec='microseconds')}#{n:012d}": line for n, line in enumerate(lines)}
            return _cut_page(rows, f"{tenant}#{id}", limit, cursor)

    # runs

    def save_run(self, run: Run, *, expires_at: datetime) -> None:
        """Write it whole; a run of the same id is replaced."""
        with self._lock:
            self._runs.setdefault(run.tenant, {})[run.run_id] = run

    def load_run(self, tenant: TenantId, id: RunId) -> Run:
        """Return one run; raises UnknownIdError."""
        with self._lock:
            return _find(self._runs.get(tenant, {}), id, "no such run", id)

    def load_runs(self, tenant: TenantId, *, limit: int = 50, cursor: str | None = None) -> Page[Run]:
        """Return a page of the tenant's runs, newest first."""
        with self._lock:
            return _cut_page(self._runs.get(tenant, {}), tenant, limit, cursor)


def _new_shard(id: ShardId) -> _ShardState:
    return _ShardState(shard=Shard(id=id))


def _is_open(held_by: str | None, held_until: datetime | None, holder: str, now: datetime) -> bool:
    """Whether *holder* may take what is held: it is free, expired, or already its own."""
    return held_by is None or held_by == holder or held_until is None or held_until <= now


def _next_version(given: _Versioned, stored: _Versioned | None) -> int:
    if given.version != (stored.version if stored else 0):
        raise StoreConflictError("changed by another since it was read; read it again")
    return given.version + 1


def _find(rows: Mapping[K, V], key: K, message: str, id: str) -> V:
    if (row := rows.get(key)) is None:
        raise UnknownIdError(message, id=id)
    return row


def _of_tenant(rows: Mapping[tuple[TenantId, K], V], tenant: TenantId) -> list[V]:
    return [rows[key] for key in sorted(key for key in rows if key[0] == tenant)]


def _drop_tenant(rows: MutableMapping[Any, Any], tenant: TenantId) -> None:
    for key in [key for key in rows if key[0] == tenant]:
        del rows[key]


def _cut_page(rows: Mapping[Any, V], partition: str, limit: int, cursor: str | None) -> Page[V]:
    """Return the rows behind *cursor*, the greatest key first."""
    behind = None if cursor is None else read_cursor(partition, cursor)
    keys = [key for key in sorted(rows, reverse=True) if behind is None or key < behind]
    taken = keys[: clamp_limit(limit)]
    rest = make_cursor(partition, taken[-1]) if len(keys) > len(taken) else None
    return Page(items=tuple(rows[key] for key in taken), cursor=rest)
