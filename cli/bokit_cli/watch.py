"""Looking again and again: what ``bokit status --watch`` does between two looks, and the option that says how often."""

from __future__ import annotations

from collections.abc import Callable

import typer

from bokit_cli.interrupts import Interrupts
from bokit_cli.session import Session
from bokit_cli.show import exact_span_words, print_line

DEFAULT_SECONDS = 10


def read_span(name: str, text: str) -> int:
    """Return the seconds that *text*, the value of the option *name*, says: 5, 30s or 15m, at least one second."""
    from bokit.core.model.options import read_seconds
    from bokit.errors import OptionError

    try:
        return read_seconds(text, least=1)
    except OptionError as error:
        raise typer.BadParameter(f"{name}: {error.message}") from None


def watch(session: Session, seconds: int, look: Callable[[], object]) -> int:
    """Call *look*, which prints, every so many seconds until a signal; return the exit code.

    A terminal is cleared before each look; in a pipe each is a block of its own. Where the first look fails, its error ends the
    command; a later one is printed, since what did not answer may answer again.
    """
    from bokit.errors import BokitError

    console = session.console
    with Interrupts() as interrupts:
        is_first = True
        while not interrupts.came:
            if console.is_terminal:
                console.clear()
            elif not is_first:
                print_line(console)
            print_line(console, f"{session.bokit.clock().astimezone():%Y-%m-%d %H:%M:%S}, every {exact_span_words(seconds)}")
            try:
                look()
            except BokitError as error:
                if is_first:
                    raise
                print_line(console, f"error: {error}")
            console.file.flush()
            is_first = False
            if interrupts.stop.wait(seconds):
                break
    return 0
