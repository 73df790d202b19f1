"""The simulated billing database: its command makes, changes, empties and describes it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from bokit.core.tables.spec import read_table_settings
from simulator.billing import SPECS, TABLES, make_row
from simulator.cli import run


def run_billing(capsys: Any, *arguments: str) -> Any:
    """Run the command and return its JSON document."""
    assert run(["billing", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_database_is_made_and_lives(tmp_path: Path, capsys: Any) -> None:
    """Rows are made by share, changed by number and version, removed from the end, emptied by table."""
    file = str(tmp_path / "billing.db")
    made = run_billing(capsys, "make", file, "--rows", "200")["table"]
    assert made == {"clients": 100, "forwarders": 30, "shipping_lines": 10, "representatives": 20, "services": 40}
    changed = run_billing(capsys, "change", file, "--share", "10", "--table", "clients", "--version", "2")
    assert changed == {"table": {"clients": 10}}
    assert run_billing(capsys, "remove", file, "--table", "services", "--share", "5") == {"table": {"services": 2}}
    assert run_billing(capsys, "empty", file, "--table", "forwarders") == {"table": {"forwarders": 30}}
    found = sqlite3.connect(file)
    names = [row[0] for row in found.execute("SELECT raison_sociale FROM clients ORDER BY id")]
    assert [name.endswith(" v2") for name in names] == [True] * 10 + [False] * 90
    assert found.execute("SELECT (SELECT COUNT(*) FROM services), (SELECT COUNT(*) FROM forwarders)").fetchone() == (38, 0)
    found.close()


def test_the_config_that_it_prints_is_one(tmp_path: Path, capsys: Any) -> None:
    """The printed config file declares the five tables and their collections."""
    config = run_billing(capsys, "config", str(tmp_path / "billing.db"))
    settings = read_table_settings(config["sources"][0])
    assert [t.table for t in settings.tables] == [spec["table"] for spec in SPECS]
    assert {t.collection for t in settings.tables} == {c["name"] for c in config["collections"]}


def test_rows_derive_from_number_and_version() -> None:
    """The same number and version make the same row; another version changes its values and keeps its key."""
    for table, made in TABLES.items():
        keys = [c.name for c in made.primary_key.columns]
        one, again, other = make_row(table, 7), make_row(table, 7), make_row(table, 7, 1)
        assert one == again != other
        assert [one[k] for k in keys] == [other[k] for k in keys]
        assert len({tuple(make_row(table, n)[k] for k in keys) for n in range(1, 500)}) == 499


@pytest.mark.parametrize("arguments", [("change", "{}/none.db"), ("make", "{}/x.db", "--table", "nothing")])
def test_bad_use_is_one_line(tmp_path: Path, capsys: Any, arguments: tuple[str, ...]) -> None:
    """Bad use prints one line and exits with 2."""
    assert run(["billing", *(a.format(tmp_path) for a in arguments)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
