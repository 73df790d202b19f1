"""``bokit calendar``, ``bokit today`` and ``bokit week`` on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.support.terminal import URL, Terminal, a_feed, an_event

BOOKING, LOFT = "https://8.8.8.8/2.ics", "https://8.8.8.8/3.ics"
CLOSED = "CLOSED - Not available"


def of_booking(*events: str) -> bytes:
    """Return Booking.com's feed."""
    return a_feed(*events).replace(b"-//Airbnb Inc//Hosting Calendar 1.0//EN", b"-//admin.booking.com//NONSGML v1.0//EN")


@pytest.fixture
def terminal(capsys, tmp_path):
    """Two properties with a flat of one name each, a changeover, a double booking, and a booking by hand; 1 June, a Monday."""
    made = Terminal(capsys, tmp_path)
    made.furnish()
    (flat,) = [unit["id"] for unit in made.json("unit", "list")["items"]]
    made.json("property", "add", "Casa Luna", "--timezone", "Europe/Rome")
    made.json("unit", "add", "Garden flat", "--property", "Casa Luna")
    made.json("unit", "add", "Loft", "--property", "Casa Luna")
    made.shelf.bodies[URL] = a_feed(
        an_event(1, "2026-05-29", "2026-06-01", "HMABCDEF12"),
        an_event(2, "2026-06-01", "2026-06-04", "HMABCDEF34"),
        an_event(3, "2026-06-20", "2026-06-24", "HMABCDEF56"),
    )
    made.shelf.bodies[BOOKING] = of_booking(an_event(7, "2026-06-22", "2026-06-26", summary=CLOSED))
    made.shelf.bodies[LOFT] = a_feed(an_event(4, "2026-06-02", "2026-06-05", "HMABCDEF78"))
    made.json("source", "add", "Booking.com", "--unit", flat, "--url", BOOKING)
    made.json("source", "add", "Airbnb", "--unit", "Loft", "--url", LOFT)
    made.json("sync", "--all")
    made.json("booking", "add", "--unit", "Loft", "--set", "check_in=2026-06-05", "--set", "check_out=2026-06-07",
              "--set", "guest_name=Ann Meyer")  # fmt: skip
    return made


def row_of(answer, name: str) -> str:
    """Return a unit's nights, as they are printed."""
    (line,) = [line for line in answer.out.splitlines() if line.startswith(name + " ")]
    return line.removeprefix(name)[-60:]


def test_a_month_has_a_line_for_each_unit(terminal):
    """In a pipe, with full names: the property first where two units are called the same."""
    answer = terminal.run("calendar")

    assert answer.code == 0
    assert answer.out.startswith("Jun 2026 ")
    assert row_of(answer, "Villa Rosa / Garden flat").startswith("aA-A-Aa. .")
    assert row_of(answer, "Villa Rosa / Garden flat")[38:52] == " A-A!!!!aB-Bb."
    assert row_of(answer, "Loft")[:14] == " . A-A-AaH-Hh."
    assert row_of(answer, "Casa Luna / Garden flat") == " ." * 30
    assert "A Airbnb  B Booking.com  H By hand" in answer.out
    assert "!! Double booking, likely: Villa Rosa / Garden flat, Mon 22 Jun 2026" in answer.out


def test_a_unit_a_property_and_a_time_are_chosen(terminal):
    """A word that names a month is a month; units by id or name; days from today on."""
    loft = terminal.json("calendar", "Loft", "2026-07")
    luna = terminal.json("calendar", "--property", "Casa Luna", "--days", "3")
    july = terminal.json("calendar", "jul")

    assert ([u["unit"] for u in loft["units"]], loft["first"], loft["end"]) == (["Loft"], "2026-07-01", "2026-08-01")
    assert [u["unit"] for u in luna["units"]] == ["Casa Luna / Garden flat", "Loft"]
    assert [n["night"] for n in luna["units"][0]["nights"]] == ["2026-06-01", "2026-06-02", "2026-06-03"]
    assert (july["first"], len(july["units"])) == ("2026-07-01", 3)


def test_the_document_has_every_night_with_its_bookings(terminal):
    """Nights, who holds them, and the bookings that are named."""
    doc = terminal.json("calendar", "june")

    (row,) = [u for u in doc["units"] if u["property"] == "Villa Rosa" and u["unit_name"] == "Garden flat"]
    night = row["nights"][21]
    ids = {b["id"] for b in doc["bookings"]}
    assert (night["night"], len(night["by"]), night["conflict"]) == ("2026-06-22", 2, doc["conflicts"][0]["id"])
    assert set(night["by"]) <= ids
    assert {v["booking_id"] for v in row["nights"][0]["leaves"] + row["nights"][0]["arrives"]} <= ids
    assert [c["name"] for c in doc["channels"]] == ["Airbnb", "Booking.com", "By hand"]
    assert doc["today"] == "2026-06-01"


def test_what_a_guard_keeps_is_shown_held(terminal):
    """A calendar that is suddenly empty frees no night: they stay taken, with the sign of what is held."""
    terminal.shelf.bodies[LOFT] = a_feed()
    terminal.clock.move(hours=2)
    terminal.run("sync", "--all")

    answer = terminal.run("calendar", "Loft", "june")
    today = terminal.run("today", "--unit", "Loft").out

    assert row_of(answer, "Loft")[:14] == " .A?A?A?aH-Hh."
    assert "? no longer in its calendar, kept closed" in answer.out
    assert "held: Loft / Airbnb: its changes wait for your decision; `bokit source show" in today


def test_a_removed_calendar_keeps_its_nights(terminal):
    """They are held, under a letter that no channel has."""
    (loft,) = [u["id"] for u in terminal.json("unit", "list")["items"] if u["name"] == "Loft"]
    (source,) = [s for s in terminal.json("source", "list")["items"] if s["unit_id"] == loft]
    terminal.json("source", "remove", source["id"])

    answer = terminal.run("calendar", "Loft", "june")

    assert row_of(answer, "Loft")[:10] == " .X?X?X?xH"
    assert "X Removed calendar" in answer.out


def test_today_says_who_comes_and_goes_and_what_needs_a_person(terminal):
    """A turnover is said on both sides; a double booking and channels without a calendar wait for a person."""
    out = terminal.run("today").out

    assert out.splitlines()[:8] == [
        "Mon 1 Jun 2026",
        "  1 guest leaves",
        "    Villa Rosa / Garden flat: HMABCDEF12 (Airbnb), by 11:00, since Fri 29 May 2026, the next guest arrives the same day",
        "  1 turnover",
        "    Villa Rosa / Garden flat: 11:00 to 15:00",
        "  1 guest arrives",
        "    Villa Rosa / Garden flat: HMABCDEF34 (Airbnb), from 15:00, until Thu 4 Jun 2026, the last guest leaves the same day",
        "needs you",
    ]
    assert "  double booking, likely: Villa Rosa / Garden flat, Mon 22 Jun 2026" in out
    assert "  no calendar: " in out
    assert "Loft / Airbnb" in out


def test_a_turnover_has_the_units_times_and_says_where_they_are_too_short(terminal):
    """With the time that cleaning takes, and a warning; the one of a day that has no guest after it says so."""
    terminal.json("property", "edit", "Casa Luna", "--check-in-time", "16:00", "--cleaning-minutes", "330")
    terminal.json("unit", "edit", "Loft", "--check-out-time", "10:30")

    out, doc = terminal.run("week").out, terminal.json("week")

    assert "    Loft: 10:30 to 16:00, cleaning takes 330 minutes\n" in out
    assert "    Villa Rosa / Garden flat: from 11:00, the next guest comes Sat 20 Jun 2026 at 15:00\n" in out
    assert "    Loft: from 10:30, nobody is booked after, cleaning takes 330 minutes\n" in out
    assert [t["warning"] for day in doc["days"] for t in day["turnovers"]] == [None] * 4
    terminal.json("unit", "edit", "Loft", "--cleaning-minutes", "331")
    assert "    Loft: 10:30 to 16:00, cleaning takes 331 minutes, too little time\n" in terminal.run("week").out


def test_a_week_has_its_empty_days_in_a_line(terminal):
    """Seven days from today on; one where nobody comes or goes is one line."""
    out, doc = terminal.run("week").out, terminal.json("week")

    assert [d["day"] for d in doc["days"]] == [f"2026-06-0{n}" for n in range(1, 8)]
    assert "Wed 3 Jun 2026: nobody arrives or leaves, 2 guests stay\n" in out
    assert "Sat 6 Jun 2026: nobody arrives or leaves, 1 guest stays\n" in out
    assert "    Loft: Ann Meyer (By hand), from 15:00, until Sun 7 Jun 2026, the last guest leaves the same day\n" in out


def test_a_need_ends_with_its_cause(terminal):
    """A conflict that a person acknowledged, and a channel that gets a calendar, wait for nobody; an unread calendar does."""
    (conflict,) = terminal.json("conflicts")["items"]
    terminal.json("conflicts", "--acknowledge", conflict["id"])
    terminal.json("export", "Loft", "--for", "airbnb")

    after = terminal.json("today")["needs"]
    terminal.clock.move(days=3)
    later = terminal.json("today")["needs"]

    assert [n for n in after if n["kind"] == "conflict"] == []
    assert sorted(n["name"] for n in after if n["state"] == "missing") == [
        "Villa Rosa / Garden flat / Airbnb",
        "Villa Rosa / Garden flat / Booking.com",
    ]
    assert [n["name"] for n in later if n["state"] == "unread"] == ["Loft / airbnb"]


def test_today_is_the_units_day(terminal):
    """Late in the evening by UTC it is tomorrow in Rome; the night on which clocks go back is one night."""
    terminal.clock.at = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)

    assert terminal.json("today")["today"] == "2026-10-25"
    assert terminal.json("calendar", "--days", "2")["first"] == "2026-10-25"
    assert len(terminal.json("calendar", "october")["units"][0]["nights"]) == 31
    assert len(terminal.json("calendar", "next")["units"][0]["nights"]) == 30


def test_without_a_unit_there_is_nothing_to_show(capsys, tmp_path):
    """One line says how to begin; the document is an empty one."""
    empty = Terminal(capsys, tmp_path)

    for command in ("calendar", "today", "week"):
        answer = empty.run(command)
        assert (answer.code, answer.out.count("\n")) == (0, 1)
        assert "bokit unit add" in answer.out
    assert (empty.json("calendar")["units"], empty.json("week")["needs"]) == ([], [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("calendar", "Attic"), "no unit is called 'Attic'"),
        (("calendar", "Garden flat"), "2 units have this name: "),
        (("calendar", "2026-13"), "not a month; write 2027-01, january, jan, this, next or last"),
        (("calendar", "Loft", "sometime"), "not a month"),
        (("calendar", "Loft", "june", "--days", "3"), "a month or --days"),
        (("calendar", "Loft", "--property", "Casa Luna"), "a unit or --property"),
        (("calendar", "--property", "Nowhere"), "bokit property list"),
        (("calendar", "--days", "0"), "--days"),
        (("calendar", "--days", "367"), "--days"),
        (("calendar", "--days", "many"), "--days"),
        (("today", "--unit", "Attic"), "no unit is called 'Attic'"),
        (("week", "--unit", "Attic"), "no unit is called 'Attic'"),
    ],
)
def test_wrong_use_is_one_line(terminal, arguments, message):
    """Exit code 2, nothing on standard output, and one line that says what is wrong."""
    answer = terminal.run(*arguments)

    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert message in answer.err
