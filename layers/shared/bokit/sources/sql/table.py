"""Tables of a SQL database, read in one consistent snapshot: MariaDB, MySQL, PostgreSQL, SQLite.

    connect ─► may this account write? ─► begin, read-only ─► what are the columns, is the key one? ─► rows, page by page

A source is the truth, and is never written: the transaction is read-only, every statement is a SELECT composed in
``sql_query`` (beside SET, SHOW, BEGIN and ROLLBACK), and an account that could write is refused. Rows come in pages by
their key, so that a table of any size takes the memory of one page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bokit.core.model.catalog import Source
from bokit.core.model.records import Json
from bokit.core.tables.chunks import KeyRange
from bokit.core.tables.spec import TableSettings, TableSpec, read_table_settings
from bokit.core.tables.values import Key, Reading, SeenRow, make_row, read_value, write_key
from bokit.errors import ConfigError, SourceMalformedError
from bokit.sources.protocols import Fetched
from bokit.sources.sql.errors import translate
from bokit.sources.sql.shape import Column, Shape, has_unique_key, pick_columns
from bokit.sources.sql.url import Reach, read_database_url

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from bokit.sources.sql.query import Query

FIND_AT_ONCE = 200
SAMPLE_ROWS = 5


class SqlTables:
    """Opens databases by URL; one that is a ``secret:`` reference is resolved just before."""

    def __init__(self, reveal: Callable[[str], str], reach: Reach) -> None:
        self._reveal, self._reach = reveal, reach

    @contextmanager
    def open(self, source: Source, settings: TableSettings) -> Iterator[OpenTables]:
        """Open the database of *source*, in one consistent read-only snapshot."""
        try:
            from bokit.sources.sql.connect import begin, connect
        except ImportError as error:
            raise ConfigError("the databases' libraries are not installed here: SQLAlchemy, PyMySQL, psycopg") from error
        from bokit.sources.sql.grants import check_account

        database = read_database_url(self._reveal(source.url), self._reach)
        connection = connect(database, self._reach)
        try:
            if not settings.allow_writable_account:
                with translate():
                    check_account(connection, database.family, database.name, settings.tables)
            with translate():
                begin(connection, database.family)
            zone = ZoneInfo(source.timezone) if source.timezone else None
            yield OpenTables(connection, database.family, zone)
        finally:
            _close(connection)


class SqlSample:
    """Shows the first rows of a source's tables: what a person sees before it is synced."""

    def __init__(self, reader: SqlTables) -> None:
        self._reader = reader

    def fetch(self, source: Source, *, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        """Return the columns and first rows of every table, as JSON."""
        settings = read_table_settings(source.settings)
        with self._reader.open(source, settings) as tables:
            told = [_sample(tables, table) for table in settings.tables]
        return Fetched(body=json.dumps({"tables": told}).encode(), content_type="application/json")


def _sample(tables: OpenTables, table: TableSpec) -> dict[str, Json]:
    columns = tables.check(table)
    rows = islice(tables.read_rows(table, KeyRange()), SAMPLE_ROWS)
    shown = [{"id": row.key, "collection": table.collection, "fields": dict(row.fields)} for row in rows]
    return {"name": table.name, "table": table.table, "collection": table.collection, "columns": dict(columns), "rows": shown}


def _close(connection: Connection) -> None:
    """End the snapshot; a connection that broke has ended it already."""
    from sqlalchemy.exc import SQLAlchemyError

    engine = connection.engine
    try:
        connection.close()
    except (SQLAlchemyError, OSError):
        connection.invalidate()
    finally:
        engine.dispose()


class OpenTables:
    """A database, open for reading: all that is asked shows one moment."""

    def __init__(self, connection: Connection, family: str, zone: ZoneInfo | None) -> None:
        self._connection, self._family, self._zone = connection, family, zone
        self._queries: dict[str, Query] = {}

    def check(self, table: TableSpec) -> Mapping[str, str]:
        """Return what each record field's column holds, or raise SourceMalformedError: all that can be told without rows."""
        query = self._query(table)
        if not has_unique_key(table, query.shape):
            with translate(table.table):
                twin = self._connection.execute(query.select_twin()).first()
            if twin is not None:
                raise _wrong(table, "two rows share a key; name the columns that tell each row from every other", "duplicate-key")
        with translate(table.table):
            # one row, so that a condition that the database does not understand is told now
            self._connection.execute(query.select_page(KeyRange(), None, limit=1)).all()
        return {field: column.kind for field, column in query.fields.items()}

    def read_rows(self, table: TableSpec, keys: KeyRange, since: Any = None) -> Iterator[SeenRow]:
        """Return the rows of a key range, in the database's order; with *since*, those updated from then on."""
        from bokit.sources.sql.query import PAGE_ROWS

        query = self._query(table)
        read = self._reader(table, query)
        while True:
            with translate(table.table):
                rows = self._connection.execute(query.select_page(keys, since, limit=PAGE_ROWS)).all()
            for row in rows:
                yield read(row)
            if len(rows) < PAGE_ROWS:
                return
            keys = KeyRange(after=tuple(rows[-1][: len(table.key)]), until=keys.until)

    def find_keys(self, table: TableSpec, keys: Sequence[Key]) -> set[Key]:
        """Return those of *keys* of which there is a row."""
        query, found = self._query(table), set[str]()
        tell = self._key_reader(table, query)
        texts = {tell(key): key for key in keys}
        for n in range(0, len(keys), FIND_AT_ONCE):
            with translate(table.table):
                rows = self._connection.execute(query.select_keys(keys[n : n + FIND_AT_ONCE])).all()
            found |= {tell(tuple(row)) for row in rows}
        return {key for text, key in texts.items() if text in found}

    def find_mark(self, table: TableSpec) -> Any:
        """Return the latest updated-at value that does not lie in the future; None: there is none."""
        with translate(table.table):
            return self._connection.execute(self._query(table).select_mark()).scalar()

    # ── one row ──

    def _reader(self, table: TableSpec, query: Query) -> Callable[[Sequence[Any]], SeenRow]:
        """Return what makes a record's row of the database's."""
        place = {name: n for n, name in enumerate(query.names)}
        fields = [(field, place[column.name], self._value_reader(column)) for field, column in query.fields.items()]
        width, tell = len(table.key), self._key_reader(table, query)

        def read(row: Sequence[Any]) -> SeenRow:
            at = tuple(row[:width])
            name = ""
            try:
                values = {}
                for name, n, read_one in fields:
                    values[name] = read_one(row[n])
                name = ""
                return make_row(tell(at), values, at)
            except SourceMalformedError as error:
                if error.stable_code == "null-key":
                    raise
                told = f"field {name!r} {error.message}" if name else error.message
                raise _wrong(table, told, error.stable_code) from None

        return read

    def _key_reader(self, table: TableSpec, query: Query) -> Callable[[Key], str]:
        """Return what writes a key as its record is known by."""
        readers = [self._value_reader(query.shape.columns[name]) for name in table.key]

        def tell(at: Key) -> str:
            values = [read(value) for read, value in zip(readers, at, strict=True)]
            if values.count(None) == len(values):
                raise _wrong(table, "a row's key is NULL; name columns that are not", "null-key")
            return write_key(values)

        return tell

    def _value_reader(self, column: Column) -> Callable[[Any], Json]:
        is_utc = column.kind == "moment" and self._family == "mysql"
        reading = Reading(zone=self._zone, is_whole=column.is_whole, is_utc=is_utc)
        if special := _SPECIAL.get((self._family, column.kind)):
            return lambda value: None if value is None else read_value(special(value), reading)
        return lambda value: value if type(value) in _AS_IT_IS else read_value(value, reading)

    def _query(self, table: TableSpec) -> Query:
        """Return the statements about *table*, whose columns are looked up once."""
        from bokit.sources.sql.connect import load_shape
        from bokit.sources.sql.query import Query

        if table.name not in self._queries:
            with translate(table.table):
                shape: Shape = load_shape(self._connection, self._family, table)
            self._queries[table.name] = Query(table, shape, pick_columns(table, shape), self._family)
        return self._queries[table.name]


def _wrong(table: TableSpec, what: str, code: str) -> SourceMalformedError:
    return SourceMalformedError(f"table {table.table!r}: {what}", code=code)


def _read_json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, (str, bytes)) else value


def _read_bits(value: Any) -> Any:
    return int.from_bytes(value, "big") if isinstance(value, bytes) else value


def _read_set(value: Any) -> Any:
    return [item for item in value.split(",") if item] if isinstance(value, str) else value


def _read_zero_date(value: Any) -> Any:
    """Return None for 0000-00-00, of which drivers make text: MySQL's own word for no date."""
    return None if isinstance(value, str) and value.startswith("0000-00-00") else value


_AS_IT_IS = frozenset({str, int, bool, type(None)})
"""Types whose values JSON has as they are: most of them, and no time to lose on them."""

_SPECIAL: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("mysql", "json"): _read_json,
    ("mysql", "bits"): _read_bits,
    ("mysql", "set"): _read_set,
    ("mysql", "date"): _read_zero_date,
    ("mysql", "time"): _read_zero_date,
    ("mysql", "moment"): _read_zero_date,
    ("postgresql", "padded"): str.rstrip,
    ("sqlite", "boolean"): lambda value: bool(value) if value in (0, 1) else value,
}
