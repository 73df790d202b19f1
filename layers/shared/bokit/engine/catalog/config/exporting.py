"""Writes a config file: exactly what an import reads, without what is a default."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any

from bokit.core.model.catalog import EndsOn
from bokit.core.model.records import Json
from bokit.engine.catalog.collection_sources import COMMON
from bokit.engine.catalog.config.file import COLLECTION_FIELDS, PLACE_FIELDS, SOURCE_FIELDS
from bokit.engine.catalog.config.spec import CollectionSourceSpec, Config, PropertySpec, Spec, UnitSpec

DEFAULTS: Mapping[str, object] = {
    "ends_on": EndsOn.DEPARTURE,
    "ignore_transparent": False,
    "enabled": True,
    "buckets": 1,
    "preserve": (),
    "array_keys": {},
    "schema_policy": "hold",
}
"""What is left out, beside null."""
JSON_DEFAULTS = {"id": "id", "on_missing": "keep"}
"""Settings that every JSON source has."""
_SPANS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def write_config(config: Config) -> dict[str, Json]:
    """Return the document that declares *config*, addresses and headers in clear."""
    top: dict[str, Json] = {
        "properties": [_write_property(p) for p in config.properties],
        "collections": [_write_fields(c, COLLECTION_FIELDS) for c in config.collections],
        "sources": [_write_collection_source(s) for s in config.sources],
    }
    return {name: items for name, items in top.items() if items}


def _write_property(spec: PropertySpec) -> dict[str, Json]:
    units = [_write_unit(spec.name, u) for u in spec.units]
    return {"name": spec.name, **_write_fields(spec, PLACE_FIELDS), **({"units": units} if units else {})}


def _write_unit(house: str, spec: UnitSpec) -> dict[str, Json]:
    parts = [name if of == house else {"property": of, "unit": name} for of, name in spec.parts or ()]
    sources = [_write_fields(s, SOURCE_FIELDS) for s in spec.sources]
    lists: dict[str, Json] = {"parts": parts, "sources": sources}
    return {"name": spec.name, **_write_fields(spec, PLACE_FIELDS), **{name: items for name, items in lists.items() if items}}


def _write_collection_source(spec: CollectionSourceSpec) -> dict[str, Json]:
    defaults = JSON_DEFAULTS if spec.values["kind"] == "json" else {}
    settings = {name: value for name, value in spec.settings.items() if name not in defaults or value != defaults[name]}
    own = {} if "tables" in settings else {"collection": str(spec.feeds[0])}
    return {**_write_fields(spec, COMMON), **own, **settings}


def _write_fields(spec: Spec, names: tuple[str, ...]) -> dict[str, Json]:
    values = {name: spec.values.get(name) for name in names}
    return {name: _write(value) for name, value in values.items() if value is not None and value != DEFAULTS.get(name)}


def _write(value: Any) -> Json:
    if isinstance(value, timedelta):
        return write_span(int(value.total_seconds()))
    if isinstance(value, (StrEnum, tuple)):
        return str(value) if isinstance(value, StrEnum) else list(value)
    return dict(value) if isinstance(value, Mapping) else value


def write_span(seconds: int) -> str:
    """Return a duration as files and people write it.

    >>> write_span(900), write_span(86_400), write_span(90), write_span(0)
    ('15m', '1d', '90s', '0s')
    """
    size, unit = next(s for s in _SPANS if seconds % s[0] == 0 and (seconds or s[0] == 1))
    return f"{seconds // size}{unit}"
