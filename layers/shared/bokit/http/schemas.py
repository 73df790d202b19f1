"""JSON Schemas of what the API answers, derived from the documents' types: built for the OpenAPI document alone.

class UnitDocument(TypedDict)             the schema "Unit"; the docstring is its description
name: str                                 a required property
parts: Annotated[list[str], "Ids of …"]   with a description; a pair in Annotated adds a keyword
counts: NotRequired[…]                    a property that may be absent
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from bokit.core.items.planning import RecordDocument
from bokit.core.model.alerts import AlertChannelDocument
from bokit.core.model.collections import CollectionDocument
from bokit.core.model.events import EventsDocument
from bokit.core.model.runs import RunDocument
from bokit.core.model.webhooks import DeliveryDocument, WebhookDocument, WebhookTestDocument
from bokit.engine.bookings.availability import AvailabilityDocument
from bokit.engine.bookings.door_codes import AccessDocument
from bokit.engine.bookings.guests import GuestBookingDocument, GuestExportDocument
from bokit.engine.bookings.outgoing import CalendarDocument
from bokit.engine.bookings.service import BookingInFull, HeldNight
from bokit.engine.bookings.terms import (
    BookingDocument,
    ConflictDocument,
    OccupancyDocument,
    ReceiptDocument,
    TurnoverDocument,
)
from bokit.engine.catalog.access import CurrentTokenDocument, TokenDocument
from bokit.engine.catalog.collections import PatchResultDocument
from bokit.engine.catalog.marks import MarksDocument
from bokit.engine.catalog.options import OptionDocument
from bokit.engine.catalog.view import ChangeDocument, PropertyDocument, SourceDocument, UnitDocument
from bokit.engine.records.removal import EmptyingDocument
from bokit.engine.runs.status import StatusDocument
from bokit.http import documents

Schema = dict[str, Any]

ANSWERS = (
    AccessDocument,
    AlertChannelDocument,
    AvailabilityDocument,
    BookingDocument,
    BookingInFull,
    HeldNight,
    CalendarDocument,
    ChangeDocument,
    CollectionDocument,
    ConflictDocument,
    CurrentTokenDocument,
    DeliveryDocument,
    EmptyingDocument,
    EventsDocument,
    GuestBookingDocument,
    GuestExportDocument,
    MarksDocument,
    OccupancyDocument,
    OptionDocument,
    PatchResultDocument,
    PropertyDocument,
    ReceiptDocument,
    RecordDocument,
    RunDocument,
    SourceDocument,
    StatusDocument,
    TokenDocument,
    TurnoverDocument,
    UnitDocument,
    WebhookDocument,
    WebhookTestDocument,
    *documents.ANSWERS,
)
"""The documents that routes answer; those inside them are found by themselves."""
EXTENSIBLE = frozenset({"Record", "Entry", "Problem"})
"""Documents with properties beyond the named ones."""
PRIMITIVES: dict[object, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    NoneType: {"type": "null"},
    Any: {},
}


def ref(name: str) -> Schema:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def build_schemas(types: Iterable[Any] = ANSWERS) -> dict[str, Schema]:
    """Return the schemas of *types* and of every document inside them, by name."""
    schemas: dict[str, Schema] = {}
    for each in types:
        _schema_of(each, schemas)
    return schemas


def _schema_of(hint: Any, schemas: dict[str, Schema]) -> Schema:
    """Return the schema of a type; documents are added to *schemas* and referred to."""
    if hint in PRIMITIVES:
        return dict(PRIMITIVES[hint])
    if is_typeddict(hint):
        return _add_document(hint, schemas)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return {"type": "string", "enum": [str(word) for word in hint]}
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"type": "string", "enum": list(args)}
    if origin is NotRequired:
        return _schema_of(args[0], schemas)
    if origin is Annotated:
        return _annotate(_schema_of(hint.__origin__, schemas), hint.__metadata__)
    if origin in (Union, UnionType):
        choices = [_schema_of(arg, schemas) for arg in args if arg is not NoneType]
        return _nullable(choices[0]) if len(choices) == 1 else {"anyOf": choices + [{"type": "null"}] * (NoneType in args)}
    if origin is list:
        return {"type": "array", "items": _schema_of(args[0], schemas)}
    if origin is dict:
        values = _schema_of(args[1], schemas)
        return {"type": "object", "additionalProperties": values} if values else {"type": "object"}
    raise TypeError(f"no schema for {hint!r}")


def _annotate(schema: Schema, notes: Iterable[str | tuple[str, Any]]) -> Schema:
    return {**schema, **dict(("description", note) if isinstance(note, str) else note for note in notes)}


def _nullable(schema: Schema) -> Schema:
    if "enum" in schema or "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def _add_document(document: Any, schemas: dict[str, Schema]) -> Schema:
    name = document.__name__.removesuffix("Document")
    if name not in schemas:
        schemas[name] = {}
        hints = get_type_hints(document, include_extras=True)
        properties = {key: _schema_of(hint, schemas) for key, hint in hints.items()}
        required = [key for key, hint in hints.items() if get_origin(hint) is not NotRequired]
        about = {"description": " ".join(document.__doc__.split())} if document.__doc__ else {}
        schemas[name] = {"type": "object", **about, "required": required, "properties": properties}
        if name in EXTENSIBLE:
            schemas[name]["additionalProperties"] = True
    return ref(name)
