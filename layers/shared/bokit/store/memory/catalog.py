"""Tenants, properties, units, sources, collections and options in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from bokit.core.model.catalog import Collection, Parent, Property, PropertyId, ShardId, Source, Tenant, Unit, UnitId
from bokit.core.model.codec import copy_json
from bokit.core.model.events import event_of_place, event_of_removal
from bokit.core.model.quotas import QuotaName
from bokit.core.model.records import Fields, Json, SourceId, TenantId
from bokit.core.model.scheduling import Head, Shard, SourceSchedule
from bokit.errors import StoreConflictError
from bokit.store.memory.state import HeadState, MemoryState, ShardState, load_all, load_one, next_version
from bokit.store.protocols import Places
from bokit.values import replace

V = TypeVar("V", Property, Unit, Source, Collection)


class MemoryCatalog(MemoryState):
    """``CatalogStore`` in memory."""

    def load_tenants(self) -> Sequence[Tenant]:
        with self._lock:
            return [tenant for _, tenant in sorted(self._tenants.items())]

    def save_tenant(self, tenant: Tenant) -> None:
        with self._lock:
            self._tenants[tenant.id] = tenant

    def remove_tenant(self, tenant: TenantId) -> None:
        with self._lock:
            for source in self.load_sources(tenant):
                self._remove_from_shard(source)
            for counted in QuotaName:
                self._count(tenant, counted, -self._used[tenant, counted])
            catalog: list[dict[Any, Any]] = [self._properties, self._units, self._sources, self._collections]
            for values in (
                *catalog,
                self._records,
                self._changes,
                self._aged,
                self._chunks,
                self._open_runs,
                self._answers,
                self._written,
                self._stale,
                self._alert_notes,
                self._webhook_failures,
                self._connections,
                self._webhooks,
                self._endpoints,
                self._deliveries,
                self._alert_channels,
                self._alert_states,
                self._unread_calendars,
            ):
                for key in [key for key in values if key[0] == tenant]:
                    del values[key]
            by_hash: list[dict[str, Any]] = [self._tokens, self._published]
            self._tickets = {digest: ticket for digest, ticket in self._tickets.items() if ticket.caller.tenant != tenant}
            for values in by_hash:
                for digest in [digest for digest, value in values.items() if value.tenant == tenant]:
                    del values[digest]
                    self._readers_due.pop(digest, None)
            self._outbox = {key: item for key, item in self._outbox.items() if item.tenant != tenant}
            by_tenant: list[dict[TenantId, Any]] = [self._options, self._runs, self._monitors, self._tenants]
            by_tenant += [self._events, self._last_seq, self._seq_stamps, self._unread]
            for own in by_tenant:
                own.pop(tenant, None)

    def _remove_from_shard(self, source: Source) -> None:
        self._heads.pop(source.id, None)
        self._snapshots.pop(source.id, None)
        if state := self._shards.get(source.shard_id):
            schedules = {other: schedule for other, schedule in state.shard.schedules.items() if other != source.id}
            state.shard = replace(state.shard, schedules=schedules, fence=state.shard.fence + 1)

    def load_places(self, tenant: TenantId) -> Places:
        with self._lock:
            options = self.load_options([tenant]).get(tenant, {})
            return Places(units=tuple(self.load_units(tenant)), properties=tuple(self.load_properties(tenant)), options=options)

    def load_properties(self, tenant: TenantId) -> Sequence[Property]:
        with self._lock:
            return load_all(self._properties, tenant)

    def load_units(self, tenant: TenantId) -> Sequence[Unit]:
        with self._lock:
            return load_all(self._units, tenant)

    def load_sources(self, tenant: TenantId) -> Sequence[Source]:
        with self._lock:
            return load_all(self._sources, tenant)

    def load_property(self, tenant: TenantId, property_id: PropertyId) -> Property:
        with self._lock:
            return load_one(self._properties, (tenant, property_id), "property", property_id)

    def load_unit(self, tenant: TenantId, unit_id: UnitId) -> Unit:
        with self._lock:
            return load_one(self._units, (tenant, unit_id), "unit", unit_id)

    def load_source(self, tenant: TenantId, source_id: SourceId) -> Source:
        with self._lock:
            return load_one(self._sources, (tenant, source_id), "source", source_id)

    def save_property(self, prop: Property, *, at: datetime | None = None) -> Property:
        return self._save(self._properties, prop.id, prop, at)

    def save_unit(self, unit: Unit, *, within: Sequence[Parent] = (), at: datetime | None = None) -> Unit:
        with self._lock:
            next_version(unit, self._units.get((unit.tenant, unit.id)))
            self._check_parents(within)
            if unit.version == 0:
                self._count(unit.tenant, QuotaName.UNITS, 1)
            self._use(within)
            return self._save(self._units, unit.id, unit, at)

    def _save(self, values: dict[Any, V], value_id: str, value: V, at: datetime | None) -> V:
        with self._lock:
            key = (value.tenant, value_id)
            saved = values[key] = replace(value, version=next_version(value, values.get(key)))
            self._put_events(value.tenant, at, event_of_place(saved))
            return saved

    def save_source(
        self,
        head: Head,
        schedule: SourceSchedule,
        *,
        within: Sequence[Parent] = (),
        at: datetime | None = None,
        is_back: bool = False,
    ) -> Source:
        with self._lock:
            source, shard = head.source, head.source.shard_id
            state = self._heads.get(source.id)
            if state and state.head.source.tenant != source.tenant:
                raise StoreConflictError("the id is another source's", id=source.id)
            stored = self._sources.get((source.tenant, source.id))
            next_version(source, stored)
            self._check_parents(within)
            was_there = stored is not None and stored.removed_at is None and not is_back
            self._count(source.tenant, QuotaName.SOURCES, (source.removed_at is None) - was_there)
            self._use(within)
            saved = self._save(self._sources, source.id, source, at)
            self._put_head(replace(head, source=saved))
            self._put_schedule(self._shards.setdefault(shard, ShardState(shard=Shard(id=shard))), source.id, schedule)
            return saved

    def _put_head(self, head: Head) -> None:
        state = self._heads.get(head.source.id)
        if state is None:
            self._heads[head.source.id] = HeadState(head=replace(head, fence=0, version=1, open_leases=0))
        else:
            kept = state.head
            state.head = replace(head, fence=kept.fence, version=kept.version + 1, open_leases=kept.open_leases)

    def delete_parent(self, parent: Parent, check_empty: Callable[[], object], *, at: datetime | None = None) -> None:
        before = self._state_of(parent)
        check_empty()
        with self._lock:
            if self._state_of(parent) != before:
                raise StoreConflictError("it was changed or used by another meanwhile; try again", id=parent.id)
            gone = self._parents_of(parent.kind).pop((parent.tenant, parent.id), None)
            if gone is not None:
                self._put_events(parent.tenant, at, event_of_removal(parent.kind, parent.id, gone.version))
            if gone is not None and parent.kind is Unit:
                self._count(parent.tenant, QuotaName.UNITS, -1)

    def _state_of(self, parent: Parent) -> tuple[Any, int]:
        """Return what must be the same after the check that nothing belongs to it."""
        with self._lock:
            return self._parents_of(parent.kind).get((parent.tenant, parent.id)), self._uses[parent]

    def load_collections(self, tenant: TenantId) -> Sequence[Collection]:
        with self._lock:
            return load_all(self._collections, tenant)

    def save_collection(
        self, collection: Collection, *, check_empty: Callable[[], object] | None = None, at: datetime | None = None
    ) -> Collection:
        copied = replace(collection, schema=copy_json(collection.schema))
        parent = Parent(Collection, collection.tenant, collection.name)
        before = self._state_of(parent)
        if check_empty:
            check_empty()
        with self._lock:
            if check_empty and self._state_of(parent) != before:
                raise StoreConflictError("it was changed or used by another meanwhile; try again", id=parent.id)
            return self._save(self._collections, collection.name, copied, at)

    def pick_shard(self, limit: int, route: str = "shard") -> ShardId:
        with self._lock:
            for shard_id, state in sorted(self._shards.items()):
                if shard_id.startswith(f"{route}_") and len(state.shard.schedules) < limit:
                    return shard_id
            created = ShardId(f"{route}_{len(self._shards) + 1:06d}")
            self._shards[created] = ShardState(shard=Shard(id=created))
            return created

    def load_options(self, tenants: Iterable[TenantId]) -> Mapping[TenantId, Fields]:
        with self._lock:
            return {tenant: dict(self._options[tenant]) for tenant in tenants if self._options.get(tenant)}

    def save_option(self, tenant: TenantId, name: str, value: Json | None) -> None:
        with self._lock:
            options = self._options.setdefault(tenant, {})
            options[name] = copy_json(value)
            if value is None:
                del options[name]
