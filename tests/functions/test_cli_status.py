"""``bokit status``: in one line for monitoring, again and again, and while another run has a source in hand."""

from __future__ import annotations

import os
import signal
from datetime import timedelta

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.errors import BokitError, SourceUnavailableError, StoreUnreachableError
from tests.support.terminal import JULY, URL, Terminal, a_feed

BOOKED = ("booking", "add", "--unit", "Garden flat", "--set", "check_in=2026-07-11", "--set", "check_out=2026-07-13")


@pytest.fixture
def terminal(capsys, tmp_path) -> Terminal:
    return Terminal(capsys, tmp_path / ".bokit")


def fail(terminal: Terminal) -> None:
    terminal.shelf.bodies[URL] = SourceUnavailableError("it did not answer")
    terminal.json("sync", "--all", code=1)


def hold(terminal: Terminal) -> None:
    terminal.shelf.bodies[URL] = a_feed()
    terminal.json("sync", "--all", "--force", code=1)


def acknowledge(terminal: Terminal) -> None:
    terminal.json(*BOOKED)
    terminal.json("conflicts", "--acknowledge", terminal.json("conflicts")["items"][0]["id"])


NEEDS = {
    "nothing": (lambda t: None, 0, "ok: nothing needs a person; 1 source, read "),
    "failing": (fail, 1, "needs a person: failing: Garden flat / Airbnb (it did not answer)"),
    "held": (hold, 1, "needs a person: held: Garden flat / Airbnb (its changes wait for your decision)"),
    "conflict": (lambda t: t.json(*BOOKED), 1, "needs a person: double booking, certain: Garden flat, "),
    "acknowledged": (acknowledge, 0, "ok: "),
    "stale": (lambda t: t.clock.move(hours=9), 1, "needs a person: stale: Garden flat / Airbnb"),
}


@pytest.mark.parametrize("need", NEEDS)
def test_the_check_says_in_one_line_what_needs_a_person(terminal, need):
    """Exit code 1 for monitoring, as long as anything does; --json has what `today` shows, beside the status."""
    happen, code, line = NEEDS[need]
    terminal.furnish()
    assert "1 source, 1 not read yet" in terminal.run("status", "--check").out
    terminal.json("sync", "--all")
    happen(terminal)

    answer, doc = terminal.run("status", "--check"), terminal.json("status", "--check", code=code)

    assert (answer.code, answer.out.count("\n"), answer.err) == (code, 1, "")
    assert answer.out.startswith(line)
    assert doc["needs"] == [n for n in terminal.json("today")["needs"] if n["state"] != "missing"]
    assert bool(doc["needs"]) is bool(code)


@pytest.mark.parametrize("arguments", [("3",), ("--watch", "--json"), ("--watch", "--check"), ("--watch", "soon")])
def test_the_status_refuses_what_does_not_go_together(terminal, arguments):
    assert terminal.run("status", *arguments).code == 2


def test_the_status_is_shown_until_a_signal(terminal, monkeypatch):
    """Each look is a block of its own in a pipe; one that fails is said, and the next goes on. The end is not a failure."""
    terminal.furnish()
    load, looks = terminal.store.load_monitors, []

    def look(*given):
        looks.append(given)
        if len(looks) == 2:
            raise StoreUnreachableError("the table does not answer")
        if len(looks) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return load(*given)

    monkeypatch.setattr(terminal.store, "load_monitors", look)
    answer = terminal.run("status", "--watch", "1")

    assert (answer.code, len(looks), answer.err) == (0, 3, "")
    first, second, third = answer.out.split("\n\n")
    assert "Garden flat / Airbnb" in first
    assert second.splitlines()[1:] == ["error: the table does not answer"]
    assert third.splitlines()[1:] == first.splitlines()[1:]


def test_the_first_look_that_fails_ends_the_command(terminal, monkeypatch):
    def refuse(*_):
        raise BokitError("the table does not answer")

    monkeypatch.setattr(terminal.store, "load_monitors", refuse)

    assert terminal.run("status", "--watch").code == 2


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "ok"])
def test_a_source_that_another_run_syncs_is_skipped_and_is_well(terminal, is_new):
    """It is said plainly, the exit code is 0, and its state stays."""
    terminal.furnish()
    if not is_new:
        terminal.json("sync", "--all")
    (source,), now = terminal.store.load_sources(DEFAULT_TENANT), terminal.clock()
    before = terminal.json("status")["sources"]
    terminal.store.acquire_lease(source, holder="another", now=now, until=now + timedelta(minutes=5))

    answer, run = terminal.run("sync", "--all", "--force"), terminal.json("sync", "--all", "--force")

    assert (answer.code, answer.err) == (0, "")
    assert "another run is syncing it" in answer.out
    assert "skipped: 1 source left to another run, which syncs it" in answer.out
    assert (run["status"], run["sources"][0]["outcome"], run["sources"][0]["error"]["code"]) == (
        "skipped",
        "skipped",
        "lease-held",
    )
    assert terminal.json("status")["sources"] == before
    assert before[0]["state"] == ("new" if is_new else "ok")


def test_a_calendar_that_a_platform_no_longer_reads_is_named(terminal):
    """By `status`, its check, `today` and --json, until it is read again."""
    terminal.furnish()
    terminal.json("sync", "--all")
    url = terminal.json("export", "Garden flat", "--for", "vrbo")["url"]
    token = url.rpartition("/")[2].removesuffix(".ics")
    for _ in range(4):
        terminal.clock.move(hours=3)
        terminal.json("sync", "--all")
        terminal.bokit.feeds.serve(token, "HomeAway/1.0")
    terminal.clock.move(hours=10)
    terminal.json("sync", "--all")
    terminal.bokit.tick()

    said = "unread: Vrbo last read the calendar of Garden flat 10 h ago; it usually reads it every 3 h"
    assert said in terminal.run("status").out
    check = terminal.run("status", "--check")
    assert (check.code, "Vrbo has not read it for 10 hours" in check.out) == (1, True)
    assert "Vrbo has not read it for 10 hours; it usually reads it every 3 hours" in terminal.run("today").out
    assert [doc["kind"] for doc in terminal.json("status")["unread"]] == ["vrbo"]

    terminal.clock.move(minutes=1)
    terminal.bokit.feeds.serve(token, "HomeAway/1.0")
    terminal.bokit.tick()
    assert terminal.json("status")["unread"] == []


def serve_stamped(terminal: Terminal) -> None:
    """Serve the calendar as Airbnb does: with the time at which it was made."""
    stamped = JULY.replace("UID:", f"DTSTAMP:{terminal.clock():%Y%m%dT%H%M%SZ}\r\nUID:")
    terminal.shelf.bodies[URL] = a_feed(stamped)


def test_a_calendar_that_stands_still_is_said_with_its_age_and_what_that_means(terminal):
    """By the sync that reads it, by the status, and of the source; the next fresh one ends it."""
    terminal.furnish()
    for hours in (0, 1):
        terminal.clock.move(hours=hours)
        serve_stamped(terminal)
        terminal.json("sync", "--all", "--force")
    terminal.clock.move(hours=9)
    synced = terminal.run("sync", "--all", "--force")
    why = "it answers, but with the calendar of 9 h ago: nothing is cancelled meanwhile, and new bookings may be missing"

    assert "Garden flat / Airbnb\tunchanged\theld back; `bokit status` says why" in synced.out
    assert synced.out.endswith(": 1 source held back\n")
    assert f"stale: Garden flat / Airbnb: {why}" in terminal.run("status").out
    assert why in terminal.run("source", "show", "Airbnb").out
    assert "1 source held back" in terminal.run("history").out
    serve_stamped(terminal)
    assert "held back" not in terminal.run("sync", "--all", "--force").out
    assert "stale" not in terminal.run("status").out


def test_a_source_that_was_not_read_for_long_is_said_with_the_last_time(terminal):
    terminal.furnish()
    terminal.json("sync", "--all")
    terminal.clock.move(hours=9)

    line = "stale: Garden flat / Airbnb: last read 9 h ago; `bokit doctor` shows whether the schedule runs"
    assert line in terminal.run("status").out
