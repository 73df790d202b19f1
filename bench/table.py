"""The one table of ``make bench``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import StringIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.rows import Row
from bench.suite import Outcome

WIDTH = 100
"""Columns of a terminal, at most."""


def draw_table(outcomes: Sequence[Outcome]) -> str:
    """Return the table: a line for each figure, and for each benchmark that was not run, with the reason."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, width=WIDTH)
    table.add_column("what", ratio=1, overflow="fold")
    for name in ("ours", "peer", "floor", "ratio", "goal"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("met", no_wrap=True)
    for outcome in outcomes:
        if why := outcome.broken or outcome.lacking:
            table.add_row(Text(f"{outcome.name}: not run: {why}"), *[""] * 5, "no" if outcome.broken else "")
        for row in outcome.rows:
            table.add_row(*map(Text, _cells(row)))
    text = StringIO()
    Console(file=text, width=WIDTH, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    goal = f"{'≤' if row.at_most else '≥'} {row.goal:.3g}"
    return row.what, row.ours, row.peer, row.floor, format_ratio(row.ratio), goal, "yes" if row.is_met else "no"


def format_ratio(ratio: float) -> str:
    """Return three digits, or all before the point: ``0.292``, ``31.2``, ``1204``."""
    return f"{ratio:.0f}" if abs(ratio) >= 1000 else f"{ratio:.3g}"


def count_met(outcomes: Iterable[Outcome]) -> str:
    """Return how many goals are met: ``31 of 40 goals met``."""
    rows = [row for outcome in outcomes for row in outcome.rows]
    return f"{sum(row.is_met for row in rows)} of {len(rows)} goals met"
