"""``/collections``: any other synced data, as records."""

from __future__ import annotations

import re
from dataclasses import replace
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
from bokit.engine.records.writes import Preconditions
from bokit.errors import InputError
from bokit.http.bodies import EditsToDrop
from bokit.http.limits import MAX_HEADER_LENGTH, MAX_TEXT_LENGTH
from bokit.http.params import Cursor, Limit
from bokit.http.replies import Reply, reply, reply_stored
from bokit.http.routing import OPERATOR, VIEWER, Routes, lists, shows, updates

routes = Routes("collections")

Name = Annotated[str, Path(description="The collection's name.")]
RecordKey = Annotated[str, Path(description="The record's id, as its source gives it.")]
Counts = Annotated[bool, Query(description="Count the records, which reads them all.")]
PresenceFilter = Annotated[str | None, Query(pattern=f"^({'|'.join(Presence)})$", description="`present`, `missing` or `gone`.")]
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


@routes.serve("GET", "/collections/{name}/records", VIEWER, lists("Record"))
def list_records(name: Name, presence: PresenceFilter = None, limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """List the records of a collection; removed ones included."""
    wanted = Presence(presence) if presence else None
    fetch = partial(routes.call.engine.catalog.collections.page, _find(name), cursor=cursor, presence=wanted)
    return reply_stored(lambda most: fetch(limit=most), describe_record, limit)


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
