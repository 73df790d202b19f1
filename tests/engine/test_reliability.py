"""The table of ``make reliability``: each line counts what it tried, and says what it found or why it did not run."""

from __future__ import annotations

import json
from datetime import date

import pytest

from tests.support import reliability
from tests.support.damage import Damage, compare_ends
from tests.support.reliability import LINES, Bench, NotRunError, main

GOOD, BAD = Damage(tried=7), Damage(tried=3, lost=1, open_nights=2, traces=("here",))


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four lines: well, not well, not run, and broken."""

    def not_run(bench: Bench) -> Damage:
        raise NotRunError("nothing is installed")

    def fail(bench: Bench) -> Damage:
        raise ValueError("unforeseen")

    made = {"well": lambda bench: GOOD, "not so": lambda bench: BAD, "left out": not_run, "broken": fail}
    monkeypatch.setattr(reliability, "LINES", made)


def test_the_table_has_the_counts_of_each_line(lines, capsys) -> None:
    """As text, and as one JSON document; what went wrong makes the command fail."""
    assert main([]) == 1
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["tried", "times", "lost", "doubled", "open", "nights", "late", "seconds"]
    assert [row.split()[-6:-1] for row in rows[:2]] == [["7", "0", "0", "0", "0"], ["3", "1", "0", "2", "0"]]
    assert "nothing is installed" in rows[2]
    assert "ValueError: unforeseen" in rows[3]

    assert main(["--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert [(line["line"], line["tried"], line["open_nights"]) for line in document["lines"][:2]] == [
        ("well", 7, 0),
        ("not so", 3, 2),
    ]
    assert document["lines"][2]["not_run"] == "nothing is installed"


def test_lines_are_chosen_by_a_word_in_their_name(lines, capsys) -> None:
    """Alone, a good one ends with 0."""
    assert main(["well"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_there_is_a_line_for_each_kind_of_fault() -> None:
    """Deaths, repetition, workers side by side, a table that errs, clocks, releases, feeds and URLs."""
    words = (
        "dies",
        "shuffled",
        "32 workers",
        "refuses",
        "16 minutes",
        "lost",
        "clock",
        "releases",
        "stored",
        "hostile",
        "months",
    )

    assert [word for word in words if not any(word in name for name in LINES)] == []


def test_an_end_is_compared_thing_by_thing() -> None:
    """A record that is missing is lost with its nights, one that is there twice is doubled, an empty window is nothing."""

    def record(key: str, first: date, last: date, **remote: object) -> dict[str, object]:
        dates = {"check_in": first.isoformat(), "check_out": last.isoformat(), **remote}
        return {"key": key, "remote": dates, "edits": {}, "presence": "present", "gone": None, "log": [("create", key)]}

    def end(*records: dict[str, object], notices: tuple[str, ...] = ()) -> dict[str, object]:
        source = {"records": list(records), "head": "h", "failures": 0, "free": True}
        return {"notices": list(notices), "claims": [], "sources": {"src_1": source}}

    first, second = record("a", date(2026, 12, 1), date(2026, 12, 4)), record("b", date(2026, 12, 8), date(2026, 12, 9))
    empty = record("window", date(2026, 12, 1), date(2026, 12, 4), kind="window", nights=[], provisional=[])

    assert not compare_ends(end(first, second), end(second, first)).is_damage
    lost = compare_ends(end(first, second), end(second, notices=("failing",)))
    assert (lost.lost, lost.doubled, lost.open_nights) == (2, 1, 3)  # the record and its line; a notice; its nights
    doubled = compare_ends(end(first), end(first, first))
    assert (doubled.lost, doubled.doubled, doubled.open_nights) == (0, 2, 0)
    window = compare_ends(end(first), end(first, {**empty, "log": []}))
    assert not window.is_damage
