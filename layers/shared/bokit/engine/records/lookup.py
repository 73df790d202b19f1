"""Records of a declared collection by what people and programs call them: the key of their source, or our own id."""

from __future__ import annotations

from bokit.core.model.catalog import Collection
from bokit.core.model.collections import make_id
from bokit.core.model.limits import MAX_KEY_LENGTH
from bokit.core.model.records import Record, RecordId
from bokit.errors import InputError, UnknownIdError
from bokit.store.protocols import RecordStore


def find_record(store: RecordStore, collection: Collection, key: str) -> Record:
    """Return the record with this key of its source, or id of ours (``clients.7``); by key in one read."""
    record_id = make_id(collection.name, read_key(key), collection.buckets)
    try:
        return store.load_record(collection.tenant, collection.name, record_id)
    except UnknownIdError:
        if not is_our_id(collection, key):
            raise UnknownIdError("no such record", id=key) from None
    return store.load_record(collection.tenant, collection.name, RecordId(key))


def is_our_id(collection: Collection, key: str) -> bool:
    """Return whether *key* may be our own id of one of the collection's records."""
    return key.startswith((f"{collection.name}.", f"{collection.name}~"))


def read_key(key: str) -> str:
    """Return a key that a record may have."""
    if not 0 < len(key) <= MAX_KEY_LENGTH or any(ord(c) < 32 for c in key):
        raise InputError(f"not an id; it has 1 to {MAX_KEY_LENGTH} letters", code="bad-field", field="id")
    return key
