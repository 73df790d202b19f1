"""``bokit history``: the runs and how they went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bokit_cli.changes import short_change
from bokit_cli.completion import complete_run
from bokit_cli.flags import DEFAULT, AsJson, Cursor, Limit, Tenant
from bokit_cli.session import Session
from bokit_cli.show import (
    DONE_WORDS,
    MAX_BOOKINGS_SHOWN,
    ago_words,
    print_facts,
    print_line,
    print_more,
    print_next,
    word,
)
from bokit_cli.sync import run_words, show_run
from bokit_cli.tables import Column, Table

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.core.model.runs import Run
    from bokit.store.page import Page


RUNS = Table(
    Column("when"),
    Column("by", drop=2),
    Column("status"),
    Column("sources", drop=1, number=True),
    Column("what", least=12),
    Column("run", drop=3),
    empty="no run yet; `bokit sync` starts one",
)


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("history")(history)


def history(
    ctx: typer.Context,
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="One run's id.", autocompletion=complete_run)] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List the runs and how they went; with RUN, show that run."""
    from bokit.core.model.records import RunId
    from bokit.core.model.runs import describe_run

    session = Session(ctx, tenant, as_json)
    if run is not None:
        found = session.bokit.status.load_run(session.tenant, RunId(run))
        session.answer(describe_run(found, session.name_sources()), lambda c: _show_one(c, found, session))
        return
    page = session.bokit.status.load_history(session.tenant, limit=limit, cursor=cursor)
    names = session.name_sources() if as_json else {}
    session.answer_list([describe_run(r, names) for r in page.items], lambda c: _show_runs(c, page, session), page.cursor)


def _show_one(console: Console, run: Run, session: Session) -> None:
    started = f"{run.started_at:%Y-%m-%d %H:%M:%S} UTC, {ago_words(run.started_at, session.bokit.clock())}"
    print_facts(console, {"run": run.run_id, "trigger": run.trigger, "status": run.status, "started": started})
    show_run(console, run, session.name_sources(), empty="nothing was due")
    changes, names = session.bokit.bookings.undo.list_changes(run), session.names
    for change in changes[:MAX_BOOKINGS_SHOWN]:
        print_line(
            console, f"  {short_change(change.id, names)}  {DONE_WORDS.get(change.action, change.action)}: {change.reason}"
        )
    print_more(console, len(changes) - MAX_BOOKINGS_SHOWN, "  ")
    if changes:
        print_line(console, f"`bokit undo {run.run_id} --dry-run` shows what could be given back")


def _show_runs(console: Console, page: Page[Run], session: Session) -> None:
    now = session.bokit.clock()
    rows = [
        (ago_words(r.started_at, now), r.trigger, word(r.status), f"{len(r.sources)}", run_words(r), r.run_id) for r in page.items
    ]
    RUNS.print(console, rows)
    print_next(console, "bokit history", page.cursor)
