"""``bokit replay``: the whole engine over a feed's history, in the history's own time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.flags import AsJson
from bokit_cli.session import Session
from bokit_cli.show import MAX_BOOKINGS_SHOWN, plural, print_line, print_more, stay_words, word
from bokit_cli.tables import Column, Table, stay_cell

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.engine.bookings.replay import Progress

STAYS = Table(
    Column("stay"),
    Column("kind", drop=3),
    Column("code", drop=4),
    Column("changes", drop=2, number=True),
    Column("last"),
    Column("at", drop=1),
    empty="no stay in these feeds; `bokit feed inspect FILE` shows what is read in one",
)
MAX_STAYS_SHOWN = 40  # in the table; the JSON document has all


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("replay")(replay)


def replay(
    ctx: typer.Context,
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Folders of <YYYYMMDDTHHMMSSZ>.ics files and an optional meta.json.")
    ],
    as_unit: Annotated[
        bool, typer.Option("--unit", help="Replay all as sources of one unit, with echoes, joint bookings and conflicts.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the whole engine over a feed's history, in the history's own time."""
    from bokit.engine.bookings.replay import replay_history
    from bokit.engine.bookings.replay_unit import replay_unit
    from bokit.errors import InputError

    if len(folders) > 1 and not as_unit:
        raise InputError("several folders are replayed together as one unit's sources; add --unit")
    session = Session(ctx, as_json=as_json)
    with _progress(session) as progress:
        doc = replay_unit(folders, progress=progress) if as_unit else replay_history(folders[0], progress=progress)
    session.answer(doc, lambda c: _show_unit(c, doc) if as_unit else _show_replay(c, doc))


@contextmanager
def _progress(session: Session) -> Iterator[Progress | None]:
    """Show a progress bar, on a terminal."""
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
    rows = [_stay_row(stay) for stay in stays[:MAX_STAYS_SHOWN]]
    STAYS.print(console, rows)
    print_more(console, len(stays) - MAX_STAYS_SHOWN)
    counts = ", ".join(f"{n} {name}" for name, n in doc["counts"].items() if n)
    print_line(console, f"{plural(doc['fetches'], 'fetch', 'fetches')}: {counts or 'no stay created'}")


def _show_unit(console: Console, doc: dict[str, Any]) -> None:
    _show_replay(console, doc)
    names = {s["source_id"]: s["name"] for s in doc["sources"]}
    stays = {s["id"]: s for s in doc["stays"]}
    echoes = [e for e in doc["echoes"] if e["state"] == "echo"]
    still = sum(e["until"] is None for e in echoes)
    print_line(
        console, f"{plural(len(doc['joint']), 'joint booking')}, {plural(len(echoes), 'echo', 'echoes')} ({still} at the end)"
    )
    for conflict in doc["conflicts"]:
        state = f"{conflict['certainty']}, {conflict['status']}, opened {conflict['opened_at'][:10]}"
        print_line(console, f"conflict over {', '.join(conflict['nights'])}: {state}")
        known = [stays[stay_id] for stay_id in conflict["bookings"] if stay_id in stays]
        for stay in known[:MAX_BOOKINGS_SHOWN]:
            last = stay["history"][-1]
            shown = stay_words(last["check_in"], last["check_out"])
            print_line(console, f"  {shown}  {stay['kind']} {stay['code'] or ''} from {names[stay['source_id']]}")
        print_more(console, len(known) - MAX_BOOKINGS_SHOWN, "  ")
    if not doc["conflicts"]:
        print_line(console, "no conflicts")


def _stay_row(stay: dict[str, Any]) -> tuple[object, ...]:
    last = stay["history"][-1]
    shown = stay_cell(last["check_in"], last["check_out"])
    return shown, stay["kind"], stay["code"], len(stay["history"]), word(last["change"]), last["at"][:10]
