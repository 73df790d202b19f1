"""Full names on the command line: two houses have a "Garden flat" on Airbnb, and every line says which."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bokit.errors import SourceRefusedError
from tests.support.terminal import JULY, Terminal, a_feed, an_event

OTHER = "https://8.8.8.8/luna.ics"
ROSA, LUNA = "Villa Rosa / Garden flat / Airbnb", "Casa Luna / Garden flat / Airbnb"
CLASH = an_event(7, "2026-07-12", "2026-07-15", "HMABCDEF77")


@pytest.fixture
def terminal(capsys, tmp_path: Path) -> Terminal:
    """Both are synced; the one of Villa Rosa is also on VRBO, with nights in common."""
    made = Terminal(capsys, tmp_path / ".bokit")
    made.furnish()
    made.shelf.bodies |= {OTHER: a_feed(JULY), f"{OTHER}?2": a_feed(CLASH)}
    made.json("property", "add", "Casa Luna", "--timezone", "Europe/Rome")
    made.json("unit", "add", "Garden flat", "--property", "casa luna")
    made.json("source", "add", "Airbnb", "--unit", "casa luna/garden flat", "--url", OTHER, "--no-check")
    made.json("source", "add", "VRBO", "--unit", "Villa Rosa/garden flat", "--url", f"{OTHER}?2", "--no-check")
    made.json("sync", "--all")
    return made


@pytest.mark.parametrize(
    "command", ["status", "source list", "sync --all --force", "sync --all --force --dry-run -v", "bookings"]
)
def test_lists_print_full_names_in_their_order(terminal, command):
    """One line after another; none says only Airbnb."""
    text = terminal.run(*command.split()).out
    lines = [line for line in text.splitlines() if "Airbnb" in line]

    assert {name for line in lines for name in (ROSA, LUNA) if name in line} == {ROSA, LUNA}
    assert [line for line in lines if not re.search(r"(Villa Rosa|Casa Luna) / Garden flat / Airbnb", line)] == []
    if command.startswith(("status", "source")):
        assert [line.split("\t")[0] for line in text.splitlines()[1:4]] == [LUNA, ROSA, ROSA.replace("Airbnb", "VRBO")]


def test_what_is_said_of_one_source_is_said_by_its_full_name(terminal):
    """A run, a conflict, a night, a failure, and what is wrong."""
    run = terminal.json("history")["items"][-1]
    conflict = terminal.run("conflicts").out
    night = terminal.json("bookings", "--unit", "villa rosa/garden flat", "--explain", "2026-07-12")["items"][0]
    terminal.shelf.bodies[OTHER] = SourceRefusedError("no feed at this URL", code="http-404")
    failed = terminal.run("sync", "--source", LUNA, "--force")

    assert ROSA in terminal.run("history", run["run_id"]).out
    assert f"from {ROSA}" in conflict
    assert "Villa Rosa / Garden flat: " in conflict
    assert (night["unit"], {b["source"] for b in night["by"]}) == (
        "Villa Rosa / Garden flat",
        {ROSA, ROSA.replace("Airbnb", "VRBO")},
    )
    assert f"{LUNA}\tfailed\tno feed at this URL" in failed.out
    assert f"failing: {LUNA}: no feed at this URL" in terminal.run("status").out
    assert LUNA in terminal.run("doctor").out


def test_documents_have_the_full_name_beside_the_name(terminal):
    """Of sources and units, in lists, runs and the status."""
    documents = [
        *terminal.json("source", "list")["items"],
        *terminal.json("status")["sources"],
        *terminal.json("history")["items"][0]["sources"],
        terminal.json("source", "show", "casa luna / garden flat / airbnb"),
    ]
    units = terminal.json("unit", "list")["items"]

    assert {d["full_name"] for d in documents if d["name"] == "Airbnb"} == {ROSA, LUNA}
    assert len(documents) == 10
    assert {u["full_name"] for u in units} == {"Villa Rosa / Garden flat", "Casa Luna / Garden flat"}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("source show", 0),
        ("source test", 0),
        ("source pause", 0),
        ("source resume", 0),
        ("source edit --interval 30m", 0),
        ("source remove", 0),
        ("sync --force --source", 0),
        ("export villa\xa0rosa/garden\xa0flat --for", 0),
        ("source apply-held", 2),
    ],
)
def test_commands_take_a_full_name_in_any_case(terminal, command, code):
    """With or without spaces at the slashes; the bare name, which two have, is refused with both full names."""
    words = [word.replace("\xa0", " ") for word in command.split(" ")]
    bare, full = terminal.run(*words, "airbnb"), terminal.run(*words, "villa rosa/Garden flat / AIRBNB")

    assert full.code == code
    assert "have this name" not in full.err
    if "export" not in command:  # of one unit there is one
        assert bare.code == 2
        assert f"2 sources have this name: {LUNA}, {ROSA}; write one of these names, or an id" in bare.err
