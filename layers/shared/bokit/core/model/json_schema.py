"""A collection's JSON Schema (2020-12): whether it is valid, and which fields of a record violate it.

Nothing is fetched for a ``$ref``: a schema that refers to something outside of itself is refused when it is declared. An
error names the field and the rule, never the value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from bokit.core.model.limits import MAX_SCHEMA_PROBLEMS
from bokit.core.model.records import Fields
from bokit.core.model.source_rules import Problem
from bokit.errors import InputError

_PLAIN = (
    "type", "format", "pattern", "maxLength", "minLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
)  # fmt: skip
"""Rules whose value is shown."""


def check_schema(schema: Fields) -> None:
    """Raise InputError if *schema* is not a schema, or refers to something outside of itself."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from referencing.exceptions import Unresolvable

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = "/".join(str(p) for p in error.absolute_path)
        raise InputError("not a JSON Schema (2020-12)", code="bad-field", at=where or "/") from None
    except RecursionError:
        raise InputError("the schema is nested too deeply", code="bad-field") from None
    try:
        _check_references(schema)
    except (Unresolvable, ValueError):
        raise InputError("the schema refers to something outside of itself", code="bad-field") from None


def _check_references(schema: Fields) -> None:
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    resource = DRAFT202012.create_resource(schema)
    resolver = Registry().with_resource(resource.id() or "", resource).resolver(resource.id() or "")
    for reference in _references(schema):
        resolver.lookup(reference)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name in ("$ref", "$dynamicRef") and isinstance(inner, str):
                yield inner
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


@lru_cache(maxsize=32)
def _open(schema: str) -> Any:
    from jsonschema import Draft202012Validator
    from referencing import Registry

    return Draft202012Validator(json.loads(schema), registry=Registry(), format_checker=Draft202012Validator.FORMAT_CHECKER)


class SchemaCheck:
    """Checks records against one schema; made once for many records."""

    def __init__(self, schema: Fields | None) -> None:
        self._validator = None if schema is None else _open(json.dumps(schema, sort_keys=True))
        self._wants_id = schema is not None and "id" in (schema.get("properties") or {})

    def find_problems(self, fields: Fields, key: str) -> list[Problem]:
        """Return the first violations of the schema, by field."""
        if self._validator is None:
            return []
        document = {"id": key, **fields} if self._wants_id else dict(fields)
        found = []
        for error in self._validator.iter_errors(document):
            found += _read_error(error, key)
            if len(found) >= MAX_SCHEMA_PROBLEMS:
                break
        return sorted(dict.fromkeys(found), key=lambda p: (p.field or "", p.message))


def _read_error(error: Any, key: str) -> list[Problem]:
    """Return one problem for each field that an error is about."""
    path = [str(part) for part in error.absolute_path]
    rule = str(error.validator)
    if rule == "required":
        missing = [n for n in error.validator_value if n not in error.instance]
        return [_problem([*path, name], "required", key) for name in missing]
    shown = f"{rule}: {error.validator_value}" if rule in _PLAIN else rule
    return [_problem(path, shown, key)]


def _problem(path: list[str], rule: str, key: str) -> Problem:
    return Problem(code="schema", message=f"schema violation: {rule}", uid=key, field=".".join(path) or None)
