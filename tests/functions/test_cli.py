"""The command line, from one end to the other, on the memory store."""

from __future__ import annotations

import json
import os
import re
import signal
from datetime import date, timedelta
from pathlib import Path

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.errors import SourceUnavailableError
from tests.support.terminal import AUGUST, JULY, URL, Terminal, a_feed, an_event

COUNTS = {"seen", "created", "updated", "unchanged", "missing", "cancelled", "restored", "preserved", "refused"}


@pytest.fixture
def terminal(capsys, tmp_path):
    return Terminal(capsys, tmp_path / ".bokit")


def booking(terminal, code="HMABCDEF12"):
    return next(b for b in terminal.json("bookings")["items"] if b["reservation_code"] == code)


def test_adding_a_source_shows_what_it_reads_and_no_url(terminal):
    """A source is fetched before it is added, and its URL is never shown."""
    terminal.json("property", "add", "Villa Rosa")
    terminal.json("unit", "add", "Garden flat", "--property", "Villa Rosa")

    answer = terminal.run("source", "add", "Airbnb", "--unit", "Garden flat", "--url", URL)

    assert answer.code == 0
    assert "Fri 10 – Tue 14 Jul 2026" in answer.out
    for command in (("source", "list"), ("source", "show", "Airbnb"), ("status",), ("source", "test", "Airbnb")):
        result = terminal.run(*command)
        assert result.code == 0
        assert "sentinel" not in result.out + terminal.run(*command, "--json").out + answer.out


def test_a_second_sync_finds_nothing_new(terminal):
    """Syncing all twice creates bookings once, and then says that nothing changed."""
    terminal.furnish()

    first, second = terminal.json("sync", "--all"), terminal.json("sync", "--all")

    assert set(first["counts"]) == COUNTS
    assert (first["status"], first["counts"]["created"], first["trigger"]) == ("succeeded", 2, "cli")
    assert (second["counts"]["seen"], second["counts"]["created"], second["counts"]["updated"]) == (2, 0, 0)
    assert second["sources"][0]["outcome"] == "unchanged"
    assert first["started_at"].endswith("Z")


def test_a_dry_run_prints_the_plan_and_writes_nothing(terminal):
    """The plan of a dry run names what would be created; the store stays as it was."""
    terminal.furnish()

    doc = terminal.json("sync", "--all", "--dry-run")

    assert [a["action"] for a in doc["plan"]] == ["create", "create"]
    assert doc["plan"][0]["fields"]["check_in"]["from"] is None
    assert terminal.json("bookings")["items"] == []
    assert terminal.json("history")["items"] == []


def test_only_what_is_due_is_synced(terminal):
    """A bare sync takes what is due, once."""
    terminal.furnish()

    assert len(terminal.json("sync")["sources"]) == 1
    assert terminal.json("sync")["sources"] == []
    assert "nothing was due" in terminal.run("sync").out


def test_an_edit_survives_a_sync_and_both_are_logged(terminal):
    """The edited field stays, the others follow, and the change log shows both."""
    terminal.furnish()
    terminal.json("sync", "--all")
    booking_id = booking(terminal)["id"]
    terminal.json("booking", "edit", booking_id, "--set", "check_out=2026-07-15", "--set", "guest_name=Ann Meyer")
    moved = an_event(1, "2026-07-09", "2026-07-13", "HMABCDEF12")
    terminal.shelf.bodies[URL] = a_feed(moved, AUGUST)

    terminal.json("sync", "--all")

    after = booking(terminal)
    assert (after["check_in"], after["check_out"], after["guest_name"]) == ("2026-07-09", "2026-07-15", "Ann Meyer")
    assert after["disagreements"]["check_out"] == {"local": "2026-07-15", "remote": "2026-07-13"}
    changes = terminal.json("booking", "changes", booking_id)["items"]
    assert [c["by"].partition(":")[0] for c in changes] == ["source", "user", "source"]
    assert changes[0]["fields"]["check_in"] == {"from": "2026-07-10", "to": "2026-07-09"}
    assert changes[0]["preserved"]["check_out"] == {"from": "2026-07-14", "to": "2026-07-13"}
    assert "the edit is kept" in terminal.run("booking", "changes", booking_id).out

    terminal.json("booking", "accept-remote", booking_id, "--field", "check_out")
    assert booking(terminal)["check_out"] == "2026-07-13"


def test_a_shortened_booking_frees_its_nights_only_on_release(terminal):
    """An edit keeps the night that the source holds; --release releases it, and --explain shows both."""
    terminal.furnish()
    terminal.json("sync", "--all")
    booking_id = booking(terminal)["id"]
    night = ("bookings", "--unit", "Garden flat", "--explain", "2026-07-13")

    terminal.json("booking", "edit", booking_id, "--set", "check_out=2026-07-13")
    held = terminal.json(*night)["items"][0]
    assert (held["held"], held["by"][0]["id"]) == (True, booking_id)
    assert "--release" in terminal.run(*night).out

    terminal.json("booking", "edit", booking_id, "--release")
    assert terminal.json(*night)["items"][0]["held"] is False
    assert "free" in terminal.run(*night).out


def test_a_booking_is_found_by_the_short_id_of_the_table(terminal):
    """The table's short id stands for the whole one."""
    terminal.furnish()
    terminal.json("sync", "--all")
    booking_id = booking(terminal)["id"]
    short = booking_id.rpartition(".")[2][:8]

    assert short in terminal.run("bookings").out
    assert terminal.json("booking", "edit", short, "--set", "notes=late")["id"] == booking_id
    assert terminal.run("booking", "changes", short[:3]).code == 2


def test_a_failed_source_exits_1_and_stops_no_other(terminal):
    """A source that fails is shown with its error; the other one is synced."""
    terminal.furnish()
    terminal.shelf.bodies["https://8.8.8.8/2.ics"] = a_feed(an_event(3, "2026-09-01", "2026-09-03", "HMABCDEF56"))
    terminal.json("source", "add", "VRBO", "--unit", "Garden flat", "--url", "https://8.8.8.8/2.ics")
    terminal.shelf.bodies[URL] = SourceUnavailableError("it did not answer")

    doc = terminal.json("sync", "--all", code=1)

    assert doc["status"] == "partial"
    assert {s["name"]: s["outcome"] for s in doc["sources"]} == {"Airbnb": "failed", "VRBO": "changed"}
    assert "failing" in terminal.run("status").out
    assert terminal.run("source", "test", "Airbnb").code == 1


def test_a_held_plan_is_shown_with_how_to_settle_it(terminal):
    """An empty feed cancels nothing: what is held, why, and how to resolve it is shown; apply resolves it."""
    source = terminal.furnish()
    terminal.json("sync", "--all")
    terminal.shelf.bodies[URL] = a_feed()
    terminal.clock.move(hours=1)

    assert terminal.json("sync", "--all", code=1)["sources"][0]["outcome"] == "held"

    hold = terminal.json("source", "show", source)["hold"]
    assert (hold["code"], len(hold["releases"])) == ("empty-feed", 2)
    shown = terminal.run("source", "show", "Airbnb").out
    assert hold["plan"] in shown
    assert "Fri 10 – Tue 14 Jul 2026" in shown
    assert all(b["blocks_nights"] for b in terminal.json("bookings")["items"])
    assert terminal.run("source", "apply-held", source, "--plan", "stale").code == 2

    terminal.json("source", "apply-held", source, "--plan", hold["plan"])
    assert not any(b["blocks_nights"] for b in terminal.json("bookings")["items"])


def test_a_hold_that_time_lifts_says_when(terminal):
    """In the unit's time, in status and with the source; as JSON in the API's way."""
    source = terminal.furnish()
    terminal.json("sync", "--all")
    terminal.shelf.bodies[URL] = a_feed(
        an_event(3, "2026-09-20", "2026-09-23", "HMABCDEF56"), an_event(4, "2026-10-01", "2026-10-03", "HMABCDEF78")
    )
    terminal.clock.move(hours=1)
    terminal.json("sync", "--all", code=1)

    opens_at = terminal.json("source", "show", source)["hold"]["opens_at"]
    assert terminal.json("status")["sources"][0]["hold"]["opens_at"] == opens_at
    line = "opens Tue 2 Jun 15:00 (Europe/Rome) unless you say no"
    assert opens_at == "2026-06-02T13:00:00Z"
    assert line in terminal.run("status").out
    assert line in terminal.run("source", "show", "Airbnb").out


def test_history_shows_runs_by_id(terminal):
    """The history lists runs, newest first, and each can be looked at."""
    terminal.furnish()
    run = terminal.json("sync", "--all")

    items = terminal.json("history")["items"]

    assert items[0]["run_id"] == run["run_id"]
    assert terminal.json("history", run["run_id"]) == run
    assert "succeeded" in terminal.run("history").out
    assert terminal.run("history", run["run_id"]).code == 0
    assert terminal.json("stats")["collections"]["bookings"]["records"] == 2
    assert "2 records" in terminal.run("stats").out


def test_a_removed_source_keeps_its_nights_until_they_are_released(terminal):
    """Removing shows what stays held, and how to release it."""
    source = terminal.furnish()
    terminal.json("sync", "--all")

    answer = terminal.run("source", "remove", "Airbnb")

    assert "--release" in answer.out
    assert f"`bokit source restore {source}` takes this back, for 30 days" in answer.out
    assert all(b["blocks_nights"] for b in terminal.json("bookings")["items"])
    assert terminal.json("source", "remove", source, "--release")["released"] == 2
    assert not any(b["blocks_nights"] for b in terminal.json("bookings")["items"])


def test_pausing_and_resuming_are_reported(terminal):
    """A paused source says so, and is synced again once it is resumed."""
    terminal.furnish()

    assert terminal.json("source", "pause", "Airbnb")["enabled"] is False
    assert "paused" in terminal.run("status").out
    assert terminal.json("sync")["sources"] == []
    assert terminal.json("source", "resume", "Airbnb")["enabled"] is True
    assert len(terminal.json("sync")["sources"]) == 1


def test_editing_a_source_changes_what_is_named(terminal):
    """Fields are changed one by one, and given back with an empty value."""
    terminal.furnish()

    assert terminal.json("source", "edit", "Airbnb", "--interval", "15m", "--name", "Air")["interval"] == 900
    assert terminal.json("source", "edit", "Air", "--interval", "")["interval"] is None


def test_how_a_source_is_read_is_set_and_shown(terminal):
    """What an end is, and whether events marked as free count, are set with an option each."""
    terminal.furnish()

    doc = terminal.json("source", "edit", "Airbnb", "--ends-on", "last-night", "--ignore-transparent")
    assert (doc["ends_on"], doc["ignore_transparent"]) == ("last-night", True)
    shown = terminal.run("source", "show", "Airbnb").out
    assert re.search(r"ends on +last-night", shown)
    assert re.search(r"free events +ignored", shown)
    doc = terminal.json("source", "edit", "Airbnb", "--ends-on", "departure", "--no-ignore-transparent")
    assert (doc["ends_on"], doc["ignore_transparent"]) == ("departure", False)
    assert terminal.run("source", "edit", "Airbnb", "--ends-on", "sometimes").code == 2


def test_options_are_set_listed_and_unset(terminal):
    """An option is read back as it was set, and goes back to its default."""
    assert terminal.json("options", "set", "sync.interval", "15m")["value"] == 900
    assert terminal.run("options", "get", "sync.interval").out == "900\n"
    assert {o["name"] for o in terminal.json("options", "list")["items"] if o["is_set"]} == {"sync.interval"}
    assert terminal.json("options", "unset", "sync.interval")["value"] == 3600
    assert terminal.run("options", "list").code == 0


@pytest.mark.parametrize("name", ["bokit.yaml", "bokit.json"])
def test_a_config_file_is_imported_once(terminal, tmp_path, name):
    """YAML and JSON say the same; the second import changes nothing."""
    document = {"properties": [{"name": "Villa", "units": [{"name": "Flat", "sources": [{"name": "A", "url": URL}]}]}]}
    file = tmp_path / name
    file.write_text(json.dumps(document) if name.endswith("json") else f"# ours\n{json.dumps(document)}")

    assert len(terminal.json("config", "import", str(file))["added"]) == 3
    assert len(terminal.json("config", "import", str(file))["unchanged"]) == 3
    assert "no changes" in terminal.run("config", "import", str(file)).out


def test_tenants_are_kept_apart(terminal):
    """A tenant sees its own things alone."""
    terminal.furnish()
    terminal.json("tenant", "add", "Berta", "--id", "berta")

    assert terminal.json("source", "list", "--tenant", "berta")["items"] == []
    assert len(terminal.json("source", "list")["items"]) == 1
    assert [t["id"] for t in terminal.json("tenant", "list")["items"]] == ["berta", "default"]
    assert terminal.run("tenant", "remove", "berta").code == 0


def test_a_daemon_ends_after_its_runs(terminal):
    """--max-runs ends a daemon by itself; its runs are recorded and logged to a file."""
    terminal.furnish()

    doc = terminal.json("sync", "--daemon", "--interval", "1", "--max-runs", "2", "--all")

    assert [r["status"] for r in doc["items"]] == ["succeeded", "succeeded"]
    assert "run succeeded" in (terminal.locator.home / "log" / "sync.log").read_text()


def test_a_daemon_prints_each_run_once(terminal):
    """On the terminal the runs alone, in the file the log alone; with --verbose the log beside the runs."""
    terminal.furnish()
    daemon = ("sync", "--daemon", "--interval", "1s", "--max-runs", "1", "--all")

    quiet = terminal.run(*daemon)
    assert (quiet.out.count("succeeded"), quiet.err) == (1, "")
    assert "run succeeded" in terminal.run(*daemon, "--verbose").err


def test_sync_status_shows_what_was_selected(terminal):
    """`sync --status` syncs nothing, and shows `status` for the sources that the options name; paused ones too."""
    terminal.furnish()
    terminal.json(
        "source",
        "add",
        "Vrbo",
        "--unit",
        terminal.json("unit", "list")["items"][0]["name"],
        "--url",
        f"{URL}&two",
        "--no-check",
    )
    terminal.json("source", "pause", "Vrbo")
    names = {}
    for options in ((), ("--source", "Vrbo"), ("--collection", "bookings"), ("--source", "Airbnb", "--collection", "bookings")):
        names[options] = [s["name"] for s in terminal.json("sync", "--status", *options)["sources"]]

    assert list(names.values()) == [["Airbnb", "Vrbo"], ["Vrbo"], ["Airbnb", "Vrbo"], ["Airbnb"]]
    assert "Vrbo" not in terminal.run("sync", "--status", "--source", "Airbnb").out
    assert terminal.json("history")["items"] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_daemon_after_the_source_in_hand(terminal, number):
    """The source in hand is finished, the run is recorded, and the daemon exits 0."""
    terminal.furnish()
    body = terminal.shelf.bodies[URL]

    def interrupt():
        os.kill(os.getpid(), number)
        return body

    terminal.shelf.bodies[URL] = interrupt
    doc = terminal.json("sync", "--daemon", "--interval", "3600", "--all")

    assert [r["counts"]["created"] for r in doc["items"]] == [2]
    assert len(terminal.json("history")["items"]) == 1


def test_an_interrupted_sync_records_its_run_and_exits_130(terminal):
    """SIGINT during one sync ends it between two sources, with nothing half written."""
    terminal.furnish()
    body = terminal.shelf.bodies[URL]

    def interrupt():
        os.kill(os.getpid(), signal.SIGINT)
        return body

    terminal.shelf.bodies[URL] = interrupt
    doc = terminal.json("sync", "--all", code=130)

    assert terminal.json("history", doc["run_id"])["counts"]["created"] == 2


def test_a_feed_is_inspected_without_a_stack(terminal, tmp_path):
    """A file is read as the engine reads it, with no store behind."""
    terminal.locator.open = None
    file = tmp_path / "feed.ics"
    file.write_bytes(a_feed(JULY))

    doc = terminal.json("feed", "inspect", str(file))

    assert (doc["platform"], doc["verdict"], doc["problems"]) == ("airbnb", "ok", [])
    assert doc["entries"][0]["reservation_code"] == "HMABCDEF12"
    assert doc["entries"][0]["starts_at"] is None
    assert "Fri 10" in terminal.run("feed", "inspect", str(file)).out


def test_a_feed_may_end_on_the_last_night(terminal, tmp_path):
    """--ends-on last-night holds the night of each all-day end."""
    file = tmp_path / "feed.ics"
    file.write_bytes(a_feed(JULY))

    [usual] = terminal.json("feed", "inspect", str(file))["entries"]
    [longer] = terminal.json("feed", "inspect", str(file), "--ends-on", "last-night")["entries"]

    assert date.fromisoformat(longer["check_out"]) - date.fromisoformat(usual["check_out"]) == timedelta(days=1)


def test_last_nights_are_suggested_by_their_option(terminal, tmp_path):
    """A calendar whose all-day events end on the day of their start says which option to try."""
    file = tmp_path / "feed.ics"
    file.write_bytes(a_feed(JULY).replace(b"DTEND;VALUE=DATE:20260714", b"DTEND;VALUE=DATE:20260710"))

    assert terminal.json("feed", "inspect", str(file))["suggested"] == {"ends_on": "last-night"}
    assert "--ends-on last-night" in terminal.run("feed", "inspect", str(file)).out
    assert "--ends-on" not in terminal.run("feed", "inspect", str(file), "--ends-on", "last-night").out


def test_an_empty_feed_is_not_an_error(terminal, tmp_path):
    """A calendar without events exits 0 and says that it is empty."""
    file = tmp_path / "feed.ics"
    file.write_bytes(a_feed())

    assert terminal.json("feed", "inspect", str(file))["verdict"] == "empty"


def test_a_page_is_not_a_feed(terminal, tmp_path):
    """What is not a calendar exits 2, and is reported as unreadable."""
    file = tmp_path / "feed.ics"
    file.write_text("<html>Sign in</html>")

    assert terminal.json("feed", "inspect", str(file), code=2)["verdict"] == "unreadable"


def test_a_history_is_replayed_without_a_stack(terminal, tmp_path):
    """A folder of bodies is replayed in its own time; the document is the contract's."""
    terminal.locator.open = None
    (tmp_path / "20260601T120000Z.ics").write_bytes(a_feed(JULY, AUGUST))
    (tmp_path / "20260601T130000Z.ics").write_bytes(b"<html>busy</html>")
    (tmp_path / "20260601T140000Z.ics").write_bytes(a_feed(an_event(1, "2026-07-12", "2026-07-16", "HMABCDEF12"), AUGUST))

    doc = terminal.json("replay", str(tmp_path))

    assert (doc["fetches"], doc["counts"]["created"], doc["counts"]["moved"], doc["counts"]["refused"]) == (3, 2, 1, 1)
    assert doc["refused"][0]["at"] == "2026-06-01T13:00:00Z"
    assert "Sun 12 – Thu 16 Jul 2026" in terminal.run("replay", str(tmp_path)).out


def test_tables_hold_no_control_characters(terminal):
    """What a guest writes into a name moves no cursor."""
    terminal.furnish()
    terminal.json("sync", "--all")
    terminal.json("booking", "edit", booking(terminal)["id"], "--set", "guest_name=Ann\x1b[31m [red]Meyer[/red]")

    for width in (None, 120):
        out = terminal.run("bookings", width=width).out
        assert "\x1b" not in out
        assert "[red]" in out


def test_the_local_cloud_is_found_from_below(tmp_path, monkeypatch):
    """The stack is found by BOKIT_TABLE, else by the nearest .bokit/local.json above."""
    from bokit.config import Settings

    local = {
        "table_name": "t1",
        "endpoint_url": "http://127.0.0.1:1",
        "region": "r",
        "allow_private_addresses": True,
        "token": None,
    }
    (tmp_path / ".bokit").mkdir()
    (tmp_path / ".bokit/local.json").write_text(json.dumps(local))
    below = tmp_path / "a" / "b"

    found = Settings.find([below, *below.parents], {})
    assert (found.table_name, found.allow_private_addresses) == ("t1", True)
    assert Settings.find([tmp_path], {"BOKIT_TABLE": "t2"}).table_name == "t2"
    assert Settings.find_without_stack([Path("/nowhere")], {}).allow_private_addresses is False


def test_status_shows_a_monitor(terminal):
    """A running monitor is shown below the table until it is stopped."""
    terminal.furnish()
    monitors = terminal.bokit.monitors
    monitors.start(DEFAULT_TENANT, interval=300, max_runs=3, by="user:ann")

    assert "every 5 min, run 0 of 3, next now" in terminal.run("status").out
    monitors.stop(DEFAULT_TENANT)
    assert "monitor" not in terminal.run("status").out
