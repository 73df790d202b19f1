"""Declare what a config file says; what is there already and the same stays untouched, nothing is removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from bokit.core.model.catalog import PropertyId, Unit, UnitId
from bokit.core.model.records import Json, Scope, TenantId
from bokit.engine.catalog.collection_sources import declare_source
from bokit.engine.catalog.config.collections import CollectionSpec, FeedSpec
from bokit.engine.catalog.config.file import Config, PropertySpec, SourceSpec, UnitSpec
from bokit.engine.catalog.parts import CatalogParts
from bokit.errors import InputError

if TYPE_CHECKING:
    from bokit.engine.catalog.places import Catalog

T = TypeVar("T")


@dataclass(slots=True)
class Imported:
    """What an import did, as ``kind name`` lines."""

    added: list[dict[str, Json]] = field(default_factory=list)
    changed: list[dict[str, Json]] = field(default_factory=list)
    unchanged: list[dict[str, Json]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Json]:
        """As `config import --json` tells it."""
        return {"added": self.added, "changed": self.changed, "unchanged": self.unchanged}


def import_config(catalog: Catalog, tenant: TenantId, config: Config) -> Imported:
    """Declare all of *config*; every source is judged before anything is written."""
    _check_sources(catalog.parts, config)
    done = Imported()
    for spec in config.properties:
        _import_property(catalog, tenant, spec, done)
    for collection in _all_collections(catalog, tenant, config):
        _import_collection(catalog, tenant, collection, done)
    for feed in config.sources:
        _import_feed(catalog, tenant, feed, done)
    return done


def _all_collections(catalog: Catalog, tenant: TenantId, config: Config) -> list[CollectionSpec]:
    """Return the collections that the file declares, and those that its sources name and nobody has declared."""
    known = {c.name for c in config.collections} | {str(c.name) for c in catalog.collections.list_collections(tenant)}
    named = {str(name): feed.path for feed in config.sources for name in feed.feeds if name not in known}
    implied = [CollectionSpec(path=path, name=name, values={"name": name}) for name, path in named.items()]
    return [*config.collections, *implied]


def _import_collection(catalog: Catalog, tenant: TenantId, spec: CollectionSpec, done: Imported) -> None:
    before = next((c for c in catalog.collections.list_collections(tenant) if c.name == spec.name), None)
    after = _at(spec.path, lambda: catalog.collections.declare(tenant, spec.values))
    told: dict[str, Json] = {"kind": "collection", "name": after.name, "id": after.name}
    place = done.added if before is None else done.unchanged if before == after else done.changed
    place.append(told)


def _import_feed(catalog: Catalog, tenant: TenantId, spec: FeedSpec, done: Imported) -> None:
    fed = [catalog.collections.find(tenant, name) for name in spec.feeds]
    before, after = _at(spec.path, lambda: declare_source(catalog.sources, tenant, spec.values, spec.settings, fed))
    _note(done, "source", before, after)


def _check_sources(parts: CatalogParts, config: Config) -> None:
    """Refuse kinds that are not synced here, URLs that are never fetched, and the same URL twice, before anything is written."""
    urls: dict[tuple[str, str], str] = {}
    specs: list[tuple[SourceSpec | FeedSpec, str]] = [(s, "") for p in config.properties for u in p.units for s in u.sources]
    specs += [(feed, feed.feeds[0]) for feed in config.sources]
    for source, feeds in specs:
        kind, url = source.values["kind"], source.values["url"]
        if kind not in parts.kinds:
            raise InputError(f"{source.path}.kind: sources of this kind are not synced here", code="bad-config", kind=kind)
        if (url, feeds) in urls:
            raise InputError(f"{source.path}.url: the same URL as {urls[url, feeds]}", code="bad-config")
        urls[url, feeds] = source.path
        if not url.startswith("secret:"):
            _at(f"{source.path}.url", partial(parts.kinds[kind].check_url or parts.check_url, url))


def _import_property(catalog: Catalog, tenant: TenantId, spec: PropertySpec, done: Imported) -> None:
    before = next((p for p in catalog.list_properties(tenant) if p.name == spec.name), None)
    if before is None:
        after = _at(spec.path, lambda: catalog.add_property(tenant, {**spec.values, "name": spec.name}))
    else:
        after = _at(spec.path, lambda: catalog.edit_property(tenant, before.id, spec.values))
    _note(done, "property", before, after)
    units = [_import_unit(catalog, tenant, after.id, unit, done) for unit in spec.units]
    by_name = {u.name: u.id for u in catalog.list_units(tenant, after.id)}
    for unit, unit_spec in zip(units, spec.units, strict=True):
        _link_parts(catalog, unit, unit_spec, by_name, done)


def _import_unit(catalog: Catalog, tenant: TenantId, property_id: PropertyId, spec: UnitSpec, done: Imported) -> Unit:
    before = next((u for u in catalog.list_units(tenant, property_id) if u.name == spec.name), None)
    if before is None:
        after = _at(spec.path, lambda: catalog.add_unit(tenant, property_id, {**spec.values, "name": spec.name}))
    else:
        after = _at(spec.path, lambda: catalog.edit_unit(tenant, before.id, spec.values))
    _note(done, "unit", before, after)
    for source in spec.sources:
        _import_source(catalog, tenant, after.id, source, done)
    return after


def _link_parts(catalog: Catalog, unit: Unit, spec: UnitSpec, by_name: dict[str, UnitId], done: Imported) -> None:
    """Link a unit's parts once all units are there; linking counts as a change of the unit."""
    if spec.parts is None:
        return
    wanted = [by_name[name] for name in spec.parts]
    after = _at(f"{spec.path}.parts", lambda: catalog.edit_unit(unit.tenant, unit.id, {"parts": wanted}))
    told = {"kind": "unit", "name": unit.name, "id": unit.id}
    if after != unit and told in done.unchanged:
        done.unchanged.remove(told)
        done.changed.append(told)


def _import_source(catalog: Catalog, tenant: TenantId, unit_id: UnitId, spec: SourceSpec, done: Imported) -> None:
    before = next((s for s in catalog.sources.list_sources(tenant) if s.scope == Scope(unit_id) and s.name == spec.name), None)
    if before is None:
        after = _at(spec.path, lambda: catalog.sources.add(tenant, unit_id, spec.values))
    else:
        after = _at(spec.path, lambda: catalog.sources.edit(tenant, before.id, spec.values))
    _note(done, "source", before, after)


def _note(done: Imported, kind: str, before: object, after: object) -> None:
    told: dict[str, Json] = {"kind": kind, "name": after.name, "id": after.id}  # type: ignore[attr-defined]
    place = done.added if before is None else done.unchanged if before == after else done.changed
    place.append(told)


def _at(path: str, do: Callable[[], T]) -> T:
    """Return what *do* does; a refusal is led by *path*, where in the file it comes from."""
    try:
        return do()
    except InputError as error:
        raise InputError(f"{path}: {error.message}", code=error.stable_code, **error.facts) from None
