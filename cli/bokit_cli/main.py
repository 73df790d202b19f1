"""``bokit``: the commands and their exit codes.

0      all well
1      it ran, and a source failed or was held
2      wrong use or bad input: one line says what is wrong and how to fix it
130    interrupted, with nothing half written
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.commands import CommandLine
from bokit_cli.plain_values import take_plain_values

if TYPE_CHECKING:
    from bokit_cli.session import StackLocator

app = typer.Typer(
    name="bokit",
    cls=CommandLine,
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
    ctx: typer.Context,
    stack: Annotated[
        str | None, typer.Option("--stack", metavar="NAME", help="The deployed stack; BOKIT_STACK if omitted.")
    ] = None,
    profile: Annotated[str | None, typer.Option("--profile", metavar="NAME", help="The AWS profile to act as.")] = None,
    region: Annotated[str | None, typer.Option("--region", metavar="NAME", help="The AWS region of the stack.")] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    from bokit.config import StackChoice, is_debugging
    from bokit.observability import configure_plain
    from bokit_cli.session import StackLocator

    configure_plain("INFO" if is_debugging() else "ERROR")
    ctx.obj = ctx.obj or StackLocator()
    ctx.obj.choice = StackChoice(stack=stack, profile=profile, region=region)


MANY_OBJECTS = 100_000
"""New objects before Python looks for garbage. Its own 700 make it look dozens of times while a command is imported."""


@cache
def _command() -> Any:
    """Return the tree of commands, built once."""
    take_plain_values()
    return typer.main.get_command(app)


def execute(arguments: Sequence[str] | None = None, locator: StackLocator | None = None) -> int:
    """Run one command line and return its exit code; never raises."""
    try:
        ended: Any = _command()(args=arguments, standalone_mode=False, prog_name="bokit", obj=locator)
        return ended if isinstance(ended, int) else 0
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - nobody reads the rest
        return 0
    except (Exception, KeyboardInterrupt) as error:
        from bokit_cli.failures import end_failed, wants_json

        return end_failed(error, as_json=wants_json(sys.argv[1:] if arguments is None else arguments))


def run() -> None:
    """Run the command line of this process."""
    gc.set_threshold(MANY_OBJECTS)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    code = execute()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as above
    gc.freeze()  # else Python looks for garbage once more in all that was imported, which the system frees anyway
    sys.exit(code)
