"""``bokit status``, ``bokit history`` and ``bokit stats``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.alerts import show_who_hears
from bokit_cli.flags import DEFAULT, AsJson, Cursor, Limit, Tenant
from bokit_cli.session import Session
from bokit_cli.show import ago_words, count_words, opening_words, print_facts, print_line, print_table, where_words, word
from bokit_cli.sources import unit_zones
from bokit_cli.sync import show_run

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from bokit.core.model.quotas import QuotaDocument
    from bokit.core.model.runs import Run
    from bokit.engine.runs.status import SourceStatusDocument, StatusDocument


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("status")(status)
    app.command("history")(history)
    app.command("stats")(stats)
    app.command("quotas")(quotas)


def status(ctx: typer.Context, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Show when each calendar was last read."""
    session = Session(ctx, tenant, as_json)
    doc = session.bokit.status.load_status(session.tenant)
    units = {} if as_json else {str(u.id): u.name for u in session.bokit.catalog.list_units(session.tenant)}
    zones = {} if as_json else unit_zones(session)
    session.answer(doc, lambda c: _show_status(c, doc, units, zones))


def _show_status(console: Console, doc: StatusDocument, units: dict[str, str], zones: dict[str, str]) -> None:
    now = doc["at"]
    rows = [_status_row(source, units, now) for source in doc["sources"]]
    empty = "no source yet; `bokit source add NAME --unit UNIT --url URL` adds one"
    print_table(console, ["source", "unit", "state!", "synced", "changed", "next"], rows, empty)
    for source in doc["sources"]:
        if hold := source["hold"]:
            print_line(console, f"held: {source['name']}: {hold['message']} `bokit source show {source['source_id']}`")
            if opens_at := hold["opens_at"]:
                print_line(console, f"  {opening_words(opens_at, zones.get(str(source['unit_id']), 'UTC'), now)}")
        elif error := source["error"]:
            print_line(console, f"failing: {source['name']}: {error['message']} ({source['failures']} failures in a row)")
        if advice := source["advice"]:
            print_line(console, f"{source['name']}: {advice}")
        if source["renames_since"]:
            print_line(
                console, f"renaming: {source['name']} calls its bookings by other names at each fetch; the known ones are kept"
            )
    if monitor := doc["monitor"]:
        of = f" of {monitor['max_runs']}" if monitor["max_runs"] else ""
        runs = f"every {monitor['interval']} s, run {monitor['runs']}{of}, next {_due_words(monitor['next_at'], now)}"
        print_line(console, f"a monitor replaces the schedule: {runs}")
    for quota in doc["quotas"]:
        if is_near(quota):
            print_line(console, f"near a quota: {_used_words(quota)}; `bokit quotas` shows all")
    show_who_hears(console, doc["alerts"], now)
    if not doc["enabled"]:
        print_line(console, "automatic syncing is off; `bokit options set sync.enabled true` turns it on")


def _status_row(source: SourceStatusDocument, units: dict[str, str], now: datetime) -> tuple[object, ...]:
    times = ago_words(source["last_success_at"], now), ago_words(source["last_change_at"], now)
    return source["name"], where_words(source, units), word(source["state"]), *times, _due_words(source["next_due_at"], now)


def _due_words(due: datetime | None, now: datetime) -> str:
    return "now" if due and due <= now else ago_words(due, now)


def history(
    ctx: typer.Context,
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="One run's id.")] = None,
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
        session.answer(describe_run(found), lambda c: _show_one(c, found, session))
        return
    page = session.bokit.status.load_history(session.tenant, limit=limit, cursor=cursor)
    session.answer_list([describe_run(r) for r in page.items], lambda c: _show_runs(c, page.items, session), page.cursor)
    if page.cursor and not as_json:
        print_line(session.console, f"more: bokit history --cursor {page.cursor}")


def _show_one(console: Console, run: Run, session: Session) -> None:
    started = f"{run.started_at:%Y-%m-%d %H:%M:%S} UTC, {ago_words(run.started_at, session.bokit.clock())}"
    print_facts(console, {"run": run.run_id, "trigger": run.trigger, "status": run.status, "started": started})
    show_run(console, run)


def _show_runs(console: Console, runs: tuple[Run, ...], session: Session) -> None:
    now = session.bokit.clock()
    rows = [
        (ago_words(r.started_at, now), r.trigger, word(r.status), f"{len(r.sources)}", count_words(r.counts), r.run_id)
        for r in runs
    ]
    print_table(console, ["when", "by", "status!", "sources#", "", "run!"], rows, "no run yet; `bokit sync` starts one")


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
            "no bound" if q["limit"] is None else f"{q['limit']}",
            parameter_of(QuotaOwner(owner), QuotaName(q["name"])),
        )
        for owner, found in doc.items()
        for q in found
    ]
    print_table(console, ["of the", "what", "used#", "at most#", "parameter of the stack"], rows, "")


def is_near(quota: QuotaDocument) -> bool:
    """Return whether four fifths of a quota are used."""
    return quota["limit"] is not None and quota["used"] * 5 >= quota["limit"] * 4


def _used_words(quota: QuotaDocument) -> str:
    return f"{quota['used']} of {quota['limit']} {quota['name']}"


def stats(ctx: typer.Context, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Show totals: records, sources, runs."""
    session = Session(ctx, tenant, as_json)
    doc = session.bokit.status.load_stats(session.tenant)
    session.answer(doc, lambda c: _show_stats(c, doc, session))


def _show_stats(console: Console, doc: dict[str, Any], session: Session) -> None:
    collections = {name: count_words(n) if n["records"] else "no records" for name, n in doc["collections"].items()}
    runs = ", ".join(f"{n} {name}" for name, n in doc["runs"].items() if name != "counted")
    last = {f"last {doc['runs']['counted']} runs": runs or "none"}
    success = ago_words(doc["last_success_at"], session.bokit.clock())
    print_facts(console, {"sources": doc["sources"], **collections, **last, "last success": success})
