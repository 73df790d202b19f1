"""Connections to databases: to the checked address, over TLS where the URL or the network asks for it, with time limits."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from bokit.core.tables.spec import TableSpec
from bokit.core.tables.values import UnreadableValue
from bokit.errors import BokitError, SourceMalformedError
from bokit.sources.sql.errors import translate_driver
from bokit.sources.sql.rows import load_json
from bokit.sources.sql.shape import (
    MYSQL_COLUMNS,
    MYSQL_UNIQUES,
    POSTGRESQL_COLUMNS,
    POSTGRESQL_UNIQUES,
    TableShape,
    read_shape,
    read_sqlite_shape,
)
from bokit.sources.sql.url import Database, Reach, find_address, find_authorities, make_tls, ssl_mode_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

CONNECT_SECONDS, STATEMENT_SECONDS = 10, 120
MIN_SECONDS_TO_END = 10.0
"""Of the host's time, what a statement leaves for what follows it."""
LOWERED_SHARE = 0.7
SQLITE_STEPS = 100_000
"""Steps of SQLite's machine between two looks at the clock: some milliseconds."""
IDLE_SECONDS = 900
"""How long a snapshot may stay idle while its rows are written: a function's longest life."""


def connect(database: Database, reach: Reach) -> Connection:
    """Return a connection, with its limits set; raises SourceUnavailableError, SourceRefusedError or AddressRefusedError."""
    drivers: dict[str, tuple[str, Callable[[Database, Reach], Any]]] = {
        "mysql": ("mysql+pymysql://", _connect_mysql),
        "postgresql": ("postgresql+psycopg://", _connect_postgresql),
        "sqlite": ("sqlite://", _connect_sqlite),
    }
    url, creator = drivers[database.family]
    engine = create_engine(url, creator=partial(creator, database, reach), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        return _open(engine, database.family)
    except BokitError:
        raise
    except Exception as error:
        failure = translate_driver(getattr(error, "orig", None) or error)
    raise failure  # outside the handler: the driver's error names host and user


def _open(engine: Engine, family: str) -> Connection:
    connection = engine.connect()
    try:
        _limit(connection, family)
    except BaseException:
        connection.invalidate()
        connection.close()
        raise
    return connection


def _connect_mysql(database: Database, reach: Reach) -> Any:
    import pymysql

    timeouts = {"connect": CONNECT_SECONDS, "read": STATEMENT_SECONDS + 10, "write": CONNECT_SECONDS}
    given: dict[str, Any] = {f"{name}_timeout": seconds for name, seconds in timeouts.items()}
    given |= {"user": database.user, "password": database.password or "", "database": database.name}
    given |= {"charset": "utf8mb4", "local_infile": False, "autocommit": True}
    if database.socket_path:
        return pymysql.connect(unix_socket=database.socket_path, **given)
    address = find_address(database, reach)
    tls = _tls_options(ssl_mode_of(database, address), database.parameters.get("sslrootcert"))
    connection = pymysql.connect(host=str(database.host), port=database.port, defer_connect=True, **tls, **given)
    stream = socket.create_connection((address, database.port), timeout=CONNECT_SECONDS)
    try:
        connection.connect(stream)
    except BaseException:
        stream.close()
        raise
    return connection


def _tls_options(mode: str, authorities: str | None) -> dict[str, Any]:
    """Return PyMySQL's options for *mode*: without any it uses TLS if offered, with a context it requires TLS."""
    if mode == "prefer":
        return {}
    tls = make_tls(mode, authorities)
    return {"ssl_disabled": True} if tls is None else {"ssl": tls}


def _connect_postgresql(database: Database, reach: Reach) -> Any:
    import psycopg

    given: dict[str, Any] = {"user": database.user, "password": database.password, "dbname": database.name}
    given |= {"client_encoding": "UTF8", "application_name": "bokit", "autocommit": True, "prepare_threshold": None}
    given |= {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": 60_000}
    given |= {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
    if database.socket_path:
        given |= {"host": database.socket_path, "sslmode": "disable"}
    else:
        address = find_address(database, reach)
        mode = ssl_mode_of(database, address)
        given |= {"host": database.host, "hostaddr": address, "sslmode": mode, "gssencmode": "disable"}
        if mode == "verify-full":
            given["sslrootcert"] = database.parameters.get("sslrootcert") or find_authorities()
    connection = psycopg.connect(port=database.port, **given)
    _load_leniently(connection)
    return connection


def _load_leniently(connection: Any) -> None:
    """Return as PostgreSQL's text what Python's types cannot hold (infinity, 20000-01-01, 24:00, months); JSON exactly."""
    from psycopg import DataError
    from psycopg.types.datetime import DateLoader, IntervalLoader, TimeLoader, TimestampLoader, TimestamptzLoader
    from psycopg.types.json import set_json_loads
    from psycopg.types.string import TextLoader

    def lenient(loader: Any) -> Any:
        def load(self: Any, data: Any) -> Any:
            # a month is not a number of days, nor is infinity: the loader of intervals would make them one
            if loader is IntervalLoader and any(word in bytes(data) for word in (b"mon", b"year", b"infinity")):
                return bytes(data).decode()
            try:
                return loader.load(self, data)
            except (DataError, ValueError, OverflowError):
                return bytes(data).decode()

        return type(f"Lenient{loader.__name__}", (loader,), {"load": load})

    dates = (("date", DateLoader), ("timestamp", TimestampLoader), ("timestamptz", TimestamptzLoader))
    for name, loader in (*dates, ("time", TimeLoader), ("interval", IntervalLoader)):
        connection.adapters.register_loader(name, lenient(loader))
    for name in ("inet", "cidr"):
        connection.adapters.register_loader(name, TextLoader)
    set_json_loads(load_json, connection)
    if connection.info.parameter_status("server_encoding") == "SQL_ASCII":  # it checks no text, whatever it was sent
        for name in ("text", "varchar", "bpchar", "name"):
            connection.adapters.register_loader(name, _text_loader(TextLoader))


def _text_loader(loader: Any) -> Any:
    def load(self: Any, data: Any) -> Any:
        return decode_text(bytes(data))

    return type("UncheckedTextLoader", (loader,), {"load": load})


def decode_text(text: bytes) -> str | UnreadableValue:
    """Return a database's text; of another encoding than UTF-8, which is not known, what was sent."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return UnreadableValue("holds text that is not UTF-8", "bad-text", text)


def _connect_sqlite(database: Database, reach: Reach) -> Any:
    import sqlite3

    file = Path(database.name)
    if not file.is_file():
        raise SourceMalformedError("database file not found; write sqlite:////path/of/the/file", code="missing-table")
    url = f"file:{quote(str(file.resolve()))}?mode=ro"
    connection = sqlite3.connect(url, uri=True, timeout=CONNECT_SECONDS, isolation_level=None, check_same_thread=False)
    connection.text_factory = decode_text
    return connection


def _limit(connection: Connection, family: str) -> None:
    """Limit what the database session may do, and for how long."""
    limit = () if family == "sqlite" else (_statement_limit(connection, family, STATEMENT_SECONDS),)
    for statement in (*_SESSION[family], *limit):
        connection.exec_driver_sql(statement.format(connect=CONNECT_SECONDS, idle=IDLE_SECONDS))


class QueryLimit:
    """How long a statement may run: STATEMENT_SECONDS, or what the host still gives without MIN_SECONDS_TO_END."""

    def __init__(self, connection: Connection, family: str, seconds_left: Callable[[], float] | None) -> None:
        self._connection, self._family, self._seconds_left = connection, family, seconds_left
        self._seconds = float(STATEMENT_SECONDS)

    def lower(self) -> None:
        """Lower the limit where the host gives less: further than needed, since each change is a statement of its own."""
        left = self._seconds_left() - MIN_SECONDS_TO_END if self._seconds_left else self._seconds
        if self._family == "sqlite":
            _limit_sqlite(self._connection, min(left, self._seconds))
        elif left < self._seconds:
            self._seconds = max(left * LOWERED_SHARE, 1.0)
            self._connection.exec_driver_sql(_statement_limit(self._connection, self._family, self._seconds))

    def forget(self) -> None:
        """Note that the database has taken back what was lowered since the transaction began."""
        self._seconds = float(STATEMENT_SECONDS)


def _statement_limit(connection: Connection, family: str, seconds: float) -> str:
    """Return the statement that limits the later ones."""
    if family == "postgresql":
        return f"SET statement_timeout = '{int(seconds * 1000)}ms'"
    is_mariadb = bool(getattr(connection.dialect, "is_mariadb", False))
    limit = f"max_statement_time = {int(seconds)}" if is_mariadb else f"max_execution_time = {int(seconds * 1000)}"
    return f"SET SESSION {limit}"


def _limit_sqlite(connection: Connection, seconds: float) -> None:
    """Interrupt the next statement after *seconds*: SQLite has a handler in place of a limit."""
    until, driver = time.monotonic() + seconds, cast("Any", connection.connection.dbapi_connection)
    driver.set_progress_handler(lambda: time.monotonic() > until, SQLITE_STEPS)


_SESSION = {
    "sqlite": ("PRAGMA query_only = ON",),
    "postgresql": (
        "SET default_transaction_read_only = on",
        "SET lock_timeout = '{connect}s'",
        "SET idle_in_transaction_session_timeout = '{idle}s'",
        "SET TIME ZONE 'UTC'",
        "SET extra_float_digits = 3",
        "SET datestyle = 'ISO, YMD'",
        "SET intervalstyle = 'postgres'",
    ),
    "mysql": (
        "SET NAMES utf8mb4",
        "SET time_zone = '+00:00'",
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "SET SESSION wait_timeout = {idle}",
    ),
}
_BEGIN = {
    "mysql": "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "sqlite": "BEGIN",
}


def begin(connection: Connection, family: str) -> None:
    """Begin the transaction in which everything is read."""
    connection.exec_driver_sql(_BEGIN[family])
    if family == "postgresql":  # where a transaction goes on after an error
        connection.exec_driver_sql("SAVEPOINT opened")


def load_shape(connection: Connection, family: str, table: TableSpec) -> TableShape:
    """Return the shape of *table* from the database's catalog; without columns if the table does not exist."""
    if family == "sqlite":
        return _load_sqlite_shape(connection, table)
    if family == "mysql":
        columns, uniques = MYSQL_COLUMNS, MYSQL_UNIQUES
        named: dict[str, Any] = {"schema": table.schema, "name": table.table_name}
    else:
        columns, uniques = POSTGRESQL_COLUMNS, POSTGRESQL_UNIQUES
        quoted = connection.dialect.identifier_preparer.quote_identifier
        named = {"relation": ".".join(quoted(part) for part in (table.schema, table.table_name) if part)}
    return read_shape(family, *(connection.execute(text(query), named).all() for query in (columns, uniques)))


def _load_sqlite_shape(connection: Connection, table: TableSpec) -> TableShape:
    named = {"name": table.table_name, "schema": table.schema or "main"}

    def ask(statement: str, **given: Any) -> list[Any]:
        return cast("list[Any]", connection.execute(text(statement), {**named, **given}).all())

    columns = ask('SELECT cid, name, type, "notnull", dflt_value, pk FROM pragma_table_info(:name, :schema)')
    indexes = ask('SELECT name FROM pragma_index_list(:name, :schema) WHERE "unique" = 1 AND partial = 0')
    members = "SELECT name FROM pragma_index_info(:index, :schema)"
    uniques = [[str(row[0]) for row in ask(members, index=index[0])] for index in indexes]
    return read_sqlite_shape(columns, [names for names in uniques if "None" not in names])
