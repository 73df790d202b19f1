"""The command line on a deployed stack that it knows by its name alone, as processes of their own."""

from __future__ import annotations

import csv
import gzip
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bokit.engine.app import Bokit
from bokit.store.dynamo.create_table import create_table
from bokit.store.dynamo.store import DynamoStore
from bokit_cli.main import execute
from bokit_cli.session import StackLocator
from local.gateway import STACK
from local.place import REGION
from tests.support.api_client import open_client
from tests.support.deployed import Deployed, open_stack
from tests.support.restored_items import expected, same, scan
from tests.support.scripted_server import ScriptedServer, ok
from tests.support.terminal import a_feed, an_event

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.stack


class Shell:
    """Runs commands with the name of the stack, and nothing else of it."""

    def __init__(self, deployed: Deployed, home: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BOKIT_"))}
        paths = os.pathsep.join([str(ROOT / "layers/shared"), str(ROOT / "cli")])
        aws = {"AWS_ENDPOINT_URL": deployed.place.endpoint_url, "AWS_REGION": REGION}
        self.home, self.env = home, {**kept, "PYTHONPATH": paths, "HOME": str(home), "XDG_CACHE_HOME": str(home), **aws}

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bokit_cli", *arguments]
        return subprocess.run(
            command, cwd=self.home, env=self.env | env, capture_output=True, text=True, timeout=120, check=False
        )

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json", BOKIT_STACK=STACK)
        assert done.returncode == 0, done
        return json.loads(done.stdout)


def test_a_stack_by_its_name_alone(deployed: Deployed, tmp_path: Path):
    """Its table, its quotas, its address and its key: what the API shows, the command line shows."""
    shell, client = Shell(deployed, tmp_path), open_client(deployed)
    tenant = str(client.tenant)
    client.furnish("https://8.8.8.8/1.ics")

    assert [p["name"] for p in shell.json("property", "list", "--tenant", tenant)["items"]] == ["Villa Rosa"]
    shown = shell.json("export", "Garden flat", "--for", "airbnb", "--tenant", tenant)
    assert shown["url"].startswith(f"{deployed.outputs['ApiUrl']}/feeds/")

    (file,) = tmp_path.rglob("stacks/*.json")
    kept = json.loads(file.read_text(encoding="utf-8"))["values"]
    assert kept["BOKIT_TABLE"] == deployed.outputs["TableName"]
    assert kept["BOKIT_CALENDAR_KEY"].startswith("secret:")
    found = json.loads(shell.run("doctor", "--tenant", tenant, "--json", BOKIT_STACK=STACK).stdout)["checks"]
    assert {check["name"] for check in found if check["state"] == "unchecked"} == set()
    assert {"stack", "api", "clock", "dead-letters", "secrets"} <= {check["name"] for check in found if check["state"] == "ok"}
    absent = shell.run("--stack", "nowhere", "status")
    assert (absent.returncode, absent.stderr.count("\n")) == (2, 1)
    assert "no such stack" in absent.stderr


def test_a_stacks_table_goes_into_a_file_and_out_of_it(deployed: Deployed, tmp_path: Path):
    """While the stack works: what did not change meanwhile is equal in another table, item for item."""
    shell, client = Shell(deployed, tmp_path), open_client(deployed)
    client.furnish("https://8.8.8.8/1.ics")
    other = DynamoStore("bokit-from-a-file", region=REGION, endpoint_url=deployed.place.endpoint_url)
    create_table(other.table_name, region=REGION, endpoint_url=deployed.place.endpoint_url)

    before = scan(deployed.store)
    made = shell.json("backup", "create", "backup.ndjson.gz")
    after = scan(deployed.store)
    restored = shell.run("backup", "restore", "backup.ndjson.gz", "--json", BOKIT_TABLE=other.table_name)

    assert restored.returncode == 0, restored
    assert json.loads(restored.stdout)["counts"] == made["counts"]
    wanted = expected({key: item for key, item in before.items() if after.get(key) == item})
    found = scan(other)
    same({key: found[key] for key in wanted if key in found}, wanted)
    assert len([pk for pk, _ in wanted if pk.startswith(f"T#{client.tenant}#")]) >= 3
    deployed.client("dynamodb").delete_table(TableName=other.table_name)


def test_the_records_of_a_collection(deployed: Deployed, tmp_path: Path):
    """Pushed through the API, then listed, edited, exported, deleted, restored, and removed with their collection."""
    shell, client = Shell(deployed, tmp_path), open_client(deployed)
    tenant = ("--tenant", str(client.tenant))
    of = ("--collection", "guests", *tenant)
    (tmp_path / "guests.yaml").write_text("collections: [{name: guests, buckets: 3, preserve: [joined]}]")
    shell.json("config", "import", "guests.yaml", *tenant)
    for number in range(30):
        assert (
            client.ask("PUT", f"/collections/guests/records/{number}", {"name": f"Guest {number}", "n": 2**53 + number})[0] == 200
        )

    assert shell.json("collection", "show", "guests", *tenant)["counts"]["records"] == 30
    shell.json("records", "set", "7", *of, "--set", "name==1+1", "--set", "joined=2020")
    assert shell.json("records", "set", "7", *of, "--set", "joined=2021")["preserved"] == ["joined"]
    assert [r["id"] for r in shell.json("records", "list", *of, "--where", "joined=2020")["items"]] == ["7"]
    assert len(shell.json("records", "history", "7", *of)["items"]) == 2
    for name in ("guests.csv", "guests.ndjson.gz"):
        assert shell.json("records", "export", *of, "--output", name)["records"] == 30
    with (tmp_path / "guests.csv").open(encoding="utf-8", newline="") as opened:
        rows = {row["id"]: row for row in csv.DictReader(opened)}
    lines = [json.loads(line) for line in gzip.decompress((tmp_path / "guests.ndjson.gz").read_bytes()).splitlines()]
    assert (len(rows), rows["7"]["name"], rows["7"]["n"]) == (30, "'=1+1", str(2**53 + 7))
    assert {line["id"]: line["n"] for line in lines} == {f"{number}": 2**53 + number for number in range(30)}

    shell.json("records", "delete", "7", *of)
    assert shell.json("records", "restore", "7", *of)["name"] == "=1+1"
    assert shell.run("collection", "empty", "guests", *tenant, BOKIT_STACK=STACK).returncode == 2
    assert shell.json("collection", "empty", "guests", "--yes", *tenant)["records"] == 30
    assert shell.json("records", "list", *of)["items"] == []
    assert shell.json("collection", "remove", "guests", "--yes", *tenant)["removed"]
    assert shell.json("collection", "list", *tenant)["items"] == []


class AtStack(StackLocator):
    """The stack of the tests, for commands in this process."""

    def __init__(self, deployed: Deployed) -> None:
        self.bokit: Bokit = open_stack(deployed)

    def open(self) -> Bokit:
        return self.bokit


@pytest.fixture
def feed() -> Iterator[Any]:
    """A calendar of four stays to come, whose server answers what ``body`` is."""
    today = datetime.now(UTC).date()
    spans = [(today + timedelta(days=n), today + timedelta(days=n + 3)) for n in (20, 30, 40, 50)]
    events = [an_event(n, str(first), str(end), f"HMABCDEF1{n}") for n, (first, end) in enumerate(spans)]

    def answer(sock: socket.socket, head: bytes) -> bool:
        sock.sendall(ok(server.body))
        return False

    server: Any = ScriptedServer(answer)
    server.body = server.full = a_feed(*events)
    yield server
    server.stop()


def test_a_day_of_mistakes_each_undone(deployed: Deployed, feed: Any, capsys: pytest.CaptureFixture[str]):
    """A wrong edit, a wrong unit, a held plan applied by mistake, a removed source: the nights are as before."""
    client, stack = open_client(deployed), AtStack(deployed)

    def run(*arguments: str, code: int = 0) -> Any:
        capsys.readouterr()
        done = execute([*arguments, "--tenant", str(client.tenant), "--json"], stack)
        shown = capsys.readouterr()
        assert done == code, (arguments, shown)
        return json.loads(shown.out)

    def nights(found: Any = None) -> Any:
        kept = ("unit_id", "check_in", "check_out", "status", "guest_name", "blocks_nights", "presence")
        return sorted([str(b[name]) for name in kept] for b in found or run("bookings")["items"])

    def fix(*undo: str) -> None:
        run(*undo)
        assert nights() == before, undo
        run("sync", "--all", "--force")
        assert nights() == before, undo

    def change(booking: str) -> str:
        return str(run("booking", "changes", booking)["items"][0]["id"])

    run("options", "set", "sync.enabled", "false")  # the schedule leaves the story alone
    run("property", "add", "Villa Rosa", "--timezone", "Europe/Rome")
    for unit in ("Garden flat", "Loft"):
        run("unit", "add", unit, "--property", "Villa Rosa")
    source = run("source", "add", "Airbnb", "--unit", "Garden flat", "--url", feed.url())["id"]
    run("sync", "--all")
    before, booking = nights(), run("bookings")["items"][0]["id"]
    assert len(before) == 4

    run("booking", "edit", booking, "--set", "status=cancelled", "--set", "guest_name=Nobody", "--release")
    assert nights() != before
    fix("undo", change(booking))

    run("source", "edit", source, "--unit", "Loft", "--yes")
    assert nights() != before
    fix("source", "edit", source, "--unit", "Garden flat", "--yes")

    feed.body = a_feed()
    run("sync", "--all", "--force", code=1)
    assert nights() == before
    wrong = run("source", "apply-held", source)["run_id"]
    assert nights() != before
    feed.body = feed.full
    fix("undo", wrong)

    run("source", "remove", source, "--release")
    gone = [b["id"] for b in run("bookings")["items"]]
    assert nights() != before
    run("source", "restore", source)
    for released in gone[:-1]:
        run("undo", change(released))
    fix("undo", change(gone[-1]))
    assert nights(client.get("/bookings?limit=100")["items"]) == before
