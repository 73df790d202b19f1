"""Places and sources on the command line: moved and removed, with what that means for nights said first."""

from __future__ import annotations

import pytest

from tests.support.terminal import URL, Terminal


@pytest.fixture
def terminal(capsys, tmp_path):
    terminal = Terminal(capsys, tmp_path / ".bokit")
    terminal.furnish()
    terminal.json("sync", "--all")
    return terminal


def by_hand(terminal, check_in="2026-09-01", check_out="2026-09-03"):
    edits = ("--set", f"check_in={check_in}", "--set", f"check_out={check_out}")
    return terminal.json("booking", "add", "--unit", "Garden flat", *edits)


def test_a_cancelled_edit_says_that_its_nights_stay_held(terminal):
    """The source still shows them: the answer names the nights and the command that releases them, which then says no more."""
    (doc,) = (b for b in terminal.json("bookings")["items"] if b["reservation_code"] == "HMABCDEF12")
    short = doc["id"].rpartition(".")[2][:8]

    said = terminal.run("booking", "edit", short, "--set", "status=cancelled").out
    released = terminal.run("booking", "edit", short, "--release").out

    assert "still held, as its source shows them: 4 nights: Fri 10 Jul 2026, " in said
    assert f"`bokit booking edit {short} --release` releases them" in said
    assert "still held" not in released


def test_a_unit_moves_to_another_property(terminal):
    """Its bookings and its calendar's address stay; another timezone is named, and its source is due at once."""
    terminal.json("property", "add", "Villa Blu", "--timezone", "Europe/Lisbon")
    bookings, address = terminal.json("bookings"), terminal.json("export", "Garden flat")["url"]

    moved = terminal.run("unit", "edit", "Garden flat", "--property", "Villa Blu")

    assert moved.out.splitlines() == [
        "moved: Garden flat is of Villa Blu now",
        "its timezone is Europe/Lisbon now, not Europe/Rome: its calendars are read again at once",
    ]
    assert (terminal.json("bookings"), terminal.json("export", "Garden flat")["url"]) == (bookings, address)
    (source,) = terminal.json("status")["sources"]
    assert source["next_due_at"] == source["last_success_at"]
    other = terminal.json("unit", "add", "Garden flat", "--property", "Villa Rosa")["id"]
    assert "a unit of this name exists already" in terminal.run("unit", "edit", other, "--property", "Villa Blu").err


def test_a_unit_is_removed_with_what_it_has(terminal):
    """Nights to come keep it until they are released; without a terminal the error says how to go on; then all is gone."""
    by_hand(terminal)
    terminal.json("export", "Garden flat")

    kept = terminal.run("unit", "remove", "Garden flat", "--yes")
    asked = terminal.run("unit", "remove", "Garden flat", "--release")
    shown = terminal.run("unit", "remove", "Garden flat", "--dry-run").out
    still = terminal.json("bookings")["items"]
    done = terminal.json("unit", "remove", "Garden flat", "--release", "--yes")

    assert (kept.code, asked.code, len(still)) == (2, 2, 3)
    assert "Garden flat holds 13 nights to come; --dry-run shows them, --release releases them with it" in kept.err
    assert "Garden flat is not empty; --dry-run shows what goes with it, --yes removes it" in asked.err
    assert (
        "1 source (Garden flat / Airbnb); 1 calendar that other platforms read; 3 bookings with 13 nights: Fri 10 Jul 2026"
        in shown
    )
    assert (done["removed"], len(done["units"][0]["bookings"]), terminal.json("unit", "list")["items"]) == (True, 3, [])
    assert terminal.json("source", "list")["items"] == []


def test_a_property_is_removed_with_its_units(terminal):
    """Whole units go before their parts; a part of another property's unit keeps it; an empty one goes without a question."""
    terminal.json("unit", "add", "House", "--property", "Villa Rosa", "--part", "Garden flat")
    terminal.json("property", "add", "Villa Blu")
    terminal.json("unit", "add", "Both", "--property", "Villa Blu", "--part", "Garden flat")

    kept = terminal.run("property", "remove", "Villa Rosa", "--release", "--yes")
    terminal.json("unit", "edit", "Both", "--part", "")
    done = terminal.json("property", "remove", "Villa Rosa", "--release", "--yes")

    assert (kept.code, "Garden flat is a part of Both; `bokit unit edit unit_" in kept.err) == (2, True)
    assert [unit["name"] for unit in done["units"]] == ["House", "Garden flat"]
    assert terminal.run("property", "remove", "Villa Blu").out.splitlines() == ["removed: Villa Blu"]
    assert (terminal.json("property", "list")["items"], URL in terminal.shelf.bodies) == ([], True)


def test_a_source_moves_to_another_unit(terminal):
    """What it frees is named and asked first; then its bookings, calendars and short ids are the other unit's."""
    terminal.json("unit", "add", "Loft", "--property", "Villa Rosa")
    terminal.json("export", "Garden flat")
    (short, *_) = (b["id"].rpartition(".")[2][:8] for b in terminal.json("bookings")["items"])

    refused = terminal.run("source", "edit", "Airbnb", "--unit", "Loft")
    planned = terminal.json("source", "edit", "Airbnb", "--unit", "Loft", "--dry-run")["move"]
    still = terminal.json("bookings", "--unit", "Garden flat")["items"]
    moved = terminal.run("source", "edit", "Airbnb", "--unit", "Loft", "--yes")

    assert (refused.code, len(still), planned["bookings"], len(planned["frees"]), planned["meets"]) == (2, 2, 2, 11, [])
    assert "this would free 11 nights of Garden flat; --dry-run shows which, --yes moves it" in refused.err
    assert moved.out.splitlines()[0] == "Airbnb, from Garden flat to Loft: 2 bookings with their edits"
    assert "  frees in Garden flat 11 nights: Fri 10 Jul 2026" in moved.out
    assert "give it that of Loft:" in moved.out
    assert (terminal.json("bookings", "--unit", "Garden flat")["items"], len(terminal.json("bookings")["items"])) == ([], 2)
    log = terminal.run("booking", "changes", short).out
    assert "moved with its source by" in log
    assert "  unit: Garden flat → Loft" in log
    again = terminal.run("source", "edit", "Airbnb", "--unit", "Loft")
    assert (again.code, again.out) == (0, "unchanged: Loft / Airbnb, in Loft already\n")
    assert terminal.run("source", "edit", "Airbnb", "--dry-run", "--name", "B").code == 2


def test_a_config_file_moves_a_source(terminal, tmp_path):
    """A dry run names both units and the nights; without --yes nothing is written; the emptied unit is pruned in the same go."""
    file = tmp_path / "bokit.yaml"
    loft = f'{{name: Loft, sources: [{{name: Airbnb, url: "{URL}"}}]}}'
    file.write_text(f"properties: [{{name: Villa Rosa, timezone: Europe/Rome, units: [{loft}]}}]")
    bookings = terminal.json("bookings")["items"]

    planned = terminal.json("config", "import", str(file), "--prune", "--dry-run")
    refused = terminal.run("config", "import", str(file))
    still = terminal.json("bookings")["items"]
    done = terminal.json("config", "import", str(file), "--prune", "--yes")

    (changed,) = planned["changed"]
    assert changed["fields"] == {"unit": {"from": "Villa Rosa / Garden flat", "to": "Villa Rosa / Loft"}}
    assert (changed["frees"], refused.code, still) == (11, 2, bookings)
    assert "sources that move would free 11 nights; --dry-run lists them, --yes imports the file" in refused.err
    assert [d["full_name"] for plan in (planned, done) for d in plan["removed"]] == ["Villa Rosa / Garden flat"] * 2
    assert [b["check_in"] for b in terminal.json("bookings", "--unit", "Loft")["items"]] == [b["check_in"] for b in bookings]
