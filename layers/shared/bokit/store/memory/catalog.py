"""Tenants, properties, units, sources, collections and options in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bokit.core.model.catalog import Collection, Property, PropertyId, ShardId, Source, Tenant, Unit, UnitId
from bokit.core.model.codec import settle_json
from bokit.core.model.records import CollectionName, Json, SourceId, TenantId
from bokit.core.model.scheduling import Head, SourceSchedule
from bokit.errors import StoreConflictError
from bokit.store.memory.state import HeadState, MemoryState, drop_tenant, find, new_shard, next_version, of_tenant


class MemoryCatalog(MemoryState):
    """``CatalogStore`` in memory."""

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
            for rows in (self._properties, self._units, self._sources, self._collections, self._records, self._changes):
                drop_tenant(rows, tenant)
            for keyed in (self._chunks, self._open, self._answers):
                drop_tenant(keyed, tenant)
            for hash in [token.hash for token in self._tokens.values() if token.tenant == tenant]:
                del self._tokens[hash]
            for hash in [page.hash for page in self._published.values() if page.tenant == tenant]:
                del self._published[hash]
            for own in (self._options, self._runs, self._monitors, self._tenants):
                own.pop(tenant, None)

    def _forget_source(self, source: Source) -> None:
        self._heads.pop(source.id, None)
        self._snapshots.pop(source.id, None)
        if state := self._shards.get(source.shard_id):
            beats = {id: schedule for id, schedule in state.shard.beats.items() if id != source.id}
            state.shard = replace(state.shard, beats=beats, fence=state.shard.fence + 1)

    def load_properties(self, tenant: TenantId) -> Sequence[Property]:
        """Return the tenant's properties, in the order of their ids."""
        with self._lock:
            return of_tenant(self._properties, tenant)

    def load_units(self, tenant: TenantId) -> Sequence[Unit]:
        """Return the tenant's units, in the order of their ids."""
        with self._lock:
            return of_tenant(self._units, tenant)

    def load_sources(self, tenant: TenantId) -> Sequence[Source]:
        """Return the tenant's sources, removed ones included, in the order of their ids."""
        with self._lock:
            return of_tenant(self._sources, tenant)

    def load_property(self, tenant: TenantId, id: PropertyId) -> Property:
        """Return one property; raises UnknownIdError."""
        with self._lock:
            return find(self._properties, (tenant, id), "no such property", id)

    def load_unit(self, tenant: TenantId, id: UnitId) -> Unit:
        """Return one unit; raises UnknownIdError."""
        with self._lock:
            return find(self._units, (tenant, id), "no such unit", id)

    def load_source(self, tenant: TenantId, id: SourceId) -> Source:
        """Return one source; raises UnknownIdError."""
        with self._lock:
            return find(self._sources, (tenant, id), "no such source", id)

    def save_property(self, property: Property) -> Property:
        """Write it if its version is the stored one; return it with its new version."""
        with self._lock:
            version = next_version(property, self._properties.get((property.tenant, property.id)))
            saved = self._properties[property.tenant, property.id] = replace(property, version=version)
            return saved

    def save_unit(self, unit: Unit) -> Unit:
        """Write it if its version is the stored one; return it with its new version."""
        with self._lock:
            version = next_version(unit, self._units.get((unit.tenant, unit.id)))
            saved = self._units[unit.tenant, unit.id] = replace(unit, version=version)
            return saved

    def save_source(self, head: Head, schedule: SourceSchedule) -> Source:
        """Write a source, its head and its shard's line; return the source with its new version."""
        with self._lock:
            source = head.source
            state = self._heads.get(source.id)
            if state and state.head.source.tenant != source.tenant:
                raise StoreConflictError("the id is another source's", id=source.id)
            version = next_version(source, self._sources.get((source.tenant, source.id)))
            saved = self._sources[source.tenant, source.id] = replace(source, version=version)
            self._put_head(replace(head, source=saved))
            self._put_beat(self._shards.setdefault(source.shard_id, new_shard(source.shard_id)), source.id, schedule)
            return saved

    def _put_head(self, head: Head) -> None:
        state = self._heads.get(head.source.id)
        if state is None:
            self._heads[head.source.id] = HeadState(head=replace(head, fence=0, version=1))
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

    def load_collections(self, tenant: TenantId) -> Sequence[Collection]:
        """Return every collection that the tenant declared, by name."""
        with self._lock:
            return of_tenant(self._collections, tenant)

    def save_collection(self, collection: Collection) -> Collection:
        """Write it if its version is the stored one; return it with its new version."""
        with self._lock:
            key = (collection.tenant, collection.name)
            version = next_version(collection, self._collections.get(key))
            told = settle_json(collection.schema)
            saved = self._collections[key] = replace(collection, schema=told, version=version)
            return saved

    def delete_collection(self, tenant: TenantId, name: CollectionName) -> None:
        """Forget one declaration; nothing happens where there is none."""
        with self._lock:
            self._collections.pop((tenant, name), None)

    def pick_shard(self, limit: int, lane: str = "shard") -> ShardId:
        """Return a shard of this *lane* with room for one more of *limit* sources, made where there is none."""
        with self._lock:
            for id in sorted(self._shards):
                if id.startswith(f"{lane}_") and len(self._shards[id].shard.beats) < limit:
                    return id
            made = new_shard(ShardId(f"{lane}_{len(self._shards) + 1:06d}"))
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
