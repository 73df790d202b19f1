"""``bokit alert``, and who hears according to ``bokit status``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.alert_server import AlertServer, serve_alerts
from tests.support.terminal import Terminal


@pytest.fixture
def server() -> Iterator[AlertServer]:
    """A service that takes messages."""
    with serve_alerts() as state:
        yield state


@pytest.fixture
def terminal(capsys, tmp_path) -> Terminal:
    """A terminal on a stack that sends alerts to loopback."""
    return Terminal(capsys, tmp_path / ".bokit")


def test_a_channel_is_added_tried_out_listed_and_removed(terminal: Terminal, server: AlertServer) -> None:
    """The first message comes with the command; no output has a secret."""
    added = terminal.run("alert", "add", "ntfy", "--topic", "sentinel-topic", "--url", server.url, "--name", "Rosa's phone")

    assert added.code == 0
    assert "look at your phone" in added.out
    assert server.posted[0].body["title"] == "Test message from Bokit"
    (item,) = terminal.json("alert", "list")["items"]
    assert (item["kind"], item["name"], item["secrets"]) == ("ntfy", "Rosa's phone", ["topic", "url"])
    listed = terminal.run("alert", "list").out
    assert "Rosa" in listed
    assert "sentinel" not in added.out + listed
    assert terminal.json("alert", "test", "rosa's phone") == {"id": item["id"], "sent": True, "error": None}
    assert "removed" in terminal.run("alert", "remove", item["id"]).out
    assert terminal.json("alert", "list")["items"] == []


def test_a_channel_that_does_not_work_says_so_at_once(terminal: Terminal, server: AlertServer) -> None:
    """It is kept: the service may be down for a moment. The exit code is 1."""
    server.status = 404

    added = terminal.run("alert", "add", "webhook", "--url", server.url)

    assert added.code == 1
    assert "HTTP 404: nothing at this address any more" in added.out
    assert "bokit alert remove" in added.out
    assert terminal.run("alert", "test", "webhook").code == 1


def test_wrong_use_is_one_line(terminal: Terminal) -> None:
    """What is missing, what is unknown, and e-mail that this stack does not send."""
    for arguments, words in [
        (("alert", "add", "slack"), "needs it (field: url)"),
        (("alert", "add", "pigeon"), "kind must be one of email, ntfy"),
        (("alert", "add", "email", "--address", "rosa@example.com"), "MailFrom"),
        (("alert", "test", "nobody"), "no alert is called 'nobody'; `bokit alert list` shows them"),
    ]:
        answer = terminal.run(*arguments)
        assert answer.code == 2
        assert words in answer.err


def test_the_status_says_who_hears(terminal: Terminal, server: AlertServer) -> None:
    """Nobody; then the channel, and how it fares."""
    assert "nobody is notified of a double booking; `bokit alert add KIND` adds a channel" in terminal.run("status").out
    terminal.run("alert", "add", "webhook", "--url", server.url, "--name", "phone", "--severity", "critical")

    assert "alerts go to phone (critical and above): ok" in terminal.run("status").out
    assert terminal.json("status")["alerts"]["channels"][0]["name"] == "phone"
