"""A watermark belongs to what was read: no stamp of one row, and no worker, hides what changes in another row."""

# ruff: noqa: S608 - stamps as SQL has them

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bokit.engine.runs.messages import read_message
from tests.support.rows_app import CallCounter
from tests.support.sql_app import SqlApp, SqliteFile, TimeBudget, shrink_tables

JOBS: dict[str, Any] = {"table": "jobs", "collection": "jobs", "key": ["id"], "updated_at": "at"}
LONG_AGO = "2026-05-01 08:00:00"


@pytest.fixture
def file(tmp_path: Path) -> SqliteFile:
    """A database with an empty table of jobs."""
    made = SqliteFile(tmp_path)
    made.run("CREATE TABLE jobs (id INTEGER PRIMARY KEY, name TEXT, at)")
    return made


def first_sync(file: SqliteFile, *stamps: object) -> SqlApp:
    """Sync a job of each stamp, numbered from 1."""
    file.run("INSERT INTO jobs VALUES (?, 'a', ?)", rows=[(n, stamp) for n, stamp in enumerate(stamps, 1)])
    app = SqlApp(file.url)
    app.add_source(JOBS)
    assert app.report().counts["created"] == len(stamps)
    return app


def name_of(app: SqlApp, key: str) -> str:
    return str(app.records("jobs")[key].fields["name"])


@pytest.mark.parametrize(
    ("stamps", "later"),
    [
        ((LONG_AGO, "2026-06-01 11:00:00", "2062-01-01 00:00:00"), "2026-06-01 12:02:00"),
        ((1777622400, 1780311600, 2901830400), 1780315320),
        (("2026-05-01T08:00:00", "2026-06-01T11:00:00Z", LONG_AGO), "2026-06-01 12:02:00"),
        ((LONG_AGO, "2026-06-01 11:00:00", None), "2026-06-01T12:02:00+00:00"),
        ((LONG_AGO, "2026-06-01 11:00:00", "soon"), "2026-06-01 12:02:00"),
    ],
)
def test_no_stamp_hides_the_changes_of_other_rows(file: SqliteFile, stamps: tuple[Any, ...], later: Any) -> None:
    """A future stamp, none, or one of another form: the next incremental pass reads what changed, and little else."""
    app = first_sync(file, *stamps)
    file.run(f"UPDATE jobs SET name = 'b', at = {later!r} WHERE id = 1", "UPDATE jobs SET name = 'c' WHERE id = 3")
    app.sync()
    assert name_of(app, "1") == "b"
    is_read = name_of(app, "3") == "c"
    assert is_read == (stamps[2] != LONG_AGO)
    file.run("INSERT INTO jobs VALUES (9, 'new', NULL)")
    app.sync()
    assert name_of(app, "9") == "new"
    app.sync(advance=24 * 3600)
    assert name_of(app, "3") == "c"


def test_stamps_that_are_odd_are_reported(file: SqliteFile) -> None:
    """In the run, and in the source's advice as long as they are there."""
    app = first_sync(file, LONG_AGO, "2062-01-01 00:00:00", "31/05/2026")
    source = app.bokit.catalog.sources.find("default", "Billing")  # type: ignore[arg-type]
    report = app.report(advance=25 * 3600)
    assert [(p["code"], p["field"]) for p in report.problems] == [("future-stamp", "at"), ("no-stamp", "at")]
    assert "rows without a time in 'at': 1; they are compared at every sync" in str(app.store.load_head(source).advice)
    file.run(f"UPDATE jobs SET at = '{LONG_AGO}'")
    app.sync(advance=25 * 3600)
    assert app.store.load_head(source).advice is None


def test_a_column_without_times_makes_every_pass_whole(file: SqliteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """No error of ours, and no row that waits: all is read each time, and said so."""
    monkeypatch.setattr("bokit.engine.tables.sync.MAX_UNSTAMPED_ROWS", 1)
    app = first_sync(file, "31/05/2026", "", "infinity")
    file.run("UPDATE jobs SET name = 'b' WHERE id = 2", "DELETE FROM jobs WHERE id = 3")
    report = app.report()
    assert (report.counts["seen"], report.counts["updated"]) == (2, 1)
    assert [p["message"] for p in report.problems] == ["rows without a time in 'at': 2; every sync reads the whole table"]


def test_rows_without_a_stamp_are_compared_once(file: SqliteFile) -> None:
    """They are read at every pass; their records only where one of them changed."""
    app = first_sync(file, LONG_AGO, None, None)
    app.sync()
    store = CallCounter(app.store)
    app.bokit = app.assemble(store)
    assert app.report().counts["seen"] == 1
    assert store.calls.count("find_records") == 1
    file.run("UPDATE jobs SET name = 'b' WHERE id = 3")
    assert app.report().counts["updated"] == 1


def test_a_pass_of_several_workers_keeps_the_mark_of_its_first(file: SqliteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that changes after a worker read it, while the next ones read on, is read by the next incremental pass."""
    shrink_tables(monkeypatch)
    file.run("INSERT INTO jobs VALUES (?, 'a', ?)", rows=[(n, LONG_AGO) for n in range(40)])
    app = SqlApp(file.url, queue=True)
    app.add_source(JOBS)
    app.bokit.tick()
    assert app.queue is not None
    budget, is_changed, workers = TimeBudget(60), False, 0
    while app.queue.bodies:
        app.bokit.work(read_message(app.queue.bodies.pop(0)), seconds_left=budget.start())
        app.clock.move(minutes=15)
        workers += 1
        if not is_changed and "1" in app.records("jobs"):
            is_changed = True
            file.run("UPDATE jobs SET name = 'b', at = '2026-06-01 12:16:00' WHERE id = 1")
            file.run("UPDATE jobs SET at = '2026-06-01 13:30:00' WHERE id = 39")
    assert (workers > 3, name_of(app, "1")) == (True, "a")
    app.clock.move(minutes=30)
    app.bokit.tick()
    app.bokit.work(read_message(app.queue.bodies.pop(0)))
    assert name_of(app, "1") == "b"
