"""Completion: what a shell is offered for names that are typed in part, through typer's own protocol of each shell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from bokit.errors import ConfigError
from bokit_cli.completion import Choice, choose
from bokit_cli.main import execute
from tests.support.terminal import Terminal

LOFT_URL = "https://8.8.8.8/loft.ics"


@pytest.fixture
def terminal(capsys, tmp_path: Path) -> Terminal:
    """Two flats on Airbnb."""
    made = Terminal(capsys, tmp_path / ".bokit")
    made.furnish()
    made.shelf.bodies[LOFT_URL] = next(iter(made.shelf.bodies.values()))
    made.json("unit", "add", "Loft", "--property", "Villa Rosa")
    made.json("source", "add", "Airbnb", "--unit", "Loft", "--url", LOFT_URL, "--no-check")
    return made


@pytest.fixture
def offer(terminal):
    """Return what a shell is offered at the end of a line; its last word is the one to complete."""

    def ask(*words: str, program: str = "bash", locator: Any = None) -> list[str]:
        line = {
            "_BOKIT_COMPLETE": f"complete_{program}",
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "_TYPER_COMPLETE_ARGS": " ".join(("bokit", *words)),
            "COMP_WORDS": "\n".join(("bokit", *words)),
            "COMP_CWORD": f"{len(words)}",
        }
        terminal.capsys.readouterr()
        with patch.dict(os.environ, line), pytest.raises(SystemExit) as ended:
            execute([], locator or terminal.locator)
        out, err = terminal.capsys.readouterr()
        assert (ended.value.code, err) == (0, "")
        return out.rstrip("\n").split("\n") if out.strip() else []

    return ask


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("source", "show", ""), [r"Garden\ flat\ /\ Airbnb", r"Loft\ /\ Airbnb"]),
        (("source", "show", "gar"), [r"Garden\ flat\ /\ Airbnb"]),
        (("source", "show", r"Garden\ flat\ /\ A"), [r"Garden\ flat\ /\ Airbnb"]),
        (("source", "show", '"Garden fl'), ["Garden flat / Airbnb"]),
        (("source", "show", "loft/"), [r"Loft\ /\ Airbnb"]),
        (("source", "show", "air"), []),
        (("source", "restore", ""), []),
        (("sync", "--source", "l"), [r"Loft\ /\ Airbnb"]),
        (("calendar", ""), [r"Garden\ flat", "Loft"]),
        (("export", "Loft", "--for", "airb"), ["airbnb"]),
        (("unit", "add", "Attic", "--property", ""), [r"Villa\ Rosa"]),
        (("status", "--tenant", "d"), ["default"]),
        (("options", "get", "sync.full"), ["sync.full_interval"]),
        (("sync", "--collection", ""), ["bookings"]),
        (("source", "edit", "Loft", "--platform", "boo"), ["booking_com"]),
        (("sour",), ["source"]),
        (("unit", "add", "Attic", ""), []),
    ],
)
def test_bash_gets_names_as_it_inserts_them(offer, words, offered):
    """With a backslash before each space; in quotes as they are."""
    assert offer(*words) == offered


def test_ids_are_offered_once_they_are_begun(offer, terminal):
    """Of sources, and of bookings their short ones, which have no name."""
    source = terminal.json("source", "list")["items"][0]["id"]
    terminal.json("sync", "--all")

    assert offer("source", "show", source[:-2]) == [source]
    booking = offer("booking", "changes", "")[0]
    assert terminal.run("booking", "changes", booking).code == 0
    assert offer("history", "run_") == [terminal.json("history")["items"][0]["run_id"]]


def test_records_are_offered_once_their_collection_is_named(offer, terminal):
    """Collections that no source feeds, too; without the option there is nothing to offer."""
    terminal.bokit.catalog.collections.declare("default", {"name": "guests"})
    for key in ("7", "71", "8"):
        terminal.json("records", "set", key, "--collection", "guests", "--create", "--set", "name=x")

    assert offer("records", "list", "--collection", "g") == ["guests"]
    assert offer("collection", "show", "") == ["bookings", "guests"]
    assert offer("records", "get", "--collection", "guests", "7") == ["7", "71"]
    assert offer("records", "get", "7") == []
    assert offer("records", "get", "--collection", "boats", "") == []


def test_other_shells_quote_themselves_and_show_what_it_is(offer, terminal):
    """The id stands beside the name."""
    first, second = (s["id"] for s in terminal.json("source", "list")["items"])

    assert offer("source", "show", "l", program="fish") == [f"Loft / Airbnb\t{second}"]
    assert f'"Garden flat / Airbnb":"{first}"' in "".join(offer("source", "show", "g", program="zsh"))


@pytest.mark.parametrize("error", [ConfigError("no stack is named"), RuntimeError("a fault")])
def test_nothing_is_offered_or_said_without_a_stack(offer, terminal, error):
    """What needs no stack is offered nevertheless."""

    class Broken(type(terminal.locator)):  # type: ignore[misc]
        def open(self) -> Any:
            raise error

    broken = Broken(terminal.bokit, terminal.locator.home)

    assert offer("source", "show", "", locator=broken) == []
    assert offer("options", "get", "sync.full", locator=broken) == ["sync.full_interval"]


def test_one_alone_is_found_by_an_end_of_its_name():
    """Several are not: a shell would put what they have in common in the place of what was typed."""
    flats = [Choice("1", "Garden flat / Airbnb"), Choice("2", "Garden flat / VRBO"), Choice("3", "Loft / Airbnb")]

    assert choose(flats, "vr") == [("Garden flat / VRBO", "2")]
    assert choose(flats, "air") == []
    assert [text for text, _ in choose(flats, "")] == [flat.name for flat in flats]


def test_bash_itself_is_given_the_words(tmp_path: Path):
    """The script of `bokit --show-completion bash`, run by bash: an option of the tenant, with no stack there."""
    program = tmp_path / "bokit"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m bokit_cli "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    lines = [
        f'eval "$({program} --show-completion bash)"',
        "COMP_WORDS=(bokit options get sync.full) COMP_CWORD=3",
        f"_bokit_completion {program}",
        'printf "%s\\n" "${COMPREPLY[@]}"',
    ]

    done = subprocess.run(["bash", "-c", "\n".join(lines)], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout == "sync.full_interval\n"
