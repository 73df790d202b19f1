"""Tables of a SQL database, read in one consistent snapshot: MariaDB, MySQL, PostgreSQL, SQLite.

    connect ─► can this account write? ─► begin, read-only ─► which columns, which key? ─► rows, page by page

A source is never written: the transaction is read-only, every statement is a SELECT composed in ``query`` (besides SET, SHOW,
BEGIN and ROLLBACK), and an account that could write is refused. Rows come in pages by key: one page is in memory at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bokit.core.model.catalog import Source
from bokit.core.tables.chunks import KeyRange
from bokit.core.tables.limits import MAX_DUPLICATE_KEYS
from bokit.core.tables.spec import TableSettings, TableSpec, read_table_settings
from bokit.core.tables.values import KeyValues, SeenRow, UnreadableValue
from bokit.errors import BokitError, ConfigError, SourceMalformedError, SourceRefusedError
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

    from bokit.core.tables.listing import TableListing
    from bokit.sources.sql.connect import QueryLimit
    from bokit.sources.sql.query import Query

KEYS_PER_QUERY = 200
SAMPLE_ROWS = 5
NO_LIBRARIES = (
    "databases are read by the command line and by the worker of databases: SQLAlchemy, PyMySQL and psycopg are missing here"
)


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
            raise ConfigError(NO_LIBRARIES, code="no-libraries") from error
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
            yield SqlSnapshot(connection, database.family, zone, limit)
        finally:
            _close(connection)


class SqlSample:
    """Shows the first rows of a source's tables, for a preview before it is synced."""

    def __init__(self, reader: SqlReader) -> None:
        self._reader = reader

    def fetch(
        self, source: Source, *, etag: str | None = None, last_modified: str | None = None, seconds: float | None = None
    ) -> Fetched:
        """Return the columns and first rows of every declared table, and which tables the database has, as JSON."""
        settings = read_table_settings(source.settings)
        with self._reader.open(source, settings, None if seconds is None else count_down(seconds)) as database:
            samples = [_sample(database, table) for table in settings.tables]
            listing = database.list_tables().as_dict()
        return Fetched(body=json.dumps({"tables": samples, "database": listing}).encode())


def _sample(database: SqlSnapshot, table: TableSpec) -> dict[str, Any]:
    """Return the columns and first rows of one table, or why it cannot be read."""
    sample: dict[str, Any] = {"name": table.name, "table": table.table, "collection": table.collection}
    try:
        with database.isolated():
            columns = dict(database.check_table(table))
            rows = list(islice(database.fetch_rows(table, KeyRange()), SAMPLE_ROWS))
    except (SourceMalformedError, SourceRefusedError) as error:
        return {**sample, "columns": {}, "rows": [], "error": {"code": error.stable_code, "message": error.message}}
    shown = [{"id": row.key, "collection": table.collection, "fields": dict(row.fields)} for row in rows]
    return {**sample, "columns": columns, "rows": shown, "error": None}


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

    def __init__(self, connection: Connection, family: str, zone: ZoneInfo | None, limit: QueryLimit | None = None) -> None:
        self._connection, self._family, self._zone, self._limit = connection, family, zone, limit
        self._opened: dict[str, tuple[Query, RowReader]] = {}

    @contextmanager
    def isolated(self) -> Iterator[None]:
        try:
            yield
        except BokitError:
            self._recover()
            raise

    def _recover(self) -> None:
        """Go back to the begin of the snapshot: in PostgreSQL an error ends the transaction for all that follows."""
        if self._family == "postgresql":
            with translated():
                self._connection.exec_driver_sql("ROLLBACK TO SAVEPOINT opened")
            if self._limit:
                self._limit.forget()

    def list_tables(self) -> TableListing:
        """Return the tables that the database has, as far as the account may see them."""
        from bokit.sources.sql.listing import list_tables

        listing = list_tables(self._connection, self._family)
        if listing.problem:
            self._recover()
        return listing

    def check_table(self, table: TableSpec, *, is_known: bool = False) -> Mapping[str, str]:
        query, reader = self._open_table(table)
        if not has_unique_key(table, query.shape):
            allowed = MAX_DUPLICATE_KEYS if is_known else 0
            twice = self._fetch(table, query.select_duplicates(allowed + 1))
            if len(twice) > allowed:
                raise table_error(table, "rows share a key; name the columns that identify a row", "duplicate-key")
            reader.reject_duplicates(twice)
        # one row, so the database rejects a wrong condition now
        self._fetch(table, query.select_page(KeyRange(), None, limit=1))
        return {field: column.kind for field, column in query.fields.items()}

    def fetch_rows(self, table: TableSpec, keys: KeyRange, since: Any = None) -> Iterator[SeenRow]:
        _, reader = self._open_table(table)
        last = None
        for rows in self._fetch_pages(table, keys, since):
            for row in rows:
                seen = reader.read(row)
                if not seen.key or seen.is_usable or seen.key != last:  # of rows that share a key, the first alone
                    yield seen
                last = seen.key

    def reading_of(self, table: TableSpec) -> str:
        return self._open_table(table)[1].reading

    def fetch_raw(self, table: TableSpec, keys: KeyRange) -> Iterator[bytes]:
        _, reader = self._open_table(table)
        for rows in self._fetch_pages(table, keys, None):
            yield from map(reader.identify, rows)

    def _fetch_pages(self, table: TableSpec, keys: KeyRange, since: Any) -> Iterator[Sequence[Sequence[Any]]]:
        """Yield the rows of a range page by page, as the driver returned them."""
        from bokit.sources.sql.query import PAGE_ROWS

        query, _ = self._open_table(table)
        while True:
            rows = self._fetch_page(table, query, keys, since, PAGE_ROWS)
            yield rows
            if len(rows) < PAGE_ROWS:
                return
            keys = KeyRange(after=self._bound(table, tuple(rows[-1][: len(table.key)])), until=keys.until)

    def _bound(self, table: TableSpec, key_values: KeyValues) -> KeyValues:
        """Return the key after which the next page begins; raises SourceMalformedError where it cannot be sent."""
        if self._family != "sqlite" and any(isinstance(value, UnreadableValue) for value in key_values):
            raise table_error(table, "a key holds text that is not UTF-8; name other columns as key", "bad-text")
        return key_values

    def fetch_existing_keys(self, table: TableSpec, keys: Sequence[KeyValues]) -> set[KeyValues]:
        query, reader = self._open_table(table)
        found = set[str | None]()
        for n in range(0, len(keys), KEYS_PER_QUERY):
            rows = self._fetch(table, query.select_keys(keys[n : n + KEYS_PER_QUERY]))
            found |= {reader.read_key(tuple(row)) for row in rows}
        return {key for key in keys if reader.read_key(key) in found}

    def fetch_watermark(self, table: TableSpec, at: datetime) -> Any:
        query, _ = self._open_table(table)
        return self._fetch(table, query.select_watermark(at))[0][0]

    def fetch_unstamped(self, table: TableSpec, limit: int) -> Sequence[SeenRow]:
        query, reader = self._open_table(table)
        return [reader.read(row) for row in self._fetch(table, query.select_unstamped(limit))]

    def count_filled(self, table: TableSpec) -> tuple[int, Mapping[str, int]]:
        query, _ = self._open_table(table)
        if not query.fillable:
            return 0, {}
        rows, *filled = self._fetch(table, query.count_filled())[0]
        return int(rows), {name: int(n) for name, n in zip(query.fillable, filled, strict=True)}

    def count_stamps(self, table: TableSpec, at: datetime) -> tuple[int, int]:
        query, _ = self._open_table(table)
        missing, ahead = self._fetch(table, query.count_stamps(at))[0]
        return int(missing or 0), int(ahead or 0)

    def _fetch_page(self, table: TableSpec, query: Query, keys: KeyRange, since: Any, limit: int) -> Sequence[Sequence[Any]]:
        """Return one page; where a value cannot be read, the error names its column."""
        try:
            return self._fetch(table, query.select_page(keys, since, limit=limit))
        except SourceMalformedError as error:
            if error.stable_code != "bad-value":
                raise
            self._recover()
            bad = [name for name in query.names if not self._can_read(table, query, name, keys, limit)]
            if not bad:
                raise
            message = f"column {bad[0]!r} holds a value that cannot be read; name the fields to read, without it"
        raise table_error(table, message, "bad-value")

    def _can_read(self, table: TableSpec, query: Query, name: str, keys: KeyRange, limit: int) -> bool:
        try:
            with self.isolated():
                self._fetch(table, query.select_columns([name], keys, limit))
        except SourceMalformedError:
            return False
        return True

    def _fetch(self, table: TableSpec, statement: Select[Any]) -> Sequence[Sequence[Any]]:
        with translated(table.table, has_filter=table.where is not None):
            if self._limit:
                self._limit.lower()
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
