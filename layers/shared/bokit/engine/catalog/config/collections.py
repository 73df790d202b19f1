"""Reads the config file's ``collections:`` and top-level ``sources:``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bokit.core.model.collections import COLLECTION_READERS
from bokit.core.model.records import CollectionName, Json
from bokit.engine.catalog.collection_sources import COMMON, fed_by, read_kind_settings
from bokit.engine.catalog.config.paths import error_at, read_at, read_mapping
from bokit.engine.catalog.fields import SOURCE_READERS, read_fields
from bokit.errors import BokitError, InputError

LoadFile = Callable[[str], object]
"""Returns the document in a file beside the config file, or raises InputError."""
COLLECTION_KEYS = ("name", "preserve", "array_keys", "schema", "buckets", "interval")


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSpec:
    """A collection as the file declares it."""

    path: str
    name: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSourceSpec:
    """A source of collections, as the file declares it."""

    path: str
    name: str
    values: Mapping[str, Any]
    settings: Mapping[str, Json]
    feeds: tuple[CollectionName, ...]


def read_collection_spec(document: object, path: str, load_file: LoadFile) -> CollectionSpec:
    """Return one collection; a schema that is text names a file beside this one."""
    values = dict(read_mapping(document, path, COLLECTION_KEYS))
    if "name" not in values:
        raise error_at(f"{path}.name", "missing")
    if isinstance(values.get("schema"), str):
        values["schema"] = read_at(f"{path}.schema", partial(load_file, values["schema"]))
    read: dict[str, Any] = {}
    for name, value in values.items():
        read |= read_at(f"{path}.{name}", partial(read_fields, {name: value}, COLLECTION_READERS))
    return CollectionSpec(path=path, name=read["name"], values=read)


def read_collection_source(document: object, path: str) -> CollectionSourceSpec:
    """Return one source of collections."""
    if not isinstance(document, Mapping):
        raise error_at(path, f"not a mapping; it has {', '.join(COMMON)}, and what its kind asks for")
    kind = document.get("kind")
    read: dict[str, Any] = {}
    for name in COMMON:
        if name in document:
            read |= read_at(f"{path}.{name}", partial(read_fields, {name: document[name]}, SOURCE_READERS))
        elif name in ("name", "kind", "url"):
            raise error_at(f"{path}.{name}", "missing")
    others = {name: value for name, value in document.items() if name not in (*COMMON, "collection")}
    settings = _settings(str(kind), others, path)
    collection = document.get("collection")
    if collection is not None:
        read_at(f"{path}.collection", partial(read_fields, {"name": collection}, COLLECTION_READERS))
    feeds = tuple(fed_by(settings, collection))
    if not feeds:
        raise error_at(f"{path}.collection", "missing; write the collection that its records belong to")
    return CollectionSourceSpec(path=path, name=read["name"], values=read, settings=settings, feeds=feeds)


def _settings(kind: str, values: Mapping[str, Any], path: str) -> dict[str, Json]:
    """Return the kind's settings; the readers' errors begin with a path of their own."""
    try:
        return read_kind_settings(kind, values)
    except BokitError as error:
        raise InputError(f"{path}.{error.message}", code="bad-config") from None


def refuse_file(name: str) -> object:
    """Refuse to read any file: the document did not come from one."""
    raise InputError("not a JSON Schema; it is an object", code="bad-config")
