"""``bokit undo`` on the command line: shown, confirmed, applied, and where its ids come from."""

from __future__ import annotations

import pytest

from tests.support.terminal import AUGUST, JULY, URL, Terminal, a_feed


@pytest.fixture
def terminal(capsys, tmp_path):
    terminal = Terminal(capsys, tmp_path / ".bokit")
    terminal.furnish()
    terminal.json("sync", "--all")
    return terminal


def july(terminal):
    return next(b for b in terminal.json("bookings")["items"] if b["reservation_code"] == "HMABCDEF12")


def test_a_change_s_id_is_shown_and_taken(terminal):
    """The log's short id names a change; the edit that frees no night is undone without a question."""
    doc = july(terminal)
    short = doc["id"].rpartition(".")[2][:8]
    terminal.json("booking", "edit", doc["id"], "--set", "guest_name=Ann")
    (change, *_) = terminal.json("booking", "changes", short)["items"]
    assert f"{short}@2  edited by" in terminal.run("booking", "changes", short).out

    answer = terminal.run("undo", f"{short}@2")

    assert (answer.code, "guest_name: Ann → (empty)" in answer.out) == (0, True)
    assert (change["id"], july(terminal)["guest_name"]) == (f"{doc['id']}@2", None)


def test_what_frees_nights_is_shown_first(terminal):
    """Without a terminal it exits with 2 and says how to go on; a dry run lists the nights; --yes applies it."""
    doc = july(terminal)
    terminal.json("booking", "edit", doc["id"], "--set", "check_out=2026-07-16")
    change = f"{doc['id']}@2"

    refused = terminal.run("undo", change)
    shown = terminal.json("undo", change, "--dry-run")
    still = july(terminal)
    done = terminal.json("undo", change, "--yes")

    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "this would free 2 nights; --dry-run shows which, --yes applies it" in refused.err
    assert (shown["applied"], shown["items"][0]["frees"]) == (False, ["2026-07-14", "2026-07-15"])
    assert (still["check_out"], july(terminal)["check_out"]) == ("2026-07-16", "2026-07-14")
    assert (done["applied"], done["plan"], done["run_id"]) == (True, shown["plan"], None)
    again = terminal.run("undo", f"{doc['id']}@3", "--dry-run").out
    assert "holds again 2 nights: Tue 14 Jul 2026, Wed 15 Jul 2026" in again


def test_a_run_says_what_it_changed_and_is_undone(terminal):
    """`history RUN` lists its changes with their ids; undoing it names the run that takes the undo back."""
    terminal.shelf.bodies[URL] = a_feed(JULY.replace("20260714", "20260718"), AUGUST)
    terminal.clock.move(hours=1)
    run = terminal.json("sync", "--all")["run_id"]
    doc = july(terminal)
    planned, shown = terminal.json("undo", run, "--dry-run"), terminal.run("history", run).out
    assert ([i["changes"] for i in planned["items"]], "@2  updated: " in shown) == ([[f"{doc['id']}@2"]], True)
    assert f"`bokit undo {run} --dry-run`" in shown

    answer = terminal.run("undo", run)
    terminal.clock.move(hours=1)
    terminal.json("sync", "--all", "--force")

    assert "its source still holds 4 nights: " in answer.out
    assert july(terminal)["check_out"] == "2026-07-14"
    again = terminal.json("history")["items"][1]["run_id"]
    assert f"`bokit undo {again}` takes this back" in answer.out
    terminal.json("undo", again)
    assert july(terminal)["check_out"] == "2026-07-18"
    assert terminal.run("undo", run).out.count("left alone; changed since by user:") == 1


def test_unknown_ids_are_wrong_use(terminal):
    """A run, a booking or a change that there is not ends with 2 and one line."""
    for name in ("run_000999", "nothere@2", f"{july(terminal)['id']}@9", f"{july(terminal)['id']}@x"):
        answer = terminal.run("undo", name)
        assert (answer.code, answer.err.count("\n")) == (2, 1), name


def test_a_property_and_a_unit_are_renamed(terminal):
    """Under their new names they are the same, with their source and bookings; no option is wrong use."""
    before = terminal.json("bookings")["items"]
    house = terminal.json("property", "edit", "Villa Rosa", "--name", "Villa Blu")
    unit = terminal.json("unit", "edit", "Garden flat", "--name", "Loft")

    assert (house["name"], unit["name"], unit["property_id"]) == ("Villa Blu", "Loft", house["id"])
    assert terminal.json("bookings", "--unit", "Loft")["items"] == before
    assert terminal.run("unit", "edit", "Loft").code == 2
    assert terminal.run("unit", "edit", "Garden flat", "--name", "x").code == 2
