"""``bokit records``: the records of a collection, as people read and change them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bokit_cli.changes import show_changes
from bokit_cli.collections import find_collection
from bokit_cli.flags import (
    DEFAULT,
    AsJson,
    CollectionName,
    Cursor,
    Limit,
    PresenceFilter,
    RecordKey,
    Since,
    Tenant,
    Where,
)
from bokit_cli.record_export import export_records
from bokit_cli.record_values import read_changes, read_filter
from bokit_cli.session import Session
from bokit_cli.show import ago_words, print_facts, print_line, print_next, value_words, word
from bokit_cli.tables import Column, Table

if TYPE_CHECKING:
    from rich.console import Console

    from bokit.core.items.edit import PatchResult
    from bokit.core.model.catalog import Collection
    from bokit.core.model.records import Record

records = typer.Typer(no_args_is_help=True, help="Records of a collection: read, change, delete and export them.")

RECORDS = Table(
    Column("id"),
    Column("fields", least=16),
    Column("state", drop=2),
    Column("changed", drop=1),
    empty="no such record; without --where, --since and --presence all that are not gone are shown",
)
MAX_KEYS_COMPARED = 2000
"""Ids that are compared with a misspelt one."""


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(records, name="records")


records.command("export")(export_records)


def find_record(session: Session, collection: Collection, key: str, hint: str = "") -> Record:
    """Return the record with this id; the error offers what was meant, and *hint*."""
    from bokit.core.model.suggestions import did_you_mean, suggest
    from bokit.errors import UnknownIdError, UnknownNameError

    service = session.bokit.catalog.collections
    try:
        return service.get(collection, key)
    except UnknownIdError:
        near = suggest(key, (r.key for r in islice(service.iterate(collection), MAX_KEYS_COMPARED)))
        shown = key if len(key) <= 60 else f"{key[:60]}…"
        offer = did_you_mean(near) or f"; `bokit records list --collection {collection.name}` shows them"
        raise UnknownNameError(
            f"no record of {collection.name} is '{shown}'{offer}{hint}", name=shown, suggestions=near
        ) from None


@records.command("list")
def list_records(
    ctx: typer.Context,
    collection: CollectionName,
    where: Where = None,
    since: Since = None,
    presence: PresenceFilter = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List the records of a collection."""
    from bokit.core.items.planning import describe_record

    session = Session(ctx, tenant, as_json)
    found = find_collection(session, collection)
    wanted = read_filter(where, since, presence, session.bokit.clock())
    shown: list[Record] = []
    while True:
        page = session.bokit.catalog.collections.page(found, wanted, limit=limit - len(shown), cursor=cursor)
        shown, cursor = [*shown, *page.items], page.cursor
        if cursor is None or len(shown) >= limit:
            break
    session.answer_list([describe_record(r) for r in shown], lambda c: _show_records(c, session, shown, found, cursor), cursor)


def _show_records(console: Console, session: Session, shown: list[Record], found: Collection, cursor: str | None) -> None:
    now = session.bokit.clock()
    rows = [(r.key, _fields_words(r), word(r.presence), ago_words(r.updated_at, now)) for r in shown]
    RECORDS.print(console, rows)
    print_next(console, f"bokit records list --collection {found.name}", cursor)


def _fields_words(record: Record) -> str:
    """Return a record's fields in one line."""
    return ", ".join(f"{name}: {value_words(value)}" for name, value in record.fields.items() if value not in (None, "", [], {}))


@records.command("get")
def get_record(
    ctx: typer.Context, key: RecordKey, collection: CollectionName, tenant: Tenant = DEFAULT, as_json: AsJson = False
) -> None:
    """Show a record: its fields, and what a person edited."""
    session = Session(ctx, tenant, as_json)
    _answer(session, find_record(session, find_collection(session, collection), key))


def _answer(session: Session, record: Record, done: str = "") -> None:
    """Answer with a record, after what was done to it."""
    from bokit.core.items.planning import describe_record

    def show(console: Console) -> None:
        if done:
            print_line(console, done)
        else:
            _show_record(console, session, record)

    session.answer(describe_record(record), show)


def _show_record(console: Console, session: Session, record: Record) -> None:
    origin = session.name_sources().get(record.source_id) if record.source_id else "pushed by programs"
    state = f"{record.presence}, {record.gone_reason}" if record.gone_reason else str(record.presence)
    for name, value in record.fields.items():
        edit = record.edits.get(name)
        source = f" (edited), source: {value_words(record.remote.get(name))}" if edit else ""
        print_line(console, f"{name}: {value_words(value)}{source}")
    print_line(console)
    changed = ago_words(record.updated_at, session.bokit.clock())
    print_facts(console, {"id": record.key, "from": origin, "state": state, "version": record.version, "changed": changed})


@records.command("set")
def set_fields(
    ctx: typer.Context,
    key: RecordKey,
    collection: CollectionName,
    values: Annotated[
        list[str],
        typer.Option("--set", metavar="FIELD=VALUE", help="May be repeated; FIELD:=JSON for other types, FIELD:=null removes."),
    ],
    create: Annotated[bool, typer.Option("--create", help="Create the record; there must be none with this id.")] = False,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Set fields of a record; edits survive syncs, and other fields stay."""
    from bokit.core.items.edit import WriteMethod
    from bokit.engine.catalog.collections import WriteRequest, describe_patch_result
    from bokit.engine.records.writes import Preconditions

    session = Session(ctx, tenant, as_json)
    found = find_collection(session, collection)
    fields = {} if create else find_record(session, found, key, "; --create creates it").fields
    document = read_changes(values, fields, found.schema)
    method = WriteMethod.PUT if create else WriteMethod.PATCH
    request = WriteRequest(method=method, document=document, by=session.user, terms=Preconditions(must_be_new=create))
    result = session.bokit.catalog.collections.write(found, key, request)
    session.answer(describe_patch_result(result), lambda c: _show_result(c, result))


def _show_result(console: Console, result: PatchResult) -> None:
    record, change = result.record, result.change
    outcome = "nothing changed" if change is None else "created" if change.action == "create" else "changed"
    print_line(console, f"{record.collection} {record.key}: {outcome}")
    for name, field in change.fields.items() if change else ():
        source = f" (edited), source: {value_words(record.remote.get(name))}" if name in record.edits else ""
        print_line(console, f"  {name}: {value_words(field.before)} → {value_words(field.after)}{source}")
    for name in result.preserved:
        print_line(console, f"  {name}: kept as it is, since the collection preserves it")


@records.command("delete")
def delete_record(
    ctx: typer.Context, key: RecordKey, collection: CollectionName, tenant: Tenant = DEFAULT, as_json: AsJson = False
) -> None:
    """Delete a record that no source feeds; it can be restored."""
    session = Session(ctx, tenant, as_json)
    found = find_collection(session, collection)
    known = find_record(session, found, key)
    record = session.bokit.catalog.collections.removal.delete_record(found, known.key, by=session.user)
    back = f"`bokit records restore {record.key} --collection {found.name}` brings it back"
    _answer(session, record, f"deleted: {found.name} {record.key}; {back}")


@records.command("restore")
def restore_record(
    ctx: typer.Context, key: RecordKey, collection: CollectionName, tenant: Tenant = DEFAULT, as_json: AsJson = False
) -> None:
    """Bring back a deleted record, with the fields that it had."""
    session = Session(ctx, tenant, as_json)
    found = find_collection(session, collection)
    known = find_record(session, found, key)
    record = session.bokit.catalog.collections.removal.restore_record(found, known.key, by=session.user)
    _answer(session, record, f"restored: {found.name} {record.key}")


@records.command("history")
def list_changes(
    ctx: typer.Context,
    key: RecordKey,
    collection: CollectionName,
    limit: Limit = 50,
    cursor: Cursor = None,
    tenant: Tenant = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List the changes of a record: when, by whom, and why."""
    from bokit.engine.catalog.view import describe_change

    session = Session(ctx, tenant, as_json)
    found = find_collection(session, collection)
    record = find_record(session, found, key)
    page = session.bokit.records.list_changes(session.tenant, record.id, limit=limit, cursor=cursor)
    docs: list[Any] = [describe_change(c) for c in page.items]
    more = f"bokit records history {record.key} --collection {found.name}"
    session.answer_list(docs, lambda c: show_changes(c, session, docs, more, page.cursor), page.cursor)
