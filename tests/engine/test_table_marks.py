"""Passes of a table that read a part of it: until which time it has been read, and when all of it is read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT, Source
from bokit.core.model.documents import write_time
from bokit.errors import InputError
from tests.support.json_app import JsonApp
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


# ── marks, shown and reset ──

UPDATED = {**CLIENTS, "updated_at": "at"}


def marks(app: SqlApp, source: Source) -> dict[str, tuple[object, ...]]:
    """Return what is shown of each table."""
    found = app.bokit.catalog.sources.list_marks(DEFAULT_TENANT, source.id)
    return {str(m["table"]): (m["by"], m["mark"], m["full_at"], m["meaning"]) for m in found}


def test_the_mark_of_each_table_is_shown(app: SqlApp, file: SqliteFile) -> None:
    """Until when it was read, by which column, and what the next sync reads; a table without one is always read in full."""
    file.run("CREATE TABLE other (id INTEGER PRIMARY KEY)")
    source = app.add_source(UPDATED, {"table": "other", "collection": "other", "key": ["id"]})
    assert marks(app, source)["clients"] == ("at", None, None, "the next sync reads all of it")
    app.sync()
    shown = marks(app, source)
    assert shown["clients"][:3] == ("at", "2026-06-01 09:00:00.000", app.clock())
    assert "with at from 2026-06-01 09:00:00.000 on, and some time before it; all of it from 2026-06-02 12:05 UTC on" in str(
        shown["clients"]
    )
    assert shown["other"] == (None, None, None, "every sync reads all of it")


def test_a_mark_that_is_reset_makes_the_next_pass_whole(app: SqlApp, file: SqliteFile) -> None:
    """A change without a stamp is found then; of other tables nothing is read again, and no record is lost."""
    file.run("INSERT INTO clients VALUES (6, 'late', '2026-06-01 11:59:00')", "CREATE TABLE other AS SELECT * FROM clients")
    other = {**UPDATED, "table": "other", "collection": "other"}
    source = app.add_source(UPDATED, other, on_missing="delete")
    app.sync()
    app.sync()
    file.run("UPDATE clients SET name = 'silent' WHERE id < 6", "UPDATE other SET name = 'silent' WHERE id < 6")
    app.clock.move(hours=6)
    assert app.report().counts["updated"] == 0
    shown = app.bokit.catalog.sources.reset_marks(DEFAULT_TENANT, source.id, "clients")
    assert [(m["table"], m["mark"] is None) for m in shown] == [("clients", True), ("other", False)]
    assert (app.schedule(source).due_at, len(app.records())) == (app.clock(), 6)
    assert app.report().counts["updated"] == 5
    assert {r.fields["name"] for r in app.records("other").values()} == {"a", "late"}
    app.bokit.catalog.sources.reset_marks(DEFAULT_TENANT, source.id)
    assert app.report().counts["updated"] == 5
    with pytest.raises(InputError, match="reads no such table"):
        app.bokit.catalog.sources.reset_marks(DEFAULT_TENANT, source.id, "nope")


def test_the_mark_of_an_api_is_shown_and_reset() -> None:
    """Changes are asked for since then; after a reset the next request is for everything."""
    api = JsonApp(updated_since={"param": "since"}, on_missing="delete")
    api.sync()
    (mark,) = api.bokit.catalog.sources.list_marks(DEFAULT_TENANT, api.source.id)
    assert (mark["table"], mark["by"], mark["mark"]) == (None, "since", write_time(api.clock()))
    assert str(mark["meaning"]).startswith("the next sync asks for what has changed since ")
    (mark,) = api.bokit.catalog.sources.reset_marks(DEFAULT_TENANT, api.source.id)
    assert (mark["mark"], mark["meaning"]) == (None, "the next sync reads all of it")
    with pytest.raises(InputError, match="the source has no tables"):
        api.bokit.catalog.sources.reset_marks(DEFAULT_TENANT, api.source.id, "clients")
