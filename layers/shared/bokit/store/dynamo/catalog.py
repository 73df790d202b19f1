"""Tenants, properties, units, sources, collections and options in the table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from pynamodb.expressions.condition import Condition

from bokit.core.model.catalog import Collection, Property, PropertyId, ShardId, Source, Tenant, Unit, UnitId
from bokit.core.model.codec import read_document, write_document, write_json
from bokit.core.model.records import CollectionName, Json, SourceId, TenantId
from bokit.core.model.scheduling import Head, SourceSchedule
from bokit.errors import StoreConflictError, UnknownIdError
from bokit.store.dynamo import keys
from bokit.store.dynamo.gateway import Delete, Put, Rows, Transaction, Update
from bokit.store.dynamo.model import Row
from bokit.store.dynamo.shards import TRIES, line_of, write_lowered_schedule_line

T = TypeVar("T", Property, Unit, Source, Collection)


class CatalogRows:
    """``CatalogStore`` on the table."""

    _rows: Rows

    def load_tenants(self) -> Sequence[Tenant]:
        """Return every tenant, in the order of their ids."""
        found = [read_document(Tenant, row.doc) for row in self._rows.query("TENANTS")]
        return sorted(found, key=lambda tenant: tenant.id)

    def save_tenant(self, tenant: Tenant) -> None:
        """Write it; one that is there is replaced."""
        self._rows.put(Put(key=keys.tenant_key(tenant.id), attributes={"doc": write_document(tenant)}))

    def remove_tenant(self, tenant: TenantId) -> None:
        """Forget the tenant and all that is its own.

        Tokens go first, so that nobody comes in; then heads, so that nothing syncs any more; the tenant itself goes
        last, so that a removal which died can be asked for again. This alone scans the table.
        """
        lines = self._rows.query(keys.catalog_partition(tenant), Row.sk.startswith("TOKEN#"))
        self._rows.delete_all(keys.token_key(line.doc) for line in lines)
        for source in self.load_sources(tenant):
            self._forget_source(source)
        its_own = Row.pk.startswith(keys.tenant_prefix(tenant))
        under_a_secret = Row.pk.startswith("PAGE#") | Row.pk.startswith("TOKEN#")
        self._rows.delete_all(self._rows.scan_keys(its_own | (under_a_secret & (Row.tenant == tenant))))
        self._rows.delete(keys.tenant_key(tenant))

    def _forget_source(self, source: Source) -> None:
        """Take a source out of its shard; the shard's fence is raised, so that no batch in hand writes its line back."""
        ours = Row.tenant == source.tenant
        self._rows.transact(
            Transaction(
                deletes=[Delete(key=keys.head_key(source.shard_id, source.id), condition=ours)],
                updates=[
                    Update(key=keys.state_key(source.shard_id), actions=[line_of(source.id).remove(), Row.fence.add(1)]),
                    Update(key=keys.directory_key(source.shard_id), actions=[Row.sources.add(-1)]),
                ],
            )
        )

    def load_properties(self, tenant: TenantId) -> Sequence[Property]:
        """Return the tenant's properties, in the order of their ids."""
        return self._load_all(Property, tenant, "PROPERTY")

    def load_units(self, tenant: TenantId) -> Sequence[Unit]:
        """Return the tenant's units, in the order of their ids."""
        return self._load_all(Unit, tenant, "UNIT")

    def load_sources(self, tenant: TenantId) -> Sequence[Source]:
        """Return the tenant's sources, removed ones included, in the order of their ids."""
        return self._load_all(Source, tenant, "SOURCE")

    def load_property(self, tenant: TenantId, id: PropertyId) -> Property:
        """Return one property; raises UnknownIdError."""
        return self._load_one(Property, tenant, "PROPERTY", id)

    def load_unit(self, tenant: TenantId, id: UnitId) -> Unit:
        """Return one unit; raises UnknownIdError."""
        return self._load_one(Unit, tenant, "UNIT", id)

    def load_source(self, tenant: TenantId, id: SourceId) -> Source:
        """Return one source; raises UnknownIdError."""
        return self._load_one(Source, tenant, "SOURCE", id)

    def save_property(self, property: Property) -> Property:
        """Write it if its version is the stored one; return it with its new version."""
        return self._save(property, "PROPERTY")

    def save_unit(self, unit: Unit) -> Unit:
        """Write it if its version is the stored one; return it with its new version."""
        return self._save(unit, "UNIT")

    def save_source(self, head: Head, schedule: SourceSchedule) -> Source:
        """Write a source, its head and its shard's line in one transaction; return it with its new version."""
        source = head.source
        saved = replace(source, version=source.version + 1)
        put = _put_versioned(saved, "SOURCE")
        updates = [_put_head(replace(head, source=saved)), *self._count_source(source)]
        for _ in range(TRIES):
            state = self._rows.get(keys.state_key(source.shard_id)) or self._make_shard(source.shard_id)
            line = write_lowered_schedule_line(state, source.id, schedule)
            failed = self._rows.transact(Transaction(puts=[put], updates=[*updates, line]))
            if not failed:
                return saved
            if set(failed) != {line.key}:
                break
        raise StoreConflictError("the source was changed by another since it was read; read it again", id=source.id)

    def _count_source(self, source: Source) -> list[Update]:
        is_new = source.version == 0
        return [Update(key=keys.directory_key(source.shard_id), actions=[Row.sources.add(1)])] if is_new else []

    def delete_property(self, tenant: TenantId, id: PropertyId) -> None:
        """Forget one property; nothing happens where there is none."""
        self._rows.delete(keys.catalog_key(tenant, "PROPERTY", id))

    def delete_unit(self, tenant: TenantId, id: UnitId) -> None:
        """Forget one unit; nothing happens where there is none."""
        self._rows.delete(keys.catalog_key(tenant, "UNIT", id))

    def load_collections(self, tenant: TenantId) -> Sequence[Collection]:
        """Return every collection that the tenant declared, by name."""
        return self._load_all(Collection, tenant, "COLLECTION")

    def save_collection(self, collection: Collection) -> Collection:
        """Write it if its version is the stored one; return it with its new version."""
        return self._save(collection, "COLLECTION")

    def delete_collection(self, tenant: TenantId, name: CollectionName) -> None:
        """Forget one declaration; nothing happens where there is none."""
        self._rows.delete(keys.catalog_key(tenant, "COLLECTION", name))

    def pick_shard(self, limit: int, lane: str = "shard") -> ShardId:
        """Return a shard of this *lane* with room for one more of *limit* sources, made where there is none.

        Two who ask at the same moment may both get the last place: the limit keeps batches handy, no more.
        """
        row = self._rows.query_one("SHARDS", (Row.sources < limit) & Row.doc.startswith(f"{lane}_"))
        if row is not None:
            return ShardId(row.doc)
        made = ShardId(f"{lane}_{len(self._rows.query('SHARDS')) + 1:06d}")
        self._make_shard(made)
        return made

    def _make_shard(self, shard: ShardId) -> Row:
        """Make a shard's items where they are not there; two who make it at the same moment make one."""
        absent = Row.pk.does_not_exist()
        self._rows.put(Put(key=keys.state_key(shard), attributes={"beats": {}, "fence": 0}, condition=absent))
        self._rows.put(Put(key=keys.directory_key(shard), attributes={"doc": shard, "sources": 0}, condition=absent))
        if (state := self._rows.get(keys.state_key(shard))) is None:
            raise UnknownIdError("no such shard", id=shard)
        return state

    def load_options(self, tenants: Iterable[TenantId]) -> Mapping[TenantId, Mapping[str, Json]]:
        """Return the options that are set, by tenant, in one batched read; no entry where nothing is set."""
        by_key = {keys.options_key(tenant): tenant for tenant in tenants}
        stored = {by_key[key]: json.loads(row.doc) for key, row in self._rows.get_all(by_key).items()}
        return {tenant: options for tenant, options in stored.items() if options}

    def save_option(self, tenant: TenantId, name: str, value: Json | None) -> None:
        """Set one option; None unsets it."""
        key = keys.options_key(tenant)
        for _ in range(TRIES):
            row = self._rows.get(key)
            options = json.loads(row.doc) if row else {}
            options[name] = value
            told = write_json({name: value for name, value in options.items() if value is not None})
            version = int(row.version) if row else 0
            if self._rows.put(Put(key=key, attributes={"doc": told, "version": version + 1}, condition=is_version(version))):
                return
        raise StoreConflictError("the options were changed by others at the same time; try again")

    def _load_all(self, kind: type[T], tenant: TenantId, name: str) -> list[T]:
        rows = self._rows.query(keys.catalog_partition(tenant), Row.sk.startswith(f"{name}#"))
        return sorted((read_document(kind, row.doc) for row in rows), key=_id_of)

    def _load_one(self, kind: type[T], tenant: TenantId, name: str, id: str) -> T:
        row = self._rows.get(keys.catalog_key(tenant, name, id))
        if row is None:
            raise UnknownIdError(f"no such {name.lower()}", id=id)
        return read_document(kind, row.doc)

    def _save(self, value: T, name: str) -> T:
        saved = replace(value, version=value.version + 1)
        if not self._rows.put(_put_versioned(saved, name)):
            raise StoreConflictError(
                f"the {name.lower()} was changed by another since it was read; read it again", id=_id_of(value)
            )
        return saved


def is_version(version: int) -> Condition:
    """Return the condition that an item still has *version*; 0: that there is none."""
    return Row.version == version if version else Row.pk.does_not_exist()


def _id_of(value: Property | Unit | Source | Collection) -> str:
    return value.name if isinstance(value, Collection) else value.id


def _put_versioned(saved: T, name: str) -> Put:
    return Put(
        key=keys.catalog_key(saved.tenant, name, _id_of(saved)),
        attributes={"doc": write_document(saved), "version": saved.version},
        condition=is_version(saved.version - 1),
    )


def _put_head(head: Head) -> Update:
    """Write a head over the stored one; fence, lease and version are the stored one's, and go on from there."""
    source = head.source
    is_new, is_ours = Row.pk.does_not_exist(), Row.tenant == source.tenant
    told = write_document(replace(head, fence=0, version=0))
    return Update(
        key=keys.head_key(source.shard_id, source.id),
        actions=[Row.doc.set(told), Row.tenant.set(source.tenant), Row.version.add(1), Row.fence.add(0)],
        condition=is_new | is_ours,
    )
