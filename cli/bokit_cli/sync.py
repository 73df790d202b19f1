"""``bokit sync``: one sync, or one after another until a signal stops it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from bokit.values import replace
from bokit_cli.completion import complete_collection, complete_source, complete_table
from bokit_cli.flags import DEFAULT, AsJson, Tenant, UnitFilter
from bokit_cli.interrupts import Interrupts
from bokit_cli.session import Session
from bokit_cli.show import (
    PLAN_WORDS,
    count_words,
    new_words,
    plural,
    print_line,
    problem_words,
    span_words,
    status_words,
    stay_words,
    value_words,
    word,
)
from bokit_cli.status import answer_status
from bokit_cli.tables import Column, Table
from bokit_cli.watch import read_span

MAX_RUNS = 1_000_000_000
"""As of monitors; written here, since the engine is imported only when a command needs it."""
DEFAULT_PAUSE_SECONDS = 60

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.core.model.plan import Action
    from bokit.core.model.records import Record, SourceId
    from bokit.core.model.runs import Run, SourceReport
    from bokit.engine.runs.batch import Progress
    from bokit.engine.runs.manual import SyncRequest

SYNCED = Table(
    Column("source", least=12),
    Column("outcome"),
    Column("what", least=16),
    Column("took", drop=1, number=True),
    empty="nothing was due; `bokit sync --all` syncs every source",
)
ALL_PAUSED = "nothing to sync: what is selected is paused; `bokit source resume SOURCE` resumes it"
MAX_RUNS_SHOWN = 100  # of a daemon's JSON document: the last ones
INTERRUPTED = 130
LEASE_HELD = "lease-held"
"""The code of a source that another run is syncing, as of leases; written here for the same reason as MAX_RUNS."""


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("sync")(sync)


def sync(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Every source, due or not.")] = False,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", metavar="SOURCE", help="Only this source; may be repeated.", autocompletion=complete_source),
    ] = None,
    unit: UnitFilter = None,
    collection: Annotated[
        str | None, typer.Option("--collection", metavar="NAME", help="Only this collection.", autocompletion=complete_collection)
    ] = None,
    table: Annotated[
        list[str] | None,
        typer.Option(
            "--table", metavar="NAME", help="Only this table of a database; may be repeated.", autocompletion=complete_table
        ),
    ] = None,
    new_only: Annotated[bool, typer.Option("--new-only", help="Only add what is new.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan; write nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Ignore the interval and read unchanged content again.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Verbose output on stderr.")] = False,
    daemon: Annotated[bool, typer.Option("--daemon", help="Keep syncing until SIGINT or SIGTERM.")] = False,
    interval: Annotated[
        str | None,
        typer.Option("--interval", metavar="SPAN", help="Time between --daemon runs, in seconds or as 15m; 60 if omitted."),
    ] = None,
    max_runs: Annotated[
        int | None, typer.Option("--max-runs", min=1, max=MAX_RUNS, metavar="N", help="Stop --daemon after N runs.")
    ] = None,
    only_status: Annotated[bool, typer.Option("--status", help="Sync nothing; show the status of what is selected.")] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> int:
    """Sync what is due, or what the options select."""
    seconds = _read_pace(daemon, interval, max_runs)
    session = Session(ctx, tenant, as_json)
    selection = Selection(source or [], unit, collection, table or [])
    if only_status:
        if everything or new_only or dry_run or force or daemon:
            raise typer.BadParameter("--status syncs nothing; it goes with what selects sources")
        answer_status(session, _find_selected(session, selection))
        return 0
    _configure_log(session, daemon=daemon, verbose=verbose)
    request = replace(
        _select_sources(session, selection),
        everything=everything,
        new_only=new_only or None,
        force=force,
        dry_run=dry_run,
        details=verbose,
    )
    return run_daemon(session, request, seconds, max_runs) if daemon else run_once(session, request)


def _read_pace(daemon: bool, interval: str | None, max_runs: int | None) -> int:
    """Return the seconds between two runs of a daemon; what only a daemon has is wrong use without one."""
    for name, value in (("--interval", interval), ("--max-runs", max_runs)):
        if value is not None and not daemon:
            raise typer.BadParameter(f"{name} goes with --daemon")
    return DEFAULT_PAUSE_SECONDS if interval is None else read_span("--interval", interval)


def _configure_log(session: Session, *, daemon: bool, verbose: bool) -> None:
    """A daemon logs to a file, and prints each run once: its log is shown beside that with --verbose alone."""
    from bokit.observability import configure_plain

    file = session.locator.home / "log" / "sync.log" if daemon else None
    configure_plain("INFO" if verbose else "ERROR", file)


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


def _find_selected(session: Session, chosen: Selection) -> set[str] | None:
    """Return the ids of the sources that the options select, paused ones too; None: they select nothing."""
    if not any(chosen):
        return None
    from bokit.core.model.collections import collections_of, tables_of

    catalog = session.bokit.catalog
    _check_selection(session, chosen)
    named = {catalog.sources.find(session.tenant, s).id for s in chosen.sources}
    unit = str(catalog.find_unit(session.tenant, chosen.unit).id) if chosen.unit else None
    return {
        str(s.id)
        for s in catalog.sources.list_sources(session.tenant)
        if (not named or s.id in named)
        and unit in (None, str(s.scope))
        and (chosen.collection is None or chosen.collection in collections_of(s))
        and (not chosen.tables or set(chosen.tables) & set(tables_of(s)))
    }


def _check_selection(session: Session, chosen: Selection) -> None:
    """Refuse a collection or a table that no source has."""
    if not (chosen.collection or chosen.tables):
        return
    from bokit.core.model.collections import collections_of, tables_of

    sources = session.bokit.catalog.sources.list_sources(session.tenant)
    collections = {name for s in sources for name in collections_of(s)}
    if chosen.collection is not None:
        _check_known("feeds", chosen.collection, collections)
    for table in chosen.tables:
        _check_known("has a table", table, {name for s in sources for name in tables_of(s)})


def _check_known(what: str, name: str, known: Collection[str]) -> None:
    """Refuse a name that is none of *known*, with those that are like it, else all."""
    from bokit.core.model.full_names import list_names
    from bokit.core.model.suggestions import did_you_mean, suggest
    from bokit.errors import UnknownNameError

    if name not in known:
        near = suggest(name, known)
        offer = did_you_mean(near) or f"; there is {list_names(sorted(known)) or 'none'}"
        raise UnknownNameError(f"no source {what} '{name}'{offer}", name=name, suggestions=near)


def run_once(session: Session, request: SyncRequest) -> int:
    """Sync once. When interrupted, it finishes the current source, records the run and returns 130."""
    from bokit.core.model.runs import describe_run

    with Interrupts() as interrupts:
        run = _sync(session, request, interrupts)
    names = session.name_sources()
    empty = ALL_PAUSED if request.everything else None
    empty = empty if names or session.as_json else session.first_step()
    session.answer(describe_run(run, names), lambda c: show_run(c, run, names, new_only=bool(request.new_only), empty=empty))
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
                show_run(session.console, runs[-1], session.name_sources(), new_only=bool(request.new_only))
    if session.as_json:
        names = session.name_sources()
        session.answer_list([describe_run(r, names) for r in runs], lambda c: None)
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


def show_run(
    console: Console, run: Run, names: Mapping[SourceId, str], *, new_only: bool = False, empty: str | None = None
) -> None:
    """Print a run: a line for each source by its full name, its plan if there is one, its problems, and a line of totals."""
    words = new_words if new_only else count_words
    reports = sorted(((names.get(r.source_id, r.name), r) for r in run.sources), key=lambda pair: pair[0].casefold())
    rows = [(name, word(r.outcome), _report_words(r, words), _took_words(r.duration_ms)) for name, r in reports]
    if not SYNCED.print(console, rows, empty):
        for name, report in reports:
            if report.error:
                print_line(console, f"{report.outcome}: {name}: {report.error['message']}")
    for name, report in reports:
        for table in report.tables if len(report.tables) > 1 else ():
            said = table.error["message"] if table.error else words(table.counts)
            print_line(console, f"  {name}, table {table.name}: {table.outcome}, {said}")
    for name, report in reports:
        for action in report.plan:
            _show_action(console, action, name)
        for problem in report.problems:
            print_line(console, f"  {name}: {problem_words(problem)}")
    if run.sources:
        would = "dry run, nothing was written: " if run.dry_run else ""
        print_line(console, f"{would}{run.status}: {run_words(run, words)}")


def _report_words(report: SourceReport, words: Callable[[Mapping[str, int]], str]) -> str:
    if report.error:
        return report.error["message"]
    return "held back; `bokit status` says why" if _is_held_back(report) else words(report.counts)


def _is_held_back(report: SourceReport) -> bool:
    """Return whether the whole content waits, not rows of it, and no hold says why: it is old, or others count at this moment."""
    return bool(report.counts.get("refused")) and not (report.error or report.problems or report.tables)


def _took_words(milliseconds: int) -> str:
    return span_words(milliseconds / 1000) if milliseconds >= 1000 else "< 1 s"


def run_words(run: Run, words: Callable[[Mapping[str, int]], str] = count_words) -> str:
    """Return what a run did in all, and how many of its sources failed, or were left to other runs."""
    if not run.sources:
        return "nothing was due"
    facts, counts = [], run.counts
    if failed := sum(report.outcome == "failed" and not report.is_failed_in_part for report in run.sources):
        facts.append(f"{plural(failed, 'source')} failed")
    if in_part := sum(report.is_failed_in_part for report in run.sources):
        facts.append(f"{plural(in_part, 'source')} failed in part")
    if left := sum((report.error or {}).get("code") == LEASE_HELD for report in run.sources):
        facts.append(f"{plural(left, 'source')} left to another run, which syncs {'it' if left == 1 else 'them'}")
    held = [report for report in run.sources if report.outcome == "held" or _is_held_back(report)]
    counts["refused"] -= sum(report.counts.get("refused", 0) for report in held)
    has_news = any(n for name, n in counts.items() if name not in ("seen", "unchanged"))
    if has_news if held else not facts or any(counts.values()):
        facts.append(words(counts))
    if held:
        facts.append(f"{plural(len(held), 'source')} held back")
    return ", ".join(facts)


def _show_action(console: Console, action: Action, source: str) -> None:
    """Print one record's change, field by field."""
    print_line(console, f"  {source}: {PLAN_WORDS.get(action.kind, action.kind)} {_name_of(action.after)}: {action.reason}")
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
