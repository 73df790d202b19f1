"""``/collections``: any other synced data, as records."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query

from bokit.core.items.edit import PatchResult, WriteMethod
from bokit.core.items.planning import describe_record
from bokit.core.model.catalog import Collection
from bokit.core.model.collections import CollectionDocument, describe_collection
from bokit.core.model.records import Presence, Record
from bokit.engine.catalog.collections import WriteRequest, describe_patch_result
from bokit.engine.catalog.view import describe_change
from bokit.engine.records.listing import RecordFilter
from bokit.engine.records.writes import Preconditions
from bokit.errors import InputError
from bokit.http.bodies import EditsToDrop
from bokit.http.limits import MAX_HEADER_LENGTH, MAX_TEXT_LENGTH, MAX_TIME_LENGTH
from bokit.http.params import Cursor, Fields, Limit, read_fields
from bokit.http.replies import Reply, reply, reply_nothing, reply_stored
from bokit.http.routing import ADMIN, NOTHING, OPERATOR, VIEWER, Answers, Routes, lists, shows, updates
from bokit.values import replace

routes = Routes("collections")

Name = Annotated[str, Path(description="The collection's name.")]
RecordKey = Annotated[str, Path(description="The record's id, as its source gives it.")]
Counts = Annotated[bool, Query(description="Count the records, which reads them all.")]
PresenceFilter = Annotated[
    str | None,
    Query(
        pattern=f"^({'|'.join(Presence)}|all)$",
        description="`present`, `missing`, `gone` or `all`; without it all that are not gone, and with `since` all.",
    ),
]
Since = Annotated[
    str | None,
    Query(
        max_length=MAX_TIME_LENGTH,
        json_schema_extra={"format": "date-time"},
        description="A time: only records that changed after it, deleted ones included; `since` of the answer before.",
    ),
]
PlanShown = Annotated[
    str | None, Query(max_length=MAX_TEXT_LENGTH, description="The `plan` of the refusal, or of the part before.")
]
Preserve = Annotated[
    str | None,
    Query(max_length=MAX_TEXT_LENGTH, description="Comma-separated fields that keep their value; dots lead into objects."),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=MAX_HEADER_LENGTH,
        description="The ETag that was read, or `*`; if it does not hold: 412, nothing is written.",
    ),
]
IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", max_length=MAX_HEADER_LENGTH, description="`*`: the record must be new, else 412.")
]
Document = dict[str, Any]
PART: Answers = shows("Emptying", "A part is removed; send it again with this plan.", 202)
LISTED: Answers = lists("Record", since={"type": "string", "format": "date-time", "description": "What to send as `since` next."})


@routes.serve("GET", "/collections", VIEWER, lists("Collection"))
def list_collections(counts: Counts = False, limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """List the collections, by name."""
    call = routes.call
    collections = call.engine.catalog.collections

    def describe(collection: Collection) -> CollectionDocument:
        return describe_collection(collection, collections.count(collection) if counts else None)

    found = collections.list_collections(call.tenant)
    return call.reply_page(found, describe, lambda c: (c.name,), ("collections", counts), limit, cursor)


@routes.serve("GET", "/collections/{name}", VIEWER, shows("Collection"))
def show_collection(name: Name) -> Reply:
    """Show one collection, with its number of records."""
    collection = _find(name)
    return reply(describe_collection(collection, routes.call.engine.catalog.collections.count(collection)))


@routes.serve("DELETE", "/collections/{name}", ADMIN, {**NOTHING, **PART})
def remove_collection(name: Name, plan: PlanShown = None) -> Reply:
    """Remove a collection, with its records and their change logs.

    Without `plan` it is refused with 409 while there are records; the refusal says how many, and has the plan to confirm. A
    large collection is removed in parts: 202 has the plan of the next one.
    """
    done = routes.call.engine.catalog.collections.removal.remove_collection(_find(name), plan=plan)
    return reply_nothing() if done["plan"] is None else reply(done, 202)


@routes.serve("POST", "/collections/{name}/empty", ADMIN, shows("Emptying", "Deleted, as far as one request may."))
def empty_collection(name: Name, plan: PlanShown = None) -> Reply:
    """Delete all records of a collection; they stay as `gone`, and can be restored.

    Without `plan` it is refused with 409, which says how many records go, and has the plan to confirm. A large collection is
    emptied in parts: send the request again with the `plan` of the answer, until that is null.
    """
    call = routes.call
    return reply(call.engine.catalog.collections.removal.empty_collection(_find(name), plan=plan, by=call.by))


@routes.serve("GET", "/collections/{name}/records", VIEWER, LISTED)
def list_records(
    name: Name,
    filter: Fields = None,
    presence: PresenceFilter = None,
    since: Since = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Reply:
    """List the records of a collection, in an order that does not change.

    A page may have fewer records than `limit`, or none, and a `cursor` nevertheless: one request reads only so many records to
    find those that are asked for. The list ends where `cursor` is null. To follow a collection, send the `since` of the last
    answer with the next list.
    """
    call = routes.call
    wanted = RecordFilter(
        presence=Presence(presence) if presence not in (None, "all") else None,
        with_gone=presence == "all",
        since=_read_time(since) if since else None,
        fields=read_fields(call.query, filter),
    )
    fetch = partial(call.engine.catalog.collections.page, _find(name), wanted, cursor=cursor)
    return reply_stored(lambda most: fetch(limit=most), describe_record, limit, lambda page: {"since": page.since})


@routes.serve("GET", "/collections/{name}/records/{id}", VIEWER, shows("Record", "The record; its ETag is its version."))
def show_record(name: Name, id: RecordKey) -> Reply:
    """Show one record."""
    record = routes.call.engine.catalog.collections.get(_find(name), id)
    return _with_etag(reply(describe_record(record)), record)


@routes.serve("PUT", "/collections/{name}/records/{id}", OPERATOR, updates("PatchResult"))
def put_record(
    name: Name,
    id: RecordKey,
    body: Document,
    preserve: Preserve = None,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Reply:
    """Merge a document into a record, or create it.

    Objects are merged in depth, arrays by key where the collection declares one; fields that are not named stay. With
    `_base` (the record as it was read) only what differs from it is changed. Preserved fields keep their value.
    """
    return _write(name, id, WriteMethod.PUT, body, preserve, _read_preconditions(if_match, if_none_match))


@routes.serve("PATCH", "/collections/{name}/records/{id}", OPERATOR, updates("PatchResult"))
def patch_record(name: Name, id: RecordKey, body: Document, preserve: Preserve = None, if_match: IfMatch = None) -> Reply:
    """Change a record by a JSON merge patch (RFC 7396): null removes a field."""
    return _write(name, id, WriteMethod.PATCH, body, preserve, _read_preconditions(if_match, None))


@routes.serve("DELETE", "/collections/{name}/records/{id}", OPERATOR, NOTHING)
def delete_record(name: Name, id: RecordKey, if_match: IfMatch = None) -> Reply:
    """Delete a record that was pushed.

    It stays as `gone`, with its fields and its change log, leaves the lists, and can be restored, or PUT again. Deleting it a
    second time changes nothing. A record that a source feeds is refused with 409: it is deleted at its source.
    """
    call, terms = routes.call, _read_preconditions(if_match, None)
    call.engine.catalog.collections.removal.delete_record(_find(name), id, by=call.by, terms=terms)
    return reply_nothing()


@routes.serve("POST", "/collections/{name}/records/{id}/restore", OPERATOR, updates("Record"))
def restore_record(name: Name, id: RecordKey) -> Reply:
    """Bring back a deleted record, with the fields that it had."""
    call = routes.call
    record = call.engine.catalog.collections.removal.restore_record(_find(name), id, by=call.by)
    return _with_etag(reply(describe_record(record)), record)


@routes.serve("POST", "/collections/{name}/records/{id}/accept-remote", OPERATOR, updates("Record"))
def accept_source(name: Name, id: RecordKey, body: EditsToDrop | None = None) -> Reply:
    """Drop edits: the record takes the values of its source again."""
    call, collection = routes.call, _find(name)
    known = call.engine.catalog.collections.get(collection, id)
    fields = body.fields if body else None
    record = call.engine.records.accept_remote(call.tenant, collection.name, known.id, fields, by=call.by)
    return _with_etag(reply(describe_record(record)), record)


@routes.serve("GET", "/collections/{name}/records/{id}/changes", VIEWER, lists("Change"))
def list_record_changes(name: Name, id: RecordKey, limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """List the changes of a record: when, by whom, and why; newest first."""
    fetch = partial(routes.call.engine.catalog.collections.list_changes, _find(name), id, cursor=cursor)
    return reply_stored(lambda most: fetch(limit=most), describe_change, limit)


def _read_time(text: str) -> datetime:
    """Return a time of the query, where a plus sign that was not escaped is a space."""
    with suppress(ValueError):
        if (time := datetime.fromisoformat(text.replace(" ", "+"))).tzinfo:
            return time
    raise InputError("not a time; write it as 2026-07-01T12:00:00Z", code="bad-field", field="since")


def _find(name: str) -> Collection:
    return routes.call.engine.catalog.collections.find(routes.call.tenant, name)


def _write(name: str, id: str, method: WriteMethod, document: Document, preserve: str | None, terms: Preconditions) -> Reply:
    call, paths = routes.call, preserve.split(",") if preserve else ()
    request = WriteRequest(method=method, document=document, by=call.by, preserve=paths, terms=terms)
    result: PatchResult = call.engine.catalog.collections.write(_find(name), id, request)
    return _with_etag(reply(describe_patch_result(result)), result.record)


def _with_etag(response: Reply, record: Record) -> Reply:
    response.headers["ETag"] = f'"{record.version}"'
    return response


def _read_preconditions(if_match: str | None, if_none_match: str | None) -> Preconditions:
    """Return the preconditions of a write (RFC 9110, section 13.1)."""
    terms = Preconditions()
    if if_none_match is not None:
        if if_none_match.strip() != "*":
            raise InputError("only * is supported: the record must be new", code="bad-field", field="If-None-Match")
        terms = replace(terms, must_be_new=True)
    if if_match is None:
        return terms
    if if_match.strip() == "*":
        return replace(terms, must_exist=True)
    tags = re.findall(r'"([^"]*)"', if_match)
    if not tags:
        raise InputError('not an ETag; send the one that was read, as in "7"', code="bad-field", field="If-Match")
    return replace(terms, versions=frozenset(int(t) for t in tags if t.isascii() and t.isdecimal() and len(t) < 16))
