"""The commands: the module of each, and its line in ``bokit --help``. A module is imported when its command is called.

Importing all of them takes several times as long as ``bokit --help`` may. A test holds the lines against the modules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup


class CommandEntry(NamedTuple):
    """Where a command is, and what it does."""

    module: str
    about: str


COMMANDS: Mapping[str, CommandEntry] = {
    "sync": CommandEntry("sync", "Sync what is due, or what the options select."),
    "status": CommandEntry("status", "Show when each calendar was last read."),
    "stats": CommandEntry("status", "Show totals: records, sources, runs; or how full your units are."),
    "doctor": CommandEntry("doctor", "Check everything that syncs depend on, and say how to fix what is wrong."),
    "quotas": CommandEntry("status", "Show how much of its quotas the tenant uses, and the stack."),
    "history": CommandEntry("history", "List the runs and how they went; with RUN, show that run."),
    "bookings": CommandEntry("bookings", "List the bookings: the table shows coming ones, --json all."),
    "calendar": CommandEntry("chart", "Show a month: who has each night of each unit, arrivals, departures, double bookings."),
    "today": CommandEntry("agenda", "Show who leaves, arrives and stays today, and what needs you."),
    "week": CommandEntry("agenda", "Show who leaves, arrives and stays today and on the six days after it, and what needs you."),
    "undo": CommandEntry("undo", "Give back what a run or an edit did, where nothing changed it since."),
    "conflicts": CommandEntry("conflicts", "List double bookings: which nights, which bookings, how certain."),
    "export": CommandEntry("export", "Print a unit's outgoing calendar and its secret address."),
    "replay": CommandEntry("replay", "Run the whole engine over a feed's history, in the history's own time."),
    "feed": CommandEntry("feeds", "Inspect a feed before adding it."),
    "property": CommandEntry("places", "Properties, each with its timezone."),
    "unit": CommandEntry("places", "Rentable units: a flat, a room, a villa made of parts."),
    "tenant": CommandEntry("places", "Tenants (customers of the stack)."),
    "source": CommandEntry("sources", "Sources of bookings: feeds, each for one unit."),
    "booking": CommandEntry("bookings", "Add or edit a booking; edits survive syncs."),
    "guest": CommandEntry("guests", "What is kept of a guest: find, export and erase it."),
    "collection": CommandEntry("collections", "Collections of records: show, empty and remove them."),
    "records": CommandEntry("records", "Records of a collection: read, change, delete and export them."),
    "options": CommandEntry("settings", "Options of the tenant."),
    "config": CommandEntry("config_file", "Everything that is declared, from and to one file."),
    "token": CommandEntry("tokens", "API tokens, each for one tenant and one role."),
    "webhook": CommandEntry("webhooks", "Who hears of events, by signed requests."),
    "alert": CommandEntry("alerts", "Channels on which Bokit notifies you of what needs a person."),
    "plan": CommandEntry("plans", "Plan a change that a person applies: what an assistant may ask for."),
    "apply-plan": CommandEntry("plans", "Show a plan and apply it, once you have confirmed it in a terminal."),
    "mcp": CommandEntry("assistants", "Serve an assistant (MCP): it reads, and plans what you apply."),
    "backup": CommandEntry("backup", "Everything that the stack's table holds, in a file."),
    "dead-letters": CommandEntry("dead_letters", "Messages that failed too often, of every tenant."),
}
"""By name, in the order of the help."""


class LoadedCommands(Mapping[str, Any]):
    """The commands themselves: each is imported when it is asked for."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded |= load_commands(COMMANDS[name].module)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


def load_commands(module: str) -> Mapping[str, Any]:
    """Import a module and return its commands by name."""
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    import_module(f"{__package__}.{module}").register(app)
    return typer.main.get_group(app).commands


class CommandLine(TyperGroup):
    """All commands. Its help and its completion read the table; only the command that is called is imported."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = LoadedCommands()  # type: ignore[assignment]  # nothing is added to it

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a signal ends it as any error does, where typer would only exit."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise typer.Abort from error

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> CommandOnCall | None:
        return CommandOnCall(cmd_name, self.commands) if cmd_name in COMMANDS else None


class CommandOnCall(TyperCommand):
    """A command's name and line; the command itself takes its place when it is called, or its arguments are completed."""

    def __init__(self, name: str, commands: Mapping[str, Any]) -> None:
        super().__init__(name, help=COMMANDS[name].about, rich_markup_mode=None)
        self._commands = commands

    @cached_property
    def command(self) -> Any:
        """The command."""
        return self._commands[str(self.name)]

    def make_context(self, *args: Any, **settings: Any) -> Any:
        return self.command.make_context(*args, **settings)
