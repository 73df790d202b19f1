"""What a tenant has declared already, in the form in which a config file is read: each item with all of its fields."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from bokit.core.model.catalog import Collection, Property, Source, Unit, UnitId
from bokit.core.model.collections import COLLECTION_READERS, collections_of, unit_of
from bokit.core.model.full_names import Named
from bokit.core.model.records import CollectionName, TenantId
from bokit.core.tables.spec import LEFT, REMOVED
from bokit.engine.catalog.collection_sources import COMMON
from bokit.engine.catalog.config.file import PLACE_FIELDS, SOURCE_FIELDS
from bokit.engine.catalog.config.spec import CollectionSourceSpec, Config, PropertySpec, Spec, UnitName, UnitSpec
from bokit.engine.catalog.places import Catalog

N = TypeVar("N", bound=Named)
COPIES = ("collection", "collections", LEFT, REMOVED)
"""Settings of a source that no file has: copies of its collections, and its tables that are not in the file any more."""


def read_stored(catalog: Catalog, tenant: TenantId) -> Config:
    """Return everything that the tenant declares, removed sources left out; in the order of the names."""
    houses, units = catalog.list_properties(tenant), catalog.list_units(tenant)
    sources = _by_name(catalog.sources.list_sources(tenant))
    names = {p.id: p.name for p in houses}
    places: dict[UnitId, UnitName] = {u.id: (names[u.property_id], u.name) for u in units if u.property_id in names}
    of_unit: dict[str | None, list[Source]] = defaultdict(list)
    for source in sources:
        of_unit[unit_of(source)].append(source)
    of_house: dict[str, list[UnitSpec]] = defaultdict(list)
    for unit in _by_name(units):
        of_house[unit.property_id].append(_unit_spec(unit, places, of_unit[unit.id]))
    collections = sorted(catalog.collections.list_collections(tenant), key=lambda c: c.name)
    return Config(
        properties=tuple(_property_spec(p, of_house[p.id]) for p in _by_name(houses)),
        collections=tuple(_collection_spec(c) for c in collections),
        sources=tuple(_collection_source_spec(s) for s in of_unit[None]),
    )


def _by_name(items: Iterable[N]) -> list[N]:
    return sorted(items, key=lambda i: (i.name.casefold(), i.name, i.id))


def _property_spec(house: Property, units: Sequence[UnitSpec]) -> PropertySpec:
    values = {name: getattr(house, name) for name in PLACE_FIELDS}
    return PropertySpec(path=house.name, name=house.name, id=house.id, values=values, units=tuple(units))


def _unit_spec(unit: Unit, places: Mapping[UnitId, UnitName], sources: Sequence[Source]) -> UnitSpec:
    values = {name: getattr(unit, name) for name in PLACE_FIELDS}
    parts = tuple(places[part] for part in unit.parts if part in places)
    of_unit = tuple(_source_spec(s) for s in sources)
    return UnitSpec(path=unit.name, name=unit.name, id=unit.id, values=values, parts=parts, sources=of_unit)


def _source_spec(source: Source) -> Spec:
    values = {name: getattr(source, name) for name in SOURCE_FIELDS}
    return Spec(path=source.name, name=source.name, id=source.id, values=values)


def _collection_spec(collection: Collection) -> Spec:
    values = {name: getattr(collection, name) for name in COLLECTION_READERS}
    return Spec(path=collection.name, name=collection.name, id=collection.name, values=values)


def _collection_source_spec(source: Source) -> CollectionSourceSpec:
    values = {name: getattr(source, name) for name in COMMON}
    settings = {name: value for name, value in source.settings.items() if name not in COPIES}
    feeds = (source.collection, *sorted(CollectionName(c) for c in collections_of(source) if c != source.collection))
    left = tuple(source.settings.get(LEFT, ()))
    return CollectionSourceSpec(
        path=source.name, name=source.name, id=source.id, values=values, settings=settings, feeds=feeds, left=left
    )
