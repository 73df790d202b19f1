"""``bokit source``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.flags import DEFAULT, AsJson, CancelAfter, EndsOn, IgnoreTransparent, Interval, Platform, SourceName, Tenant, Zone
from bokit_cli.session import Session
from bokit_cli.show import (
    ago_words,
    day_words,
    opening_words,
    plural,
    print_facts,
    print_line,
    print_table,
    problem_words,
    show_suggestions,
    span_words,
    stay_words,
    value_words,
    where_words,
)
from bokit_cli.sync import end_run, show_run

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
MAX_ENTRIES_SHOWN = 5
NOT_ADDED = "nothing was added; fix the URL, or add it with --no-check"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(sources, name="source")


@sources.command("add")
def add_source(
    ctx: typer.Context,
    name: str,
    unit: Annotated[str, typer.Option("--unit", metavar="UNIT", help="Unit id or name.")],
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
    made = catalog.sources.add(session.tenant, place.id, values)

    def show(console: Console) -> None:
        if preview:
            show_preview(console, preview.as_dict())
        print_line(console, f"added source {made.name} of {place.name}, {made.id}; `bokit sync` syncs it now")

    session.answer({**describe_source(made), "preview": preview and preview.as_dict()}, show)


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
        print_table(console, ["id!", "fields"], shown, "")
    elif entries:
        rows = [
            (stay_words(e["check_in"], e["check_out"]), e["kind"], e["guest_name"] or e["summary"], e["reservation_code"])
            for e in sorted(entries, key=lambda e: e["check_in"])[:MAX_ENTRIES_SHOWN]
        ]
        print_table(console, ["stay!", "kind", "who", "code"], rows, "")
    if len(entries) > MAX_ENTRIES_SHOWN:
        print_line(console, f"… and {len(entries) - MAX_ENTRIES_SHOWN} more")
    for problem in preview["problems"][:MAX_ENTRIES_SHOWN]:
        print_line(console, f"problem {problem_words(problem)}")
    show_suggestions(console, preview)


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
    found = catalog.sources.list_sources(session.tenant, removed=removed)
    units = {str(u.id): u.name for u in catalog.list_units(session.tenant)}
    docs = [describe_source(s) for s in found]
    states = ["removed" if d["removed_at"] else "" if d["enabled"] else "paused" for d in docs]
    rows = [(d["name"], d["id"], where_words(d, units), d["url"], state) for d, state in zip(docs, states, strict=True)]
    columns, empty = (
        ["source", "id!", "unit", "from", ""],
        "no source yet; `bokit source add NAME --unit UNIT --url URL` adds one",
    )
    session.answer_list(docs, lambda c: print_table(c, columns, rows, empty))


@sources.command("show")
def show_source(ctx: typer.Context, source: SourceName, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Show one source: its state, its held plan, and how to apply or discard that."""
    from bokit.engine.catalog.view import describe_source

    session = Session(ctx, tenant, as_json)
    found = session.bokit.catalog.sources.find(session.tenant, source, removed=True)
    hold = session.bokit.records.find_hold(session.tenant, found.id)
    freshness = session.bokit.status.load_freshness(session.tenant, found.id)
    doc = {**describe_source(found), **freshness, "hold": _describe_hold(found.id, hold)}
    session.answer(doc, lambda c: _show_source(c, session, doc))


def _describe_hold(source_id: SourceId, hold: Hold | None) -> dict[str, Any] | None:
    from bokit.engine.sync.plan_limit import QUOTA

    if hold is None:
        return None
    commands = ["apply-held"] * hold.can_apply + ["discard-held"] * (hold.code != QUOTA)
    return {**hold.as_dict(), "settle": [f"bokit source {c} {source_id} --plan {hold.plan_hash}" for c in commands]}


def _show_source(console: Console, session: Session, doc: dict[str, Any]) -> None:
    now = session.bokit.clock()
    units = {str(u.id): u.name for u in session.bokit.catalog.list_units(session.tenant)}
    print_facts(
        console,
        {
            "source": f"{doc['name']} ({doc['id']})",
            "unit": doc["unit_id"] and units.get(doc["unit_id"], doc["unit_id"]),
            "collection": None if doc["unit_id"] else doc["collection"],
            "from": doc["url"],
            "platform": doc["platform"],
            "state": "removed" if doc["removed_at"] else doc["state"],
            "interval": doc["interval"] and span_words(doc["interval"]),
            "ends on": doc["ends_on"] if doc["unit_id"] else None,
            "free events": "ignored" if doc["ignore_transparent"] else None,
            "last success": doc["last_success_at"] and ago_words(doc["last_success_at"], now),
            "last change": doc["last_change_at"] and ago_words(doc["last_change_at"], now),
            "next sync": doc["next_due_at"] and ago_words(doc["next_due_at"], now),
            "error": doc["error"] and doc["error"]["message"],
            "advice": doc["advice"],
            "renames since": doc["renames_since"] and ago_words(doc["renames_since"], now),
        },
    )
    if doc["hold"]:
        _show_hold(console, doc["hold"], session, unit_zones(session).get(str(doc["unit_id"]), "UTC"))


def unit_zones(session: Session) -> dict[str, str]:
    """Return the timezone of each unit: its own, else its property's."""
    catalog = session.bokit.catalog
    houses = {p.id: p.timezone for p in catalog.list_properties(session.tenant)}
    units = {str(u.id): u.timezone or houses.get(u.property_id) for u in catalog.list_units(session.tenant)}
    return {unit: zone for unit, zone in units.items() if zone}


def _show_hold(console: Console, hold: dict[str, Any], session: Session, zone: str) -> None:
    print_line(console)
    print_line(console, f"held since {ago_words(hold['since'], session.bokit.clock())}: {hold['message']}")
    if hold["opens_at"]:
        print_line(console, opening_words(hold["opens_at"], zone, session.bokit.clock()))
    rows = [(r.get("action"), _release_words(r), _release_name(r), r.get("record_id")) for r in hold["releases"]]
    if rows:
        print_line(console, "applying it would release:")
        print_table(console, ["", "stay!", "who", "booking!"], rows, "")
    if hold["settle"]:
        print_line(console, "apply or discard it with:")
    for command in hold["settle"]:
        print_line(console, f"  {command}")


def _release_name(release: dict[str, Any]) -> str | None:
    return release.get("guest_name") or release.get("reservation_code") or release.get("code")


def _release_words(release: dict[str, Any]) -> str:
    if release.get("check_in") and release.get("check_out"):
        return stay_words(release["check_in"], release["check_out"])
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
    platform: Platform = None,
    interval: Interval = None,
    cancel_after: CancelAfter = None,
    timezone: Zone = None,
    ends_on: EndsOn = None,
    ignore_transparent: IgnoreTransparent = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Change a source; an empty value restores the tenant's default."""
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
    if not values:
        raise InputError("nothing to change; use an option, as in --interval 15m")
    sources = session.bokit.catalog.sources
    before = sources.find(session.tenant, source)
    after = sources.edit(session.tenant, before.id, values)
    outcome = "unchanged" if after == before else "changed"
    session.answer(describe_source(after), lambda c: print_line(c, f"{outcome}: {after.name}"))


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
    outcome = f"resumed: {after.name}" if on else f"paused: {after.name}; its nights stay held"
    session.answer(describe_source(after), lambda c: print_line(c, outcome))


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
    done = sources.remove(session.tenant, found.id, release=release, by=session.user)

    def show(console: Console) -> None:
        print_line(console, f"removed: {found.name}; {plural(done.released, 'booking')} released, {done.kept} kept")
        if done.kept:
            print_line(console, f"their nights stay held; `bokit source remove {found.id} --release` releases them")

    session.answer({**describe_source(done.source), "released": done.released, "kept": done.kept}, show)


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
        text = f"{found.name} failed: {error}"
        session.answer({"source_id": found.id, "error": failure}, lambda c: print_line(c, text))
        return 1
    doc = preview.as_dict()
    session.answer({"source_id": found.id, "error": None, **doc}, lambda c: show_preview(c, doc))
    return int(preview.verdict is Verdict.UNREADABLE)


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
    session.answer(describe_run(run), lambda c: show_run(c, run))
    return end_run(run)
