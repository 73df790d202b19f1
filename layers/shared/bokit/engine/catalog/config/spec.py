"""What a config file declares, and how its values are read: every error begins with the path of what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

from bokit.core.model.records import CollectionName, Fields
from bokit.engine.catalog.fields import read_fields
from bokit.engine.catalog.limits import MAX_CONFIG_ITEMS
from bokit.errors import BokitError, InputError
from bokit.values import Value

T = TypeVar("T")
ItemKind = Literal["property", "unit", "source", "table", "collection"]
Key = tuple[ItemKind, tuple[str, ...]]
"""An item's kind, and its names from the property down."""
Readers = Mapping[str, Callable[[Any], Any]]
UnitName = tuple[str, str]
"""A property's name, and its unit's."""


class Spec(Value):
    """One declared item: a source of a unit, a collection, or what the classes below add to it."""

    path: str
    name: str
    values: Mapping[str, Any]
    """Its fields, in their types."""
    id: str | None = None
    """Of what is stored; None: read in a file."""


class UnitSpec(Spec):
    """A unit."""

    parts: tuple[UnitName, ...] | None = None
    """Linked units; None: not given."""
    sources: tuple[Spec, ...] = ()


class PropertySpec(Spec):
    """A property."""

    units: tuple[UnitSpec, ...] = ()


class CollectionSourceSpec(Spec):
    """A source of collections."""

    settings: Fields
    feeds: tuple[CollectionName, ...]
    left: tuple[Fields, ...] = ()
    """Of what is stored: tables that are not in the file any more."""


class Config(Value):
    """Everything that a file declares."""

    properties: tuple[PropertySpec, ...] = ()
    collections: tuple[Spec, ...] = ()
    sources: tuple[CollectionSourceSpec, ...] = ()


class Item(Value, kw_only=False):
    """One declared item, with the values that are compared."""

    key: Key
    spec: Spec
    values: Mapping[str, Any]
    settings: Mapping[str, Any] | None = None
    """Of a source of collections: compared as a whole: what the file leaves out goes."""


def read_mapping(document: object, path: str, known: Sequence[str], required: Sequence[str] = ()) -> Mapping[str, Any]:
    """Return *document*; raise InputError unless it is a mapping of *known* keys, with those *required*."""
    if not isinstance(document, Mapping):
        raise error_at(path, f"not a mapping; it has {', '.join(known)}")
    for name in document:
        if name not in known:
            raise error_at(path, f"unknown key {name!r}; it has {', '.join(known)}")
    for name in required:
        if name not in document:
            raise error_at(f"{path}.{name}", "missing")
    return document


def read_list(document: object, path: str, read: Callable[[object, str], T]) -> tuple[T, ...]:
    """Return what *read* makes of each item of a list; None is an empty one."""
    if document is None:
        return ()
    if not isinstance(document, list):
        raise error_at(path, "not a list")
    if len(document) > MAX_CONFIG_ITEMS:
        raise error_at(path, f"a list of more than {MAX_CONFIG_ITEMS} items")
    return tuple(read(item, f"{path}[{number}]") for number, item in enumerate(document))


def read_fields_at(path: str, values: Mapping[str, Any], names: Sequence[str], readers: Readers) -> dict[str, Any]:
    """Return those of *values* that *names* lists, in their types."""
    read: dict[str, Any] = {}
    for name in (n for n in names if n in values):
        read |= read_at(f"{path}.{name}", partial(read_fields, {name: values[name]}, readers))
    return read


def read_at(path: str, read: Callable[[], T]) -> T:
    """Return what *read* returns; its errors begin with *path*."""
    try:
        return read()
    except BokitError as error:
        raise error_at(path, error.message) from None


def error_at(path: str, what: str) -> InputError:
    """Return the error of the value at *path*."""
    return InputError(f"{path}: {what}", code="bad-config")


def reach_parts(parts: Mapping[UnitName, Sequence[UnitName]], unit: UnitName) -> set[UnitName]:
    """Return a unit's parts, their parts, and so on."""
    reached: set[UnitName] = set()
    waiting = list(parts[unit])
    while waiting:
        if (part := waiting.pop()) not in reached:
            reached.add(part)
            waiting += parts.get(part, ())
    return reached
