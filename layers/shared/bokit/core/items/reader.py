"""What a JSON API told, as one body: a line for each item, and one before them that says whether they are all.

    {"bokit":1,"whole":true}
    {"email":"ada@example.org","id":7}

Lines are canonical: names in order, no spaces, 1.0 as 1. Items that say the same are the same line, and a body says the same
in whatever order its lines come.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

from bokit.core.model.collections import write_key
from bokit.core.model.records import Fields, Json
from bokit.core.model.source_rules import Problem
from bokit.errors import InputError, SourceMalformedError

LARGEST_ITEM = 200_000
"""Bytes of an item: a record and its change lie in one item of the table each, of which it takes 400 KB."""
DEEPEST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One item, read: the key and the fields of its record."""

    key: str
    fields: Fields


def read_document(body: bytes) -> Json:
    """Return the JSON of an answer; raises SourceMalformedError that tells what it is instead."""
    text = body.decode("utf-8-sig", "replace").strip()
    if text.startswith("<"):
        raise SourceMalformedError("it answered a web page where JSON should be; check the address and the key", code="not-json")
    if not text:
        raise SourceMalformedError("it answered nothing where JSON should be", code="not-json")
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        pass
    raise SourceMalformedError("it answered something that is no JSON", code="not-json")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def write_line(value: Json) -> bytes:
    """Return *value* as its canonical line; raises SourceMalformedError where it is nested too deeply."""
    try:
        return json.dumps(settle(value), sort_keys=True, separators=(",", ":")).encode()
    except RecursionError:
        pass
    raise SourceMalformedError("an item is nested too deeply", code="too-deep")


def settle(value: Json, depth: int = 0) -> Json:
    """Return *value* with numbers in one form, so that what is equal is written equally."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, dict):
        if depth > DEEPEST:
            raise RecursionError
        return {name: settle(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list):
        if depth > DEEPEST:
            raise RecursionError
        return [settle(inner, depth + 1) for inner in value]
    return value


def write_body(lines: Iterable[bytes], *, whole: bool) -> bytes:
    """Return the body of these canonical lines."""
    return b"\n".join([write_line({"bokit": 1, "whole": whole}), *lines])


def hash_body(body: bytes, salt: str) -> str:
    """Return a hash equal for bodies that say the same, whatever the order of their lines."""
    told = hashlib.sha256(salt.encode())
    for line in sorted(body.split(b"\n")):
        told.update(line + b"\n")
    return told.hexdigest()


def read_body(body: bytes) -> tuple[bool, list[Json]]:
    """Return whether a body is whole, and its items; raises ValueError where it is no body of ours."""
    first, *lines = body.split(b"\n")
    head = json.loads(first)
    if not isinstance(head, dict) or head.get("bokit") != 1:
        raise ValueError("no body of ours")
    return bool(head.get("whole")), [json.loads(line) for line in lines]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemMap:
    """Where in an item its id and its fields are; what is plain names needs no JMESPath."""

    id: str
    fields: Mapping[str, str] | None
    """None: all that the item has."""

    @classmethod
    def of(cls, settings: Mapping[str, Json]) -> ItemMap:
        """Return the map that a source's settings tell."""
        return cls(id=str(settings.get("id", "id")), fields=settings.get("fields"))

    def read(self, item: Json) -> Row | Problem:
        """Return the item's row, or what is wrong with it."""
        if not isinstance(item, dict):
            return Problem(code="no-object", message="an item is no object")
        key = write_key(search(self.id, item))
        if key is None:
            return Problem(code="no-id", message="an item has no id, or one that is neither text nor number", field=self.id)
        fields = item if self.fields is None else {name: search(where, item) for name, where in self.fields.items()}
        if len(json.dumps(fields)) > LARGEST_ITEM:
            return Problem(code="too-large", message="an item is too large; name the fields to read", uid=key)
        return Row(key=key, fields=fields)


def search(expression: str, value: Json) -> Json:
    """Return what a JMESPath *expression* finds in *value*; None where it finds nothing, or takes offence at a type."""
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
    """Return a JMESPath expression that is one, or raise InputError."""
    from jmespath.exceptions import JMESPathError

    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > 1000:
        raise InputError("not a JMESPath expression; write a name, or a path like data.email", code="bad-field")
    try:
        _compiled(text)
    except (JMESPathError, ValueError):
        raise InputError("not a JMESPath expression; see jmespath.org for what it may be", code="bad-field") from None
    return text
