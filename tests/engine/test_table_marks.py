"""Passes of a table that read a part of it: until which time it has been read, and when all of it is read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from tests.support.sql_app import CLIENTS, SqlApp, SqliteFile


@pytest.fixture
def file(tmp_path: Path) -> SqliteFile:
    """A database with five clients, stamped in the morning."""
    made = SqliteFile(tmp_path)
    made.run("CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, at TEXT)")
    made.run("INSERT INTO clients VALUES (?, 'a', '2026-06-01 09:00:00')", rows=[(n,) for n in range(1, 6)])
    return made


@pytest.fixture
def app(file: SqliteFile) -> SqlApp:
    """An engine on it."""
    return SqlApp(file.url)


def test_new_rows_alone_are_taken_until_a_full_pass_is_due(app: SqlApp, file: SqliteFile) -> None:
    """With `sync.new_only` and `sync.full_interval` changes are taken every six hours, and new rows at once."""
    app.store.save_option(DEFAULT_TENANT, "sync.new_only", True)
    app.store.save_option(DEFAULT_TENANT, "sync.full_interval", 6 * 3600)
    source = app.add_source(CLIENTS)
    app.sync()
    file.run("UPDATE clients SET name = 'b'", "INSERT INTO clients VALUES (6, 'new', NULL)")
    taken: list[tuple[int, int]] = []
    for _ in range(8):
        counts = app.report(advance=3600).counts
        taken.append((counts["created"], counts["updated"]))
    assert taken == [(1, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 5), (0, 0), (0, 0)]
    due = app.schedule(source).due_at
    assert due is not None
    file.run("UPDATE clients SET name = 'c'")
    assert app.report(advance=3600, force=True).counts["updated"] == 6
