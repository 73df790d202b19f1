"""Lines as wide as the terminal: broken between words, cut with an ellipsis, counted in cells, in the order that is meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from shutil import get_terminal_size
from typing import NamedTuple, TextIO

ELLIPSIS = "…"
PARTS = " / "  # between the parts of a full name
LEAST_OF_PART = 4  # cells of a part that are enough to recognize it
_LEFT_TO_RIGHT = "\u200e"
_RIGHT_TO_LEFT = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
_STRONG = re.compile(f"[{_RIGHT_TO_LEFT}]")
_RUN = re.compile(rf"[{_RIGHT_TO_LEFT}]+(?:[\s.,'’()\-]+[{_RIGHT_TO_LEFT}]+)*")
_UNIT = re.compile(r"(\s*)(\S*`[^`]+`[^\s`]*|\S+)")
_COMMAND_LINE = re.compile(r"\s+bokit \S.*")
_ARGUMENT = re.compile(r"""(\s*)((?:"[^"]*"|'[^']*'|\S)+)""")
_CONTINUED = " \\"  # a shell reads on in the next line


def order(text: str) -> str:
    """Return a sentence with marks around what is written from right to left, so that it reorders nothing beside it."""
    return text if text.isascii() else _RUN.sub(lambda found: _mark(found[0]), text)


def isolate(name: str) -> str:
    """Return a name with marks around it, or around each part of a full name, where it has letters from right to left."""
    return PARTS.join(_mark(part) if _STRONG.search(part) else part for part in name.split(PARTS))


def _mark(text: str) -> str:
    return f"{_LEFT_TO_RIGHT}{text}{_LEFT_TO_RIGHT}"


def shrink(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Return widths that give from the widest one first, down to its least, until all have *room* or none gives more.

    >>> shrink([20, 4, 12], [5, 4, 5], 24)
    [10, 4, 10]
    """
    shrunken = list(widths)
    while sum(shrunken) > room:
        giving = [at for at, width in enumerate(shrunken) if width > least[at]]
        if not giving:
            break
        shrunken[max(giving, key=lambda at: (shrunken[at], at))] -= 1
    return shrunken


def cut(text: str, width: int) -> str:
    """Return *text* in at most *width* cells; of a full name the longest parts are cut first.

    >>> cut("Garden flat", 8), cut("Villa Rosa / Garden flat / Airbnb", 26)
    ('Garden…', 'Villa… / Garden… / Airbnb')
    """
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return text
    parts = text.split(PARTS)
    widths, room = [cell_len(part) for part in parts], width - len(PARTS) * (len(parts) - 1)
    shrunken = shrink(widths, [min(wide, LEAST_OF_PART) for wide in widths], room)
    if len(parts) > 1 and sum(shrunken) <= room:
        return PARTS.join(map(cut, parts, shrunken))
    return f"{set_cell_size(text, width - 1).rstrip(' /')}{ELLIPSIS}" if width > 0 else ""


def wrap(text: str, width: int, indent: int | None = None) -> Iterator[str]:
    r"""Yield *text* in lines of *width* cells, broken between words; the lines below the first have *indent* spaces.

    A word that is wider than a line stays whole, since it is an id or an address that somebody copies. A command stays in
    one line where one has room for it; else it is broken as a shell reads it.

    >>> list(wrap("held: `bokit source show src_1` shows why", 30))
    ['held:', '  `bokit source show src_1`', '  shows why']
    >>> list(wrap("  bokit source apply-held src_1 --plan 5f2a", 34))
    ['  bokit source apply-held src_1 \\', '    --plan 5f2a']
    """
    from rich.cells import cell_len

    start = text[: len(text) - len(text.lstrip())]
    later = " " * min(len(start) + 2 if indent is None else indent, width // 2)
    line, goes_on = "", False
    for piece in _split(text, width - len(later)):
        longer = cell_len(f"{line}{piece.gap}{piece.text}") + len(_CONTINUED) * piece.goes_on
        if line.strip() and longer > width:
            yield line + _CONTINUED * goes_on
            line = later + piece.text
        else:
            line += piece.gap + piece.text
        goes_on = piece.goes_on
    yield line


def fit(text: str, stream: TextIO) -> str:
    """Return *text* as *stream* takes it: broken between words where it is a terminal, else as it is."""
    if not stream.isatty():
        return text
    width = get_terminal_size().columns
    return "\n".join(order(line) for line in wrap(text, width))


class _Piece(NamedTuple):
    """What no line break goes into."""

    gap: str
    """The spaces before it."""
    text: str
    goes_on: bool
    """Whether the next piece is of the same command."""


def _split(text: str, room: int) -> Iterator[_Piece]:
    """Yield the words and the commands of a line; what is wider than *room* is taken apart where that does no harm."""
    from rich.cells import cell_len, chop_cells

    if _COMMAND_LINE.fullmatch(text) and cell_len(text.lstrip()) > room:
        yield from _split_command("", text)
        return
    for gap, unit in _UNIT.findall(text):
        if cell_len(unit) <= room or (unit.isascii() and " " not in unit):
            yield _Piece(gap, unit, goes_on=False)
        elif "`" in unit:
            yield from _split_command(gap, unit)
        else:
            first, *rest = chop_cells(unit, max(1, room))
            yield _Piece(gap, first, goes_on=False)
            yield from (_Piece("", part, goes_on=False) for part in rest)


def _split_command(gap: str, command: str) -> Iterator[_Piece]:
    """Yield a command's words, each with its quotes."""
    words = _ARGUMENT.findall(command)
    for number, (space, word) in enumerate(words, 1):
        yield _Piece(gap + space if number == 1 else space, word, goes_on=number < len(words))
