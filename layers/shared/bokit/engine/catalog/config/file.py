"""Reads the config file; an error begins with the path of what is wrong (``properties[0].units[1].name: …``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from bokit.engine.catalog.config.collections import (
    CollectionSourceSpec,
    CollectionSpec,
    LoadFile,
    read_collection_source,
    read_collection_spec,
    refuse_file,
)
from bokit.engine.catalog.config.paths import error_at, read_at, read_mapping
from bokit.engine.catalog.fields import PLACE_READERS, SOURCE_READERS, read_fields, read_name

T = TypeVar("T")
SOURCE_FIELDS = ("name", "kind", "url", "platform", "interval", "cancel_after", "timezone", "enabled")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """A source as the file declares it; *values* holds what it says, in its types."""

    path: str
    name: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSpec:
    """A unit as the file declares it."""

    path: str
    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[str, ...] | None = None
    """Names of linked units; None: not given."""
    sources: tuple[SourceSpec, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertySpec:
    """A property as the file declares it."""

    path: str
    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    units: tuple[UnitSpec, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that a file declares."""

    properties: tuple[PropertySpec, ...] = ()
    collections: tuple[CollectionSpec, ...] = ()
    sources: tuple[CollectionSourceSpec, ...] = ()


def read_config(document: object, load_file: LoadFile = refuse_file) -> Config:
    """Return what the document declares; raise InputError that begins with the path of what is wrong."""
    top = read_mapping(document, "the file", ("properties", "collections", "sources"))
    properties = _each(top.get("properties"), "properties", _read_property)
    collections = _each(top.get("collections"), "collections", partial(read_collection_spec, load_file=load_file))
    sources = _each(top.get("sources"), "sources", read_collection_source)
    for specs in (properties, collections, sources):
        _refuse_twins(specs)
    config = Config(properties=properties, collections=collections, sources=sources)
    _check_parts(config)
    return config


def _read_property(document: object, path: str) -> PropertySpec:
    values = read_mapping(document, path, ("name", "timezone", "turnover_days", "units"))
    units = _each(values.get("units"), f"{path}.units", _read_unit)
    _refuse_twins(units)
    return PropertySpec(path=path, name=_name(values, path), values=_place(values, path), units=units)


def _read_unit(document: object, path: str) -> UnitSpec:
    values = read_mapping(document, path, ("name", "timezone", "turnover_days", "parts", "sources"))
    sources = _each(values.get("sources"), f"{path}.sources", _read_source)
    _refuse_twins(sources)
    parts = _each(values["parts"], f"{path}.parts", _read_part) if "parts" in values else None
    return UnitSpec(path=path, name=_name(values, path), values=_place(values, path), parts=parts, sources=sources)


def _read_part(document: object, path: str) -> str:
    return read_at(path, lambda: read_name(document))


def _read_source(document: object, path: str) -> SourceSpec:
    values = read_mapping(document, path, SOURCE_FIELDS)
    read: dict[str, Any] = {"kind": "ical"}
    for name, value in values.items():
        read |= read_at(f"{path}.{name}", partial(read_fields, {name: value}, SOURCE_READERS))
    if "url" not in read:
        raise error_at(f"{path}.url", "missing; write https://… or secret:<name of a secret>")
    return SourceSpec(path=path, name=_name(values, path), values=read)


def _check_parts(config: Config) -> None:
    """Refuse parts that are not units of the same property, and units that are parts of themselves."""
    for spec in config.properties:
        parts = {u.name: u.parts or () for u in spec.units}
        for unit in spec.units:
            for number, name in enumerate(unit.parts or ()):
                if name not in parts:
                    raise error_at(f"{unit.path}.parts[{number}]", f"no unit of this property is named {name!r}")
            if unit.name in _reach(parts, unit.name):
                raise error_at(f"{unit.path}.parts", "a unit cannot be a part of itself")


def _reach(parts: Mapping[str, Sequence[str]], name: str) -> set[str]:
    reached: set[str] = set()
    waiting = list(parts[name])
    while waiting:
        if (part := waiting.pop()) not in reached:
            reached.add(part)
            waiting += parts.get(part, ())
    return reached


def _refuse_twins(specs: Sequence[PropertySpec | UnitSpec | SourceSpec | CollectionSpec | CollectionSourceSpec]) -> None:
    seen: set[str] = set()
    for spec in specs:
        if spec.name in seen:
            raise error_at(f"{spec.path}.name", "the same name twice; names identify what exists already")
        seen.add(spec.name)


def _each(document: object, path: str, read: Callable[[object, str], T]) -> tuple[T, ...]:
    if document is None:
        return ()
    if not isinstance(document, list):
        raise error_at(path, "not a list")
    return tuple(read(item, f"{path}[{number}]") for number, item in enumerate(document))


def _name(values: Mapping[str, Any], path: str) -> str:
    if "name" not in values:
        raise error_at(f"{path}.name", "missing")
    return read_at(f"{path}.name", lambda: read_name(values["name"]))


def _place(values: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the fields of a property or unit besides its name."""
    read: dict[str, Any] = {}
    for name in ("timezone", "turnover_days"):
        if name in values:
            read |= read_at(f"{path}.{name}", partial(read_fields, {name: values[name]}, PLACE_READERS))
    return read
