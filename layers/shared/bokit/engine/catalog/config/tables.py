"""The tables of a database in a config file against those that are stored: which are new, renamed, changed or not there any more.

A table that leaves the file is kept in the source's settings, apart from those that are read: its records stay, and a later
import can still remove it. One that is removed is kept there as well, until its records are settled (``engine.tables.former``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bokit.core.model.records import Fields, Json
from bokit.core.tables.spec import LEFT, REMOVED, TableSpec, read_table
from bokit.values import Value

Tables = Mapping[str, TableSpec]


class TableChanges(Value):
    """What becomes of a source's tables."""

    before: Tables
    after: Tables
    renamed: Mapping[str, str]
    """The former name of each table that goes on under another one."""
    left: Mapping[str, Json]
    """Tables that are not in the file, as they were declared; those of former imports, too."""

    @property
    def added(self) -> list[str]:
        """The tables that are new."""
        return [name for name in self.after if name not in self.before and name not in self.renamed]

    def former_of(self, name: str) -> TableSpec | None:
        """Return a table as it was; None: it is new."""
        return self.before.get(self.renamed.get(name, name))


def compare_tables(before: Fields, after: Fields) -> TableChanges:
    """Return what becomes of the tables in a source's settings *before*, where the file has those of *after*."""
    old, new = _read(before.get("tables")), _read(after.get("tables"))
    documents = {read_table(item).name: item for item in (*before.get(LEFT, ()), *(before.get("tables") or ()))}
    gone = {name: spec for name, spec in _read(list(documents.values())).items() if name not in new}
    renamed: dict[str, str] = {}
    for name, spec in new.items():
        if name not in old and (former := _find_former(spec, gone, old)):
            renamed[name] = former
            gone.pop(former)
    return TableChanges(before={**gone, **old}, after=new, renamed=renamed, left={name: documents[name] for name in gone})


def _find_former(spec: TableSpec, gone: Tables, old: Tables) -> str | None:
    """Return the table that *spec* goes on from: of the same collection and key, and the only one or the same in the database."""
    same = {name: other for name, other in gone.items() if (other.collection, other.key) == (spec.collection, spec.key)}
    if at := next((name for name, other in same.items() if other.table == spec.table), None):
        return at
    just_left = [name for name in same if name in old]
    return just_left[0] if len(just_left) == 1 else None


def keep_former_tables(before: Fields, after: Fields, *, prune: bool) -> dict[str, Json]:
    """Return the settings *after* with the tables that are not in the file: left as they are, or removed."""
    changes = compare_tables(before, after)
    names = {*changes.after, *changes.renamed.values()}
    removed = [item for item in before.get(REMOVED, ()) if read_table(item).name not in names]
    left = list(changes.left.values())
    kept: dict[str, Any] = {LEFT: [], REMOVED: [*removed, *left]} if prune else {LEFT: left, REMOVED: removed}
    return {**after, **{name: items for name, items in kept.items() if items}}


def _read(items: Any) -> dict[str, TableSpec]:
    return {spec.name: spec for spec in map(read_table, items or ())}
