"""``bokit dead-letters``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from bokit_cli.flags import AsJson
from bokit_cli.session import Session
from bokit_cli.show import ago_words, plural, print_line
from bokit_cli.tables import Column, Table

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.engine.runs.dead_letters import DeadLetterService, LetterDocument

LETTERS = Table(
    Column("queue", drop=2),
    Column("what", least=20),
    Column("sent", drop=3),
    Column("times", drop=1, number=True),
    Column("id", drop=4),
)
dead_letters = typer.Typer(no_args_is_help=True, help="Messages that failed too often, of every tenant.")
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="As `list` shows them.")]
All = Annotated[bool, typer.Option("--all", help="Every one.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(dead_letters, name="dead-letters")


@dead_letters.command("list")
def list_letters(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the messages that failed too often; each stays where it is."""
    session = Session(ctx, as_json=as_json)
    found = _open(session).list_letters()
    session.answer_list(found, lambda c: _show(c, found, "no dead letter: nothing that was to be done was given up"))


@dead_letters.command("redrive")
def redrive(ctx: typer.Context, ids: Ids = None, every: All = False, as_json: AsJson = False) -> None:
    """Move messages back to their queues, to be worked again."""
    session = Session(ctx, as_json=as_json)
    done = _open(session).redrive(_chosen(ids, every))
    session.answer_list(done, lambda c: _show(c, done, "no dead letter to move", "moved back"))


@dead_letters.command("discard")
def discard(
    ctx: typer.Context,
    ids: Ids = None,
    every: All = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete messages for good; what they were to sync is synced when it is due again."""
    from bokit.errors import InputError

    session, chosen = Session(ctx, as_json=as_json), _chosen(ids, every)
    what = plural(len(chosen), "dead letter") if chosen else "every dead letter"
    if as_json and not yes:
        raise InputError(f"nobody can be asked under --json; --yes deletes {what}")
    if not yes:
        typer.confirm(f"Delete {what} for good?", abort=True, err=True)
    done = _open(session).discard(chosen)
    session.answer_list(done, lambda c: _show(c, done, "no dead letter to delete", "deleted"))


def start_counting(session: Session) -> Callable[[], int | None]:
    """Count the stack's dead letters beside other work; return a function that waits for the count.

    It returns about how many there are; None: nobody named its queues, or they cannot be asked now.
    """
    from bokit.wiring import open_dead_letters

    settings = session.locator.load_settings()
    if not settings.dead_letters:
        return lambda: None
    from concurrent.futures import ThreadPoolExecutor

    from bokit.errors import BokitError

    def wait() -> int | None:
        try:
            return counted.result()
        except BokitError:
            return None  # what was asked for is there without it

    pool = ThreadPoolExecutor(max_workers=1)
    counted = pool.submit(open_dead_letters(settings).count_letters)
    pool.shutdown(wait=False)
    return wait


def _open(session: Session) -> DeadLetterService:
    from bokit.wiring import open_dead_letters

    return open_dead_letters(session.locator.load_settings())


def _chosen(ids: list[str] | None, every: bool) -> list[str]:
    """Return the ids, none for all; raise InputError without either, or with both."""
    from bokit.errors import InputError

    if bool(ids) == every:
        raise InputError("name ids of `bokit dead-letters list`, or --all")
    return ids or []


def _show(console: Console, found: list[LetterDocument], empty: str, done: str = "") -> None:
    from bokit.engine.base.clock import read_clock

    now = read_clock()
    rows = [(d["queue"], d["about"], ago_words(d["sent_at"], now), f"{d['receives']}", d["id"]) for d in found]
    LETTERS.print(console, rows, empty)
    if done and found:
        print_line(console, f"{plural(len(found), 'dead letter')} {done}")
