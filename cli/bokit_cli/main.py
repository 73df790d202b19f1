"""``bokit``: the commands and their exit codes.

0      all well
1      it ran, and a source failed or was held
2      wrong use or bad input: one line says what is wrong and how to fix it
130    interrupted, with nothing half written
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

import typer
from typer import exceptions as usage

from bokit.config import is_debugging
from bokit.errors import BokitError
from bokit.observability import configure_plain
from bokit_cli import (
    alerts,
    bookings,
    conflicts,
    export,
    feeds,
    places,
    replay,
    settings,
    sources,
    status,
    sync,
    tokens,
    webhooks,
)
from bokit_cli.session import StackLocator
from bokit_cli.show import clean

app = typer.Typer(
    name="bokit",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Keeps holiday-rental calendars in sync and correct.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"bokit {version('bokit')}")
        except PackageNotFoundError:
            typer.echo("bokit (not installed)")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    configure_plain("INFO" if is_debugging() else "ERROR")


for _commands in (feeds, places, sources, sync, status, bookings, conflicts, export, settings, tokens, webhooks, alerts, replay):
    _commands.register(app)


@cache
def _command() -> Any:
    """Return the tree of commands, built once: it takes longer to build than most commands to run."""
    return typer.main.get_command(app)


def execute(arguments: Sequence[str] | None = None, locator: StackLocator | None = None) -> int:
    """Run one command line and return its exit code; never raises."""
    try:
        ended: Any = _command()(args=arguments, standalone_mode=False, prog_name="bokit", obj=locator or StackLocator())
        return ended if isinstance(ended, int) else 0
    except (KeyboardInterrupt, usage.Abort):
        return _fail("interrupted", 130)
    except usage.TyperException as error:
        return _fail_usage(error)
    except BokitError as error:
        return _fail(str(error), 2)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - nobody reads the rest
        return 0
    except Exception as error:
        return _fail(f"unexpected error in Bokit: {type(error).__name__}; set BOKIT_DEBUG=1 to see where", 1)


def _fail(message: str, code: int) -> int:
    """Print one line on standard error, below a traceback if BOKIT_DEBUG is set, and return *code*."""
    if is_debugging():
        traceback.print_exc()
    sys.stderr.write(f"error: {clean(message)}\n")
    return code


def _fail_usage(error: usage.TyperException) -> int:
    """Print wrong use in one line; a group without a command prints its help."""
    ctx: Any = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError" and ctx is not None:
        sys.stderr.write(f"{ctx.get_help()}\n")
        return 2
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return _fail(f"{_lower(message)}; see `{ctx.command_path if ctx else 'bokit'} --help`", 2)


def _lower(message: str) -> str:
    return (message[:1].lower() + message[1:]).rstrip(".")


def run() -> None:
    """Run the command line of this process."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    code = execute()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as above
    sys.exit(code)
