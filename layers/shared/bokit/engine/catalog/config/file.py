"""Reads the config file; an error begins with the path of what is wrong (``properties[0].units[1].name: …``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from bokit.core.model.collections import COLLECTION_READERS
from bokit.core.model.records import Json
from bokit.engine.catalog.collection_sources import COMMON, fed_by, read_kind_settings
from bokit.engine.catalog.config.spec import (
    CollectionSourceSpec,
    Config,
    PropertySpec,
    Spec,
    UnitName,
    UnitSpec,
    error_at,
    reach_parts,
    read_at,
    read_fields_at,
    read_list,
    read_mapping,
)
from bokit.engine.catalog.fields import PLACE_READERS, SOURCE_READERS, read_fields, read_name
from bokit.errors import BokitError, InputError

LoadFile = Callable[[str], object]
"""Returns the document in a file beside the config file, or raises InputError."""
SOURCE_FIELDS = (
    "name",
    "kind",
    "url",
    "platform",
    "interval",
    "cancel_after",
    "timezone",
    "ends_on",
    "ignore_transparent",
    "enabled",
)
COLLECTION_FIELDS = ("name", "preserve", "array_keys", "schema", "buckets", "interval", "schema_policy")
PLACE_FIELDS = ("timezone", "turnover_days", "check_in_time", "check_out_time", "cleaning_minutes")
PROPERTY_KEYS = ("name", *PLACE_FIELDS, "units")
UNIT_KEYS = ("name", *PLACE_FIELDS, "parts", "sources")
PART_KEYS = ("property", "unit")
TOP_KEYS = ("properties", "collections", "sources")


def refuse_file(name: str) -> object:
    """Refuse to read any file: the document did not come from one."""
    raise InputError("not a JSON Schema; it is an object", code="bad-config")


def read_config(document: object, load_file: LoadFile = refuse_file) -> Config:
    """Return what the document declares."""
    top = read_mapping(document, "the file", TOP_KEYS)
    properties = read_list(top.get("properties"), "properties", _read_property)
    collections = read_list(top.get("collections"), "collections", partial(_read_collection, load_file=load_file))
    sources = read_list(top.get("sources"), "sources", _read_collection_source)
    for specs in (properties, collections, sources):
        _refuse_twins(specs)
    config = Config(properties=properties, collections=collections, sources=sources)
    _check_parts(config)
    return config


# ── properties, units and their sources ──


def _read_property(document: object, path: str) -> PropertySpec:
    values = read_mapping(document, path, PROPERTY_KEYS)
    name = _name(values, path)
    units = read_list(values.get("units"), f"{path}.units", partial(_read_unit, house=name))
    _refuse_twins(units)
    place = read_fields_at(path, values, PLACE_FIELDS, PLACE_READERS)
    return PropertySpec(path=path, name=name, values=place, units=units)


def _read_unit(document: object, path: str, house: str) -> UnitSpec:
    values = read_mapping(document, path, UNIT_KEYS)
    sources = read_list(values.get("sources"), f"{path}.sources", _read_source)
    _refuse_twins(sources)
    read_part = partial(_read_part, house=house)
    parts = read_list(values["parts"], f"{path}.parts", read_part) if "parts" in values else None
    place = read_fields_at(path, values, PLACE_FIELDS, PLACE_READERS)
    return UnitSpec(path=path, name=_name(values, path), values=place, parts=parts, sources=sources)


def _read_part(document: object, path: str, house: str) -> UnitName:
    """Return a linked unit: of the same property by its name, of another as ``{property: …, unit: …}``."""
    if not isinstance(document, Mapping):
        return house, read_at(path, lambda: read_name(document))
    names = read_mapping(document, path, PART_KEYS, required=PART_KEYS)
    of_house, of_unit = (read_at(f"{path}.{key}", partial(read_name, names[key])) for key in PART_KEYS)
    return of_house, of_unit


def _read_source(document: object, path: str) -> Spec:
    values = read_mapping(document, path, SOURCE_FIELDS)
    read = {"kind": "ical", **read_fields_at(path, values, list(values), SOURCE_READERS)}
    if "url" not in read:
        raise error_at(f"{path}.url", "missing; write https://… or secret:<name of a secret>")
    return Spec(path=path, name=_name(values, path), values=read)


def _name(values: Mapping[str, Any], path: str) -> str:
    if "name" not in values:
        raise error_at(f"{path}.name", "missing")
    return read_at(f"{path}.name", lambda: read_name(values["name"]))


def _check_parts(config: Config) -> None:
    """Refuse parts that the file does not declare, and units that are parts of themselves."""
    parts = {(p.name, u.name): u.parts or () for p in config.properties for u in p.units}
    for spec in config.properties:
        for unit in spec.units:
            for number, (house, name) in enumerate(unit.parts or ()):
                if (house, name) not in parts:
                    where = "this property" if house == spec.name else f"property {house!r}"
                    raise error_at(f"{unit.path}.parts[{number}]", f"no unit of {where} is named {name!r} in this file")
            if (spec.name, unit.name) in reach_parts(parts, (spec.name, unit.name)):
                raise error_at(f"{unit.path}.parts", "a unit cannot be a part of itself")


def _refuse_twins(specs: Sequence[Spec]) -> None:
    seen: set[str] = set()
    for spec in specs:
        if spec.name in seen:
            raise error_at(f"{spec.path}.name", "the same name twice; names identify what exists already")
        seen.add(spec.name)


# ── collections and their sources ──


def _read_collection(document: object, path: str, load_file: LoadFile) -> Spec:
    """Return one collection; a schema that is text names a file beside this one."""
    values = dict(read_mapping(document, path, COLLECTION_FIELDS, required=("name",)))
    if isinstance(values.get("schema"), str):
        values["schema"] = read_at(f"{path}.schema", partial(load_file, values["schema"]))
    read = read_fields_at(path, values, list(values), COLLECTION_READERS)
    return Spec(path=path, name=read["name"], values=read)


def _read_collection_source(document: object, path: str) -> CollectionSourceSpec:
    if not isinstance(document, Mapping):
        raise error_at(path, f"not a mapping; it has {', '.join(COMMON)}, and what its kind asks for")
    for name in ("name", "kind", "url"):
        if name not in document:
            raise error_at(f"{path}.{name}", "missing")
    read = read_fields_at(path, document, COMMON, SOURCE_READERS)
    others = {name: value for name, value in document.items() if name not in (*COMMON, "collection")}
    settings, collection = _read_settings(str(document["kind"]), others, path), document.get("collection")
    if collection is not None:
        read_at(f"{path}.collection", partial(read_fields, {"name": collection}, COLLECTION_READERS))
    feeds = tuple(fed_by(settings, collection))
    if not feeds:
        raise error_at(f"{path}.collection", "missing; write the collection that its records belong to")
    return CollectionSourceSpec(path=path, name=read["name"], values=read, settings=settings, feeds=feeds)


def _read_settings(kind: str, values: Mapping[str, Any], path: str) -> dict[str, Json]:
    """Return the kind's settings; the readers' errors begin with a path of their own."""
    try:
        return read_kind_settings(kind, values)
    except BokitError as error:
        raise InputError(f"{path}.{error.message}", code="bad-config") from None
