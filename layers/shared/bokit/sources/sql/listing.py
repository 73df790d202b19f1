"""Which tables a database has: read from its catalog, as far as the account may see it.

MySQL          information_schema, which shows what the account has any right to
PostgreSQL     pg_catalog, which shows everything; what may not be read is only counted
SQLite         its schema
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bokit.core.tables.limits import MAX_LISTED_COLUMNS, MAX_LISTED_TABLES
from bokit.core.tables.listing import ListedColumn, ListedTable, TableListing
from bokit.errors import BokitError
from bokit.sources.sql.errors import translated

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

Rows = Sequence[Sequence[Any]]
Ask = Callable[..., Rows]

_MYSQL_TABLES = """
SELECT table_name, table_name, table_type LIKE '%VIEW%', 1 FROM information_schema.tables
WHERE table_schema = DATABASE() ORDER BY table_name"""
_MYSQL_COLUMNS = """
SELECT table_name, column_name, column_type, is_nullable = 'YES' FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name IN :names ORDER BY table_name, ordinal_position"""
_MYSQL_UNIQUES = """
SELECT table_name, index_name, column_name, index_name = 'PRIMARY' FROM information_schema.statistics
WHERE table_schema = DATABASE() AND table_name IN :names AND non_unique = 0 AND sub_part IS NULL
ORDER BY table_name, index_name, seq_in_index"""
_POSTGRESQL_TABLES = """
SELECT c.oid, CASE WHEN pg_catalog.pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname || '.' || c.relname END,
       c.relkind IN ('v', 'm'),
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND (pg_catalog.has_table_privilege(c.oid, 'SELECT')
         OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT'))
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND left(n.nspname, 3) <> 'pg_'
  AND n.nspname <> 'information_schema' ORDER BY 2"""
_POSTGRESQL_COLUMNS = """
SELECT a.attrelid, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), NOT a.attnotnull
FROM pg_catalog.pg_attribute a WHERE a.attrelid IN :names AND a.attnum > 0 AND NOT a.attisdropped
  AND pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT') ORDER BY a.attrelid, a.attnum"""
_POSTGRESQL_UNIQUES = """
SELECT i.indrelid, i.indexrelid, a.attname, i.indisprimary
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid IN :names AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND a.attnum > 0
ORDER BY i.indrelid, i.indexrelid, array_position(i.indkey::int2[], a.attnum)"""
_SQLITE_TABLES = """
SELECT name, name, type = 'view', 1 FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY 1"""
_SQLITE_COLUMNS = """
SELECT m.name, i.name, i.type, NOT i."notnull" AND i.pk = 0 FROM sqlite_master m, pragma_table_info(m.name) i
WHERE m.name IN :names ORDER BY m.name, i.cid"""
_SQLITE_UNIQUES = """
SELECT m.name, 'PRIMARY', i.name, 1, i.pk FROM sqlite_master m, pragma_table_info(m.name) i WHERE m.name IN :names AND i.pk > 0
UNION ALL
SELECT m.name, l.name, i.name, 0, i.seqno FROM sqlite_master m, pragma_index_list(m.name) l, pragma_index_info(l.name) i
WHERE m.name IN :names AND l."unique" = 1 AND l.partial = 0 AND l.origin <> 'pk' AND i.name IS NOT NULL
ORDER BY 1, 2, 5"""
_STATEMENTS: Mapping[str, tuple[str, str, str]] = {
    "mysql": (_MYSQL_TABLES, _MYSQL_COLUMNS, _MYSQL_UNIQUES),
    "postgresql": (_POSTGRESQL_TABLES, _POSTGRESQL_COLUMNS, _POSTGRESQL_UNIQUES),
    "sqlite": (_SQLITE_TABLES, _SQLITE_COLUMNS, _SQLITE_UNIQUES),
}


def list_tables(connection: Connection, family: str) -> TableListing:
    """Return the tables that the account may read, the first of them with columns and keys; never raises what a database says."""
    try:
        with translated():
            return _list(lambda statement, **given: _ask(connection, statement, **given), *_STATEMENTS[family])
    except BokitError as error:
        return TableListing(problem=error.message)


def _ask(connection: Connection, statement: str, **given: Any) -> Rows:
    from sqlalchemy import bindparam, text

    composed = text(statement)
    if given:
        composed = composed.bindparams(*(bindparam(name, expanding=True) for name in given))
    return connection.execute(composed, given).all()


def _list(ask: Ask, tables: str, columns: str, uniques: str) -> TableListing:
    found = ask(tables)
    readable = [row for row in found if row[3]]
    shown = readable[:MAX_LISTED_TABLES]
    if not shown:
        return TableListing(hidden=len(found))
    names = [row[0] for row in shown]
    of_table = _group(ask(columns, names=names))
    keys = _group(ask(uniques, names=names))
    listed = [_read_table(row, of_table[row[0]], keys[row[0]]) for row in shown]
    kept = _count_within(listed)
    return TableListing(tables=listed[:kept], more=len(readable) - kept, hidden=len(found) - len(readable))


def _group(rows: Rows) -> defaultdict[Any, list[Sequence[Any]]]:
    """Return the rows by their table."""
    grouped: defaultdict[Any, list[Sequence[Any]]] = defaultdict(list)
    for row in rows:
        grouped[row[0]].append(row)
    return grouped


def _count_within(tables: Sequence[ListedTable]) -> int:
    """Return how many tables have MAX_LISTED_COLUMNS together; at least one."""
    total = 0
    for number, table in enumerate(tables):
        total += len(table.columns)
        if number and total > MAX_LISTED_COLUMNS:
            return number
    return len(tables)


def _read_table(row: Sequence[Any], columns: Iterable[Sequence[Any]], keys: Iterable[Sequence[Any]]) -> ListedTable:
    indexes, primary = dict[Any, list[str]](), set[Any]()
    for _, index, column, is_primary, *_ in keys:
        indexes.setdefault(index, []).append(_text(column))
        primary |= {index} if is_primary else set()
    return ListedTable(
        name=_text(row[1]),
        is_view=bool(row[2]),
        columns=[ListedColumn(name=_text(n), type=_text(kind), is_nullable=bool(nullable)) for _, n, kind, nullable in columns],
        primary=next((names for index, names in indexes.items() if index in primary), []),
        uniques=[names for index, names in indexes.items() if index not in primary],
    )


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
