"""The OpenAPI document: valid, as it is committed, and with all that a client has to know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator

from bokit import __version__
from bokit.core.model.access import Role
from bokit.http.openapi import PROBLEMS, build_document, write_document
from bokit.http.problems import PROBLEM_JSON
from bokit.http.routers import load_routers

COMMITTED = Path(__file__).resolve().parents[2] / "docs/openapi.json"
OPERATIONS = [(m, p, op) for p, methods in build_document()["paths"].items() for m, op in methods.items()]
WRITTEN = [
    (m, p, op) for p, methods in json.loads(COMMITTED.read_text(encoding="utf-8"))["paths"].items() for m, op in methods.items()
]
IDS = [f"{m} {p}" for m, p, _ in OPERATIONS]


def test_the_committed_document_is_the_one_that_the_routes_build():
    """Where this fails: ``make openapi``."""
    assert COMMITTED.read_text(encoding="utf-8") == write_document()


def test_the_document_is_openapi_3_1():
    """As the specification's own validator sees it."""
    OpenAPIV31SpecValidator(build_document()).validate()


def test_every_route_is_in_it_and_no_other():
    """The routes that are served and those that are documented are the same."""
    served = {(method, path) for router in load_routers() for method, path in router.roles}

    assert {(m.upper(), p) for m, p, _ in OPERATIONS} == served
    assert len({operation["operationId"] for _, _, operation in OPERATIONS}) == len(served)


def test_it_names_its_version_and_no_host():
    """The server is wherever the document came from."""
    document = build_document()

    assert (document["info"]["version"], document["servers"]) == (__version__, [{"url": "/"}])
    assert document["security"] == [{"token": []}]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=IDS)
def test_an_operation_says_what_it_takes_and_answers(method, path, operation):
    """A summary, a tag, a role or that it needs none, its successes with a shape, and its problems by status."""
    public = operation.get("security") == []
    statuses = {int(status) for status in operation["responses"]}

    assert operation["summary"]
    assert operation["tags"]
    assert public or operation["x-bokit-role"] in set(Role)
    assert {400, 429, 500, 503} <= statuses
    assert public or {401, 403} <= statuses
    assert "{" not in path or 404 in statuses
    assert ("requestBody" not in operation) or {413, 422} <= statuses
    for status, answer in operation["responses"].items():
        if int(status) < 400:
            content = answer.get("content", {})
            assert status in ("204", "304") or method == "head" or (content and all(kind["schema"] for kind in content.values()))
            assert public or set(content) <= {"application/json"}


def test_the_gateways_own_answers_are_documented_as_such():
    """401, 403, 429 and 5xx may come from the gateway, which knows no problem documents, and 431 comes from it without any."""
    responses = build_document()["components"]["responses"]

    for status, (name, _) in PROBLEMS.items():
        media = set(responses[name].get("content", ()))
        if status == 431:
            assert media == set()
            continue
        assert media == ({PROBLEM_JSON, "application/json"} if status in (401, 403, 429, 500, 503) else {PROBLEM_JSON})


def test_the_trigger_takes_a_key():
    """Idempotency-Key is a header of it, and not required."""
    trigger = build_document()["paths"]["/sync/trigger"]["post"]
    (key,) = [p for p in trigger["parameters"] if p["in"] == "header"]

    assert (key["name"], key["required"]) == ("Idempotency-Key", False)
    assert {"200", "202"} <= set(trigger["responses"])


def test_bodies_take_no_field_that_is_not_named():
    """A client's misspelling is found by its own validator, too."""
    document = build_document()
    for _, _, operation in OPERATIONS:
        for content in operation.get("requestBody", {}).get("content", {}).values():
            if operation["operationId"] in ("put_record", "patch_record"):
                continue  # a record may have any field; unless its collection has a schema
            name = content["schema"]["$ref"].rpartition("/")[2]
            assert document["components"]["schemas"][name]["additionalProperties"] is False


def test_every_example_is_valid():
    """What the document shows, it takes."""
    for schema in build_document()["components"]["schemas"].values():
        for field in schema.get("properties", {}).values():
            for example in field.get("examples", ()):
                Draft202012Validator(field).validate(example)


def shown(content):
    """Return the example and the schema of one media type of the committed document."""
    return content["example"], {"components": build_document()["components"], **content["schema"]}


@pytest.mark.parametrize(("method", "path", "operation"), WRITTEN, ids=IDS)
def test_every_operation_has_a_valid_example(method, path, operation):
    """What is sent and what success answers, held against its schema. Missing? Add a call to tests/support/api_examples.py."""
    sent = list(operation.get("requestBody", {}).get("content", {}).values())
    answers = [
        (media, content)
        for status, answer in operation["responses"].items()
        if status < "300"
        for media, content in answer.get("content", {}).items()
        if media != "image/png"
    ]
    for content in (*sent, *(content for _, content in answers)):
        example, schema = shown(content)
        Draft202012Validator(schema, format_checker=FormatChecker()).validate(example)

    assert sent or answers or method in ("head", "delete")


def test_problems_share_an_example():
    """One of each status that has a body, which the schema takes."""
    for name, answer in json.loads(COMMITTED.read_text(encoding="utf-8"))["components"]["responses"].items():
        if "content" not in answer:
            assert name == PROBLEMS[431][0]
            continue
        example, schema = shown(answer["content"][PROBLEM_JSON])
        Draft202012Validator(schema).validate(example)
        assert PROBLEMS[example["status"]][0] == name


def test_the_committed_document_without_examples_is_what_the_route_answers():
    """The examples are all that a deployed stack leaves out."""

    def strip(value):
        if isinstance(value, list):
            return [strip(one) for one in value]
        return {k: strip(v) for k, v in value.items() if k != "example"} if isinstance(value, dict) else value

    committed = json.loads(COMMITTED.read_text(encoding="utf-8"))
    assert strip(committed) == strip(build_document()) == build_document()


def test_it_names_nothing_of_this_machine():
    """No path and no address of the machine that made it."""
    text = COMMITTED.read_text(encoding="utf-8")

    assert not [word for word in ("/home/", "/work/", "localhost", "127.0.0.1", "amazonaws") if word in text]
