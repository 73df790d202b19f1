"""``bokit collection``: what is declared of collections; emptying and removing them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.completion import complete_collection
from bokit_cli.flags import DEFAULT, AsJson, DryRun, Tenant, Yes
from bokit_cli.session import Session
from bokit_cli.show import plural, print_facts, print_line, span_words
from bokit_cli.tables import Column, Table

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.core.model.catalog import Collection
    from bokit.core.model.collections import CollectionDocument
    from bokit.engine.records.removal import EmptyingDocument, Removal

collection = typer.Typer(no_args_is_help=True, help="Collections of records: show, empty and remove them.")

COLLECTIONS = Table(
    Column("name"),
    Column("records", number=True),
    Column("from", least=12),
    Column("schema", drop=2),
    Column("keeps", drop=1, least=10),
    empty="no collection yet; declare one in a config file, and `bokit config import FILE` that",
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The collection's name.", autocompletion=complete_collection)]
EMPTIED = "which can be restored one by one"
REMOVED = "with their change logs, for good"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(collection, name="collection")


def find_collection(session: Session, name: str) -> Collection:
    """Return the collection of this name; the error offers what was meant."""
    from bokit.core.model.collections import BUILT_IN
    from bokit.core.model.suggestions import did_you_mean, suggest
    from bokit.errors import UnknownNameError

    known = {str(c.name): c for c in session.bokit.catalog.collections.list_collections(session.tenant)}
    if found := known.get(name):
        return found
    near = suggest(name, known)
    offer = did_you_mean(near) or ("; `bokit collection list` shows them" if known else f"; {COLLECTIONS.empty}")
    if name in BUILT_IN:
        offer = ", it is built in; `bokit bookings`, `bokit conflicts` and `bokit export` show these"
    raise UnknownNameError(f"no collection is declared as '{name[:60]}'{offer}", name=name[:60], suggestions=near)


@collection.command("list")
def list_collections(
    ctx: typer.Context,
    counts: Annotated[bool, typer.Option("--counts", help="Count the records, which reads them all.")] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List the collections, and which sources feed them."""
    from bokit.core.model.collections import describe_collection

    session = Session(ctx, tenant, as_json)
    service = session.bokit.catalog.collections
    found = service.list_collections(session.tenant)
    docs = [describe_collection(c, service.count(c) if counts else None) for c in found]

    def show(console: Console) -> None:
        COLLECTIONS.print(console, [_row(session, doc) for doc in docs])

    session.answer_list(docs, show)


def _row(session: Session, doc: CollectionDocument) -> tuple[object, ...]:
    count = doc["counts"]["records"] if "counts" in doc else ""
    return doc["name"], count, _origin_words(session, doc["name"]), _schema_words(doc), ", ".join(doc["preserve"])


def _origin_words(session: Session, name: str) -> str:
    """Return the full names of the sources that feed a collection."""
    from bokit.core.model.collections import feeds

    sources, names = session.bokit.catalog.sources.list_sources(session.tenant), session.names
    return ", ".join(names.of(s) for s in names.sorted(s for s in sources if feeds(s, name))) or "pushed by programs"


def _schema_words(doc: CollectionDocument) -> str:
    names = _declared_fields(doc)
    return plural(len(names), "field") if names else "any fields" if doc["schema"] is None else "declared"


def _declared_fields(doc: CollectionDocument) -> list[str]:
    properties: Any = (doc["schema"] or {}).get("properties") or ()
    return list(properties)


@collection.command("show")
def show_collection(ctx: typer.Context, name: Name, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """Show a collection, with its number of records; that reads them all."""
    from bokit.core.model.collections import describe_collection

    session = Session(ctx, tenant, as_json)
    found = find_collection(session, name)
    doc = describe_collection(found, session.bokit.catalog.collections.count(found))
    session.answer(doc, lambda c: _show(c, session, doc))


def _show(console: Console, session: Session, doc: CollectionDocument) -> None:
    counts = doc["counts"]
    states = ", ".join(f"{counts[state]} {state}" for state in ("missing", "gone", "edited") if counts.get(state))
    facts = {
        "collection": doc["name"],
        "records": f"{counts['records']}{f', of these {states}' if states else ''}",
        "from": _origin_words(session, doc["name"]),
        "schema": _schema_words(doc),
        "fields": ", ".join(_declared_fields(doc)),
        "keeps": ", ".join(doc["preserve"]),
        "array keys": ", ".join(f"{path} by {key}" for path, key in doc["array_keys"].items()),
        "interval": span_words(doc["interval"]) if doc["interval"] else None,
        "if fields vanish": doc["schema_policy"],
        "buckets": doc["buckets"] if doc["buckets"] > 1 else None,
    }
    print_facts(console, facts)


# ── what deletes ──


@collection.command("empty")
def empty_collection(
    ctx: typer.Context, name: Name, yes: Yes = False, dry_run: DryRun = False, tenant: Tenant = DEFAULT, as_json: AsJson = False
) -> None:
    """Delete all records of a collection that no source feeds; they can be restored one by one."""
    from bokit.engine.records.removal import Removal

    session = Session(ctx, tenant, as_json)
    found = find_collection(session, name)
    removal = session.bokit.catalog.collections.removal
    _remove(session, found, Removal.EMPTY, lambda plan: removal.empty_collection(found, plan=plan, by=session.user), yes, dry_run)


@collection.command("remove")
def remove_collection(
    ctx: typer.Context, name: Name, yes: Yes = False, dry_run: DryRun = False, tenant: Tenant = DEFAULT, as_json: AsJson = False
) -> None:
    """Remove a collection that no source feeds, with its records and their change logs, for good."""
    from bokit.engine.records.removal import Removal

    session = Session(ctx, tenant, as_json)
    found = find_collection(session, name)
    removal = session.bokit.catalog.collections.removal
    _remove(session, found, Removal.REMOVE, lambda plan: removal.remove_collection(found, plan=plan), yes, dry_run)


def _remove(
    session: Session,
    found: Collection,
    kind: Removal,
    do_part: Callable[[str], EmptyingDocument],
    yes: bool,
    dry_run: bool,
) -> None:
    """Show how many records go, ask, and delete them part by part."""
    shown = session.bokit.catalog.collections.removal.plan_emptying(found, kind, to_end=True)
    going = f"{plural(shown.count, 'record')} of {found.name}, {EMPTIED if kind == 'empty' else REMOVED}"
    if not dry_run:
        if shown.count:
            _confirm(session, f"{kind} {found.name}", going, yes=yes)
        _do_parts(found, shown.plan, do_part)
    document = {"collection": str(found.name), "records": shown.count, "removed": not dry_run}
    done = f"would delete {going}" if dry_run else f"deleted {going}"
    if kind != "empty" and not shown.count:
        done = f"{'would remove' if dry_run else 'removed'} {found.name}, which has no records"
    session.answer(document, lambda c: print_line(c, done))


def _confirm(session: Session, doing: str, going: str, *, yes: bool) -> None:
    """Ask before anything goes; where nobody can answer, the error says how to go on."""
    from bokit.errors import StateError

    if yes:
        return
    if session.as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise StateError(f"this deletes {going}; --dry-run shows it, --yes does it", code="not-confirmed")
    print_line(session.console, f"this deletes {going}")
    typer.confirm(f"{doing}?", abort=True)


def _do_parts(found: Collection, plan: str | None, do_part: Callable[[str], EmptyingDocument]) -> None:
    """Delete one part after another; raise StateError where the collection changed since the plan was shown."""
    from bokit.errors import StateError

    removed = 0
    while plan is not None:
        try:
            part = do_part(plan)
        except StateError as error:
            if error.stable_code != "plan-changed":
                raise
            message = f"the collection changed meanwhile, and {plural(removed, 'record')} were deleted; run it again for the rest"
            raise StateError(message, code="plan-changed", collection=str(found.name)) from error
        removed, plan = removed + part["removed"], part["plan"]
