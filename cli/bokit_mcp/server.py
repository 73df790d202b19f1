"""What an assistant may ask, over MCP on standard input and output. Each question is a command of ``bokit``.

    status, calendar, explain, conflicts, changes     read
    plan_edit, plan_acknowledge                       write a plan down; a person applies it with ``bokit apply-plan``

No tool writes anything else, so no answer of an assistant changes a booking. What is known of guests is left out, unless
``bokit mcp --guests`` started this. It runs with the SDK's own Python, and imports nothing of Bokit.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from anyio import to_thread
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations

ABOUT = """Bokit keeps holiday-rental calendars of several channels in sync and detects double bookings.
You can read. You cannot write: plan_edit and plan_acknowledge return a plan and a command. Show the person both; the change
happens only when the person runs that command in a terminal. Dates are YYYY-MM-DD; a stay holds the nights before check_out."""
TIMEOUT_S = 120
MAX_CHANGES = 200
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
PLANS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """Bokit's command line, which answers with JSON."""

    command: Sequence[str]
    tenant: str
    hidden: frozenset[str]
    """Names of what is not shown."""

    async def ask(self, *words: str, names: Sequence[str] = ()) -> dict[str, Any]:
        """Return the answer to one command; *names* are its arguments, whatever they begin with."""
        options = [f"--tenant={self.tenant}", "--json", "--"]
        return await to_thread.run_sync(partial(self._run, [*self.command, *words, *options, *names]))

    def _run(self, arguments: Sequence[str]) -> dict[str, Any]:
        try:
            done = subprocess.run(  # noqa: S603 - Bokit's own, with no shell
                arguments, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise ToolError(f"Bokit did not answer within {TIMEOUT_S} seconds") from None
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            raise ToolError(done.stderr.strip() or f"bokit ended with code {done.returncode}, and said nothing") from None
        if set(answer) == {"error"} and done.returncode:
            raise ToolError(describe_error(answer["error"]))
        shown: dict[str, Any] = hide(answer, self.hidden)
        return shown


def describe_error(error: dict[str, Any]) -> str:
    """Return why a command failed, with the field that is wrong."""
    fields = [f"{one['field']}: {one['message']}" for one in error["errors"]]
    return f"{'; '.join(fields) or error['message']} ({error['code']})"


def hide(value: Any, names: frozenset[str]) -> Any:
    """Return *value* without what has one of these names, however deep it is."""
    if isinstance(value, dict):
        return {name: hide(inner, names) for name, inner in value.items() if name not in names}
    return [hide(inner, names) for inner in value] if isinstance(value, list) else value


class Tools:
    """What an assistant may ask."""

    def __init__(self, bokit: CommandLine) -> None:
        self._bokit = bokit

    async def status(self) -> dict[str, Any]:
        """When each calendar was last read, and what needs a person."""
        return await self._bokit.ask("status")

    async def calendar(self, unit: str | None = None, month: str | None = None) -> dict[str, Any]:
        """A month's nights of one unit or of all: who has each, arrivals, departures, double bookings. month: YYYY-MM."""
        return await self._bokit.ask("calendar", names=[name for name in (unit, month) if name])

    async def explain(self, unit: str, night: str) -> dict[str, Any]:
        """Why a night of a unit is taken or free: which bookings hold it, from which calendar, and what is published."""
        return await self._bokit.ask("bookings", f"--unit={unit}", f"--explain={night}")

    async def conflicts(self, closed: bool = False) -> dict[str, Any]:
        """Double bookings: which nights, which bookings, how certain. closed: those that are over, too."""
        return await self._bokit.ask("conflicts", *(["--all"] if closed else []))

    async def changes(self, booking: str, limit: int = 20) -> dict[str, Any]:
        """The last changes of a booking: when, by whom, and why. booking: its id, or the first eight letters of it."""
        most = max(1, min(limit, MAX_CHANGES))
        return await self._bokit.ask("booking", "changes", f"--limit={most}", names=[booking])

    async def plan_edit(self, booking: str, fields: dict[str, str]) -> dict[str, Any]:
        """Plan an edit of a booking, such as {"check_out": "2026-07-15"}. Nothing is written: show the person the command."""
        return await self._bokit.ask(
            "plan", "edit", *(f"--set={name}={value}" for name, value in fields.items()), names=[booking]
        )

    async def plan_acknowledge(self, conflict: str) -> dict[str, Any]:
        """Plan to mute a double booking that the person knows of. Nothing is written: show the person the command."""
        return await self._bokit.ask("plan", "acknowledge", names=[conflict])


def make_server(bokit: CommandLine) -> MCPServer[Any]:
    """Return the server of these tools."""
    server: MCPServer[Any] = MCPServer("bokit", title="Bokit", instructions=ABOUT, log_level="ERROR")
    tools = Tools(bokit)
    for read in (tools.status, tools.calendar, tools.explain, tools.conflicts, tools.changes):
        server.add_tool(read, annotations=READS)
    for plan in (tools.plan_edit, tools.plan_acknowledge):
        server.add_tool(plan, annotations=PLANS)
    return server


def main(settings: str) -> None:
    """Serve until the assistant's program ends."""
    given = json.loads(settings)
    bokit = CommandLine(command=given["command"], tenant=given["tenant"], hidden=frozenset(given["hidden"]))
    make_server(bokit).run("stdio")


if __name__ == "__main__":
    main(sys.argv[1])
