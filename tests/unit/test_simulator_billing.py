"""The simulated billing database: made, changed, emptied and described by one command."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from bokit.core.tables.spec import read_table_settings
from simulator.billing import SPECS, TABLES, make_row
from simulator.cli import run


def tell(capsys: Any, *arguments: str) -> Any:
    """Run the command and return its document."""
    assert run(["billing", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_database_is_made_and_lives(tmp_path: Path, capsys: Any) -> None:
    """Rows are made by share, changed by number and version, removed from the end, emptied by table."""
    file = str(tmp_path / "billing.db")
    made = tell(capsys, "make", file, "--rows", "200")["table"]
    assert made == {"clients": 100, "forwarders": 30, "shipping_lines": 10, "representatives": 20, "services": 40}
    assert tell(capsys, "change", file, "--share", "10", "--table", "clients", "--version", "2") == {"table": {"clients": 10}}
    assert tell(capsys, "remove", file, "--table", "services", "--share", "5") == {"table": {"services": 2}}
    assert tell(capsys, "empty", file, "--table", "forwarders") == {"table": {"forwarders": 30}}
    found = sqlite3.connect(file)
    names = [row[0] for row in found.execute("SELECT raison_sociale FROM clients ORDER BY id")]
    assert [name.endswith(" v2") for name in names] == [True] * 10 + [False] * 90
    assert found.execute("SELECT (SELECT COUNT(*) FROM services), (SELECT COUNT(*) FROM forwarders)").fetchone() == (38, 0)
    found.close()


def test_the_config_that_it_prints_is_one(tmp_path: Path, capsys: Any) -> None:
    """What it prints declares the five tables and their collections."""
    told = tell(capsys, "config", str(tmp_path / "billing.db"))
    settings = read_table_settings(told["sources"][0])
    assert [t.table for t in settings.tables] == [spec["table"] for spec in SPECS]
    assert {t.collection for t in settings.tables} == {c["name"] for c in told["collections"]}


def test_rows_derive_from_number_and_version() -> None:
    """A row says the same whenever it is made, and something else in another version; keys stay."""
    for table, made in TABLES.items():
        keys = [c.name for c in made.primary_key.columns]
        one, again, other = make_row(table, 7), make_row(table, 7), make_row(table, 7, 1)
        assert one == again != other
        assert [one[k] for k in keys] == [other[k] for k in keys]
        assert len({tuple(make_row(table, n)[k] for k in keys) for n in range(1, 500)}) == 499


@pytest.mark.parametrize("arguments", [("change", "{}/none.db"), ("make", "{}/x.db", "--table", "nothing")])
def test_bad_use_is_one_line(tmp_path: Path, capsys: Any, arguments: tuple[str, ...]) -> None:
    """What cannot be done is said in one line, with exit code 2."""
    assert run(["billing", *(a.format(tmp_path) for a in arguments)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
