"""``bokit sync``: one sync, or one after another until a signal stops it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from bokit_cli.flags import DEFAULT, AsJson, Tenant, UnitFilter
from bokit_cli.interrupts import Interrupts
from bokit_cli.session import Session
from bokit_cli.show import (
    count_words,
    new_words,
    print_line,
    print_table,
    problem_words,
    span_words,
    status_words,
    stay_words,
    value_words,
    word,
)

MAX_INTERVAL_SECONDS, MAX_RUNS = 31_536_000, 1_000_000_000
"""As of the schedule and of monitors; written here, since the engine is imported only when a command needs it."""

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.core.model.plan import Action
    from bokit.core.model.records import Record
    from bokit.core.model.runs import Run
    from bokit.engine.runs.batch import Progress
    from bokit.engine.runs.manual import SyncRequest

MAX_RUNS_SHOWN = 100  # of a daemon's JSON document: the last ones
INTERRUPTED = 130


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("sync")(sync)


def sync(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Every source, due or not.")] = False,
    source: Annotated[
        list[str] | None, typer.Option("--source", metavar="SOURCE", help="Only this source; may be repeated.")
    ] = None,
    unit: UnitFilter = None,
    collection: Annotated[str | None, typer.Option("--collection", metavar="NAME", help="Only this collection.")] = None,
    table: Annotated[
        list[str] | None, typer.Option("--table", metavar="NAME", help="Only this table of a database; may be repeated.")
    ] = None,
    new_only: Annotated[bool, typer.Option("--new-only", help="Only add what is new.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan; write nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Ignore the interval and read unchanged content again.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Verbose output on stderr.")] = False,
    daemon: Annotated[bool, typer.Option("--daemon", help="Keep syncing until SIGINT or SIGTERM.")] = False,
    interval: Annotated[
        int, typer.Option("--interval", min=1, max=MAX_INTERVAL_SECONDS, metavar="SECONDS", help="Time between --daemon runs.")
    ] = 60,
    max_runs: Annotated[
        int | None, typer.Option("--max-runs", min=1, max=MAX_RUNS, metavar="N", help="Stop --daemon after N runs.")
    ] = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> int:
    """Sync what is due, or what the options select."""
    session = Session(ctx, tenant, as_json)
    _configure_log(session, daemon=daemon, verbose=verbose)
    selection = Selection(source or [], unit, collection, table or [])
    request = replace(
        _select_sources(session, selection),
        everything=everything,
        new_only=new_only or None,
        force=force,
        dry_run=dry_run,
        details=verbose,
    )
    if daemon:
        return run_daemon(session, request, interval, max_runs)
    if max_runs is not None:
        raise typer.BadParameter("--max-runs goes with --daemon")
    return run_once(session, request)


def _configure_log(session: Session, *, daemon: bool, verbose: bool) -> None:
    from bokit.observability import configure_plain

    file = session.locator.home / "log" / "sync.log" if daemon else None
    configure_plain("INFO" if daemon or verbose else "ERROR", file)


class Selection(NamedTuple):
    """What the options select."""

    sources: list[str]
    unit: str | None
    collection: str | None
    tables: list[str]


def _select_sources(session: Session, chosen: Selection) -> SyncRequest:
    from bokit.core.model.records import CollectionName
    from bokit.engine.runs.manual import SyncRequest

    catalog = session.bokit.catalog
    _check_selection(session, chosen)
    return SyncRequest(
        tenant=session.tenant,
        source_ids=tuple(catalog.sources.find(session.tenant, s).id for s in chosen.sources),
        scope=catalog.find_unit(session.tenant, chosen.unit).id if chosen.unit else None,
        collection=CollectionName(chosen.collection) if chosen.collection else None,
        tables=tuple(chosen.tables),
    )


def _check_selection(session: Session, chosen: Selection) -> None:
    """Refuse a collection or a table that no source has."""
    if not (chosen.collection or chosen.tables):
        return
    from bokit.core.model.collections import collections_of, tables_of
    from bokit.errors import InputError

    sources = session.bokit.catalog.sources.list_sources(session.tenant)
    collections = {name for s in sources for name in collections_of(s)}
    if chosen.collection is not None and chosen.collection not in collections:
        known = ", ".join(sorted(collections))
        raise InputError(f'no source feeds "{chosen.collection}"', code="not-found", known=known)
    tables = {name for s in sources for name in tables_of(s)}
    if missing := sorted(set(chosen.tables) - tables):
        raise InputError(f'no source has a table "{missing[0]}"', code="not-found", known=", ".join(sorted(tables)))


def run_once(session: Session, request: SyncRequest) -> int:
    """Sync once. When interrupted, it finishes the current source, records the run and returns 130."""
    from bokit.core.model.runs import describe_run

    with Interrupts() as interrupts:
        run = _sync(session, request, interrupts)
    session.answer(describe_run(run), lambda c: show_run(c, run, new_only=bool(request.new_only)))
    return INTERRUPTED if interrupts.came else end_run(run)


def run_daemon(session: Session, request: SyncRequest, interval: int, max_runs: int | None) -> int:
    """Sync every *interval* seconds, until a signal or *max_runs* ends it between two sources."""
    from bokit.core.model.runs import describe_run

    runs: deque[Run] = deque(maxlen=MAX_RUNS_SHOWN)
    done = 0
    with Interrupts() as interrupts:
        while not interrupts.came and (max_runs is None or done < max_runs):
            if done and interrupts.stop.wait(_pause(session, runs[-1], interval)):
                break
            runs.append(_sync(session, request, interrupts))
            done += 1
            if not session.as_json:
                show_run(session.console, runs[-1], new_only=bool(request.new_only))
    if session.as_json:
        session.answer_list([describe_run(r) for r in runs], lambda c: None)
    return 0 if interrupts.came or not runs else end_run(runs[-1])


def _pause(session: Session, last: Run, interval: int) -> float:
    """Return the seconds until the next run: runs begin *interval* apart, unless one takes longer."""
    return max(0.0, interval - (session.bokit.clock() - last.started_at).total_seconds())


def _sync(session: Session, request: SyncRequest, interrupts: Interrupts) -> Run:
    with _progress(session, request) as on_progress:
        return session.bokit.sync(request, stop=interrupts.stop, on_progress=on_progress)


@contextmanager
def _progress(session: Session, request: SyncRequest) -> Iterator[Progress | None]:
    """Show a progress bar for a sync of several sources, on a terminal."""
    total = session.bokit.manual.count(request) if session.shows_progress else 0
    if total < 2:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("syncing"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda report: bar.advance(task)


def show_run(console: Console, run: Run, *, new_only: bool = False) -> None:
    """Print a run: a line for each source, its plan if there is one, its problems, and a line of totals."""
    words = new_words if new_only else count_words
    rows = [
        (r.name, word(r.outcome), r.error["message"] if r.error else words(r.counts), span_words(r.duration_ms / 1000))
        for r in run.sources
    ]
    print_table(console, ["source", "", "", "took#!"], rows, "nothing was due; `bokit sync --all` syncs every source")
    for report in run.sources:
        for action in report.plan:
            _show_action(console, action)
        for problem in report.problems:
            print_line(console, f"  {report.name}: {problem_words(problem)}")
    if run.sources:
        would = "dry run, nothing was written: " if run.dry_run else ""
        print_line(console, f"{would}{run.status}: {words(run.counts)}")


def _show_action(console: Console, action: Action) -> None:
    """Print one record's change, field by field."""
    print_line(console, f"  {action.kind} {_name_of(action.after)}: {action.reason}")
    for name, change in sorted(action.fields.items()):
        words = status_words if name == "status" else value_words
        before = "" if action.before is None else f"{words(change.before)} → "
        print_line(console, f"      {name}: {before}{words(change.after)}")
    for name, change in sorted(action.preserved.items()):
        print_line(console, f"      {name}: edit kept, the source says {value_words(change.after)}")


def _name_of(record: Record) -> str:
    fields: Any = record.fields
    who = fields.get("guest_name") or fields.get("reservation_code") or fields.get("summary") or fields.get("kind") or ""
    if fields.get("check_in") and fields.get("check_out"):
        return f"{stay_words(fields['check_in'], fields['check_out'])} {who}".strip()
    return f"{record.collection} {record.key}"


def end_run(run: Run) -> int:
    """Return the exit code: 1 where a source failed or was held."""
    from bokit.core.model.runs import Outcome

    return int(any(r.outcome in (Outcome.FAILED, Outcome.HELD) for r in run.sources))
