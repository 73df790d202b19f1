"""What a table looks like: its columns, what they hold, and which of them no two rows share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bokit.core.tables.spec import TableSpec
from bokit.errors import SourceMalformedError

KINDS: Mapping[str, Mapping[str, str]] = {
    "mysql": {
        "tinyint": "integer",
        "smallint": "integer",
        "mediumint": "integer",
        "int": "integer",
        "bigint": "integer",
        "year": "integer",
        "decimal": "decimal",
        "float": "float",
        "double": "float",
        "char": "text",
        "varchar": "text",
        "tinytext": "text",
        "text": "text",
        "mediumtext": "text",
        "longtext": "text",
        "enum": "enum",
        "set": "set",
        "date": "date",
        "datetime": "time",
        "timestamp": "moment",
        "time": "span",
        "json": "json",
        "binary": "bytes",
        "varbinary": "bytes",
        "tinyblob": "bytes",
        "blob": "bytes",
        "mediumblob": "bytes",
        "longblob": "bytes",
        "bit": "bits",
        "uuid": "text",
        "inet4": "text",
        "inet6": "text",
        "geometry": "geometry",
        "point": "geometry",
        "linestring": "geometry",
        "polygon": "geometry",
        "multipoint": "geometry",
        "multilinestring": "geometry",
        "multipolygon": "geometry",
        "geometrycollection": "geometry",
        "geomcollection": "geometry",
    },
    "postgresql": {
        "smallint": "integer",
        "integer": "integer",
        "bigint": "integer",
        "numeric": "decimal",
        "real": "float",
        "double precision": "float",
        "text": "text",
        "character varying": "text",
        "character": "padded",
        "name": "text",
        "boolean": "boolean",
        "date": "date",
        "timestamp without time zone": "time",
        "timestamp with time zone": "moment",
        "time without time zone": "span",
        "interval": "span",
        "uuid": "uuid",
        "json": "json",
        "jsonb": "json",
        "bytea": "bytes",
        "smallint[]": "list",
        "integer[]": "list",
        "bigint[]": "list",
        "text[]": "list",
        "character varying[]": "list",
        "boolean[]": "list",
        "uuid[]": "list",
        "numeric[]": "list",
        "date[]": "list",
        "enum": "enum",
        "inet": "network",
        "cidr": "network",
    },
}
"""What the databases' types hold; what is not here is read as the database's own text."""
KEY_KINDS = ("integer", "decimal", "text", "padded", "enum", "date", "time", "moment", "span", "uuid", "bytes", "boolean", "any")
"""What a key may be: kinds in which equal is equal."""
MARK_KINDS = ("time", "moment", "date", "integer", "any")
"""What an updated-at column may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column."""

    name: str
    kind: str
    """What it holds; "other": read as text."""
    is_nullable: bool = True
    is_whole: bool = False
    """A decimal without places after the point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One table, as the database has it."""

    columns: Mapping[str, Column]
    uniques: Sequence[frozenset[str]] = field(default_factory=tuple)
    """Sets of columns that no two rows share, none of which can be NULL."""


def pick_columns(table: TableSpec, shape: Shape) -> dict[str, Column]:
    """Return the column of each record field; raises SourceMalformedError for what the table does not have."""
    if not shape.columns:
        raise _wrong(table, "the database has no such table, or this account may not see it", "missing-table")
    names = dict(table.fields) if table.fields is not None else {name: name for name in shape.columns}
    for name in [*names.values(), *table.key, *([table.updated_at] if table.updated_at else [])]:
        if name not in shape.columns:
            raise _wrong(table, f"no column {name!r}; it has {_list(shape)}", "missing-column")
    for name in table.key:
        if shape.columns[name].kind not in KEY_KINDS:
            raise _wrong(table, f"column {name!r} cannot be a key; name one of whole numbers, text, dates or UUIDs", "bad-key")
    if table.updated_at and shape.columns[table.updated_at].kind not in MARK_KINDS:
        raise _wrong(table, f"column {table.updated_at!r} is no time; name another as updated_at", "bad-updated-at")
    return {field: shape.columns[name] for field, name in names.items()}


def has_unique_key(table: TableSpec, shape: Shape) -> bool:
    """Return whether the database itself sees to it that no two rows share a key."""
    return any(unique <= set(table.key) for unique in shape.uniques)


def _list(shape: Shape) -> str:
    names = list(shape.columns)
    return ", ".join(names[:40]) + (" …" if len(names) > 40 else "")


def _wrong(table: TableSpec, what: str, code: str) -> SourceMalformedError:
    return SourceMalformedError(f"table {table.table!r}: {what}", code=code)


# ── as each database tells it ──

MYSQL_COLUMNS = """
SELECT column_name, data_type, is_nullable, numeric_scale FROM information_schema.columns
WHERE table_schema = COALESCE(:schema, DATABASE()) AND table_name = :name ORDER BY ordinal_position"""
MYSQL_UNIQUES = """
SELECT index_name, column_name, nullable FROM information_schema.statistics
WHERE table_schema = COALESCE(:schema, DATABASE()) AND table_name = :name AND non_unique = 0 AND sub_part IS NULL"""
POSTGRESQL_COLUMNS = """
SELECT a.attname, CASE WHEN t.typtype = 'e' THEN 'enum' ELSE format_type(a.atttypid, NULL) END,
       CASE WHEN a.attnotnull THEN 'NO' ELSE 'YES' END,
       CASE WHEN t.typname = 'numeric' AND a.atttypmod > 0 THEN (a.atttypmod - 4) & 65535 END
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = pg_catalog.to_regclass(:relation) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
POSTGRESQL_UNIQUES = """
SELECT i.indexrelid, a.attname, CASE WHEN a.attnotnull THEN '' ELSE 'YES' END
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = pg_catalog.to_regclass(:relation) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
  AND i.indexprs IS NULL AND a.attnum > 0"""


def read_shape(family: str, columns: Sequence[Sequence[Any]], uniques: Sequence[Sequence[Any]]) -> Shape:
    """Return the shape that the catalog's rows tell; of *uniques*: index, column, whether it may be NULL."""
    found = {
        str(name): Column(
            name=str(name),
            kind=KINDS[family].get(str(type).lower(), "other"),
            is_nullable=nullable == "YES",
            is_whole=scale is not None and int(scale) == 0,
        )
        for name, type, nullable, scale in columns
    }
    sets: dict[Any, set[str]] = {}
    nullable_ones = {index for index, _, nullable in uniques if nullable == "YES"}
    for index, column, _ in uniques:
        sets.setdefault(index, set()).add(str(column))
    return Shape(columns=found, uniques=tuple(frozenset(s) for i, s in sets.items() if i not in nullable_ones))


def read_sqlite_shape(columns: Sequence[Sequence[Any]], uniques: Sequence[Sequence[str]]) -> Shape:
    """Return the shape that SQLite tells: its types are what they were called, and bind nobody.

    *columns*: place, name, type, not null, default, place in the primary key; *uniques*: the columns of each unique index.
    """
    found = {
        str(name): Column(
            name=str(name), kind=_sqlite_kind(str(type)), is_nullable=not not_null and not (pk and _is_row_id(str(type), columns))
        )
        for _, name, type, not_null, _, pk in columns
    }
    primary = frozenset(str(c[1]) for c in columns if c[5])
    sets = [frozenset(names) for names in [primary, *uniques] if names]
    return Shape(columns=found, uniques=tuple(s for s in sets if s <= set(found) and not any(found[n].is_nullable for n in s)))


def _is_row_id(type: str, columns: Sequence[Sequence[Any]]) -> bool:
    """Return whether this key column is the row's number, which is never NULL; other key columns of SQLite may be."""
    return type.upper() == "INTEGER" and sum(1 for c in columns if c[5]) == 1


def _sqlite_kind(type: str) -> str:
    return "boolean" if type.upper().startswith("BOOL") else "any"
