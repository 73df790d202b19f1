"""CSV as RFC 4180 has it, of values of JSON: a line for each record, and what a spreadsheet must not run.

value                 cell
text                  itself; in quotes where it has a comma, a quote or a line break, and where it is empty
number, true, false   as JSON writes it, all digits
null, absent          nothing, not even quotes
object, array         its JSON
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from bokit.core.model.records import Json

LINE_END = "\r\n"
_QUOTED = re.compile(r'[",\r\n]|^\s|\s$|^$')
_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
_HARMLESS = re.compile(r"[+-][\d\s.,()/-]*")
"""A number, or a telephone number: a spreadsheet at most calculates with it."""


def write_cell(value: Json) -> str | None:
    """Return the text of a value's cell; None for null.

    >>> [write_cell(value) for value in ("a", 9007199254740993, 0.5, True, None, {"n": [1]})]
    ['a', '9007199254740993', '0.5', 'true', None, '{"n":[1]}']
    """
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def guard_cell(text: str) -> str:
    """Return *text* with a ``'`` before it if a spreadsheet might run it as a formula; removing one ``'`` gives it back.

    >>> guard_cell("=1+1"), guard_cell("'=1+1"), guard_cell("+39 055 12"), guard_cell("-5"), guard_cell("-1+A1")
    ("'=1+1", "''=1+1", '+39 055 12', '-5', "'-1+A1")
    """
    return f"'{text}" if _FORMULA.match(text) and not _HARMLESS.fullmatch(text) else text


def write_line(cells: Iterable[str | None]) -> str:
    r"""Return a line of CSV.

    >>> write_line(["7", None, "", 'Rosa "la" Rossa, Pisa'])
    '7,,"","Rosa ""la"" Rossa, Pisa"\r\n'
    """
    return ",".join(map(_write_quoted, cells)) + LINE_END


def _write_quoted(cell: str | None) -> str:
    if cell is None:
        return ""
    return f'"{cell.replace(chr(34), chr(34) * 2)}"' if _QUOTED.search(cell) else cell
