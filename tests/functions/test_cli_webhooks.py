"""``bokit webhook``: added with a secret shown once, listed, changed, tested, sent again, removed."""

from __future__ import annotations

import pytest

from bokit.core.model.webhooks import Answer
from tests.support.terminal import Terminal

URL = "https://hooks.example/bokit"


@pytest.fixture
def terminal(capsys, tmp_path):
    return Terminal(capsys, tmp_path / ".bokit")


def test_its_secret_is_shown_once(terminal):
    """First and on a line of its own; no other command shows it."""
    answer = terminal.run("webhook", "add", URL, "--type", "booking.created", "--details")
    secret = answer.out.splitlines()[0]
    (shown,) = terminal.json("webhook", "list")["items"]

    assert secret.startswith("whsec_")
    assert "only time that it is shown" in answer.out
    assert (shown["url"], shown["types"], shown["details"]) == (URL, ["booking.created"], True)
    assert secret not in terminal.run("webhook", "list").out + terminal.run("webhook", "list", "--json").out


def test_a_list_of_none_says_how_to_add_one(terminal):
    """With the command."""
    assert "`bokit webhook add URL`" in terminal.run("webhook", "list").out


def test_it_is_sent_what_happens(terminal):
    """By the command that syncs, without any other process; its deliveries are listed, and sent again."""
    made = terminal.json("webhook", "add", URL)
    terminal.run("property", "add", "Villa")
    terminal.run("sync", "--all")

    assert terminal.receivers.came
    listed = terminal.json("webhook", "deliveries", made["id"])["items"]
    assert {each["state"] for each in listed} == {"delivered"}
    assert listed[0]["event_id"] in terminal.run("webhook", "deliveries", made["id"]).out
    count = len(terminal.receivers.came)
    assert terminal.json("webhook", "redeliver", made["id"], listed[0]["event_id"])["state"] == "waiting"
    assert len(terminal.receivers.came) == count + 1


def test_a_test_says_what_was_answered(terminal):
    """Exit code 1 where it was not delivered."""
    made = terminal.json("webhook", "add", URL)
    assert terminal.run("webhook", "test", made["id"]).out.strip() == "delivered"
    terminal.receivers.shelf[URL] = Answer(error="timeout")

    answer = terminal.run("webhook", "test", made["id"])

    assert (answer.code, answer.out.strip()) == (1, "not delivered: timeout")
    assert terminal.json("webhook", "test", made["id"], code=1) == {"delivered": False, "status": None, "error": "timeout"}


def test_it_is_changed_rotated_and_removed(terminal):
    """And then unknown."""
    made = terminal.json("webhook", "add", URL)
    edited = terminal.json("webhook", "edit", made["id"], "--off", "--type", "source.held", "--url", f"{URL}/2")
    assert (edited["enabled"], edited["types"], edited["url"]) == (False, ["source.held"], f"{URL}/2")
    assert "off" in terminal.run("webhook", "list").out
    assert terminal.json("webhook", "rotate", made["id"])["secret"] != made["secret"]
    assert terminal.json("webhook", "remove", made["id"]) == {"id": made["id"]}

    assert terminal.run("webhook", "remove", made["id"]).code == 2
    assert terminal.run("webhook", "add", "ftp://x").code == 2
    assert terminal.run("webhook", "add", URL, "--type", "booking.exploded").code == 2
