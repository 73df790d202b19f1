"""Sources of declared collections: JSON APIs and databases. They belong to no unit; their kind defines their settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bokit.core.items.api_spec import read_json_settings
from bokit.core.model.catalog import Collection, Parent, ShardId, Source
from bokit.core.model.collections import copy_collection, unit_of
from bokit.core.model.records import CollectionName, Fields, Json, Scope, SourceId, TenantId
from bokit.engine.catalog.fields import SOURCE_READERS, read_fields, read_settings
from bokit.engine.catalog.sources import SourceService
from bokit.errors import InputError

COMMON = ("name", "kind", "url", "interval", "cancel_after", "timezone", "enabled")
"""The fields of every source; all others are its kind's settings."""


def read_kind_settings(kind: str, values: Mapping[str, Any]) -> dict[str, Json]:
    """Return the settings of this kind among *values*, as stored; an InputError begins with the path of what is wrong."""
    if kind not in READERS:
        raise InputError(f"kind: not one of {', '.join(READERS)}; calendars stand under their unit", code="bad-config")
    return READERS[kind](values)


def _read_sql_settings(values: Mapping[str, Any]) -> dict[str, Json]:
    """Check the settings of a SQL source, and return them as they are."""
    from bokit.core.tables.spec import read_table_settings

    if unknown := [name for name in values if name not in SQL_SETTINGS]:
        raise InputError(f"{unknown[0]}: unknown; a SQL source has {', '.join(SQL_SETTINGS)}", code="bad-config")
    read_table_settings(values)
    return dict(values)


SQL_SETTINGS = ("tables", "on_missing", "allow_writable_account")
READERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Json]]] = {"json": read_json_settings, "sql": _read_sql_settings}


def fed_by(settings: Fields, collection: str | None) -> list[CollectionName]:
    """Return the collections that a source of these settings makes records of."""
    tables = settings.get("tables") or ()
    names = [t.get("collection", t["table"].rpartition(".")[2]) for t in tables] or [collection]
    return [CollectionName(name) for name in dict.fromkeys(names) if name]


def find_fed(service: SourceService, tenant: TenantId, name: str) -> Source | None:
    """Return the source of collections that has this name."""
    return next((s for s in service.list_sources(tenant) if unit_of(s) is None and s.name == name), None)


def declare_source(
    service: SourceService,
    tenant: TenantId,
    values: Mapping[str, Any],
    settings: Fields,
    collections: Sequence[Collection],
) -> tuple[Source | None, Source]:
    """Add a source of *collections*, or change the one of its name; return it as it was and as it is."""
    values = read_fields(values, {name: SOURCE_READERS[name] for name in COMMON})
    before = find_fed(service, tenant, values["name"])
    name, copies = collections[0].name, {str(c.name): copy_collection(c) for c in collections}
    if "tables" in settings:  # collections that its tables fed before have records of theirs still
        copies = {**(before.settings.get("collections", {}) if before else {}), **copies}
    settings = read_settings({**settings, **({"collections": copies} if "tables" in settings else {"collection": copies[name]})})
    parents = [Parent(Collection, tenant, c.name, c.version) for c in collections]
    if before is None:
        source_id = SourceId(service.parts.new_id("src"))
        source = Source(
            id=source_id,
            tenant=tenant,
            collection=name,
            scope=Scope(name),
            shard_id=ShardId(""),
            settings=settings,
            **values,
        )
        return None, service.save_new(source, within=parents)
    if before.kind != values["kind"] or ("tables" not in settings and before.collection != name):
        message = f'source "{before.name}" already feeds "{before.collection}", use another name'
        raise InputError(message, code="bad-config")
    return before, service.edit(tenant, before.id, {**values, "settings": settings}, within=parents)
