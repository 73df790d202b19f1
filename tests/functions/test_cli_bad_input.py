"""Bad input: one line that says what is wrong and how to fix it, exit code 2, and nothing changed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bokit.errors import SourceRefusedError, StoreUnreachableError
from bokit_cli.main import app, execute
from tests.support.terminal import URL, Terminal, a_feed

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def terminal(capsys, tmp_path):
    made = Terminal(capsys, tmp_path / ".bokit")
    made.furnish()
    made.json("sync", "--all")
    return made


def look(terminal):
    """Return all that a command could have changed."""
    commands = (
        ("source", "list"),
        ("unit", "list"),
        ("property", "list"),
        ("tenant", "list"),
        ("bookings",),
        ("history",),
        ("options", "list"),
    )
    return [terminal.json(*command)["items"] for command in commands]


NEW = ("source", "add", "VRBO", "--unit", "Garden flat", "--url")
BAD = [
    (("source", "show", "src_nope"), "bokit source list"),
    (("source", "pause", "src_nope"), "no source is called 'src_nope'; `bokit source list` shows them"),
    (("source", "remove", "src_nope"), "no source is called 'src_nope'; `bokit source list` shows them"),
    (("source", "apply-held", "Airbnb"), "nothing is held"),
    (("source", "edit", "Airbnb"), "nothing to change"),
    (("source", "edit", "Airbnb", "--interval", "5"), "60"),
    (("source", "edit", "Airbnb", "--platform", "myspace"), "airbnb"),
    (("source", "edit", "Airbnb", "--timezone", "Mars/Olympus"), "IANA"),
    ((*NEW, "ftp://8.8.8.8/x.ics"), "http"),
    ((*NEW, "nonsense"), "http"),
    ((*NEW, ""), "URL"),
    ((*NEW, "http://127.0.0.1/x.ics"), "public"),
    ((*NEW, "http://[::1/x.ics"), "error"),
    ((*NEW, URL), "already"),
    (("source", "add", "A", "--unit", "Attic", "--url", "https://8.8.8.8/3.ics"), "bokit unit list"),
    (("source", "add", "A", "--unit", "Garden flat"), "--url"),
    (("unit", "add", "Loft", "--property", "Nowhere"), "bokit property list"),
    (("unit", "add", "Garden flat", "--property", "Villa Rosa"), "already"),
    (("property", "add", ""), "name"),
    (("property", "add", "Casa", "--timezone", "Rome"), "IANA"),
    (("tenant", "add", "Rosa", "--id", "Ro Sa"), "small letters"),
    (("tenant", "remove", "nobody"), "bokit tenant list"),
    (("sync", "--source", "src_nope"), "bokit source list"),
    (("sync", "--unit", "Attic"), "bokit unit list"),
    (("sync", "--collection", "clients"), "bookings"),
    (("sync", "--interval", "5m"), "--daemon"),
    (("sync", "--daemon", "--interval", "none"), "--interval"),
    (("sync", "--daemon", "--interval", "0"), "--interval"),
    (("sync", "--daemon", "--interval", "9999d"), "--interval"),
    (("sync", "--status", "--force"), "--status"),
    (("sync", "--status", "--source", "no such"), "no such"),
    (("sync", "--max-runs", "2"), "--daemon"),
    (("sync", "--daemon", "--max-runs", "0"), "--max-runs"),
    (("status", "--tenant", "nobody"), "bokit tenant list"),
    (("history", "run_nope"), "run"),
    (("history", "--limit", "0"), "--limit"),
    (("history", "--cursor", "x"), "cursor"),
    (("bookings", "--unit", "Attic"), "bokit unit list"),
    (("bookings", "--explain", "tomorrow"), "YYYY-MM-DD"),
    (("booking", "edit", "nope", "--set", "notes=x"), "no such"),
    (("booking", "edit", "unit_1.nope", "--set", "notes=x"), "no such"),
    (("booking", "edit", "unit_1.nope"), "--set"),
    (("booking", "edit", "unit_1.nope", "--set", "notes"), "FIELD=VALUE"),
    (("booking", "changes", "nope"), "no such"),
    (("booking", "accept-remote", "nope"), "no such"),
    (("options", "get", "no.such"), "bokit options list"),
    (("options", "set", "no.such", "1"), "bokit options list"),
    (("options", "set", "sync.interval"), "VALUE"),
    (("options", "set", "sync.interval", "5"), "60"),
    (("options", "set", "sync.enabled", "maybe"), "true or false"),
    (("options", "set", "timezone", "Rome"), "IANA"),
    (("config", "import", "no-such-file.yaml"), "cannot be read"),
    (("feed", "inspect", "no-such-file.ics"), "cannot be read"),
    (("feed", "inspect", "gopher://8.8.8.8/"), "http"),
    (("feed", "inspect", "no-such-file.ics", "--from", "now"), "YYYY-MM-DD"),
    (("feed", "inspect", "no-such-file.ics", "--timezone", "Rome"), "IANA"),
    (("replay", "no-such-folder"), "no such folder"),
    (("replay", "."), "ics"),
    (("frobnicate",), "--help"),
    (("sync", "--frobnicate"), "--help"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(a)[:60] for a, _ in BAD])
def test_bad_input_is_one_line_and_changes_nothing(terminal, arguments, message):
    """Wrong use exits 2 with one line on standard error, nothing on standard output, and nothing changed."""
    before = look(terminal)

    answer = terminal.run(*arguments)

    assert answer.code == 2, answer
    assert answer.out == ""
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    assert message.lower() in answer.err.lower()
    assert "sentinel" not in answer.err
    assert look(terminal) == before


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("check_in=soon", "YYYY-MM-DD"),
        ("check_in=2026-02-30", "calendar"),
        ("check_out=2026-07-10", "after the arrival"),
        ("colour=red", "no such field"),
        ("status=perhaps", "confirmed"),
        ("guests=many", "number"),
    ],
)
def test_a_wrong_value_of_a_booking_is_refused(terminal, pair, message):
    """A value that a booking does not take changes nothing."""
    before = look(terminal)

    answer = terminal.run("booking", "edit", before[4][0]["id"], "--set", pair)

    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert message in answer.err
    assert look(terminal) == before


@pytest.mark.parametrize(
    "text",
    [
        "properties: [",
        "\t- x",
        "properties: {}",
        "nonsense",
        "",
        "- a: 1",
        "!!python/object:os.system x",
        "properties: [{name: 1}]",
        "[" * 5000,
    ],
)
def test_a_wrong_config_file_is_refused(terminal, tmp_path, text):
    """A file that is not a config is reported in one line, and nothing is declared."""
    file = tmp_path / "bokit.yaml"
    file.write_text(text)
    before = look(terminal)

    answer = terminal.run("config", "import", str(file))

    assert (answer.code, answer.err.count("\n")) == (2, 1), answer
    assert look(terminal) == before


def test_a_file_that_is_not_text_is_refused(terminal, tmp_path):
    """Bytes that are no UTF-8 are no config."""
    file = tmp_path / "bokit.yaml"
    file.write_bytes(b"\xff\xfe\x00")

    answer = terminal.run("config", "import", str(file))

    assert (answer.code, answer.err.count("\n")) == (2, 1)


@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b'{"code":500}', b"", SourceRefusedError("no feed at this URL")])
def test_a_feed_that_cannot_be_read_is_not_added(terminal, body):
    """What is not a calendar is refused before anything is written; --no-check adds it all the same."""
    url = "https://8.8.8.8/page"
    terminal.shelf.bodies[url] = body
    before = look(terminal)

    answer = terminal.run(*NEW, url)

    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "--no-check" in answer.err
    assert look(terminal) == before
    assert terminal.run(*NEW, url, "--no-check").code == 0


def test_a_calendar_without_events_may_be_added(terminal):
    """A new listing's feed is empty, and welcome."""
    terminal.shelf.bodies["https://8.8.8.8/new.ics"] = a_feed()

    assert terminal.json(*NEW, "https://8.8.8.8/new.ics")["preview"]["verdict"] == "empty"


def test_an_unreachable_store_says_how_to_start_it(terminal):
    """Without a table, the line says what to run."""

    def refuse():
        raise StoreUnreachableError("the table does not answer; run `make up`")

    terminal.locator.open = refuse
    answer = terminal.run("status")

    assert (answer.code, answer.err) == (2, "error: the table does not answer; run `make up`\n")


def test_an_error_of_bokit_s_own_shows_no_traceback(terminal):
    """An unexpected error is one line; BOKIT_DEBUG shows more."""

    def fail():
        raise ZeroDivisionError

    terminal.locator.open = fail
    answer = terminal.run("status")

    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert "BOKIT_DEBUG" in answer.err


def commands(group, path=()):
    """Return every command's path."""
    import typer

    root = typer.main.get_command(group) if isinstance(group, typer.Typer) else group
    yield path
    for name, command in getattr(root, "commands", {}).items():
        yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", list(commands(app)), ids=" ".join)
def test_help_needs_no_stack(path, capsys):
    """Every command shows its options without a stack."""
    assert execute([*path, "--help"]) == 0
    assert "Usage:" in capsys.readouterr().out


def bare_environment(tmp_path, **given):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BOKIT_"))}
    paths = os.pathsep.join([str(ROOT / "layers/shared"), str(ROOT / "cli")])
    return {**kept, "PYTHONPATH": paths, "HOME": str(tmp_path), **given}


def bokit(tmp_path, *arguments, **given):
    command = [sys.executable, "-m", "bokit_cli", *arguments]
    return subprocess.run(
        command, cwd=tmp_path, env=bare_environment(tmp_path, **given), capture_output=True, text=True, timeout=60, check=False
    )


def test_a_closed_port_is_reported_in_one_line(tmp_path):
    """A store that does not answer ends the program in one line and exit code 2."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    env = {
        "BOKIT_TABLE": "t",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }

    done = bokit(tmp_path, "status", **env)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "make up" in done.stderr


def test_a_reader_that_goes_away_is_not_an_error(tmp_path):
    """``bokit --help | head`` ends quietly."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "bokit_cli", "--help"]
    done = subprocess.run(
        command, cwd=tmp_path, env=bare_environment(tmp_path), stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(writer)

    assert b"Traceback" not in done.stderr
