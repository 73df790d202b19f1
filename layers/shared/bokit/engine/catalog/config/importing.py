"""Declares what a config file says; what exists and is the same stays untouched, nothing is removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from bokit.core.model.catalog import Collection, Property, PropertyId, Source, Unit, UnitId
from bokit.core.model.collections import unit_of
from bokit.core.model.quotas import QuotaName, QuotaOwner, day_of
from bokit.core.model.records import Json, TenantId
from bokit.engine.base.lookup import Named
from bokit.engine.base.tenant_options import check_interval, load_options
from bokit.engine.catalog.collection_sources import declare_source
from bokit.engine.catalog.config.spec import CollectionSourceSpec, Config, PropertySpec, Spec, UnitSpec
from bokit.engine.catalog.places import Catalog
from bokit.engine.catalog.sources import SECRET
from bokit.errors import InputError

T = TypeVar("T")
D = TypeVar("D", Property, Unit, Source)


@dataclass(slots=True)
class ImportResult:
    """What an import added, changed and left unchanged."""

    added: list[dict[str, Json]] = field(default_factory=list)
    changed: list[dict[str, Json]] = field(default_factory=list)
    unchanged: list[dict[str, Json]] = field(default_factory=list)

    def note(self, kind: str, before: object, after: Named | Collection) -> None:
        """Note what became of one item; *before*: None where it is new."""
        place = self.added if before is None else self.unchanged if before == after else self.changed
        place.append(_line(kind, after))

    def note_linked(self, unit: Unit) -> None:
        """Note that a unit's parts changed, after the unit itself was noted."""
        line = _line("unit", unit)
        if line in self.unchanged:
            self.unchanged.remove(line)
            self.changed.append(line)

    def as_dict(self) -> dict[str, list[dict[str, Json]]]:
        """Return it as `config import --json` prints it."""
        return {"added": self.added, "changed": self.changed, "unchanged": self.unchanged}


def import_config(catalog: Catalog, tenant: TenantId, config: Config) -> ImportResult:
    """Declare all of *config*; every source is checked before anything is written."""
    return _Import(catalog, tenant, config).run()


class _Import:
    def __init__(self, catalog: Catalog, tenant: TenantId, config: Config) -> None:
        self.catalog, self.tenant, self.config, self.result = catalog, tenant, config, ImportResult()

    def run(self) -> ImportResult:
        self._check_sources()
        self._check_quotas()
        for spec in self.config.properties:
            self._import_property(spec)
        for collection in self._all_collections():
            self._import_collection(collection)
        for source in self.config.sources:
            self._import_collection_source(source)
        return self.result

    def _check_sources(self) -> None:
        """Refuse unknown kinds, URLs that are never fetched, and the same URL twice, before anything is written."""
        urls: dict[tuple[str, str], str] = {}
        specs: list[tuple[Spec, str]] = []
        specs += [(source, "") for p in self.config.properties for u in p.units for source in u.sources]
        specs += [(source, source.feeds[0]) for source in self.config.sources]
        for spec, collection in specs:
            kind, url = spec.values["kind"], spec.values["url"]
            if kind not in self.catalog.parts.kinds:
                raise InputError(f"{spec.path}.kind: sources of this kind are not synced here", code="bad-config", kind=kind)
            if (url, collection) in urls:
                raise InputError(f"{spec.path}.url: the same URL as {urls[url, collection]}", code="bad-config")
            urls[url, collection] = spec.path
            if not url.startswith(SECRET):
                check = self.catalog.parts.kinds[kind].check_url or self.catalog.parts.check_url
                _at(f"{spec.path}.url", partial(check, url))

    def _check_quotas(self) -> None:
        """Raise QuotaError where the file declares more than the tenant and the stack may have, and a short interval's error.

        Others may add something meanwhile: what is added counts for itself, and an import can be run again.
        """
        store, options = self.catalog.store, load_options(self.catalog.store, self.tenant, self.catalog.parts.defaults)
        for spec in [
            *self.config.collections,
            *self.config.sources,
            *(s for p in self.config.properties for u in p.units for s in u.sources),
        ]:
            _at(f"{spec.path}.interval", partial(check_interval, spec.values.get("interval"), options))
        day, more = day_of(self.catalog.clock()), self._count_new()
        for owner, tenant in ((QuotaOwner.TENANT, self.tenant), (QuotaOwner.STACK, None)):
            used = store.load_usage(tenant, day)
            for counted, new in more.items():
                store.quotas.check(owner, counted, used[counted], new)

    def _count_new(self) -> dict[QuotaName, int]:
        """Return how many units and sources of the file are not there yet."""
        names = {p.id: p.name for p in self.catalog.list_properties(self.tenant)}
        units = {u.id: (names.get(u.property_id, ""), u.name) for u in self.catalog.list_units(self.tenant)}
        known = self.catalog.sources.list_sources(self.tenant)
        sources = {(*units.get(UnitId(s.scope), ()), s.name) if unit_of(s) else (s.name,) for s in known}
        declared = {(p.name, u.name): u for p in self.config.properties for u in p.units}
        wanted = {(*place, s.name) for place, u in declared.items() for s in u.sources} | {(s.name,) for s in self.config.sources}
        return {
            QuotaName.UNITS: len(declared.keys() - set(units.values())),
            QuotaName.SOURCES: len(wanted - sources),
        }

    # ── properties, units and their sources ──

    def _import_property(self, spec: PropertySpec) -> None:
        catalog, tenant = self.catalog, self.tenant
        before = next((p for p in catalog.list_properties(tenant) if p.name == spec.name), None)
        add = partial(catalog.add_property, tenant, {**spec.values, "name": spec.name})
        after = self._declare("property", spec, before, add, partial(catalog.edit_property, tenant))
        units = [self._import_unit(after.id, unit) for unit in spec.units]
        by_name = {u.name: u.id for u in catalog.list_units(tenant, after.id)}
        for unit, unit_spec in zip(units, spec.units, strict=True):
            self._link_parts(unit, unit_spec, by_name)

    def _import_unit(self, property_id: PropertyId, spec: UnitSpec) -> Unit:
        catalog, tenant = self.catalog, self.tenant
        before = next((u for u in catalog.list_units(tenant, property_id) if u.name == spec.name), None)
        add = partial(catalog.add_unit, tenant, property_id, {**spec.values, "name": spec.name})
        after = self._declare("unit", spec, before, add, partial(catalog.edit_unit, tenant))
        for source in spec.sources:
            self._import_source(after.id, source)
        return after

    def _import_source(self, unit_id: UnitId, spec: Spec) -> None:
        sources, tenant = self.catalog.sources, self.tenant
        before = next((s for s in sources.list_sources(tenant) if unit_of(s) == unit_id and s.name == spec.name), None)
        add = partial(sources.add, tenant, unit_id, spec.values)
        self._declare("source", spec, before, add, partial(sources.edit, tenant))

    def _declare(
        self, kind: str, spec: Spec, before: D | None, add: Callable[[], D], edit: Callable[[Any, Mapping[str, Any]], D]
    ) -> D:
        """Add an item, or edit it where there is one *before*; note what became of it."""
        after = _at(spec.path, add if before is None else partial(edit, before.id, spec.values))
        self.result.note(kind, before, after)
        return after

    def _link_parts(self, unit: Unit, spec: UnitSpec, by_name: dict[str, UnitId]) -> None:
        """Link a unit's parts once all units exist."""
        if spec.parts is None:
            return
        parts = [by_name[name] for name in spec.parts]
        if _at(f"{spec.path}.parts", lambda: self.catalog.edit_unit(unit.tenant, unit.id, {"parts": parts})) != unit:
            self.result.note_linked(unit)

    # ── collections and their sources ──

    def _all_collections(self) -> list[Spec]:
        """Return the collections that the file declares, and those that only its sources name."""
        declared = {c.name for c in self.config.collections}
        known = declared | {str(c.name) for c in self.catalog.collections.list_collections(self.tenant)}
        named = {str(name): source.path for source in self.config.sources for name in source.feeds if name not in known}
        implied = [Spec(path=path, name=name, values={"name": name}) for name, path in named.items()]
        return [*self.config.collections, *implied]

    def _import_collection(self, spec: Spec) -> None:
        collections, tenant = self.catalog.collections, self.tenant
        before = next((c for c in collections.list_collections(tenant) if c.name == spec.name), None)
        after = _at(spec.path, lambda: collections.declare(tenant, spec.values))
        self.result.note("collection", before, after)

    def _import_collection_source(self, spec: CollectionSourceSpec) -> None:
        catalog, tenant = self.catalog, self.tenant
        collections = [catalog.collections.find(tenant, name) for name in spec.feeds]
        declare = partial(declare_source, catalog.sources, tenant, spec.values, spec.settings, collections)
        before, after = _at(spec.path, declare)
        self.result.note("source", before, after)


def _line(kind: str, item: Named | Collection) -> dict[str, Json]:
    return {"kind": kind, "name": item.name, "id": item.name if isinstance(item, Collection) else item.id}


def _at(path: str, act: Callable[[], T]) -> T:
    """Return what *act* returns; its refusal begins with *path*, the place in the file."""
    try:
        return act()
    except InputError as error:
        raise InputError(f"{path}: {error.message}", code=error.stable_code, **error.facts) from None
