"""Fields of tables: left out, volatile, the mark of deleted rows, and fields that no row has any more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT, Collection, Source
from bokit.core.model.records import CollectionName
from bokit.core.model.runs import Outcome
from tests.support.rows_app import CallCounter
from tests.support.sql_app import SqlApp, SqliteFile, shrink_tables

TABLE = {"table": "clients", "collection": "clients", "key": ["id"]}
WRITES = ("apply_records", "save_chunks", "save_snapshot", "save_head")
READS = ("find_records", "load_chunks")


@pytest.fixture
def file(tmp_path: Path) -> SqliteFile:
    """A database with ten clients, none of them deleted."""
    made = SqliteFile(tmp_path)
    made.run("CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, email TEXT, seen TEXT, gone TEXT, at TEXT)")
    row = "INSERT INTO clients VALUES (?, ?, ?, 'monday', NULL, '2026-06-01 09:00:00')"
    made.run(row, rows=[(n, f"Client {n}", f"c{n}@x") for n in range(1, 11)])
    return made


@pytest.fixture
def app(file: SqliteFile, monkeypatch: pytest.MonkeyPatch) -> SqlApp:
    """An engine on it, which meets every edge of chunks, pages and batches."""
    shrink_tables(monkeypatch)
    return SqlApp(file.url)


def counts(app: SqlApp, **request: Any) -> dict[str, int]:
    """Sync, and return the counts that are not zero."""
    return {name: n for name, n in app.report(**request).counts.items() if n}


def calls_of(app: SqlApp, **request: Any) -> list[str]:
    """Sync, and return what was written, and read of records and chunks."""
    store = CallCounter(app.store)
    app.bokit = app.assemble(store)
    app.report(**request)
    app.bokit = app.assemble()
    return [call for call in store.calls if call in (*WRITES, *READS)]


def touch(file: SqliteFile, app: SqlApp, change: str) -> None:
    """Change rows as an application does: with their stamp."""
    change, _, where = change.partition(" WHERE ")
    file.run(" ".join(["UPDATE clients SET", change, f", at = '{now(app)}' WHERE", where or "1"]))


def now(app: SqlApp) -> str:
    """Return the time as SQLite writes it."""
    return f"{app.clock():%Y-%m-%d %H:%M:%S}"


# ── without, volatile ──


def test_what_is_left_out_is_in_no_record(app: SqlApp, file: SqliteFile) -> None:
    """A column by its field's name; inside JSON by a path. It is taken as soon as it is not left out any more."""
    file.run("CREATE TABLE docs (id INTEGER PRIMARY KEY, doc JSON, secret BLOB)")
    file.run("INSERT INTO docs VALUES (1, '{}', zeroblob(300))")
    table = {"table": "docs", "collection": "docs", "key": ["id"], "without": ["secret"]}
    source = app.add_source(table)
    report = app.report()
    assert (report.outcome, report.problems) == (Outcome.CHANGED, ())
    assert app.records("docs")["1"].fields == {"id": 1, "doc": "{}"}
    mapped = {**table, "fields": {"number": "id", "text": "doc"}, "without": ["text"]}
    app.change_settings(source, tables=[mapped])
    app.report()
    assert app.records("docs")["1"].fields == {"number": 1}
    app.change_settings(source, tables=[{**table, "without": []}])
    assert [p["code"] for p in app.report().problems] == ["blob"]


def test_a_volatile_field_alone_is_not_a_change(app: SqlApp, file: SqliteFile) -> None:
    """It writes and loads nothing; with another change it is taken; without the setting all of it is taken."""
    source = app.add_source({**TABLE, "volatile": ["seen", "at"]})
    app.sync()
    touch(file, app, "seen = 'tuesday'")
    assert calls_of(app) == []
    touch(file, app, "email = 'new@x' WHERE id = 3")
    assert counts(app) == {"seen": 10, "updated": 1, "unchanged": 9}
    assert {key: r.fields["seen"] for key, r in app.records().items() if key in "34"} == {"3": "tuesday", "4": "monday"}
    app.change_settings(source, tables=[TABLE])
    assert counts(app)["updated"] == 9
    assert counts(app) == {"seen": 10, "unchanged": 10}


def test_a_volatile_field_that_is_empty_is_not_held(app: SqlApp, file: SqliteFile) -> None:
    """Nor is one whose first value is preserved."""
    collection = Collection(name=CollectionName("clients"), tenant=DEFAULT_TENANT, preserve=("email",))
    app.add_source({**TABLE, "volatile": ["seen"]}, collections=[collection])
    app.sync()
    file.run("UPDATE clients SET seen = NULL, email = NULL")
    assert app.report().error is None


# ── rows that are shown as deleted ──


@pytest.mark.parametrize("policy", ["keep", "mark", "delete"])
@pytest.mark.parametrize("incremental", [False, True])
def test_a_row_that_is_shown_as_deleted_is_deleted_at_once(app: SqlApp, file: SqliteFile, policy: str, incremental: bool) -> None:
    """Whatever the policy, also between two whole passes; it costs nothing afterwards, and comes back as it was edited."""
    app.add_source({**TABLE, "deleted": "gone", **({"updated_at": "at"} if incremental else {})}, on_missing=policy)
    app.sync()
    touch(file, app, "gone = 'today' WHERE id IN (3, 7)")
    assert counts(app)["cancelled"] == 2
    assert {key for key, presence in app.presences().items() if presence == "gone"} == {"3", "7"}
    assert app.changes(app.records()["3"])[0].reason == "deleted at the source"
    app.sync()
    app.clock.move(days=1)
    app.sync()
    assert calls_of(app) == [] or incremental
    touch(file, app, "gone = '' WHERE id = 3")
    assert counts(app)["restored"] == 1
    assert set(app.presences().values()) == {"present", "gone"}
    app.clock.move(days=2)
    assert counts(app, force=True) == {"seen": 10, "unchanged": 10}


def test_a_deleted_row_that_was_never_known_becomes_no_record(app: SqlApp, file: SqliteFile) -> None:
    """Neither by a whole pass, nor by one over new rows or updated ones; nor need it match the schema."""
    file.run("UPDATE clients SET gone = '1', name = 7 WHERE id < 3")
    table = {**TABLE, "deleted": "gone", "updated_at": "at"}
    schema = {"properties": {"name": {"type": "string"}}}
    app.add_source(table, collections=[Collection(name=CollectionName("clients"), tenant=DEFAULT_TENANT, schema=schema)])
    assert counts(app, new_only=True) == {"seen": 10, "created": 8, "unchanged": 2}
    assert counts(app) == {"seen": 10, "unchanged": 10}
    file.run("INSERT INTO clients VALUES (11, 'x', '', '', 'true', ?)", rows=[(now(app),)])
    assert "created" not in counts(app)
    assert len(app.records()) == 8


@pytest.mark.parametrize("policy", ["keep", "delete"])
@pytest.mark.parametrize("way", ["a day", "applied", "comes back"])
@pytest.mark.parametrize("incremental", [False, True])
def test_half_of_the_rows_shown_as_deleted_are_held(
    app: SqlApp, file: SqliteFile, policy: str, way: str, incremental: bool
) -> None:
    """As rows that are gone are: for a day, until a person applies it, or until they are shown again."""
    table = {**TABLE, "deleted": "gone", **({"updated_at": "at"} if incremental else {})}
    source = app.add_source(table, on_missing=policy)
    app.sync()
    touch(file, app, "gone = 1 WHERE id <= 6")
    app.clock.move(hours=1)
    report = app.report()
    assert (report.outcome, report.error and report.error["code"]) == (Outcome.HELD, "shrunken-feed")
    assert set(app.presences().values()) == {"present"}
    hold = app.bokit.records.find_hold(DEFAULT_TENANT, source.id)
    assert hold is not None
    assert [(r["action"], r["records"]) for r in hold.releases] == [("delete", 6)]
    if way == "applied":
        app.bokit.records.resolve_hold(DEFAULT_TENANT, source.id, plan_hash=hold.plan_hash, apply=True, by="user:ada")
    elif way == "comes back":
        touch(file, app, "gone = 0")
    else:
        app.clock.move(hours=25)
    app.report()
    app.clock.move(hours=25)
    app.report()
    assert sum(p == "gone" for p in app.presences().values()) == (0 if way == "comes back" else 6)
    assert app.report().error is None


def test_deleted_rows_and_missing_ones_are_judged_together(app: SqlApp, file: SqliteFile) -> None:
    """Three and three of ten are half; rows that are deleted for long do not count as known."""
    app.add_source({**TABLE, "deleted": "gone"}, on_missing="delete")
    app.sync()
    file.run("UPDATE clients SET gone = 1 WHERE id <= 3", "DELETE FROM clients WHERE id > 8")
    assert app.report().outcome is Outcome.HELD
    file.run("INSERT INTO clients SELECT id + 8, name, email, seen, NULL, at FROM clients WHERE id <= 2")
    assert counts(app)["cancelled"] == 3
    file.run("UPDATE clients SET gone = 1 WHERE id BETWEEN 4 AND 6")
    assert app.report().outcome is Outcome.HELD  # three of seven


def test_a_deleted_row_beside_a_key_that_cannot_be_read_is_deleted(app: SqlApp, file: SqliteFile) -> None:
    """What is not shown may be the unreadable row; what says that it is deleted says which it is."""
    file.run("CREATE TABLE odd (id TEXT, gone INTEGER)")
    file.run("INSERT INTO odd VALUES (?, 0)", rows=[(str(n),) for n in range(1, 8)])
    app.add_source({"table": "odd", "collection": "odd", "key": ["id"], "deleted": "gone"}, on_missing="delete")
    app.sync()
    file.run("INSERT INTO odd VALUES (CAST(x'ff41' AS TEXT), 0)", "UPDATE odd SET gone = 1 WHERE id = '2'")
    file.run("DELETE FROM odd WHERE id = '3'")
    report = app.report()
    assert (report.outcome, report.counts["cancelled"]) == (Outcome.HELD, 1)
    assert {k for k, p in app.presences("odd").items() if p != "present"} == {"2"}


def test_a_mark_that_cannot_be_read_leaves_the_record_as_it_is(app: SqlApp, file: SqliteFile) -> None:
    """It is the row's problem; the others are taken."""
    app.add_source({**TABLE, "deleted": "gone"}, on_missing="delete")
    app.sync()
    file.run(
        "UPDATE clients SET gone = CAST(x'ff' AS TEXT), name = 'x' WHERE id = 2", "UPDATE clients SET name = 'y' WHERE id = 1"
    )
    report = app.report()
    assert (report.counts["updated"], report.counts["refused"]) == (1, 1)
    assert "'gone', which says whether a row is deleted, holds text" in str(report.problems[0]["message"])
    assert app.records()["2"].fields["name"] == "Client 2"


def test_what_one_table_shows_as_deleted_is_the_other_tables_record(app: SqlApp, file: SqliteFile) -> None:
    """Where two tables feed a collection, the record is gone only as long as no table shows it."""
    file.run("CREATE TABLE more (id INTEGER PRIMARY KEY, name TEXT)", "INSERT INTO more VALUES (1, 'Other')")
    app.add_source({**TABLE, "deleted": "gone"}, {"table": "more", "collection": "clients", "key": ["id"]}, on_missing="delete")
    app.sync()
    file.run("UPDATE clients SET gone = 1 WHERE id = 1")
    app.sync()
    app.sync()
    assert (app.records()["1"].fields["name"], app.presences()["1"]) == ("Other", "present")


# ── fields that no row has any more ──


@pytest.mark.parametrize("way", ["a day", "applied", "comes back", "forced"])
@pytest.mark.parametrize("incremental", [False, True])
@pytest.mark.parametrize("empty", ["NULL", "''"])
def test_a_field_that_no_row_has_any_more_keeps_its_values(
    app: SqlApp, file: SqliteFile, way: str, incremental: bool, empty: str
) -> None:
    """Other changes are taken; its values go after a day, by a person or by --force, or it comes back."""
    source = app.add_source({**TABLE, **({"updated_at": "at"} if incremental else {})})
    app.sync()
    touch(file, app, f"email = {empty}")
    touch(file, app, "name = 'new' WHERE id = 3")

    report = app.report()

    assert (report.outcome, report.error and report.error["code"]) == (Outcome.HELD, "fields-changed")
    assert "have no value in any row any more (email)" in report.error["message"]  # type: ignore[index]
    assert ("field-vanished", "email") in [(p["code"], p["field"]) for p in report.problems]
    assert (app.records()["3"].fields["name"], app.records()["3"].fields["email"]) == ("new", "c3@x")
    app.clock.move(hours=12)
    touch(file, app, "name = 'newer' WHERE id = 4")
    assert app.report().outcome is Outcome.HELD
    assert (app.records()["4"].fields["name"], app.records()["4"].fields["email"]) == ("newer", "c4@x")
    _resolve(app, file, source, way)
    app.clock.move(hours=1)
    assert app.report().error is None
    has_email = {bool(r.fields["email"]) for r in app.records().values()}
    assert has_email == {way == "comes back"}
    assert app.report().outcome is Outcome.UNCHANGED


def _resolve(app: SqlApp, file: SqliteFile, source: Source, way: str) -> None:
    if way == "a day":
        app.clock.move(hours=13)
        assert app.report().counts["updated"] == 10
    elif way == "applied":
        hold = app.bokit.records.find_hold(DEFAULT_TENANT, source.id)
        assert hold is not None
        app.bokit.records.resolve_hold(DEFAULT_TENANT, source.id, plan_hash=hold.plan_hash, apply=True, by="user:ada")
        assert app.report().counts["updated"] == 10
    elif way == "forced":
        assert app.report(force=True).counts["updated"] == 10
    else:
        touch(file, app, "email = 'c' || id || '@x'")


@pytest.mark.parametrize("policy", ["follow", "stop"])
@pytest.mark.parametrize("incremental", [False, True])
def test_the_collection_says_what_is_done_about_an_empty_field(
    app: SqlApp, file: SqliteFile, policy: str, incremental: bool
) -> None:
    """follow takes it and reports it; stop leaves the table as it was, until it is forced."""
    collection = Collection(name=CollectionName("clients"), tenant=DEFAULT_TENANT, schema_policy=policy)
    app.add_source({**TABLE, **({"updated_at": "at"} if incremental else {})}, collections=[collection])
    app.sync()
    touch(file, app, "email = NULL")
    for _ in range(2 if policy == "stop" else 1):
        report = app.report()
        assert (report.error and report.error["code"]) == ("field-vanished" if policy == "stop" else None)
        assert {r.fields["email"] is None for r in app.records().values()} == {policy == "follow"}
    assert app.report(force=True).error is None
    assert {r.fields["email"] for r in app.records().values()} == {None}


def test_what_is_ordinary_is_not_held(app: SqlApp, file: SqliteFile) -> None:
    """A field that few had, one that only some have lost, and a table of two rows."""
    file.run("UPDATE clients SET gone = 'x' WHERE id < 5", "CREATE TABLE two (id INTEGER PRIMARY KEY, name TEXT)")
    file.run("INSERT INTO two VALUES (1, 'a'), (2, 'b')")
    app.add_source(TABLE, {"table": "two", "collection": "two", "key": ["id"]})
    app.sync()
    file.run("UPDATE clients SET gone = NULL", "UPDATE clients SET email = NULL WHERE id < 9", "UPDATE two SET name = NULL")
    assert (app.report().error, app.records("two")["1"].fields["name"]) == (None, None)
    assert calls_of(app) == []


def test_other_settings_while_a_field_is_held_take_it(app: SqlApp, file: SqliteFile) -> None:
    """The table is read in another way: what it shows then counts, in every row."""
    source = app.add_source(TABLE)
    app.sync()
    file.run("UPDATE clients SET email = NULL")
    assert app.report().outcome is Outcome.HELD
    app.change_settings(source, tables=[{**TABLE, "where": "id > 0"}])
    assert app.report().error is None
    assert {r.fields["email"] for r in app.records().values()} == {None}
