"""The catalog's documents, as the command line and the API show them: of a URL, scheme and host alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, TypedDict

from bokit.core.model.catalog import EndsOn, Property, Source, Tenant, Unit
from bokit.core.model.collections import unit_of
from bokit.core.model.documents import Count, FieldDiff, describe_diffs
from bokit.core.model.full_names import FullNames
from bokit.core.model.records import LoggedChange
from bokit.engine.catalog.sources import SECRET
from bokit.observability import redact


class TenantDocument(TypedDict):
    """A tenant."""

    id: str
    name: str
    created_at: datetime


class PropertyDocument(TypedDict):
    """A property: a house with its timezone."""

    id: str
    name: str
    timezone: str | None
    turnover_days: Count | None
    check_in_time: Annotated[str | None, "As in 15:00, which is the default of units without a time of their own."]
    check_out_time: Annotated[str | None, "As in 11:00, which is the default of units without a time of their own."]
    cleaning_minutes: Count | None


class UnitDocument(TypedDict):
    """A rentable unit: a flat, a room, or a whole villa made of parts."""

    id: str
    name: str
    full_name: Annotated[str, "After its property's, where another unit is called the same."]
    property_id: str
    timezone: str | None
    turnover_days: Count | None
    check_in_time: Annotated[str | None, "null: the property's, as of the next two."]
    check_out_time: str | None
    cleaning_minutes: Count | None
    parts: Annotated[list[str], "Ids of the units that it is made of."]


class SourceDocument(TypedDict):
    """A source of bookings, or of another collection's records."""

    id: str
    name: str
    full_name: Annotated[str, "With its unit's full name: `Garden flat / Airbnb`."]
    kind: str
    unit_id: Annotated[str | None, "null: it feeds a collection."]
    collection: str
    url: Annotated[str, "Scheme and host, or a secret's name; the rest of a URL is never shown."]
    platform: str | None
    interval: Annotated[Count | None, "Seconds between two syncs; null: the tenant's."]
    cancel_after: Annotated[Count | None, "Seconds before a missing stay is cancelled; null: the tenant's."]
    timezone: str | None
    ends_on: Annotated[EndsOn, "What the end of an all-day event is."]
    ignore_transparent: Annotated[bool, 'Events marked as "free" hold no nights.']
    enabled: bool
    removed_at: datetime | None


class ChangeDocument(TypedDict):
    """An entry of a record's change log."""

    id: Annotated[str, "What `bokit undo` takes."]
    at: datetime
    by: str
    action: str
    reason: str
    run_id: str | None
    fields: dict[str, FieldDiff]
    preserved: Annotated[dict[str, FieldDiff], "Edited fields in which the source changed; the edits stand."]


def describe_tenant(tenant: Tenant) -> TenantDocument:
    """Return a tenant's document."""
    return {"id": tenant.id, "name": tenant.name, "created_at": tenant.created_at}


def describe_property(house: Property) -> PropertyDocument:
    """Return a property's document."""
    return {
        "id": house.id,
        "name": house.name,
        "timezone": house.timezone,
        "turnover_days": house.turnover_days,
        "check_in_time": house.check_in_time,
        "check_out_time": house.check_out_time,
        "cleaning_minutes": house.cleaning_minutes,
    }


def describe_unit(unit: Unit, names: FullNames) -> UnitDocument:
    """Return a unit's document."""
    return {
        "id": unit.id,
        "name": unit.name,
        "full_name": names.of(unit),
        "property_id": unit.property_id,
        "timezone": unit.timezone,
        "turnover_days": unit.turnover_days,
        "check_in_time": unit.check_in_time,
        "check_out_time": unit.check_out_time,
        "cleaning_minutes": unit.cleaning_minutes,
        "parts": list(unit.parts),
    }


def describe_source(source: Source, names: FullNames) -> SourceDocument:
    """Return a source's document."""
    return {
        "id": source.id,
        "name": source.name,
        "full_name": names.of(source),
        "kind": source.kind,
        "unit_id": unit_of(source),
        "collection": source.collection,
        "url": show_url(source.url),
        "platform": source.platform,
        "interval": _seconds(source.interval),
        "cancel_after": _seconds(source.cancel_after),
        "timezone": source.timezone,
        "ends_on": source.ends_on,
        "ignore_transparent": source.ignore_transparent,
        "enabled": source.enabled,
        "removed_at": source.removed_at,
    }


def describe_change(change: LoggedChange) -> ChangeDocument:
    """Return a line of a record's change log."""
    return {
        "id": change.id,
        "at": change.at,
        "by": change.by,
        "action": change.action,
        "reason": change.reason,
        "run_id": change.run_id,
        "fields": describe_diffs(change.fields),
        "preserved": describe_diffs(change.preserved),
    }


def show_url(url: str) -> str:
    """Return what may be shown of a URL: a secret's name, else scheme and host."""
    if url.startswith(SECRET):
        return url
    shown = redact(url)
    return shown if shown != url else "…"


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else int(span.total_seconds())
