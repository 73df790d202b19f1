"""Collections: what is declared of them, where their records are stored, and which id a record has.

The id of a record is made of its source's own id (the *key*), and one read finds it:

    record id = <scope>.<escaped key>        scope = <collection>, or <collection>~<n> if it is spread over buckets
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, NotRequired, TypedDict

from bokit.core.model.catalog import BOOKINGS, Collection, Source
from bokit.core.model.documents import Count
from bokit.core.model.field_changes import SchemaPolicy
from bokit.core.model.limits import MAX_BUCKETS, MAX_KEY_LENGTH, MAX_PATHS, MAX_SCHEMA_BYTES, MAX_SUFFIX_LENGTH
from bokit.core.model.records import CollectionName, Fields, Json, RecordId, Scope, make_record_id
from bokit.errors import InputError
from bokit.values import Value, field

BUILT_IN = frozenset({str(BOOKINGS), "conflicts", "calendars", "door_codes", ".erasures"})
"""Collections that Bokit keeps for itself."""
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,59}")
_SAFE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_PATH = re.compile(r"[^.\x00-\x1f]{1,100}(\.[^.\x00-\x1f]{1,100}){0,9}")


class OnMissing(StrEnum):
    """What happens to a record that its source no longer shows."""

    KEEP = "keep"  # nothing: the source need not show all of its records
    MARK = "mark"  # it is marked as missing, and never removed
    DELETE = "delete"
    """It is missing, and gone once ``cancel_after`` has passed and two fetches agreed; its record is kept."""


class RecordSettings(Value):
    """The settings of a record's collection and source that the rules need."""

    preserve: tuple[str, ...] = ()
    array_keys: Mapping[str, str] = field(default_factory=dict)
    schema: Fields | None = None
    buckets: int = 1
    on_missing: OnMissing = OnMissing.KEEP
    volatile: tuple[str, ...] = ()
    """Fields whose changes alone are not a change."""
    schema_policy: SchemaPolicy = SchemaPolicy.HOLD


def read_record_settings(settings: Fields) -> RecordSettings:
    """Return the record's part of a source's settings: its own, and :func:`copy_collection` as ``collection``."""
    collection = settings.get("collection") or {}
    return RecordSettings(
        preserve=tuple(collection.get("preserve", ())),
        array_keys=collection.get("array_keys", {}),
        schema=collection.get("schema"),
        buckets=collection.get("buckets", 1),
        on_missing=OnMissing(settings.get("on_missing", OnMissing.KEEP)),
        volatile=tuple(settings.get("volatile") or ()),
        schema_policy=SchemaPolicy(collection.get("schema_policy", SchemaPolicy.HOLD)),
    )


def copy_collection(collection: Collection) -> dict[str, Json]:
    """Return the copy of a collection in its sources' settings: a sync then need not read the collection."""
    values = {
        "preserve": list(collection.preserve),
        "array_keys": dict(collection.array_keys),
        "schema": collection.schema,
        "buckets": collection.buckets if collection.buckets != 1 else None,
        "interval": int(collection.interval.total_seconds()) if collection.interval else None,
        "schema_policy": collection.schema_policy if collection.schema_policy != SchemaPolicy.HOLD else None,
    }
    return {name: value for name, value in values.items() if value}


def settings_of(collection: Collection, on_missing: OnMissing = OnMissing.KEEP) -> RecordSettings:
    """Return the settings that the rules need of a collection."""
    return read_record_settings({"collection": copy_collection(collection), "on_missing": str(on_missing)})


# ── where records are stored ──


def scopes_of(name: CollectionName, buckets: int = 1) -> tuple[Scope, ...]:
    """Return every scope of a collection's records, in order."""
    return (Scope(name),) if buckets == 1 else tuple(Scope(f"{name}~{n}") for n in range(buckets))


def places_of(source: Source) -> list[tuple[CollectionName, Scope]]:
    """Return every collection and scope in which a source's records are stored."""
    if unit_of(source) is not None:
        return [(source.collection, source.scope)]
    copies = source.settings.get("collections") or {str(source.collection): source.settings.get("collection") or {}}
    names = ((CollectionName(name), copy.get("buckets", 1)) for name, copy in copies.items())
    return [(name, scope) for name, buckets in names for scope in scopes_of(name, buckets)]


def source_scopes(source: Source) -> tuple[Scope, ...]:
    """Return the scopes of a source's records in its own collection."""
    return tuple(scope for name, scope in places_of(source) if name == source.collection)


def unit_of(source: Source) -> str | None:
    """Return the unit that a source belongs to; None if it feeds a collection."""
    return None if source.scope == Scope(source.collection) else str(source.scope)


def make_id(name: CollectionName, key: str, buckets: int = 1) -> RecordId:
    """Return the id of the collection's record with this *key*.

    >>> make_id(CollectionName("clients"), "7"), make_id(CollectionName("clients"), "a.b/c")
    ('clients.7', 'clients.a=2Eb=2Fc')
    """
    if buckets == 1:
        return make_record_id(Scope(name), _escape_key(key))
    scopes = scopes_of(name, buckets)
    number = int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:4], "big") % buckets
    return make_record_id(scopes[number], _escape_key(key))


def _escape_key(key: str) -> str:
    """Return *key* as letters, digits, ``-``, ``_`` and ``=XX`` for other bytes; a long one as ``=h`` and its hash."""
    if len(key) <= MAX_SUFFIX_LENGTH and _SAFE_KEY.fullmatch(key):
        return key
    raw = key.encode("utf-8", "surrogatepass")
    safe = "".join(chr(b) if (chr(b).isalnum() and b < 128) or b in b"-_" else f"={b:02X}" for b in raw)
    return safe if len(safe) <= MAX_SUFFIX_LENGTH else f"=h{hashlib.sha256(raw).hexdigest()}"


def write_key(value: Any) -> str | None:
    """Return the key for a source's own id; None for a value that cannot be one (null, a boolean, an object, empty).

    >>> write_key(7), write_key("7"), write_key(7.0), write_key(""), write_key(None)
    ('7', '7', '7', None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    key = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    return key if 0 < len(key) <= MAX_KEY_LENGTH else None


# ── what may be declared ──


def read_collection_name(value: Any) -> CollectionName:
    """Return a collection's name; raises InputError, as all of these do."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise InputError("a collection's name has 1 to 60 small letters, digits, - or _, a letter first", code="bad-field")
    if value in BUILT_IN:
        raise InputError(f"{value} are built in; choose another name", code="bad-field")
    return CollectionName(value)


def read_paths(value: Any) -> tuple[str, ...]:
    """Return paths of fields: names, with dots that lead into objects."""
    paths = value.split(",") if isinstance(value, str) else value
    if not isinstance(paths, (list, tuple)) or len(paths) > MAX_PATHS:
        raise InputError("not a list of fields", code="bad-field")
    return tuple(dict.fromkeys(_read_path(path) for path in paths))


def _read_path(value: Any) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not _PATH.fullmatch(text):
        raise InputError("not a field; write its name, with dots that lead into objects", code="bad-field")
    return text


def read_array_keys(value: Any) -> dict[str, str]:
    """Return arrays by their path, with the field that identifies their items."""
    if not isinstance(value, Mapping) or len(value) > MAX_PATHS:
        raise InputError("not a mapping of arrays to the field that identifies their items", code="bad-field")
    return {_read_path(path): _read_path(key) for path, key in value.items()}


def read_buckets(value: Any) -> int:
    """Return the number of partitions over which records are spread."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_BUCKETS:
        raise InputError(f"buckets must be 1 to {MAX_BUCKETS}", code="bad-field")
    return value


def read_on_missing(value: Any) -> str:
    """Return what happens to records that a source no longer shows."""
    if value not in tuple(OnMissing):
        raise InputError(f"must be one of {', '.join(OnMissing)}", code="bad-field")
    return str(value)


def read_schema_policy(value: Any) -> str:
    """Return what happens where a field vanishes or changes its type in most records at once; None: held."""
    if value is None:
        return str(SchemaPolicy.HOLD)
    if value not in tuple(SchemaPolicy):
        raise InputError(f"must be one of {', '.join(SchemaPolicy)}", code="bad-field")
    return str(value)


def read_schema(value: Any) -> Fields | None:
    """Return a valid JSON Schema (2020-12) of limited size; None and an empty one: any object."""
    if value is None or value == {} or value is True:
        return None
    if not isinstance(value, Mapping):
        raise InputError("not a JSON Schema: not an object", code="bad-field")
    try:
        size = len(json.dumps(value))
    except (TypeError, ValueError, RecursionError):
        raise InputError("not a JSON Schema: not JSON", code="bad-field") from None
    if size > MAX_SCHEMA_BYTES:
        raise InputError(f"the schema is larger than {MAX_SCHEMA_BYTES} bytes", code="bad-field")
    from bokit.core.model.json_schema import check_schema

    check_schema(value)
    return dict(value)


def read_interval(value: Any) -> timedelta | None:
    """Return how often a collection's sources are synced; None and an empty text: the tenant's interval."""
    from bokit.core.model.limits import MIN_INTERVAL_SECONDS
    from bokit.core.model.options import read_seconds

    if isinstance(value, timedelta):
        value = int(value.total_seconds())
    return None if value in (None, "") else timedelta(seconds=read_seconds(value, least=MIN_INTERVAL_SECONDS))


COLLECTION_READERS = {
    "name": read_collection_name,
    "preserve": read_paths,
    "array_keys": read_array_keys,
    "schema": read_schema,
    "buckets": read_buckets,
    "interval": read_interval,
    "schema_policy": read_schema_policy,
}


class CollectionDocument(TypedDict):
    """A collection: records of one type."""

    name: str
    preserve: Annotated[list[str], "Fields that keep the value they have."]
    array_keys: Annotated[dict[str, str], "By which field the items of an array are merged."]
    schema: Annotated[dict[str, Json] | None, "The JSON Schema that records must match."]
    buckets: Count
    interval: Annotated[Count | None, "Seconds between two syncs; null: the tenant's."]
    schema_policy: Annotated[
        str, "What happens where a field vanishes or changes its type in most records at once: hold, follow, stop."
    ]
    counts: NotRequired[Annotated[dict[str, Count], "Number of records; only where asked for."]]


def describe_collection(collection: Collection, counts: Mapping[str, int] | None = None) -> CollectionDocument:
    """Return a collection's document."""
    doc: CollectionDocument = {
        "name": collection.name,
        "preserve": list(collection.preserve),
        "array_keys": dict(collection.array_keys),
        "schema": None if collection.schema is None else dict(collection.schema),
        "buckets": collection.buckets,
        "interval": None if collection.interval is None else int(collection.interval.total_seconds()),
        "schema_policy": collection.schema_policy,
    }
    return doc if counts is None else {**doc, "counts": dict(counts)}


def tables_of(source: Source) -> set[str]:
    """Return the names of a source's tables, their own and those given in its settings."""
    tables = source.settings.get("tables") or ()
    return {str(t[word]) for t in tables for word in ("name", "table") if t.get(word)}


def feeds(source: Source, name: str) -> bool:
    """Return whether a source feeds the collection."""
    return name in collections_of(source)


def fed_by_tables(source: Source) -> dict[str, str]:
    """Return the collection that each table of a source feeds, by the table's name."""
    tables = source.settings.get("tables") or ()
    return {str(t.get("name") or t["table"]): str(t.get("collection") or t["table"].rpartition(".")[2]) for t in tables}


def collections_of(source: Source) -> set[str]:
    """Return the collections that a source feeds: its own, or those of its tables."""
    return set(fed_by_tables(source).values()) or {str(source.collection)}
