"""Databases that a test may fill, each of a server of its own or in a file, with an account that only reads."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bokit.core.model.catalog import Source
from bokit.core.tables.chunks import KeyRange
from bokit.core.tables.spec import TableSettings, read_table_settings
from bokit.sources.sql.table import SqlReader, SqlSnapshot
from bokit.sources.sql.url import Reach
from tests.support.builders import a_name, a_source
from tests.support.servers import PASSWORD, Server, needs_mariadb, needs_postgres

DATABASES = [
    "sqlite",
    pytest.param("mariadb", marks=needs_mariadb),
    pytest.param("postgres", marks=needs_postgres),
]
LOCAL = Reach(local=True)


@dataclass
class Place:
    """One database: *url* reads it, *admin_url* may do all."""

    family: str
    database: str
    url: str
    admin_url: str
    server: Server | None = None
    user: str = "bokit_reader"

    def run(self, *statements: str) -> None:
        """Run statements as the administrator."""
        if self.server:
            self.server.run(*statements, database=self.database)
            return
        made = sqlite3.connect(self.database)
        with made:
            for statement in statements:
                made.execute(statement)
        made.close()

    def grant(self, *tables: str) -> None:
        """Let the reader read every table, or these."""
        if self.family == "mysql":
            for table in tables or ["*"]:
                self.run(f"GRANT SELECT ON `{self.database}`.{table} TO '{self.user}'@'%'")
        if self.family == "postgresql":
            names = ", ".join(tables) if tables else "ALL TABLES IN SCHEMA public"
            self.run(f"GRANT SELECT ON {names} TO {self.user}")

    @contextmanager
    def open(self, *tables: dict[str, Any], url: str | None = None, **given: Any) -> Iterator[tuple[SqlSnapshot, TableSettings]]:
        """Open it as a source would."""
        seconds_left = given.pop("seconds_left", None)
        options = {name: given.pop(name) for name in ("allow_writable_account",) if name in given}
        settings = read_table_settings({"tables": list(tables), **options})
        reader = SqlReader(lambda url, tenant: url, LOCAL)
        with reader.open(self.source(url, **given), settings, seconds_left) as opened:
            yield opened, settings

    def source(self, url: str | None = None, **given: Any) -> Source:
        """Return a source on it."""
        return a_source(kind="sql", url=url or self.url, **given)

    def read(self, table: dict[str, Any], keys: KeyRange = KeyRange(), **given: Any) -> list[Any]:  # noqa: B008 - frozen
        """Return the rows of one table, after the checks; rows of every type differ before they are read."""
        with self.open(table, **given) as (opened, settings):
            opened.check_table(settings.tables[0])
            rows, raws = list(opened.fetch_rows(settings.tables[0], keys)), list(opened.fetch_raw(settings.tables[0], keys))
        assert {row.raw for row in rows if not row.problems} <= set(raws) - {b""}
        assert len(set(raws)) == len(raws)
        assert not any(row.raw for row in rows if row.problems)
        return rows


@contextmanager
def make_place(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Place]:
    """Make an empty database of this kind, with a reader that may read nothing yet."""
    if kind == "sqlite":
        file = folder / f"{a_name('billing')}.db"
        sqlite3.connect(file).close()
        yield Place("sqlite", str(file), f"sqlite:///{file}", f"sqlite:///{file}")
        return
    server: Server = request.getfixturevalue(kind)
    name, user = a_name("billing"), a_name("reader")
    for statement in _creation(server.family, name, user):
        server.run(statement)
    yield Place(server.family, name, server.url(user, name), server.url(server.admin, name, ""), server, user)
    for statement in _removal(server.family, name, user):
        server.run(statement)


def _creation(family: str, name: str, user: str) -> Sequence[str]:
    if family == "mysql":
        return [f"CREATE DATABASE {name} CHARACTER SET utf8mb4", f"CREATE USER '{user}'@'%' IDENTIFIED BY '{PASSWORD}'"]
    return [f"CREATE DATABASE {name}", f"CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'"]


def _removal(family: str, name: str, user: str) -> Sequence[str]:
    if family == "mysql":
        return [f"DROP DATABASE {name}", f"DROP USER '{user}'@'%'"]
    return [f"DROP DATABASE {name} WITH (FORCE)", f"DROP OWNED BY {user}", f"DROP ROLE {user}"]
