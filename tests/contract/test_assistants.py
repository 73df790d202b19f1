"""`bokit mcp`, asked by the SDK's own client over standard input and output: it answers, and writes nothing by itself."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bokit.config import Settings
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, Unit, UnitId
from bokit.core.model.records import RecordId
from bokit.engine.app import Bokit
from bokit.outlets.memory import MemoryAlerts
from bokit.store.dynamo.store import DynamoStore
from bokit.wiring import build_engine
from bokit_cli import assistants
from bokit_cli.plan_files import KEPT
from tests.support.emulator import EMULATOR, REGION, REPOSITORY, empty_table

GUEST = "Sentinel Guestname"
PHONE = "+390123456789"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not assistants.PYTHON.is_file(), reason="not run: the MCP SDK is not installed; `make mcp` installs it"),
]


@dataclass
class House:
    """A flat with a double booking on a table of the emulator, and the environment of a person who uses it."""

    bokit: Bokit
    env: Mapping[str, str]
    unit: Unit
    booking: str

    def ask(self, *calls: tuple[str, dict[str, Any]], options: tuple[str, ...] = ()) -> dict[str, Any]:
        """Ask an assistant's program to make these calls; return its tools and answers."""
        given = {"command": [sys.executable, "-m", "bokit_cli", "mcp", *options], "calls": calls}
        program = [str(assistants.PYTHON), "-I", str(REPOSITORY / "tests/support/assistant.py"), json.dumps(given)]
        done = subprocess.run(program, env=self.env, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def one(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer of one tool."""
        (answer,) = self.ask((name, arguments))["answers"]
        assert not answer["error"], answer
        document: dict[str, Any] = answer["document"]
        return document

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command with nobody at the keyboard."""
        command = [sys.executable, "-m", "bokit_cli", *words]
        return subprocess.run(
            command, env=self.env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False
        )

    def type_into(self, answer: str, *words: str) -> tuple[int, str]:
        """Run a command in a terminal in which a person types *answer*; return its exit code and what it showed."""
        person, terminal = pty.openpty()
        command = [sys.executable, "-m", "bokit_cli", *words]
        process = subprocess.Popen(command, env=self.env, stdin=terminal, stdout=terminal, stderr=terminal, close_fds=True)
        os.close(terminal)
        os.write(person, f"{answer}\n".encode())
        shown = b"".join(iter(lambda: _read(person), b"")).decode()
        os.close(person)
        return process.wait(timeout=120), shown

    def fields(self) -> Mapping[str, Any]:
        return self.bokit.records.find_record(DEFAULT_TENANT, BOOKINGS, RecordId(self.booking)).fields


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux says so where the other end is closed
        return b""


@pytest.fixture(params=[EMULATOR])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    """Two bookings by hand of one week."""
    request.getfixturevalue("aws")
    url = request.getfixturevalue("emulator")
    store: DynamoStore = empty_table(request.getfixturevalue("emulated_store"))
    settings = Settings(table_name=store.table_name, endpoint_url=url, region=REGION)
    bokit = build_engine(settings, store=store, alerts=MemoryAlerts())
    place = bokit.catalog.add_property(DEFAULT_TENANT, {"name": "Villa Rosa", "timezone": "Europe/Rome"})
    unit = bokit.catalog.add_unit(DEFAULT_TENANT, place.id, {"name": "Garden flat"})
    stay = {"check_in": "2027-07-10", "check_out": "2027-07-14", "guest_name": GUEST, "phone": PHONE, "notes": GUEST}
    first = bokit.bookings.create(DEFAULT_TENANT, UnitId(unit.id), stay, by="user:rosa")
    bokit.bookings.create(DEFAULT_TENANT, UnitId(unit.id), {**stay, "check_in": "2027-07-12"}, by="user:rosa")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join(str(REPOSITORY / folder) for folder in ("layers/shared", "cli")),
        "BOKIT_TABLE": store.table_name,
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "USER": "rosa",
        "LOGNAME": "rosa",
        "TERM": "dumb",
    }
    return House(bokit, env, unit, first["id"])


def test_questions_are_answered_without_guests(house: House) -> None:
    """Status, calendar, explanation, conflicts and changes; a guest's name and phone only with --guests."""
    calls = [
        ("status", {}),
        ("calendar", {"unit": "Garden flat", "month": "2027-07"}),
        ("explain", {"unit": "Garden flat", "night": "2027-07-12"}),
        ("conflicts", {}),
        ("changes", {"booking": house.booking}),
    ]
    found = house.ask(*calls)
    documents = [answer["document"] for answer in found["answers"]]
    shown = json.dumps(found["answers"])

    assert [answer["error"] for answer in found["answers"]] == [False] * 5
    assert found["tools"] == {**dict.fromkeys([name for name, _ in calls], True), "plan_edit": False, "plan_acknowledge": False}
    assert (documents[1]["first"], len(documents[1]["bookings"])) == ("2027-07-01", 2)
    assert (documents[2]["items"][0]["held"], len(documents[2]["items"][0]["by"])) == (True, 2)
    assert documents[3]["items"][0]["nights"] == ["2027-07-12", "2027-07-13"]
    assert [(c["action"], c["by"]) for c in documents[4]["items"]] == [("create", "user:rosa")]
    assert GUEST not in shown
    assert PHONE not in shown
    assert GUEST in json.dumps(house.ask(*calls, options=("--guests",))["answers"])


def test_what_cannot_be_answered_is_an_error_in_words(house: House) -> None:
    """A unit that there is not, an argument that looks like an option, a bad date: the assistant reads why."""
    calls = [
        ("explain", {"unit": "Attic", "night": "2027-07-12"}),
        ("changes", {"booking": "--help"}),
        ("explain", {"unit": "Garden flat", "night": "soon"}),
        ("plan_edit", {"booking": house.booking, "fields": {"check_out": "never"}}),
        ("plan_edit", {"booking": house.booking, "fields": {}}),
    ]
    answers = house.ask(*calls)["answers"]

    assert [answer["error"] for answer in answers] == [True] * 5
    assert "Attic" in answers[0]["text"]
    assert "no such booking" in answers[1]["text"]
    assert "check_out" in answers[3]["text"]


def test_a_write_waits_until_a_person_confirms_it(house: House) -> None:
    """The plan changes nothing; without a terminal, with "no", and twice it is refused; with "y" the change log names who."""
    made = house.one("plan_edit", booking=house.booking, fields={"check_out": "2027-07-12", "guest_name": "Ann"})
    before = dict(house.fields())
    alone = house.run("apply-plan", made["plan"])
    declined, _ = house.type_into("n", "apply-plan", made["plan"])

    assert "check_out: 2027-07-14 → 2027-07-12" in made["about"]
    assert GUEST not in json.dumps(made)
    assert made["apply"] == f"bokit apply-plan {made['plan']}"
    assert (alone.returncode, declined) == (2, 130)
    assert "in a terminal" in alone.stderr
    assert house.fields() == before

    code, shown = house.type_into("y", "apply-plan", made["plan"])
    (change, *_) = house.one("changes", booking=house.booking)["items"]

    assert (code, made["about"].split(";")[0].split(" in ")[0] in shown) == (0, True)
    assert (house.fields()["check_out"], house.fields()["guest_name"]) == ("2027-07-12", "Ann")
    assert (change["action"], change["by"], change["fields"]["check_out"]["to"]) == ("edit", "user:rosa", "2027-07-12")
    assert "no such plan" in house.type_into("y", "apply-plan", made["plan"])[1]


def test_a_conflict_is_acknowledged_by_a_person(house: House) -> None:
    """Planned by the assistant, applied in a terminal: the conflict says by whom."""
    conflict = house.one("conflicts")["items"][0]
    made = house.one("plan_acknowledge", conflict=conflict["id"])

    assert house.one("conflicts")["items"][0]["status"] == "open"
    assert house.type_into("y", "apply-plan", made["plan"])[0] == 0
    acknowledged = house.one("conflicts")["items"][0]
    assert (acknowledged["status"], acknowledged["acknowledged_by"]) == ("acknowledged", "user:rosa")


def test_a_plan_is_for_what_it_was_made_for_alone(house: House, tmp_path: Path) -> None:
    """Of a booking that has changed since, of another stack, too old, changed in its file, or none at all: refused."""
    made = house.one("plan_edit", booking=house.booking, fields={"notes": "late"})
    file = tmp_path / "cache/bokit/plans" / f"{made['plan']}.json"
    stored = json.loads(file.read_text())
    house.bokit.records.edit(DEFAULT_TENANT, BOOKINGS, RecordId(house.booking), {"notes": "early"}, by="user:ada")
    changed = house.type_into("y", "apply-plan", made["plan"])[1]
    house.env = {**house.env, "BOKIT_TABLE": "other"}
    other = house.run("apply-plan", made["plan"])
    file.write_text(json.dumps({**stored, "values": {"notes": "whatever"}}))
    forged = house.run("apply-plan", made["plan"])

    assert file.stat().st_mode & 0o077 == 0
    assert "has changed since" in changed
    assert "another stack" in other.stderr
    assert "was changed since" in forged.stderr
    assert "no such plan" in house.run("apply-plan", "../plans/x").stderr
    assert house.fields()["notes"] == "early"
    assert datetime.fromisoformat(made["expires_at"]) <= datetime.now(UTC) + KEPT + timedelta(minutes=1)


def test_without_the_sdk_the_command_says_how_to_get_it(tmp_path: Path) -> None:
    """In one sentence, before anything else."""
    script = (
        "import sys; from pathlib import Path; from bokit_cli import assistants, main; "
        f"assistants.PYTHON = Path({str(tmp_path / 'python')!r}); sys.exit(main.execute(['mcp']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=REPOSITORY, timeout=60, check=False)

    assert done.returncode == 2
    assert done.stderr.strip().count("\n") == 0
    assert "make mcp" in done.stderr
