"""Every command's table in terminals of 80 and of 40 columns, and in a pipe, where names are of every script and length."""

from __future__ import annotations

import io
import pkgutil
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rich.cells import cell_len
from rich.console import Console

import bokit_cli
from bokit_cli import databases, dead_letters, sources
from bokit_cli.tables import Table
from tests.support.named_world import GUESTS, NamedWorld
from tests.support.terminal import Terminal

WIDTHS = (80, 40)
ID = re.compile(r"(?:src|unit|prop|whk|tok|evt|run|alr|col|rec|clients)[_.][0-9a-z_.]+|[0-9a-f]{8}|[0-9a-f-]{36}")
BRIEF = re.compile(r"(?:[A-Z][a-z]{2}|\d+)–\d+|taken|edited|confirm|echo|warning\+")
"""The short forms of dates and states, of which a pipe has the long ones."""
HINT = re.compile(r"^no room for .*?--json$", re.MULTILINE | re.DOTALL)


class Case(NamedTuple):
    """What prints a table: the arguments of a command, and how many entries its document has."""

    arguments: Callable[[NamedWorld], tuple[str, ...]]
    count: Callable[[Any], int] = lambda document: len(document["items"])


CASES: dict[str, Case] = {
    "alerts.CHANNELS": Case(lambda w: ("alert", "list")),
    "bookings.BOOKINGS": Case(lambda w: ("bookings", "--all")),
    "collections.COLLECTIONS": Case(lambda w: ("collection", "list", "--counts")),
    "config_file.CHANGES": Case(
        lambda w: ("config", "diff", w.config, "--prune"),
        lambda d: sum(len(d[how]) for how in ("added", "changed", "removed", "kept", "left")),
    ),
    "feeds.ENTRIES": Case(lambda w: ("feed", "inspect", w.feed), lambda d: len(d["entries"])),
    "guests.GUESTS": Case(lambda w: ("guest", "find", GUESTS[0])),
    "guests.RECEIPTS": Case(lambda w: ("guest", "receipts")),
    "history.RUNS": Case(lambda w: ("history",)),
    "occupancy.OCCUPANCY": Case(lambda w: ("stats", "--occupancy")),
    "places.PROPERTIES": Case(lambda w: ("property", "list")),
    "places.TENANTS": Case(lambda w: ("tenant", "list")),
    "places.UNITS": Case(lambda w: ("unit", "list")),
    "records.RECORDS": Case(lambda w: ("records", "list", "--collection", w.collection)),
    "replay.STAYS": Case(lambda w: ("replay", w.history), lambda d: len(d["stays"])),
    "settings.OPTIONS": Case(lambda w: ("options", "list")),
    "sources.ENTRIES": Case(lambda w: ("source", "test", w.sources[2][0]), lambda d: len(d["entries"])),
    "databases.MARKS": Case(lambda w: ("source", "marks", w.sources[0][0])),
    "sources.RELEASES": Case(lambda w: ("source", "show", w.sources[0][0]), lambda d: len(d["hold"]["releases"])),
    "sources.SOURCES": Case(lambda w: ("source", "list", "--removed")),
    "status.FRESHNESS": Case(lambda w: ("status",), lambda d: len(d["sources"])),
    "status.QUOTAS": Case(lambda w: ("quotas",), lambda d: len(d["tenant"]) + len(d["stack"])),
    "sync.SYNCED": Case(lambda w: ("sync", "--all", "--force", "--dry-run"), lambda d: len(d["sources"])),
    "tokens.TOKENS": Case(lambda w: ("token", "list")),
    "webhooks.DELIVERIES": Case(lambda w: ("webhook", "deliveries", w.webhook)),
    "webhooks.WEBHOOKS": Case(lambda w: ("webhook", "list")),
}
"""By module and name of the table."""

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
LETTER: Any = {
    "id": "0b0e7a3e-5c51-4ab8-9a77-1f2d3c4b5a69",
    "queue": "sync",
    "about": "12 sources of Villa Rosa on the hill",
    "sent_at": AT,
    "receives": 5,
}
RECORD = {"id": "clients.0001", "fields": {"raison_sociale": "Société des bateaux du vieux port et de ses environs"}}
LISTED = {
    "table": "commandes_fournisseurs_archive",
    "columns": [{"name": name, "type": "varchar(255)"} for name in ("numero", "raison_sociale", "modifie_le", "supprime_le")],
    "suggested": {"key": ["numero"], "updated_at": "modifie_le", "deleted": "supprime_le"},
}
LISTING = {"tables": [LISTED] * 2, "more": 0, "hidden": 0, "problem": None}
DRAWN: dict[str, Callable[[Console], object]] = {
    "dead_letters.LETTERS": lambda c: dead_letters._show(c, [LETTER], ""),
    "databases.TABLES": lambda c: databases.show_listing(c, LISTING),
    "sources.RECORDS": lambda c: sources.show_preview(c, {"verdict": "ok", "entries": [RECORD] * 2, "problems": []}),
}
"""Tables of commands that need a queue or a database, printed by the same functions."""
MADE: list[NamedWorld] = []


@pytest.fixture
def world(capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory) -> NamedWorld:
    """Return the world, made once: the commands of CASES change nothing in it."""
    if not MADE:
        folder = tmp_path_factory.mktemp("world")
        MADE.append(NamedWorld(Terminal(capsys, folder / ".bokit"), folder))
    MADE[0].terminal.capsys = capsys
    return MADE[0]


def declared() -> Iterator[tuple[str, Table]]:
    """Yield the tables of all modules of the command line."""
    for module in pkgutil.iter_modules(bokit_cli.__path__):
        if not module.name.startswith("__"):
            found = vars(import_module(f"bokit_cli.{module.name}"))
            yield from ((f"{module.name}.{name}", table) for name, table in found.items() if isinstance(table, Table))


TABLES = dict(declared())


def words(text: str) -> list[str]:
    """Return the words of an output, without marks, and without the sign that a command goes on."""
    return [word.strip(":;,.()`") for word in text.replace("\u200e", "").split() if word != "\\"]


def check_terminal(text: str, width: int, piped: str) -> None:
    """Nothing is wider than the terminal, each word and each id is whole, and what is cut says so."""
    whole = set(words(piped))
    for line in text.splitlines():
        assert cell_len(line) <= width or " " not in line.strip(), line
    for word in words(HINT.sub("", text)):
        if word.endswith("…"):
            assert not ID.fullmatch(word[:-1]), word
        else:
            assert word in whole or BRIEF.fullmatch(word), word


def test_every_table_is_printed_here():
    """A new table needs a case here; and no command prints a table of another kind."""
    assert set(TABLES) == {*CASES, *DRAWN}
    folder = Path(bokit_cli.__file__).parent
    assert [path.name for path in folder.glob("**/*.py") if "rich.table" in path.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize("name", CASES)
def test_a_commands_table_fits_the_terminal_and_is_whole_in_a_pipe(world, name):
    """In a pipe: a line with tabs for each entry, below the titles, without marks and without an ellipsis of ours."""
    arguments, table = CASES[name].arguments(world), TABLES[name]
    count = CASES[name].count(world.make(*arguments))

    piped = world.terminal.run(*arguments).out

    rows = [line.split("\t") for line in piped.splitlines() if "\t" in line]
    assert rows[0] == [column.title for column in table.columns]
    assert len(rows) == 1 + min(count, 5 if name == "sources.ENTRIES" else count) > 1
    assert {len(row) for row in rows} == {len(table.columns)}
    assert "\u200e" not in piped
    for width in WIDTHS:
        answer = world.terminal.run(*arguments, width=width)
        assert table.columns[0].title in answer.out
        check_terminal(answer.out, width, piped)


@pytest.mark.parametrize("name", DRAWN)
def test_a_table_of_another_stack_fits_too(name):
    """As above."""

    def draw(**given: Any) -> str:
        file = io.StringIO()
        DRAWN[name](Console(file=file, highlight=False, markup=False, emoji=False, **given))
        return file.getvalue()

    piped = draw(force_terminal=False)
    assert "\t".join(column.title for column in TABLES[name].columns) in piped
    for width in WIDTHS:
        check_terminal(draw(force_terminal=True, width=width, color_system=None), width, piped)


@pytest.mark.parametrize("command", ["conflicts", "today", "week", "stats", "bookings --explain 2026-12-29", "calendar"])
def test_lines_fit_too(world, command):
    """Texts beside tables are broken between words."""
    piped = world.terminal.run(*command.split()).out

    assert "\u200e" not in piped
    for width in WIDTHS:
        text = world.terminal.run(*command.split(), width=width).out
        if command == "calendar":
            assert max(map(cell_len, text.splitlines())) <= width
        else:
            check_terminal(text, width, piped)
