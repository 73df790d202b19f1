"""A list and a table that feed one collection, and a quota that one table of several reaches: each stops at its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bokit.core.model.quotas import QuotaName, QuotaOwner, Quotas
from bokit.core.model.runs import Outcome
from tests.support.json_app import JsonApp
from tests.support.sql_app import SqlApp, SqliteFile


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
