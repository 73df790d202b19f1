"""Tables of a database are synced row by row: what changed is written, what did not is not, what is gone waits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT, Collection, Source
from bokit.core.model.records import CollectionName, RecordId
from bokit.core.model.runs import Outcome, RunStatus
from tests.support.rows_app import CallCounter
from tests.support.sql_app import CLIENTS, SqlApp, SqliteFile

CLIENT = CollectionName("clients")
WRITES = ("apply_records", "save_chunks", "save_snapshot", "save_head")


@pytest.fixture
def file(tmp_path: Path) -> SqliteFile:
    """A database with a table of ten clients."""
    made = SqliteFile(tmp_path)
    made.run("CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, email TEXT)")
    made.run("INSERT INTO clients VALUES (?, ?, ?)", rows=[(n, f"Client {n}", f"c{n}@x.example") for n in range(1, 11)])
    return made


@pytest.fixture
def app(file: SqliteFile) -> SqlApp:
    """An engine whose source is that table."""
    return SqlApp(file.url)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of four rows, pages of three, batches of two: ten rows meet every edge."""
    for place in ("core.tables.chunks", "engine.tables.ranges"):
        monkeypatch.setattr(f"bokit.{place}.CHUNK_ROWS", 4)
    for place in ("ranges", "missing", "table"):
        monkeypatch.setattr(f"bokit.engine.tables.{place}.BATCH", 2)
    monkeypatch.setattr("bokit.sources.sql.query.PAGE_ROWS", 3)


def counts(app: SqlApp, **request: Any) -> dict[str, int]:
    """Sync, and return the counts that are not zero."""
    return {name: n for name, n in app.report(**request).counts.items() if n}


# ── what changed is written ──


def test_every_row_becomes_a_record(app: SqlApp) -> None:
    """The first sync makes a record of each row, under its key."""
    source = app.add_source(CLIENTS)
    assert counts(app) == {"seen": 10, "created": 10}
    records = app.records()
    assert len(records) == 10
    assert records["7"].fields == {"id": 7, "name": "Client 7", "email": "c7@x.example"}
    assert (records["7"].id, records["7"].source_id) == ("clients.7", source.id)
    assert [c.action for c in app.changes(records["7"])] == ["create"]


def test_an_unchanged_table_writes_nothing(app: SqlApp) -> None:
    """A sync of what is known writes no record, no chunk, no state and no head: only the source's line."""
    app.add_source(CLIENTS)
    app.sync()
    store = CallCounter(app.store)
    app.bokit = app.assemble(store)
    report = app.report()
    assert report.outcome is Outcome.UNCHANGED
    assert {n: c for n, c in report.counts.items() if c} == {"seen": 10, "unchanged": 10}
    assert not [call for call in store.calls if call in WRITES]
    assert not [call for call in store.calls if call in ("find_records", "load_chunks")]
    assert "save_schedules" in store.calls


def test_an_unchanged_table_takes_no_lease_under_a_claim(app: SqlApp) -> None:
    """By the schedule, an unchanged sync writes the shard's heartbeat and nothing else."""
    app.add_source(CLIENTS)
    app.bokit.tick()
    store = CallCounter(app.store)
    app.bokit = app.assemble(store)
    app.clock.move(minutes=6)
    app.bokit.tick()
    assert [c for c in store.calls if c.startswith(("save", "apply", "complete", "acquire"))] == ["complete_batch"]


def test_what_changed_is_written_and_nothing_else(app: SqlApp, file: SqliteFile) -> None:
    """A changed row writes its record with the fields that differ; new rows, wherever their keys lie, are created."""
    app.add_source(CLIENTS)
    app.sync()
    before = app.records()
    file.run("UPDATE clients SET email = NULL WHERE id = 3", "INSERT INTO clients VALUES (0, 'First', NULL), (99, 'Last', NULL)")
    assert counts(app) == {"seen": 12, "created": 2, "updated": 1, "unchanged": 9}
    after = app.records()
    assert {key for key in after if after[key] != before.get(key)} == {"0", "3", "99"}
    (change, *_) = app.changes(after["3"])
    assert {n: (c.before, c.after) for n, c in change.fields.items()} == {"email": ("c3@x.example", None)}
    assert counts(app) == {"seen": 12, "unchanged": 12}


def test_growth_splits_chunks_and_every_row_stays_known(app: SqlApp, file: SqliteFile) -> None:
    """However a table grows and shrinks, the chunks cover it: a sync after is always a no-op, and missing rows are found."""
    app.add_source(CLIENTS, on_missing="mark")
    app.sync()
    shown = set(range(1, 11))
    for step, (low, high) in enumerate([(100, 140), (11, 60), (-20, 0), (60, 70)]):
        file.run("INSERT INTO clients VALUES (?, ?, NULL)", rows=[(n, f"Row {n}") for n in range(low, high)])
        shown |= set(range(low, high))
        assert counts(app) == {"seen": len(shown), "created": high - low, "unchanged": len(shown) - (high - low)}
        gone = {min(shown) + step, max(shown) - step}
        file.run(f"DELETE FROM clients WHERE id IN ({', '.join(map(str, gone))})")  # noqa: S608
        shown -= gone
        assert counts(app) == {"seen": len(shown), "missing": 2, "unchanged": len(shown)}
        assert counts(app) == {"seen": len(shown), "unchanged": len(shown)}
    present = {key for key, presence in app.presences().items() if presence == "present"}
    assert present == {str(n) for n in shown}


def test_force_compares_every_row_with_its_record(app: SqlApp) -> None:
    """A full resync corrects records that differ from the table, and writes nothing else."""
    app.add_source(CLIENTS)
    app.sync()
    from bokit.values import replace

    spoilt = replace(app.records()["5"], remote={"id": 5, "name": "spoilt", "email": None})
    app.store.apply_records([spoilt], [], lease=None)
    assert counts(app) == {"seen": 10, "unchanged": 10}
    assert counts(app, force=True) == {"seen": 10, "updated": 1, "unchanged": 9}
    assert app.records()["5"].fields["name"] == "Client 5"


def test_a_dry_run_plans_and_writes_nothing(app: SqlApp, file: SqliteFile) -> None:
    """A dry run shows what would be written, fields and all, of new, changed and missing rows."""
    app.add_source(CLIENTS, on_missing="mark")
    app.sync()
    file.run(
        "UPDATE clients SET name = 'X' WHERE id = 3",
        "INSERT INTO clients VALUES (11, 'New', NULL)",
        "DELETE FROM clients WHERE id = 9",
    )
    store = CallCounter(app.store)
    app.bokit = app.assemble(store)
    run = app.sync(dry_run=True)
    assert not [c for c in store.calls if c in (*WRITES, "acquire_lease", "save_source_schedule", "save_run")]
    (report,) = run.sources
    assert {n: c for n, c in report.counts.items() if c} == {"seen": 10, "created": 1, "updated": 1, "missing": 1, "unchanged": 8}
    plan = {a.record_id: a.as_dict() for a in report.plan}
    assert {record_id: a["action"] for record_id, a in plan.items()} == {
        "clients.3": "update",
        "clients.11": "create",
        "clients.9": "miss",
    }
    assert plan[RecordId("clients.3")]["fields"] == {"name": {"from": "Client 3", "to": "X"}}


def test_several_tables_feed_their_collections(app: SqlApp, file: SqliteFile) -> None:
    """One source reads several tables; one of them can be synced alone, by its name or its collection."""
    file.run("CREATE TABLE lines (scac TEXT PRIMARY KEY, name TEXT)", "INSERT INTO lines VALUES ('MAEU', 'M'), ('CMDU', 'C')")
    lines = {"table": "lines", "collection": "shipping-lines", "key": ["scac"], "name": "Lines"}
    app.add_source(CLIENTS, lines)
    assert counts(app, tables=("Lines",)) == {"seen": 2, "created": 2}
    assert set(app.records("shipping-lines")) == {"MAEU", "CMDU"}
    assert app.records() == {}
    assert counts(app, collection=CollectionName("clients")) == {"seen": 10, "created": 10}
    file.run("UPDATE clients SET name = 'X' WHERE id = 1", "UPDATE lines SET name = 'X'")
    assert counts(app) == {"seen": 12, "updated": 3, "unchanged": 9}


def test_the_collection_of_rules_counts(file: SqliteFile) -> None:
    """Preserved fields stand, records are spread over buckets, and what the schema forbids is reported and left out."""
    app = SqlApp(file.url)
    schema = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 8}}}
    collection = Collection(name=CollectionName("clients"), tenant=DEFAULT_TENANT, preserve=("email",), buckets=4, schema=schema)
    source = app.add_source(CLIENTS, collections=[collection], on_missing="mark")
    report = app.report()
    assert (report.outcome, report.error["code"] if report.error else None) == (Outcome.HELD, "partial-feed")
    assert [(p["uid"], p["field"]) for p in report.problems] == [("10", "name")]
    records = app.records(buckets=4)
    assert len(records) == 9
    assert len({r.scope for r in records.values()}) > 1
    file.run("UPDATE clients SET name = 'Ten', email = 'new'", "DELETE FROM clients WHERE id = 1")
    report = app.report()
    assert report.outcome is Outcome.CHANGED
    after = app.records(buckets=4)
    assert (after["2"].fields["name"], after["2"].fields["email"]) == ("Ten", "c2@x.example")
    assert (after["10"].fields["email"], str(after["1"].presence)) == ("new", "missing")
    assert app.store.load_head(source).hold is None


# ── what is gone ──


@pytest.mark.parametrize(("policy", "after_a_day"), [("keep", "present"), ("mark", "missing"), ("delete", "gone")])
def test_a_row_that_is_gone_follows_the_policy(app: SqlApp, file: SqliteFile, policy: str, after_a_day: str) -> None:
    """Kept, marked as missing, or gone once its grace is over; and found again when it returns."""
    app.add_source(CLIENTS, on_missing=policy)
    app.sync()
    file.run("DELETE FROM clients WHERE id = 6")
    app.sync()
    assert app.presences()["6"] == ("present" if policy == "keep" else "missing")
    app.sync(advance=23 * 3600)
    assert app.presences()["6"] == ("present" if policy == "keep" else "missing")
    app.sync(advance=3600)
    assert app.presences()["6"] == after_a_day
    assert counts(app) == {"seen": 9, "unchanged": 9}
    file.run("INSERT INTO clients VALUES (6, 'Client 6', 'c6@x.example')")
    app.sync()
    assert set(app.presences().values()) == {"present"}
    assert counts(app) == {"seen": 10, "unchanged": 10}


def test_a_table_that_shows_nothing_is_held(app: SqlApp, file: SqliteFile) -> None:
    """An emptied table loses no record, whatever the policy, until a person applies it or rows are back."""
    source = app.add_source(CLIENTS, on_missing="delete")
    app.sync()
    file.run("DELETE FROM clients")
    report = app.report()
    assert (report.outcome, report.error["code"]) == (Outcome.HELD, "empty-feed")  # type: ignore[index]
    assert "'clients' suddenly shows no row" in report.error["message"]  # type: ignore[index]
    app.sync(advance=48 * 3600)
    assert set(app.presences().values()) == {"present"}
    hold = app.bokit.records.find_hold(DEFAULT_TENANT, source.id)
    assert hold is not None
    assert [r["records"] for r in hold.releases] == [10]
    assert len([n for n in app.alerts.notices.values() if n.type == "source.held"]) == 1
    app.bokit.records.resolve_hold(DEFAULT_TENANT, source.id, plan_hash=hold.plan_hash, apply=True, by="user:rosa")
    assert set(app.presences().values()) == {"gone"}
    assert app.store.load_head(source).hold is None
    assert app.report().outcome is Outcome.UNCHANGED
    file.run("INSERT INTO clients VALUES (1, 'Client 1', NULL)")
    assert counts(app) == {"seen": 1, "restored": 1}


def test_a_table_that_lost_half_is_held_until_it_agreed_for_a_day(app: SqlApp, file: SqliteFile) -> None:
    """Half of the rows gone at once stay, while what is shown is taken; after a day of agreement the policy acts."""
    source = app.add_source(CLIENTS, on_missing="mark")
    app.sync()
    file.run("DELETE FROM clients WHERE id > 5", "UPDATE clients SET name = 'X' WHERE id = 1")
    report = app.report()
    assert (report.outcome, report.error["code"], report.counts["updated"]) == (Outcome.HELD, "shrunken-feed", 1)  # type: ignore[index]
    assert set(app.presences().values()) == {"present"}
    store = CallCounter(app.store)
    app.bokit = app.assemble(store)
    assert app.report(advance=3600).outcome is Outcome.HELD
    assert not [c for c in store.calls if c in WRITES]
    assert counts(app, advance=24 * 3600) == {"seen": 5, "missing": 5, "unchanged": 5}
    assert app.store.load_head(source).hold is None


def test_a_held_table_that_is_whole_again_loses_nothing(app: SqlApp, file: SqliteFile) -> None:
    """Rows that return while they were held were never missing."""
    source = app.add_source(CLIENTS, on_missing="delete")
    app.sync()
    rows = [(n, f"Client {n}", f"c{n}@x.example") for n in range(1, 11)]
    file.run("DELETE FROM clients")
    app.sync()
    file.run("INSERT INTO clients VALUES (?, ?, ?)", rows=rows)
    assert counts(app) == {"seen": 10, "unchanged": 10}
    assert app.store.load_head(source).hold is None
    assert [len(app.changes(r)) for r in app.records().values()] == [1] * 10


def test_discarding_a_hold_changes_no_record(app: SqlApp, file: SqliteFile) -> None:
    """A person may say no; if the table still shows nothing, it is held again."""
    source = app.add_source(CLIENTS, on_missing="delete")
    app.sync()
    file.run("DELETE FROM clients")
    app.sync()
    app.bokit.records.resolve_hold(DEFAULT_TENANT, source.id, plan_hash=None, apply=False, by="user:rosa")
    assert set(app.presences().values()) == {"present"}
    assert app.store.load_head(source).hold is None
    assert app.report().outcome is Outcome.HELD


# ── only what is new, only what changed lately ──


def test_new_only_adds_and_touches_nothing_else(app: SqlApp, file: SqliteFile) -> None:
    """What is new is added; changed and missing rows are left for the next whole pass."""
    app.add_source(CLIENTS, on_missing="mark")
    app.sync()
    file.run("UPDATE clients SET name = 'X'", "DELETE FROM clients WHERE id = 2", "INSERT INTO clients VALUES (11, 'New', NULL)")
    assert counts(app, new_only=True) == {"seen": 10, "created": 1, "unchanged": 9}
    assert app.records()["1"].fields["name"] == "Client 1"
    assert counts(app, new_only=True) == {"seen": 10, "unchanged": 10}
    assert counts(app) == {"seen": 10, "updated": 9, "missing": 1, "unchanged": 1}


def test_an_updated_at_column_is_all_that_is_read_between_whole_passes(file: SqliteFile) -> None:
    """Between two whole passes only the rows newer by its column are read, with an overlap; losses wait for the whole one."""
    file.run("CREATE TABLE jobs (id INTEGER PRIMARY KEY, name TEXT, at TEXT)")
    file.run("INSERT INTO jobs VALUES (?, ?, ?)", rows=[(n, "a", f"2026-05-01 00:{n:02d}:00") for n in range(1, 31)])
    app = SqlApp(file.url)
    app.add_source({"table": "jobs", "collection": "jobs", "key": ["id"], "updated_at": "at"}, on_missing="mark")
    assert counts(app) == {"seen": 30, "created": 30}
    file.run(
        "DELETE FROM jobs WHERE id = 1",
        "UPDATE jobs SET name = 'unseen' WHERE id = 2",
        "UPDATE jobs SET name = 'b', at = '2026-05-01 01:00:00' WHERE id = 3",
    )
    assert counts(app) == {"seen": 12, "updated": 1, "unchanged": 11}
    assert counts(app) == {"seen": 1, "unchanged": 1}
    store = CallCounter(app.store)
    app.bokit = app.assemble(store)
    assert counts(app) == {"seen": 1, "unchanged": 1}
    assert not [c for c in store.calls if c in WRITES]
    assert counts(app, advance=24 * 3600) == {"seen": 29, "updated": 1, "missing": 1, "unchanged": 28}
    assert app.records("jobs")["2"].fields["name"] == "unseen"


# ── bad input ──


def test_a_type_that_changes_is_reported_and_applied_when_a_person_approves(app: SqlApp, file: SqliteFile) -> None:
    """A boolean column that becomes another is one error, of its table alone, and --force accepts it."""
    file.run("CREATE TABLE flags (id INTEGER PRIMARY KEY, on_it BOOLEAN)", "INSERT INTO flags VALUES (1, 1)")
    app.add_source(CLIENTS, {"table": "flags", "collection": "flags", "key": ["id"]})
    app.sync()
    file.run("DROP TABLE flags", "CREATE TABLE flags (id INTEGER PRIMARY KEY, on_it INTEGER)", "INSERT INTO flags VALUES (1, 1)")
    file.run("UPDATE clients SET name = 'X'")
    run = app.sync()
    (report,) = run.sources
    assert (run.status, report.outcome, report.error["code"]) == (RunStatus.PARTIAL, Outcome.FAILED, "type-changed")  # type: ignore[index]
    assert "'on_it' held boolean, and holds any" in report.error["message"]  # type: ignore[index]
    assert (app.records()["1"].fields["name"], app.records("flags")["1"].fields["on_it"]) == ("X", True)
    assert app.report(force=True).outcome is Outcome.CHANGED
    assert app.report().outcome is Outcome.UNCHANGED


@pytest.mark.parametrize("way", ["a day", "applied", "comes back", "forced"])
def test_a_column_that_is_gone_keeps_its_values_until_it_is_believed(app: SqlApp, file: SqliteFile, way: str) -> None:
    """Other changes are taken; its values go after a day, by a person or by --force, or it comes back."""
    file.run("CREATE TABLE wide (id INTEGER PRIMARY KEY, name TEXT, email TEXT)")
    file.run("INSERT INTO wide VALUES (?, 'a', ?)", rows=[(n, f"c{n}@x") for n in range(1, 11)])
    source = app.add_source({"table": "wide", "collection": "wide", "key": ["id"]})
    app.sync()
    file.run("ALTER TABLE wide DROP COLUMN email", "UPDATE wide SET name = 'b' WHERE id = 3")
    app.clock.move(hours=1)

    report = app.report()

    assert (report.outcome, report.counts["updated"]) == (Outcome.HELD, 1)
    assert "Columns of table 'wide' are gone, or have no value in any row any more (email)" in report.error["message"]  # type: ignore[index]
    assert [(p["code"], p["field"]) for p in report.problems] == [("field-vanished", "email")]
    assert app.records("wide")["3"].fields == {"id": 3, "name": "b", "email": "c3@x"}
    if way == "a day":
        app.clock.move(hours=12)
        assert app.report().outcome is Outcome.HELD
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
        file.run("ALTER TABLE wide ADD COLUMN email TEXT", "UPDATE wide SET email = 'c' || id || '@x'")
    app.clock.move(hours=1)
    assert app.report().error is None
    assert {"email" in r.fields for r in app.records("wide").values()} == {way == "comes back"}
    assert app.report().outcome is Outcome.UNCHANGED


@pytest.mark.parametrize("policy", ["follow", "stop"])
def test_the_collection_says_what_is_done_about_a_column_that_is_gone(app: SqlApp, file: SqliteFile, policy: str) -> None:
    """follow takes it and reports it; stop leaves the table as it was, and the others are synced."""
    wide = Collection(name=CollectionName("wide"), tenant=DEFAULT_TENANT, schema_policy=policy)
    file.run("CREATE TABLE wide (id INTEGER PRIMARY KEY, email TEXT)")
    file.run("INSERT INTO wide VALUES (?, 'x')", rows=[(n,) for n in range(1, 6)])
    app.add_source({"table": "wide", "collection": "wide", "key": ["id"]}, collections=[wide])
    app.sync()
    file.run("ALTER TABLE wide DROP COLUMN email")

    report = app.report()

    error = report.error["code"] if report.error else None
    assert (report.counts.get("updated", 0), error) == ((5, None) if policy == "follow" else (0, "field-vanished"))
    assert {p["code"] for p in report.problems} == ({"field-vanished"} if policy == "follow" else set())


@pytest.fixture
def other(app: SqlApp, file: SqliteFile) -> Source:
    """A source of a second table beside the clients, without a constraint, and synced once."""
    file.run("CREATE TABLE other (id INTEGER, name TEXT, photo BLOB)")
    file.run("INSERT INTO other VALUES (?, 'a', NULL)", rows=[(n,) for n in range(1, 30)])
    table = {"table": "other", "collection": "other", "key": ["id"], "fields": {"name": "name", "photo": "photo"}}
    source = app.add_source(table, CLIENTS, on_missing="mark")
    app.sync()
    return source


@pytest.mark.parametrize(
    ("spoil", "code"),
    [("DROP TABLE other", "missing-table"), ("ALTER TABLE other RENAME COLUMN name TO title", "missing-column")],
)
def test_a_table_that_cannot_be_read_stops_itself_alone(
    app: SqlApp, file: SqliteFile, other: Source, spoil: str, code: str
) -> None:
    """Its records stay as they were; the other tables follow, losses included; run, status and notice name it."""
    before = app.records("other")
    file.run(spoil, "UPDATE clients SET name = 'X' WHERE id = 1", "DELETE FROM clients WHERE id = 2")
    run = app.sync()
    (report,) = run.sources
    assert (run.status, report.outcome, report.error["code"]) == (RunStatus.PARTIAL, Outcome.FAILED, code)  # type: ignore[index]
    assert {t.name: (t.outcome, (t.error or {}).get("code")) for t in report.tables} == {
        "other": (Outcome.FAILED, code),
        "clients": (Outcome.CHANGED, None),
    }
    assert app.records("other") == before
    assert (app.records()["1"].fields["name"], app.presences()["2"]) == ("X", "missing")
    assert app.store.load_run(DEFAULT_TENANT, run.run_id) == run
    (status,) = app.bokit.status.load_status(DEFAULT_TENANT)["sources"]
    assert (status["state"], [t["state"] for t in status["tables"]]) == ("failing", ["failing", "ok"])
    assert [n.type for n in app.alerts.notices.values()] == ["source.failing"]
    assert app.sync().status is RunStatus.PARTIAL
    assert len(app.alerts.notices) == 1
    file.run("DROP TABLE IF EXISTS other", "CREATE TABLE other (id INTEGER, name TEXT, photo BLOB)")
    file.run("INSERT INTO other VALUES (?, 'b', NULL)", rows=[(n,) for n in range(1, 30)])
    assert app.report().outcome is Outcome.CHANGED
    assert app.bokit.status.load_status(DEFAULT_TENANT)["sources"][0]["state"] == "ok"
    assert [n.type for n in app.alerts.notices.values()] == ["source.failing", "source.recovered"]


@pytest.mark.parametrize(
    ("spoil", "code", "uid"),
    [
        ("INSERT INTO other VALUES (1, 'two of a key', NULL)", "duplicate-key", "1"),
        ("INSERT INTO other VALUES (NULL, 'x', NULL)", "null-key", None),
        ("INSERT INTO other VALUES (77, hex(zeroblob(200000)), NULL)", "row-size", "77"),
        ("UPDATE other SET name = hex(zeroblob(200000)) WHERE id = 1", "row-size", "1"),
    ],
)
def test_a_row_that_cannot_be_taken_stops_itself_alone(
    app: SqlApp, file: SqliteFile, other: Source, spoil: str, code: str, uid: str | None
) -> None:
    """Its record stays as it was, the row is reported at every sync, and all others follow, losses included."""
    file.run("UPDATE other SET name = 'changed' WHERE id > 1", "DELETE FROM other WHERE id = 20", spoil)
    for _ in range(2):
        run = app.sync()
        (report,) = run.sources
        assert (run.status, report.outcome, report.error["code"]) == (RunStatus.PARTIAL, Outcome.HELD, "partial-feed")  # type: ignore[index]
        assert [(p["code"], p["uid"]) for p in report.problems] == [(code, uid)]
        assert report.counts["refused"] == 1
    records = app.records("other")
    assert (records["1"].fields["name"], records["2"].fields["name"], "77" in records) == ("a", "changed", False)
    assert {key for key, presence in app.presences("other").items() if presence != "present"} == {"20"}
    file.run("DELETE FROM other WHERE id IS NULL OR id = 77", "DELETE FROM other WHERE rowid > 29 OR length(name) > 99")
    assert app.report().error is None


def test_a_value_that_cannot_be_held_leaves_its_field_as_it_was(app: SqlApp, file: SqliteFile, other: Source) -> None:
    """The row's other fields follow, and the run lists the value as long as it is there."""
    file.run("UPDATE other SET photo = x'c0ffee' WHERE id = 3")
    app.sync()
    file.run("UPDATE other SET photo = zeroblob(999), name = 'changed' WHERE id IN (3, 4)")
    report = app.report()
    assert (report.outcome, report.counts["updated"]) == (Outcome.CHANGED, 2)
    assert [(p["code"], p["uid"], p["field"]) for p in report.problems] == [("blob", "3", "photo"), ("blob", "4", "photo")]
    assert [app.records("other")[key].fields for key in ("3", "4")] == [
        {"name": "changed", "photo": "c0ffee"},
        {"name": "changed", "photo": None},
    ]
    again = app.report()
    assert (again.outcome, [p["uid"] for p in again.problems]) == (Outcome.UNCHANGED, ["3", "4"])
    assert "2 values cannot be read" in str(app.store.load_head(other).advice)


def test_two_sources_of_one_collection_leave_each_other_alone(app: SqlApp, file: SqliteFile) -> None:
    """A record that another source feeds is its own: reported, and not touched; what either misses is its own as well."""
    app.add_source({**CLIENTS, "where": "id <= 6"}, name="A", on_missing="mark")
    app.add_source({**CLIENTS, "where": "id >= 6"}, name="B", on_missing="mark")
    a, b = app.sync().sources
    assert a.counts["created"] + b.counts["created"] == 10
    problems = [*a.problems, *b.problems]
    assert [(p["code"], p["uid"]) for p in problems] == [("other-source", "6")]
    file.run("DELETE FROM clients WHERE id IN (1, 10)")
    app.sync()
    assert {k for k, p in app.presences().items() if p == "missing"} <= {"1", "10"}


def test_a_person_who_edits_meanwhile_is_not_written_over(app: SqlApp, file: SqliteFile) -> None:
    """A record that a person edits between our look and our write is looked at once more: both stand."""
    app.add_source(CLIENTS)
    app.sync()
    file.run("UPDATE clients SET name = 'X' WHERE id IN (3, 4)")
    real, edited = app.store.find_records, []

    def find_and_edit(*args: Any) -> Any:
        found = real(*args)
        if found and not edited:
            edited.append(app.bokit.records.edit(DEFAULT_TENANT, CLIENT, next(iter(found)), {"email": "mine"}, by="user:rosa"))
        return found

    app.store.find_records = find_and_edit
    assert counts(app) == {"seen": 10, "updated": 2, "unchanged": 8}
    (record,) = [r for r in app.records().values() if r.id == edited[0].id]
    assert (record.fields["name"], record.fields["email"]) == ("X", "mine")


def test_a_sync_that_waited_for_another_begins_with_what_that_one_left(app: SqlApp, file: SqliteFile) -> None:
    """What is agreed is read under the lease: nothing of a run that ended just before is doubled or lost."""
    source = app.add_source(CLIENTS)
    real, others = app.store.acquire_lease, []

    def let_another_first(*args: Any, **given: Any) -> Any:
        if not others:
            others.append(True)
            app.sync()
        return real(*args, **given)

    app.store.acquire_lease = let_another_first
    assert counts(app) == {"seen": 10, "unchanged": 10}
    assert app.store.load_head(source).failure is None
    assert [len(app.changes(r)) for r in app.records().values()] == [1] * 10
