"""Databases on the command line: declared in the config file, synced by table, shown field by field, wrong ones reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bokit.config import Settings
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.outlets.memory import MemoryAlerts
from bokit.store.memory.store import MemoryStore
from bokit.wiring import build_engine
from simulator.billing import Billing
from tests.support.rows_app import ManualClock
from tests.support.terminal import MemoryLocator, Terminal

CONFIG = """
collections:
  - {{name: clients, preserve: [email], interval: 300}}
  - {{name: forwarders}}
sources:
  - name: Billing
    kind: sql
    url: "{url}"
    interval: 300
    on_missing: mark
    tables:
      - {{table: clients, collection: clients, key: [id], fields: {{name: raison_sociale, email: email}}, where: "actif = 1"}}
      - {{table: forwarders, collection: forwarders, key: [code]}}
"""


@pytest.fixture
def billing(tmp_path: Path) -> Any:
    """A billing database with fifty clients, forty-six of them active, and fifteen forwarders."""
    made = Billing(f"sqlite:///{tmp_path}/billing.db")
    made.create()
    made.add("clients", range(1, 51))
    made.add("forwarders", range(1, 16))
    yield made
    made.close()


@pytest.fixture
def terminal(capsys: Any, tmp_path: Path) -> Terminal:
    """The command line on the product as it is wired, with a store in memory."""
    made = Terminal(capsys, tmp_path)
    clock = ManualClock()
    made.bokit = build_engine(
        Settings(table_name="memory", allow_private_addresses=True), store=MemoryStore(), alerts=MemoryAlerts(), clock=clock
    )
    made.clock, made.locator = clock, MemoryLocator(made.bokit, tmp_path)
    return made


def declare(terminal: Terminal, tmp_path: Path, text: str) -> Any:
    """Import a config file."""
    file = tmp_path / "bokit.yaml"
    file.write_text(text)
    return terminal.run("config", "import", str(file))


def test_a_database_is_declared_synced_and_shown(terminal: Terminal, billing: Billing, tmp_path: Path) -> None:
    """From the config file to the records: all tables, one table, a dry run with its fields, a full resync."""
    assert declare(terminal, tmp_path, CONFIG.format(url=billing.url)).code == 0
    (shard,) = {s.shard_id for s in terminal.bokit.store.load_sources(DEFAULT_TENANT)}
    assert shard.startswith("sql_")
    first = terminal.json("sync", "--source", "Billing", "--table", "clients")
    assert {n: c for n, c in first["counts"].items() if c} == {"seen": 46, "created": 46}
    assert terminal.json("sync", "--all")["counts"]["created"] == 15
    billing.change("clients", range(1, 4))
    plan = terminal.json("sync", "--table", "clients", "--dry-run")
    assert [(p["action"], p["record_id"], sorted(p["fields"])) for p in plan["plan"]] == [
        ("update", f"clients.{n}", ["name"]) for n in (1, 2, 3)
    ]
    verbose = terminal.run("sync", "--collection", "clients", "-v")
    assert verbose.code == 0
    assert "v1" in verbose.out
    forced = terminal.json("sync", "--source", "Billing", "--force", "--all")
    assert {n: c for n, c in forced["counts"].items() if c} == {"seen": 61, "unchanged": 61}
    assert declare(terminal, tmp_path, CONFIG.format(url=billing.url)).code == 0
    assert terminal.json("sync", "--source", "Billing")["sources"][0]["outcome"] == "unchanged"


def test_a_source_is_tested_before_it_is_synced(terminal: Terminal, billing: Billing, tmp_path: Path) -> None:
    """`source test` shows the tables, their columns and first rows, and writes nothing."""
    declare(terminal, tmp_path, CONFIG.format(url=billing.url))
    shown = terminal.json("source", "test", "Billing")
    assert [t["table"] for t in shown["tables"]] == ["clients", "forwarders"]
    assert shown["tables"][0]["columns"] == {"name": "any", "email": "any"}
    assert (len(shown["tables"][0]["rows"]), shown["verdict"]) == (5, "ok")
    assert terminal.run("source", "test", "Billing").code == 0


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (("key: [id]", "key: [nr]"), "no column 'nr'; it has id, raison_sociale"),
        (("table: clients,", "table: customers,"), "no such table"),
        (("actif = 1", "actif ="), "does not understand the condition"),
    ],
)
def test_what_is_wrong_with_a_database_is_one_clear_error(
    terminal: Terminal, billing: Billing, tmp_path: Path, spoil: tuple[str, str], words: str
) -> None:
    """A wrong column, table or condition: exit 1, a sentence that says so, a line for each table, and the run in the history."""
    assert declare(terminal, tmp_path, CONFIG.format(url=billing.url).replace(*spoil)).code == 0
    (source,) = terminal.json("sync", "--all", code=1)["sources"]
    assert words in source["error"]["message"]
    assert terminal.json("history")["items"][0]["status"] == "partial"
    lines = terminal.run("sync", "--all").out
    name = "customers" if "customers" in words or "customers" in spoil[1] else "clients"
    assert f"Billing, table {name}: failed, table '{name}': " in lines
    assert "Billing, table forwarders: unchanged" in lines
    assert f"  table {name} (failing, first just now): table '{name}': " in terminal.run("status").out
    (status,) = terminal.json("status")["sources"]
    assert {t["name"]: t["state"] for t in status["tables"]} == {name: "failing", "forwarders": "ok"}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (("actif = 1", "actif = 1; DROP TABLE clients"), "sources[0].tables[0].where: not one plain condition"),
        (("key: [code]", "keys: [code]"), "sources[0].tables[1]: unknown key 'keys'"),
        (("on_missing: mark", "on_missing: drop"), "on_missing"),
        (("sqlite:///", "oracle://u:pw@h/"), "not a database that Bokit reads"),
    ],
)
def test_a_config_file_that_is_wrong_says_where(
    terminal: Terminal, billing: Billing, tmp_path: Path, spoil: tuple[str, str], words: str
) -> None:
    """Exit 2, the path of what is wrong, nothing changed, and no password shown."""
    answer = declare(terminal, tmp_path, CONFIG.format(url=billing.url).replace(*spoil))
    assert answer.code == 2
    assert words in answer.err
    assert "pw@" not in answer.err
    assert terminal.json("source", "list")["items"] == []


def test_a_source_test_lists_the_database(terminal: Terminal, billing: Billing, tmp_path: Path) -> None:
    """Tables, columns and fitting settings; beside a table that is not there, which makes it exit with 1."""
    text = CONFIG.format(url=billing.url)
    declare(terminal, tmp_path, text)
    shown = terminal.run("source", "test", "Billing")
    assert shown.code == 0
    lines = [line.split("\t") for line in shown.out.splitlines() if line.startswith(("table\t", "clients\t"))]
    assert lines[0] == ["table", "key", "updated at", "deleted", "columns"]
    assert lines[1][:2] == ["clients", "id"]
    assert "raison_sociale" in lines[1][4]
    declare(terminal, tmp_path, text.replace("table: clients,", "table: customers, name: clients,"))
    missing = terminal.json("source", "test", "Billing", code=1)
    assert [table["error"] and table["error"]["code"] for table in missing["tables"]] == ["missing-table", None]
    assert "clients" in {table["table"] for table in missing["database"]["tables"]}
    assert missing["verdict"] == "partial"


def test_marks_of_a_database_are_shown_and_reset(terminal: Terminal, billing: Billing, tmp_path: Path) -> None:
    """By table, in a sentence; `--reset` has all read again, of one table or of all."""
    declare(terminal, tmp_path, CONFIG.format(url=billing.url))
    terminal.json("sync", "--all")
    shown = terminal.json("source", "marks", "Billing")["items"]
    assert [(mark["table"], mark["mark"], mark["meaning"]) for mark in shown] == [
        ("clients", None, "every sync reads all of it"),
        ("forwarders", None, "every sync reads all of it"),
    ]
    reset = terminal.run("source", "marks", "Billing", "--reset", "--table", "clients")
    assert "reset: Billing; the next sync, which is due now, reads all" in reset.out
    assert "forwarders" not in reset.out
    assert "the source reads no such table" in terminal.run("source", "marks", "Billing", "--reset", "--table", "nope").err
