"""How commands fail: one line on standard error, and under ``--json`` one document on standard output, by its schema."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bokit.errors import ConfigError
from bokit_cli.documents import COMMANDS
from bokit_cli.main import execute
from bokit_cli.session import StackLocator
from tests.support.command_schema import SCHEMA, close, commands
from tests.support.terminal import Terminal

KNOWN = {words: command for words, command in commands() if words in COMMANDS}
FAILURE = Draft202012Validator(close({"$ref": "#/$defs/CommandFailure", "$defs": SCHEMA["$defs"]}))
DOCTOR = "doctor"  # its own document says that none is named


class NoStack(StackLocator):
    """Finds no stack, or fails as the test says."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def open(self) -> Any:
        raise self.error

    def load_settings(self) -> Any:
        raise self.error


def least(command: Any) -> list[str]:
    """Return the fewest arguments that a command takes."""
    given = []
    for param in command.params:
        if param.required:
            given += [param.opts[0], "x=y"] if param.opts[0].startswith("-") else ["x"]
    return given


def fail(capsys: Any, *arguments: str, error: BaseException | None = None) -> tuple[int, Any, str]:
    """Run one command line; return its exit code, its error's document and its line."""
    capsys.readouterr()
    code = execute(list(arguments), NoStack(error or ConfigError("no stack is named")))
    out, err = capsys.readouterr()
    document = json.loads(out)
    FAILURE.validate(document)
    assert err == f"error: {err[7:-1]}\n"
    assert "\n" not in err[:-1]
    return code, document["error"], err


@pytest.mark.parametrize("words", sorted(KNOWN))
def test_wrong_use_is_one_document(capsys, words):
    """An option that there is not, wherever --json stands."""
    code, error, line = fail(capsys, *words.split(), "--json", "--colour")

    assert (code, error["code"], error["errors"][0]["field"]) == (2, "bad-input", "--colour")
    assert "no such option: --colour" in line


@pytest.mark.parametrize("words", sorted(set(KNOWN) - {DOCTOR}))
def test_an_error_is_one_document(capsys, tmp_path, monkeypatch, words):
    """Without a stack, or without the file that a command reads."""
    monkeypatch.chdir(tmp_path)

    code, error, line = fail(capsys, *words.split(), *least(KNOWN[words]), "--json")

    assert code == 2
    assert error["message"] in line
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [(RuntimeError("a secret"), "unexpected", 1), (KeyboardInterrupt(), "interrupted", 130)],
    ids=["unexpected", "interrupted"],
)
def test_every_other_end_is_a_document_too(capsys, error, code, exit_code):
    """Of an unexpected error only its class is said."""
    ended, document, line = fail(capsys, "status", "--json", error=error)

    assert (ended, document["code"]) == (exit_code, code)
    assert "secret" not in f"{document}{line}"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("sourc", "list"), "no such command 'sourc'; did you mean 'source'?"),
        (("source", "lst"), "no such command 'lst'; did you mean 'list'?"),
        (("status", "--jsn"), "no such option: --jsn; did you mean '--json'?"),
        (("status", "--wide"), "no such option: --wide; see `bokit status --help`"),
        (("source", "show"), "missing argument 'SOURCE'; see `bokit source show --help`"),
        (
            ("source", "show", "garden flat/airbnbb"),
            "no source is called 'garden flat/airbnbb'; did you mean 'Garden flat / Airbnb'?",
        ),
        (("calendar", "Gardn flat"), "no unit is called 'Gardn flat'; did you mean 'Garden flat'?"),
        (("unit", "list", "--tenant", "defalt"), "no tenant is called 'defalt'; did you mean 'default'?"),
        (
            ("options", "get", "sync.intervall"),
            "no such option; did you mean 'sync.interval' or 'sync.full_interval'? (name: sync.intervall)",
        ),
        (("sync", "--collection", "boking"), "no source feeds 'boking'; did you mean 'bookings'?"),
        (("sync", "--table", "clients"), "no source has a table 'clients'; there is none"),
    ],
)
def test_what_is_misspelt_gets_what_was_meant(capsys, tmp_path: Path, arguments, line):
    """Commands, options, names; else what says more."""
    terminal = Terminal(capsys, tmp_path / ".bokit")
    terminal.furnish()

    answer = terminal.run(*arguments)

    assert (answer.code, answer.out, answer.err) == (2, "", f"error: {line}\n")


def test_a_program_finds_what_may_be_meant_in_the_facts(capsys, tmp_path: Path):
    """And the ids of those that have a name in common."""
    terminal = Terminal(capsys, tmp_path / ".bokit")
    terminal.furnish()
    terminal.json("property", "add", "Casa Luna")
    terminal.json("unit", "add", "Garden flat", "--property", "Casa Luna")

    misspelt = terminal.json("source", "show", "Airbnbb", code=2)["error"]
    common = terminal.json("calendar", "garden flat", code=2)["error"]

    assert misspelt["facts"] == {"name": "Airbnbb", "suggestions": ["Villa Rosa / Garden flat / Airbnb"]}
    assert (common["code"], common["facts"]["ids"].count("unit_")) == ("ambiguous-name", 2)
    assert "2 units have this name: Casa Luna / Garden flat, Villa Rosa / Garden flat; write" in common["message"]
