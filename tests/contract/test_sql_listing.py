"""What `source test` shows of a database: its tables, columns and keys, as far as the account may see them; and exact digits."""

# ruff: noqa: S608 - the tests' own tables

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bokit.core.items.planning import describe_record
from bokit.core.model.source_rules import Verdict
from bokit.core.tables.rules import TableRules
from bokit.sources.sql.table import SqlReader, SqlSample
from tests.support.servers import PASSWORD
from tests.support.sql_app import SqlApp
from tests.support.sql_places import DATABASES, LOCAL, Place, make_place

CLIENTS = {"table": "clients", "collection": "clients", "key": ["id"]}


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database of each kind, with three tables and a view."""
    with make_place(request.param, request, tmp_path) as made:
        made.run(
            "CREATE TABLE clients (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(50), updated_at TIMESTAMP NULL, deleted_at DATE)"
        )
        made.run("INSERT INTO clients VALUES (1, 'Ada', NULL, NULL)")
        made.run(
            "CREATE TABLE pairs (b INTEGER NOT NULL, a INTEGER NOT NULL, code VARCHAR(9) NOT NULL UNIQUE, PRIMARY KEY (b, a))"
        )
        made.run("CREATE TABLE loose (code VARCHAR(9), note VARCHAR(9))", "CREATE UNIQUE INDEX one ON loose (code)")
        made.run("CREATE VIEW names AS SELECT name FROM clients")
        yield made


def preview(place: Place, *tables: dict[str, Any]) -> tuple[Verdict, dict[str, Any]]:
    """Return the verdict on a source of these tables, and what its preview shows."""
    source = place.source(settings={"tables": list(tables)})
    fetched = SqlSample(SqlReader(lambda url, tenant: url, LOCAL)).fetch(source)
    seen = TableRules().read(fetched.body, None, b"")  # type: ignore[arg-type]  # a sample needs no context
    assert PASSWORD not in fetched.body.decode()
    return seen.verdict, json.loads(fetched.body)


def test_tables_are_listed_with_columns_and_keys(place: Place) -> None:
    """Each with the settings that fit it: the key by its indexes, the others by the columns' names."""
    place.grant()
    verdict, shown = preview(place, CLIENTS)
    assert (verdict, len(shown["tables"][0]["rows"])) == (Verdict.OK, 1)
    found = {table["table"]: table for table in shown["database"]["tables"]}
    assert set(found) == {"clients", "pairs", "loose", "names"}
    assert [c["name"] for c in found["clients"]["columns"]] == ["id", "name", "updated_at", "deleted_at"]
    assert [c["nullable"] for c in found["clients"]["columns"]] == [False, True, True, True]
    assert "char" in found["clients"]["columns"][1]["type"].lower()
    assert found["clients"]["suggested"] == {"key": ["id"], "updated_at": "updated_at", "deleted": "deleted_at"}
    assert (found["pairs"]["primary_key"], found["pairs"]["unique"]) == (["b", "a"], [["code"]])
    assert (found["loose"]["suggested"], found["loose"]["unique"]) == ({}, [["code"]])
    assert (found["names"]["view"], found["names"]["suggested"]) == (True, {})
    assert (shown["database"]["more"], shown["database"]["hidden"], shown["database"]["problem"]) == (0, 0, None)


def test_a_table_that_is_not_there_is_shown_beside_those_that_are(place: Place) -> None:
    """The listing is of most use then: the others are shown, and the error is the table's own."""
    place.grant()
    verdict, shown = preview(place, {**CLIENTS, "table": "customers"}, {**CLIENTS, "table": "loose", "key": ["note"]}, CLIENTS)
    assert verdict is Verdict.PARTIAL
    assert [table["error"] and table["error"]["code"] for table in shown["tables"]] == ["missing-table", None, None]
    assert len(shown["database"]["tables"]) == 4
    assert preview(place, {**CLIENTS, "key": ["nope"]})[0] is Verdict.UNREADABLE


def test_an_account_with_few_rights_sees_what_it_may(place: Place) -> None:
    """One table, or some columns of one: nothing else is named, and nothing fails."""
    if place.family == "sqlite":
        pytest.skip("a file has no accounts")
    place.grant("clients")
    _, shown = preview(place, CLIENTS)
    assert [table["table"] for table in shown["database"]["tables"]] == ["clients"]
    assert shown["database"]["hidden"] == (3 if place.family == "postgresql" else 0)
    where = f"`{place.database}`." if place.family == "mysql" else ""
    user = f"'{place.user}'@'%'" if place.family == "mysql" else place.user
    place.run(f"REVOKE SELECT ON {where}clients FROM {user}", f"GRANT SELECT (id, name) ON {where}clients TO {user}")
    verdict, shown = preview(place, {**CLIENTS, "fields": {"name": "name"}})
    assert [c["name"] for c in shown["database"]["tables"][0]["columns"]] == ["id", "name"]
    assert verdict is Verdict.OK


def test_a_long_list_is_cut(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how many more there are."""
    place.grant()
    monkeypatch.setattr("bokit.sources.sql.listing.MAX_LISTED_TABLES", 3)
    _, shown = preview(place, CLIENTS)
    assert (len(shown["database"]["tables"]), shown["database"]["more"]) == (3, 1)
    monkeypatch.setattr("bokit.sources.sql.listing.MAX_LISTED_COLUMNS", 5)
    _, shown = preview(place, CLIENTS)
    assert (len(shown["database"]["tables"]), shown["database"]["more"]) == (1, 3)


DIGITS = "12345678901234567890.123456789012345678"


@pytest.mark.parametrize("kind", ["json", "jsonb"])
def test_digits_inside_json_stay_exact(place: Place, kind: str) -> None:
    """Through sync and GET: what a double cannot hold is text, digit by digit; a change of the last one is a change."""
    if place.family != "postgresql":
        pytest.skip("a type of PostgreSQL")
    place.run(f"CREATE TABLE docs (id INTEGER PRIMARY KEY, doc {kind})")
    place.run(f"""INSERT INTO docs VALUES (1, '{{"a": {DIGITS}, "list": [12345678901234567891, 1.5], "small": 1e-400}}')""")
    place.grant()
    app = SqlApp(place.url)
    app.add_source({"table": "docs", "collection": "docs", "key": ["id"]})
    assert app.report().counts["created"] == 1
    shown = describe_record(app.records("docs")["1"])["doc"]  # type: ignore[typeddict-item]
    assert (shown["a"], shown["list"]) == (DIGITS, ["12345678901234567891", 1.5])
    assert app.records("docs")["1"].fields["doc"]["list"] == [12345678901234567891, 1.5]
    place.run(f"""UPDATE docs SET doc = '{{"a": {DIGITS[:-1]}9, "list": []}}'""")
    assert app.report().counts["updated"] == 1
    assert app.records("docs")["1"].fields["doc"]["a"] == DIGITS[:-1] + "9"


def test_marks_of_deleted_rows_and_empty_columns_on_each_database(place: Place) -> None:
    """A boolean, a date and a path inside JSON say that a row is deleted; the database counts what has a value."""
    flag = "BOOLEAN" if place.family != "mysql" else "BIT(1)"
    no, yes = ("false", "true") if place.family != "mysql" else ("b'0'", "b'1'")
    json_type = "JSONB" if place.family == "postgresql" else "JSON"
    place.run(
        f"CREATE TABLE items (id INTEGER PRIMARY KEY, name VARCHAR(9), off {flag}, day DATE, doc {json_type}, note VARCHAR(9))"
    )
    for n in range(1, 9):
        place.run(f"""INSERT INTO items VALUES ({n}, 'n{n}', {no}, NULL, '{{"gone": null}}', 'x')""")
    place.grant()
    app = SqlApp(place.url)
    paths = ["off", "day", "doc.gone"]
    tables = [{"table": "items", "name": p, "collection": p.replace(".", "-"), "key": ["id"], "deleted": p} for p in paths]
    app.add_source(*({**table, "without": ["doc.secret"]} for table in tables))
    assert app.report().counts["created"] == 8 * len(paths)
    place.run(f"""UPDATE items SET off = {yes}, day = '2026-01-01', doc = '{{"gone": 1, "secret": 1}}' WHERE id = 2""")
    place.run("UPDATE items SET note = '' WHERE id > 4", "UPDATE items SET note = NULL WHERE id <= 4")
    report = app.report()
    assert (report.counts["cancelled"], report.error and report.error["code"]) == (len(paths), "fields-changed")
    for table in tables:
        assert {key for key, presence in app.presences(table["collection"]).items() if presence == "gone"} == {"2"}
        assert {r.fields["note"] for r in app.records(table["collection"]).values()} == {"x"}
