"""A tenant's options over the stack's defaults, whether the tenant exists, and the timezone that applies."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from zoneinfo import ZoneInfo

from bokit.core.model.catalog import DEFAULT_TENANT, Unit
from bokit.core.model.options import Options
from bokit.core.model.records import Fields, Record, TenantId
from bokit.core.model.scheduling import Head
from bokit.errors import InputError, UnknownIdError
from bokit.store.limits import MAX_KEPT_CHANGES
from bokit.store.protocols import CatalogStore


def load_options(store: CatalogStore, tenant: TenantId, defaults: Fields) -> Options:
    """Return one tenant's options, in one read."""
    return load_all_options(store, [tenant], defaults)[tenant]


def load_all_options(store: CatalogStore, tenants: Iterable[TenantId], defaults: Fields) -> dict[TenantId, Options]:
    """Return the options of several tenants, in one batched read."""
    wanted = sorted(set(tenants))
    stored = store.load_options(wanted) if wanted else {}
    return {tenant: Options(stored.get(tenant), defaults) for tenant in wanted}


def days_kept(store: CatalogStore, records: Iterable[Record], defaults: Fields) -> int | None:
    """Return how long lines of change logs are kept, by one read; None, without it, where a line of *records* pushes out none."""
    full = [r for r in records if len(r.lines) >= MAX_KEPT_CHANGES]
    return int(load_options(store, full[0].tenant, defaults)["history.keep_days"]) if full else None


def has_tenant(store: CatalogStore, tenant: TenantId) -> bool:
    """Return whether the tenant was written down; the default one may not be yet."""
    return any(t.id == tenant for t in store.load_tenants())


def check_tenant(store: CatalogStore, tenant: TenantId) -> None:
    """Raise UnknownIdError for a tenant that does not exist; the default one always does."""
    if tenant != DEFAULT_TENANT and not has_tenant(store, tenant):
        raise UnknownIdError("no such tenant; `bokit tenant list` shows them", id=tenant)


def check_interval(interval: timedelta | None, options: Options, field: str = "interval") -> None:
    """Raise InputError ``quota`` for an *interval* between two syncs below the stack's least; None: another one's applies."""
    least = options.least_interval
    if interval is not None and interval < least:
        seconds = int(least.total_seconds())
        message = f"must be at least {seconds} s here; LeastInterval, a parameter of the stack, changes it"
        raise InputError(message, code="quota", field=field, limit=seconds, parameter="LeastInterval")


def load_zone_of_unit(store: CatalogStore, unit: Unit) -> str | None:
    """Return the timezone of a unit: its own, else its property's; None: the tenant's applies."""
    return unit.timezone or store.load_property(unit.tenant, unit.property_id).timezone


def zone_of_source(head: Head, options: Options) -> ZoneInfo:
    """Return the timezone of a source: its own, else its unit's or property's, else the tenant's."""
    return ZoneInfo(head.source.timezone or head.unit_timezone or options["timezone"])
