"""``bokit collection`` and ``bokit records``: lists, edits, deletions and exports, on the real engine."""

from __future__ import annotations

import csv
import gzip
import io
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bokit.core.items.edit import WriteMethod
from bokit.core.items.rules import RecordRules
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.records import Record
from bokit.engine.catalog.collections import CollectionService, WriteRequest
from bokit.engine.sync.kinds import SourceKind
from bokit.sources.json_api import JsonApiFetcher, Waiting
from simulator.client_api import make_clients
from tests.support.json_app import CRM, START, InProcess
from tests.support.terminal import Answer, Terminal

IN = ("--collection", "guests")
SCHEMA = {"properties": {"age": {"type": ["integer", "null"]}, "zip": {"type": "string"}, "ok": {"type": "boolean"}}}


@pytest.fixture
def terminal(capsys, tmp_path) -> Terminal:
    """A terminal with two guests that a program pushed."""
    terminal = Terminal(capsys, tmp_path / ".bokit")
    declare(terminal, {"name": "guests", "preserve": ["joined"], "schema": SCHEMA})
    push(terminal, "7", {"name": "Ada", "age": 36, "joined": "2020", "address": {"city": "Pisa", "zip": "56121"}})
    push(terminal, "8", {"name": "Bob", "big": 9007199254740993, "note": "=1+1"})
    return terminal


def declare(terminal: Terminal, *collections: dict[str, Any]) -> None:
    for values in collections:
        terminal.bokit.catalog.collections.declare(DEFAULT_TENANT, values)


def push(terminal: Terminal, key: str, document: dict[str, Any]) -> None:
    service = terminal.bokit.catalog.collections
    service.write(
        service.find(DEFAULT_TENANT, "guests"), key, WriteRequest(method=WriteMethod.PUT, document=document, by="token:crm")
    )


def fails(answer: Answer, *words: str) -> None:
    """One line that says these words, exit code 2, and nothing on standard output."""
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer
    assert [word for word in words if word not in answer.err] == []


# ── collections ──


def test_collections_are_listed_and_shown(terminal):
    """With what feeds them; the records are counted where that is asked for."""
    declare(terminal, {"name": "boats"})
    plain, counted = (terminal.run("collection", "list", *more).out for more in ((), ("--counts",)))

    assert [line.split("\t")[:3] for line in plain.splitlines()[1:]] == [
        ["boats", "", "pushed by programs"],
        ["guests", "", "pushed by programs"],
    ]
    assert [line.split("\t")[1] for line in counted.splitlines()[1:]] == ["0", "2"]
    assert terminal.json("collection", "show", "guests")["counts"]["records"] == 2
    shown = terminal.run("collection", "show", "guests").out
    assert "age, zip, ok" in shown
    assert "joined" in shown


def test_a_name_that_is_not_there_is_one_line(terminal):
    """With what was meant, or where the names are; bookings have commands of their own."""
    fails(terminal.run("collection", "show", "gests"), "did you mean 'guests'?")
    fails(terminal.run("records", "list", "--collection", "zebra"), "`bokit collection list` shows them")
    fails(terminal.run("records", "list", "--collection", "bookings"), "built in", "`bokit bookings`")
    fails(terminal.run("records", "get", "guest-7", *IN), f"`bokit records list {' '.join(IN)}` shows them")
    push(terminal, "guest-71", {})
    fails(terminal.run("records", "get", "guest-7", *IN), "did you mean 'guest-71'?")


def test_a_collection_is_emptied_only_with_a_yes(terminal):
    """The count is shown first; what was deleted can be restored, and a second time nothing is left to delete."""
    fails(terminal.run("collection", "empty", "guests"), "this deletes 2 records of guests", "--dry-run", "--yes")
    dry = terminal.json("collection", "empty", "guests", "--dry-run")
    assert len(terminal.json("records", "list", *IN)["items"]) == 2

    done = terminal.json("collection", "empty", "guests", "--yes")

    assert (dry, done) == (
        {"collection": "guests", "records": 2, "removed": False},
        {"collection": "guests", "records": 2, "removed": True},
    )
    assert terminal.json("records", "list", *IN)["items"] == []
    assert terminal.json("collection", "empty", "guests")["records"] == 0
    assert terminal.json("records", "restore", "7", *IN)["name"] == "Ada"


def test_a_collection_is_removed_with_its_records(terminal):
    """Only with a yes where it has any; an empty one at once."""
    declare(terminal, {"name": "boats"})
    assert "removed boats" in terminal.run("collection", "remove", "boats").out
    fails(terminal.run("collection", "remove", "guests"), "for good", "--yes")

    assert "deleted 2 records of guests" in terminal.run("collection", "remove", "guests", "--yes").out
    assert terminal.json("collection", "list")["items"] == []


def test_many_records_go_in_parts(terminal):
    """Each part of its own; all are gone at the end."""
    for number in range(1200):
        push(terminal, f"n{number}", {"n": number})

    assert terminal.json("collection", "empty", "guests", "--yes")["records"] == 1202
    assert terminal.json("records", "list", *IN)["items"] == []
    assert terminal.json("collection", "remove", "guests", "--yes")["records"] == 1202


def test_what_changes_meanwhile_stops_an_emptying(terminal, monkeypatch):
    """The error says what was deleted, and what to do."""
    removal = terminal.bokit.catalog.collections.removal
    shown = removal.plan_emptying

    def plan(*arguments: Any, **more: Any) -> Any:
        found = shown(*arguments, **more)
        terminal.clock.move(minutes=1)
        push(terminal, "7", {"name": f"Ada {terminal.clock()}"})
        return found

    monkeypatch.setattr(removal, "plan_emptying", plan)
    fails(terminal.run("collection", "empty", "guests", "--yes"), "changed meanwhile", "0 records were deleted", "run it again")


# ── records ──


def test_records_are_listed_by_what_they_hold(terminal):
    """By fields, in objects too, by time and by state; pages go on where the last ended."""

    def keys(*more: str) -> list[str]:
        return [r["id"] for r in terminal.json("records", "list", *IN, *more)["items"]]

    terminal.clock.move(days=2)
    push(terminal, "9", {"name": "Bob"})
    terminal.json("records", "delete", "8", *IN)

    assert keys() == ["7", "9"]
    assert keys("--where", "name=Bob") == ["9"]
    assert keys("--where", "address.city=Pisa", "--where", "age=36") == ["7"]
    assert keys("--since", "1h") == ["8", "9"]
    assert keys("--since", "2026-06-02") == keys("--since", "2026-06-02T00:00:00+02:00") == ["8", "9"]
    assert keys("--presence", "gone") == ["8"]
    assert keys("--presence", "all") == ["7", "8", "9"]
    first = terminal.json("records", "list", *IN, "--limit", "1")
    assert keys("--limit", "1", "--cursor", first["cursor"]) == ["9"]
    for number in range(30):
        push(terminal, f"n{number}", {"n": number})
    assert len(keys("--limit", "32")) == 32
    assert "--cursor" in terminal.run("records", "list", *IN, "--limit", "5").out
    assert "no such record" in terminal.run("records", "list", *IN, "--where", "name=Nobody").out


@pytest.mark.parametrize(
    ("option", "value", "advice"),
    [
        ("--where", "name", "--where city=Pisa"),
        ("--since", "yesterday", "2026-07-01"),
        ("--since", "2026-07-01T12:00:00", "2026-07-01T12:00:00Z"),
        ("--presence", "here", "present, missing, gone or all"),
    ],
)
def test_a_wrong_filter_is_one_line(terminal, option, value, advice):
    """For the export as for the list, which then writes no file."""
    fails(terminal.run("records", "list", *IN, option, value), advice)
    fails(terminal.run("records", "export", *IN, "--format", "csv", option, value), advice)


@pytest.mark.parametrize(
    ("pair", "field", "value"),
    [
        ("name=7", "name", "7"),
        ("name=Ada = Eva", "name", "Ada = Eva"),
        ("age=37", "age", 37),
        ("age:=null", "age", None),
        ("zip=00501", "zip", "00501"),
        ("ok=true", "ok", True),
        ("phone=0551234", "phone", "0551234"),
        ("score:=1.50", "score", 1.5),
        ("big:=9007199254740993", "big", "9007199254740993"),
        ("address.city=Rome", "address", {"city": "Rome", "zip": "56121"}),
        ('address:={"zip":null}', "address", {"city": "Pisa"}),
        ("car.plate=AB 123", "car", {"plate": "AB 123"}),
        ("joined=2021", "joined", "2020"),
    ],
)
def test_a_value_takes_the_fields_type_and_is_merged(terminal, pair, field, value):
    """Of the value that is there, else of the schema, else a text; `:=` is JSON, and null removes. Preserved fields stay."""
    done = terminal.json("records", "set", "7", *IN, "--set", pair)
    record = terminal.json("records", "get", "7", *IN)

    assert record.get(field) == value
    assert done["preserved"] == (["joined"] if field == "joined" else [])
    assert record["_meta"]["version"] == (1 if field == "joined" else 2)


@pytest.mark.parametrize(
    ("pairs", "advice"),
    [
        (["age=old"], "age is a number; age:=JSON"),
        (["age=true"], "age is a number"),
        (["age:=x"], "not JSON"),
        (["age"], "FIELD:=JSON"),
        (["=x"], "FIELD=VALUE"),
        (["name.first=Ada"], "name is not an object"),
        (["address=Pisa"], "address is an object"),
        (["ok:=1"], "schema"),
        (["id=12"], "the record's id"),
        (["car=red", "car.plate=x"], "car is set twice"),
    ],
)
def test_a_wrong_value_changes_nothing(terminal, pairs, advice):
    """One line that says how to write it."""
    fails(terminal.run("records", "set", "7", *IN, *(word for pair in pairs for word in ("--set", pair))), advice)
    assert terminal.json("records", "get", "7", *IN)["_meta"]["version"] == 1


def test_a_record_is_created_deleted_and_restored(terminal):
    """Only on request, so that a misspelt id makes no record; the history has it all."""
    fails(terminal.run("records", "set", "9", *IN, "--set", "name=Cem"), "--create creates it")
    made = terminal.json("records", "set", "9", *IN, "--set", "name=Cem", "--create")
    again = terminal.run("records", "set", "9", *IN, "--set", "name=Cem", "--create")
    deleted = terminal.run("records", "delete", "9", *IN).out
    state = terminal.json("records", "get", "9", *IN)["_meta"]["presence"]
    terminal.json("records", "restore", "9", *IN)
    changes = terminal.json("records", "history", "9", *IN)["items"]

    assert made["changed"]
    assert (again.code, again.err.count("\n")) == (2, 1)
    assert (state, "`bokit records restore 9 --collection guests` brings it back" in deleted) == ("gone", True)
    assert [change["action"] for change in changes] == ["restore", "cancel", "create"]
    assert {change["by"].partition(":")[0] for change in changes} == {"user"}
    assert "guests.9@3" in terminal.run("records", "history", "9", *IN).out
    fails(terminal.run("records", "restore", "9", *IN), "not deleted")


def test_what_a_source_feeds_is_edited_and_not_deleted(capsys, tmp_path):
    """The edit stands after the next sync, beside the source's value; deletions are refused, of the collection too."""
    terminal = Terminal(capsys, tmp_path / ".bokit")
    wait = Waiting(sleep=lambda s: None, monotonic=lambda: 0.0, chance=lambda: 0.5)
    line: Any = InProcess(make_clients(1, START))
    fetcher = JsonApiFetcher(line, lambda text, tenant: text.replace("secret:crm", "sim-key"), terminal.clock, wait)
    terminal.bokit.kinds["json"] = SourceKind(fetcher=fetcher, rules=RecordRules(), is_shared=True)
    file = tmp_path / "bokit.json"
    url = CRM["url"].replace("crm.example", "8.8.8.8")
    file.write_text(json.dumps({"collections": [{"name": "clients"}], "sources": [{**CRM, "url": url}]}))
    terminal.json("config", "import", str(file))
    terminal.json("sync", "--all")
    of = ("--collection", "clients")
    theirs = terminal.json("records", "get", "7", *of)["name"]

    done = terminal.run("records", "set", "7", *of, "--set", "name=Ours").out
    terminal.clock.move(hours=2)
    terminal.json("sync", "--all", "--force")

    assert f"name: {theirs} → Ours (edited), source: {theirs}" in done
    record = terminal.json("records", "get", "7", *of)
    assert (record["name"], record["_meta"]["edits"]["name"]["remote"]) == ("Ours", theirs)
    assert f"name: Ours (edited), source: {theirs}" in terminal.run("records", "get", "7", *of).out
    assert "CRM" in terminal.run("collection", "list").out
    for command in (("records", "delete", "7", *of), ("collection", "empty", "clients"), ("collection", "remove", "clients")):
        fails(terminal.run(*command), "a source feeds this")


# ── export ──


def test_records_go_to_standard_output(terminal):
    """As they are, and nothing else; notes go to standard error."""
    answer, lines = (terminal.run("records", "export", *IN, "--format", form) for form in ("csv", "ndjson"))
    rows = list(csv.DictReader(io.StringIO(answer.out, newline="")))
    records = [json.loads(line) for line in lines.out.splitlines()]

    assert [row["id"] for row in rows] == [record["id"] for record in records] == ["7", "8"]
    assert (rows[1]["note"], rows[1]["big"], records[1]["big"]) == ("'=1+1", "9007199254740993", 9007199254740993)
    assert "1 cell that a spreadsheet may run" in answer.err
    assert (lines.err, records[0]["_meta"]["presence"]) == ("", "present")
    assert "=1+1" in terminal.run("records", "export", *IN, "--format", "csv", "--exact").out.splitlines()[2].split(",")
    assert "_meta" not in terminal.run("records", "export", *IN, "--format", "ndjson", "--no-meta").out


@pytest.mark.parametrize("name", ["guests.csv", "guests.ndjson", "guests.jsonl.gz", "guests.csv.gz"])
def test_records_go_into_a_file(terminal, tmp_path, name):
    """Its name says the form; its owner alone may read it, it replaces another, and nothing else stays beside it."""
    folder = tmp_path / "out"
    folder.mkdir()
    file = folder / name
    file.write_text("before")

    done = terminal.json("records", "export", *IN, "--output", str(file), "--where", "name=Ada")

    data = gzip.decompress(file.read_bytes()) if name.endswith(".gz") else file.read_bytes()
    assert (done["records"], done["format"], done["guarded"]) == (1, "csv" if "csv" in name else "ndjson", 0)
    assert b"Ada" in data
    assert b"Bob" not in data
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(folder.iterdir()) == [file]
    assert "wrote" in terminal.run("records", "export", *IN, "--output", str(file)).out


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_an_interruption_leaves_what_was_there(terminal, tmp_path, monkeypatch, form):
    """Exit code 130; the file is as before, or not there, and no half one is beside it."""
    folder = tmp_path / "out"
    folder.mkdir()

    def interrupted(*_: Any) -> Iterator[Record]:
        service = terminal.bokit.catalog.collections
        yield service.get(service.find(DEFAULT_TENANT, "guests"), "7")
        raise KeyboardInterrupt

    monkeypatch.setattr(CollectionService, "iterate", interrupted)
    for before in (None, "before"):
        if before:
            (folder / f"x.{form}").write_text(before)
        answer = terminal.run("records", "export", *IN, "--output", str(folder / f"x.{form}"))
        assert (answer.code, answer.out) == (130, "")
        assert [path.read_text() for path in folder.iterdir()] == [before] * bool(before)


def test_wrong_use_of_the_export_is_one_line(terminal, tmp_path: Path):
    """A form that nobody named, two things on standard output, and a folder that is not there."""
    fails(terminal.run("records", "export", *IN), "--format csv")
    fails(terminal.run("records", "export", *IN, "--output", str(tmp_path / "x.xlsx")), "--format csv")
    fails(terminal.run("records", "export", *IN, "--output", str(tmp_path / "nowhere/x.csv")), "cannot be written")
    refused = terminal.run("records", "export", *IN, "--format", "csv", "--json")
    assert (refused.code, "--output" in refused.err) == (2, True)
