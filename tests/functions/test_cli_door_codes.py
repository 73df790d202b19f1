"""``bokit booking access``: a host reads a code, sets one, makes a new one, and says that a guest is the same."""

from __future__ import annotations

import re

import pytest

from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.core.model.merge import DOUBTED_AT
from bokit.values import replace
from tests.support.terminal import Terminal


@pytest.fixture
def terminal(capsys, tmp_path):
    made = Terminal(capsys, tmp_path)
    made.furnish()
    made.json("sync", "--all")
    made.json("options", "set", "access.codes", "true")
    return made


@pytest.fixture
def booking(terminal) -> str:
    return str(terminal.json("bookings")["items"][0]["id"])


def test_a_code_is_shown_with_its_time(terminal, booking):
    """By the short id, in two lines; asked again it is the same."""
    answer = terminal.run("booking", "access", booking.rpartition(".")[2][:8])

    assert answer.code == 0
    first, second = answer.out.splitlines()
    assert re.fullmatch(r"door code of \w{8}: \d{4} \(random\)", first)
    assert second == "  valid 2026-07-10 13:00 to 2026-07-14 09:00 UTC"
    assert terminal.run("booking", "access", booking).out == answer.out


def test_a_code_is_set_and_replaced(terminal, booking):
    assert "4812 (manual)" in terminal.run("booking", "access", booking, "--set", "4812").out
    made = terminal.json("booking", "access", booking, "--new")
    assert (made["state"], made["origin"]) == ("ready", "random")
    assert made["code"] != "4812"


def test_a_doubted_guest_is_confirmed(terminal, booking):
    """Withheld until somebody says that it is the same one; then the same code goes on."""
    code = terminal.json("booking", "access", booking)["code"]
    record = terminal.store.load_record(DEFAULT_TENANT, BOOKINGS, booking)
    doubted = replace(record, memory={**record.memory, DOUBTED_AT: "2026-06-02T00:00:00Z"})
    terminal.store.apply_records([doubted], [], lease=None)

    shown = terminal.run("booking", "access", booking)
    assert "may be another guest now; --confirm" in " ".join(shown.out.split())
    assert terminal.json("booking", "access", booking, "--confirm")["code"] == code


def test_what_is_wrong_is_said(terminal, booking):
    """A code that is none, two things at once, a code of another stay, and codes that are off."""
    other = terminal.json("bookings")["items"][1]["id"]
    terminal.json("booking", "access", other, "--set", "4812")

    for arguments, words in (
        (("--set", "12"), "4 to 10 digits"),
        (("--new", "--confirm"), "one of --set, --new and --confirm"),
        (("--set", "4812"), "another stay of the unit has this door code"),
    ):
        answer = terminal.run("booking", "access", booking, *arguments)
        assert answer.code == 2
        assert words in " ".join(answer.err.split())
    terminal.json("options", "unset", "access.codes")
    assert "set the option access.codes to true" in terminal.run("booking", "access", booking).err
