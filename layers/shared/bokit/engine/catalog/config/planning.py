"""What an import changes: the config file against what is stored, item by item and field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal, NotRequired, TypedDict, cast

from bokit.core.model.collections import OnMissing
from bokit.core.model.documents import Count, FieldDiff
from bokit.core.model.records import Json
from bokit.core.tables.spec import LEFT
from bokit.engine.catalog.config.effects import foresee_collection, foresee_left_table, foresee_removed_source, foresee_source
from bokit.engine.catalog.config.moving import describe_move, find_moves, take_places
from bokit.engine.catalog.config.spec import CollectionSourceSpec, Config, Item, ItemKind, Key, Spec, UnitSpec
from bokit.engine.catalog.config.tables import compare_tables
from bokit.engine.catalog.view import show_url
from bokit.values import Value

HIDDEN = frozenset({"headers", "body"})
"""Settings that may hold a secret: only that they differ is shown."""


class ConfigItemDocument(TypedDict):
    """A property, unit, source, table or collection of a config file, and what becomes of it."""

    kind: ItemKind
    name: str
    full_name: Annotated[str, "With the property and the unit that it belongs to."]
    id: Annotated[str | None, "null: not added yet."]
    fields: Annotated[dict[str, FieldDiff], "What differs, by field. Of addresses only the host is shown, of headers nothing."]
    frees: NotRequired[Annotated[Count, "Nights to come that its move frees in the unit that it leaves."]]
    effects: Annotated[list[str], "What follows from it, in sentences."]
    notes: NotRequired[Annotated[list[str], "What the first answer of a JSON source suggests, or why there was none."]]
    reason: NotRequired[Annotated[str, "Why it stays, although it left the file."]]


class ConfigPlanDocument(TypedDict):
    """What an import changed, or would change."""

    dry_run: Annotated[bool, "Nothing was written."]
    added: list[ConfigItemDocument]
    changed: list[ConfigItemDocument]
    unchanged: list[ConfigItemDocument]
    left: Annotated[list[ConfigItemDocument], "Not in the file; untouched without `--prune`."]
    removed: Annotated[list[ConfigItemDocument], "Not in the file, and removed by `--prune`; future nights stay held."]
    kept: Annotated[list[ConfigItemDocument], "Not in the file, and cannot be removed yet."]


class Difference(Value, kw_only=False):
    """One item of the file, what is stored of it, and which fields differ."""

    item: Item
    stored: Item | None
    fields: Mapping[str, FieldDiff]
    moved_from: Key | None = None
    """Where it is stored, if not there."""
    effects: Sequence[str] = ()

    @property
    def outcome(self) -> Literal["added", "changed", "unchanged"]:
        """What an import makes of it."""
        return "added" if self.stored is None else "changed" if self.fields else "unchanged"


class ImportPlan(Value, kw_only=False):
    """What an import would do with each item of the file, and what is stored but not in it."""

    differences: tuple[Difference, ...]
    left: tuple[Item, ...]


def compare_configs(stored: Config, wanted: Config) -> ImportPlan:
    """Return what an import of *wanted* changes where *stored* is declared."""
    before = {item.key: item for item in list_items(stored)}
    moves = find_moves(before, list_items(wanted))
    known = take_places(before, moves)
    differences = tuple(_compare(item, known.get(item.key), moves.get(item.key), wanted) for item in _with_implied(wanted))
    named = {d.item.key for d in differences}
    left = [item for key, item in known.items() if key not in named]
    tables = [item for d in differences if d.stored for item in _left_tables(d.item, d.stored)]
    return ImportPlan(differences=differences, left=(*left, *tables))


def list_items(config: Config) -> Iterator[Item]:
    """Yield each item: a property, its units with their sources, the collections, their sources."""
    for house in config.properties:
        yield Item(("property", (house.name,)), house, house.values)
        for unit in house.units:
            yield Item(("unit", (house.name, unit.name)), unit, _unit_values(unit))
            for source in unit.sources:
                yield Item(("source", (house.name, unit.name, source.name)), source, source.values)
    for collection in config.collections:
        yield Item(("collection", (collection.name,)), collection, collection.values)
    for fed in config.sources:
        yield Item(("source", (fed.name,)), fed, _fed_values(fed), fed.settings)


def _with_implied(wanted: Config) -> Iterator[Item]:
    """Yield the items of a file, with the collections that only its sources name."""
    yield from list_items(wanted)
    declared = {c.name for c in wanted.collections}
    for name, path in {str(name): s.path for s in wanted.sources for name in s.feeds}.items():
        if name not in declared:
            yield Item(("collection", (name,)), Spec(path=path, name=name, values={"name": name}), {})


def _unit_values(unit: UnitSpec) -> dict[str, Any]:
    return {**unit.values, "parts": unit.parts} if unit.parts is not None else dict(unit.values)


def _fed_values(spec: CollectionSourceSpec) -> dict[str, Any]:
    own = {} if "tables" in spec.settings else {"collection": str(spec.feeds[0])}
    return {**spec.values, **own}


MISSING = object()


def _compare(item: Item, stored: Item | None, moved_from: Key | None, wanted: Config) -> Difference:
    """Compare what the file names with what is stored; settings as a whole, of tables each."""
    old, new = dict(stored.values if stored else {}), dict(item.values)
    if item.settings is not None:
        old |= (stored.settings if stored else None) or {}
        new |= dict.fromkeys((stored.settings if stored else None) or {}, MISSING) | dict(item.settings)
    differing = [n for n in new if n != "name" and old.get(n, MISSING) != new[n] and (stored or new[n] is not None)]
    effects = _foresee(item, stored, set(differing), wanted) if stored and differing else ()
    if isinstance(old.get("tables"), list) and isinstance(new.get("tables"), list) and "tables" in differing:
        differing.remove("tables")
        tables_before, tables_now = (_flatten_tables(tables) for tables in (old["tables"], new["tables"]))
        old, new = old | tables_before, new | tables_now
        names = dict.fromkeys([*tables_before, *tables_now])
        differing += [n for n in names if old.get(n, MISSING) != new.get(n, MISSING)]
    fields: dict[str, FieldDiff] = {n: {"from": show_value(n, old.get(n)), "to": show_value(n, new.get(n))} for n in differing}
    place = describe_move(item.key, moved_from) if moved_from else {}
    return Difference(item, stored, place | fields, moved_from, effects)


def _flatten_tables(tables: Any) -> dict[str, Json]:
    """Return each setting of each table under a name of its own: ``tables.clients.key``."""
    named = ((table.get("name") or table["table"], table) for table in tables or ())
    return {f"tables.{name}.{word}": value for name, table in named for word, value in table.items()}


def _foresee(item: Item, stored: Item, changed: set[str], wanted: Config) -> Sequence[str]:
    if item.key[0] == "collection":
        return foresee_collection(item.spec.name, changed, wanted)
    if item.key[0] != "source" or item.settings is None:
        return ()
    tables = None if item.settings.get("tables") is None else compare_tables(_stored_settings(stored), item.settings)
    return foresee_source(item.values["kind"], changed, tables, _policy_of(item))


def _left_tables(item: Item, stored: Item) -> Iterator[Item]:
    """Yield the tables of a source that the file does not have."""
    if item.settings is None or item.settings.get("tables") is None:
        return
    changes = compare_tables(_stored_settings(stored), item.settings)
    for name in changes.left:
        spec = Spec(
            path=f"{item.spec.path}.tables", name=name, values={"table": changes.before[name], "on_missing": _policy_of(item)}
        )
        yield Item(("table", (*item.key[1], name)), spec, spec.values)


def _stored_settings(stored: Item) -> dict[str, Any]:
    left = stored.spec.left if isinstance(stored.spec, CollectionSourceSpec) else ()
    return {**(stored.settings or {}), LEFT: list(left)}


def _policy_of(item: Item) -> OnMissing:
    return OnMissing(str((item.settings or {}).get("on_missing") or OnMissing.KEEP))


def show_value(name: str, value: Any) -> Json:
    """Return a field's value as a plan shows it: no address, no header."""
    if value is None or value is MISSING:
        return None
    if name == "url":
        return show_url(value)
    if name in HIDDEN:
        return "…"
    if name == "parts":
        return [" / ".join(part) for part in value]
    return int(value.total_seconds()) if isinstance(value, timedelta) else list(value) if isinstance(value, tuple) else value


def describe_item(
    item: Item, item_id: str | None, fields: Mapping[str, FieldDiff] | None = None, effects: Sequence[str] = ()
) -> ConfigItemDocument:
    """Return an item's document."""
    kind, names = item.key
    doc = {"kind": kind, "name": names[-1], "full_name": " / ".join(names), "id": item_id, "fields": dict(fields or {})}
    return cast("ConfigItemDocument", {**doc, "effects": list(effects)})


def describe_left(item: Item, *, removed: bool) -> ConfigItemDocument:
    """Return the document of an item that is not in the file: left as it is, or removed."""
    effects: Sequence[str] = ()
    if item.key[0] == "table":
        effects = foresee_left_table(item.values["table"], item.values["on_missing"], removed=removed)
    elif item.key[0] == "source" and removed:
        effects = foresee_removed_source(item.spec.id, item.values)
    return describe_item(item, item.spec.id, effects=effects)
