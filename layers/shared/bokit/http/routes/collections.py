"""``/collections``: any other synced data, as records that programs read and write."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query
from pydantic import Field

from bokit.core.items.edit import Manner, PatchResult
from bokit.core.items.planning import describe_record
from bokit.core.model.catalog import Collection
from bokit.core.model.collections import describe_collection
from bokit.core.model.records import Presence, Record
from bokit.engine.catalog.collections import Asked, describe_patch_result
from bokit.engine.catalog.view import describe_change
from bokit.engine.records.writes import Preconditions
from bokit.errors import InputError
from bokit.http.bodies import Body, Word
from bokit.http.params import Cursor, Limit
from bokit.http.replies import Reply, reply
from bokit.http.routing import OPERATOR, VIEWER, Routes, lists, shows

routes = Routes("collections")

Name = Annotated[str, Path(description="The collection's name.")]
RecordKey = Annotated[str, Path(description="The record's id: its source's own.")]
Counts = Annotated[bool, Query(description="With how many records there are; that reads them all.")]
PresenceFilter = Annotated[str | None, Query(pattern=f"^({'|'.join(Presence)})$", description="`present`, `missing` or `gone`.")]
Preserve = Annotated[
    str | None,
    Query(max_length=4000, description="Fields that keep the value they have, with commas between; dots lead into objects."),
]
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=1000, description="The ETag that was read, or `*`: else 412, and nothing is written."),
]
IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", max_length=1000, description="`*`: the record must be new, else 412.")
]
Document = dict[str, Any]


class SourceAcceptance(Body):
    """Which edits of a record are given up."""

    fields: list[Word] | None = Field(default=None, max_length=100, description="null or left out: all of them.")


@routes.serve("GET", "/collections", VIEWER, lists("Collection"))
def list_collections(counts: Counts = False, limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """The collections that are declared, by name."""
    call = routes.call
    desk = call.engine.catalog.collections

    def describe(collection: Collection) -> Document:
        return describe_collection(collection, desk.count(collection) if counts else None)

    found = desk.list_collections(call.tenant)
    return call.reply_page(found, describe, lambda c: (c.name,), of=("collections", counts), limit=limit, cursor=cursor)


@routes.serve("GET", "/collections/{name}", VIEWER, shows("Collection"))
def show_collection(name: Name) -> Reply:
    """One collection, with how many records there are."""
    collection = _find(name)
    return reply(describe_collection(collection, routes.call.engine.catalog.collections.count(collection)))


@routes.serve("GET", "/collections/{name}/records", VIEWER, lists("Record"))
def list_records(name: Name, presence: PresenceFilter = None, limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """The records of a collection; gone ones included."""
    wanted = Presence(presence) if presence else None
    page = routes.call.engine.catalog.collections.page(_find(name), limit=limit, cursor=cursor, presence=wanted)
    return reply({"items": [describe_record(r) for r in page.items], "cursor": page.cursor})


@routes.serve("GET", "/collections/{name}/records/{id}", VIEWER, shows("Record", "The record; its ETag is its version."))
def show_record(name: Name, id: RecordKey) -> Reply:
    """One record."""
    record = routes.call.engine.catalog.collections.get(_find(name), id)
    return _with_etag(reply(describe_record(record)), record)


@routes.serve("PUT", "/collections/{name}/records/{id}", OPERATOR, shows("GrantedRecord", "As it is now."))
def put_record(
    name: Name,
    id: RecordKey,
    body: Document,
    preserve: Preserve = None,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Reply:
    """Merge a document into a record, or make it.

    Objects are merged in depth, arrays by key where the collection says so; fields that the document does not name stay.
    With `_base`, the record as it was read, only what differs from that is changed. Preserved fields keep what they have.
    """
    return _write(name, id, Manner.PUT, body, preserve, _read_terms(if_match, if_none_match))


@routes.serve("PATCH", "/collections/{name}/records/{id}", OPERATOR, shows("GrantedRecord", "As it is now."))
def patch_record(name: Name, id: RecordKey, body: Document, preserve: Preserve = None, if_match: IfMatch = None) -> Reply:
    """Change a record by a JSON merge patch (RFC 7396): null takes a field away."""
    return _write(name, id, Manner.PATCH, body, preserve, _read_terms(if_match, None))


@routes.serve("POST", "/collections/{name}/records/{id}/accept-remote", OPERATOR, shows("Record", "As it is now."))
def accept_source(name: Name, id: RecordKey, body: SourceAcceptance | None = None) -> Reply:
    """Give up edits: the record follows its source again."""
    call, collection = routes.call, _find(name)
    known = call.engine.catalog.collections.get(collection, id)
    fields = body.fields if body else None
    record = call.engine.desk.accept_remote(call.tenant, collection.name, known.id, fields, by=call.by)
    return _with_etag(reply(describe_record(record)), record)


@routes.serve("GET", "/collections/{name}/records/{id}/changes", VIEWER, lists("Change"))
def list_record_changes(name: Name, id: RecordKey, limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """What changed in a record: when, by whom, and why; newest first."""
    page = routes.call.engine.catalog.collections.list_changes(_find(name), id, limit=limit, cursor=cursor)
    return reply({"items": [describe_change(c) for c in page.items], "cursor": page.cursor})


def _find(name: str) -> Collection:
    return routes.call.engine.catalog.collections.find(routes.call.tenant, name)


def _write(name: str, id: str, manner: Manner, document: Document, preserve: str | None, terms: Preconditions) -> Reply:
    call = routes.call
    asked = Asked(manner=manner, document=document, by=call.by, preserve=preserve.split(",") if preserve else (), terms=terms)
    granted: PatchResult = call.engine.catalog.collections.write(_find(name), id, asked)
    return _with_etag(reply(describe_patch_result(granted)), granted.record)


def _with_etag(answer: Reply, record: Record) -> Reply:
    answer.headers["ETag"] = f'"{record.version}"'
    return answer


def _read_terms(if_match: str | None, if_none_match: str | None) -> Preconditions:
    """Return what must hold of the record. Source: RFC 9110, section 13.1."""
    terms = Preconditions()
    if if_none_match is not None:
        if if_none_match.strip() != "*":
            raise InputError("only * is understood: the record must be new", code="bad-field", field="If-None-Match")
        terms = replace(terms, must_be_new=True)
    if if_match is None:
        return terms
    if if_match.strip() == "*":
        return replace(terms, must_exist=True)
    tags = re.findall(r'"([^"]*)"', if_match)
    if not tags:
        raise InputError('not an ETag; send the one that was read, as in "7"', code="bad-field", field="If-Match")
    return replace(terms, versions=frozenset(int(t) for t in tags if t.isascii() and t.isdecimal() and len(t) < 16))
