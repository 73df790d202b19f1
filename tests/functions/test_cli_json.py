"""Each command's ``--json`` document, held against its schema in docs/schemas; a new command fails until it has both."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from jsonschema import Draft202012Validator
from moto import mock_aws
from referencing import Registry, Resource
from rich.cells import cell_len

from bokit.http.openapi import build_document
from bokit.store.dynamo.create_table import create_table
from bokit_cli.config_schema import build_config_schema
from bokit_cli.documents import COMMANDS
from bokit_cli.main import execute
from bokit_cli.schemas import CONFIG_FILE
from tests.support.alert_server import serve_alerts
from tests.support.command_schema import SCHEMA, close, commands
from tests.support.terminal import AUGUST, JULY, URL, Terminal, a_feed, an_event

PROGRAMS = frozenset({"mcp", "apply-plan"})
"""Commands that answer no document: a program speaks with them, or a person in a terminal."""
FLAT = f'{{name: Garden flat, sources: [{{name: Airbnb, url: "{URL}"}}]}}'
CONFIG = f"properties: [{{name: Villa Rosa, units: [{{name: Loft}}, {FLAT}]}}]"
OTHER = "https://8.8.8.8/other.ics"


REGISTRY: Any = Registry().with_resource(CONFIG_FILE, Resource.from_contents(build_config_schema()))


def faults(words: str, document: Any) -> list[str]:
    """Return what of a command's document is not as its schema says."""
    found = Draft202012Validator(close(SCHEMA), registry=REGISTRY).iter_errors({words: document})
    return [f"{error.json_path}: {error.message[:300]} {[c.message[:200] for c in error.context or ()]}" for error in found]


class Scene:
    """A terminal with a flat whose calendar was read, and what else a command needs."""

    def __init__(self, terminal: Terminal, folder: Path) -> None:
        self.terminal, self.folder = terminal, folder
        self.source = terminal.furnish()
        terminal.json("sync", "--all")

    def write(self, name: str, content: str | bytes) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def json(self, *arguments: str, code: int = 0) -> Any:
        return self.terminal.json(*arguments, code=code)

    @property
    def booking(self) -> str:
        return str(self.json("bookings")["items"][0]["id"])

    def guest(self) -> str:
        """Name the guest of a booking; return the name."""
        self.json("booking", "edit", self.booking, "--set", "guest_name=Ada Lovelace")
        return "Ada Lovelace"

    def conflict(self) -> str:
        """Enter a booking beside another one; return their conflict's id."""
        self.json("booking", "add", "--unit", "Garden flat", "--set", "check_in=2026-07-11", "--set", "check_out=2026-07-13")
        return str(self.json("conflicts")["items"][0]["id"])

    def hold(self) -> str:
        """Read an empty feed, which is held; return the source's id."""
        self.terminal.shelf.bodies[URL] = a_feed()
        self.json("sync", "--all", "--force", code=1)
        return self.source

    def webhook(self) -> str:
        return str(self.json("webhook", "add", "https://hooks.example/bokit")["id"])

    def delivered(self) -> tuple[str, str]:
        """Send something to a webhook; return its id and an event's."""
        webhook = self.webhook()
        self.json("property", "add", "Villa Blu")
        self.json("sync", "--all")
        return webhook, str(self.json("webhook", "deliveries", webhook)["items"][0]["event_id"])

    def history(self) -> str:
        self.write("feed/20260601T120000Z.ics", a_feed(JULY))
        return str(Path(self.write("feed/20260602T120000Z.ics", a_feed(JULY, AUGUST))).parent)

    def fails(self) -> str:
        from bokit.errors import SourceRefusedError

        self.terminal.shelf.bodies[URL] = SourceRefusedError("no feed at this URL", code="http-404")
        return self.source

    def alert(self, server: Any) -> str:
        return str(self.json("alert", "add", "webhook", "--url", server.url, "--name", "Phone", "--no-test")["id"])

    def clients(self) -> tuple[str, str]:
        """Declare a collection with a record; return the option that names it."""
        self.json("config", "import", self.write("clients.yaml", "collections: [{name: clients, preserve: [joined]}]"))
        fields = ("name=Ada", "joined=2020", "n:=9007199254740993", "address:={}", "_meta2:=null")
        self.json("records", "set", "7", "--create", *CLIENTS, *(word for field in fields for word in ("--set", field)))
        return CLIENTS

    def other_feed(self) -> tuple[str, ...]:
        self.terminal.shelf.bodies[OTHER] = a_feed(an_event(7, "2026-09-01", "2026-09-04", "HMABCDEF77"))
        return ("VRBO", "--unit", "Garden flat", "--url", OTHER)


CLIENTS = ("--collection", "clients")
Make = Callable[[Scene], Any]
CASES: dict[str, list[Make]] = {
    "booking accept-remote": [lambda s: (s.json("booking", "edit", s.booking, "--set", "notes=x")["id"],)],
    "booking access": [lambda s: (s.json("options", "set", "access.codes", "true")["name"] and s.booking,)],
    "booking add": [lambda s: ("--unit", "Garden flat", "--set", "check_in=2026-10-01", "--set", "check_out=2026-10-03")],
    "booking changes": [lambda s: (s.booking,)],
    "booking export": [
        lambda s: ("arrivals", "--output", str(s.folder / "arrivals.csv")),
        lambda s: ("changes", "--output", str(s.folder / "changes.ics")),
    ],
    "booking edit": [lambda s: (s.booking, "--set", "guest_name=Ann", "--set", "check_out=2026-07-15")],
    "bookings": [
        lambda s: (),
        lambda s: ("--explain", "2026-07-11"),
        lambda s: ("--explain", "2026-12-24"),
        lambda s: s.conflict() and ("--all",),
    ],
    "calendar": [lambda s: s.conflict() and (), lambda s: ("--days", "60"), lambda s: s.hold() and ("Garden flat", "2026-07")],
    "collection empty": [
        lambda s: s.clients() and ("clients", "--dry-run"),
        lambda s: s.clients() and ("clients", "--yes"),
    ],
    "collection list": [lambda s: s.clients() and (), lambda s: s.clients() and ("--counts",)],
    "collection remove": [lambda s: s.clients() and ("clients", "--yes")],
    "collection show": [lambda s: s.clients() and ("clients",)],
    "config diff": [lambda s: (s.write("more.yaml", CONFIG), "--prune"), lambda s: (s.write("less.yaml", "{}"), "--prune")],
    "config export": [lambda s: (), lambda s: (str(s.folder / "out.yaml"),)],
    "config import": [
        lambda s: (s.write("more.yaml", CONFIG),),
        lambda s: (s.write("less.yaml", "{}"), "--dry-run"),
        lambda s: (s.write("less.yaml", "{}"), "--prune", "--yes"),
    ],
    "conflicts": [lambda s: s.conflict() and (), lambda s: ("--acknowledge", s.conflict())],
    "doctor": [lambda s: (), lambda s: s.fails() and s.terminal.run("sync", "--all", "--force") and ()],
    "export": [
        lambda s: ("Garden flat", "--for", "booking_com"),
        lambda s: s.json("export", "Garden flat") and ("Garden flat", "--remove"),
    ],
    "feed inspect": [
        lambda s: (s.write("x.ics", a_feed(JULY)),),
        lambda s: (s.write("x.ics", a_feed()),),
        lambda s: (s.write("x.ics", b"<html>"),),
    ],
    "guest erase": [
        lambda s: (s.guest(), "--dry-run"),
        lambda s: (s.guest(), "--yes"),
        lambda s: s.json("guest", "erase", s.guest(), "--yes") and ("--again",),
    ],
    "guest export": [lambda s: (s.guest(),), lambda s: (s.guest(), "--output", str(s.folder / "guest.json"))],
    "guest find": [lambda s: (s.guest(),), lambda s: ("nobody",)],
    "guest receipts": [lambda s: s.json("guest", "erase", s.guest(), "--yes") and ()],
    "history": [lambda s: (), lambda s: (s.json("history")["items"][0]["run_id"],), lambda s: s.hold() and ()],
    "options get": [lambda s: ("sync.interval",)],
    "options list": [lambda s: ()],
    "options set": [lambda s: ("sync.interval", "15m")],
    "options unset": [lambda s: ("sync.interval",)],
    "plan acknowledge": [lambda s: (s.conflict(),)],
    "plan edit": [lambda s: (s.booking, "--set", "check_out=2026-07-15", "--set", "guest_name=Ann")],
    "property add": [lambda s: ("Villa Blu", "--turnover-days", "2")],
    "property edit": [lambda s: ("Villa Rosa", "--name", "Villa Blu", "--timezone", "UTC")],
    "property list": [lambda s: ()],
    "property remove": [lambda s: ("Villa Rosa", "--release", "--yes")],
    "quotas": [lambda s: ()],
    "records delete": [lambda s: ("7", *s.clients())],
    "records export": [
        lambda s: (*s.clients(), "--output", str(s.folder / "clients.csv")),
        lambda s: (*s.clients(), "--output", str(s.folder / "clients.ndjson.gz"), "--no-meta"),
    ],
    "records get": [lambda s: ("7", *s.clients())],
    "records history": [lambda s: ("7", *s.clients())],
    "records list": [lambda s: s.clients(), lambda s: (*s.clients(), "--where", "name=Nobody")],
    "records restore": [lambda s: s.json("records", "delete", "7", *s.clients()) and ("7", *CLIENTS)],
    "records set": [lambda s: ("7", *s.clients(), "--set", "name=Eva", "--set", "joined=2021")],
    "replay": [lambda s: (s.history(),), lambda s: (s.history(), s.history(), "--unit")],
    "source add": [lambda s: s.other_feed(), lambda s: (*s.other_feed(), "--no-check")],
    "source apply-held": [lambda s: (s.hold(),)],
    "source discard-held": [lambda s: (s.hold(),)],
    "source edit": [
        lambda s: (s.source, "--interval", "15m"),
        lambda s: (s.source, "--yes", "--unit", s.json("unit", "add", "Loft", "--property", "Villa Rosa")["id"]),
    ],
    "source list": [lambda s: s.json("source", "remove", s.source) and ("--removed",)],
    "source pause": [lambda s: (s.source,)],
    "source remove": [lambda s: (s.source,), lambda s: (s.source, "--release")],
    "source restore": [lambda s: s.json("source", "remove", s.source) and (s.source,)],
    "source resume": [lambda s: (s.source,)],
    "source marks": [lambda s: (s.source,), lambda s: (s.source, "--reset")],
    "source show": [lambda s: (s.source,), lambda s: (s.hold(),)],
    "source test": [lambda s: (s.source,), lambda s: (s.fails(),)],
    "stats": [lambda s: (), lambda s: ("--occupancy",), lambda s: ("--occupancy", "--by", "total", "--unit", "Garden flat")],
    "status": [
        lambda s: (),
        lambda s: s.hold() and (),
        lambda s: s.fails() and s.terminal.run("sync", "--all", "--force") and (),
        lambda s: s.conflict() and ("--check",),
    ],
    "sync": [
        lambda s: ("--all", "--force"),
        lambda s: ("--all", "--dry-run", "--force"),
        lambda s: s.hold() and ("--all", "--force"),
        lambda s: s.fails() and ("--all", "--force"),
        lambda s: ("--status",),
        lambda s: ("--daemon", "--interval", "1", "--max-runs", "1"),
    ],
    "tenant add": [lambda s: ("Rosa",)],
    "tenant list": [lambda s: ()],
    "tenant remove": [lambda s: (s.json("tenant", "add", "Rosa")["id"],)],
    "today": [lambda s: (), lambda s: s.conflict() and s.hold() and ()],
    "token create": [lambda s: (), lambda s: ("--expires-in", "7d")],
    "token list": [lambda s: s.json("token", "create", "--name", "x") and ()],
    "token revoke": [lambda s: (s.json("token", "create")["id"],)],
    "undo": [
        lambda s: (s.json("history")["items"][0]["run_id"],),
        lambda s: (f"{s.json('booking', 'edit', s.booking, '--set', 'check_out=2026-07-16')['id']}@2", "--dry-run"),
    ],
    "unit add": [lambda s: ("Loft", "--property", "Villa Rosa", "--timezone", "UTC")],
    "unit edit": [lambda s: ("Garden flat", "--name", "Loft")],
    "unit list": [lambda s: ()],
    "unit remove": [lambda s: ("Garden flat", "--dry-run")],
    "webhook add": [lambda s: ("https://hooks.example/bokit", "--type", "booking.created")],
    "webhook deliveries": [lambda s: (s.delivered()[0],)],
    "webhook edit": [lambda s: (s.webhook(), "--off")],
    "webhook list": [lambda s: s.webhook() and ()],
    "webhook redeliver": [lambda s: s.delivered()],
    "webhook remove": [lambda s: (s.webhook(),)],
    "webhook rotate": [lambda s: (s.webhook(),)],
    "webhook test": [lambda s: (s.webhook(),)],
    "week": [lambda s: (), lambda s: s.conflict() and s.fails() and ("--unit", "Garden flat")],
}
"""By a command's words, the arguments of each run of it."""
FILES = {"config export", "export", "guest export"}
"""What they print is a file, as it is."""
ON_ALERTS = {"alert add", "alert list", "alert remove", "alert test"}
ON_AWS = {"backup create", "backup restore", "dead-letters list", "dead-letters redrive", "dead-letters discard"}
"""Run in the tests below, on a service of their own."""


@pytest.fixture
def scene(capsys, tmp_path) -> Scene:
    return Scene(Terminal(capsys, tmp_path / ".bokit"), tmp_path)


def test_every_command_answers_json_by_a_schema_and_is_run_here():
    """A new command needs --json, its document in bokit_cli/documents.py, and its arguments here."""
    known = dict(commands())

    assert {words for words, c in known.items() if not any("--json" in getattr(p, "opts", ()) for p in c.params)} <= PROGRAMS
    assert set(COMMANDS) == set(known) - PROGRAMS
    assert {*CASES, *ON_ALERTS, *ON_AWS} == set(COMMANDS)


def test_the_schema_is_one():
    """It follows the rules of draft 2020-12, and each reference leads somewhere."""
    Draft202012Validator.check_schema(SCHEMA)
    text = json.dumps(SCHEMA)
    assert "#/components" not in text
    assert {name.split('"')[0] for name in text.split("#/$defs/")[1:]} <= set(SCHEMA["$defs"])


def test_documents_that_the_api_has_too_are_the_same():
    """One document, one schema: of the same name in the OpenAPI document."""
    theirs = json.loads(json.dumps(build_document()["components"]["schemas"]).replace("#/components/schemas/", "#/$defs/"))
    shared = set(theirs) & set(SCHEMA["$defs"])

    assert {"Booking", "Source", "Run", "SourceStatus", "Conflict", "Unit", "Option"} <= shared
    assert {name: SCHEMA["$defs"][name] for name in shared} == {name: theirs[name] for name in shared}


@pytest.mark.parametrize(("words", "number"), [(words, n) for words, cases in CASES.items() for n in range(len(cases))])
def test_a_document_is_as_its_schema_says(scene, words, number):
    """Whatever the exit code: the document has what its schema names, and nothing else."""
    answer = scene.terminal.run(*words.split(), *CASES[words][number](scene), "--json")

    assert answer.code in (0, 1, 2), answer
    assert answer.out, answer
    assert faults(words, answer.doc) == []


@pytest.mark.parametrize(("words", "number"), [(words, n) for words, cases in CASES.items() for n in range(len(cases))])
def test_what_people_read_fits_40_columns(scene, words, number):
    """Every command's text: lines are broken between words, and only a word that has no room for itself is wider."""
    answer = scene.terminal.run(*words.split(), *CASES[words][number](scene), width=40)

    assert answer.code in (0, 1, 2), answer
    if words not in FILES:
        assert [line for line in answer.out.splitlines() if cell_len(line) > 40 and " " in line.strip()] == []


def test_a_document_with_a_property_more_or_less_is_a_fault(scene):
    """The check itself finds both."""
    document = scene.json("source", "list")
    more, less = copy.deepcopy(document), copy.deepcopy(document)
    more["items"][0]["colour"] = "red"
    del less["items"][0]["url"]

    assert [faults("source list", each) != [] for each in (document, more, less)] == [False, True, True]


def test_the_documents_of_alert_channels(scene):
    """Of channels that work and that do not."""
    with serve_alerts() as server:
        runs = [
            ("alert add", ("ntfy", "--topic", "x", "--url", server.url)),
            ("alert list", ()),
            ("alert test", (scene.alert(server),)),
        ]
        for words, arguments in runs:
            assert faults(words, scene.json(*words.split(), *arguments)) == []
        server.status = 404
        assert faults("alert test", scene.json("alert", "test", "Phone", code=1)) == []
        assert faults("alert list", scene.json("alert", "list")) == []
        assert faults("alert remove", scene.json("alert", "remove", "Phone")) == []


def test_the_documents_of_what_works_on_the_stack_itself(tmp_path, monkeypatch, capsys):
    """Backups and dead letters, on a table and queues."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_PROFILE", "BOKIT_STACK"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    monkeypatch.chdir(tmp_path)

    def check(table: str, words: str, *arguments: str) -> Any:
        monkeypatch.setenv("BOKIT_TABLE", table)
        capsys.readouterr()
        assert execute([*words.split(), *arguments, "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert faults(words, document) == []
        return document

    with mock_aws():
        sqs: Any = boto3.client("sqs", region_name="us-east-1")
        dead, back = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("sync-dead", "sync"))
        monkeypatch.setenv("BOKIT_DEAD_LETTERS", f"sync={dead},{back}")
        for table in ("one", "two"):
            create_table(table, region="us-east-1")
        check("one", "property add", "Villa Rosa")
        check("one", "backup create", "backup.ndjson")
        check("two", "backup restore", "backup.ndjson")
        sent = [
            sqs.send_message(QueueUrl=dead, MessageBody=body)["MessageId"] for body in ('{"tenant": "default"}', "no message")
        ]
        assert len(check("one", "dead-letters list")["items"]) == 2
        assert len(check("one", "dead-letters redrive", sent[0])["items"]) == 1
        assert len(check("one", "dead-letters discard", sent[1], "--yes")["items"]) == 1
