"""Rows that the driver returns as before are not read, and nothing is missed by it: whatever happens to a table."""

# ruff: noqa: S608 - statements of our own words

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from bokit.core.model.runs import SourceReport
from bokit.core.tables.chunks import TableState, pack_manifest, unpack_manifest
from bokit.sources.sql.rows import RowReader
from tests.support.sql_app import SqlApp, SqliteFile, shrink_tables

DAY = 86_400
NAMES = ("a", "Zoë", "it''s", "", "1", "部屋")
VALUES = (
    "NULL",
    "1",
    "'1'",
    "1.0",
    "-0.0",
    "1e400",
    "x'00ff'",
    "zeroblob(300)",
    "CAST(x'ff41' AS TEXT)",
    "'long ' || hex(zeroblob(40))",
)
KEYS = ("1", "'1'", "2", "'b'", "NULL", "7.5", "CAST(x'ff' AS TEXT)", "'z'", "900", "'aa'", "31", "'q'")
FIELDS = ({"name": "name"}, {"name": "extra"}, {"name": "name", "extra": "extra"}, None)


@pytest.fixture
def file(tmp_path: Path) -> SqliteFile:
    """A database of one table whose columns hold what they are given."""
    made = SqliteFile(tmp_path)
    made.run("CREATE TABLE shops (id, name, extra)", "CREATE TABLE stocks (id INTEGER PRIMARY KEY, name TEXT, gone)")
    made.run("INSERT INTO shops VALUES (?, 'a', 1)", rows=[(n,) for n in range(20)])
    made.run("INSERT INTO stocks VALUES (?, 'a', NULL)", rows=[(n,) for n in range(20)])
    return made


def change(file: SqliteFile, lot: random.Random) -> None:
    """Change some rows of one table, or its columns."""
    key, n = lot.choice(KEYS), lot.randrange(40)
    statements = (
        f"UPDATE shops SET extra = {lot.choice(VALUES)} WHERE id = {n}",
        f"UPDATE shops SET name = '{lot.choice(NAMES)}' WHERE id = {key}",
        f"UPDATE shops SET id = CAST(id AS TEXT) WHERE id = {n}",
        f"INSERT INTO shops VALUES ({key}, '{lot.choice(NAMES)}', {lot.choice(VALUES)})",
        f"INSERT INTO shops VALUES ({n + 20}, 'new', {lot.choice(VALUES)})",
        f"DELETE FROM shops WHERE id = {n}",
        f"DELETE FROM shops WHERE id IS {key}",
        "UPDATE shops SET extra = 'same' WHERE typeof(id) = 'text'",
        f"UPDATE stocks SET gone = {lot.choice(VALUES)} WHERE id = {n}",
        f"UPDATE stocks SET name = '{lot.choice(NAMES)}' WHERE id = {n}",
        f"DELETE FROM stocks WHERE id > {n}",
        f"INSERT OR IGNORE INTO stocks VALUES ({n}, 'back', NULL)",
    )
    for statement in lot.sample(statements, lot.randrange(4)):
        file.run(statement)


def declare(app: SqlApp, settings: dict[str, Any]) -> None:
    """Declare the tables as *settings* say."""
    shops = {"table": "shops", "collection": "shops", "key": ["id"], "fields": settings["fields"]}
    stocks = {"table": "stocks", "collection": "shops" if settings["shared"] else "stocks", "key": ["id"], **settings["stocks"]}
    tables = [{name: value for name, value in table.items() if value is not None} for table in (shops, stocks)]
    app.declare(
        *tables,
        collections=[{"name": "shops", **settings["rules"]}],
        on_missing=settings["on_missing"],
        timezone=settings["zone"],
    )


def say(report: SourceReport) -> dict[str, Any]:
    """Return what a report says, without its times."""
    lines = [(t.name, str(t.outcome), dict(t.counts), t.error and t.error["code"]) for t in report.tables]
    problems = sorted(str((p["code"], p["uid"], p.get("field"))) for p in report.problems)
    return {"outcome": str(report.outcome), "counts": dict(report.counts), "tables": lines, "problems": problems}


def state_of(app: SqlApp) -> dict[str, Any]:
    """Return all that is stored of the records, without times."""
    found = [record for name in ("shops", "stocks") for record in app.records(name).values()]
    return {r.id: (dict(r.fields), str(r.presence), [(c.action, sorted(c.fields)) for c in app.changes(r)]) for r in found}


@pytest.mark.parametrize("seed", range(12))
def test_the_same_becomes_of_a_table_whose_rows_are_all_read(
    file: SqliteFile, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Whatever changes in rows, columns and settings: records, logs and reports are those of an engine that reads every row."""
    shrink_tables(monkeypatch)
    lot, quick, thorough = random.Random(seed), SqlApp(file.url), SqlApp(file.url)
    settings: dict[str, Any] = {
        "fields": FIELDS[0],
        "rules": {},
        "on_missing": "delete",
        "shared": False,
        "stocks": {},
        "zone": "Europe/Rome",
    }
    for step in range(25):
        if step == 0 or lot.random() < 0.15:
            changed = {
                "fields": lot.choice(FIELDS),
                "rules": lot.choice(({}, {"preserve": ["name"]}, {"schema": {"properties": {"name": {"minLength": 1}}}})),
                "on_missing": lot.choice(("keep", "mark", "delete")),
                "shared": lot.random() < 0.3,
                "stocks": lot.choice(({}, {"deleted": "gone"}, {"volatile": ["gone"]}, {"without": ["gone"]})),
            }
            settings |= {name: value for name, value in changed.items() if lot.random() < 0.5}
            declare(quick, settings)
            declare(thorough, settings)
        change(file, lot)
        asked = {"advance": lot.choice((300, DAY)), "force": lot.random() < 0.1}
        said = say(quick.report(**asked))
        with monkeypatch.context() as patched:
            patched.setattr(RowReader, "identify", lambda reader, row: b"")
            assert said == say(thorough.report(**asked)), step
        assert state_of(quick) == state_of(thorough), step


def test_unchanged_rows_are_not_read(file: SqliteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass reads the rows of the key ranges in which the driver returned something else, and no others."""
    shrink_tables(monkeypatch)
    app, read, original = SqlApp(file.url), list[str](), RowReader.read
    app.add_source({"table": "stocks", "collection": "stocks", "key": ["id"]})
    app.sync()

    def note(reader: RowReader, row: Any) -> Any:
        read.append(str(row[0]))
        return original(reader, row)

    monkeypatch.setattr(RowReader, "read", note)
    assert app.report().counts["unchanged"] == 20
    assert read == []
    file.run("UPDATE stocks SET name = 'b' WHERE id = 6")
    assert app.report().counts["updated"] == 1
    assert read == ["4", "5", "6", "7"]
    read.clear()
    app.sync(force=True)
    assert len(read) == 20


def test_rows_with_problems_are_read_and_reported_each_time(file: SqliteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read of a row is in the report of every pass; once it can be, its range is not read any more."""
    shrink_tables(monkeypatch)
    file.run("UPDATE stocks SET name = zeroblob(300) WHERE id = 6")
    app = SqlApp(file.url)
    source = app.add_source({"table": "stocks", "collection": "stocks", "key": ["id"]})
    for _ in range(3):
        assert [p["uid"] for p in app.report().problems] == ["6"]
    chunks = unpack_manifest(app.store.load_snapshot(source).content)["stocks"].chunks
    assert [bool(chunk.raw) for chunk in chunks] == [True, False, True, True, True]
    file.run("UPDATE stocks SET name = 'b' WHERE id = 6")
    assert app.report().problems == ()
    assert all(chunk.raw for chunk in unpack_manifest(app.store.load_snapshot(source).content)["stocks"].chunks)


def test_a_manifest_of_a_former_release_is_completed_without_reading_chunks(
    file: SqliteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A former release stored no digests of the driver's rows: one pass reads every row, and loads no chunk."""
    shrink_tables(monkeypatch)
    app = SqlApp(file.url)
    source = app.add_source({"table": "stocks", "collection": "stocks", "key": ["id"]})
    app.sync()
    state, loaded = unpack_manifest(app.store.load_snapshot(source).content)["stocks"], list[Any]()
    app.store._snapshots[source.id] = _with_state(app, source, state.with_reading("another"))
    monkeypatch.setattr(app.store, "load_chunks", lambda source, names: loaded.extend(names))
    assert app.report().counts["unchanged"] == 20
    assert loaded == []
    assert unpack_manifest(app.store.load_snapshot(source).content)["stocks"] == state


def _with_state(app: SqlApp, source: Any, state: TableState) -> Any:
    from bokit.values import replace

    return replace(app.store.load_snapshot(source), content=pack_manifest({"stocks": state}))
