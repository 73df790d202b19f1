"""``bokit guest``: a host finds a guest, exports what is kept, erases it, and erases again after a restore."""

from __future__ import annotations

import json

import pytest

from tests.support.terminal import Terminal

NAME = "Zebedee Quillfeather"


@pytest.fixture
def terminal(capsys, tmp_path):
    made = Terminal(capsys, tmp_path)
    made.furnish()
    made.json("sync", "--all")
    return made


@pytest.fixture
def booking(terminal) -> str:
    found = str(terminal.json("bookings")["items"][0]["id"])
    terminal.json("booking", "edit", found, "--set", f"guest_name={NAME}")
    return found


def test_a_guest_is_erased_after_a_question(terminal, booking):
    """Where nobody can be asked, not without --yes; then nobody is found, and the change log says who did it."""
    shown = terminal.json("guest", "erase", NAME, "--dry-run")
    refused = terminal.run("guest", "erase", NAME)
    done = terminal.json("guest", "erase", NAME, "--yes")

    assert ([b["id"] for b in shown["bookings"]], shown["receipts"]) == ([booking], [])
    assert (refused.code, "--yes does it" in refused.err) == (2, True)
    assert [r["bookings"] for r in done["receipts"]] == [[booking]]
    assert terminal.json("guest", "find", NAME)["items"] == []
    assert terminal.json("guest", "receipts")["items"] == done["receipts"]
    assert "guest erased by" in terminal.run("booking", "changes", booking).out
    assert NAME not in terminal.run("booking", "changes", booking).out


def test_a_guest_is_found_and_exported(terminal, booking, tmp_path):
    """In a table, and whole into a file."""
    file = tmp_path / "guest.json"
    found = terminal.run("guest", "find", "quillfeather zebedee").out
    terminal.json("guest", "export", NAME, "--output", str(file))
    exported = json.loads(file.read_text(encoding="utf-8"))

    assert NAME in found
    assert "guest_name, change log" in found
    assert [item["booking"]["guest_name"] for item in exported["items"]] == [NAME]
    assert exported == terminal.json("guest", "export", NAME)


def test_receipts_erase_again(terminal, booking, tmp_path):
    """From a file that `receipts --json` printed; where all is done, nothing is."""
    terminal.json("guest", "erase", NAME, "--yes")
    file = tmp_path / "receipts.json"
    file.write_text(json.dumps(terminal.json("guest", "receipts")), encoding="utf-8")
    terminal.json("booking", "edit", booking, "--set", f"guest_name={NAME}")

    again = terminal.json("guest", "erase", "--again", "--receipts", str(file))
    assert [(r["reason"], r["bookings"]) for r in again["receipts"]] == [("repeated", [booking])]
    assert terminal.run("guest", "erase", "--again").out == "nothing to erase\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("erase",), "name WHO"),
        (("erase", NAME, "--again"), "name WHO"),
        (("erase", NAME, "--receipts", "x"), "name WHO"),
        (("erase", "--again", "--receipts", "/nowhere"), "not a file of receipts"),
        (("erase", NAME, "--booking", "none", "--yes"), "not one of the bookings"),
        (("find", "a"), "of 3 to 200 characters"),
    ],
)
def test_what_is_wrong_is_said(terminal, booking, arguments, words):
    """In one line, with exit code 2."""
    answer = terminal.run("guest", *arguments)

    assert answer.code == 2
    assert words in " ".join(answer.err.split())
