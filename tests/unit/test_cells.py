"""CSV: what any reader of RFC 4180 reads back, and what a spreadsheet does not run."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bokit.core.items.cells import guard_cell, write_cell, write_line

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
HARMFUL = re.compile("[=+\\-@\t\r\n＝＋－＠]")


@given(st.lists(st.lists(TEXTS | st.none(), min_size=2, max_size=5), max_size=5))
def test_python_reads_back_what_was_written(rows):
    """Every text as it was; null and the empty text are both empty to a reader that does not look at the quotes."""
    text = "".join(map(write_line, rows))

    assert list(csv.reader(io.StringIO(text, newline=""))) == [[cell or "" for cell in row] for row in rows]
    assert text.count("\r\n") >= len(rows)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        ("", '""'),
        (" a", '" a"'),
        ("a\nb", '"a\nb"'),
        ('a"b', '"a""b"'),
        (False, "false"),
        (-5, "-5"),
        (2**70, str(2**70)),
        (0.1, "0.1"),
        ([1, "ü"], '"[1,""ü""]"'),
        ({}, "{}"),
    ],
)
def test_each_value_has_its_cell(value, cell):
    """Null is nothing, the empty text is in quotes; numbers have all digits, objects and arrays are JSON."""
    assert write_line([write_cell(value), "x"]) == f"{cell},x\r\n"


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.lists(TEXTS) | st.dictionaries(TEXTS, TEXTS))
def test_other_values_are_json(value):
    """So that a program reads the same value."""
    assert json.loads(write_cell(value) or "") == value


@given(st.sampled_from(["", "'", "''", "=", "+", "-", "@", "\t", "\r", "＝"]).flatmap(lambda s: TEXTS.map(lambda t: s + t)))
def test_a_guard_can_be_taken_away_again(text):
    """One quote before what would be run, so no cell is a formula, and nothing that was stored is lost."""
    cell = guard_cell(text)

    assert not HARMFUL.match(cell) or re.fullmatch(r"[+-][\d\s.,()/-]*", cell)
    assert (cell[1:] if re.match("'+[=+\\-@\t\r\n＝＋－＠]", cell) else cell) == text


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+A1", "-1+cmd|' /C calc'!A0", "\t=1", "\r=1", "＝1+1", '=HYPERLINK("x")'])
def test_formulas_are_guarded(text):
    """As people who attack spreadsheets write them."""
    assert guard_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", "7", "-5", "+39 055 123-456", "+1 (212) 555.0100", "-1,50", "a=b", "a@b.example", " =1", "'a"]
)
def test_what_is_harmless_stays(text):
    """Negative numbers, telephone numbers and addresses above all."""
    assert guard_cell(text) == text
