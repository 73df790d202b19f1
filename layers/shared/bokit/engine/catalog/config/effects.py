"""What follows from a change of the config file, in sentences: what is read again, and what becomes of records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bokit.core.model.collections import OnMissing
from bokit.core.tables.spec import TableSpec
from bokit.engine.catalog.config.spec import Config
from bokit.engine.catalog.config.tables import TableChanges

READ_ALL = frozenset({"url", "timezone"})
"""Fields of a source whose change makes all of it read again."""
ITEM_SETTINGS = frozenset(
    (
        *("items", "id", "fields", "without", "volatile", "deleted", "pages", "method", "body", "headers"),
        *("on_missing", "updated_since", "new_only", "collection"),
    )
)
READ_BY = ("fields", "without", "volatile", "deleted", "where", "updated_at")
"""Settings of a table whose change makes all of it read again."""
_RULES = ("preserve", "array_keys", "schema")
_THEN = {
    OnMissing.KEEP: "they stay, and are held until you decide: `bokit source show` lists them, `apply-held` removes them, "
    "`discard-held` keeps them",
    OnMissing.MARK: "three or more are held for a day, then they are marked as missing",
    OnMissing.DELETE: "three or more are held for a day; they are missing then, and deleted when `cancel_after` is over",
}
"""What becomes of records that no table shows any more."""


def foresee_collection(name: str, changed: Iterable[str], config: Config) -> list[str]:
    """Return what follows from changed fields of a collection."""
    rules = [field for field in _RULES if field in set(changed)]
    sources = ", ".join(source.name for source in config.sources if name in source.feeds)
    if not rules or not sources:
        return []
    return [f"{_list(rules)}: the next sync of {sources} compares every record with what its source shows"]


def foresee_source(kind: str, changed: set[str], tables: TableChanges | None, policy: OnMissing) -> list[str]:
    """Return what follows from changed fields and tables of a source."""
    found = []
    if again := sorted(changed & READ_ALL):
        found.append(
            f"{_list(again)}: the next sync reads all of it again; what it does not show then is missing, behind the guards"
        )
    if kind == "json" and (settings := sorted(changed & ITEM_SETTINGS)):
        found.append(f"{_list(settings)}: the next sync reads all items again; records that none of them is are missing then")
    return [*found, *(_foresee_tables(tables, policy) if tables else ())]


def _foresee_tables(tables: TableChanges, policy: OnMissing) -> Iterator[str]:
    for name, spec in tables.after.items():
        then, before = _THEN[spec.on_missing or policy], tables.former_of(name)
        if before is None:
            yield f"table {name}: its rows become records of {spec.collection} at the next sync"
            continue
        if name in tables.renamed:
            yield f"table {name}: goes on from {before.name}; the next sync reads all of it, and what it does not show is missing"
        yield from _foresee_identity(name, before, spec, then)
        if reread := [word for word, was, now in _readings(before, spec) if was != now]:
            yield f"table {name}: {_list(reread)}: the next sync reads all of its rows again"
        if before.on_missing != spec.on_missing:
            yield f"table {name}: on_missing: rows that are gone are judged again, those that were kept so far, too"


def _foresee_identity(name: str, before: TableSpec, spec: TableSpec, then: str) -> Iterator[str]:
    """Yield what follows from another key or collection: records under the former one are no rows any more."""
    if before.key != spec.key:
        yield (
            f"table {name}: its key was {_list(before.key)} and is {_list(spec.key)}; the next sync reads all of it. "
            f"Records of the former key that no row shows: {then}"
        )
    if before.collection != spec.collection:
        yield f"table {name}: its rows become records of {spec.collection}. Those in {before.collection}: {then}"


def _readings(before: TableSpec, spec: TableSpec) -> list[tuple[str, Any, Any]]:
    return [(word, getattr(before, word), getattr(spec, word)) for word in READ_BY]


def foresee_left_table(spec: TableSpec, policy: OnMissing, *, removed: bool) -> list[str]:
    """Return what becomes of the records of a table that is not in the file."""
    if not removed:
        return [f"its records in {spec.collection} stay as they are, and are not synced any more"]
    return [f"its records in {spec.collection} that no other table shows: {_THEN[spec.on_missing or policy]}"]


def foresee_removed_source(source_id: str | None, values: Mapping[str, Any]) -> list[str]:
    """Return what becomes of the records of a source that is removed; a calendar's nights stay held."""
    if values.get("kind") == "ical":
        return []
    return [f"its records stay as they are until `bokit source remove {source_id} --release` deletes them"]


def _list(words: Iterable[str]) -> str:
    return ", ".join(words)
