"""The tables of a SQL source as its operator declares them: which, by what key, into which collection and fields."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from bokit.core.items.settings import bad_setting, located
from bokit.core.model.collections import OnMissing, read_collection_name, read_paths
from bokit.core.model.options import read_flag, read_seconds
from bokit.core.model.records import CollectionName, Fields, Json
from bokit.core.tables.limits import MAX_COLUMN_NAME_LENGTH, MAX_FILTER_LENGTH, MAX_KEY_COLUMNS, MAX_TABLES
from bokit.errors import OptionError
from bokit.values import Value

_QUOTED = re.compile(r"'(?:[^'\\]|'')*'|\"(?:[^\"\\]|\"\")*\"|`(?:[^`]|``)*`")
_NOT_PLAIN = re.compile(r"['\"`\\;\x00]|--|/\*|\*/|#|\$\w*\$")


class TableSpec(Value):
    """One table of a SQL source."""

    table: str
    """``clients`` or ``schema.clients``."""
    collection: CollectionName
    key: tuple[str, ...]
    """The columns that identify a row."""
    name: str = ""
    """What `--table` and the logs call it; the table's own name by default."""
    fields: Mapping[str, str] | None = None
    """Record field: column. None: every column, under its own name."""
    where: str | None = None
    """The operator's own condition; never taken from the HTTP API."""
    updated_at: str | None = None
    """A column that every change of a row moves on: between two full passes only later rows are read."""
    overlap: timedelta | None = None
    """How far before the watermark an incremental pass begins; None: twice the source's interval."""
    on_missing: OnMissing | None = None
    """None: the source's."""
    without: tuple[str, ...] = ()
    """Record fields that are left out; dots lead into columns of JSON. A column that is left out as a whole is never read."""
    volatile: tuple[str, ...] = ()
    """Record fields whose changes alone are not a change."""
    deleted: str | None = None
    """The column that says that a row is deleted, or a path inside one of JSON; one that is set makes the row a tombstone."""

    @property
    def schema(self) -> str | None:
        """The schema (MySQL: the database) in the table's name."""
        return self.table.rpartition(".")[0] or None

    @property
    def table_name(self) -> str:
        """The table's name without its schema."""
        return self.table.rpartition(".")[2]

    @property
    def fingerprint(self) -> str:
        """Begins the names of the table's chunks, and marks its records."""
        identity = json.dumps([self.table, self.collection, self.key])
        return hashlib.sha256(identity.encode()).hexdigest()[:16]


class TableSettings(Value):
    """The settings of a SQL source."""

    tables: tuple[TableSpec, ...]
    on_missing: OnMissing = OnMissing.KEEP
    allow_writable_account: bool = False
    """Use an account that could write; nothing is written all the same."""
    left: frozenset[str] = frozenset()
    """Names of tables that left the config file: their records stay as they were."""
    removed: tuple[TableSpec, ...] = ()
    """Tables that left it for good: their records are treated as rows that are gone."""

    def policy_of(self, table: TableSpec) -> OnMissing:
        """Return what becomes of the rows that *table* no longer shows."""
        return table.on_missing or self.on_missing


def read_table_settings(settings: Fields) -> TableSettings:
    """Return the settings of a SQL source; raises InputError that begins with the path of what is wrong."""
    items = settings.get("tables")
    if not isinstance(items, list) or not items:
        raise bad_setting("tables", "missing; write a list of {table, collection, key}")
    if len(items) > MAX_TABLES:
        raise bad_setting("tables", f"too many; one source reads at most {MAX_TABLES}")
    tables = tuple(read_table(item, f"tables[{n}]") for n, item in enumerate(items))
    names = [table.name for table in tables]
    for n, name in enumerate(names):
        if name in names[:n]:
            raise bad_setting(f"tables[{n}].name", f"two tables are called {name!r}; give one of them another name")
    policy, flag = settings.get("on_missing"), settings.get("allow_writable_account")
    return TableSettings(
        tables=tables,
        left=frozenset(read_table(item).name for item in settings.get(LEFT, ())),
        removed=tuple(read_table(item) for item in settings.get(REMOVED, ())),
        on_missing=OnMissing.KEEP if policy is None else located(_read_policy)(policy, "on_missing"),
        allow_writable_account=flag is not None and located(read_flag)(flag, "allow_writable_account"),
    )


def read_table(item: object, path: str = "table") -> TableSpec:
    """Return one table as it is declared; raises InputError that begins with *path*."""
    if not isinstance(item, Mapping):
        raise bad_setting(path, "not a mapping; write {table, collection, key}")
    if unknown := [name for name in item if name not in TABLE_KEYS]:
        raise bad_setting(path, f"unknown key {unknown[0]!r}; it has {', '.join(TABLE_KEYS)}")
    if item.get("table") is None:
        raise bad_setting(f"{path}.table", "missing; write the table's name")
    table = located(_read_table_name)(item["table"], f"{path}.table")
    named = item.get("collection", table.rpartition(".")[2])
    values = {name: located(read)(item[name], f"{path}.{name}") for name, read in _READERS.items() if item.get(name) is not None}
    return TableSpec(
        table=table,
        collection=located(read_collection_name)(named, f"{path}.collection"),
        key=_read_key(item.get("key"), f"{path}.key"),
        fields=_read_field_map(item.get("fields"), f"{path}.fields"),
        **{"name": table, **values},
    )


LEFT, REMOVED = "left_tables", "removed_tables"
"""Settings that an import keeps of tables which are not in the file any more, as they were declared; no file has them."""
TABLE_KEYS = (
    *("table", "collection", "key", "name", "fields", "without", "volatile", "deleted"),
    *("where", "updated_at", "overlap", "on_missing"),
)


def read_filter(text: Json) -> str:
    """Return a condition that is one: no second statement, no comment, no parenthesis that closes ours.

    The operator decides what is read, not what is done: whatever is sent stays one SELECT.
    """
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_FILTER_LENGTH:
        raise OptionError("not a condition; write one as in a WHERE, at most 4,000 letters")
    bare = _QUOTED.sub(" ", text)
    if _NOT_PLAIN.search(bare):
        raise OptionError("not one plain condition; leave out comments, semicolons, backslashes and open quotes")
    depth = 0
    for letter in bare:
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            break
    if depth:
        raise OptionError("its parentheses do not match")
    return text.strip()


def _read_name(value: Json) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_COLUMN_NAME_LENGTH or not value.isprintable():
        raise OptionError("not a name; write text of 1 to 128 letters")
    return value.strip()


def _read_table_name(value: Json) -> str:
    name = _read_name(value)
    if not all(name.split(".")) or name.count(".") > 1:
        raise OptionError("not a table's name; write table, or schema.table")
    return name


def _read_policy(value: Json) -> OnMissing:
    if value not in list(OnMissing):
        raise OptionError(f"not a policy; write {', '.join(OnMissing)}")
    return OnMissing(str(value))


def _read_overlap(value: str | int) -> timedelta:
    return timedelta(seconds=read_seconds(value))


_READERS: Mapping[str, Any] = {
    "name": _read_name,
    "where": read_filter,
    "updated_at": _read_name,
    "overlap": _read_overlap,
    "on_missing": _read_policy,
    "without": read_paths,
    "volatile": read_paths,
    "deleted": _read_name,
}


def _read_key(value: object, path: str) -> tuple[str, ...]:
    columns = [value] if isinstance(value, str) else value
    if not isinstance(columns, list) or not columns or len(columns) > MAX_KEY_COLUMNS:
        raise bad_setting(path, "missing; write the columns that identify a row, as in [id]")
    names = tuple(located(_read_name)(name, f"{path}[{n}]") for n, name in enumerate(columns))
    if len(set(names)) < len(names):
        raise bad_setting(path, "names a column twice")
    return names


def _read_field_map(value: object, path: str) -> Mapping[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or not value:
        raise bad_setting(path, "not a mapping of record field: column; leave it out for every column")
    read = located(_read_name)
    return {read(name, path): read(column, f"{path}.{name}") for name, column in value.items()}
