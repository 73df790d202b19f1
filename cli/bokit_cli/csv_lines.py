"""CSV that commands print: RFC 4180, without what a spreadsheet would run as a formula."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from bokit_cli.show import plural


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, is_exact: bool = False) -> tuple[bytes, int]:
    """Return a header with *rows*, and how many cells have a ``'`` before them; *is_exact*: formulas are left as they are."""
    from bokit.core.items.cells import guard_cell, write_cell, write_line

    guarded, lines = 0, [write_line(columns)]
    for row in rows:
        cells = [write_cell(value) for value in row]
        safe = [guard_cell(c) if isinstance(v, str) and c and not is_exact else c for v, c in zip(row, cells, strict=True)]
        guarded += sum(cell != shown for cell, shown in zip(cells, safe, strict=True))
        lines.append(write_line(safe))
    return "".join(lines).encode(errors="backslashreplace"), guarded


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a header with *rows* on standard output."""
    text, guarded = write_csv(columns, rows)
    print_bytes(text)
    note_guarded(guarded)


def print_bytes(text: bytes) -> None:
    """Print what goes into a file as it is, line ends included."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


def note_guarded(guarded: int, *, has_exact: bool = False) -> None:
    """Say on standard error which cells are not as they are stored; *has_exact*: an option leaves them so."""
    if guarded:
        hint = "; --exact leaves it out" if has_exact else ""
        sys.stderr.write(f"note: a ' stands before {plural(guarded, 'cell')} that a spreadsheet may run as a formula{hint}\n")
