"""Tables of a SQL database, read in one consistent snapshot: MariaDB, MySQL, PostgreSQL, SQLite.

    connect ─► can this account write? ─► begin, read-only ─► which columns, which key? ─► rows, page by page

A source is never written: the transaction is read-only, every statement is a SELECT composed in ``query`` (besides SET, SHOW,
BEGIN and ROLLBACK), and an account that could write is refused. Rows come in pages by key: one page is in memory at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bokit.core.model.catalog import Source
from bokit.core.tables.chunks import KeyRange
from bokit.core.tables.spec import TableSettings, TableSpec, read_table_settings
from bokit.core.tables.values import KeyValues, SeenRow
from bokit.errors import ConfigError
from bokit.sources.protocols import Fetched
from bokit.sources.responses import count_down
from bokit.sources.secrets import Reveal
from bokit.sources.sql.errors import translated
from bokit.sources.sql.rows import RowReader
from bokit.sources.sql.shape import has_unique_key, pick_columns, table_error
from bokit.sources.sql.url import Reach, read_database_url

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.engine import Connection

    from bokit.sources.sql.query import Query

KEYS_PER_QUERY = 200
SAMPLE_ROWS = 5


class SqlReader:
    """Opens databases by URL; a ``secret:`` reference is resolved at that moment."""

    def __init__(self, reveal: Reveal, reach: Reach) -> None:
        self._reveal, self._reach = reveal, reach

    @contextmanager
    def open(
        self, source: Source, settings: TableSettings, seconds_left: Callable[[], float] | None = None
    ) -> Iterator[SqlSnapshot]:
        """Open the database of *source*, in one consistent read-only snapshot."""
        try:
            from bokit.sources.sql.connect import QueryLimit, begin, connect
        except ImportError as error:
            raise ConfigError("the databases' libraries are not installed here: SQLAlchemy, PyMySQL, psycopg") from error
        from bokit.sources.sql.grants import check_account

        database = read_database_url(self._reveal(source.url, source.tenant), self._reach)
        connection = connect(database, self._reach)
        try:
            limit = QueryLimit(connection, database.family, seconds_left)
            with translated():
                limit.lower()
                if not settings.allow_writable_account:
                    check_account(connection, database.family, database.name, settings.tables)
                begin(connection, database.family)
            zone = ZoneInfo(source.timezone) if source.timezone else None
            yield SqlSnapshot(connection, database.family, zone, limit.lower)
        finally:
            _close(connection)


class SqlSample:
    """Shows the first rows of a source's tables, for a preview before it is synced."""

    def __init__(self, reader: SqlReader) -> None:
        self._reader = reader

    def fetch(
        self, source: Source, *, etag: str | None = None, last_modified: str | None = None, seconds: float | None = None
    ) -> Fetched:
        """Return the columns and first rows of every table, as JSON."""
        settings = read_table_settings(source.settings)
        with self._reader.open(source, settings, None if seconds is None else count_down(seconds)) as database:
            samples = [_sample(database, table) for table in settings.tables]
        return Fetched(body=json.dumps({"tables": samples}).encode())


def _sample(database: SqlSnapshot, table: TableSpec) -> dict[str, Any]:
    columns = dict(database.check_table(table))
    rows = islice(database.fetch_rows(table, KeyRange()), SAMPLE_ROWS)
    shown = [{"id": row.key, "collection": table.collection, "fields": dict(row.fields)} for row in rows]
    return {"name": table.name, "table": table.table, "collection": table.collection, "columns": columns, "rows": shown}


def _close(connection: Connection) -> None:
    """End the snapshot; a broken connection has ended it already."""
    from sqlalchemy.exc import SQLAlchemyError

    engine = connection.engine
    try:
        connection.close()
    except (SQLAlchemyError, OSError):
        connection.invalidate()
    finally:
        engine.dispose()


class SqlSnapshot:
    """A database, open for reading: every answer shows the same moment."""

    def __init__(
        self, connection: Connection, family: str, zone: ZoneInfo | None, limit_statement: Callable[[], None] = lambda: None
    ) -> None:
        self._connection, self._family, self._zone, self._limit_statement = connection, family, zone, limit_statement
        self._opened: dict[str, tuple[Query, RowReader]] = {}

    def check_table(self, table: TableSpec) -> Mapping[str, str]:
        query, _ = self._open_table(table)
        if not has_unique_key(table, query.shape) and self._fetch(table, query.select_duplicate()):
            raise table_error(table, "two rows share a key; name the columns that identify a row", "duplicate-key")
        # one row, so the database rejects a wrong condition now
        self._fetch(table, query.select_page(KeyRange(), None, limit=1))
        return {field: column.kind for field, column in query.fields.items()}

    def fetch_rows(self, table: TableSpec, keys: KeyRange, since: Any = None) -> Iterator[SeenRow]:
        from bokit.sources.sql.query import PAGE_ROWS

        query, reader = self._open_table(table)
        while True:
            rows = self._fetch(table, query.select_page(keys, since, limit=PAGE_ROWS))
            for row in rows:
                yield reader.read(row)
            if len(rows) < PAGE_ROWS:
                return
            keys = KeyRange(after=tuple(rows[-1][: len(table.key)]), until=keys.until)

    def fetch_existing_keys(self, table: TableSpec, keys: Sequence[KeyValues]) -> set[KeyValues]:
        query, reader = self._open_table(table)
        found = set[str]()
        for n in range(0, len(keys), KEYS_PER_QUERY):
            rows = self._fetch(table, query.select_keys(keys[n : n + KEYS_PER_QUERY]))
            found |= {reader.read_key(tuple(row)) for row in rows}
        return {key for key in keys if reader.read_key(key) in found}

    def fetch_watermark(self, table: TableSpec) -> Any:
        query, _ = self._open_table(table)
        return self._fetch(table, query.select_watermark())[0][0]

    def _fetch(self, table: TableSpec, statement: Select[Any]) -> Sequence[Sequence[Any]]:
        with translated(table.table):
            self._limit_statement()
            return self._connection.execute(statement).all()

    def _open_table(self, table: TableSpec) -> tuple[Query, RowReader]:
        """Return the statements about *table* and the reader of its rows; its columns are looked up once."""
        from bokit.sources.sql.connect import load_shape
        from bokit.sources.sql.query import Query

        if table.name not in self._opened:
            with translated(table.table):
                shape = load_shape(self._connection, self._family, table)
            query = Query(table, shape, pick_columns(table, shape), self._family)
            self._opened[table.name] = query, RowReader(query, self._zone)
        return self._opened[table.name]
