"""What was agreed on belongs to the settings of a table: another key, mapping or rule is followed, and nothing stays for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.runs import Outcome, RunStatus
from bokit.core.tables.agreement import assign_states, is_former
from bokit.core.tables.chunks import ChunkSummary, TableState, pack_manifest, unpack_manifest
from bokit.core.tables.spec import read_table_settings
from bokit.engine.runs.messages import read_message
from tests.support.sql_app import SqlApp, SqliteFile, TimeBudget, shrink_tables

SHOPS: dict[str, Any] = {"table": "shops", "collection": "shops", "key": ["id"]}
DAY = 25 * 3600


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small chunks, pages and batches."""
    shrink_tables(monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> SqliteFile:
    """A database with nine shops."""
    made = SqliteFile(tmp_path)
    made.run("CREATE TABLE shops (id INTEGER PRIMARY KEY, code TEXT, name TEXT, at TEXT)")
    rows = [(n, f"s{n}", f"Shop {n}", f"2026-05-0{n} 08:00:00") for n in range(1, 10)]
    made.run("INSERT INTO shops VALUES (?, ?, ?, ?)", rows=rows)
    return made


@pytest.fixture
def app(file: SqliteFile) -> SqlApp:
    """An engine on it."""
    return SqlApp(file.url)


def of(app: SqlApp, presence: str, collection: str = "shops") -> set[str]:
    """Return the keys of the records with this presence."""
    return {key for key, found in app.presences(collection).items() if found == presence}


IDS, CODES = {str(n) for n in range(1, 10)}, {f"s{n}" for n in range(1, 10)}


@pytest.mark.parametrize(("policy", "then"), [("mark", "missing"), ("delete", "gone")])
@pytest.mark.parametrize("change", [{"key": ["code"]}, {"collection": "places"}])
def test_records_of_a_former_key_or_collection_follow_the_policy(
    app: SqlApp, change: dict[str, Any], policy: str, then: str
) -> None:
    """They are announced, held for a day as any sudden loss is, and then treated as rows that are gone."""
    app.declare(SHOPS, on_missing=policy)
    app.sync()
    (done,) = app.declare({**SHOPS, **change}, on_missing=policy).changed
    assert "three or more are held for a day" in done["effects"][0]
    report = app.report()
    assert (report.outcome, report.error["code"], report.counts["created"]) == (Outcome.HELD, "former-records", 9)  # type: ignore[index]
    assert of(app, "present") >= IDS
    for _ in range(3):
        app.sync(advance=DAY)
    assert of(app, then) == IDS
    assert of(app, "present", change.get("collection", "shops")) == (CODES if "key" in change else IDS)
    assert app.report().outcome is Outcome.UNCHANGED


def test_a_record_that_both_keys_name_is_never_missing(app: SqlApp, file: SqliteFile) -> None:
    """Of the former rows only those are judged that no row names by its new key."""
    file.run("UPDATE shops SET code = id WHERE id <= 4")
    app.declare(SHOPS, on_missing="delete")
    app.sync()
    app.declare({**SHOPS, "key": ["code"]}, on_missing="delete")
    for _ in range(4):
        app.sync(advance=DAY)
    assert of(app, "gone") == {str(n) for n in range(5, 10)}
    assert of(app, "present") == {"1", "2", "3", "4", *(f"s{n}" for n in range(5, 10))}
    assert [len(app.changes(r)) for key, r in app.records("shops").items() if key in "1234"] == [1] * 4


@pytest.mark.parametrize(("applies", "then"), [(True, "gone"), (False, "present")])
def test_records_that_are_kept_wait_for_a_person(app: SqlApp, applies: bool, then: str) -> None:
    """With `keep` no time decides about records of a former key: a person removes them, or keeps them for good."""
    app.declare(SHOPS)
    app.sync()
    app.declare({**SHOPS, "key": ["code"]})
    for _ in range(3):
        assert app.report(advance=DAY).outcome is Outcome.HELD
    source = app.bokit.catalog.sources.find(DEFAULT_TENANT, "Billing")
    hold = app.bokit.records.find_hold(DEFAULT_TENANT, source.id)
    assert hold is not None
    assert [(r["table"], r["records"]) for r in hold.releases] == [("shops", 9)]
    app.bokit.records.resolve_hold(DEFAULT_TENANT, source.id, plan_hash=hold.plan_hash, apply=applies, by="user:rosa")
    assert of(app, then) == (IDS if applies else IDS | CODES)
    assert app.report().outcome is Outcome.UNCHANGED


def test_a_key_that_changes_back_takes_its_records_up_again(app: SqlApp) -> None:
    """Before anything was removed: the records of the first key are shown again, and those of the other one are judged."""
    app.declare(SHOPS, on_missing="mark")
    app.sync()
    app.declare({**SHOPS, "key": ["code"]}, on_missing="mark")
    app.sync()
    app.declare(SHOPS, on_missing="mark")
    for _ in range(3):
        app.sync(advance=DAY)
    assert (of(app, "present"), of(app, "missing")) == (IDS, CODES)


def test_a_table_that_is_renamed_forgets_no_deletion(app: SqlApp, file: SqliteFile) -> None:
    """A row deleted meanwhile is missing after the first pass, and unchanged rows are not written."""
    app.declare(SHOPS, on_missing="delete")
    app.sync()
    file.run("ALTER TABLE shops RENAME TO stores", "DELETE FROM stores WHERE id = 5")
    (done,) = app.declare({**SHOPS, "table": "stores"}, on_missing="delete").changed
    assert done["effects"] == [
        "table stores: goes on from shops; the next sync reads all of it, and what it does not show is missing"
    ]
    counts = app.report().counts
    assert (counts["seen"], counts["unchanged"], counts["missing"]) == (8, 8, 1)
    app.sync(advance=DAY)
    assert of(app, "gone") == {"5"}


# ── another meaning: the next pass is whole ──


def test_other_fields_of_an_incremental_table_are_read_for_every_row(app: SqlApp) -> None:
    """A field that the mapping gains is there for old rows as well, at the next sync."""
    table = {**SHOPS, "updated_at": "at", "fields": {"name": "name"}}
    app.declare(table)
    app.sync()
    app.declare({**table, "fields": {"name": "name", "code": "code"}})
    assert app.report().counts["updated"] == 9
    assert {r.fields["code"] for r in app.records("shops").values()} == CODES


def test_another_updated_at_is_never_compared_with_the_marks_of_the_former_one(app: SqlApp, file: SqliteFile) -> None:
    """One whole pass, then a mark of the new column."""
    file.run("ALTER TABLE shops ADD COLUMN seen TEXT", "UPDATE shops SET seen = '2026-04-01 00:00:00'")
    app.declare({**SHOPS, "updated_at": "at"})
    app.sync()
    app.declare({**SHOPS, "updated_at": "seen"})
    file.run("UPDATE shops SET name = 'X', seen = '2026-04-02 00:00:00' WHERE id = 1")
    assert app.report().counts["seen"] == 9
    assert app.records("shops")["1"].fields["name"] == "X"
    file.run("UPDATE shops SET name = 'Y', seen = '2026-04-02 00:00:01' WHERE id = 1")
    assert app.report().counts["seen"] == 1
    assert app.records("shops")["1"].fields["name"] == "Y"


def test_other_rules_of_the_collection_reach_every_record(app: SqlApp, file: SqliteFile) -> None:
    """What is preserved, and what the schema asks for, counts at the next sync, for rows that did not change as well."""
    app.declare(SHOPS, collections=[{"name": "shops", "preserve": ["name"]}])
    app.sync()
    file.run("UPDATE shops SET name = 'X' WHERE id = 1")
    app.sync()
    assert app.records("shops")["1"].fields["name"] == "Shop 1"
    (done, *_) = app.declare(SHOPS, collections=[{"name": "shops", "preserve": []}]).changed
    assert done["effects"] == ["preserve: the next sync of Billing compares every record with what its source shows"]
    assert app.report().counts["updated"] == 1
    assert app.records("shops")["1"].fields["name"] == "X"
    schema = {"type": "object", "properties": {"name": {"type": "string", "minLength": 2}}}
    app.declare(SHOPS, collections=[{"name": "shops", "schema": schema}])
    for _ in range(2):
        assert [(p["code"], p["uid"]) for p in app.report().problems] == [("schema", "1")]


@pytest.mark.parametrize("change", [{"key": ["code"]}, {"fields": {"name": "code"}}])
def test_settings_that_change_between_two_workers_of_a_pass_begin_it_again(file: SqliteFile, change: dict[str, Any]) -> None:
    """What the first worker read by the former settings is read again: every row is a record as the new ones say."""
    app = SqlApp(file.url, queue=True)
    file.run("INSERT INTO shops SELECT id + 100, 's' || (id + 100), name, at FROM shops", "DELETE FROM shops WHERE id = 109")
    app.declare(SHOPS, on_missing="delete")
    app.clock.move(minutes=1)
    app.bokit.tick()
    assert app.queue is not None
    budget = TimeBudget(60)
    app.bokit.work(read_message(app.queue.bodies.pop(0)), seconds_left=budget.start())
    assert 0 < len(app.records("shops")) < 17
    app.declare({**SHOPS, **change}, on_missing="delete")
    while app.queue.bodies:
        app.bokit.work(read_message(app.queue.bodies.pop(0)), seconds_left=budget.start())
    for _ in range(4):
        app.sync(advance=DAY)
    codes = {f"s{n}" for n in (*range(1, 10), *range(101, 109))}
    assert of(app, "present") == (codes if "key" in change else {code[1:] for code in codes})
    field = "code" if "key" in change else "name"
    assert {r.fields[field] for r in app.records("shops").values() if str(r.presence) == "present"} == codes


def test_what_was_only_kept_is_judged_when_the_policy_changes(app: SqlApp, file: SqliteFile) -> None:
    """Rows that went while they were kept are held, missing and gone by the new policy, as if they went now."""
    app.declare(SHOPS)
    app.sync()
    file.run("DELETE FROM shops WHERE id > 4")
    app.sync()
    assert of(app, "present") == IDS
    app.declare(SHOPS, on_missing="mark")
    assert app.report().outcome is Outcome.HELD
    app.sync(advance=DAY)
    assert of(app, "missing") == {str(n) for n in range(5, 10)}
    app.declare(SHOPS, on_missing="delete")
    for _ in range(3):
        app.sync(advance=DAY)
    assert of(app, "gone") == {str(n) for n in range(5, 10)}


# ── whose a record is ──


@pytest.fixture
def branches(file: SqliteFile) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two tables of one collection, which share the ids 3 and 4."""
    file.run("CREATE TABLE a (id INTEGER PRIMARY KEY, name TEXT)", "CREATE TABLE b (id INTEGER PRIMARY KEY, name TEXT)")
    file.run("INSERT INTO a VALUES (?, ?)", rows=[(n, f"a{n}") for n in range(1, 5)])
    file.run("INSERT INTO b VALUES (?, ?)", rows=[(n, f"b{n}") for n in range(3, 7)])
    return {**SHOPS, "table": "a"}, {**SHOPS, "table": "b"}


@pytest.mark.parametrize("policy", ["keep", "mark", "delete"])
def test_a_record_belongs_to_one_table_of_its_source(app: SqlApp, file: SqliteFile, branches: Any, policy: str) -> None:
    """The first one keeps it, the other one is reported; when the first one's row is gone, it is the other's, and never gone."""
    app.declare(branches[0], on_missing=policy)
    app.sync()
    app.declare(branches[1], branches[0], on_missing=policy)
    for _ in range(2):
        run = app.sync()
        assert run.status is RunStatus.PARTIAL
        assert [(p["code"], p["uid"]) for p in run.sources[0].problems] == [("other-source", "3"), ("other-source", "4")]
    names = {key: r.fields["name"] for key, r in app.records("shops").items()}
    assert names == {"1": "a1", "2": "a2", "3": "a3", "4": "a4", "5": "b5", "6": "b6"}
    file.run("DELETE FROM a WHERE id = 3", "DELETE FROM b WHERE id = 4", "UPDATE b SET name = 'B3' WHERE id = 3")
    for _ in range(4):
        app.sync(advance=DAY)
    assert of(app, "present") == {"1", "2", "3", "4", "5", "6"}
    assert (app.records("shops")["3"].fields["name"], app.records("shops")["4"].fields["name"]) == ("B3", "a4")
    assert app.report().outcome is Outcome.UNCHANGED


def test_a_table_that_leaves_the_file_is_listed_kept_and_removed_for_good_when_asked(app: SqlApp, branches: Any) -> None:
    """Its records stay until `--prune`, or until the table is back; what another table shows by then is not lost."""
    a, b = branches
    app.declare(a, b, on_missing="delete")
    app.sync()
    for _ in range(2):
        left = app.declare(b, on_missing="delete").left
        assert [(d["kind"], d["full_name"], d["effects"]) for d in left] == [
            ("table", "Billing / a", ["its records in shops stay as they are, and are not synced any more"])
        ]
        app.sync(advance=2 * DAY)
    assert of(app, "present") == {str(n) for n in range(1, 7)}
    (removed,) = app.declare(b, on_missing="delete", prune=True).removed
    assert (removed["kind"], removed["name"]) == ("table", "a")
    assert app.declare(b, on_missing="delete").left == []
    for _ in range(4):
        app.sync(advance=DAY)
    assert (of(app, "gone"), of(app, "present")) == ({"1", "2"}, {"3", "4", "5", "6"})
    app.declare(a, b, on_missing="delete")
    app.sync()
    assert of(app, "present") == {str(n) for n in range(1, 7)}


def test_a_table_that_comes_back_is_judged_by_what_it_showed_before(app: SqlApp, file: SqliteFile, branches: Any) -> None:
    """A row that went while the table was not read is missing, not present for ever."""
    a, b = branches
    app.declare(a, b, on_missing="mark")
    app.sync()
    app.declare(b, on_missing="mark")
    app.sync()
    file.run("DELETE FROM a WHERE id = 1")
    app.declare(a, b, on_missing="mark")
    app.sync()
    assert of(app, "missing") == {"1"}


# ── states of former releases ──


def state(fingerprint: str, **more: Any) -> TableState:
    """Return a state with a row, as a former release stored it."""
    return TableState(fingerprint=fingerprint, chunks=(ChunkSummary(name=f"{fingerprint}/1", until=None, rows=1),), **more)


def test_states_of_former_releases_are_taken_up() -> None:
    """They had no collection and no key, and twins had the same chunks: the second of these starts from scratch."""
    settings = read_table_settings({"tables": [SHOPS, {**SHOPS, "name": "twin", "where": "id > 3"}]})
    fingerprint = settings.tables[0].fingerprint
    stored = unpack_manifest(pack_manifest({"shops": state(fingerprint), "twin": state(fingerprint), "lost": state("f00")}))
    assigned = assign_states(stored, settings)
    assert {name: s.rows for name, s in assigned.items()} == {"shops": 1, "twin": 0}
    assert assigned["shops"].fingerprint == fingerprint != assigned["twin"].fingerprint
    renamed = assign_states(stored, read_table_settings({"tables": [{**SHOPS, "table": "stores", "name": "stores"}]}))
    assert [(name, s.rows, s.table) for name, s in renamed.items()] == [("stores", 1, "stores")]
    rekeyed = assign_states(stored, read_table_settings({"tables": [{**SHOPS, "key": ["code"]}]}))
    assert sorted((is_former(name), s.rows, s.collection) for name, s in rekeyed.items()) == [
        (False, 0, "shops"),
        (True, 1, "shops"),
    ]
