"""``bokit conflicts``, joint bookings, echoes and bookings by hand on the command line."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.terminal import URL, Terminal, a_feed, an_event

BOOKING, BEDS24 = "https://8.8.8.8/2.ics", "https://8.8.8.8/3.ics"
CLOSED = "CLOSED - Not available"


def a_closure(check_in: str, check_out: str) -> bytes:
    """Return Booking.com's feed with one closure."""
    text = a_feed(an_event(7, check_in, check_out, summary=CLOSED)).decode()
    return text.replace("-//Airbnb Inc//Hosting Calendar 1.0//EN", "-//admin.booking.com//NONSGML v1.0//EN").encode()


def relayed(check_in: str, check_out: str, code: str) -> bytes:
    """Return Beds24's feed with Airbnb's reservation of this code."""
    text = a_feed(an_event(8, check_in, check_out, summary="Melanie Hart")).decode()
    text = text.replace("-//Airbnb Inc//Hosting Calendar 1.0//EN", "-//Beds24//EN")
    return text.replace("END:VEVENT", f"DESCRIPTION:OTA: airbnb {code}\\nEMAIL: m@example.org\r\nEND:VEVENT").encode()


@pytest.fixture
def terminal(capsys, tmp_path):
    made = Terminal(capsys, tmp_path)
    made.furnish()
    made.json("sync", "--all")
    return made


def add(terminal: Terminal, name: str, url: str, body: bytes) -> None:
    terminal.shelf.bodies[url] = body
    terminal.json("source", "add", name, "--unit", "Garden flat", "--url", url)
    terminal.clock.move(hours=1)
    terminal.json("sync", "--all")


def test_an_echo_is_hidden_from_the_table_and_named_in_the_document(terminal):
    """The table shows the booking; --all and --json show what repeats it."""
    add(terminal, "Booking.com", BOOKING, a_closure("2026-07-10", "2026-07-14"))

    table, whole = terminal.run("bookings").out, terminal.run("bookings", "--all").out
    docs = terminal.json("bookings")["items"]

    assert "1 echo of these not shown" in table
    assert table.count("Fri 10") == 1
    assert whole.count("Fri 10") == 2
    (echo,) = [d for d in docs if d["state"] == "echo"]
    assert [d["id"] for d in docs if d["reservation_code"] == "HMABCDEF12"] == echo["echo_of"]
    assert " possible," in terminal.run("conflicts").out, "on a first day nobody knows which repeats which"


def test_a_joint_booking_is_shown_once_with_its_sources(terminal):
    """Airbnb's own and the channel manager's: one line, both names, the richer data of each."""
    add(terminal, "Beds24", BEDS24, relayed("2026-07-10", "2026-07-14", "HMABCDEF12"))

    (doc,) = [d for d in terminal.json("bookings")["items"] if d["check_in"] == "2026-07-10"]
    table = terminal.run("bookings").out

    assert (doc["guest_name"], doc["email"], doc["reservation_code"]) == ("Melanie Hart", "m@example.org", "HMABCDEF12")
    assert len(doc["sources"]) == 2
    assert "Airbnb +" in table
    assert "Beds24" in table
    assert table.count("Fri 10") == 1


def test_conflicts_are_listed_acknowledged_and_kept(terminal):
    """Which nights, whose bookings, who came first; acknowledged by its short id; closed ones with --all."""
    add(terminal, "Booking.com", BOOKING, a_closure("2026-07-13", "2026-07-16"))

    (doc,) = terminal.json("conflicts")["items"]
    text = terminal.run("conflicts", "--unit", "Garden flat").out
    assert (doc["nights"], doc["status"], doc["unit_id"]) == (["2026-07-13"], "open", doc["unit_ids"][0])
    assert "Garden flat: Mon 13 Jul 2026" in text
    assert "HMABCDEF12  from Garden flat / Airbnb" in text
    assert ", first" in text

    short = doc["id"].rpartition(".")[2][:8]
    assert "acknowledged" in terminal.run("conflicts", "--acknowledge", short).out
    assert terminal.json("conflicts")["items"][0]["status"] == "acknowledged"
    assert "acknowledged by" in terminal.run("conflicts").out

    terminal.shelf.bodies[BOOKING] = a_closure("2026-07-14", "2026-07-16")
    for _ in range(2):
        terminal.clock.move(hours=25)
        terminal.json("sync", "--all")
    assert terminal.json("conflicts")["items"] == []
    assert [c["status"] for c in terminal.json("conflicts", "--all")["items"]] == ["closed"]
    assert "closed, the bookings no longer share a night" in terminal.run("conflicts", "--all").out


def test_a_feed_of_several_rooms_is_noted_everywhere(terminal):
    """Preview, run, `source show` and `status` say what to do; a conflict lists 20 bookings, and how many more there are."""
    note = "this feed lists several rooms; give each room its own address"
    guests = enumerate("ABCDEFGHIJKLMNOPQRSTUVW", start=10)
    events = [an_event(n, "2026-09-01", "2026-09-04", f"HMABCDEFG{letter}") for n, letter in guests]
    terminal.shelf.bodies[BOOKING] = a_feed(*events)

    assert note in terminal.run("source", "add", "Rooms", "--unit", "Garden flat", "--url", BOOKING).out
    terminal.clock.move(hours=1)
    assert note in terminal.run("sync", "--all").out
    assert note in terminal.run("source", "show", "Rooms").out
    assert f"Rooms: {note}" in terminal.run("status").out
    assert "… and 3 more; --json has them all" in terminal.run("conflicts").out
    assert [len(c["bookings"]) for c in terminal.json("conflicts")["items"]] == [23]


def test_a_booking_by_hand_shows_its_conflicts(terminal):
    """`bokit booking add` answers with the conflict that it makes."""
    answer = terminal.run(
        "booking",
        "add",
        "--unit",
        "Garden flat",
        "--set",
        "check_in=2026-07-12",
        "--set",
        "check_out=2026-07-15",
        "--set",
        "guest_name=Ann",
    )

    assert answer.code == 0
    assert "conflict, certain: Sun 12 Jul 2026, Mon 13 Jul 2026" in answer.out
    assert "by hand" in terminal.run("bookings").out
    block = terminal.json(
        "booking",
        "add",
        "--unit",
        "Garden flat",
        "--set",
        "check_in=2026-09-01",
        "--set",
        "check_out=2026-09-03",
        "--set",
        "kind=block",
        "--set",
        "status=blocked",
    )
    assert (block["kind"], block["conflicts"]) == ("block", [])


def test_a_night_is_explained_with_its_sources_echoes_and_edits(terminal):
    """The booking that holds it, its sources, since when, who edited it, and its echoes."""
    add(terminal, "Booking.com", BOOKING, a_closure("2026-07-10", "2026-07-14"))
    (own,) = [d for d in terminal.json("bookings")["items"] if d["reservation_code"] == "HMABCDEF12"]
    terminal.run("booking", "edit", own["id"], "--set", "guest_name=Ann")

    for consumer in ("airbnb", "vrbo"):
        terminal.run("export", "Garden flat", "--for", consumer)
    night = terminal.json("bookings", "--explain", "2026-07-12")["items"][0]
    text = terminal.run("bookings", "--explain", "2026-07-12").out

    assert [by["state"] for by in night["by"]] == ["own", "echo"]
    assert night["by"][0]["edited_by"][0].startswith("user:")
    assert {p["for"]: p["closed"] for p in night["published"]} == {"airbnb": False, "vrbo": True}
    assert "calendar for airbnb: open; never read yet" in text
    assert "it is from this channel itself" in text
    assert f"calendar for vrbo: closed, by {night['by'][0]['id'].rpartition('.')[2][:8]}, since just now; never read yet" in text
    assert "Ann  from Garden flat / Airbnb" in text
    assert "edited by" in text
    assert "echo of" in text


def test_a_free_night_is_explained_with_its_evidence(terminal):
    """Which calendars were read, when, up to which date they speak, and what their state leaves open; those of parts, too."""

    def explain(unit: str = "Garden flat", night: str = "2026-07-20") -> tuple[dict[str, tuple], str]:
        found = terminal.json("bookings", "--unit", unit, "--explain", night)["items"][0]["feeds"]
        text = terminal.run("bookings", "--unit", unit, "--explain", night).out
        return {f["name"]: (f["state"], f["says"], f["until"], f["shows_until"]) for f in found}, text

    feeds, text = explain()
    until = (terminal.clock().date() + timedelta(days=730)).isoformat()
    assert feeds == {"Garden flat / Airbnb": ("ok", "free", until, "2026-08-08")}
    assert "free\n  no booking, block or closed night holds it\n  Garden flat / Airbnb: free, read " in text
    assert "its last taken night is Fri 7 Aug 2026" in text
    assert "says nothing of nights that are past" in explain(night="2026-01-01")[1]
    assert "says nothing of so late a night" in explain(night="2029-01-01")[1]

    read_at = terminal.json("bookings", "--explain", "2026-07-20")["items"][0]["feeds"][0]["read_at"]
    terminal.clock.move(hours=2)
    terminal.shelf.bodies[URL] = a_feed()
    terminal.json("sync", "--all", code=1)
    held = terminal.json("bookings", "--explain", "2026-07-20")["items"][0]["feeds"][0]
    assert (held["state"], held["read_at"]) == ("held", read_at)  # and not what came since
    assert "what came since is held back" in explain()[1]

    terminal.json("unit", "add", "Villa", "--property", "Villa Rosa", "--part", "Garden flat")
    terminal.json("source", "add", "VRBO", "--unit", "Villa", "--url", f"{URL}&new", "--no-check")
    feeds, text = explain("Villa")
    assert [feeds[name][:2] for name in sorted(feeds)] == [("held", "free"), ("new", "nothing")]
    assert "Villa / VRBO: not read yet: its bookings are missing here" in text
    terminal.json("unit", "add", "Loft", "--property", "Villa Rosa")
    assert explain("Loft") == (
        {},
        "Loft, night of Mon 20 Jul 2026: free\n  no calendar is read for this unit: what a platform sells is not "
        "known here; `bokit source add` adds one\n",
    )


def test_a_linked_unit_shows_why_its_night_is_held(terminal):
    """The villa's night is held by its flat's booking."""
    terminal.json("unit", "add", "Villa", "--property", "Villa Rosa", "--part", "Garden flat")

    text = terminal.run("bookings", "--unit", "Villa", "--explain", "2026-07-12").out

    assert "Villa, night of Sun 12 Jul 2026: held" in text
    assert "in Garden flat  from Garden flat / Airbnb" in text


def test_a_turnover_is_declared_with_the_unit(terminal):
    """Days between a departure and an arrival, from the command line and the file."""
    made = terminal.json("unit", "add", "Loft", "--property", "Villa Rosa", "--turnover-days", "1")

    assert made["turnover_days"] == 1
    assert terminal.run("unit", "add", "Attic", "--property", "Villa Rosa", "--turnover-days", "99").code == 2


@pytest.mark.parametrize("word", ["zzzzzzzz", "x", "unit_1.none"])
def test_an_unknown_conflict_is_refused(terminal, word):
    """One line, exit code 2."""
    answer = terminal.run("conflicts", "--acknowledge", word)

    assert (answer.code, answer.out) == (2, "")
    assert "no such conflict" in answer.err


def test_several_histories_need_the_unit_flag(terminal, tmp_path):
    """Played apart they would be two commands."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "20260601T120000Z.ics").write_bytes(terminal.shelf.bodies[URL])
    folders = [str(tmp_path / "one"), str(tmp_path / "two")]

    assert "--unit" in terminal.run("replay", *folders).err
    assert terminal.json("replay", *folders, "--unit")["fetches"] == 2
    assert "no conflict" in terminal.run("replay", *folders, "--unit").out
