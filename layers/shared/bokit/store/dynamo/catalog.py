"""Tenants, properties, units, sources, collections and options in the table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from pynamodb.expressions.condition import Condition

from bokit.core.model.catalog import Collection, Parent, Property, PropertyId, ShardId, Source, Tenant, Unit, UnitId
from bokit.core.model.codec import dump_json, read_document, write_document
from bokit.core.model.events import event_of_place, event_of_removal
from bokit.core.model.quotas import QuotaName
from bokit.core.model.records import Fields, Json, SourceId, TenantId
from bokit.core.model.scheduling import Head, SourceSchedule
from bokit.errors import StoreConflictError, UnknownIdError
from bokit.store.dynamo import keys
from bokit.store.dynamo.events import put_events
from bokit.store.dynamo.gateway import DeleteItem, PutItem, Transaction, UpdateItem
from bokit.store.dynamo.model import ItemRow
from bokit.store.dynamo.shards import schedule_path, write_head, write_lowered_schedules
from bokit.store.dynamo.usage import DynamoUsage, UsageChange
from bokit.store.limits import MAX_WRITE_TRIES
from bokit.store.protocols import Places
from bokit.values import replace

T = TypeVar("T", Property, Unit, Source, Collection)


class DynamoCatalog(DynamoUsage):
    """``CatalogStore`` on the table."""

    def load_tenants(self) -> Sequence[Tenant]:
        found = [read_document(Tenant, row.doc) for row in self._table.query(keys.TENANTS)]
        return sorted(found, key=lambda tenant: tenant.id)

    def save_tenant(self, tenant: Tenant) -> None:
        self._table.put(PutItem(key=keys.tenant_key(tenant.id), attributes={"doc": write_document(tenant)}))

    def remove_tenant(self, tenant: TenantId) -> None:
        """Delete the tenant and all its data. Only this scans the table.

        Tokens go first, which ends all access; then heads, which ends all syncs. The tenant goes last: a removal that was
        interrupted can be repeated.
        """
        lines = self._table.query(keys.catalog_partition(tenant), ItemRow.sk.startswith("TOKEN#"))
        self._table.delete_all(keys.token_key(line.doc) for line in lines)
        for source in self.load_sources(tenant):
            self._remove_from_shard(source)
        self._forget_usage(tenant)
        own = ItemRow.pk.startswith(keys.tenant_prefix(tenant))
        by_secret = ItemRow.pk.startswith("PAGE#") | ItemRow.pk.startswith("TOKEN#") | ItemRow.pk.startswith("OUT#")
        by_secret = by_secret | ItemRow.pk.startswith("TICKET#")
        self._table.delete_all(self._table.scan_keys(own | (by_secret & (ItemRow.tenant == tenant))))
        self._table.delete(keys.tenant_key(tenant))

    def _remove_from_shard(self, source: Source) -> None:
        """Remove a source's head and schedule. The raised fence stops a running batch from writing the schedule again."""
        removed = [schedule_path(source.id).remove(), ItemRow.fence.add(1)]
        self._table.transact(
            Transaction(
                deletes=[DeleteItem(key=keys.head_key(source), condition=ItemRow.tenant == source.tenant)],
                updates=[
                    UpdateItem(key=keys.state_key(source.shard_id), actions=removed),
                    UpdateItem(key=keys.directory_key(source.shard_id), actions=[ItemRow.sources.add(-1)]),
                ],
            )
        )

    def load_properties(self, tenant: TenantId) -> Sequence[Property]:
        return self._load_all(Property, tenant)

    def load_units(self, tenant: TenantId) -> Sequence[Unit]:
        return self._load_all(Unit, tenant)

    def load_sources(self, tenant: TenantId) -> Sequence[Source]:
        return self._load_all(Source, tenant)

    def load_property(self, tenant: TenantId, property_id: PropertyId) -> Property:
        return self._load_one(Property, tenant, property_id)

    def load_unit(self, tenant: TenantId, unit_id: UnitId) -> Unit:
        return self._load_one(Unit, tenant, unit_id)

    def load_source(self, tenant: TenantId, source_id: SourceId) -> Source:
        return self._load_one(Source, tenant, source_id)

    def save_property(self, prop: Property, *, at: datetime | None = None) -> Property:
        return self._save(prop, at)

    def save_unit(self, unit: Unit, *, within: Sequence[Parent] = (), at: datetime | None = None) -> Unit:
        if unit.version > 0 and not within:
            return self._save(unit, at)
        saved = replace(unit, version=unit.version + 1)
        puts = [_put_versioned(saved), *_put_change(saved, at)]
        changes = [] if unit.version else [UsageChange(tenant=unit.tenant, counted=QuotaName.UNITS, more=1)]
        failed = self.transact_counted(Transaction(puts=puts, updates=use_parents(within)), changes)
        check_parents(failed, within)
        if failed:
            raise _changed(unit)
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
        source = head.source
        saved = replace(source, version=source.version + 1)
        puts, shard = [_put_versioned(saved), *_put_change(saved, at)], source.shard_id
        updates = [_update_head(replace(head, source=saved)), *use_parents(within)]
        if source.version == 0:
            updates.append(UpdateItem(key=keys.directory_key(shard), actions=[ItemRow.sources.add(1)]))
        changes = self._count_source(source, is_back=is_back)
        for _ in range(MAX_WRITE_TRIES):
            state = self._table.get(keys.state_key(shard)) or self._make_shard(shard)
            update = write_lowered_schedules(state, {source.id: schedule})
            failed = self.transact_counted(Transaction(puts=puts, updates=[*updates, update]), changes)
            if not failed:
                return saved
            check_parents(failed, within)
            if set(failed) != {update.key}:
                break
        raise StoreConflictError("the source was changed by another since it was read; read it again", id=source.id)

    def _count_source(self, source: Source, *, is_back: bool) -> list[UsageChange]:
        """Return what writing *source* changes of the number of sources: removed ones do not count."""
        was_there = source.version > 0 and not is_back
        if was_there and source.removed_at is not None:
            row = self._table.get(_key(Source, source.tenant, source.id))
            was_there = row is not None and read_document(Source, row.doc).removed_at is None
        more = (source.removed_at is None) - was_there
        return [UsageChange(tenant=source.tenant, counted=QuotaName.SOURCES, more=more)] if more else []

    def delete_parent(self, parent: Parent, check_empty: Callable[[], object], *, at: datetime | None = None) -> None:
        key = _key(parent.kind, parent.tenant, parent.id)
        row = self._table.get(key)
        check_empty()
        if row is None:
            return
        delete = DeleteItem(key=key, condition=(ItemRow.version == row.version) & _is_used_as(row))
        is_counted = parent.kind is Unit
        changes = [UsageChange(tenant=parent.tenant, counted=QuotaName.UNITS, more=-1)] if is_counted else []
        gone = [event_of_removal(parent.kind, parent.id, int(row.version))]
        puts = put_events(parent.tenant, at, gone) if at else []
        if self.transact_counted(Transaction(puts=puts, deletes=[delete]), changes):
            raise StoreConflictError("it was changed or used by another meanwhile; try again", id=parent.id)

    def load_collections(self, tenant: TenantId) -> Sequence[Collection]:
        return self._load_all(Collection, tenant)

    def save_collection(
        self, collection: Collection, *, check_empty: Callable[[], object] | None = None, at: datetime | None = None
    ) -> Collection:
        if check_empty is None or collection.version == 0:
            return self._save(collection, at)
        row = self._table.get(_key(Collection, collection.tenant, collection.name))
        check_empty()
        saved = replace(collection, version=collection.version + 1)
        put = _put_versioned(saved)
        unused = put if row is None else replace(put, condition=put.condition & _is_used_as(row))
        if row is None or not self._table.write(unused, _put_change(saved, at)):
            raise _changed(collection)
        return saved

    def pick_shard(self, limit: int, route: str = "shard") -> ShardId:
        # Two callers may both get the last place: the limit keeps batches small, and need not be exact.
        row = self._table.query_one(keys.SHARDS, (ItemRow.sources < limit) & ItemRow.doc.startswith(f"{route}_"))
        if row is not None:
            return ShardId(row.doc)
        shard = ShardId(f"{route}_{len(self._table.query(keys.SHARDS)) + 1:06d}")
        self._make_shard(shard)
        return shard

    def _make_shard(self, shard: ShardId) -> ItemRow:
        """Create a shard's items where they do not exist; return its state."""
        absent = ItemRow.pk.does_not_exist()
        items = {keys.state_key(shard): {"schedules": {}, "fence": 0}, keys.directory_key(shard): {"doc": shard, "sources": 0}}
        for key, attributes in items.items():
            self._table.put(PutItem(key=key, attributes=attributes, condition=absent))
        if (state := self._table.get(keys.state_key(shard))) is None:
            raise UnknownIdError("no such shard", id=shard)
        return state

    def load_options(self, tenants: Iterable[TenantId]) -> Mapping[TenantId, Fields]:
        by_key = {keys.options_key(tenant): tenant for tenant in tenants}
        stored = {by_key[key]: json.loads(row.doc) for key, row in self._table.get_all(by_key).items()}
        return {tenant: options for tenant, options in stored.items() if options}

    def load_places(self, tenant: TenantId) -> Places:
        """Read options and properties by one query, since their keys are neighbours, and units by another."""
        partition, first, last = keys.catalog_partition(tenant), keys.options_key(tenant), f"{_KINDS[Property]}$"
        found = self._table.query(partition, ItemRow.sk.between(first.sk, last))
        options: Fields = next((json.loads(row.doc) for row in found if row.sk == first.sk), {})
        properties = (read_document(Property, row.doc) for row in found if row.sk.startswith(f"{_KINDS[Property]}#"))
        units = tuple(self._load_all(Unit, tenant))
        return Places(units=units, properties=tuple(sorted(properties, key=_id_of)), options=options)

    def save_option(self, tenant: TenantId, name: str, value: Json | None) -> None:
        key = keys.options_key(tenant)
        for _ in range(MAX_WRITE_TRIES):
            row = self._table.get(key)
            options = {**(json.loads(row.doc) if row else {}), name: value}
            document = dump_json({name: value for name, value in options.items() if value is not None})
            version = int(row.version) if row else 0
            attributes = {"doc": document, "version": version + 1}
            if self._table.put(PutItem(key=key, attributes=attributes, condition=has_version(version))):
                return
        raise StoreConflictError("the options were changed by others at the same time; try again")

    def _load_all(self, kind: type[T], tenant: TenantId) -> list[T]:
        rows = self._table.query(keys.catalog_partition(tenant), ItemRow.sk.startswith(f"{_KINDS[kind]}#"))
        return sorted((read_document(kind, row.doc) for row in rows), key=_id_of)

    def _load_one(self, kind: type[T], tenant: TenantId, item_id: str) -> T:
        row = self._table.get(_key(kind, tenant, item_id))
        if row is None:
            raise UnknownIdError(f"no such {_KINDS[kind].lower()}", id=item_id)
        return read_document(kind, row.doc)

    def _save(self, value: T, at: datetime | None) -> T:
        saved = replace(value, version=value.version + 1)
        if not self._table.write(_put_versioned(saved), _put_change(saved, at)):
            raise _changed(value)
        return saved


def use_parents(within: Iterable[Parent]) -> list[UpdateItem]:
    """Return the updates by which a transaction uses these parents: each must exist, and a deletion at the same time fails.

    A later write of the parent drops the counter, and has another version: both together are never the same again.
    """
    by_key = {_key(*parent[:3]): parent for parent in within}
    uses = [ItemRow.uses.add(1)]
    return [UpdateItem(key=key, actions=uses, condition=_is_there(parent)) for key, parent in by_key.items()]


def _is_there(parent: Parent) -> Condition:
    """Return the condition that a parent exists, in the version that it names."""
    return ItemRow.pk.exists() if parent.version is None else ItemRow.version == parent.version


def _is_used_as(row: ItemRow) -> Condition:
    """Return the condition that nothing was written within a parent since *row* was read."""
    return ItemRow.uses == row.uses if row.uses else ItemRow.uses.does_not_exist()


def check_parents(failed: Iterable[keys.Key], within: Iterable[Parent]) -> None:
    """Raise UnknownIdError if a transaction failed for want of a parent, StoreConflictError if for want of its version."""
    missing = set(failed)
    for parent in within:
        if _key(*parent[:3]) not in missing:
            continue
        name = _KINDS[parent.kind].lower()
        if parent.version is not None:
            raise StoreConflictError(f"the {name} was changed by another since it was read; read it again", id=parent.id)
        raise UnknownIdError(f"no such {name}", id=parent.id)


def _changed(value: Property | Unit | Source | Collection) -> StoreConflictError:
    name = _KINDS[type(value)].lower()
    return StoreConflictError(f"the {name} was changed by another since it was read; read it again", id=_id_of(value))


def has_version(version: int) -> Condition:
    """Return the condition that the stored item has *version*; 0: that there is none."""
    return ItemRow.version == version if version else ItemRow.pk.does_not_exist()


def _id_of(value: Property | Unit | Source | Collection) -> str:
    return value.name if isinstance(value, Collection) else value.id


_KINDS = {Property: "PROPERTY", Unit: "UNIT", Source: "SOURCE", Collection: "COLLECTION"}
"""The kinds as keys hold them."""


def _key(kind: type[Property | Unit | Source | Collection], tenant: TenantId, item_id: str) -> keys.Key:
    return keys.catalog_key(tenant, _KINDS[kind], item_id)


def _put_versioned(saved: T) -> PutItem:
    return PutItem(
        key=_key(type(saved), saved.tenant, _id_of(saved)),
        attributes={"doc": write_document(saved), "version": saved.version},
        condition=has_version(saved.version - 1),
    )


def _put_change(saved: Property | Unit | Source | Collection, at: datetime | None) -> list[PutItem]:
    """Return the outbox's part of writing *saved*; without a time there is nobody to hear of it."""
    return put_events(saved.tenant, at, [event_of_place(saved)]) if at else []


def _update_head(head: Head) -> UpdateItem:
    """Write a head over the stored one, whose fence, lease and version continue."""
    source = head.source
    is_new, is_ours = ItemRow.pk.does_not_exist(), ItemRow.tenant == source.tenant
    counters = [ItemRow.version.add(1), ItemRow.fence.add(0)]
    actions = [ItemRow.doc.set(write_head(head)), ItemRow.tenant.set(source.tenant), *counters]
    return UpdateItem(key=keys.head_key(source), actions=actions, condition=is_new | is_ours)
