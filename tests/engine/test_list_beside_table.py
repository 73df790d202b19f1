"""A list and a table that feed one collection, and a quota that one table of several reaches: each stops at its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.quotas import QuotaName, QuotaOwner, Quotas, day_of
from bokit.core.model.runs import Outcome
from bokit.core.tables.chunks import unpack_manifest
from bokit.values import replace
from tests.support.json_app import JsonApp
from tests.support.sql_app import SqlApp, SqliteFile, shrink_tables


@pytest.fixture
def file(tmp_path: Path) -> SqliteFile:
    """Clients and lines, two of each."""
    made = SqliteFile(tmp_path)
    for name in ("clients", "lines"):
        made.run(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, name TEXT)", f"INSERT INTO {name} VALUES (1, 'a'), (2, 'b')")  # noqa: S608
    return made


def test_a_short_list_leaves_the_records_of_a_table_alone(file: SqliteFile) -> None:
    """It neither takes nor removes a record of the table, whose source has another collection of its own: that is reported."""
    lists = JsonApp(on_missing="delete", cancel_after=0)
    tables = SqlApp(file.url, lists.store)
    source = tables.add_source(
        {"table": "lines", "collection": "lines", "key": ["id"]}, {"table": "clients", "collection": "clients", "key": ["id"]}
    )
    tables.sync(source_ids=(source.id,), everything=False)
    reports = []
    for _ in range(3):
        reports += lists.sync(source_ids=(lists.source.id,), everything=False, force=True).sources
        lists.clock.move(days=2)

    report = reports[0]
    assert [r.error and r.error["code"] for r in reports] == [None] * 3
    assert [(p["code"], p["uid"]) for p in report.problems] == [("other-source", "1"), ("other-source", "2")]
    assert {r.key: (r.source_id, str(r.presence), r.fields["name"]) for r in lists.records() if r.key in ("1", "2")} == {
        "1": (source.id, "present", "a"),
        "2": (source.id, "present", "b"),
    }


def test_a_quota_that_one_table_reaches_is_its_own(file: SqliteFile) -> None:
    """The table that wants more records than there is room for says so by name; the others follow, and later it does as well."""
    app = SqlApp(file.url)
    app.add_source(
        {"table": "clients", "collection": "clients", "key": ["id"]}, {"table": "lines", "collection": "lines", "key": ["id"]}
    )
    app.sync()
    app.store.quotas = replace(Quotas(), limits={(QuotaOwner.TENANT, QuotaName.RECORDS): 5})
    file.run(
        "INSERT INTO clients VALUES (3, 'c'), (4, 'd')",
        "UPDATE lines SET name = 'B' WHERE id = 2",
        "DELETE FROM lines WHERE id = 1",
    )
    report = app.report()
    outcomes = [(table.name, table.outcome, table.error and table.error["code"]) for table in report.tables]
    missing = app.records("lines")

    assert outcomes == [("clients", Outcome.FAILED, "quota"), ("lines", Outcome.CHANGED, None)]
    assert report.error is not None
    assert "table 'clients'" in report.error["message"]
    assert "TenantRecords" in report.error["message"]
    assert missing["2"].fields["name"] == "B"
    app.store.quotas = Quotas()
    assert app.report().outcome is Outcome.CHANGED
    assert sorted(app.records()) == ["1", "2", "3", "4"]


@pytest.mark.parametrize("room", [0, 4, 12])
def test_a_quota_that_former_records_reach_stops_them_alone(file: SqliteFile, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """However many of them were removed: every table is followed, the status says why, and the next day the rest is removed."""
    shrink_tables(monkeypatch)
    file.run("CREATE TABLE shops (id INTEGER PRIMARY KEY, code TEXT)")
    file.run("INSERT INTO shops VALUES (?, ?)", rows=[(n, f"s{n}") for n in range(1, 10)])
    app, lines = SqlApp(file.url), {"table": "lines", "collection": "lines", "key": ["id"]}
    shops = {"table": "shops", "collection": "shops", "key": ["id"]}
    app.declare(shops, lines, on_missing="delete")
    app.sync()
    app.declare({**shops, "key": ["code"]}, lines, on_missing="delete")
    codes = app.report().error
    app.sync(advance=25 * 3600)  # missing, after a day
    file.run("UPDATE lines SET name = 'B' WHERE id = 2")
    app.clock.move(days=1)
    used = app.store.load_usage(DEFAULT_TENANT, day_of(app.clock()))[QuotaName.WRITES]
    app.store.quotas = replace(Quotas(), limits={(QuotaOwner.TENANT, QuotaName.WRITES): used + 2 + room})
    report = app.report()
    status = app.bokit.status.load_status(DEFAULT_TENANT)["sources"][0]
    before = sorted(app.presences("shops").values())

    assert codes is not None
    assert codes["code"] == "former-records"
    assert [(table.name, table.outcome) for table in report.tables] == [("shops", Outcome.UNCHANGED), ("lines", Outcome.CHANGED)]
    assert (report.outcome, report.error and report.error["code"]) == (Outcome.FAILED, "quota")
    assert report.error is not None
    assert "former records of table 'shops'" in report.error["message"]
    assert [(table["name"], table["error"]["code"]) for table in status["tables"] if table["error"]] == [("shops", "quota")]
    assert app.records("lines")["2"].fields["name"] == "B"
    assert before.count("gone") == room // 2  # a record and its line of the change log
    app.store.quotas = Quotas()
    app.clock.move(days=1)
    assert app.report().outcome is Outcome.CHANGED
    assert sorted(app.presences("shops").values()) == ["gone"] * 9 + ["present"] * 9
    assert [app.report().outcome for _ in range(3)] == [Outcome.UNCHANGED] * 3
    source = app.bokit.catalog.sources.find(DEFAULT_TENANT, "Billing")
    assert sorted(unpack_manifest(app.store.load_snapshot(source).content)) == ["lines", "shops"]
