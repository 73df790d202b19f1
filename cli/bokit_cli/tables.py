"""Tables: each as wide as the terminal, by leaving out columns or shortening them; in a pipe, tabs and nothing left out.

Every command that prints a table declares it here once: ``TABLE = Table(Column(…), …, empty="…")``. What gives way first
is declared with the columns; how it gives way is decided in this module alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from bokit_cli.lines import cut, isolate, shrink
from bokit_cli.show import Cell, clean, print_line, short_stay_words, stay_words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

GAP = 2  # spaces between two columns


class Column(NamedTuple):
    """A column, and how it gives way where a line has no room for all of them."""

    title: str
    drop: int = 0
    """When it is left out: 1 before anything is shortened, then 2, 3 and so on where that was not enough; 0: never."""
    least: int | None = None
    """How many cells it keeps when it is shortened; None: it stays whole, as an id does that one has to copy."""
    number: bool = False
    """Whether it stands on the right."""


class Table:
    """A command's table: its columns, and what is printed where it has no rows."""

    def __init__(self, *columns: Column, empty: str = "") -> None:
        self.columns, self.empty = columns, empty

    def print(self, console: Console, rows: Iterable[Sequence[object]], empty: str | None = None) -> bool:
        """Print *rows* under the columns, or what says that there are none; return whether all texts are whole."""
        cells = [[_read(cell) for cell in row] for row in rows]
        if not cells:
            print_line(console, self.empty if empty is None else empty)
        elif console.is_terminal:
            return self._print_fitted(console, cells)
        else:
            lines = [[c.title for c in self.columns], *([cell.text for cell in row] for row in cells)]
            console.file.write("".join("\t".join(line) + "\n" for line in lines))
        return True

    def _print_fitted(self, console: Console, rows: list[list[Cell]]) -> bool:
        from rich.text import Text

        layout = _fit(self.columns, rows, console.width)
        for row in [[Cell(c.title, c.title, "bold") for c in self.columns], *rows]:
            line = Text()
            for place in layout.places:
                place.add(line, row[place.at])
            line.rstrip()
            console.print(line, soft_wrap=True)
        if layout.left_out:
            names = ", ".join(self.columns[at].title for at in layout.left_out)
            print_line(console, f"no room for {names}: widen the terminal, or use --json")
        return not layout.left_out and all(place.is_whole for place in layout.places)


def _read(cell: object) -> Cell:
    """Return a cell of a row, which may be any value."""
    if isinstance(cell, Cell):
        return Cell(clean(cell.text), clean(cell.brief), cell.style)
    text = clean(cell)
    return Cell(text, text)


class _Place(NamedTuple):
    """Where a column stands: its number in the table, its width, and in which form."""

    at: int
    width: int
    is_brief: bool
    is_number: bool
    is_whole: bool
    """Whether the column's texts are printed in full."""

    def add(self, line: Text, cell: Cell) -> None:
        """Put a cell of this column at the end of a line."""
        from rich.cells import cell_len

        text = cut(cell.brief if self.is_brief else cell.text, self.width)
        space = " " * (self.width - cell_len(text))
        line.append(" " * GAP if line else "")
        line.append(space if self.is_number else "")
        line.append(isolate(text), style=cell.style)
        line.append("" if self.is_number else space)


class _Layout(NamedTuple):
    """The columns that are printed, and those that are not though they have something to say."""

    places: list[_Place]
    left_out: list[int]


class _Widths(NamedTuple):
    """A column's widths, by its number in the table."""

    at: int
    full: int
    brief: int
    column: Column

    def least(self, width: int) -> int:
        """Return how narrow the column may become from *width*."""
        return width if self.column.least is None else min(width, self.column.least)


def _fit(columns: Sequence[Column], rows: list[list[Cell]], width: int) -> _Layout:
    """Return the layout that leaves out least in *width* cells.

    Columns without any content are no loss. Of the others, first short forms are taken, then columns with ``drop=1`` are
    left out, then long texts are shortened, then other columns are left out, each time beginning with whole texts again. What
    was left out before a wider column comes back where there is room for all of it.
    """
    found = [_measure(at, column, rows) for at, column in enumerate(columns)]
    shown = [w for w in found if w.full] or found[:1]
    left_out: list[_Widths] = []
    while (places := _arrange(shown, width, may_shorten=all(w.column.drop != 1 for w in shown))) is None:
        droppable = [w for w in shown if w.column.drop] or shown[1:]
        if not droppable:
            return _Layout([_Place(shown[0].at, width, is_brief=True, is_number=False, is_whole=False)], [w.at for w in left_out])
        left_out.append(min(droppable, key=lambda w: (w.column.drop, -w.at)))
        shown.remove(left_out[-1])
    for again in reversed(left_out[:-1]):
        more = sorted([*shown, again])
        if (wider := _arrange(more, width, may_shorten=False)) is not None:
            shown, places = more, wider
            left_out.remove(again)
    return _Layout(places, sorted(w.at for w in left_out))


def _measure(at: int, column: Column, rows: list[list[Cell]]) -> _Widths:
    """Return the widths of a column; 0 where nothing stands in it."""
    from rich.cells import cell_len

    full, brief = (max(map(cell_len, texts)) for texts in zip(*((row[at].text, row[at].brief) for row in rows), strict=True))
    title = cell_len(column.title) if full else 0
    return _Widths(at, max(title, full), max(title, brief), column)


def _arrange(shown: list[_Widths], width: int, *, may_shorten: bool) -> list[_Place] | None:
    """Return where columns stand in *width* cells; None: they do not fit."""
    room = width - GAP * (len(shown) - 1)
    for is_brief in (False, True):
        widths = [w.brief if is_brief else w.full for w in shown]
        if sum(widths) > room and is_brief and may_shorten:
            widths = shrink(widths, [w.least(wide) for w, wide in zip(shown, widths, strict=True)], room)
        if sum(widths) <= room:
            return [_Place(w.at, wide, is_brief, w.column.number, wide >= w.full) for w, wide in zip(shown, widths, strict=True)]
    return None


def stay_cell(check_in: str, check_out: str) -> Cell:
    """Return arrival and departure as a cell."""
    return Cell(stay_words(check_in, check_out), short_stay_words(check_in, check_out))
