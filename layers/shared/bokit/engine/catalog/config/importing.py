"""Declares what a config file says; what exists and is the same stays untouched, and nothing is removed unless asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from bokit.core.model.catalog import Collection, Property, PropertyId, Source, Unit, UnitId
from bokit.core.model.collections import unit_of
from bokit.core.model.full_names import Named
from bokit.core.model.records import SourceId, TenantId
from bokit.engine.catalog.collection_sources import declare_source, find_fed
from bokit.engine.catalog.config.checks import at_path, check_config
from bokit.engine.catalog.config.planning import (
    ConfigItemDocument,
    ConfigPlanDocument,
    Difference,
    ImportPlan,
    compare_configs,
    describe_item,
    describe_left,
)
from bokit.engine.catalog.config.pruning import Pruning
from bokit.engine.catalog.config.spec import CollectionSourceSpec, Config, ItemKind, Key, PropertySpec, Spec, UnitName, UnitSpec
from bokit.engine.catalog.config.stored import read_stored
from bokit.engine.catalog.config.tables import keep_former_tables
from bokit.engine.catalog.places import Catalog
from bokit.errors import StateError

D = TypeVar("D", Property, Unit, Source)


@dataclass(slots=True)
class ImportResult:
    """What an import added, changed and left unchanged, and what became of that which is not in the file."""

    added: list[ConfigItemDocument] = field(default_factory=list)
    changed: list[ConfigItemDocument] = field(default_factory=list)
    unchanged: list[ConfigItemDocument] = field(default_factory=list)
    left: list[ConfigItemDocument] = field(default_factory=list)
    removed: list[ConfigItemDocument] = field(default_factory=list)
    kept: list[ConfigItemDocument] = field(default_factory=list)

    def note(self, difference: Difference, before: object, after: Named | Collection) -> None:
        """Note what became of one item; *before*: None where it is new."""
        is_same = before == after or not difference.fields  # what is kept of tables outside the file does not count
        place = self.added if before is None else self.unchanged if is_same else self.changed
        item_id = after.name if isinstance(after, Collection) else after.id
        place.append(describe_item(difference.item, item_id, difference.fields, difference.effects))

    def note_linked(self, unit: Unit) -> None:
        """Note that a unit's parts changed, after the unit itself was noted."""
        if line := next((doc for doc in self.unchanged if doc["id"] == unit.id), None):
            self.unchanged.remove(line)
            self.changed.append(line)

    def as_dict(self, *, dry_run: bool = False) -> ConfigPlanDocument:
        """Return it as `config import --json` prints it."""
        return {
            "dry_run": dry_run,
            "added": self.added,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "left": self.left,
            "removed": self.removed,
            "kept": self.kept,
        }


def plan_import(catalog: Catalog, tenant: TenantId, config: Config, *, prune: bool = False) -> ImportResult:
    """Return what :func:`import_config` would do, checked as it checks; nothing is written."""
    plan = _plan(catalog, tenant, config, prune=prune)
    result, freed = ImportResult(), _find_freed(catalog, tenant, plan)
    places = {"added": result.added, "changed": result.changed, "unchanged": result.unchanged}
    for difference in plan.differences:
        item_id = difference.stored.spec.id if difference.stored else None
        doc = describe_item(difference.item, item_id, difference.fields, difference.effects)
        nights = freed.get(difference.item.key)
        places[difference.outcome].append({**doc, "frees": nights} if nights else doc)
    pruning = Pruning(catalog, tenant, plan)
    if prune:
        pruning.foresee()
    return _with_left(result, plan, pruning, prune=prune)


def import_config(
    catalog: Catalog, tenant: TenantId, config: Config, *, prune: bool = False, release: bool = False, by: str = "config"
) -> ImportResult:
    """Declare all of *config*; every source is checked before anything is written. *prune*: remove what is not in it.

    Raises StateError where sources that move to other units free nights, unless a person said so by *release*.
    """
    plan = _plan(catalog, tenant, config, prune=prune)
    if not release and (nights := sum(_find_freed(catalog, tenant, plan).values())):
        raise StateError("sources that move would free nights; look at them, and confirm it", code="frees-nights", nights=nights)
    pruning = Pruning(catalog, tenant, plan)
    if prune:
        pruning.remove_sources(by)
    result = _Import(catalog, tenant, config, plan, by, prune=prune).run()
    if prune:
        pruning.remove_places()
    return _with_left(result, plan, pruning, prune=prune)


def _plan(catalog: Catalog, tenant: TenantId, config: Config, *, prune: bool) -> ImportPlan:
    plan = compare_configs(read_stored(catalog, tenant), config)
    check_config(catalog, tenant, config, plan, prune=prune)
    return plan


def _find_freed(catalog: Catalog, tenant: TenantId, plan: ImportPlan) -> dict[Key, int]:
    """Return how many nights to come each source that moves to another unit frees."""
    moved = {d.item.key: d.stored.spec.id for d in plan.differences if d.stored and d.moved_from and "unit" in d.fields}
    sources = {key: catalog.sources.load(tenant, SourceId(str(source_id))) for key, source_id in moved.items()}
    found = {key: len(catalog.parts.moves().find_freed(source)) for key, source in sources.items()}
    return {key: nights for key, nights in found.items() if nights}


def _with_left(result: ImportResult, plan: ImportPlan, pruning: Pruning, *, prune: bool) -> ImportResult:
    result.left = [] if prune else [describe_left(item, removed=False) for item in plan.left]
    result.removed, result.kept = pruning.removed, pruning.kept
    return result


class _Import:
    def __init__(self, catalog: Catalog, tenant: TenantId, config: Config, plan: ImportPlan, by: str, *, prune: bool) -> None:
        self.catalog, self.tenant, self.config, self.by, self.result = catalog, tenant, config, by, ImportResult()
        self.prune = prune
        self.differences = {d.item.key: d for d in plan.differences}
        self.units: dict[UnitName, Unit] = {}

    def run(self) -> ImportResult:
        for house in self.config.properties:
            self._import_property(house)
        linked = [(names, unit) for names, unit in self._all_units() if unit.parts is not None]
        for names, unit in linked:
            self._unlink_parts(names, unit)
        for names, unit in linked:
            self._link_parts(names, unit)
        for key, difference in self.differences.items():
            if key[0] == "collection":
                self._import_collection(difference.item.spec)
        for source in self.config.sources:
            self._import_collection_source(source)
        return self.result

    # ── properties, units and their sources ──

    def _import_property(self, spec: PropertySpec) -> None:
        catalog, tenant = self.catalog, self.tenant
        before = next((p for p in catalog.list_properties(tenant) if p.name == spec.name), None)
        add = partial(catalog.add_property, tenant, {**spec.values, "name": spec.name})
        key: Key = ("property", (spec.name,))
        after = self._declare(key, spec, before, add, partial(catalog.edit_property, tenant))
        for unit in spec.units:
            self.units[spec.name, unit.name] = self._import_unit(spec.name, after.id, unit)

    def _import_unit(self, house: str, property_id: PropertyId, spec: UnitSpec) -> Unit:
        catalog, tenant = self.catalog, self.tenant
        before = next((u for u in catalog.list_units(tenant) if u.id == self._stored_id("unit", (house, spec.name))), None)
        add = partial(catalog.add_unit, tenant, property_id, {**spec.values, "name": spec.name})

        def edit(unit_id: UnitId, values: Mapping[str, Any]) -> Unit:
            return catalog.edit_unit(tenant, unit_id, {**values, "property_id": property_id})

        after = self._declare(("unit", (house, spec.name)), spec, before, add, edit)
        for source in spec.sources:
            self._import_source((house, spec.name, source.name), after.id, source)
        return after

    def _import_source(self, names: tuple[str, ...], unit_id: UnitId, spec: Spec) -> None:
        sources, tenant = self.catalog.sources, self.tenant
        before = next((s for s in sources.list_sources(tenant) if s.id == self._stored_id("source", names)), None)
        add = partial(sources.add, tenant, unit_id, spec.values)

        def edit(source_id: SourceId, values: Mapping[str, Any]) -> Source:
            if before is None or unit_of(before) == unit_id:
                return sources.edit(tenant, source_id, values)
            return sources.move(tenant, source_id, unit_id, values, by=self.by, release=True)

        self._declare(("source", names), spec, before, add, edit)

    def _stored_id(self, kind: ItemKind, names: tuple[str, ...]) -> str | None:
        """Return the id of what is stored of an item; None: it is new."""
        stored = self.differences[kind, names].stored
        return stored.spec.id if stored else None

    def _declare(
        self, key: Key, spec: Spec, before: D | None, add: Callable[[], D], edit: Callable[[Any, Mapping[str, Any]], D]
    ) -> D:
        """Add an item, or edit it where there is one *before*; note what became of it."""
        after = at_path(spec.path, add if before is None else partial(edit, before.id, spec.values))
        self.result.note(self.differences[key], before, after)
        return after

    def _all_units(self) -> list[tuple[UnitName, UnitSpec]]:
        return [((house.name, unit.name), unit) for house in self.config.properties for unit in house.units]

    def _unlink_parts(self, names: UnitName, spec: UnitSpec) -> None:
        """Remove the parts that a unit loses, before any is added: a link may turn round."""
        unit, wanted = self.units[names], self._parts_of(spec)
        if set(unit.parts) - set(wanted):
            self._set_parts(names, spec, [part for part in unit.parts if part in wanted])

    def _link_parts(self, names: UnitName, spec: UnitSpec) -> None:
        """Link a unit's parts once all units exist."""
        self._set_parts(names, spec, self._parts_of(spec))

    def _set_parts(self, names: UnitName, spec: UnitSpec, parts: Sequence[UnitId]) -> None:
        unit = self.units[names]
        linked = at_path(f"{spec.path}.parts", partial(self.catalog.edit_unit, unit.tenant, unit.id, {"parts": list(parts)}))
        if linked != unit:
            self.result.note_linked(unit)

    def _parts_of(self, spec: UnitSpec) -> list[UnitId]:
        return [self.units[part].id for part in spec.parts or ()]

    # ── collections and their sources ──

    def _import_collection(self, spec: Spec) -> None:
        collections, tenant = self.catalog.collections, self.tenant
        before = next((c for c in collections.list_collections(tenant) if c.name == spec.name), None)
        after = at_path(spec.path, partial(collections.declare, tenant, spec.values))
        self.result.note(self.differences["collection", (spec.name,)], before, after)

    def _import_collection_source(self, spec: CollectionSourceSpec) -> None:
        catalog, tenant = self.catalog, self.tenant
        collections = [catalog.collections.find(tenant, name) for name in spec.feeds]
        stored, settings = find_fed(catalog.sources, tenant, spec.name), spec.settings
        if stored and "tables" in settings:
            settings = keep_former_tables(stored.settings, settings, prune=self.prune)
        declare = partial(declare_source, catalog.sources, tenant, spec.values, settings, collections)
        before, after = at_path(spec.path, declare)
        self.result.note(self.differences["source", (spec.name,)], before, after)
