"""The OpenAPI document: the routers tell paths, parameters and bodies; schemas.py tells what is answered; the rest is here.

``python -m bokit.http.openapi`` prints it, as ``docs/openapi.json`` keeps it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from bokit import __version__
from bokit.http.problems import PROBLEM_JSON
from bokit.http.routers import load_routers
from bokit.http.schemas import SCHEMAS, ref

ABOUT = """Keeps holiday-rental calendars true.

Every route but those tagged `public` wants `Authorization: Bearer` with a token; a token belongs to one tenant, and sees
nothing of another's. `x-bokit-role` tells the least role that a route needs: `viewer` reads, `operator` also triggers and
edits, `admin` does all. Errors are problem documents (RFC 9457) with a stable `code`; only where the gateway itself refuses a
request (no or an unknown token, too many requests, a timeout) is its answer `{"message"}`. Lists are `{"items", "cursor"}`:
send `cursor` back to get the next page. Times are UTC, dates the unit's own."""
TAGS = {
    "sync": "Start a sync, let it repeat, see how it went.",
    "places": "Properties and units.",
    "sources": "Where bookings come from.",
    "bookings": "Who stays when.",
    "options": "How the tenant is synced.",
    "conflicts": "Double bookings.",
    "calendars": "What other channels are told.",
    "collections": "Any other synced data, as records.",
    "tokens": "Who may come in.",
    "document": "What this API is.",
    "public": "Without a token.",
}
PROBLEMS = {
    400: ("BadRequest", "The body is no JSON, a text holds what no text may, or the cursor is another list's."),
    401: ("Unauthorized", "There is no token, or none that is valid. The gateway's own answer."),
    403: ("Forbidden", "The token's role does not suffice. The gateway's own where its authorizer refuses."),
    404: ("NotFound", "The tenant has nothing of this id."),
    409: ("Conflict", "Not now: it is there already, something hangs on it, or it is being changed."),
    412: ("PreconditionFailed", "The record is not the one that If-Match or If-None-Match asks for."),
    413: ("TooLarge", "The body is larger than 256 KB."),
    422: ("Unprocessable", "`errors` tells which field is wrong, and how."),
    429: ("TooManyRequests", "The gateway's own answer; try again in a moment."),
    500: ("Unexpected", "An error of Bokit's own, or the gateway's."),
    503: ("Unavailable", "The table cannot be reached, or the gateway gave up waiting; try again."),
}
HEADERS = {
    "idempotency-key": "Idempotency-Key",
    "if-match": "If-Match",
    "if-none-match": "If-None-Match",
    "if-modified-since": "If-Modified-Since",
}
"""As people write them; the routers know small letters."""
BY_GATEWAY = frozenset({401, 403, 429, 500, 503})
WRITING = frozenset({"post", "put", "patch", "delete"})


def build_document() -> dict[str, Any]:
    """Return the whole document."""
    told = _read_routers()
    for path, operations in told["paths"].items():
        for method, operation in operations.items():
            _tidy_operation(operation)
            _add_problems(path, method, operation)
    bodies = told["components"]["schemas"]
    schemas = {name: _tidy_body(name, bodies[name]) for name in bodies if "ValidationError" not in name}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Bokit", "version": __version__, "description": ABOUT, "license": {"name": "MIT", "identifier": "MIT"}},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": [{"name": name, "description": about} for name, about in TAGS.items()],
        "paths": {path: told["paths"][path] for path in sorted(told["paths"])},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "`bokit token create` makes one."}},
            "schemas": dict(sorted({**schemas, **SCHEMAS}.items())),
            "responses": {name: _describe_problem(status, about) for status, (name, about) in PROBLEMS.items()},
        },
    }


def _read_routers() -> dict[str, Any]:
    resolver = APIGatewayHttpResolver(enable_validation=True)
    for router in load_routers():
        resolver.include_router(router)
    told: dict[str, Any] = json.loads(
        resolver.get_openapi_json_schema(title="Bokit", version=__version__), parse_float=lambda text: int(float(text))
    )
    return told


def _tidy_operation(operation: dict[str, Any]) -> None:
    """Take out what says nothing: titles, and null where a parameter or body that is left out is meant."""
    for parameter in operation.get("parameters", ()):
        schema = _without_null(parameter["schema"])
        parameter["schema"] = {key: told for key, told in schema.items() if key not in ("title", "description")}
        parameter["name"] = HEADERS.get(parameter["name"], parameter["name"])
    for status in ("204", "304"):
        operation["responses"].get(status, {}).pop("content", None)
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["schema"] = {key: told for key, told in _without_null(content["schema"]).items() if key != "title"}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return *schema* without its alternative null."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    rest = {key: told for key, told in schema.items() if key != "anyOf"}
    return {**rest, **choices[0]} if len(choices) == 1 else schema


def _tidy_body(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return a body's schema without titles, which say no more than names, and without defaults that say only: left out."""
    for told in schema.get("properties", {}).values():
        told.pop("title", None)
        if name.endswith("Edit") or told.get("default") == "":
            told.pop("default", None)
    return {key: value for key, value in schema.items() if key != "title"}


def _add_problems(path: str, method: str, operation: dict[str, Any]) -> None:
    """Write down the problems that an operation may answer, in the order of their statuses."""
    statuses = {400, 429, 500, 503}
    if "{" in path:
        statuses |= {404}
    if operation.get("security") != []:
        statuses |= {401, 403}
        statuses |= {404} if path != "/openapi.json" else set()
    if operation.get("parameters") or operation.get("requestBody"):
        statuses |= {422}
    if method in WRITING:
        statuses |= {409, 413, 422}
    if any(parameter["name"] == "If-Match" for parameter in operation.get("parameters", ())):
        statuses |= {412}
    answers = {status: a for status, a in operation["responses"].items() if status != "422"}
    answers |= {str(status): {"$ref": f"#/components/responses/{PROBLEMS[status][0]}"} for status in statuses}
    if method == "head":
        answers = {status: _without_content(answer) for status, answer in answers.items()}
    operation["responses"] = dict(sorted(answers.items()))


def _without_content(answer: dict[str, Any]) -> dict[str, Any]:
    """Return what an answer to HEAD is: the same, but for the content."""
    if "$ref" in answer:
        return {"description": dict(PROBLEMS.values())[answer["$ref"].rpartition("/")[2]]}
    return {key: told for key, told in answer.items() if key != "content"}


def _describe_problem(status: int, about: str) -> dict[str, Any]:
    content: dict[str, Any] = {PROBLEM_JSON: {"schema": ref("Problem")}}
    if status in BY_GATEWAY:
        content["application/json"] = {"schema": ref("GatewayMessage")}
    return {"description": about, "content": content}


def write_document() -> str:
    """Return the document as ``docs/openapi.json`` keeps it."""
    return json.dumps(build_document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(write_document())
