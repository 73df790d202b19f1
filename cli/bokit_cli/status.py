"""``bokit status``, ``bokit stats`` and ``bokit quotas``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.alerts import show_who_hears
from bokit_cli.dead_letters import start_counting
from bokit_cli.flags import DEFAULT, AsJson, Tenant, UnitFilter
from bokit_cli.occupancy import ByWord, show_occupancy
from bokit_cli.places import unit_zones
from bokit_cli.session import Session
from bokit_cli.show import (
    ago_words,
    collection_of,
    count_words,
    exact_span_words,
    opening_words,
    plural,
    print_facts,
    print_line,
    stale_words,
    word,
)
from bokit_cli.status_check import check_words, load_needs
from bokit_cli.tables import Column, Table
from bokit_cli.watch import DEFAULT_SECONDS, read_span, watch

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from rich.console import Console

    from bokit.core.model.quotas import QuotaDocument
    from bokit.engine.base.retention import RetentionDocument
    from bokit.engine.runs.status import SourceStatusDocument, StatusDocument

FRESHNESS = Table(
    Column("source", least=12),
    Column("collection", drop=4, least=10),  # of sources of no unit
    Column("state"),
    Column("synced", drop=5),
    Column("changed", drop=2),
    Column("next", drop=3),
)
QUOTAS = Table(
    Column("of the"),
    Column("what", least=14),
    Column("used", number=True),
    Column("at most", number=True),
    Column("parameter of the stack", drop=1),
)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("status")(status)
    app.command("stats")(stats)
    app.command("quotas")(quotas)


def status(
    ctx: typer.Context,
    check: Annotated[
        bool, typer.Option("--check", help="Say in one line what needs a person; exit code 1 if anything does.")
    ] = False,
    again: Annotated[bool, typer.Option("--watch", help="Show it again and again, until interrupted.")] = False,
    span: Annotated[
        str | None, typer.Argument(metavar="SECONDS", help="Time between two looks with --watch, as 5 or 1m; 10 if omitted.")
    ] = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> int:
    """Show when each calendar was last read."""
    session = Session(ctx, tenant, as_json)
    if span is not None and not again:
        raise typer.BadParameter("SECONDS goes with --watch")
    if again and (check or as_json):
        raise typer.BadParameter("--watch is for people; --check and --json look once")
    if check:
        return answer_check(session)
    if again:
        seconds = DEFAULT_SECONDS if span is None else read_span("SECONDS", span)
        return watch(session, seconds, lambda: answer_status(session))
    answer_status(session)
    return 0


def answer_status(session: Session, sources: Collection[str] | None = None) -> None:
    """Print the status of the tenant; of *sources* alone, if given."""
    counting = start_counting(session)
    doc = session.bokit.status.load_status(session.tenant)
    if sources is not None:
        doc["sources"] = [s for s in doc["sources"] if s["source_id"] in sources]
    as_json = session.as_json
    opens = any(s["hold"] and s["hold"]["opens_at"] for s in doc["sources"])
    zones = unit_zones(session) if opens and not as_json else {}
    letters = counting()
    empty = "" if doc["sources"] or as_json else session.first_step()
    session.answer({**doc, "dead_letters": letters}, lambda c: _show_status(c, doc, zones, letters, empty))


def answer_check(session: Session) -> int:
    """Print what needs a person; return 1 if anything does."""
    counting = start_counting(session)
    doc, needs = session.bokit.status.load_status(session.tenant), load_needs(session)
    letters = counting()
    shown = {**doc, "dead_letters": letters, "needs": needs}
    session.answer(shown, lambda c: print_line(c, check_words(doc, needs, letters)))
    return int(bool(needs or letters))


def _show_letters(console: Console, letters: int | None) -> None:
    if letters:
        words = "dead letter waits" if letters == 1 else "dead letters wait"
        print_line(console, f"{letters} {words} for a person; `bokit dead-letters list` shows what failed")


def _show_retention(console: Console, retention: RetentionDocument | None, now: datetime) -> None:
    if retention and retention["error"]:
        last = ago_words(retention["last_run_at"], now) if retention["last_run_at"] else "never"
        print_line(console, f"guest.keep_days: erasing guests failed, and last ended {last}: {retention['error']}")


def _show_status(console: Console, doc: StatusDocument, zones: dict[str, str], letters: int | None, empty: str) -> None:
    now = doc["at"]
    rows = [_status_row(source, now) for source in doc["sources"]]
    FRESHNESS.print(console, rows, empty)
    for source in doc["sources"]:
        _show_trouble(console, source, zones.get(str(source["unit_id"]), "UTC"), now)
        for table in source.get("tables", ()):
            if (error := table["error"]) and table["since"]:
                since = ago_words(table["since"], now)
                print_line(console, f"  table {table['name']} ({table['state']}, first {since}): {error['message']}")
        if advice := source["advice"]:
            print_line(console, f"{source['full_name']}: {advice}")
        if source["renames_since"]:
            print_line(
                console,
                f"renaming: {source['full_name']} calls its bookings by other names at each fetch; the known ones are kept",
            )
    for unread in doc["unread"]:
        pace = exact_span_words(unread["usual_interval_s"])
        who = f"{unread['name']} last read the calendar of {unread['unit']} {ago_words(unread['last_read_at'], now)}"
        print_line(console, f"unread: {who}; it usually reads it every {pace}")
    if monitor := doc["monitor"]:
        of = f" of {monitor['max_runs']}" if monitor["max_runs"] else ""
        pace, due = exact_span_words(monitor["interval"]), _due_words(monitor["next_at"], now)
        runs = f"every {pace}, run {monitor['runs']}{of}, next {due}"
        print_line(console, f"a monitor replaces the schedule: {runs}")
    for quota in filter(is_near, doc["quotas"]):
        print_line(console, f"near a quota: {_used_words(quota)}; `bokit quotas` shows all")
    _show_letters(console, letters)
    show_who_hears(console, doc["alerts"], now)
    _show_retention(console, doc["retention"], now)
    if not doc["enabled"]:
        print_line(console, "automatic syncing is off; `bokit options set sync.enabled true` turns it on")


def _show_trouble(console: Console, source: SourceStatusDocument, zone: str, now: datetime) -> None:
    """Print why a source is held, fails or is stale."""
    if hold := source["hold"]:
        print_line(console, f"held: {source['full_name']}: {hold['message']} `bokit source show {source['source_id']}`")
        if opens_at := hold["opens_at"]:
            print_line(console, f"  {opening_words(opens_at, zone, now)}")
    elif error := source["error"]:
        times = f" ({plural(source['failures'], 'failure')} in a row)" if source["failures"] else ""
        print_line(console, f"failing: {source['full_name']}: {error['message']}{times}")
    elif source["state"] == "stale":
        why = stale_words(source["content_made_at"], source["last_success_at"], now)
        print_line(console, f"stale: {source['full_name']}: {why}")


def _status_row(source: SourceStatusDocument, now: datetime) -> tuple[object, ...]:
    times = ago_words(source["last_success_at"], now), ago_words(source["last_change_at"], now)
    return source["full_name"], collection_of(source), word(source["state"]), *times, _due_words(source["next_due_at"], now)


def _due_words(due: datetime | None, now: datetime) -> str:
    return "now" if due and due <= now else ago_words(due, now)


def quotas(ctx: typer.Context, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Show how much of its quotas the tenant uses, and the stack."""
    from bokit.core.model.quotas import QuotaOwner

    session = Session(ctx, tenant, as_json)
    status_service = session.bokit.status
    doc = {
        str(QuotaOwner.TENANT): status_service.load_quotas(session.tenant),
        str(QuotaOwner.STACK): status_service.load_quotas(None),
    }
    session.answer(doc, lambda c: _show_quotas(c, doc))


def _show_quotas(console: Console, doc: dict[str, list[QuotaDocument]]) -> None:
    from bokit.core.model.quotas import QuotaName, QuotaOwner, parameter_of

    rows = [
        (
            owner,
            q["about"],
            f"{q['used']}",
            "no limit" if q["limit"] is None else f"{q['limit']}",
            parameter_of(QuotaOwner(owner), QuotaName(q["name"])),
        )
        for owner, found in doc.items()
        for q in found
    ]
    QUOTAS.print(console, rows)


def is_near(quota: QuotaDocument) -> bool:
    """Return whether four fifths of a quota are used."""
    return quota["limit"] is not None and quota["used"] * 5 >= quota["limit"] * 4


def _used_words(quota: QuotaDocument) -> str:
    return f"{quota['used']} of {quota['limit']} {quota['name']}"


def stats(
    ctx: typer.Context,
    occupancy: Annotated[
        bool, typer.Option("--occupancy", help="Nights sold, blocked and free, by unit, channel and month, in place of totals.")
    ] = False,
    since: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The first night; January 1 of this year if omitted.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="DATE", help="The day after the last night; a year after the first if omitted."),
    ] = None,
    unit: UnitFilter = None,
    by: Annotated[ByWord | None, typer.Option("--by", help="What a line is of; a unit in a month if omitted.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Show totals: records, sources, runs; or how full your units are."""
    from bokit.errors import InputError

    if not occupancy and (since or until or unit or by or as_csv):
        raise InputError("--from, --until, --unit, --by and --csv go with --occupancy", field="--occupancy")
    if as_csv and as_json:
        raise InputError("use --csv or --json, not both", field="--csv")
    session = Session(ctx, tenant, as_json)
    if occupancy:
        show_occupancy(session, unit, since, until, by or ByWord.UNIT_MONTH, as_csv=as_csv)
        return
    doc = session.bokit.status.load_stats(session.tenant)
    session.answer(doc, lambda c: _show_stats(c, doc, session))


def _collection_words(counts: dict[str, int]) -> str:
    """Return how many records a collection has, and in which state.

    >>> _collection_words({"records": 1, "present": 1}), _collection_words({"records": 0})
    ('1 record, 1 present', 'no records')
    """
    others = {name: count for name, count in counts.items() if name != "records"}
    return f"{plural(counts['records'], 'record')}, {count_words(others)}" if counts["records"] else "no records"


def _show_stats(console: Console, doc: dict[str, Any], session: Session) -> None:
    collections = {name: _collection_words(n) for name, n in doc["collections"].items()}
    runs = ", ".join(f"{n} {name}" for name, n in doc["runs"].items() if name != "counted")
    last = {f"last {plural(doc['runs']['counted'], 'run')}": runs} if runs else {"runs": "none yet"}
    success = ago_words(doc["last_success_at"], session.bokit.clock())
    print_facts(console, {"sources": doc["sources"], **collections, **last, "last success": success})
