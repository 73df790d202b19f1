"""What the catalog holds, as the command line and the API show it: no URL beyond its scheme and host."""

from __future__ import annotations

from datetime import timedelta

from bokit.core.model.catalog import Property, Source, Tenant, Unit
from bokit.core.model.collections import unit_of
from bokit.core.model.records import Json, LoggedChange
from bokit.engine.catalog.sources import SECRET
from bokit.observability import redact


def describe_tenant(tenant: Tenant) -> dict[str, Json]:
    """Return a tenant's document."""
    return {"id": tenant.id, "name": tenant.name, "created_at": tenant.created_at}


def describe_property(property: Property) -> dict[str, Json]:
    """Return a property's document."""
    return {"id": property.id, "name": property.name, "timezone": property.timezone, "turnover_days": property.turnover_days}


def describe_unit(unit: Unit) -> dict[str, Json]:
    """Return a unit's document."""
    return {
        "id": unit.id,
        "name": unit.name,
        "property_id": unit.property_id,
        "timezone": unit.timezone,
        "turnover_days": unit.turnover_days,
        "parts": list(unit.parts),
    }


def describe_source(source: Source) -> dict[str, Json]:
    """Return a source's document."""
    return {
        "id": source.id,
        "name": source.name,
        "kind": source.kind,
        "unit_id": unit_of(source),
        "collection": source.collection,
        "url": show_url(source.url),
        "platform": source.platform,
        "interval": _seconds(source.interval),
        "cancel_after": _seconds(source.cancel_after),
        "timezone": source.timezone,
        "enabled": source.enabled,
        "removed_at": source.removed_at,
    }


def describe_change(change: LoggedChange) -> dict[str, Json]:
    """Return a line of a record's change log."""
    return {
        "at": change.at,
        "by": change.by,
        "action": change.action,
        "reason": change.reason,
        "run_id": change.run_id,
        "fields": {name: {"from": c.before, "to": c.after} for name, c in sorted(change.fields.items())},
        "preserved": {name: {"from": c.before, "to": c.after} for name, c in sorted(change.preserved.items())},
    }


def show_url(url: str) -> str:
    """Return what may be shown of a URL: a secret's name, else scheme and host."""
    if url.startswith(SECRET):
        return url
    shown = redact(url)
    return shown if shown != url else "…"


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else int(span.total_seconds())
