"""Tables and lines of the command line: what gives way first, what never does, and how cells are counted."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from bokit_cli.lines import cut, isolate, order, wrap
from bokit_cli.show import Cell, print_facts, print_line
from bokit_cli.tables import Column, Table

ID = "src_0123456789abcdef"
SOURCES = Table(
    Column("source", least=14),
    Column("id", drop=3),
    Column("note", drop=1),
    Column("from", drop=2, least=10),
    Column("nights", number=True),
)
ROW = ("Garden flat / Airbnb", ID, "seen today", "https://airbnb.example/calendar/1.ics", 14)
LRM = "\u200e"


def draw(table: Table, rows: list[Any], width: int | None) -> list[str]:
    """Return the lines that a terminal of this width is sent, or a pipe."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=bool(width), width=width or 40, color_system=None, highlight=False, markup=False)
    table.print(console, rows)
    return file.getvalue().splitlines()


@pytest.mark.parametrize(
    ("width", "row"),
    [
        (120, "Garden flat / Airbnb  src_0123456789abcdef  seen today  https://airbnb.example/calendar/1.ics      14"),
        (90, "Garden flat / Airbnb  src_0123456789abcdef  https://airbnb.example/calendar/1.ics      14"),
        (70, "Garden fl… / Airbnb  src_0123456789abcdef  https://airbnb.exa…      14"),
        (60, "Garde… / Airb…  src_0123456789abcdef  https://airbn…      14"),
        (50, "Garden flat / Airbnb  src_0123456789abcdef      14"),
        (46, "Garden… / Airbnb  src_0123456789abcdef      14"),
        (30, "Garden flat / Airbnb      14"),
        (24, "Garden… / Airbnb      14"),
        (8, "Garden…"),
    ],
)
def test_columns_give_way_in_their_order(width, row):
    """First those that are no loss, then texts are shortened, then the others go; an id is whole or absent."""
    lines = draw(SOURCES, [ROW], width)

    assert lines[1] == row
    assert max(map(cell_len, lines[:2])) <= width


def test_what_is_left_out_is_named():
    """With what shows it."""
    assert draw(SOURCES, [ROW], 90)[2:] == ["no room for note: widen the terminal, or use --json"]
    assert draw(SOURCES, [ROW], 120)[2:] == []


def test_a_column_without_content_takes_no_room_and_is_not_missed():
    """In a terminal; in a pipe every entry has all columns, so that the third stays the third."""
    row = (ROW[0], ID, "", None, 1)

    assert draw(SOURCES, [row], 80) == ["source                id                    nights", f"{ROW[0]}  {ID}       1"]
    assert draw(SOURCES, [row], None) == ["source\tid\tnote\tfrom\tnights", f"{ROW[0]}\t{ID}\t\t\t1"]


def test_a_column_that_went_early_comes_back_where_a_wider_one_made_room():
    """A short column is not lost to a long id."""
    table = Table(Column("stay"), Column("action", drop=1), Column("id", drop=2))

    assert draw(table, [("1–8 Aug 2026", "cancel", ID)], 24)[1] == "1–8 Aug 2026  cancel"


def test_short_forms_come_first():
    """A date or a state has a shorter form, which stands in before any text is cut."""
    table = Table(Column("stay"), Column("who", least=4))
    row = (Cell("Fri 10 – Tue 14 Jul 2026", "10–14 Jul 2026"), "Anastasia")

    assert [draw(table, [row], width)[1] for width in (40, 25, 20)] == [
        "Fri 10 – Tue 14 Jul 2026  Anastasia",
        "10–14 Jul 2026  Anastasia",
        "10–14 Jul 2026  Ana…",
    ]


def test_an_empty_table_says_what_to_do():
    """In a terminal and in a pipe."""
    table = Table(Column("source"), empty="no source yet; `bokit source add` adds one")

    assert draw(table, [], 80) == draw(table, [], None) == ["no source yet; `bokit source add` adds one"]


def test_a_pipe_has_no_limit_and_its_fields_hold_no_tab():
    """Whatever COLUMNS says: an entry is a line."""
    lines = draw(SOURCES, [("a\tb\nc" + "x" * 500, ID, "n", "f", 1)], None)

    assert lines[1].split("\t") == ["a b c" + "x" * 500, ID, "n", "f", "1"]


# ── of every script ──

NAMES = st.text(st.sampled_from("ab cZ9-/.é ห้ำงน河畔部🏠👩‍👧שלוםمر\u0301"), max_size=30)


@given(
    rows=st.lists(st.tuples(NAMES, NAMES, st.integers(0, 10**6), NAMES), min_size=1, max_size=5),
    width=st.integers(1, 90),
    drops=st.tuples(*[st.integers(0, 3)] * 4),
    least=st.tuples(*[st.one_of(st.none(), st.integers(1, 20))] * 4),
)
@settings(max_examples=150, deadline=None)
def test_no_line_is_wider_than_the_terminal(rows, width, drops, least):
    """Whatever the names, the columns and the width; an entry is a line, and columns stand below each other."""
    columns = [Column(f"c{n}", drop=drops[n], least=least[n], number=n == 2) for n in range(4)]

    lines = draw(Table(*columns), rows, width)

    body = lines[: 1 + len(rows)]
    assert len(body) == 1 + len(rows)
    assert max(map(cell_len, body)) <= width
    assert draw(Table(*columns), rows, None)[0] == "c0\tc1\tc2\tc3"
    assert len(draw(Table(*columns), rows, None)) == 1 + len(rows)


@given(text=NAMES, width=st.integers(0, 30))
@settings(max_examples=150, deadline=None)
def test_what_is_cut_is_as_wide_as_it_may_be_and_says_so(text, width):
    """Counted in cells; nothing is cut that has room."""
    shown = cut(text, width)

    assert cell_len(shown) <= width
    assert shown == text if cell_len(text) <= width else ("…" in shown or width == 0)


@given(text=NAMES, width=st.integers(12, 40))
@settings(max_examples=150, deadline=None)
def test_a_wrapped_line_loses_nothing(text, width):
    """All words come, in their order, each line within the width."""
    lines = list(wrap(f"held: {text} {ID} end", width))

    assert "".join("".join(lines).split()) == "".join(f"held:{text}{ID}end".split())
    assert [line for line in lines if cell_len(line) > width and " " in line.strip()] == []
    assert [line for line in lines if cell_len(line) > width and not line.isascii()] == []


def test_a_name_from_right_to_left_moves_nothing_beside_it():
    """Marks of direction stand around it, in a cell with its numbers, in a sentence without those that follow."""
    assert isolate("Villa / דירת גן 2 / Airbnb") == f"Villa / {LRM}דירת גן 2{LRM} / Airbnb"
    assert order("דירת גן: 2 nights") == f"{LRM}דירת גן{LRM}: 2 nights"
    assert order("Garden flat") == isolate("Garden flat") == "Garden flat"
    (line,) = draw(Table(Column("unit"), Column("n", number=True)), [("דירת גן", 3)], 40)[1:]
    assert line == f"{LRM}דירת גן{LRM}  3"


def test_a_command_is_broken_as_a_shell_reads_it():
    """Joined again, it is the command; a quoted name is not broken."""
    command = "  bokit source apply-held 'Garden flat / Airbnb' --plan 97ef1d6539288182"

    lines = list(wrap(command, 40))

    assert len(lines) > 1
    assert all(line.endswith(" \\") for line in lines[:-1])
    assert " ".join("\n".join(lines).replace("\\\n", "").split()) == command.strip()
    assert any("'Garden flat / Airbnb'" in line for line in lines)


def test_facts_stand_beside_their_names():
    """What is longer than a line goes on below its beginning."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=30, color_system=None)

    print_facts(console, {"state": "ok", "message": "one two three four five six"})
    print_line(console, "\x1b[31mred\x1b[0m")

    lines = file.getvalue().splitlines()
    assert lines[:3] == ["state    ok", "message  one two three four", "         five six"]
    assert not re.search("\x1b", lines[-1])
