"""``bokit booking export``: arrivals, departures, bookings and changes, for a spreadsheet and for a calendar program."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime

import pytest
from icalendar import Calendar

from tests.support.terminal import URL, Terminal, a_feed, an_event

EXPORT = ("booking", "export")


@pytest.fixture
def terminal(capsys, tmp_path):
    """A flat in Rome with two guests on Airbnb, one by hand, a block, and one who is cancelled; 1 June."""
    made = Terminal(capsys, tmp_path / ".bokit")
    made.furnish()
    made.shelf.bodies[URL] = a_feed(
        an_event(1, "2026-05-29", "2026-06-03", "HMABCDEF12"), an_event(2, "2026-06-10", "2026-06-14", "HMABCDEF34")
    )
    made.json("sync", "--all")
    add(made, 14, 16, guest_name="=cmd()", phone="+39 055 12", guests="2")
    add(made, 20, 22, kind="block")
    add(made, 24, 26, status="cancelled", guest_name="Eve")
    return made


def add(terminal, first, end, **values):
    given = {"check_in": f"2026-06-{first}", "check_out": f"2026-06-{end}", **values}
    words = (word for name, value in given.items() for word in ("--set", f"{name}={value}"))
    return terminal.json("booking", "add", "--unit", "Garden flat", *words)["id"]


def rows(terminal, what, *options):
    """Return the rows of an export, by column."""
    answer = terminal.run(*EXPORT, what, "--format", "csv", *options)
    assert answer.code == 0, answer.err
    return list(csv.DictReader(io.StringIO(answer.out)))


def events(terminal, what, *options):
    """Return the events of an export by time, read by another program."""
    answer = terminal.run(*EXPORT, what, "--format", "ics", *options)
    assert answer.code == 0, answer.err
    return sorted(Calendar.from_ical(answer.out).events, key=lambda e: str(e["DTSTART"].dt))


def test_arrivals_are_the_guests_who_come(terminal):
    """From today on, with the times; neither blocks nor who is cancelled."""
    first, second = rows(terminal, "arrivals")

    assert (first["unit"], first["channels"], first["check_in"], first["check_in_time"]) == (
        *("Garden flat", "Airbnb", "2026-06-10", "15:00"),
    )
    assert (first["check_out"], first["check_out_time"], first["nights"]) == ("2026-06-14", "11:00", "4")
    assert first["reservation_code"] == "HMABCDEF34"
    assert (second["guest_name"], second["phone"], second["guests"], second["channels"]) == (
        *("'=cmd()", "+39 055 12", "2", "By hand"),
    )
    assert [row["check_in"] for row in rows(terminal, "arrivals", "--from", "2026-05-01", "--until", "2026-06-10")] == [
        "2026-05-29"
    ]


def test_departures_are_by_the_day_of_leaving(terminal):
    """Who is in the house leaves, too; the last day is left out."""
    found = [row["check_out"] for row in rows(terminal, "departures")]

    assert found == ["2026-06-03", "2026-06-14", "2026-06-16"]
    assert [row["check_out"] for row in rows(terminal, "departures", "--from", "2026-06-14", "--until", "2026-06-16")] == [
        "2026-06-14"
    ]


def test_bookings_are_those_with_a_night_in_the_time(terminal):
    """Blocks too; half-open at both ends."""
    found = [(row["kind"], row["check_in"]) for row in rows(terminal, "bookings")]

    assert found == [
        ("reservation", "2026-05-29"),
        ("reservation", "2026-06-10"),
        ("reservation", "2026-06-14"),
        ("block", "2026-06-20"),
    ]
    assert [row["check_in"] for row in rows(terminal, "bookings", "--from", "2026-06-14", "--until", "2026-06-20")] == [
        "2026-06-14"
    ]


def test_changes_have_a_line_for_each_field(terminal):
    """Of the last 30 days, the oldest first, with who and why."""
    booking = terminal.json("bookings")["items"][1]["id"]
    terminal.clock.move(days=40)
    terminal.json("booking", "edit", booking, "--set", "guest_name=Ada", "--set", "check_out=2026-06-13")

    found = rows(terminal, "changes")
    assert [(r["booking_id"], r["action"], r["field"], r["from"], r["to"]) for r in found] == [
        (booking, "edit", "check_out", "2026-06-14", "2026-06-13"),
        (booking, "edit", "guest_name", "", "Ada"),
    ]
    assert {(r["unit"], r["at"], r["by"] != "") for r in found} == {("Garden flat", "2026-07-11T12:00:00Z", True)}
    before = rows(terminal, "changes", "--from", "2026-06-01", "--until", "2026-06-02")
    assert "Airbnb" in {r["by"] for r in before}
    assert len({r["change_id"] for r in before}) == 5


def test_a_calendar_file_of_each(terminal):
    """Days of arrival and departure, nights, and the moment of a change; another reader takes them."""
    arrival, second = events(terminal, "arrivals")
    assert (arrival["DTSTART"].dt, arrival["DTEND"].dt) == (date(2026, 6, 10), date(2026, 6, 11))
    assert str(arrival["SUMMARY"]) == "Garden flat: Reserved"
    assert str(arrival["DESCRIPTION"]).startswith("Check-in from 15:00\nAirbnb\nCode: HMABCDEF34")
    assert str(second["SUMMARY"]) == "Garden flat: =cmd()"
    assert [e["DTSTART"].dt.day for e in events(terminal, "departures")] == [3, 14, 16]
    assert "Check-out by 11:00" in str(events(terminal, "departures")[0]["DESCRIPTION"])
    block = events(terminal, "bookings")[-1]
    assert (block["DTSTART"].dt, block["DTEND"].dt) == (date(2026, 6, 20), date(2026, 6, 22))
    assert str(block["SUMMARY"]) == "Garden flat: Not available"
    changes = events(terminal, "changes")
    assert [e["DTSTART"].dt for e in changes] == [datetime(2026, 6, 1, 12, tzinfo=UTC)] * 5
    assert len({str(e["UID"]) for e in changes}) == 5


@pytest.mark.parametrize("what", ["arrivals", "departures", "bookings", "changes"])
@pytest.mark.parametrize("form", ["csv", "ics"])
def test_without_guests_nothing_names_one(terminal, what, form):
    """For who cleans: neither names nor phones, nor a code, nor what of them changed."""
    first = terminal.json("bookings")["items"][1]["id"]
    terminal.json("booking", "edit", first, "--set", "guest_name=Sentinel", "--set", "notes=Sentinel")
    named = terminal.run(*EXPORT, what, "--format", form).out
    answer = terminal.run(*EXPORT, what, "--format", form, "--anonymous")

    assert "Sentinel" in named
    assert "Garden flat" in answer.out
    assert not [word for word in ("Sentinel", "cmd()", "055 12", "HMABCDEF") if word in answer.out]


def test_a_file_is_written_whole(terminal, tmp_path):
    """Its name says the form; CSV guards formulas unless it is to be exact."""
    file = tmp_path / "arrivals.csv"

    answer = terminal.run(*EXPORT, "arrivals", "--output", str(file))
    assert answer.out == f"wrote {file}: 2 lines\n"
    assert answer.err == "note: a ' stands before 1 cell that a spreadsheet may run as a formula; --exact leaves it out\n"
    assert b"'=cmd()" in file.read_bytes()
    terminal.run(*EXPORT, "arrivals", "--output", str(file), "--exact")
    assert b",=cmd()" in file.read_bytes()

    calendar = tmp_path / "changes.ics"
    made = json.loads(terminal.run(*EXPORT, "changes", "--output", str(calendar), "--json").out)
    assert made == {"file": str(calendar), "format": "ics", "records": 5, "columns": [], "guarded": 0}
    assert calendar.read_bytes().startswith(b"BEGIN:VCALENDAR\r\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("arrivals",), "--format csv or --format ics"),
        (("guests", "--format", "csv"), "arrivals"),
        (("arrivals", "--format", "csv", "--json"), "--output says where"),
        (("arrivals", "--format", "csv", "--from", "June"), "--from must be a date"),
        (("arrivals", "--format", "csv", "--until", "2026-06-01"), "until must be after from, which is 2026-06-01"),
        (("arrivals", "--output", "list.txt"), "--format csv or --format ics"),
    ],
)
def test_wrong_use_is_one_clear_error(terminal, arguments, words):
    """With exit code 2."""
    answer = terminal.run(*EXPORT, *arguments)

    assert (answer.code, words in answer.err) == (2, True)
