"""The OpenAPI document. Routers give paths, parameters and bodies; schemas.py gives the answers.

``python -m bokit.http.openapi`` prints it as ``docs/openapi.json`` holds it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from bokit import __version__
from bokit.engine.records.limits import MAX_FILTERS
from bokit.http.limits import MAX_TEXT_LENGTH
from bokit.http.params import DEEP
from bokit.http.problems import PROBLEM_JSON, HttpProblem
from bokit.http.routers import load_routers
from bokit.http.schemas import build_schemas, ref

ABOUT = """Keeps holiday-rental calendars in sync and correct.

Every route except those tagged `public` needs `Authorization: Bearer` with a token. A token belongs to one tenant and sees no
other. `x-bokit-role` is the role that a route needs: `viewer` reads, `operator` also triggers and edits, `admin` may do
everything. Errors are problem documents (RFC 9457) with a stable `code`. Only where the gateway itself refuses a request (no
token or an unknown one, too many requests, a timeout) its answer is `{"message"}`. Lists are `{"items", "cursor"}`: send
`cursor` back to get the next page. Times are in UTC, dates in the unit's timezone."""
TAGS = {
    "sync": "Start syncs and see how they went.",
    "places": "Properties and units.",
    "sources": "Sources of bookings.",
    "bookings": "Bookings and blocks.",
    "options": "Options of the tenant.",
    "conflicts": "Double bookings.",
    "turnovers": "Who leaves, who comes next, and the time between.",
    "occupancy": "Nights sold, blocked and free, by month.",
    "guests": "Find, export and erase a guest.",
    "events": "What happened, in order.",
    "calendars": "Outgoing calendars.",
    "collections": "Any other synced data, as records.",
    "tokens": "API tokens.",
    "webhooks": "Who hears of events, and how each was delivered.",
    "alerts": "Where a tenant is notified of what needs a person.",
    "document": "This OpenAPI document.",
    "public": "Public routes, without a token.",
}
PROBLEMS = {
    400: ("BadRequest", "Not JSON, invalid characters, an unknown query parameter, or another list's cursor."),
    401: ("Unauthorized", "No valid token. The gateway's own answer."),
    403: ("Forbidden", "The token's role is too low. The gateway's own answer where its authorizer refuses."),
    404: ("NotFound", "The tenant has nothing with this id."),
    409: ("Conflict", "It exists already, is still in use, or is being changed."),
    410: ("Resync", "The event log does not go on from there; load everything again."),
    412: ("PreconditionFailed", "If-Match or If-None-Match does not hold."),
    413: ("TooLarge", "The body is larger than 256 KB."),
    422: ("Unprocessable", "A field is wrong; see `errors`."),
    429: ("TooManyRequests", "The gateway's own answer; try again in a moment."),
    431: ("HeadersTooLarge", "Address and headers are larger than 10 KB together. The gateway's own answer, without a body."),
    500: ("Unexpected", "An unexpected error in Bokit or the gateway."),
    503: ("Unavailable", "The table cannot be reached, or the gateway timed out; try again."),
}
HEADERS = {
    name.lower(): name for name in ("Accept-Encoding", "Idempotency-Key", "If-Match", "If-None-Match", "If-Modified-Since")
}
"""Header names as people write them, by the lower-case form that the routers know."""
EXAMPLES = Path(__file__).resolve().parents[4] / "docs/openapi-examples.json"
"""What the real API was sent and answered in a small world (``python -m tests.support.api_examples``); not in the layer."""
_PROBLEM_CODES = {
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    409: "conflict",
    410: "resync",
    412: "precondition-failed",
    413: "too-large",
    422: "bad-field",
    429: "too-many-requests",
    500: "unexpected",
    503: "unavailable",
}
BY_GATEWAY = frozenset({401, 403, 429, 500, 503})
WITHOUT_BODY = frozenset({431})
OPTIONAL = frozenset({"/", "/manifest.webmanifest", "/worker.js"})
"""Files of the page: where it was not built, they are not found."""
WRITING = frozenset({"post", "put", "patch", "delete"})
TOKEN_SCHEME = {"type": "http", "scheme": "bearer", "description": "`bokit token create` creates one."}


def build_document() -> dict[str, Any]:
    """Return the whole document."""
    routes = _read_routers()
    for path, operations in routes["paths"].items():
        for method, operation in operations.items():
            _clean_operation(operation)
            _add_problems(path, method, operation)
    bodies = routes["components"]["schemas"]
    schemas = {name: _clean_body(name, bodies[name]) for name in bodies if "ValidationError" not in name}
    info = {"title": "Bokit", "version": __version__, "description": ABOUT, "license": {"name": "MIT", "identifier": "MIT"}}
    return {
        "openapi": "3.1.0",
        "info": info,
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": [{"name": name, "description": about} for name, about in TAGS.items()],
        "paths": {path: routes["paths"][path] for path in sorted(routes["paths"])},
        "components": {
            "securitySchemes": {"token": TOKEN_SCHEME},
            "schemas": dict(sorted({**schemas, **build_schemas()}.items())),
            "responses": {name: _describe_problem(status, about) for status, (name, about) in PROBLEMS.items()},
        },
    }


def _read_routers() -> dict[str, Any]:
    resolver = APIGatewayHttpResolver(enable_validation=True)
    for router in load_routers():
        resolver.include_router(router)
    text = resolver.get_openapi_json_schema(title="Bokit", version=__version__)
    document: dict[str, Any] = json.loads(text, parse_float=lambda number: int(float(number)))
    return document


def _clean_operation(operation: dict[str, Any]) -> None:
    """Remove titles, and null from parameters and bodies that may be left out."""
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _without(_without_null(parameter["schema"]), "title", "description")
        parameter["name"] = HEADERS.get(parameter["name"], parameter["name"])
        if parameter["name"] in DEEP:
            values = {"type": "string", "maxLength": MAX_TEXT_LENGTH}
            schema = {"type": "object", "additionalProperties": values, "maxProperties": MAX_FILTERS}
            parameter |= {"style": "deepObject", "explode": True, "schema": schema}
    for status in ("204", "304"):
        operation["responses"].get(status, {}).pop("content", None)
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["schema"] = _without(_without_null(content["schema"]), "title")


def _without(schema: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in keys}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return *schema* without its alternative null."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    return {**_without(schema, "anyOf"), **choices[0]} if len(choices) == 1 else schema


def _clean_body(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return a body's schema without titles, and without defaults that only mean: left out."""
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
        if name.endswith("Edit") or field.get("default") == "":
            field.pop("default", None)
    return _without(schema, "title")


def _add_problems(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add the problems that an operation may answer, in the order of their statuses."""
    statuses = {400, 429, 500, 503}
    if "{" in path or path in OPTIONAL:
        statuses |= {404}
    if operation.get("security") != [] or "{" in path:
        # of a public name with a line break the gateway does not know the route, and asks for a token
        statuses |= {401, 403}
    if operation.get("security") != []:
        statuses |= {404} if path != "/openapi.json" else set()
    if operation.get("parameters") or operation.get("requestBody"):
        statuses |= {422}
    if operation.get("parameters"):
        statuses |= {431}
    if method in WRITING:
        statuses |= {409, 413, 422}
    if any(parameter["name"] == "If-Match" for parameter in operation.get("parameters", ())):
        statuses |= {412}
    if path == "/events":
        statuses |= {410}
    if path == "/bookings/{id}/access":
        statuses |= {409}
    answers = _without(operation["responses"], "422")
    answers |= {str(status): {"$ref": f"#/components/responses/{PROBLEMS[status][0]}"} for status in statuses}
    if method == "head":
        answers = {status: _without_content(answer) for status, answer in answers.items()}
    operation["responses"] = dict(sorted(answers.items()))


def _without_content(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer to HEAD: the one to GET without its content."""
    if "$ref" in answer:
        return {"description": dict(PROBLEMS.values())[answer["$ref"].rpartition("/")[2]]}
    return _without(answer, "content")


def _describe_problem(status: int, about: str) -> dict[str, Any]:
    if status in WITHOUT_BODY:
        return {"description": about}
    content: dict[str, Any] = {PROBLEM_JSON: {"schema": ref("Problem")}}
    if status in BY_GATEWAY:
        content["application/json"] = {"schema": ref("GatewayMessage")}
    return {"description": about, "content": content}


def write_document() -> str:
    """Return the document as ``docs/openapi.json`` holds it: the one that the route answers, with the examples."""
    document = build_document()
    add_examples(document, json.loads(EXAMPLES.read_text(encoding="utf-8")))
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def add_examples(document: dict[str, Any], examples: Mapping[str, Any]) -> None:
    """Add to each operation what was sent and answered, by ``GET /units``; all problems of one status share one."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            known = examples.get(f"{method.upper()} {path}", {})
            if "request" in known:
                for content in operation["requestBody"]["content"].values():
                    content["example"] = known["request"]
            for status, answers in known.get("responses", {}).items():
                for media, answer in answers.items():
                    operation["responses"][status]["content"][media]["example"] = answer
    for status, (name, about) in PROBLEMS.items():
        if status in WITHOUT_BODY:
            continue
        problem = HttpProblem(status=status, code=_PROBLEM_CODES.get(status, "bad-request"), detail=about)
        document["components"]["responses"][name]["content"][PROBLEM_JSON]["example"] = problem.as_dict()


if __name__ == "__main__":
    sys.stdout.write(write_document())
