"""What an owner declares: tenants, properties and units; sources and options hang on it as desks of their own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, Property, PropertyId, Tenant, Unit, UnitId
from bokit.core.model.records import Json, Scope, TenantId
from bokit.engine.base.lookup import Named, find_named
from bokit.engine.base.reconcile import ReconcileRequest
from bokit.engine.catalog.collections import CollectionService
from bokit.engine.catalog.fields import PLACE_READERS, read_fields, read_name
from bokit.engine.catalog.options import OptionService
from bokit.engine.catalog.parts import CatalogParts
from bokit.engine.catalog.sources import SourceService
from bokit.errors import InputError, StateError, UnknownIdError

if TYPE_CHECKING:
    from bokit.engine.catalog.config.file import Config
    from bokit.engine.catalog.config.importing import Imported


class Catalog:
    """Tenants, properties and units; ``sources`` and ``options`` are beside them."""

    def __init__(self, parts: CatalogParts) -> None:
        self.parts, self.store, self.clock, self.new_id = parts, parts.store, parts.clock, parts.new_id
        self.sources = SourceService(parts)
        self.options = OptionService(parts)
        self.collections = CollectionService(parts.store, parts.clock, self.sources)

    # ── tenants ──

    def list_tenants(self) -> Sequence[Tenant]:
        """Return every tenant, the default one included, in the order of their ids."""
        tenants = {t.id: t for t in (self._default_tenant(), *self.store.load_tenants())}
        return [tenants[id] for id in sorted(tenants)]

    def find_tenant(self, word: str) -> Tenant:
        """Return the tenant of this id or name; the default one is always there."""
        return find_named(self.list_tenants(), word, "tenant")

    def add_tenant(self, name: str, id: str | None = None) -> Tenant:
        """Add a tenant; *id*, where given, must be free."""
        name = read_fields({"name": name}, PLACE_READERS)["name"]
        if id is not None and not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", id):
            raise InputError("not a tenant's id; write 1 to 40 small letters, digits, - or _", code="bad-field", id=id)
        if any(t.id == id or t.name == name for t in self.list_tenants()):
            raise StateError("there is a tenant of this name or id already", code="duplicate", name=name)
        tenant = Tenant(id=TenantId(id or self.new_id("ten")), name=name, created_at=self.clock())
        self.store.save_tenant(tenant)
        return tenant

    def remove_tenant(self, tenant: TenantId) -> None:
        """Forget a tenant with all its data; refused while it has sources, so that no night is freed by mistake."""
        if self.sources.list_sources(tenant):
            raise StateError("the tenant has sources; remove them first", code="not-empty", id=tenant)
        self.store.remove_tenant(tenant)

    def _default_tenant(self) -> Tenant:
        return Tenant(id=DEFAULT_TENANT, name="default", created_at=self.clock())

    def _admit(self, tenant: TenantId) -> None:
        """Write the default tenant down when the first thing is declared for it; raise UnknownIdError for a stranger."""
        if any(t.id == tenant for t in self.store.load_tenants()):
            return
        if tenant != DEFAULT_TENANT:
            raise UnknownIdError("no such tenant; `bokit tenant list` shows them", id=tenant)
        self.store.save_tenant(self._default_tenant())

    # ── properties ──

    def list_properties(self, tenant: TenantId) -> Sequence[Property]:
        """Return the tenant's properties, by name."""
        return sorted(self.store.load_properties(tenant), key=lambda p: (p.name.casefold(), p.id))

    def find_property(self, tenant: TenantId, word: str) -> Property:
        """Return the property of this id or name."""
        return find_named(self.store.load_properties(tenant), word, "property")

    def load_property(self, tenant: TenantId, id: PropertyId) -> Property:
        """Return the property of this id, and of no name."""
        return self.store.load_property(tenant, id)

    def add_property(self, tenant: TenantId, values: Mapping[str, Any]) -> Property:
        """Add a property of *values* (name, timezone, turnover_days)."""
        read = read_fields(values, PLACE_READERS)
        name = read_name(read.get("name"))
        self._admit(tenant)
        self._check_free(self.store.load_properties(tenant), name, "property")
        made = Property(id=PropertyId(self.new_id("prop")), tenant=tenant, **{**read, "name": name})
        return self.store.save_property(made)

    def edit_property(self, tenant: TenantId, id: PropertyId, values: Mapping[str, Any]) -> Property:
        """Change what *values* names; a new timezone reaches the sources of the property's units."""
        before = self.store.load_property(tenant, id)
        after = replace(before, **read_fields(values, PLACE_READERS))
        others = [p for p in self.store.load_properties(tenant) if p.id != id]
        self._check_free(others, after.name, "property")
        if after == before:
            return before
        saved = self.store.save_property(after)
        for unit in self.list_units(tenant, id):
            self._spread_timezone(unit)
            if after.turnover_days != before.turnover_days:
                self._follow(unit)
        return saved

    def remove_property(self, tenant: TenantId, id: PropertyId) -> None:
        """Forget a property without units."""
        self.store.load_property(tenant, id)
        if self.list_units(tenant, id):
            raise StateError("the property has units; remove them first", code="not-empty", id=id)
        self.store.delete_property(tenant, id)

    # ── units ──

    def list_units(self, tenant: TenantId, property_id: PropertyId | None = None) -> Sequence[Unit]:
        """Return the tenant's units, or those of one property, by name."""
        units = [u for u in self.store.load_units(tenant) if property_id in (None, u.property_id)]
        return sorted(units, key=lambda u: (u.name.casefold(), u.id))

    def find_unit(self, tenant: TenantId, word: str) -> Unit:
        """Return the unit of this id or name."""
        return find_named(self.store.load_units(tenant), word, "unit")

    def load_unit(self, tenant: TenantId, id: UnitId) -> Unit:
        """Return the unit of this id, and of no name."""
        return self.store.load_unit(tenant, id)

    def add_unit(self, tenant: TenantId, property_id: PropertyId, values: Mapping[str, Any]) -> Unit:
        """Add a unit of *values* (name, timezone, turnover_days, parts: ids of linked units) to a property."""
        self.store.load_property(tenant, property_id)
        read = self._read_unit(tenant, values)
        name = read_name(read.get("name"))
        self._check_free(self.list_units(tenant, property_id), name, "unit")
        unit = Unit(id=UnitId(self.new_id("unit")), tenant=tenant, property_id=property_id, **{**read, "name": name})
        return self.store.save_unit(unit)

    def edit_unit(self, tenant: TenantId, id: UnitId, values: Mapping[str, Any]) -> Unit:
        """Change what *values* names; a new timezone reaches the unit's sources."""
        before = self.store.load_unit(tenant, id)
        after = replace(before, **self._read_unit(tenant, values))
        if id in self._parts_of(tenant, after.parts):
            raise InputError("a unit cannot be a part of itself", code="bad-field", field="parts")
        self._check_free([u for u in self.list_units(tenant, before.property_id) if u.id != id], after.name, "unit")
        if after == before:
            return before
        saved = self.store.save_unit(after)
        if after.timezone != before.timezone:
            self._spread_timezone(saved)
        if (after.parts, after.turnover_days, after.name) != (before.parts, before.turnover_days, before.name):
            self._follow(before, saved)
        return saved

    def remove_unit(self, tenant: TenantId, id: UnitId) -> None:
        """Forget a unit without sources that is no part of another."""
        self.store.load_unit(tenant, id)
        if any(s.scope == Scope(id) for s in self.sources.list_sources(tenant)):
            raise StateError("the unit has sources; remove them first", code="not-empty", id=id)
        if any(id in u.parts for u in self.store.load_units(tenant)):
            raise StateError("the unit is a part of another; take it out there first", code="not-empty", id=id)
        self.parts.unpublish(tenant, id)
        self.store.delete_unit(tenant, id)

    def _read_unit(self, tenant: TenantId, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a unit's fields in their types; parts may be told by id or name."""
        told = dict(values)
        parts = told.pop("parts", None)
        read = read_fields(told, PLACE_READERS)
        if parts is not None:
            found = [self.find_unit(tenant, word).id for word in _read_parts(parts)]
            read["parts"] = tuple(dict.fromkeys(found))
        return read

    def _parts_of(self, tenant: TenantId, parts: Iterable[UnitId]) -> set[UnitId]:
        """Return *parts*, their parts, and so on."""
        units = {u.id: u for u in self.store.load_units(tenant)}
        reached: set[UnitId] = set()
        waiting = list(parts)
        while waiting:
            id = waiting.pop()
            if id not in reached:
                reached.add(id)
                waiting += units[id].parts if id in units else ()
        return reached

    def _check_free(self, others: Iterable[Named], name: str, what: str) -> None:
        if same := next((o for o in others if o.name == name), None):
            raise StateError(f"there is a {what} of this name already", code="duplicate", name=name, id=same.id)

    def _follow(self, *units: Unit) -> None:
        """Let what hangs on bookings follow where links, turnover or name changed; parts that were let go stand alone now."""
        for scope in sorted({Scope(id) for unit in units for id in (unit.id, *unit.parts)}):
            self.parts.follow(BOOKINGS, ReconcileRequest(tenant=units[0].tenant, scope=scope, at=self.clock(), by="catalog"))

    def _spread_timezone(self, unit: Unit) -> None:
        zone = unit.timezone or self.store.load_property(unit.tenant, unit.property_id).timezone
        self.sources.set_unit_timezone(unit.tenant, unit.id, zone)

    # ── the config file ──

    def import_config(self, tenant: TenantId, config: Config) -> Imported:
        """Declare what *config* says, changing only what differs."""
        from bokit.engine.catalog.config.importing import import_config

        return import_config(self, tenant, config)


def _read_parts(value: Json) -> list[str]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(p, str) for p in value):
        raise InputError("not a list of units", code="bad-field", field="parts")
    return list(value)
