"""What a table looks like: its columns, what they hold, and which of them identify a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bokit.core.tables.spec import TableSpec
from bokit.errors import SourceMalformedError
from bokit.values import Value, field

_MYSQL_TYPES = {
    "integer": "tinyint smallint mediumint int bigint year",
    "decimal": "decimal",
    "single": "float",
    "float": "double",
    "text": "char varchar tinytext text mediumtext longtext uuid inet4 inet6",
    "enum": "enum",
    "set": "set",
    "date": "date",
    "time": "datetime",
    "moment": "timestamp",
    "span": "time",
    "json": "json",
    "bytes": "binary varbinary tinyblob blob mediumblob longblob",
    "bits": "bit",
    "geometry": "geometry point linestring polygon multipoint multilinestring multipolygon geometrycollection geomcollection",
}
_POSTGRESQL_TYPES = {
    "integer": "smallint integer bigint",
    "decimal": "numeric",
    "float": "real double_precision",
    "text": "text character_varying name citext",
    "padded": "character",
    "boolean": "boolean",
    "date": "date",
    "time": "timestamp_without_time_zone",
    "moment": "timestamp_with_time_zone",
    "span": "time_without_time_zone interval",
    "uuid": "uuid",
    "json": "json jsonb",
    "bytes": "bytea",
    "list": "smallint[] integer[] bigint[] text[] character_varying[] boolean[] uuid[] numeric[] date[]",
    "enum": "enum",
    "network": "inet cidr",
}


def _by_type(kinds: Mapping[str, str]) -> dict[str, str]:
    """Return the kind of each type; in the table, types stand with underscores for spaces."""
    return {name.replace("_", " "): kind for kind, names in kinds.items() for name in names.split()}


KINDS = {"mysql": _by_type(_MYSQL_TYPES), "postgresql": _by_type(_POSTGRESQL_TYPES)}
"""By family and type: what a column of the type holds. Other types are read as the database's own text."""
KEY_KINDS = frozenset(
    (
        *("integer", "decimal", "text", "padded", "enum", "date", "time", "moment", "span", "uuid", "bytes", "boolean"),
        *("network", "bits", "any"),
    )
)
"""What a key may be: kinds in which equal is equal. Of other types, those that PostgreSQL itself sorts in an index."""
WATERMARK_KINDS = frozenset({"time", "moment", "date", "integer", "any"})
"""What an updated-at column may be."""


class Column(Value):
    """One column."""

    name: str
    kind: str
    """What it holds; "other": read as text."""
    is_nullable: bool = True
    is_whole: bool = False
    """A decimal without places after the point."""
    is_ordered: bool = False
    """The database sorts it in an index."""

    @property
    def can_be_key(self) -> bool:
        """Return whether it may identify a row."""
        return self.kind in KEY_KINDS or (self.kind == "other" and self.is_ordered)


class TableShape(Value):
    """One table, as the database's catalog describes it."""

    columns: Mapping[str, Column]
    uniques: Sequence[frozenset[str]] = field(default_factory=tuple)
    """Sets of columns that identify a row, none of which can be NULL."""


def pick_columns(table: TableSpec, shape: TableShape) -> dict[str, Column]:
    """Return the column of each record field; raises SourceMalformedError for what the table does not have."""
    if not shape.columns:
        raise table_error(table, "the database has no such table, or this account may not see it", "missing-table")
    names = dict(table.fields) if table.fields is not None else {name: name for name in shape.columns}
    names = {field: column for field, column in names.items() if field not in table.without}
    tombstone = find_tombstone(table, shape)
    flags = [*([table.updated_at] if table.updated_at else []), *([tombstone[0]] if tombstone else [])]
    for name in [*names.values(), *table.key, *flags]:
        if name not in shape.columns:
            raise table_error(table, f"no column {name!r}; it has {_list_columns(shape)}", "missing-column")
    for name in table.key:
        if not shape.columns[name].can_be_key:
            message = f"column {name!r} cannot be a key; name one of whole numbers, text, dates or UUIDs"
            raise table_error(table, message, "bad-key")
    if table.updated_at and shape.columns[table.updated_at].kind not in WATERMARK_KINDS:
        message = f"column {table.updated_at!r} does not hold times; name another as updated_at"
        raise table_error(table, message, "bad-updated-at")
    return {field: shape.columns[name] for field, name in names.items()}


def find_tombstone(table: TableSpec, shape: TableShape) -> tuple[str, str] | None:
    """Return the column that says that a row is deleted, and the path inside it (empty: the column itself); None: none does."""
    if table.deleted is None:
        return None
    if table.deleted in shape.columns:
        return table.deleted, ""
    column, _, path = table.deleted.partition(".")
    return column, path


def has_unique_key(table: TableSpec, shape: TableShape) -> bool:
    """Return whether the database itself ensures that no two rows share a key."""
    return any(unique <= set(table.key) for unique in shape.uniques)


def _list_columns(shape: TableShape) -> str:
    names = list(shape.columns)
    return ", ".join(names[:40]) + (" …" if len(names) > 40 else "")


def table_error(table: TableSpec, what: str, code: str) -> SourceMalformedError:
    """Return an error about *table*."""
    return SourceMalformedError(f"table {table.table!r}: {what}", code=code)


# ── the databases' catalogs ──

MYSQL_COLUMNS = """
SELECT column_name, data_type, is_nullable, numeric_scale FROM information_schema.columns
WHERE table_schema = COALESCE(:schema, DATABASE()) AND table_name = :name ORDER BY ordinal_position"""
MYSQL_UNIQUES = """
SELECT index_name, column_name, nullable FROM information_schema.statistics
WHERE table_schema = COALESCE(:schema, DATABASE()) AND table_name = :name AND non_unique = 0 AND sub_part IS NULL"""
POSTGRESQL_COLUMNS = """
WITH RECURSIVE based AS (
  SELECT a.attnum, a.attname, a.attnotnull, t.oid AS type, a.atttypmod AS typmod, t.typtype, t.typbasetype, t.typtypmod
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  WHERE a.attrelid = pg_catalog.to_regclass(:relation) AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT b.attnum, b.attname, b.attnotnull, t.oid, b.typtypmod, t.typtype, t.typbasetype, t.typtypmod
  FROM based b JOIN pg_catalog.pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd')
SELECT b.attname,
       CASE WHEN b.typtype = 'e' THEN 'enum' WHEN t.typname = 'citext' THEN 'citext' ELSE format_type(b.type, NULL) END,
       CASE WHEN b.attnotnull THEN 'NO' ELSE 'YES' END,
       CASE WHEN t.typname = 'numeric' AND b.typmod > 0 THEN (b.typmod - 4) & 65535 END,
       EXISTS (SELECT 1 FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_am m ON m.oid = o.opcmethod
               WHERE o.opcdefault AND o.opcintype = b.type AND m.amname = 'btree')
FROM based b JOIN pg_catalog.pg_type t ON t.oid = b.type WHERE b.typtype <> 'd' ORDER BY b.attnum"""
"""A domain is what it is made of, however many domains lie between."""
POSTGRESQL_UNIQUES = """
SELECT i.indexrelid, a.attname, CASE WHEN a.attnotnull THEN '' ELSE 'YES' END
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = pg_catalog.to_regclass(:relation) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
  AND i.indexprs IS NULL AND a.attnum > 0"""


def read_shape(family: str, columns: Sequence[Sequence[Any]], uniques: Sequence[Sequence[Any]]) -> TableShape:
    """Return the shape in the catalog's rows; a row of *uniques* is an index, a column, and whether that may be NULL."""
    found = {
        str(name): Column(
            name=str(name),
            kind=KINDS[family].get(str(column_type).lower(), "other"),
            is_nullable=nullable == "YES",
            is_whole=scale is not None and int(scale) == 0,
            is_ordered=any(more),
        )
        for name, column_type, nullable, scale, *more in columns
    }
    indexes: dict[Any, set[str]] = {}
    nullable_indexes = {index for index, _, nullable in uniques if nullable == "YES"}
    for index, column, _ in uniques:
        indexes.setdefault(index, set()).add(str(column))
    return TableShape(columns=found, uniques=tuple(frozenset(c) for i, c in indexes.items() if i not in nullable_indexes))


def read_sqlite_shape(columns: Sequence[Sequence[Any]], uniques: Sequence[Sequence[str]]) -> TableShape:
    """Return the shape of a SQLite table, whose types are names without effect.

    *columns*: place, name, type, not null, default, place in the primary key; *uniques*: the columns of each unique index.
    """
    primary = [(str(name), str(column_type)) for _, name, column_type, _, _, place in columns if place]
    # a single INTEGER primary key is the row's number, which is never NULL; other key columns of SQLite may be
    row_id = primary[0][0] if len(primary) == 1 and primary[0][1].upper() == "INTEGER" else None
    found = {
        str(name): Column(name=str(name), kind=_sqlite_kind(str(column_type)), is_nullable=not not_null and name != row_id)
        for _, name, column_type, not_null, _, _ in columns
    }
    indexes = [frozenset(names) for names in [[name for name, _ in primary], *uniques] if names]
    kept = (i for i in indexes if i <= set(found) and not any(found[n].is_nullable for n in i))
    return TableShape(columns=found, uniques=tuple(kept))


def _sqlite_kind(column_type: str) -> str:
    return "boolean" if column_type.upper().startswith("BOOL") else "any"
