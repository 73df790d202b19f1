"""What the document allows, and what it does not, thrown at every route: nothing breaks, and nothing undocumented comes back."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from bokit.http.openapi import build_document
from tests.support.caller import ApiApp, an_event, by_token, is_public, serve

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    allow_header_conformance,
    negative_data_rejection,
    unsupported_method,
]
EXAMPLES = 8
"""Of each operation and mode."""


def gateway(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Turn a WSGI request into the gateway's event, and the handler's answer into a response."""
    raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    query: dict[str, str] = {}
    for name, value in parse_qsl(environ["QUERY_STRING"], keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    headers = {k[5:].replace("_", "-").lower(): v for k, v in environ.items() if k.startswith("HTTP_")}
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    event = an_event(
        environ["REQUEST_METHOD"],
        path,
        headers=headers,
        body=base64.b64encode(raw).decode() if raw else None,
        encoded=bool(raw),
        authorizer=by_token() if "authorization" in headers else None,
    )
    event |= {"rawQueryString": environ["QUERY_STRING"], "queryStringParameters": query}
    answer = serve(event)
    start_response(f"{answer['statusCode']} -", [(name, str(value)) for name, value in answer["headers"].items()])
    return [base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()]


SCHEMA = schemathesis.openapi.from_dict(build_document())
SCHEMA.app = gateway
OPERATIONS = {operation.label: operation for operation in (result.ok() for result in SCHEMA.get_all_operations())}


CASES = [
    (label, mode)
    for label, operation in sorted(OPERATIONS.items())
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode is GenerationMode.POSITIVE or ((operation.body or any(operation.iter_parameters())) and not is_public(operation.path))
]
"""What takes nothing can be asked nothing wrong, nor what takes any text."""


@pytest.mark.parametrize(("label", "mode"), CASES, ids=[f"{label} {mode.value}" for label, mode in CASES])
def test_nothing_that_is_sent_breaks_a_route(app: ApiApp, label: str, mode: GenerationMode):
    """No 5xx; every status, media type and body as the document says; what it forbids is refused."""
    operation = OPERATIONS[label]
    app.furnish()
    app.sync()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def throw(case: schemathesis.Case) -> None:
        if not is_public(operation.path):
            case.headers["Authorization"] = "Bearer x"
        case.validate_response(case.call(), checks=CHECKS)

    throw()
