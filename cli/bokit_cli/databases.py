"""Databases as sources: the tables that they have, and until which time each was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bokit_cli.show import ago_words, plural, print_line
from bokit_cli.tables import Column, Table

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

TABLES = Table(
    Column("table", least=12),
    Column("key"),
    Column("updated at", drop=2),
    Column("deleted", drop=3),
    Column("columns", drop=4, least=20),
    empty="the database has no table that this account may read",
)
MARKS = Table(
    Column("table", least=12),
    Column("by", drop=3),
    Column("mark"),
    Column("read in full", drop=2),
    Column("next", drop=1, least=20),
    empty="no table of this name",
)


def show_listing(console: Console, listing: dict[str, Any]) -> None:
    """Print the tables that a database has, with the settings that fit them."""
    print_line(console)
    if listing["problem"]:
        print_line(console, f"its tables cannot be listed: {listing['problem']}")
    rows = list[tuple[object, ...]]()
    for table in listing["tables"]:
        columns, fitting = ", ".join(f"{c['name']} {c['type']}".strip() for c in table["columns"]), table["suggested"]
        rows.append(
            (table["table"], ", ".join(fitting.get("key", ())), fitting.get("updated_at"), fitting.get("deleted"), columns)
        )
    TABLES.print(console, rows)
    if listing["more"]:
        print_line(console, f"… and {listing['more']} more")
    if listing["hidden"]:
        print_line(console, f"{plural(listing['hidden'], 'table')} that this account may not read")


def print_marks(console: Console, marks: Sequence[Mapping[str, Any]], note: str, now: datetime) -> None:
    """Print the marks of a source, after a *note*."""
    if note:
        print_line(console, note)
    rows = [
        (m["table"] or m["collection"], m["by"], m["mark"], m["full_at"] and ago_words(m["full_at"], now), m["meaning"])
        for m in marks
    ]
    MARKS.print(console, rows)
