"""What an operator says of the tables of a SQL source: which, by what key, into which collection, under which names."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bokit.core.model.collections import OnMissing, read_collection_name
from bokit.core.model.options import read_flag, read_seconds
from bokit.core.model.records import CollectionName, Json
from bokit.errors import BokitError, InputError, OptionError

MAX_NAME_LENGTH = 128
"""No database takes longer names; PostgreSQL 63, MySQL 64, SQL Server 128."""
MAX_FILTER_LENGTH = 4000
MAX_TABLES = 200
_QUOTED = re.compile(r"'(?:[^'\\]|'')*'|\"(?:[^\"\\]|\"\")*\"|`(?:[^`]|``)*`")
_NOT_PLAIN = re.compile(r"['\"`\\;\x00]|--|/\*|\*/|#|\$\w*\$")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """One table of a SQL source, as its operator declares it."""

    table: str
    """``clients`` or ``schema.clients``."""
    collection: CollectionName
    key: tuple[str, ...]
    """The columns that tell a row from every other."""
    name: str = ""
    """What `--table` and the logs call it; the table's own name where none is given."""
    fields: Mapping[str, str] | None = None
    """Record field: column. None: every column, under its own name."""
    where: str | None = None
    """The operator's own condition; never taken from the HTTP API."""
    updated_at: str | None = None
    """A column that a change of the row moves on: between two full passes only what it tells is read."""
    overlap: timedelta | None = None
    """How far before the last one seen an incremental pass begins; None: twice the source's interval."""
    on_missing: OnMissing | None = None
    """None: as the source says."""

    @property
    def schema(self) -> str | None:
        """The schema (MySQL: the database) that it names."""
        return self.table.rpartition(".")[0] or None

    @property
    def table_name(self) -> str:
        """The table's name without its schema."""
        return self.table.rpartition(".")[2]

    @property
    def fingerprint(self) -> str:
        """Changes with what a row is and where its record lies: then nothing that was kept of the table counts.

        Other fields or another condition are no other table: rows that come to say something else are seen to.
        """
        told = json.dumps([self.table, self.collection, self.key])
        return hashlib.sha256(told.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSettings:
    """All that the settings of a SQL source say."""

    tables: tuple[TableSpec, ...]
    on_missing: OnMissing = OnMissing.KEEP
    allow_writable_account: bool = False
    """Use an account that could write; nothing is written all the same."""

    def policy_of(self, table: TableSpec) -> OnMissing:
        """Return what becomes of the rows that *table* no longer shows."""
        return table.on_missing or self.on_missing


def read_table_settings(settings: Mapping[str, Json]) -> TableSettings:
    """Return what *settings* say of a SQL source; raises InputError that begins with the path of what is wrong."""
    told = settings.get("tables")
    if not isinstance(told, list) or not told:
        raise _wrong("tables", "missing; write a list of {table, collection, key}")
    if len(told) > MAX_TABLES:
        raise _wrong("tables", f"too many; one source reads at most {MAX_TABLES}")
    tables = tuple(read_table(item, f"tables[{n}]") for n, item in enumerate(told))
    for n, table in enumerate(tables):
        if any(table.name == other.name for other in tables[:n]):
            raise _wrong(f"tables[{n}].name", f"two tables are called {table.name!r}; give one of them another name")
    return TableSettings(
        tables=tables,
        on_missing=_read_policy(settings.get("on_missing"), "on_missing") or OnMissing.KEEP,
        allow_writable_account=_read(settings, "allow_writable_account", "", read_flag) or False,
    )


def read_table(told: object, path: str = "table") -> TableSpec:
    """Return one table as it is declared; raises InputError that begins with *path*."""
    if not isinstance(told, Mapping):
        raise _wrong(path, "not a mapping; write {table, collection, key}")
    if unknown := [name for name in told if name not in _KNOWN]:
        raise _wrong(path, f"unknown key {unknown[0]!r}; it has {', '.join(_KNOWN)}")
    table = _read(told, "table", path, _read_table_name)
    if table is None:
        raise _wrong(f"{path}.table", "missing; write the table's name")
    collection = _read({"collection": told.get("collection", table.rpartition(".")[2])}, "collection", path, read_collection_name)
    return TableSpec(
        table=table,
        collection=collection,
        key=_read_key(told.get("key"), f"{path}.key"),
        name=_read(told, "name", path, _read_name) or table,
        fields=_read_field_map(told.get("fields"), f"{path}.fields"),
        where=_read(told, "where", path, read_filter),
        updated_at=_read(told, "updated_at", path, _read_name),
        overlap=_read(told, "overlap", path, lambda text: timedelta(seconds=read_seconds(text))),
        on_missing=_read_policy(told.get("on_missing"), f"{path}.on_missing"),
    )


_KNOWN = ("table", "collection", "key", "name", "fields", "where", "updated_at", "overlap", "on_missing")


def read_filter(text: Json) -> str:
    """Return a condition that is one: no second statement, no comment, no parenthesis that ends ours.

    The operator's word is trusted with what is read, not with what is done: all that is sent stays one SELECT.
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
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_NAME_LENGTH or not value.isprintable():
        raise OptionError("not a name; write text of 1 to 128 letters")
    return value.strip()


def _read_table_name(value: Json) -> str:
    name = _read_name(value)
    if not all(name.split(".")) or name.count(".") > 1:
        raise OptionError("not a table's name; write table, or schema.table")
    return name


def _read_key(told: object, path: str) -> tuple[str, ...]:
    columns = [told] if isinstance(told, str) else told
    if not isinstance(columns, list) or not columns or len(columns) > 16:
        raise _wrong(path, "missing; write the columns that tell a row from every other, as in [id]")
    names = tuple(_at(f"{path}[{n}]", lambda name=name: _read_name(name)) for n, name in enumerate(columns))  # type: ignore[misc]
    if len(set(names)) < len(names):
        raise _wrong(path, "names a column twice")
    return names


def _read_field_map(told: object, path: str) -> Mapping[str, str] | None:
    if told is None:
        return None
    if not isinstance(told, Mapping) or not told:
        raise _wrong(path, "not a mapping of record field: column; leave it out for every column")
    return {
        _at(path, lambda name=name: _read_name(name)): _at(f"{path}.{name}", lambda column=column: _read_name(column))  # type: ignore[misc]
        for name, column in told.items()
    }


def _read_policy(told: object, path: str) -> OnMissing | None:
    if told is None:
        return None
    if told not in list(OnMissing):
        raise _wrong(path, f"not a policy; write {', '.join(OnMissing)}")
    return OnMissing(str(told))


def _read(told: Mapping[str, Json], name: str, path: str, read: Callable[[Any], Any]) -> Any:
    if told.get(name) is None:
        return None
    return _at(f"{path}.{name}".lstrip("."), lambda: read(told[name]))


def _at(path: str, read: Callable[[], Any]) -> Any:
    """Return what *read* does, its errors led by *path*."""
    try:
        return read()
    except BokitError as error:
        raise _wrong(path, error.message) from None


def _wrong(path: str, what: str) -> InputError:
    return InputError(f"{path}: {what}", code="bad-config")
