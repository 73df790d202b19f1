"""``bokit replay``: the whole engine over a feed's history, in the history's own time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.flags import AsJson
from bokit_cli.session import Session
from bokit_cli.show import print_line, print_table, stay_words, word

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.engine.replay import Progress

MOST = 40
"""Stays that the table shows; the JSON document has all."""


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("replay")(replay)


def replay(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="<YYYYMMDDTHHMMSSZ>.ics bodies, and perhaps a meta.json.")],
    as_json: AsJson = False,
) -> None:
    """Run the whole engine over a feed's history, in the history's own time."""
    from bokit.engine.replay import replay_history

    session = Session(ctx, as_json=as_json)
    with _progress(session) as progress:
        doc = replay_history(folder, progress=progress)
    session.answer(doc, lambda c: _show_replay(c, doc))


@contextmanager
def _progress(session: Session) -> Iterator[Progress | None]:
    """Show a bar while a person watches."""
    if not session.shows_progress:
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replaying", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _show_replay(console: Console, doc: dict[str, Any]) -> None:
    stays = sorted(doc["stays"], key=lambda s: str(s["history"][-1]["check_in"]))
    rows = [_stay_row(stay) for stay in stays[:MOST]]
    print_table(console, ["stay!", "kind", "code", "changes#", "last", "at!"], rows, "no stay was seen")
    if len(stays) > MOST:
        print_line(console, f"… and {len(stays) - MOST} more; --json has them all")
    told = ", ".join(f"{n} {name}" for name, n in doc["counts"].items())
    print_line(console, f"{doc['fetches']} fetches: {told}")


def _stay_row(stay: dict[str, Any]) -> tuple[object, ...]:
    last = stay["history"][-1]
    shown = stay_words(last["check_in"], last["check_out"])
    return shown, stay["kind"], stay["code"], len(stay["history"]), word(last["change"]), last["at"][:10]
