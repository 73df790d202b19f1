"""The items of a JSON API as one body: a line for each item, and one before them that says whether they are all.

    {"bokit":1,"whole":true}
    {"email":"ada@example.org","id":7}

Lines are canonical: names in order, no spaces, 1.0 as 1. Equal items are equal lines, and the order of the lines has no
meaning.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

from bokit.core.items.limits import MAX_EXPRESSION_LENGTH, MAX_ITEM_BYTES, MAX_ITEM_DEPTH
from bokit.core.model.collections import write_key
from bokit.core.model.records import Fields, Json, Record
from bokit.core.model.source_rules import Problem, Seen
from bokit.errors import InputError, SourceMalformedError


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenItem:
    """One item, read: the key and the fields of its record."""

    key: str
    fields: Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class RowMatches:
    """Which known record each row is; both by key."""

    known: Mapping[str, Record]
    seen: Seen[SeenItem]
    rows: Mapping[str, SeenItem]


# ── answers of APIs ──


def read_json_body(body: bytes) -> Any:
    """Return the JSON of a response; raises SourceMalformedError that says what it is instead."""
    text = body.decode("utf-8-sig", "replace").strip()
    if text.startswith("<"):
        raise SourceMalformedError("the URL returned a web page, not JSON; check the address and the key", code="not-json")
    if not text:
        raise SourceMalformedError("the URL returned nothing, not JSON", code="not-json")
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        pass
    raise SourceMalformedError("the response is not valid JSON", code="not-json")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def normalise_numbers(value: Any, depth: int = 0) -> Any:
    """Return *value* with each number in one form (1.0 as 1); raises RecursionError where it is nested too deeply."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, (dict, list)) and depth > MAX_ITEM_DEPTH:
        raise RecursionError
    if isinstance(value, dict):
        return {name: normalise_numbers(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [normalise_numbers(inner, depth + 1) for inner in value]
    return value


# ── bodies ──


def write_line(value: Json) -> bytes:
    """Return *value* as its canonical line; raises SourceMalformedError where it is nested too deeply."""
    try:
        return json.dumps(normalise_numbers(value), sort_keys=True, separators=(",", ":")).encode()
    except RecursionError:
        pass
    raise SourceMalformedError("an item is nested too deeply", code="too-deep")


def write_body(lines: Iterable[bytes], *, whole: bool) -> bytes:
    """Return the body of these canonical lines."""
    return b"\n".join([write_line({"bokit": 1, "whole": whole}), *lines])


def hash_body(body: bytes, salt: str) -> str:
    """Return a hash that does not depend on the order of the lines."""
    digest = hashlib.sha256(salt.encode())
    for line in sorted(body.split(b"\n")):
        digest.update(line + b"\n")
    return digest.hexdigest()


def read_body(body: bytes) -> tuple[bool, list[Json]]:
    """Return whether a body is whole, and its items; raises ValueError where ``write_body`` did not write it."""
    first, *lines = body.split(b"\n")
    head = json.loads(first)
    if not isinstance(head, dict) or head.get("bokit") != 1:
        raise ValueError("not a body written by write_body")
    return bool(head.get("whole")), [json.loads(line) for line in lines]


# ── items ──


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemMap:
    """Where an item holds its id and its fields: plain names, or JMESPath expressions."""

    id: str
    fields: Mapping[str, str] | None
    """None: all fields of the item."""

    @classmethod
    def of(cls, settings: Fields) -> ItemMap:
        """Return the map in a source's settings."""
        return cls(id=str(settings.get("id", "id")), fields=settings.get("fields"))

    def read(self, item: Json) -> SeenItem | Problem:
        """Return the item's row, or what is wrong with it."""
        if not isinstance(item, dict):
            return Problem(code="no-object", message="an item is not an object")
        key = write_key(search(self.id, item))
        if key is None:
            return Problem(code="no-id", message="an item has no id, or its id is neither text nor number", field=self.id)
        fields = item if self.fields is None else {name: search(where, item) for name, where in self.fields.items()}
        if len(json.dumps(fields)) > MAX_ITEM_BYTES:
            return Problem(code="too-large", message="an item is too large; name the fields to read", uid=key)
        return SeenItem(key=key, fields=fields)


def search(expression: str, value: Json) -> Any:
    """Return what a JMESPath *expression* finds in *value*; None where it finds nothing, or values of a wrong type."""
    if expression.isidentifier() and expression.isascii():
        return value.get(expression) if isinstance(value, dict) else None
    from jmespath.exceptions import JMESPathError

    try:
        return _compiled(expression).search(value)
    except JMESPathError:
        return None


@lru_cache(maxsize=512)
def _compiled(expression: str) -> Any:
    import jmespath

    return jmespath.compile(expression)


def read_expression(value: Any) -> str:
    """Return a valid JMESPath expression, or raise InputError."""
    from jmespath.exceptions import JMESPathError

    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > MAX_EXPRESSION_LENGTH:
        raise InputError("not a JMESPath expression; write a name, or a path like data.email", code="bad-field")
    try:
        _compiled(text)
    except (JMESPathError, ValueError):
        raise InputError("not a JMESPath expression; see jmespath.org for the syntax", code="bad-field") from None
    return text
