"""Tenants, properties and units; with the services of sources, options and collections."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, Parent, Property, PropertyId, Tenant, Unit, UnitId
from bokit.core.model.day_times import TIME_FIELDS
from bokit.core.model.full_names import FullNames, Named
from bokit.core.model.records import Json, Scope, SourceId, TenantId
from bokit.engine.base.lookup import find_named, load_names, name_sources
from bokit.engine.base.reconcile import ReconcileRequest
from bokit.engine.base.retry import retry_on_conflict
from bokit.engine.base.tenant_options import check_tenant, has_tenant, load_zone_of_unit
from bokit.engine.catalog.fields import PLACE_READERS, read_fields, read_name
from bokit.engine.catalog.limits import MAX_ADD_TRIES, MAX_DELETE_TRIES, MAX_NAMED, MAX_UNIT_PARTS
from bokit.engine.catalog.parts import CatalogParts
from bokit.errors import InputError, StateError, UnknownIdError
from bokit.values import replace

if TYPE_CHECKING:
    from bokit.engine.catalog.collections import CollectionService
    from bokit.engine.catalog.options import OptionService
    from bokit.engine.catalog.sources import SourceService


INHERITED = ("turnover_days", *TIME_FIELDS)
"""Fields of a property that conflicts and calendars of its units depend on, where these have none of their own."""


class Catalog:
    """Tenants, properties and units; ``sources``, ``options`` and ``collections`` are services of their own."""

    def __init__(self, parts: CatalogParts) -> None:
        self.parts, self.store, self.clock, self.new_id = parts, parts.store, parts.clock, parts.new_id

    @cached_property
    def sources(self) -> SourceService:
        """Sources; imported at first use, as those below."""
        from bokit.engine.catalog.sources import SourceService

        return SourceService(self.parts)

    @cached_property
    def options(self) -> OptionService:
        """Options of tenants."""
        from bokit.engine.catalog.options import OptionService

        return OptionService(self.parts)

    @cached_property
    def collections(self) -> CollectionService:
        """Collections of records."""
        from bokit.engine.catalog.collections import CollectionService

        return CollectionService(self.store, self.clock, self.sources)

    # ── tenants ──

    def list_tenants(self) -> Sequence[Tenant]:
        """Return every tenant, the default one included, in the order of their ids."""
        tenants = {t.id: t for t in (self._default_tenant(), *self.store.load_tenants())}
        return [tenants[tenant_id] for tenant_id in sorted(tenants)]

    def find_tenant(self, word: str) -> Tenant:
        """Return the tenant of this id or name; the default one always exists."""
        return find_named(self.list_tenants(), word, "tenant")

    def add_tenant(self, name: str, tenant_id: str | None = None) -> Tenant:
        """Add a tenant; a given *tenant_id* must be free."""
        name = read_fields({"name": name}, PLACE_READERS)["name"]
        if tenant_id is not None and not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", tenant_id):
            raise InputError("not a tenant's id; write 1 to 40 small letters, digits, - or _", code="bad-field", id=tenant_id)
        if any(t.id == tenant_id or t.name == name for t in self.list_tenants()):
            raise StateError("a tenant of this name or id exists already", code="duplicate", name=name)
        tenant = Tenant(id=TenantId(tenant_id or self.new_id("ten")), name=name, created_at=self.clock())
        self.store.save_tenant(tenant)
        return tenant

    def remove_tenant(self, tenant: TenantId) -> None:
        """Delete a tenant with all its data; refused while it has sources or holds nights to come, so none is freed by mistake.

        Its units go first, each only if it is empty: nothing can be added to them afterwards.
        """
        if self.sources.list_sources(tenant):
            raise StateError("the tenant has sources; remove them first", code="not-empty", id=tenant)
        units = [u.id for u in self.store.load_units(tenant)]
        for unit_id in units:
            self._check_holds_nothing(tenant, unit_id)
        for unit_id in units:
            self._delete(Parent(Unit, tenant, unit_id), partial(self._check_holds_nothing, tenant, unit_id))
        self.store.remove_tenant(tenant)

    def _default_tenant(self) -> Tenant:
        return Tenant(id=DEFAULT_TENANT, name="default", created_at=self.clock())

    def _ensure_tenant(self, tenant: TenantId) -> None:
        """Write the default tenant when the first thing is declared for it; raise UnknownIdError for an unknown one."""
        if not has_tenant(self.store, tenant):
            check_tenant(self.store, tenant)
            self.store.save_tenant(self._default_tenant())

    # ── properties ──

    def list_properties(self, tenant: TenantId) -> Sequence[Property]:
        """Return the tenant's properties, by name."""
        return sorted(self.store.load_properties(tenant), key=lambda p: (p.name.casefold(), p.id))

    def find_property(self, tenant: TenantId, word: str) -> Property:
        """Return the property of this id or name."""
        return find_named(self.store.load_properties(tenant), word, "property")

    def load_property(self, tenant: TenantId, property_id: PropertyId) -> Property:
        """Return the property of this id."""
        return self.store.load_property(tenant, property_id)

    def add_property(self, tenant: TenantId, values: Mapping[str, Any]) -> Property:
        """Add a property of *values* (name, timezone, turnover_days, and the times of a day)."""
        read = read_fields(values, PLACE_READERS)
        name = read_name(read.get("name"))
        self._ensure_tenant(tenant)
        self._check_free(self.store.load_properties(tenant), name, "property")
        made = Property(id=PropertyId(self.new_id("prop")), tenant=tenant, **{**read, "name": name})
        return self.store.save_property(made, at=self.clock())

    def edit_property(self, tenant: TenantId, property_id: PropertyId, values: Mapping[str, Any]) -> Property:
        """Change what *values* names; a new timezone reaches the sources of the property's units, and their conflicts."""
        before = self.store.load_property(tenant, property_id)
        after = replace(before, **read_fields(values, PLACE_READERS))
        others = [p for p in self.store.load_properties(tenant) if p.id != property_id]
        self._check_free(others, after.name, "property")
        if after == before:
            return before
        if _differ(before, after, TIME_FIELDS):
            after = replace(after, times_changed_at=self.clock())
        saved = self.store.save_property(after, at=self.clock())
        for unit in self.list_units(tenant, property_id):
            self._follow_property(unit, before, after)
        return saved

    def remove_property(self, tenant: TenantId, property_id: PropertyId) -> None:
        """Delete a property without units."""
        self.store.load_property(tenant, property_id)

        def check_empty() -> None:
            if self.list_units(tenant, property_id):
                raise StateError("the property has units; remove them first", code="not-empty", id=property_id)

        self._delete(Parent(Property, tenant, property_id), check_empty)

    # ── units ──

    def list_units(self, tenant: TenantId, property_id: PropertyId | None = None) -> Sequence[Unit]:
        """Return the tenant's units, or those of one property, by name."""
        units = [u for u in self.store.load_units(tenant) if property_id in (None, u.property_id)]
        return sorted(units, key=lambda u: (u.name.casefold(), u.id))

    def find_unit(self, tenant: TenantId, word: str) -> Unit:
        """Return the unit of this id or name."""
        return find_named(self.store.load_units(tenant), word, "unit", lambda: self.load_names(tenant))

    def load_names(self, tenant: TenantId) -> FullNames:
        """Return the full names of the tenant's units and sources."""
        return load_names(self.store, tenant)

    def name_sources(self, tenant: TenantId) -> Mapping[SourceId, str]:
        """Return the full name of each source, removed ones too."""
        return name_sources(self.store, tenant)

    def load_unit(self, tenant: TenantId, unit_id: UnitId) -> Unit:
        """Return the unit of this id."""
        return self.store.load_unit(tenant, unit_id)

    def add_unit(self, tenant: TenantId, property_id: PropertyId, values: Mapping[str, Any]) -> Unit:
        """Add a unit of *values* (as of a property, and parts: ids of linked units) to a property."""
        self.store.load_property(tenant, property_id)
        read = self._read_unit(tenant, values)
        name = read_name(read.get("name"))
        self._check_free(self.list_units(tenant, property_id), name, "unit")
        unit = Unit(id=UnitId(self.new_id("unit")), tenant=tenant, property_id=property_id, **{**read, "name": name})
        within = [Parent(Property, tenant, property_id), *_as_parents(tenant, unit.parts)]
        return retry_on_conflict(lambda: self.store.save_unit(unit, within=within, at=self.clock()), MAX_ADD_TRIES)

    def edit_unit(self, tenant: TenantId, unit_id: UnitId, values: Mapping[str, Any]) -> Unit:
        """Change what *values* names; a new timezone reaches the unit's sources.

        *property_id* moves it to another property: its nights, bookings, sources and calendars stay its own.
        """
        before = self.store.load_unit(tenant, unit_id)
        house = self.store.load_property(tenant, values.get("property_id", before.property_id))
        after = replace(before, **self._read_unit(tenant, values), property_id=house.id)
        if unit_id in self._parts_of(tenant, after.parts):
            raise InputError("a unit cannot be a part of itself", code="bad-field", field="parts")
        self._check_free([u for u in self.list_units(tenant, house.id) if u.id != unit_id], after.name, "unit")
        if after == before:
            return before
        if _differ(before, after, (*TIME_FIELDS, "property_id")):
            after = replace(after, times_changed_at=self.clock())
        moved = [Parent(Property, tenant, house.id)] if house.id != before.property_id else []
        within = [*moved, *_as_parents(tenant, set(after.parts) - set(before.parts))]
        zone = load_zone_of_unit(self.store, before)
        saved = self.store.save_unit(after, within=within, at=self.clock())
        if load_zone_of_unit(self.store, saved) != zone:
            self._spread_timezone(saved)
        self._reconcile(before, saved)
        return saved

    def remove_unit(self, tenant: TenantId, unit_id: UnitId) -> None:
        """Delete a unit that has no sources, holds no night to come, and is not a part of another; then what is only its own.

        Calendars and door codes of a unit that is gone already are deleted, too: a removal that was interrupted can be repeated.
        """

        def check_empty() -> None:
            if any(unit_id in u.parts for u in self.store.load_units(tenant)):
                raise StateError("the unit is a part of another unit; remove it there first", code="not-empty", id=unit_id)
            self._check_holds_nothing(tenant, unit_id)

        try:
            self.store.load_unit(tenant, unit_id)
            self._delete(Parent(Unit, tenant, unit_id), check_empty)
        except UnknownIdError:
            self._forget(tenant, unit_id)
            raise
        self._forget(tenant, unit_id)

    def _forget(self, tenant: TenantId, unit_id: UnitId) -> None:
        """Delete what belongs to a unit that is gone."""
        self.parts.unpublish(tenant, unit_id)
        self.parts.forget_doors(tenant, unit_id)

    def _check_holds_nothing(self, tenant: TenantId, unit_id: UnitId) -> None:
        """Raise StateError where a unit has sources, or holds a night to come without one."""
        if any(s.scope == Scope(unit_id) for s in self.sources.list_sources(tenant)):
            raise StateError("the unit has sources; remove them first", code="not-empty", id=unit_id)
        if held := self.parts.find_holding(tenant, unit_id):
            message = (
                "nights to come are held, by bookings entered by hand or by removed sources; cancel the bookings, or release "
                "the sources with `bokit source remove ID --release`"
            )
            raise StateError(message, code="not-empty", id=unit_id, ids=", ".join(sorted(held)[:MAX_NAMED]), count=len(held))

    def _delete(self, parent: Parent, check_empty: Callable[[], object]) -> None:
        """Delete *parent* unless something belongs to it, also where that is added at the same time."""
        retry_on_conflict(lambda: self.store.delete_parent(parent, check_empty, at=self.clock()), MAX_DELETE_TRIES)

    def _read_unit(self, tenant: TenantId, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a unit's fields in their types; parts are given by id or name."""
        read = read_fields({name: value for name, value in values.items() if name not in ("parts", "property_id")}, PLACE_READERS)
        parts = values.get("parts")
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
            unit_id = waiting.pop()
            if unit_id not in reached:
                reached.add(unit_id)
                waiting += units[unit_id].parts if unit_id in units else ()
        return reached

    def _check_free(self, others: Iterable[Named], name: str, what: str) -> None:
        if same := next((o for o in others if o.name == name), None):
            raise StateError(f"a {what} of this name exists already", code="duplicate", name=name, id=same.id)

    def _reconcile(self, *units: Unit) -> None:
        """Reconcile after links, turnover or name changed, for the units and for parts that they no longer have."""
        for scope in sorted({Scope(unit_id) for unit in units for unit_id in (unit.id, *unit.parts)}):
            request = ReconcileRequest(tenant=units[0].tenant, scope=scope, at=self.clock(), by="catalog")
            self.parts.reconcile(BOOKINGS, request)

    def _follow_property(self, unit: Unit, before: Property, after: Property) -> None:
        """Put a change of the property's settings in force in one of its units, where the unit has none of its own."""
        if unit.timezone is None and after.timezone != before.timezone:
            self._spread_timezone(unit)
            self._reconcile(unit)
        elif _differ(before, after, (name for name in INHERITED if getattr(unit, name) is None)):
            self._reconcile(unit)

    def _spread_timezone(self, unit: Unit) -> None:
        self.sources.set_unit_timezone(unit.tenant, unit.id, load_zone_of_unit(self.store, unit))


def _differ(before: Property | Unit, after: Property | Unit, names: Iterable[str]) -> bool:
    return any(getattr(before, name) != getattr(after, name) for name in names)


def _as_parents(tenant: TenantId, parts: Iterable[UnitId]) -> list[Parent]:
    return [Parent(Unit, tenant, part) for part in sorted(parts)]


def _read_parts(value: Json) -> list[str]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(p, str) for p in value):
        raise InputError("not a list of units", code="bad-field", field="parts")
    if len(value) > MAX_UNIT_PARTS:
        raise InputError(f"too many units; at most {MAX_UNIT_PARTS} are one", code="bad-field", field="parts")
    return list(value)
