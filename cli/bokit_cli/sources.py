"""``bokit source``: where bookings come from."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.flags import DEFAULT, AsJson, CancelAfter, Interval, Platform, SourceWord, Tenant, Zone
from bokit_cli.session import Session
from bokit_cli.show import (
    ago_words,
    day_words,
    print_facts,
    print_line,
    print_table,
    problem_words,
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

sources = typer.Typer(no_args_is_help=True, help="Where bookings come from: feeds, each of one unit.")
Url = Annotated[str, typer.Option("--url", metavar="URL", help="https://…, secret:NAME, or - to read it from standard input.")]
PlanHash = Annotated[
    str | None, typer.Option("--plan", metavar="HASH", help="The plan that `source show` told; another is refused.")
]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(sources, name="source")


@sources.command("add")
def add_source(
    ctx: typer.Context,
    name: str,
    unit: Annotated[str, typer.Option("--unit", metavar="UNIT", help="Whose nights it tells of; an id or a name.")],
    url: Url,
    kind: Annotated[str, typer.Option("--kind", help="What it is.")] = "ical",
    platform: Platform = None,
    interval: Interval = None,
    cancel_after: CancelAfter = None,
    timezone: Zone = None,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Fetch it first, and show what is read.")] = True,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Add a source; the feed is fetched and shown first."""
    from bokit.engine.catalog.view import describe_source

    session = Session(ctx, tenant, as_json)
    catalog = session.bokit.catalog
    place = catalog.find_unit(session.tenant, unit)
    values = {
        "name": name,
        "kind": kind,
        "url": _read_url(url),
        "platform": platform,
        "interval": interval,
        "cancel_after": cancel_after,
        "timezone": timezone,
    }
    preview = _preview(session, place.id, values) if check else None
    made = catalog.sources.add(session.tenant, place.id, values)

    def show(console: Console) -> None:
        if preview:
            show_preview(console, preview.as_dict())
        print_line(console, f"added source {made.name} of {place.name}, {made.id}; `bokit sync` syncs it now")

    session.answer({**describe_source(made), "preview": preview and preview.as_dict()}, show)


def _preview(session: Session, unit_id: Any, values: dict[str, Any]) -> Preview:
    """Fetch what is to be added; what cannot be read is not added."""
    from bokit.core.model.source_rules import Verdict
    from bokit.errors import InputError, LaterError, NeverError

    try:
        preview = session.bokit.catalog.sources.preview(session.tenant, unit_id, values)
    except (LaterError, NeverError) as error:
        raise InputError(
            f"{error}; nothing was added; mend the URL, or add it with --no-check", code=error.stable_code
        ) from error
    if preview.verdict is Verdict.UNREADABLE:
        told = preview.problems[0].message if preview.problems else "it is no calendar"
        raise InputError(f"no calendar is read there: {told}; nothing was added; mend the URL, or add it with --no-check")
    return preview


def _read_url(url: str) -> str:
    """Return the URL; from standard input where it is a dash, so that no list of processes shows it."""
    return sys.stdin.readline().strip() if url == "-" else url


def show_preview(console: Console, preview: dict[str, Any], most: int = 5) -> None:
    """Print what is read in a feed."""
    entries = preview["entries"]
    whose = preview.get("platform") or "records"
    print_line(console, f"{whose}: {preview['verdict']}, {len(entries)} entries, {len(preview['problems'])} problems")
    if entries and "fields" in entries[0]:
        shown = [(e["id"], value_words(e["fields"])) for e in entries[:most]]
        print_table(console, ["id!", "fields"], shown, "")
    elif entries:
        rows = [
            (stay_words(e["check_in"], e["check_out"]), e["kind"], e["guest_name"] or e["summary"], e["reservation_code"])
            for e in sorted(entries, key=lambda e: e["check_in"])[:most]
        ]
        print_table(console, ["stay!", "kind", "who", "code"], rows, "")
    if len(entries) > most:
        print_line(console, f"… and {len(entries) - most} more")
    for problem in preview["problems"][:most]:
        print_line(console, f"problem {problem_words(problem)}")


@sources.command("list")
def list_sources(
    ctx: typer.Context,
    removed: Annotated[bool, typer.Option("--removed", help="Removed ones too.")] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List the sources."""
    from bokit.engine.catalog.view import describe_source, show_url

    session = Session(ctx, tenant, as_json)
    catalog = session.bokit.catalog
    found = catalog.sources.list_sources(session.tenant, removed=removed)
    units = {str(u.id): u.name for u in catalog.list_units(session.tenant)}
    rows = [
        (
            s.name,
            s.id,
            where_words(describe_source(s), units),
            show_url(s.url),
            "removed" if s.removed_at else "" if s.enabled else "paused",
        )
        for s in found
    ]
    empty = "no source yet; `bokit source add NAME --unit UNIT --url URL` adds one"
    session.answer_list(
        [describe_source(s) for s in found], lambda c: print_table(c, ["source", "id!", "unit", "from", ""], rows, empty)
    )


@sources.command("show")
def show_source(ctx: typer.Context, source: SourceWord, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Show one source: how it fares, what is held, and how to settle it."""
    from bokit.engine.catalog.view import describe_source

    session = Session(ctx, tenant, as_json)
    found = session.bokit.catalog.sources.find(session.tenant, source, removed=True)
    hold = session.bokit.records.find_hold(session.tenant, found.id)
    told = session.bokit.status.load_freshness(session.tenant, found.id)
    doc = {**describe_source(found), **told, "hold": _describe_hold(found.id, hold)}
    session.answer(doc, lambda c: _show_source(c, session, doc))


def _describe_hold(id: SourceId, hold: Hold | None) -> dict[str, Any] | None:
    if hold is None:
        return None
    settle = [f"bokit source discard-held {id} --plan {hold.plan_hash}"]
    if hold.can_apply:
        settle.insert(0, f"bokit source apply-held {id} --plan {hold.plan_hash}")
    return {**hold.as_dict(), "settle": settle}


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
            "every": doc["interval"] and span_words(doc["interval"]),
            "last success": doc["last_success_at"] and ago_words(doc["last_success_at"], now),
            "last change": doc["last_change_at"] and ago_words(doc["last_change_at"], now),
            "next": doc["next_due_at"] and ago_words(doc["next_due_at"], now),
            "error": doc["error"] and doc["error"]["message"],
        },
    )
    if doc["hold"]:
        _show_hold(console, doc["hold"], session)


def _show_hold(console: Console, hold: dict[str, Any], session: Session) -> None:
    print_line(console)
    print_line(console, f"held since {ago_words(hold['since'], session.bokit.clock())}: {hold['message']}")
    rows = [
        (
            r.get("action"),
            _release_words(r),
            r.get("guest_name") or r.get("reservation_code") or r.get("code"),
            r.get("record_id"),
        )
        for r in hold["releases"]
    ]
    if rows:
        print_line(console, "applying it would let go:")
        print_table(console, ["", "stay!", "who", "booking!"], rows, "")
    print_line(console, "to settle it:")
    for command in hold["settle"]:
        print_line(console, f"  {command}")


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
    source: SourceWord,
    name: Annotated[str | None, typer.Option("--name", help="Another name.")] = None,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="Another URL; the stays are kept.")] = None,
    platform: Platform = None,
    interval: Interval = None,
    cancel_after: CancelAfter = None,
    timezone: Zone = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Change a source; an empty value goes back to the tenant's."""
    from bokit.engine.catalog.view import describe_source
    from bokit.errors import InputError

    session = Session(ctx, tenant, as_json)
    told = {
        "name": name,
        "url": url and _read_url(url),
        "platform": platform,
        "interval": interval,
        "cancel_after": cancel_after,
        "timezone": timezone,
    }
    values = {field: value for field, value in told.items() if value is not None}
    if not values:
        raise InputError("nothing to change; name a field, as in --interval 15m")
    desk = session.bokit.catalog.sources
    before = desk.find(session.tenant, source)
    after = desk.edit(session.tenant, before.id, values)
    session.answer(
        describe_source(after), lambda c: print_line(c, f"{'unchanged' if after == before else 'changed'}: {after.name}")
    )


@sources.command("pause")
def pause_source(ctx: typer.Context, source: SourceWord, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Stop syncing a source; what it holds stays held."""
    _switch(Session(ctx, tenant, as_json), source, on=False)


@sources.command("resume")
def resume_source(ctx: typer.Context, source: SourceWord, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Sync a paused source again, beginning now."""
    _switch(Session(ctx, tenant, as_json), source, on=True)


def _switch(session: Session, source: str, *, on: bool) -> None:
    from bokit.engine.catalog.view import describe_source

    desk = session.bokit.catalog.sources
    found = desk.find(session.tenant, source)
    after = (desk.resume if on else desk.pause)(session.tenant, found.id)
    told = f"resumed: {after.name}" if on else f"paused: {after.name}; its nights stay held"
    session.answer(describe_source(after), lambda c: print_line(c, told))


@sources.command("remove")
def remove_source(
    ctx: typer.Context,
    source: SourceWord,
    release: Annotated[bool, typer.Option("--release", help="Let its future nights go, too.")] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Remove a source; its future nights stay held until --release."""
    from bokit.engine.catalog.view import describe_source

    session = Session(ctx, tenant, as_json)
    desk = session.bokit.catalog.sources
    found = desk.find(session.tenant, source, removed=release)
    done = desk.remove(session.tenant, found.id, release=release, by=session.user)

    def show(console: Console) -> None:
        print_line(console, f"removed: {found.name}; {done.released} bookings released, {done.kept} kept")
        if done.kept:
            print_line(console, f"their nights stay held; `bokit source remove {found.id} --release` lets them go")

    session.answer({**describe_source(done.source), "released": done.released, "kept": done.kept}, show)


@sources.command("test")
def try_source(ctx: typer.Context, source: SourceWord, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> int:
    """Fetch a source once and show what is read; nothing is written. Exit code 1: it cannot be read."""
    from bokit.core.model.source_rules import Verdict
    from bokit.errors import LaterError, NeverError

    session = Session(ctx, tenant, as_json)
    desk = session.bokit.catalog.sources
    found = desk.find(session.tenant, source)
    try:
        preview = desk.test(session.tenant, found.id)
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
    ctx: typer.Context, source: SourceWord, plan: PlanHash = None, tenant: Tenant = DEFAULT, as_json: AsJson = False
) -> int:
    """Apply what a guard holds: the stays that it names are let go."""
    return _settle(Session(ctx, tenant, as_json), source, plan, apply=True)


@sources.command("discard-held")
def discard_held(
    ctx: typer.Context, source: SourceWord, plan: PlanHash = None, tenant: Tenant = DEFAULT, as_json: AsJson = False
) -> int:
    """Forget what a guard holds: everything stays as it is."""
    return _settle(Session(ctx, tenant, as_json), source, plan, apply=False)


def _settle(session: Session, source: str, plan: str | None, *, apply: bool) -> int:
    from bokit.core.model.runs import describe_run

    found = session.bokit.catalog.sources.find(session.tenant, source)
    run = session.bokit.records.settle_hold(session.tenant, found.id, plan_hash=plan, apply=apply, by=session.user)
    session.answer(describe_run(run), lambda c: show_run(c, run))
    return end_run(run)
