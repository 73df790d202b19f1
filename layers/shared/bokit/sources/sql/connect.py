"""Connections to databases: to the address that was checked, over TLS where it is told or needed, with limits on time."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from bokit.core.tables.spec import TableSpec
from bokit.errors import BokitError, SourceMalformedError
from bokit.sources.sql.errors import translate_driver
from bokit.sources.sql.shape import (
    MYSQL_COLUMNS,
    MYSQL_UNIQUES,
    POSTGRESQL_COLUMNS,
    POSTGRESQL_UNIQUES,
    Shape,
    read_shape,
    read_sqlite_shape,
)
from bokit.sources.sql.url import Database, Reach, find_address, find_authorities, make_tls, ssl_mode_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

CONNECT_SECONDS, STATEMENT_SECONDS = 10, 120
IDLE_SECONDS = 900
"""How long a snapshot may wait for us while we write what it showed: a function's longest life."""


def connect(database: Database, reach: Reach) -> Connection:
    """Return a connection, with its limits set; raises SourceUnavailableError, SourceRefusedError or AddressRefusedError."""
    creators: dict[str, Callable[[], Any]] = {
        "mysql": lambda: _connect_mysql(database, reach),
        "postgresql": lambda: _connect_postgresql(database, reach),
        "sqlite": lambda: _connect_sqlite(database),
    }
    drivers = {"mysql": "mysql+pymysql://", "postgresql": "postgresql+psycopg://", "sqlite": "sqlite://"}
    engine = create_engine(
        drivers[database.family], creator=creators[database.family], poolclass=NullPool, isolation_level="AUTOCOMMIT"
    )
    try:
        return _open(engine, database.family)
    except BokitError:
        raise
    except Exception as error:
        failure = translate_driver(getattr(error, "orig", None) or error)
    raise failure  # out of the handler: the drivers' errors name the host and the user


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

    given: dict[str, Any] = {
        "user": database.user,
        "password": database.password or "",
        "database": database.name,
        "charset": "utf8mb4",
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": STATEMENT_SECONDS + 10,
        "write_timeout": CONNECT_SECONDS,
        "local_infile": False,
        "autocommit": True,
    }
    if database.socket_path:
        return pymysql.connect(unix_socket=database.socket_path, **given)
    address = find_address(database, reach)
    mode = ssl_mode_of(database, address)
    tls = _tls_of(mode, database.parameters.get("sslrootcert"))
    made = pymysql.connect(host=str(database.host), port=database.port, defer_connect=True, **tls, **given)
    line = socket.create_connection((address, database.port), timeout=CONNECT_SECONDS)
    try:
        made.connect(line)
    except BaseException:
        line.close()
        raise
    return made


def _tls_of(mode: str, authorities: str | None) -> dict[str, Any]:
    """Return how PyMySQL is told *mode*: left alone, it takes TLS where it is offered; with a context, nothing else."""
    if mode == "prefer":
        return {}
    tls = make_tls(mode, authorities)
    return {"ssl_disabled": True} if tls is None else {"ssl": tls}


def _connect_postgresql(database: Database, reach: Reach) -> Any:
    import psycopg

    given: dict[str, Any] = {
        "user": database.user,
        "password": database.password,
        "dbname": database.name,
        "connect_timeout": CONNECT_SECONDS,
        "client_encoding": "UTF8",
        "application_name": "bokit",
        "autocommit": True,
        "prepare_threshold": None,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
    }
    if database.socket_path:
        made = psycopg.connect(host=database.socket_path, port=database.port, sslmode="disable", **given)
    else:
        address = find_address(database, reach)
        mode = ssl_mode_of(database, address)
        roots: dict[str, Any] = (
            {"sslrootcert": database.parameters.get("sslrootcert") or find_authorities()} if mode == "verify-full" else {}
        )
        made = psycopg.connect(
            host=database.host, hostaddr=address, port=database.port, sslmode=mode, gssencmode="disable", **roots, **given
        )
    _read_leniently(made)
    return made


def _read_leniently(connection: Any) -> None:
    """Let dates that Python has none for (infinity, 20000-01-01) come as PostgreSQL's own text."""
    from psycopg import DataError
    from psycopg.types.datetime import DateLoader, TimestampLoader, TimestamptzLoader

    def lenient(loader: Any) -> Any:
        def load(self: Any, data: Any) -> Any:
            try:
                return loader.load(self, data)
            except DataError:
                return bytes(data).decode()

        return type(f"Lenient{loader.__name__}", (loader,), {"load": load})

    for name, loader in (("date", DateLoader), ("timestamp", TimestampLoader), ("timestamptz", TimestamptzLoader)):
        connection.adapters.register_loader(name, lenient(loader))


def _connect_sqlite(database: Database) -> Any:
    import sqlite3

    file = Path(database.name)
    if not file.is_file():
        raise SourceMalformedError("there is no such database file; write sqlite:////path/of/the/file", code="missing-table")
    made = sqlite3.connect(
        f"file:{quote(str(file.resolve()))}?mode=ro",
        uri=True,
        timeout=CONNECT_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    made.text_factory = lambda text: text.decode(errors="replace")
    return made


def _limit(connection: Connection, family: str) -> None:
    """Set the session's limits: on what it may do, and for how long."""
    for statement in _list_limits(family, is_mariadb=bool(getattr(connection.dialect, "is_mariadb", False))):
        connection.exec_driver_sql(statement)


def _list_limits(family: str, *, is_mariadb: bool) -> list[str]:
    if family == "sqlite":
        return ["PRAGMA query_only = ON"]
    if family == "postgresql":
        return [
            "SET default_transaction_read_only = on",
            f"SET statement_timeout = '{STATEMENT_SECONDS}s'",
            f"SET lock_timeout = '{CONNECT_SECONDS}s'",
            f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'",
            "SET TIME ZONE 'UTC'",
        ]
    span = f"max_statement_time = {STATEMENT_SECONDS}" if is_mariadb else f"max_execution_time = {STATEMENT_SECONDS * 1000}"
    return [
        "SET NAMES utf8mb4",
        "SET time_zone = '+00:00'",
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        f"SET SESSION {span}",
        f"SET SESSION wait_timeout = {IDLE_SECONDS}",
    ]


_BEGIN = {
    "mysql": "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "sqlite": "BEGIN",
}


def begin(connection: Connection, family: str) -> None:
    """Begin the one transaction in which all is read."""
    connection.exec_driver_sql(_BEGIN[family])


def load_shape(connection: Connection, family: str, table: TableSpec) -> Shape:
    """Return what the database's catalog says of *table*; no columns where there is no such table."""
    if family == "sqlite":
        return _load_sqlite_shape(connection, table)
    if family == "mysql":
        named: dict[str, Any] = {"schema": table.schema, "name": table.table_name}
        columns = connection.execute(text(MYSQL_COLUMNS), named).all()
        return read_shape(family, columns, connection.execute(text(MYSQL_UNIQUES), named).all())
    quoted = connection.dialect.identifier_preparer.quote_identifier
    relation = ".".join(quoted(part) for part in (table.schema, table.table_name) if part)
    columns = connection.execute(text(POSTGRESQL_COLUMNS), {"relation": relation}).all()
    return read_shape(family, columns, connection.execute(text(POSTGRESQL_UNIQUES), {"relation": relation}).all())


def _load_sqlite_shape(connection: Connection, table: TableSpec) -> Shape:
    named = {"name": table.table_name, "schema": table.schema or "main"}

    def ask(statement: str, **given: Any) -> list[Any]:
        return cast("list[Any]", connection.execute(text(statement), {**named, **given}).all())

    columns = ask('SELECT cid, name, type, "notnull", dflt_value, pk FROM pragma_table_info(:name, :schema)')
    indexes = ask('SELECT name FROM pragma_index_list(:name, :schema) WHERE "unique" = 1 AND partial = 0')
    uniques = [
        [str(row[0]) for row in ask("SELECT name FROM pragma_index_info(:index, :schema)", index=index[0])] for index in indexes
    ]
    return read_sqlite_shape(columns, [names for names in uniques if "None" not in names])
