"""Documents: what the API answers and ``--json`` prints. Times are in UTC with a Z, dates as they are.

Each document is a TypedDict beside the function that fills it; shared parts stand here. ``http/schemas.py`` derives the JSON
Schemas: docstrings and texts in ``Annotated`` become descriptions, pairs in it become keywords.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from itertools import accumulate
from typing import Annotated, Any, NotRequired, TypedDict

from bokit.core.model.exact_numbers import show_exact
from bokit.core.model.records import FieldChange, Json, Record

RESERVED = ("_meta", "_base")
"""Names in a record's document that are Bokit's: a source's fields of these names are shown in ``_meta.shadowed``."""
Time = Annotated[str, ("format", "date-time")]
"""A time that the document holds as text; others are ``datetime``."""
Day = Annotated[str, ("format", "date")]
Count = Annotated[int, ("minimum", 0)]

FieldDiff = TypedDict("FieldDiff", {"from": Json, "to": Json})
"""One field's change. Not a class, since ``from`` is a keyword."""


class ErrorDocument(TypedDict):
    """What went wrong."""

    code: str
    message: str


class ContentProblem(TypedDict):
    """What of a source's content could not be used."""

    code: str
    message: str
    uid: Annotated[str | None, "Of the event or record."]
    field: NotRequired[str]


class EditDocument(TypedDict):
    """A person's value of a field, and the source's."""

    value: Json
    remote: Json
    by: str
    at: Time


def describe_diffs(changes: Mapping[str, FieldChange]) -> dict[str, FieldDiff]:
    """Return changed fields by name."""
    return {name: {"from": show_exact(c.before), "to": show_exact(c.after)} for name, c in sorted(changes.items())}


def describe_edits(record: Record) -> dict[str, EditDocument]:
    """Return a record's edited fields by name."""
    return {
        name: {
            "value": show_exact(edit.value),
            "remote": show_exact(record.remote.get(name)),
            "by": edit.by,
            "at": write_time(edit.at),
        }
        for name, edit in sorted(record.edits.items())
    }


def write_time(at: datetime) -> str:
    """Return *at* as JSON keeps it: ISO 8601 in UTC, with a Z."""
    return at.isoformat().replace("+00:00", "Z")


def write_json(document: Mapping[str, Any], *, indent: int | None = None) -> str:
    """Return *document* as JSON that any UTF-8 encoder takes, lone surrogates escaped; compact without *indent*.

    >>> write_json({"at": datetime(2026, 6, 1, 12, tzinfo=UTC), "name": "Zoë"})
    '{"at":"2026-06-01T12:00:00Z","name":"Zoë"}'
    """
    separators = None if indent else (",", ":")
    text = json.dumps(document, default=_as_json, ensure_ascii=False, indent=indent, separators=separators)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(document, default=_as_json, indent=indent, separators=separators)
    return text


def sent_bytes(text: str) -> int:
    """Return how many bytes *text* takes in a function's response, which Lambda's runtime writes as JSON once more.

    Its runtime for Python 3.11 escapes all that is not ASCII: an emoji takes 12 bytes, a quote in a text 4.
    """
    return len(json.dumps(text))


def count_within(documents: Iterable[Mapping[str, Any]], most: int) -> int:
    """Return how many of *documents*, from the first on, take *most* bytes together in a function's response."""
    sizes = accumulate(sent_bytes(write_json(doc)) for doc in documents)
    return sum(1 for size in sizes if size <= most)


def _as_json(value: object) -> object:
    if isinstance(value, datetime):
        return write_time(value.astimezone(UTC))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    return str(value)
