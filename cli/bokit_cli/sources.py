"""``bokit source``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.completion import complete_removed, complete_unit
from bokit_cli.databases import print_marks, show_listing
from bokit_cli.flags import DEFAULT, AsJson, CancelAfter, EndsOn, IgnoreTransparent, Interval, Platform, SourceName, Tenant, Zone
from bokit_cli.places import unit_zones
from bokit_cli.session import Session
from bokit_cli.show import (
    Cell,
    ago_words,
    collection_of,
    day_words,
    exact_span_words,
    lasting_words,
    opening_words,
    plural,
    print_facts,
    print_line,
    problem_words,
    show_suggestions,
    stale_words,
    value_words,
)
from bokit_cli.sync import end_run, show_run
from bokit_cli.tables import Column, Table, stay_cell

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.core.model.plan import Hold
    from bokit.core.model.records import SourceId
    from bokit.engine.catalog.preview import Preview

sources = typer.Typer(no_args_is_help=True, help="Sources of bookings: feeds, each for one unit.")
Url = Annotated[str, typer.Option("--url", metavar="URL", help="https://…, secret:NAME, or - for standard input.")]
PlanHash = Annotated[
    str | None, typer.Option("--plan", metavar="HASH", help="The plan as `source show` printed it; refused if it has changed.")
]
RECORDS = Table(Column("id", drop=1), Column("fields", least=20))
ENTRIES = Table(Column("stay"), Column("kind", drop=1), Column("who", least=12), Column("code", drop=2))
SOURCES = Table(
    Column("source", least=12),
    Column("id", drop=3),
    Column("collection", drop=4, least=10),  # of sources of no unit
    Column("from", drop=2, least=16),
    Column("state", drop=5),
)
RELEASES = Table(Column("action", drop=1), Column("stay"), Column("who", least=10), Column("booking", drop=2))
MAX_ENTRIES_SHOWN = 5
NOT_ADDED = "nothing was added; fix the URL, or add it with --no-check"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(sources, name="source")


@sources.command("add")
def add_source(
    ctx: typer.Context,
    name: str,
    unit: Annotated[str, typer.Option("--unit", metavar="UNIT", help="Unit id or name.", autocompletion=complete_unit)],
    url: Url,
    kind: Annotated[str, typer.Option("--kind", help="Kind of source.")] = "ical",
    platform: Platform = None,
    interval: Interval = None,
    cancel_after: CancelAfter = None,
    timezone: Zone = None,
    ends_on: EndsOn = None,
    ignore_transparent: IgnoreTransparent = None,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Fetch the feed first and show what is read.")] = True,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Add a source; the feed is fetched and shown first."""
    from bokit.engine.catalog.view import describe_source

    session = Session(ctx, tenant, as_json)
    catalog = session.bokit.catalog
    place = catalog.find_unit(session.tenant, unit)
    settings = {
        "platform": platform,
        "interval": interval,
        "cancel_after": cancel_after,
        "timezone": timezone,
        "ends_on": ends_on,
        "ignore_transparent": ignore_transparent,
    }
    values = {"name": name, "kind": kind, "url": _read_url(url), **settings}
    preview = _preview(session, place.id, values) if check else None
    made, names = catalog.sources.add(session.tenant, place.id, values), session.names

    def show(console: Console) -> None:
        if preview:
            show_preview(console, preview.as_dict())
        print_line(console, f"added source {names.of(made)}, {made.id}; `bokit sync` syncs it now")

    session.answer({**describe_source(made, names), "preview": preview and preview.as_dict()}, show)


def _preview(session: Session, unit_id: Any, values: dict[str, Any]) -> Preview:
    """Fetch the new source; one that cannot be read is refused."""
    from bokit.core.model.source_rules import Verdict
    from bokit.errors import InputError, LaterError, NeverError

    try:
        preview = session.bokit.catalog.sources.preview(session.tenant, unit_id, values)
    except (LaterError, NeverError) as error:
        raise InputError(f"{error}; {NOT_ADDED}", code=error.stable_code) from error
    if preview.verdict is Verdict.UNREADABLE:
        problem = preview.problems[0].message if preview.problems else "not a calendar"
        raise InputError(f"no calendar at this URL: {problem}; {NOT_ADDED}")
    return preview


def _read_url(url: str) -> str:
    """Return the URL; a dash reads it from standard input, which hides it from process lists."""
    return sys.stdin.readline().strip() if url == "-" else url


def show_preview(console: Console, preview: dict[str, Any]) -> None:
    """Print what is read in a source: its first entries and problems."""
    entries = preview["entries"]
    found = f"{plural(len(entries), 'entry', 'entries')}, {plural(len(preview['problems']), 'problem')}"
    print_line(console, f"{preview.get('platform') or 'records'}: {preview['verdict']}, {found}")
    if entries and "fields" in entries[0]:
        shown = [(e["id"], value_words(e["fields"])) for e in entries[:MAX_ENTRIES_SHOWN]]
        RECORDS.print(console, shown)
    elif entries:
        rows = [
            (stay_cell(e["check_in"], e["check_out"]), e["kind"], e["guest_name"] or e["summary"], e["reservation_code"])
            for e in sorted(entries, key=lambda e: e["check_in"])[:MAX_ENTRIES_SHOWN]
        ]
        ENTRIES.print(console, rows)
    if len(entries) > MAX_ENTRIES_SHOWN:
        print_line(console, f"… and {len(entries) - MAX_ENTRIES_SHOWN} more")
    for problem in preview["problems"][:MAX_ENTRIES_SHOWN]:
        print_line(console, f"problem {problem_words(problem)}")
    show_suggestions(console, preview)
    if "database" in preview:
        show_listing(console, preview["database"])


@sources.command("list")
def list_sources(
    ctx: typer.Context,
    removed: Annotated[bool, typer.Option("--removed", help="Removed ones too.")] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List the sources."""
    from bokit.engine.catalog.view import describe_source

    session = Session(ctx, tenant, as_json)
    catalog = session.bokit.catalog
    names = session.names
    found = names.sorted(catalog.sources.list_sources(session.tenant, removed=removed))
    docs = [describe_source(s, names) for s in found]
    states = ["removed" if d["removed_at"] else "" if d["enabled"] else "paused" for d in docs]
    rows = [(d["full_name"], d["id"], collection_of(d), d["url"], state) for d, state in zip(docs, states, strict=True)]
    session.answer_list(docs, lambda c: SOURCES.print(c, rows, "" if rows else session.first_step()))


@sources.command("show")
def show_source(ctx: typer.Context, source: SourceName, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Show one source: its state, its held plan, and how to apply or discard that."""
    from bokit.engine.catalog.view import describe_source

    session = Session(ctx, tenant, as_json)
    found = session.bokit.catalog.sources.find(session.tenant, source, removed=True)
    hold = session.bokit.records.find_hold(session.tenant, found.id)
    freshness = session.bokit.status.load_freshness(session.tenant, found.id)
    doc = {**describe_source(found, session.names), **freshness, "hold": _describe_hold(found.id, hold)}
    session.answer(doc, lambda c: _show_source(c, session, doc))


def _describe_hold(source_id: SourceId, hold: Hold | None) -> dict[str, Any] | None:
    from bokit.engine.sync.plan_limit import QUOTA

    if hold is None:
        return None
    commands = ["apply-held"] * hold.can_apply + ["discard-held"] * (hold.code != QUOTA)
    return {**hold.as_dict(), "settle": [f"bokit source {c} {source_id} --plan {hold.plan_hash}" for c in commands]}


def _show_source(console: Console, session: Session, doc: dict[str, Any]) -> None:
    now = session.bokit.clock()
    print_facts(
        console,
        {
            "source": f"{doc['full_name']} ({doc['id']})",
            "unit": doc["unit_id"] and session.names.of_unit(doc["unit_id"]),
            "collection": None if doc["unit_id"] else doc["collection"],
            "from": doc["url"],
            "platform": doc["platform"],
            "state": "removed" if doc["removed_at"] else doc["state"],
            "interval": doc["interval"] and exact_span_words(doc["interval"]),
            "ends on": doc["ends_on"] if doc["unit_id"] else None,
            "free events": "ignored" if doc["ignore_transparent"] else None,
            "last success": doc["last_success_at"] and ago_words(doc["last_success_at"], now),
            "last change": doc["last_change_at"] and ago_words(doc["last_change_at"], now),
            "next sync": doc["next_due_at"] and ago_words(doc["next_due_at"], now),
            "content made": doc["content_made_at"] and ago_words(doc["content_made_at"], now),
            "stale": stale_words(doc["content_made_at"], doc["last_success_at"], now) if doc["state"] == "stale" else None,
            "error": doc["error"] and doc["error"]["message"],
            "advice": doc["advice"],
            "renames since": doc["renames_since"] and ago_words(doc["renames_since"], now),
        },
    )
    if doc["hold"]:
        _show_hold(console, doc["hold"], session, unit_zones(session).get(str(doc["unit_id"]), "UTC"))


def _show_hold(console: Console, hold: dict[str, Any], session: Session, zone: str) -> None:
    print_line(console)
    print_line(console, f"held {lasting_words(hold['since'], session.bokit.clock())}: {hold['message']}")
    if hold["opens_at"]:
        print_line(console, opening_words(hold["opens_at"], zone, session.bokit.clock()))
    rows = [(r.get("action"), _release_words(r), _release_name(r), r.get("record_id")) for r in hold["releases"]]
    if rows:
        print_line(console, "applying it would release:")
        RELEASES.print(console, rows)
    if hold["settle"]:
        print_line(console, "apply or discard it with:")
    for command in hold["settle"]:
        print_line(console, f"  {command}")


def _release_name(release: dict[str, Any]) -> str | None:
    return release.get("guest_name") or release.get("reservation_code") or release.get("code")


def _release_words(release: dict[str, Any]) -> str | Cell:
    if release.get("check_in") and release.get("check_out"):
        return stay_cell(release["check_in"], release["check_out"])
    if "field" in release:
        return f"{release['field']}: {release['records']} of {release['of']} records"
    if "id" in release or "records" in release:
        return str(release.get("id") or f"{release['records']} records in all")
    nights = release.get("nights") or []
    return f"{len(nights)} nights from {day_words(nights[0])}" if nights and isinstance(nights[0], str) else ""


@sources.command("edit")
def edit_source(
    ctx: typer.Context,
    source: SourceName,
    name: Annotated[str | None, typer.Option("--name", help="New name.")] = None,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="New URL; the stays are kept.")] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            "--unit", metavar="UNIT", help="Move it to this unit, with its bookings; id or name.", autocompletion=complete_unit
        ),
    ] = None,
    platform: Platform = None,
    interval: Interval = None,
    cancel_after: CancelAfter = None,
    timezone: Zone = None,
    ends_on: EndsOn = None,
    ignore_transparent: IgnoreTransparent = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --unit: show what the move does; change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --unit: move it although that frees nights.")] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Change a source, or move it to another unit; an empty value restores the tenant's default."""
    from bokit.engine.catalog.view import describe_source
    from bokit.errors import InputError

    session = Session(ctx, tenant, as_json)
    settings = {
        "platform": platform,
        "interval": interval,
        "cancel_after": cancel_after,
        "timezone": timezone,
        "ends_on": ends_on,
        "ignore_transparent": ignore_transparent,
    }
    given = {"name": name, "url": url and _read_url(url), **settings}
    values = {field: value for field, value in given.items() if value is not None}
    if not values and unit is None:
        raise InputError("nothing to change; use an option, as in --interval 15m")
    if dry_run and unit is None:
        raise InputError("--dry-run shows what a move does; use it with --unit")
    sources = session.bokit.catalog.sources
    before = sources.find(session.tenant, source)
    if unit is not None:
        from bokit_cli.moves import move_source

        move_source(session, before, session.bokit.catalog.find_unit(session.tenant, unit), values, dry_run=dry_run, yes=yes)
        return
    after = sources.edit(session.tenant, before.id, values)
    outcome, names = "unchanged" if after == before else "changed", session.names
    session.answer(describe_source(after, names), lambda c: print_line(c, f"{outcome}: {names.of(after)}"))


@sources.command("pause")
def pause_source(ctx: typer.Context, source: SourceName, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Pause a source; its nights stay held."""
    _switch(Session(ctx, tenant, as_json), source, on=False)


@sources.command("resume")
def resume_source(ctx: typer.Context, source: SourceName, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Resume a paused source; it is due now."""
    _switch(Session(ctx, tenant, as_json), source, on=True)


def _switch(session: Session, source: str, *, on: bool) -> None:
    from bokit.engine.catalog.view import describe_source

    sources = session.bokit.catalog.sources
    found = sources.find(session.tenant, source)
    after = (sources.resume if on else sources.pause)(session.tenant, found.id)
    names = session.names
    outcome = f"resumed: {names.of(after)}" if on else f"paused: {names.of(after)}; its nights stay held"
    session.answer(describe_source(after, names), lambda c: print_line(c, outcome))


@sources.command("remove")
def remove_source(
    ctx: typer.Context,
    source: SourceName,
    release: Annotated[bool, typer.Option("--release", help="Release its future nights too.")] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Remove a source; its future nights stay held until --release."""
    from bokit.engine.catalog.view import describe_source

    session = Session(ctx, tenant, as_json)
    sources = session.bokit.catalog.sources
    found = sources.find(session.tenant, source, removed=release)
    done, names = sources.remove(session.tenant, found.id, release=release, by=session.user), session.names

    def show(console: Console) -> None:
        released = f"; {plural(done.released, 'booking')} released" if done.released else ""
        print_line(console, f"removed: {names.of(found)}{released}")
        if done.kept:
            nights = f"the nights of {plural(done.kept, 'booking')} stay held"
            print_line(console, f"{nights}; `bokit source remove {found.id} --release` releases them")
        print_line(console, f"`bokit source restore {found.id}` takes this back, for 30 days")

    session.answer({**describe_source(done.source, names), "released": done.released, "kept": done.kept}, show)


@sources.command("restore")
def restore_source(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Removed source; id or name.", autocompletion=complete_removed)],
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Take back a removal, for 30 days; it is due now, with its settings, bookings and edits."""
    from bokit.engine.catalog.view import describe_source

    session = Session(ctx, tenant, as_json)
    service = session.bokit.catalog.sources
    found = service.restore(session.tenant, service.find(session.tenant, source, removed=True).id)
    names, sync_it = session.names, "`bokit sync` syncs it now"
    session.answer(describe_source(found, names), lambda c: print_line(c, f"restored: {names.of(found)}; {sync_it}"))


@sources.command("test")
def try_source(ctx: typer.Context, source: SourceName, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> int:
    """Fetch a source once and show what is read; writes nothing. Exit code 1: it cannot be read."""
    from bokit.core.model.source_rules import Verdict
    from bokit.errors import LaterError, NeverError

    session = Session(ctx, tenant, as_json)
    sources = session.bokit.catalog.sources
    found = sources.find(session.tenant, source)
    try:
        preview = sources.test(session.tenant, found.id)
    except (LaterError, NeverError) as error:
        failure = {"code": error.stable_code, "message": error.message}
        text = f"{session.names.of(found)} failed: {error}"
        session.answer({"source_id": found.id, "error": failure}, lambda c: print_line(c, text))
        return 1
    doc: dict[str, Any] = preview.as_dict()
    session.answer({"source_id": found.id, "error": None, **doc}, lambda c: show_preview(c, doc))
    return int(preview.verdict is Verdict.UNREADABLE or any(table["error"] for table in doc.get("tables", ())))


@sources.command("marks")
def show_marks(
    ctx: typer.Context,
    source: SourceName,
    table: Annotated[str | None, typer.Option("--table", metavar="TABLE", help="Only of this table.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Read all again at the next sync; no record is deleted.")] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Show until which time each table of a source, or its list, was read; with --reset all is read again."""
    session = Session(ctx, tenant, as_json)
    service, found = session.bokit.catalog.sources, session.bokit.catalog.sources.find(session.tenant, source)
    docs = service.reset_marks(session.tenant, found.id, table) if reset else service.list_marks(session.tenant, found.id)
    docs = [doc for doc in docs if table in (None, doc["table"])]
    note = f"reset: {session.names.of(found)}; the next sync, which is due now, reads all" if reset else ""
    session.answer_list(docs, lambda c: print_marks(c, docs, note, session.bokit.clock()))


@sources.command("apply-held")
def apply_held(
    ctx: typer.Context, source: SourceName, plan: PlanHash = None, tenant: Tenant = DEFAULT, as_json: AsJson = False
) -> int:
    """Apply a held plan: the listed stays are cancelled."""
    return _decide(Session(ctx, tenant, as_json), source, plan, apply=True)


@sources.command("discard-held")
def discard_held(
    ctx: typer.Context, source: SourceName, plan: PlanHash = None, tenant: Tenant = DEFAULT, as_json: AsJson = False
) -> int:
    """Discard a held plan: everything stays as it is."""
    return _decide(Session(ctx, tenant, as_json), source, plan, apply=False)


def _decide(session: Session, source: str, plan: str | None, *, apply: bool) -> int:
    from bokit.core.model.runs import describe_run

    found = session.bokit.catalog.sources.find(session.tenant, source)
    run = session.bokit.records.resolve_hold(session.tenant, found.id, plan_hash=plan, apply=apply, by=session.user)
    names = session.name_sources()
    session.answer(describe_run(run, names), lambda c: show_run(c, run, names))
    return end_run(run)
