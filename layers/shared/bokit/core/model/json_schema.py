"""A collection's JSON Schema (2020-12): whether it is valid, and which fields of a record violate it.

Nothing is fetched for a ``$ref``: a schema that refers to something outside of itself is refused when it is declared. An
error names the field and the rule, never the value. The owner's regular expressions run on an engine whose time is linear in
the text (that of pydantic-core, in Rust), since Python's takes for ever on ``(a+)+$``; what it cannot express, look-around and
back references, is refused. So is what takes more rules than can be run (``schema_cost``); what the data makes of a schema
is bounded while it runs: a record over it violates the schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from bokit.core.model.limits import MAX_SCHEMA_PATTERN_LENGTH, MAX_SCHEMA_PROBLEMS
from bokit.core.model.records import Fields
from bokit.core.model.schema_cost import REFERENCES, CostlySchemaError, StepBudget, StepMeter, count_branches, walk_schema
from bokit.core.model.source_rules import Problem
from bokit.errors import InputError

BY_PATTERN = "patternProperties"
VALUES = ("const", "default", "enum", "examples")
"""Rules that hold values: what looks like a rule in them is not one."""
SEARCHING = ("unevaluatedProperties", "unevaluatedItems")
"""Rules that look through all schemas that were applied to a value; counted as one for each."""
METER = StepMeter()
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
    _check_patterns(schema)
    try:
        _count_branches(schema)
    except CostlySchemaError:
        message = "the schema refers to itself without end, or applies too many schemas to one value; use fewer $ref"
        raise InputError(message, code="bad-field") from None


def _count_branches(schema: Fields) -> int:
    """Return how many schemas *schema* applies to one value at most; raises CostlySchemaError where that may take for ever."""
    resolver = _resolver(schema)
    return count_branches(schema, lambda reference: resolver.lookup(reference).contents)


def _check_patterns(schema: Fields) -> None:
    """Raise InputError for a regular expression that has no bound, and for a rule that would run one on Python's engine."""
    rules = list(_rules(schema))
    for pattern in [p for name, value in rules for p in ([value] if name == "pattern" else value if name == BY_PATTERN else ())]:
        if isinstance(pattern, str) and _open_pattern(pattern) is None:
            message = (
                f"the schema has a regular expression that is not supported: at most {MAX_SCHEMA_PATTERN_LENGTH} characters, "
                "without look-around and back references"
            )
            raise InputError(message, code="bad-field")
    if {BY_PATTERN, "unevaluatedProperties"} <= {name for name, _ in rules}:
        raise InputError("a schema has either patternProperties or unevaluatedProperties", code="bad-field")


def _rules(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every rule of a schema and of those inside; what looks like a rule in an example or a constant is not one."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in VALUES:
                yield name, inner
                yield from _rules(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _rules(inner)


@lru_cache(maxsize=256)
def _open_pattern(pattern: str) -> Any:
    """Return a regular expression on the linear engine; None where that cannot run it."""
    from pydantic_core import SchemaError, SchemaValidator, core_schema

    if len(pattern) > MAX_SCHEMA_PATTERN_LENGTH:
        return None
    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except SchemaError:
        return None


def _is_found(pattern: str, text: str) -> bool:
    """Return whether *pattern* is somewhere in *text*; never, where it is not supported: a former release may have stored it."""
    opened = _open_pattern(pattern)
    return opened is not None and bool(opened.isinstance_python(text))


def _check_pattern(validator: Any, pattern: str, instance: Any, _: Any) -> Iterator[Any]:
    """Check ``pattern``."""
    from jsonschema import ValidationError

    if validator.is_type(instance, "string") and not _is_found(pattern, instance):
        yield ValidationError("no match")


def _check_pattern_properties(validator: Any, patterns: Mapping[str, Any], instance: Any, _: Any) -> Iterator[Any]:
    """Check ``patternProperties``."""
    if validator.is_type(instance, "object"):
        for pattern, inner in patterns.items():
            for name, value in instance.items():
                if _is_found(pattern, name):
                    yield from validator.descend(value, inner, path=name, schema_path=pattern)


def _check_additional(validator: Any, inner: Any, instance: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    """Check ``additionalProperties``: those that neither ``properties`` nor ``patternProperties`` name."""
    from jsonschema import ValidationError

    if not validator.is_type(instance, "object"):
        return
    patterns, known = schema.get(BY_PATTERN, ()), schema.get("properties", {})
    extras = [n for n in instance if n not in known and not any(_is_found(p, n) for p in patterns)]
    if validator.is_type(inner, "object"):
        for name in extras:
            yield from validator.descend(instance[name], inner, path=name)
    elif not inner and extras:
        yield ValidationError("additional properties")


def _check_unique(validator: Any, unique: bool, instance: Any, _: Any) -> Iterator[Any]:
    """Check ``uniqueItems`` by the items' texts, since comparing each with each takes for ever."""
    from jsonschema import ValidationError

    if unique and validator.is_type(instance, "array"):
        texts = {json.dumps(_plain_numbers(item), sort_keys=True) for item in instance}
        if len(texts) < len(instance):
            yield ValidationError("the items are not unique")


def _plain_numbers(value: Any) -> Any:
    """Return *value* with one form for equal numbers: 1.0 is 1, and true is neither."""
    if isinstance(value, Mapping):
        return {name: _plain_numbers(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain_numbers(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _resolver(schema: Fields) -> Any:
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    resource = DRAFT202012.create_resource(schema)
    return Registry().with_resource(resource.id() or "", resource).resolver(resource.id() or "")


def _check_references(schema: Fields) -> None:
    resolver = _resolver(schema)
    for reference in (part.get(name) for part in walk_schema(schema) for name in REFERENCES):
        if isinstance(reference, str):
            resolver.lookup(reference)


@lru_cache(maxsize=32)
def _open(schema: str) -> Any:
    """Return what checks records against *schema*; None where that may take for ever."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend
    from referencing import Registry

    ours = {
        "pattern": _check_pattern,
        BY_PATTERN: _check_pattern_properties,
        "additionalProperties": _check_additional,
        "uniqueItems": _check_unique,
    }
    opened = json.loads(schema)
    try:
        branches = _count_branches(opened)
    except CostlySchemaError:  # a former release stored it
        return None
    rules = {**Draft202012Validator.VALIDATORS, **ours}
    counted = {name: METER.counted(rule, branches if name in SEARCHING else 1) for name, rule in rules.items()}
    linear = extend(Draft202012Validator, counted)  # type: ignore[no-untyped-call]
    return linear(opened, registry=Registry(), format_checker=Draft202012Validator.FORMAT_CHECKER)


class SchemaCheck:
    """Checks records against one schema; made once for many records."""

    def __init__(self, schema: Fields | None) -> None:
        self._is_declared = schema is not None
        self._validator = None if schema is None else _open(json.dumps(schema, sort_keys=True))
        self.budget = StepBudget()
        self._wants_id = schema is not None and "id" in (schema.get("properties") or {})

    def find_problems(self, fields: Fields, key: str) -> list[Problem]:
        """Return the first violations of the schema, by field."""
        if not self._is_declared:
            return []
        document = {"id": key, **fields} if self._wants_id else dict(fields)
        try:
            found = self._list_errors(document, key)
        except (CostlySchemaError, RecursionError):
            return [Problem(code="schema", message="schema violation: the schema takes too long to check", uid=key)]
        return sorted(dict.fromkeys(found), key=lambda p: (p.field or "", p.message))

    def _list_errors(self, document: Fields, key: str) -> list[Problem]:
        """Return the first violations; raises CostlySchemaError where looking for them takes too long."""
        if self._validator is None:
            raise CostlySchemaError
        found: list[Problem] = []
        METER.begin(self.budget.allow(document))
        try:
            for error in self._validator.iter_errors(document):
                found += _read_error(error, key)
                if len(found) >= MAX_SCHEMA_PROBLEMS:
                    break
        finally:
            self.budget.end(METER.left)
        return found


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
