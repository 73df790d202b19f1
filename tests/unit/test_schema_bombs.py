"""Schemas that would take for ever: refused where they are declared, or run with a bound, by steps that are counted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bokit.core.model.json_schema import METER, SchemaCheck, check_schema
from bokit.core.model.limits import MAX_SCHEMA_BYTES, MAX_SCHEMA_STEPS, MAX_VALUE_STEPS
from bokit.core.model.schema_cost import count_values
from bokit.errors import InputError

TOO_LONG = "schema violation: the schema takes too long to check"
LEVELS = 40


def refer(level: Any) -> dict[str, str]:
    return {"$ref": f"#/$defs/{level}"}


def a_ladder(make: Any, levels: int = LEVELS) -> dict[str, Any]:
    """Return a schema of so many levels, each of which *make* builds from a reference to the next one."""
    steps = {str(n): make(refer(n + 1)) for n in range(levels)}
    return {"$defs": {**steps, str(levels): {"type": "object"}}, **refer(0)}


LADDERS = {
    "allOf": lambda ref: {"allOf": [ref, ref]},
    "anyOf": lambda ref: {"anyOf": [{"not": ref}, ref]},
    "oneOf": lambda ref: {"oneOf": [ref, ref]},
    "not": lambda ref: {"not": {"allOf": [ref, ref]}},
    "if": lambda ref: {"if": ref, "then": ref, "else": ref},
    "dependentSchemas": lambda ref: {"dependentSchemas": {"a": ref, "b": ref}},
    "a reference and rules beside it": lambda ref: {**ref, "allOf": [ref]},
    "unevaluated": lambda ref: {"dependentSchemas": {"a": ref, "b": ref}, "unevaluatedProperties": False},
}
LOOPS = {
    "itself": {"$ref": "#"},
    "each other": {"$defs": {"a": refer("b"), "b": refer("a")}, **refer("a")},
    "behind allOf": {"allOf": [{"anyOf": [{"$ref": "#"}]}]},
    "behind not": {"not": {"$ref": "#"}},
    "behind then": {"if": True, "then": {"$ref": "#"}},
    "behind dependentSchemas": {"dependentSchemas": {"a": {"$ref": "#"}}},
    "in a part that nothing names": {"$defs": {"a": {"allOf": [refer("a")]}}},
    "dynamic": {"$dynamicAnchor": "node", "allOf": [{"$dynamicRef": "#node"}]},
    "deep": {"type": "object", "properties": {"a": {"$id": "inner", "allOf": [{"$ref": "#/properties/a"}]}}},
}
REFUSED = {
    **{f"ladder of {name}": a_ladder(make) for name, make in LADDERS.items()},
    **{f"loop {n}": s for n, s in LOOPS.items()},
}


@pytest.mark.parametrize("schema", REFUSED.values(), ids=REFUSED)
def test_a_schema_that_takes_for_ever_on_any_value_is_refused(schema):
    """2^40 branches, or no end: said so when it is declared, in a schema of some thousand bytes."""
    assert len(json.dumps(schema)) < MAX_SCHEMA_BYTES
    with pytest.raises(InputError) as error:
        check_schema(schema)
    assert error.value.stable_code == "bad-field"


@pytest.mark.parametrize("schema", REFUSED.values(), ids=REFUSED)
def test_one_that_a_former_release_stored_refuses_records(schema):
    """No error and no endless work: each record violates it."""
    check = SchemaCheck(schema)

    assert [p.message for p in check.find_problems({"a": 1, "b": 2}, "7")] == [TOO_LONG]
    assert [p.message for p in check.find_problems({}, "8")] == [TOO_LONG]


def nest(levels: int, wrap: Any) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = wrap(value)
    return value


BY_DATA = {
    "properties, twice": ({"properties": {"a": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}}, nest(40, lambda v: {"a": v})),
    "items, twice": (
        {"$defs": {"x": {"items": {"allOf": [refer("x"), refer("x")]}}}, "properties": {"a": refer("x")}},
        {"a": nest(40, lambda v: [v])},
    ),
    "any name, twice": (
        {"additionalProperties": {"anyOf": [{"not": {"$ref": "#"}}, {"$ref": "#"}]}},
        nest(40, lambda v: {"a": v}),
    ),
    "unevaluated, twice": (
        {"allOf": [{"properties": {"a": {"$ref": "#"}}}, {"properties": {"a": {"$ref": "#"}}}], "unevaluatedProperties": False},
        nest(40, lambda v: {"a": v}),
    ),
}


@pytest.mark.parametrize(("schema", "fields"), BY_DATA.values(), ids=BY_DATA)
def test_a_schema_that_the_data_makes_endless_is_ended(schema, fields):
    """It is valid, and right for plain data; with 40 levels of data it would run 2^40 rules, and is ended after its steps."""
    check_schema(schema)
    check = SchemaCheck(schema)
    assert check.find_problems({"b": 1} if "unevaluatedProperties" not in schema else {}, "6") == []

    first = check.find_problems(fields, "7")
    then = [check.find_problems(fields, str(n)) for n in range(20)]

    assert [p.message for p in first] == [TOO_LONG]
    assert [[p.message for p in problems] for problems in then] == [[TOO_LONG]] * 20, "what is over is over for all records"
    assert METER.left == 0


def test_what_a_check_runs_is_bounded_by_what_there_is_to_check():
    """Counted: of 100 bombs in one fetch, the first takes the steps beyond, the others some for each value."""
    schema, fields = BY_DATA["properties, twice"]
    check = SchemaCheck(schema)

    assert all(check.find_problems(fields, str(number)) for number in range(100))
    assert 100 * MAX_VALUE_STEPS * count_values(fields) < check.budget.used
    assert check.budget.used <= MAX_SCHEMA_STEPS + 100 * MAX_VALUE_STEPS * (1 + count_values(fields))


def test_items_are_compared_by_their_texts():
    """20,000 objects are as many steps; numbers are equal as JSON says, and true is not 1."""
    check = SchemaCheck({"properties": {"tags": {"uniqueItems": True}}})
    lists: list[tuple[list[Any], bool]] = [
        ([{"n": n} for n in range(20_000)], True),
        ([*({"n": n} for n in range(20_000)), {"n": 5}], False),
        ([1, True, "1", None, [1], {"a": 1}], True),
        ([1, 1.0], False),
        ([{"a": 1, "b": [2]}, {"b": [2.0], "a": 1}], False),
        ([], True),
    ]

    assert [not check.find_problems({"tags": tags}, "7") for tags, _ in lists] == [is_unique for _, is_unique in lists]


def test_a_schema_nested_without_end_is_refused():
    """As deep as its bytes allow."""
    schema: Any = {}
    for _ in range(3000):
        schema = {"not": schema}

    with pytest.raises(InputError):
        check_schema(schema)


def a_tree(depth: int) -> dict[str, Any]:
    return {"name": "n", "children": [a_tree(depth - 1) for _ in range(3)] if depth else []}


LAWFUL = {
    "a tree": (
        {
            "$defs": {
                "node": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": refer("node")}},
                }
            },
            **refer("node"),
        },
        a_tree(5),
        {"name": "n", "children": [{"name": 7}]},
    ),
    "parts in common": (
        {
            "$defs": {"date": {"type": "string", "format": "date"}},
            "properties": {name: refer("date") for name in "abcdefgh"},
            "allOf": [{"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}],
            "unevaluatedProperties": False,
        },
        {"a": "2026-01-01", "h": "2026-01-02"},
        {"a": "x"},
    ),
    "fifty kinds": (
        {"properties": {"kind": {"oneOf": [{"const": n} for n in range(50)]}}},
        {"kind": 7},
        {"kind": 51},
    ),
}


@pytest.mark.parametrize(("schema", "right", "wrong"), LAWFUL.values(), ids=LAWFUL)
def test_schemas_that_people_write_are_run(schema, right, wrong):
    """Also for 2,000 records of one fetch."""
    check_schema(schema)
    check = SchemaCheck(schema)

    for number in range(2000 if len(json.dumps(right)) < 100 else 20):
        assert check.find_problems(right, str(number)) == []
    (problem,) = check.find_problems(wrong, "7")
    assert problem.message != TOO_LONG
