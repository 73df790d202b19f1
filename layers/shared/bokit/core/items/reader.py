"""The items of a JSON API as one body: a line for each item, and one before them that says whether they are all.

    {"bokit":1,"whole":true}
    {"email":"ada@example.org","id":7}

Lines are canonical: names in order, no spaces, 1.0 as 1. Equal items are equal lines, and the order of the lines has no
meaning.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from bokit.core.items.limits import MAX_EXPRESSION_LENGTH, MAX_ITEM_BYTES, MAX_ITEM_DEPTH
from bokit.core.model.collections import write_key
from bokit.core.model.exact_numbers import parse_json
from bokit.core.model.field_changes import FieldVerdict
from bokit.core.model.json_merge import drop_paths
from bokit.core.model.records import Fields, Json, Record
from bokit.core.model.source_rules import Problem, Seen
from bokit.errors import InputError, SourceMalformedError
from bokit.values import Value, field

TOO_DEEP = "too-deep"
_PLAIN_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(\[\])?", re.ASCII)


class SeenItem(Value):
    """One item, read: the key and the fields of its record."""

    key: str
    fields: Fields
    is_deleted: bool = False
    """The source shows it, and says that it is deleted."""


class RowMatches(Value):
    """Which known record each row is; both by key."""

    known: Mapping[str, Record]
    seen: Seen[SeenItem]
    rows: Mapping[str, SeenItem]
    """As they are taken: fields that a guard holds have their former values."""
    rejected: frozenset[str] = frozenset()
    """Keys of items that cannot be used: their records stay as they are."""
    unidentified: int = 0
    """Items that cannot be used, and do not say which they are."""
    fields: FieldVerdict = field(default_factory=FieldVerdict)
    """Fields that vanished or changed their type."""


# ── answers of APIs ──


def read_json_body(body: bytes) -> Any:
    """Return the JSON of a response; raises SourceMalformedError that says what it is instead."""
    text = body.decode("utf-8-sig", "replace").strip()
    if text.startswith("<"):
        raise SourceMalformedError("the URL returned a web page, not JSON; check the address and the key", code="not-json")
    if not text:
        raise SourceMalformedError("the URL returned nothing, not JSON", code="not-json")
    try:
        return parse_json(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        pass
    raise SourceMalformedError("the response is not valid JSON", code="not-json")


def find_items(document: Json, where: str | None) -> list[Json]:
    """Return the items of a page; null in the place of a list is an empty one. Raises SourceMalformedError if there is none."""
    found = search(where, document) if where else document
    if isinstance(found, list):
        return found
    if found is None and (where is None or _has_null(document, where)):
        return []
    raise SourceMalformedError("the response has no list of items; check `items`, and what the API returns", code="no-items")


def _has_null(document: Json, where: str) -> bool:
    """Return whether a plain path leads to null, and not nowhere."""
    if not _PLAIN_PATH.fullmatch(where):
        return False
    *path, last = where.removesuffix("[]").split(".")
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return isinstance(document, dict) and last in document and document[last] is None


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
    raise SourceMalformedError("an item is nested too deeply", code=TOO_DEEP)


def write_body(lines: Iterable[bytes], *, whole: bool, problems: Sequence[Problem] = ()) -> bytes:
    """Return the body of these canonical lines; *problems* are those of the fetch, and of items that are no line."""
    head: dict[str, Any] = {"bokit": 1, "whole": whole}
    if problems:
        head["problems"] = [p.as_dict() for p in problems]
    return b"\n".join([write_line(head), *lines])


def hash_body(body: bytes, salt: str, left_out: Sequence[str] = ()) -> str:
    """Return a hash that depends neither on the order of the lines nor on what is at the paths *left_out*."""
    digest, lines = hashlib.sha256(salt.encode()), body.split(b"\n")
    if left_out:
        lines = [lines[0], *(write_line(drop_paths(json.loads(line), left_out)) for line in lines[1:])]
    for line in sorted(lines):
        digest.update(line + b"\n")
    return digest.hexdigest()


def read_body(body: bytes) -> tuple[bool, list[Json]]:
    """Return whether a body is whole, and its items; raises ValueError where ``write_body`` did not write it."""
    first, *lines = body.split(b"\n")
    head = json.loads(first)
    if not isinstance(head, dict) or head.get("bokit") != 1:
        raise ValueError("not a body written by write_body")
    return bool(head.get("whole")), [json.loads(line) for line in lines]


def read_problems(body: bytes) -> tuple[Problem, ...]:
    """Return the problems that ``write_body`` wrote."""
    head = json.loads(body.partition(b"\n")[0])
    return tuple(Problem(**problem) for problem in head.get("problems", ()))


# ── items ──


class ItemMap(Value):
    """Where an item holds its id and its fields: plain names, or JMESPath expressions."""

    id: str
    fields: Mapping[str, str] | None = None
    """None: all fields of the item."""
    without: tuple[str, ...] = ()
    """Paths of what is left out."""
    deleted: str | None = None
    """Where the item says that it is deleted."""

    @classmethod
    def of(cls, settings: Fields) -> ItemMap:
        """Return the map in a source's settings."""
        return cls(
            id=str(settings.get("id", "id")),
            fields=settings.get("fields"),
            without=tuple(settings.get("without") or ()),
            deleted=settings.get("deleted"),
        )

    def read(self, item: Json) -> SeenItem | Problem:
        """Return the item's row, or what is wrong with it."""
        if not isinstance(item, dict):
            return Problem(code="no-object", message="an item is not an object")
        key = self.read_key(item)
        if key is None:
            return Problem(code="no-id", message="an item has no id, or its id is neither text nor number", field=self.id)
        fields = item if self.fields is None else {name: search(where, item) for name, where in self.fields.items()}
        fields = drop_paths(fields, self.without) if self.without else fields
        if len(json.dumps(fields)) > MAX_ITEM_BYTES:
            return Problem(code="too-large", message="an item is too large; name the fields to read", uid=key)
        return SeenItem(key=key, fields=fields, is_deleted=self.deleted is not None and is_set(search(self.deleted, item)))

    def read_key(self, item: Json) -> str | None:
        """Return the item's id as a key; None if it has none."""
        return write_key(search(self.id, item))


def is_set(value: Json) -> bool:
    """Return whether a flag of an item is set: a time is, 0 and "false" are not."""
    return value.strip().lower() not in ("", "0", "false", "no", "null") if isinstance(value, str) else bool(value)


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
