"""``bokit mcp``: hand this process to the server for assistants, which has an environment of its own.

an assistant's program ──► bokit mcp ──► .bokit/mcp: the MCP SDK ──► bokit … --json, for each question
"""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer

from bokit_cli.flags import DEFAULT, Tenant
from bokit_cli.session import PROJECT, Session

PYTHON = PROJECT / ".bokit" / "mcp" / "bin" / "python"
SERVER = PROJECT / "cli" / "bokit_mcp" / "server.py"
NOT_INSTALLED = "the MCP SDK is not installed here: run `make mcp` in Bokit's folder"
OTHER_GUEST_FIELDS = ("extra", "who", "reservation")
"""Names beside those of a booking's own fields under which documents show something of a guest."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("mcp")(serve_assistants)


def serve_assistants(
    ctx: typer.Context,
    guests: Annotated[bool, typer.Option("--guests", help="Show guests' names, contacts and codes, too.")] = False,
    tenant: Tenant = DEFAULT,
) -> None:
    """Serve an assistant (MCP): it reads, and plans what you apply."""
    from bokit.config import read_environment
    from bokit.engine.bookings.terms import GUEST_FIELDS
    from bokit.errors import ConfigError

    if not PYTHON.is_file():
        raise ConfigError(NOT_INSTALLED)
    session = Session(ctx, tenant)
    hidden = () if guests else sorted({*GUEST_FIELDS, *OTHER_GUEST_FIELDS})
    settings = {"command": [sys.executable, "-m", "bokit_cli", *_stack_options(session)], "tenant": tenant, "hidden": hidden}
    # -I: PYTHONPATH is the command line's, and not that environment's
    arguments = [str(PYTHON), "-I", str(SERVER), json.dumps(settings)]
    os.execve(PYTHON, arguments, dict(read_environment()))  # noqa: S606 - our own, with no shell  # nosec B606


def _stack_options(session: Session) -> list[str]:
    """Return the options that choose the stack, as they were given."""
    choice = session.locator.choice
    given = {"--stack": choice.stack, "--profile": choice.profile, "--region": choice.region} if choice else {}
    return [f"{name}={value}" for name, value in given.items() if value]
