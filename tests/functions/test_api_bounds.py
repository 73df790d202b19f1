"""Every text, number and list that a request may give has a bound: over it the answer names the field, at it all goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from bokit.core.model.limits import MAX_SPAN_SECONDS
from bokit.engine.catalog.collection_sources import read_kind_settings
from bokit.engine.catalog.config.file import read_config
from bokit.engine.catalog.fields import read_settings
from bokit.engine.catalog.limits import (
    MAX_CLEANING_MINUTES,
    MAX_SETTINGS_BYTES,
    MAX_TOKEN_DAYS,
    MAX_TURNOVER_DAYS,
    MAX_UNIT_PARTS,
)
from bokit.engine.runs.limits import MAX_DELAY_SECONDS, MAX_MONITOR_RUNS, MAX_MONITOR_SECONDS
from bokit.errors import InputError
from tests.support.caller import document, operations

ELSEWHERE = {
    "body": "a record's document: MAX_ITEM_BYTES, MAX_RECORD_FIELDS, and MAX_BODY_BYTES for any body",
    "body.value": "an option's value: each option has its own bound, which tests/engine/test_own_fault.py tries",
    "path": "of an id or a name: one that does not exist is 404, however long, and the gateway bounds an address",
    "query.filter": "maxProperties, and maxLength of each value: test_api_record_lists",
    "header.If-None-Match": "of a platform that reads a calendar, which must not be refused; the gateway bounds headers",
    "header.If-Modified-Since": "as If-None-Match",
    "header.Accept-Encoding": "of a browser that reads the page, as If-None-Match",
}
"""What has no bound in the document, and what bounds it."""
FIXED = (r"^\d{4}-\d{2}-\d{2}$", "^(present|missing|gone|all)$")
"""Patterns of one length."""


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference names."""
    while "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def leaves(schema: dict[str, Any], place: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each text, number, list and free object in *schema*, with its place and type."""
    schema = resolved(schema)
    for inner in (s for word in ("anyOf", "oneOf", "allOf") for s in schema.get(word, ())):
        yield from leaves(inner, place)
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    for name, inner in schema.get("properties", {}).items():
        yield from leaves(inner, f"{place}.{name}")
    if "array" in kinds:
        yield from leaves(schema.get("items", {}), f"{place}[]")
    is_free = not schema.get("properties") and (not kinds or "object" in kinds)
    for kind in [*kinds, *(["any"] if is_free else [])]:
        if kind in ("string", "integer", "number", "array", "any") and not {"enum", "const", "anyOf"} & schema.keys():
            yield place, kind, schema


def inputs() -> Iterator[tuple[str, str, str, str, dict[str, Any]]]:
    """Yield method, path, place, type and schema of all that requests may give."""
    for method, path, operation in operations():
        for given in operation.get("parameters", ()):
            for place, kind, schema in leaves(given.get("schema", {}), f"{given['in']}.{given['name']}"):
                yield method, path, place, kind, schema
        for content in operation.get("requestBody", {}).get("content", {}).values():
            for place, kind, schema in leaves(content["schema"], "body"):
                yield method, path, place, kind, schema


def bound_of(kind: str, schema: dict[str, Any]) -> int | None:
    """Return the largest size or value of an input."""
    if schema.get("pattern") in FIXED:
        return 10
    return schema.get({"string": "maxLength", "array": "maxItems"}.get(kind, "maximum"))


def a_value(kind: str, size: int) -> Any:
    """Return a value of this size."""
    return "x" * size if kind == "string" else ["x"] * size if kind == "array" else size


def test_every_input_has_a_bound_or_a_reason():
    """Of all routes: paths, queries, headers and bodies, to the last field."""
    found = list(inputs())
    places = {place for _, _, place, kind, schema in found if bound_of(kind, schema) is None}

    assert {"path" if place.startswith("path.") else place for place in places} == set(ELSEWHERE)
    assert len(found) > 180


def test_one_more_than_the_bound_is_refused_and_names_the_field(app, caller, record_property):
    """Each field of each body, and each query: 422 with the field; at the bound the field is accepted."""
    app.furnish()
    tried = 0
    for method, path, place, kind, schema in inputs():
        where, _, name = place.partition(".")
        bound = bound_of(kind, schema)
        if where not in ("body", "query") or bound is None or name == "cursor" or "[]" in name:
            continue
        for size in (bound + 1, bound):
            value = a_value(kind, size)
            given = {"body": {name: value}} if where == "body" else {"query": {name: value}}
            answer = caller.ask(method, re.sub(r"\{\w+\}", "x", path), **given)
            errors = answer.doc.get("errors", []) if answer.status >= 400 else []
            is_named = any(re.search(rf"\b{name}\b", e["field"]) for e in errors)
            if size > bound:
                assert (answer.status, is_named) == (422, True), (method, path, place, answer)
                tried += 1
            elif "pattern" not in schema and kind != "array":
                assert not is_named or "at most" not in str(errors), (method, path, place, answer)
    record_property("tried", tried)
    assert tried > 70


def test_what_is_at_its_bound_can_be_computed_with(app, caller):
    """The longest spans of a source, unit, token, monitor and run: the schedule goes on, and every list answers."""
    ids = app.furnish()
    source, unit = f"/sources/{ids['source']}", f"/units/{ids['unit']}"

    assert caller.ask("PATCH", source, {"interval": MAX_SPAN_SECONDS, "cancel_after": MAX_SPAN_SECONDS}).status == 200
    assert caller.ask("PATCH", unit, {"turnover_days": MAX_TURNOVER_DAYS}).status == 200
    assert caller.ask("PATCH", unit, {"cleaning_minutes": MAX_CLEANING_MINUTES}).status == 200
    token = caller.post("/tokens", {"name": "t" * 200, "role": "viewer", "expires_in": MAX_TOKEN_DAYS * 86_400})
    monitor = {"interval": MAX_MONITOR_SECONDS, "max_runs": MAX_MONITOR_RUNS}
    assert caller.ask("POST", "/sync/start", monitor).status == 201
    assert caller.ask("POST", "/sync/trigger", {"delay_seconds": MAX_DELAY_SECONDS}).status == 202
    app.sync()
    app.clock.move(hours=2)
    app.bokit.tick()

    assert token["expires_at"]
    paths = (
        "/sync/status",
        "/sync/history",
        "/sources",
        "/units",
        "/tokens",
        "/bookings",
        "/conflicts",
        "/turnovers",
        "/occupancy",
        "/options",
    )
    assert [caller.ask("GET", path).status for path in paths] == [200] * len(paths)
    line = app.store.load_heads(app.store.load_sources("default")[0].shard_id)[0].schedules[ids["source"]]
    assert line.due_at - app.clock() > timedelta(days=360)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "2026-02-30", "0000-00-00"])
def test_no_day_breaks_a_route(app, caller, day):
    """The first and the last that there is, and two that there are not."""
    ids = app.furnish()
    app.sync()
    asked = [
        caller.ask("GET", "/bookings", query={"from": day, "until": day}),
        caller.ask("GET", "/bookings/explain", query={"unit_id": ids["unit"], "date": day}),
        caller.ask("GET", "/turnovers", query={"from": day}),
        caller.ask("GET", "/turnovers", query={"until": day}),
        caller.ask("GET", "/occupancy", query={"from": day}),
        caller.ask("GET", "/occupancy", query={"until": day}),
        caller.ask("POST", "/bookings", {"unit_id": ids["unit"], "check_in": day, "check_out": day}),
        caller.ask("POST", "/bookings", {"unit_id": ids["unit"], "check_in": "2026-08-01", "check_out": day}),
    ]

    assert all(answer.status < 500 for answer in asked)


def test_files_and_lists_of_the_catalog_have_bounds():
    """Of settings, of parts, and of the lists of a config file."""
    assert read_settings({"a": "x" * (MAX_SETTINGS_BYTES - 20)})
    with pytest.raises(InputError, match=f"larger than {MAX_SETTINGS_BYTES} bytes"):
        read_settings({"a": "x" * MAX_SETTINGS_BYTES})
    with pytest.raises(InputError, match=r"properties: a list of more than 10000 items"):
        read_config({"properties": [{"name": f"n{n}"} for n in range(10_001)]})
    for value, message in (("999999999d", "at most 31536000 s"), ("x" * 30, "not a duration")):
        with pytest.raises(InputError, match=rf"interval: .*{message}"):
            read_config({"collections": [{"name": "clients", "interval": value}]})
    assert MAX_UNIT_PARTS == 100


JSON_BOUNDS: dict[str, tuple[Any, Any, str]] = {
    # setting: at its bound, over it, and what the error says
    "headers": ({f"X-{n}": "v" for n in range(50)}, {f"X-{n}": "v" for n in range(51)}, "at most 50"),
    "headers.X": ({"X": "v" * 4000}, {"X": "v" * 4001}, "1 to 4000 characters"),
    "fields": ({f"f{n}": "a" for n in range(1000)}, {f"f{n}": "a" for n in range(1001)}, "at most 1000"),
    "pages": ({"page": "p", "size": 10_000}, {"page": "p", "size": 10_001}, "1 to 10000"),
    "updated_since": ({"param": "s", "overlap": "365d"}, {"param": "s", "overlap": "366d"}, "at most 31536000 s"),
    "id": ("a" * 1000, "a" * 1001, "id"),
}
SQL_BOUNDS: dict[str, tuple[Any, Any, str]] = {
    "overlap": ("365d", "999999999d", "at most 31536000 s"),
    "name": ("n" * 128, "n" * 129, "1 to 128"),
    "where": ("a" * 4000, "a" * 4001, "at most 4,000"),
    "key": ([f"k{n}" for n in range(16)], [f"k{n}" for n in range(17)], "key"),
}


@pytest.mark.parametrize("name", JSON_BOUNDS)
def test_a_setting_of_an_api_has_a_bound(name):
    """At it, it is accepted; over it, the error names the setting."""
    most, over, message = JSON_BOUNDS[name]
    field = name.partition(".")[0]

    assert read_kind_settings("json", {field: most})[field]
    with pytest.raises(InputError, match=message) as refused:
        read_kind_settings("json", {field: over})
    assert field in refused.value.message


@pytest.mark.parametrize("name", SQL_BOUNDS)
def test_a_setting_of_a_table_has_a_bound(name):
    """At it, it is accepted; over it, the error names the table and the setting."""
    most, over, message = SQL_BOUNDS[name]
    table = {"table": "t", "key": "id"}

    assert read_kind_settings("sql", {"tables": [{**table, name: most}]})
    with pytest.raises(InputError, match=message) as refused:
        read_kind_settings("sql", {"tables": [{**table, name: over}]})
    assert f"tables[0].{name}" in refused.value.message
