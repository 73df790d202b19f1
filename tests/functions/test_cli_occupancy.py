"""``bokit stats --occupancy``: how full the units are, as a table, CSV and JSON."""

from __future__ import annotations

import csv
import io

import pytest

from tests.support.terminal import URL, Terminal, a_feed, an_event

JUNE = ("stats", "--occupancy", "--from", "2026-06-01", "--until", "2026-07-01")
MEANING = (
    "stay: nights a guest stays; ahead: days from booking to arrival, of the stays whose booking was seen (known); both medians."
)


@pytest.fixture
def terminal(capsys, tmp_path):
    """A flat on Airbnb that had one guest at the first sync and another one later, a guest by hand, and a block; 1 June."""
    made = Terminal(capsys, tmp_path)
    made.furnish()
    first = an_event(1, "2026-05-29", "2026-06-03", "HMABCDEF12")
    made.shelf.bodies[URL] = a_feed(first)
    made.json("sync", "--all")
    made.clock.move(days=1)
    made.shelf.bodies[URL] = a_feed(first, an_event(2, "2026-06-10", "2026-06-14", "HMABCDEF34"))
    made.json("sync", "--all", "--force")
    for kind, first_day, end in (("reservation", 20, 22), ("block", 25, 28)):
        values = (f"kind={kind}", f"check_in=2026-06-{first_day}", f"check_out=2026-06-{end}")
        made.json("booking", "add", "--unit", "Garden flat", *(word for value in values for word in ("--set", value)))
    return made


def test_a_line_for_each_unit_and_month(terminal):
    """In a pipe with every column, and what the words mean."""
    lines = terminal.run(*JUNE).out.splitlines()

    assert lines[0].split("\t")[:8] == ["month", "unit", "sold", "linked", "blocked", "free", "not covered", "full"]
    assert lines[1].split("\t") == [
        *("2026-06", "Garden flat", "8", "", "3", "19", "", "30 %", "2", "3", "13", "2 of 2", "Airbnb 6, By hand 2"),
    ]
    assert lines[2].startswith(MEANING)
    assert len(lines) == 3


def test_months_before_the_first_sync_are_marked(terminal):
    """Not shown as free; the year is that of today, and a total is one line."""
    months = terminal.run("stats", "--occupancy").out.splitlines()
    cells = [line.split("\t") for line in months[1:13]]

    assert [(c[0], c[2], c[5], c[6], c[7]) for c in cells[3:7]] == [
        ("2026-04", "0", "0", "30", ""),
        ("2026-05", "3", "0", "28", ""),
        ("2026-06", "8", "19", "", "30 %"),
        ("2026-07", "0", "31", "", "0 %"),
    ]
    assert months[-1].startswith("not covered: nights before the unit's first calendar was read")
    total = terminal.run("stats", "--occupancy", "--by", "total").out.splitlines()[1].split("\t")
    assert (total[0], total[1], total[2], total[11]) == ("all", "1 unit", "11", "2 of 3")


def test_csv_has_a_line_for_all_channels_and_one_for_each(terminal):
    """Names that a spreadsheet would run as formulas are guarded."""
    terminal.json("unit", "edit", "Garden flat", "--name", "=1+1")
    answer = terminal.run(*JUNE, "--csv")
    rows = list(csv.DictReader(io.StringIO(answer.out)))

    assert [(r["unit"], r["channel"], r["sold"], r["free"], r["stays"], r["ahead_known"]) for r in rows] == [
        ("'=1+1", "", "8", "19", "2", "2"),
        ("'=1+1", "Airbnb", "6", "", "1", "1"),
        ("'=1+1", "By hand", "2", "", "1", "1"),
    ]
    assert (rows[0]["from"], rows[0]["until"], rows[0]["occupancy_percent"], rows[0]["stay_mean"]) == (
        *("2026-06-01", "2026-07-01", "30", "3.0"),
    )
    assert answer.err == "note: a ' stands before 3 cells that a spreadsheet may run as a formula\n"


def test_json_has_the_documents_of_the_api(terminal):
    """As a list."""
    (doc,) = terminal.json(*JUNE)["items"]

    assert (doc["month"], doc["sold"], doc["blocked"], doc["free"]) == ("2026-06", 8, 3, 19)
    assert doc["lead_time"] == {"known": 2, "unknown": 0, "median": 13.0, "mean": 13.0}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--csv",), "go with --occupancy"),
        (("--from", "2026-06-01"), "go with --occupancy"),
        (("--occupancy", "--csv", "--json"), "use --csv or --json, not both"),
        (("--occupancy", "--from", "June"), "not a date; write YYYY-MM-DD (field: from)"),
        (("--occupancy", "--from", "2026-06-01", "--until", "2026-06-01"), "until must be 1 to 366 days after from"),
        (("--occupancy", "--by", "week"), "unit-month"),
        (("--occupancy", "--unit", "Attic"), "no unit is called"),
    ],
)
def test_wrong_use_is_one_clear_error(terminal, arguments, words):
    """With exit code 2, and nothing on standard output."""
    answer = terminal.run("stats", *arguments)

    assert (answer.code, answer.out.startswith("month")) == (2, False)
    assert words in answer.err + answer.out


def test_without_a_unit_it_says_what_to_add(capsys, tmp_path):
    """As other commands do."""
    assert "no unit yet" in Terminal(capsys, tmp_path).run("stats", "--occupancy").out
