"""Collections: what a tenant declares of them, and their records as people and programs see and edit them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bokit.core.items.edit import Manner, PatchResult, read_patch
from bokit.core.items.planning import describe_record
from bokit.core.model.catalog import Collection, Source
from bokit.core.model.collections import (
    COLLECTION_READERS,
    MAX_KEY_LENGTH,
    copy_collection,
    feeds,
    make_id,
    read_paths,
    scopes_of,
)
from bokit.core.model.records import Json, LoggedChange, Presence, Record, RecordId, TenantId
from bokit.engine.base.clock import Clock
from bokit.engine.catalog.fields import read_fields
from bokit.engine.catalog.sources import SourceService
from bokit.engine.records.writes import Preconditions, RecordWriter
from bokit.errors import InputError, StateError, UnknownIdError
from bokit.store.cursors import make_cursor, read_cursor
from bokit.store.protocols import Page, Store

FIXED = ("name", "buckets")
"""What cannot change while a collection has records: it decides where they lie."""

ANY = Preconditions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request for one record: how it is laid over, by whom, and on which terms."""

    manner: Manner
    document: Any
    by: str
    preserve: Sequence[str] = ()
    terms: Preconditions = ANY


class CollectionService:
    """Declares collections, and reads and writes their records."""

    def __init__(self, store: Store, clock: Clock, sources: SourceService, writer: RecordWriter | None = None) -> None:
        self.store, self.clock, self.sources = store, clock, sources
        self.writer = writer or RecordWriter(store, clock)

    # ── what is declared ──

    def list_collections(self, tenant: TenantId) -> Sequence[Collection]:
        """Return every collection that the tenant declared, by name."""
        return self.store.load_collections(tenant)

    def find(self, tenant: TenantId, name: str) -> Collection:
        """Return the collection of this name, or raise UnknownIdError that says how to declare it."""
        found = next((c for c in self.store.load_collections(tenant) if c.name == name), None)
        if found is None:
            raise UnknownIdError("no such collection; declare it in a config file and `bokit config import` that", id=name)
        return found

    def declare(self, tenant: TenantId, values: Mapping[str, Any]) -> Collection:
        """Declare a collection, or change what is declared of it; its sources follow. Nothing differs: nothing is written."""
        read = read_fields(values, COLLECTION_READERS)
        if "name" not in read:
            raise InputError("a collection needs a name", code="bad-field", field="name")
        before = next((c for c in self.store.load_collections(tenant) if c.name == read["name"]), None)
        after = replace(before, **read) if before else Collection(tenant=tenant, **read)
        if after != before:
            self._check_fixed(before, after)
            after = self.store.save_collection(after)
        self._spread(after)
        return after

    def remove(self, tenant: TenantId, name: str) -> None:
        """Forget what is declared of a collection without sources and records."""
        collection = self.find(tenant, name)
        if self._sources_of(collection):
            raise StateError("the collection has sources; remove them first", code="not-empty", id=name)
        if any(self._load_scopes(collection)):
            raise StateError("the collection has records; they are kept, and it with them", code="not-empty", id=name)
        self.store.delete_collection(tenant, collection.name)

    def _check_fixed(self, before: Collection | None, after: Collection) -> None:
        if before and before.buckets != after.buckets and any(self._load_scopes(before)):
            raise StateError(
                "the number of buckets is fixed once there are records; declare another collection", code="fixed", field="buckets"
            )

    def _spread(self, collection: Collection) -> None:
        """Tell the collection's sources what it says now, so that they are read anew."""
        for source in self._sources_of(collection):
            told = dict(source.settings)
            copies = {**told.get("collections", {}), str(collection.name): copy_collection(collection)}
            told |= {"collections": copies} if "tables" in told else {"collection": copies[collection.name]}
            self.sources.edit(source.tenant, source.id, {"settings": told})

    def _sources_of(self, collection: Collection) -> list[Source]:
        found = self.sources.list_sources(collection.tenant)
        return [s for s in found if feeds(s, collection.name)]

    # ── records ──

    def count(self, collection: Collection) -> dict[str, int]:
        """Return how many records there are, by their presence, and how many a person edited; reads them all."""
        counts = dict.fromkeys(("records", *map(str, Presence), "edited"), 0)
        for records in self._load_scopes(collection):
            for record in records:
                counts["records"] += 1
                counts[str(record.presence)] += 1
                counts["edited"] += bool(record.edits)
        return counts

    def page(
        self, collection: Collection, *, limit: int = 50, cursor: str | None = None, presence: Presence | None = None
    ) -> Page[Record]:
        """Return some records, bucket by bucket, in the order of their ids."""
        list_id = f"records/{collection.tenant}/{collection.name}/{presence or ''}"
        scopes = scopes_of(collection.name, collection.buckets)
        number, _, after = ("0", "", "") if cursor is None else read_cursor(list_id, cursor).partition("/")
        found: list[Record] = []
        at = int(number) if number.isdecimal() else len(scopes)
        while at < len(scopes):
            records = self.store.load_records(collection.tenant, collection.name, scopes[at])
            found += [r for r in records if r.id > after and presence in (None, r.presence)]
            if len(found) > limit:
                last = found[limit - 1]
                place = next(n for n, scope in enumerate(scopes) if scope == last.scope)
                return Page(items=tuple(found[:limit]), cursor=make_cursor(list_id, f"{place}/{last.id}"))
            at, after = at + 1, ""
        return Page(items=tuple(found))

    def get(self, collection: Collection, id: str) -> Record:
        """Return the record with this id of its source's, or of ours (``clients.7``), in one read."""
        try:
            return self.store.load_record(collection.tenant, collection.name, self._id_of(collection, read_key(id)))
        except UnknownIdError:
            if not id.startswith((f"{collection.name}.", f"{collection.name}~")):
                raise UnknownIdError("no such record", id=id) from None
        return self.store.load_record(collection.tenant, collection.name, RecordId(id))

    def write(self, collection: Collection, id: str, asked: Asked) -> PatchResult:
        """Lay a document over the record with this id; one that is not there is made, unless it is patched."""
        wish = read_patch(asked.document, asked.manner, asked.by, read_paths(list(asked.preserve)))
        terms = replace(asked.terms, must_exist=asked.terms.must_exist or asked.manner is Manner.PATCH)
        return self.writer.write(collection, self._key_of(collection, read_key(id)), wish, terms)

    def _key_of(self, collection: Collection, id: str) -> str:
        """Return the key that *id* means: of a record that is there by our own id, its source's; else *id* itself."""
        if not id.startswith((f"{collection.name}.", f"{collection.name}~")):
            return id
        try:
            return self.get(collection, id).key
        except UnknownIdError:
            return id

    def list_changes(self, collection: Collection, id: str, *, limit: int = 100, cursor: str | None = None) -> Page[LoggedChange]:
        """Return the record's change log, newest first."""
        record = self.get(collection, id)
        return self.store.load_changes(collection.tenant, record.id, limit=limit, cursor=cursor)

    def _id_of(self, collection: Collection, key: str) -> RecordId:
        return make_id(collection.name, key, collection.buckets)

    def _load_scopes(self, collection: Collection) -> Any:
        scopes = scopes_of(collection.name, collection.buckets)
        return (records for s in scopes if (records := self.store.load_records(collection.tenant, collection.name, s)))


def read_key(id: str) -> str:
    """Return an id that a record may have."""
    if not 0 < len(id) <= MAX_KEY_LENGTH or any(ord(c) < 32 for c in id):
        raise InputError(f"not an id; it has 1 to {MAX_KEY_LENGTH} letters", code="bad-field", field="id")
    return id


def describe_patch_result(granted: PatchResult) -> dict[str, Json]:
    """Return what became of a wish, as the contract shapes it."""
    return {
        "changed": granted.change is not None,
        "record": describe_record(granted.record),
        "preserved": list(granted.preserved),
    }
