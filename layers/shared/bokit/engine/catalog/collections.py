"""Collections: what a tenant declares of them, and their records as people and programs read and write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, TypedDict

from bokit.core.items.edit import PatchResult, WriteMethod, read_patch
from bokit.core.items.planning import RecordDocument, describe_record
from bokit.core.model.catalog import Collection, Source
from bokit.core.model.collections import (
    COLLECTION_READERS,
    copy_collection,
    feeds,
    read_paths,
)
from bokit.core.model.records import LoggedChange, Record, SourceId, TenantId
from bokit.engine.base.clock import Clock
from bokit.engine.base.tenant_options import check_interval, load_options
from bokit.engine.catalog.fields import read_fields
from bokit.engine.catalog.sources import SourceService
from bokit.engine.records.listing import NOT_GONE, RecordFilter, RecordLists, RecordPage, check_filter
from bokit.engine.records.lookup import find_record, is_our_id, read_key
from bokit.engine.records.removal import RecordRemoval
from bokit.engine.records.walk import walk_records
from bokit.engine.records.writes import ANY, Preconditions, RecordWriter
from bokit.engine.runs.status import add_records, new_counts
from bokit.errors import BokitError, InputError, StateError, StoreConflictError, UnknownIdError
from bokit.store.protocols import Page, Store
from bokit.values import Value, replace


class WriteRequest(Value):
    """A write to one record: the method, the document, by whom, and on which preconditions."""

    method: WriteMethod
    document: Any
    by: str
    preserve: Sequence[str] = ()
    terms: Preconditions = ANY


class CollectionService:
    """Declares collections, and reads and writes their records."""

    def __init__(self, store: Store, clock: Clock, sources: SourceService, writer: RecordWriter | None = None) -> None:
        self.store, self.clock, self.sources = store, clock, sources
        self.writer = writer or RecordWriter(store, clock, sources.parts.defaults)
        self.removal = RecordRemoval(store, clock, sources.parts.defaults)
        self.lists = RecordLists(store, clock)

    # ── what is declared ──

    def list_collections(self, tenant: TenantId) -> Sequence[Collection]:
        """Return every collection that the tenant declared, by name."""
        return self.store.load_collections(tenant)

    def find(self, tenant: TenantId, name: str) -> Collection:
        """Return the collection of this name, or raise UnknownIdError."""
        found = next((c for c in self.store.load_collections(tenant) if c.name == name), None)
        if found is None:
            raise UnknownIdError("no such collection; declare it in a config file and `bokit config import` that", id=name)
        return found

    def declare(self, tenant: TenantId, values: Mapping[str, Any]) -> Collection:
        """Declare a collection, or change it together with its sources; without a difference nothing is written."""
        read = read_fields(values, COLLECTION_READERS)
        if "name" not in read:
            raise InputError("a collection needs a name", code="bad-field", field="name")
        before = next((c for c in self.store.load_collections(tenant) if c.name == read["name"]), None)
        after = replace(before, **read) if before else Collection(tenant=tenant, **read)
        if after != before:
            check_interval(after.interval, load_options(self.store, tenant, self.sources.parts.defaults))
            if before and before.buckets != after.buckets:
                return self._spread(before, after)
            after = self.store.save_collection(after, at=self.clock())
        self._copy_to_sources(after)
        return after

    def remove(self, tenant: TenantId, name: str) -> None:
        """Delete the declaration of a collection without sources and records."""
        self.removal.remove_declaration(self.find(tenant, name))

    def _spread(self, before: Collection, after: Collection) -> Collection:
        """Change the number of buckets of a collection without records, while none of its sources writes any.

        time ───┬──────────────────┬────────────────────┬───────────────────────────────────────►
        change  │ holds all leases │ sources: 8 buckets │ collection: 8, if nothing was added to it
        sync    · read for 1       ·                    ·   its lease comes later: it reads again, for 8
        push    ·                  · adds for 1         ·   the change fails, sources have 1 again
        """
        with self.sources.hold(self._sources_of(before)) as held:
            self._copy_to_sources(after, is_held=True)
            try:
                check_empty = partial(self._check_unused, before, held)
                return self.store.save_collection(after, check_empty=check_empty, at=self.clock())
            except BokitError:
                self._copy_to_sources(before, is_held=True)
                raise

    def _check_unused(self, collection: Collection, held: frozenset[SourceId]) -> None:
        """Raise StateError where the collection has records, StoreConflictError where it has sources but those that are held."""
        if self.has_records(collection):
            message = "the number of buckets is fixed once there are records; declare another collection"
            raise StateError(message, code="fixed", field="buckets")
        if {source.id for source in self._sources_of(collection)} - held:
            raise StoreConflictError("a source of the collection was added meanwhile; try again", id=collection.name)

    def _copy_to_sources(self, collection: Collection, *, is_held: bool = False) -> None:
        """Copy the declaration to the collection's sources, which are then read again."""
        for source in self._sources_of(collection):
            settings, copy = dict(source.settings), copy_collection(collection)
            if "tables" in settings:
                settings["collections"] = {**settings.get("collections", {}), str(collection.name): copy}
            else:
                settings["collection"] = copy
            self.sources.edit(source.tenant, source.id, {"settings": settings}, is_held=is_held)

    def _sources_of(self, collection: Collection) -> list[Source]:
        found = self.sources.list_sources(collection.tenant)
        return [s for s in found if feeds(s, collection.name)]

    # ── records ──

    def has_records(self, collection: Collection) -> bool:
        """Return whether a collection has any record, a missing or deleted one included."""
        return self.removal.has_records(collection)

    def count(self, collection: Collection) -> dict[str, int]:
        """Count the records by their presence, and those that a person edited; reads them all."""
        counts = new_counts()
        for page in walk_records(self.store, collection):
            add_records(counts, page.records)
        return counts

    def iterate(self, collection: Collection, wanted: RecordFilter = NOT_GONE) -> Iterator[Record]:
        """Yield all records that *wanted* admits, and read them as they are asked for; raises InputError for the filter."""
        check_filter(collection, wanted)
        return (r for page in walk_records(self.store, collection) for r in page.records if wanted.admits(r))

    def page(
        self, collection: Collection, wanted: RecordFilter = NOT_GONE, *, limit: int = 50, cursor: str | None = None
    ) -> RecordPage:
        """Return some of the records that *wanted* admits, bucket by bucket, in an order that does not change."""
        return self.lists.load_page(collection, wanted, limit=limit, cursor=cursor)

    def get(self, collection: Collection, key: str) -> Record:
        """Return the record with this key of its source, or id of ours (``clients.7``); by key in one read."""
        return find_record(self.store, collection, key)

    def write(self, collection: Collection, key: str, request: WriteRequest) -> PatchResult:
        """Apply a document to the record with this key; PUT creates a missing one, PATCH does not."""
        patch = read_patch(request.document, request.method, request.by, read_paths(list(request.preserve)))
        must_exist = request.terms.must_exist or request.method is WriteMethod.PATCH
        preconditions = replace(request.terms, must_exist=must_exist)
        return self.writer.write(collection, self._key_of(collection, read_key(key)), patch, preconditions)

    def _key_of(self, collection: Collection, key: str) -> str:
        """Return the key that *key* means: of an existing record named by our own id, its source's; else *key* itself."""
        if not is_our_id(collection, key):
            return key
        try:
            return self.get(collection, key).key
        except UnknownIdError:
            return key

    def list_changes(
        self, collection: Collection, key: str, *, limit: int = 100, cursor: str | None = None
    ) -> Page[LoggedChange]:
        """Return the record's change log, newest first."""
        record = self.get(collection, key)
        return self.store.load_changes(collection.tenant, record.id, limit=limit, cursor=cursor)


class PatchResultDocument(TypedDict):
    """The result of a write to a record."""

    changed: Annotated[bool, "false: the record held these values already, and nothing was written."]
    record: RecordDocument
    preserved: Annotated[list[str], "Fields that kept their value although the request had another."]


def describe_patch_result(result: PatchResult) -> PatchResultDocument:
    """Return the result of a patch as the API answers it."""
    return {
        "changed": result.change is not None,
        "record": describe_record(result.record),
        "preserved": list(result.preserved),
    }
