"""Collections on the command line: declared from a file, synced, and shown in words and in JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bokit.core.items.rules import RecordRules
from bokit.engine.sync.kinds import SourceKind
from bokit.sources.json_api import JsonApiFetcher, Waiting
from simulator.client_api import make_clients
from tests.support.json_app import CRM, START, InProcess
from tests.support.terminal import Terminal

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def terminal(capsys, tmp_path):
    """A terminal whose stack reads JSON APIs, with a source of clients declared."""
    terminal = Terminal(capsys, tmp_path)
    terminal.api = make_clients(1, START)
    terminal.line = InProcess(terminal.api)
    wait = Waiting(sleep=lambda s: None, monotonic=lambda: 0.0, chance=lambda: 0.5)
    fetcher = JsonApiFetcher(terminal.line, lambda text, tenant: text.replace("secret:crm", "sim-key"), terminal.clock, wait)
    kinds = terminal.bokit.kinds
    kinds["json"] = SourceKind(fetcher=fetcher, rules=RecordRules(), is_shared=True)
    kinds["sql"] = SourceKind(fetcher=fetcher, rules=RecordRules(), is_shared=True, check_url=lambda url: None)
    terminal.file = tmp_path / "bokit.json"
    url = CRM["url"].replace("crm.example", "8.8.8.8")
    terminal.file.write_text(json.dumps({"collections": [{"name": "clients"}], "sources": [{**CRM, "url": url}]}))
    terminal.json("config", "import", str(terminal.file))
    return terminal


def test_importing_shows_what_it_did_and_again_nothing(terminal):
    """Collections and sources are listed by kind and name; the second import finds all as it is."""
    again = terminal.json("config", "import", str(terminal.file))

    assert (again["added"], again["changed"]) == ([], [])
    assert {(d["kind"], d["name"]) for d in again["unchanged"]} == {("collection", "clients"), ("source", "CRM")}


def test_an_import_suggests_the_pages_that_the_first_answer_asks_for(terminal):
    """The note is printed and in the document; with pages declared, or without the check, nothing is fetched."""
    source = {**CRM, "name": "Linked", "url": "https://8.8.8.8/api/linked?size=50"}

    def declare(**more):
        terminal.file.write_text(json.dumps({"sources": [{**source, **more}]}))

    declare()
    unchecked = terminal.json("config", "import", str(terminal.file), "--no-check")
    asked = len(terminal.line.asked)
    declare(interval="1h")
    (changed,) = terminal.json("config", "import", str(terminal.file))["changed"]
    declare(pages={"next": "links.next"})
    followed = terminal.json("config", "import", str(terminal.file))

    assert [item for item in unchecked["added"] if "notes" in item] == []
    assert changed["notes"][0].endswith("declare how pages follow, as in `pages: {next: links.next}`")
    assert (len(terminal.line.asked), "notes" in followed["changed"][0]) == (asked + 1, False)
    declare(pages=None, url="https://8.8.8.8/api/none")
    assert "Linked: could not be read yet: HTTP 404" in terminal.run("config", "import", str(terminal.file)).out


def test_syncing_what_is_new_says_how_many_of_how_many(terminal):
    """122 clients, 100 known: the line for people and the counts for programs."""
    late = {number: terminal.api.clients.pop(number) for number in range(101, 123)}
    terminal.json("sync", "--collection", "clients")
    terminal.api.clients |= late
    terminal.clock.move(hours=1)

    dry = terminal.run("sync", "--collection", "clients", "--new-only", "--dry-run")
    result = terminal.run("sync", "--collection", "clients", "--new-only")
    again = terminal.run("sync", "--collection", "clients", "--new-only")

    assert "dry run, nothing was written: succeeded: new 22, existing 100, total 122" in dry.out
    assert "succeeded: new 22, existing 100, total 122" in result.out
    assert "new 0, existing 122, total 122" in again.out


def test_verbose_shows_each_record_and_field(terminal):
    """-v names the record, its fields before and after, and what was kept."""
    terminal.json("sync", "--collection", "clients")
    terminal.clock.move(hours=1)
    terminal.api.change(7, terminal.clock(), name="New name")

    result = terminal.run("sync", "--collection", "clients", "-v")

    assert "update clients 7: the source shows it" in result.out
    assert "→ New name" in result.out


def test_problems_are_reported_and_the_exit_code_says_so(terminal):
    """What could not be taken is named by record and field; exit 1."""
    terminal.json("sync", "--collection", "clients")
    terminal.clock.move(hours=1)
    terminal.api.fault("duplicate-ids", 2)

    result = terminal.run("sync", "--collection", "clients")
    doc = terminal.json("sync", "--collection", "clients", "--force", code=1)

    assert result.code == 1
    assert "CRM: 1: several items have this id (duplicate-id)" in result.out
    assert doc["sources"][0]["problems"] == [{"code": "duplicate-id", "message": "several items have this id", "uid": "1"}]


def test_status_and_stats_show_collections(terminal):
    """A source of a collection stands in status by its collection; totals count its records."""
    terminal.json("sync", "--collection", "clients")

    status = terminal.json("status")["sources"][0]
    assert (status["collection"], status["unit_id"], status["state"]) == ("clients", None, "ok")
    assert "clients" in terminal.run("status").out
    assert terminal.json("stats")["collections"]["clients"]["records"] == 122
    shown = terminal.run("source", "show", "CRM").out
    assert "clients" in shown
    assert "sim-key" not in shown
    assert "122 entries" in terminal.run("source", "test", "CRM").out


def test_what_is_not_there_is_one_line(terminal):
    """A collection, or a table, that no source has: exit 2, and what there is."""
    unknown = terminal.run("sync", "--collection", "guests")
    table = terminal.run("sync", "--table", "guests")

    assert (unknown.code, table.code) == (2, 2)
    assert "no source feeds 'guests'" in unknown.err
    assert "no source has a table 'guests'" in table.err


@pytest.mark.parametrize(
    ("rules", "match"),
    [
        ({"schema": "none.json"}, "cannot be read"),
        ({"schema": "../x.json"}, "beside this one"),
        ({"schema": "/etc/hosts"}, "beside this one"),
        ({"schema": {"type": "wrong"}}, "not a JSON Schema"),
    ],
)
def test_a_wrong_schema_is_reported_with_its_place(terminal, rules, match):
    """The line says where in the file, and nothing is declared."""
    terminal.file.write_text(json.dumps({"collections": [{"name": "guests", **rules}]}))

    answer = terminal.run("config", "import", str(terminal.file))

    assert answer.code == 2
    assert "collections[0].schema" in answer.err
    assert match in answer.err
    assert "guests" not in terminal.json("stats")["collections"]


def test_a_source_of_a_unit_is_a_calendar(terminal):
    """`source add` declares calendars; what else there is stands in a file, and is said so."""
    terminal.json("property", "add", "Villa Rosa")
    terminal.json("unit", "add", "Flat", "--property", "Villa Rosa")

    terminal.file.write_text(
        json.dumps(
            {
                "properties": [
                    {
                        "name": "Villa Rosa",
                        "units": [{"name": "Flat", "sources": [{"name": "X", "kind": "json", "url": "https://8.8.8.8/x"}]}],
                    }
                ]
            }
        )
    )
    answer = terminal.run("config", "import", str(terminal.file))

    assert answer.code == 2
    assert "sources of this kind are declared" in answer.err


@pytest.mark.parametrize("name", sorted(p.name for p in EXAMPLES.glob("*.yaml")))
def test_every_example_is_declared_and_again_changes_nothing(terminal, name):
    """The files in examples/ say what they mean, and say it twice without harm."""
    first = terminal.json("config", "import", str(EXAMPLES / name))
    again = terminal.json("config", "import", str(EXAMPLES / name))

    assert first["added"] or first["changed"]
    assert (again["added"], again["changed"]) == ([], [])
