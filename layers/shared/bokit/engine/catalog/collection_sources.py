"""Sources of declared collections: JSON APIs and databases. They belong to no unit; their kind says what they must tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bokit.core.items.api_spec import read_json_settings
from bokit.core.model.catalog import Collection, ShardId, Source
from bokit.core.model.collections import copy_collection, unit_of
from bokit.core.model.records import CollectionName, Json, Scope, SourceId, TenantId
from bokit.engine.catalog.fields import SOURCE_READERS, read_fields
from bokit.engine.catalog.sources import SourceService
from bokit.errors import InputError

COMMON = ("name", "kind", "url", "interval", "cancel_after", "timezone", "enabled")
"""What every source tells; all else is its kind's."""
Fed = Sequence[CollectionName]


def read_kind_settings(kind: str, told: Mapping[str, Any]) -> dict[str, Json]:
    """Return what else a source of this kind tells, as it is stored; an InputError begins with the path of what is wrong."""
    if kind not in READERS:
        raise InputError(f"kind: not one of {', '.join(READERS)}; calendars stand under their unit", code="bad-config")
    return READERS[kind](told)


def _read_sql_settings(told: Mapping[str, Any]) -> dict[str, Json]:
    """Return the settings of a SQL source, judged and kept as they were told."""
    from bokit.core.tables.spec import read_table_settings

    if unknown := [name for name in told if name not in SQL_SETTINGS]:
        raise InputError(f"{unknown[0]}: unknown; a SQL source has {', '.join(SQL_SETTINGS)}", code="bad-config")
    read_table_settings(told)
    return dict(told)


SQL_SETTINGS = ("tables", "on_missing", "allow_writable_account")
READERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Json]]] = {"json": read_json_settings, "sql": _read_sql_settings}


def fed_by(settings: Mapping[str, Json], collection: str | None) -> list[CollectionName]:
    """Return the collections that a source of these settings makes records of."""
    tables = settings.get("tables") or ()
    names = [t.get("collection", t["table"].rpartition(".")[2]) for t in tables] or [collection]
    return [CollectionName(name) for name in dict.fromkeys(names) if name]


def declare_source(
    desk: SourceService, tenant: TenantId, told: Mapping[str, Any], settings: Mapping[str, Json], fed: Sequence[Collection]
) -> tuple[Source | None, Source]:
    """Add a source of declared collections, or change the one of its name; returns it as it was and as it is."""
    values = read_fields(told, {name: SOURCE_READERS[name] for name in COMMON})
    copies = {str(c.name): copy_collection(c) for c in fed}
    kept = {**settings, "collections": copies} if "tables" in settings else {**settings, "collection": copies[fed[0].name]}
    name = fed[0].name
    before = next((s for s in desk.list_sources(tenant) if unit_of(s) is None and s.name == values["name"]), None)
    if before is None:
        made = SourceId(desk.parts.new_id("src"))
        return None, desk.save_new(
            Source(id=made, tenant=tenant, collection=name, scope=Scope(name), shard_id=ShardId(""), settings=kept, **values)
        )
    if before.kind != values["kind"] or ("tables" not in kept and before.collection != name):
        feeds = f'source "{before.name}" already feeds "{before.collection}", use another name'
        raise InputError(feeds, code="bad-config")
    return before, desk.edit(tenant, before.id, {**values, "settings": kept})
