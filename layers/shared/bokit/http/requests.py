"""Requests, checked before any route sees them: who calls, and whether the body is clean JSON."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from bokit.core.model.access import Principal, Role
from bokit.core.model.exact_numbers import MAX_EXACT, read_decimal
from bokit.core.model.records import TenantId
from bokit.http.limits import MAX_BODY_BYTES, MAX_BODY_DEPTH
from bokit.http.problems import RequestError

WITH_BODY = frozenset({"POST", "PUT", "PATCH"})

Event = Mapping[str, Any]


def read_principal(event: Event) -> Principal:
    """Return the principal that the gateway's authorizer names. The tenant comes from here, and from nowhere else.

    Raises RequestError: 401 without a principal, 403 for an unknown role.
    """
    authorizer = _dict(_dict(event.get("requestContext")).get("authorizer"))
    ours, claims = _dict(authorizer.get("lambda")), _dict(_dict(authorizer.get("jwt")).get("claims"))
    if not (ours or claims):
        headers = {"WWW-Authenticate": "Bearer"}
        raise RequestError("send a token as `Authorization: Bearer …`", status=401, code="unauthenticated", headers=headers)
    names = ("tenant", "role", "id") if ours else ("bokit_tenant", "bokit_role", "sub")
    tenant, role, principal_id = map((ours or claims).get, names)
    if not (principal_id and tenant and isinstance(tenant, str) and role in list(Role)):
        raise RequestError("the token names no tenant and role of Bokit", status=403, code="forbidden")
    ends = None if ours else _read_end(claims.get("exp"))
    return Principal(tenant=TenantId(tenant), role=Role(role), id=str(principal_id), expires_at=ends, is_external=not ours)


def _read_end(value: Any) -> datetime:
    """Return when a JWT expires; the gateway lets none pass without it, so one that cannot be read counts as expired."""
    try:
        return datetime.fromtimestamp(float(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def read_method(event: Event) -> str:
    """Return the method, in capitals."""
    return str(_dict(_dict(event.get("requestContext")).get("http")).get("method", "")).upper()


def read_host(event: Event) -> str:
    """Return the host that the request was sent to, as the reader wrote it."""
    return str(_dict(event.get("headers")).get("host", ""))


def read_event(event: Event) -> dict[str, Any]:
    """Return *event* with its body decoded and its texts checked, ready for validation.

    Raises RequestError: 400 for what is not a JSON object or holds invalid text, 413 for what is too large.
    """
    for text in (event.get("rawPath"), *_dict(event.get("queryStringParameters")).values()):
        _check_text(str(text or ""))
    document = _read_body(event) if read_method(event) in WITH_BODY else None
    headers = {name.lower(): value for name, value in _dict(event.get("headers")).items()}
    headers["content-type"] = "application/json"
    body = None if document is None else json.dumps(document)
    return {**event, "headers": headers, "body": body, "isBase64Encoded": False}


def _read_body(event: Event) -> dict[str, Any] | None:
    raw = _decode(event)
    if not raw:  # only an empty body is none: white space is not JSON
        return None
    try:
        document = json.loads(raw, parse_constant=_refuse_constant, parse_float=_read_number)
    except (ValueError, RecursionError):
        raise _bad_json("the body is not JSON") from None
    if not isinstance(document, dict):
        raise _bad_json("the body must be a JSON object")
    for text in _texts(document):
        _check_text(text)
    return document


def _decode(event: Event) -> bytes:
    body = event.get("body") or ""
    if len(body) > MAX_BODY_BYTES * 4 // 3 + 4:
        raise _too_large()
    try:
        raw = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except (binascii.Error, ValueError):
        raise _bad_json("the body is not UTF-8 text") from None
    if len(raw) > MAX_BODY_BYTES:
        raise _too_large()
    return raw


def _texts(document: Any) -> Iterator[str]:
    """Yield every text of *document*, keys too; raises RequestError where it is nested too deeply."""
    waiting = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > MAX_BODY_DEPTH:
            raise _bad_json(f"the body is nested deeper than {MAX_BODY_DEPTH} levels")
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from value
            waiting += [(inner, depth + 1) for inner in value.values()]
        elif isinstance(value, list):
            waiting += [(inner, depth + 1) for inner in value]


def _check_text(text: str) -> None:
    """Refuse NUL and lone surrogates: no table, log or calendar stores them unchanged."""
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise RequestError("a text holds NUL or a lone surrogate; remove it", status=400, code="bad-text")


def _read_number(text: str) -> float | str:
    """Return a number: 900.0 is as whole as 900, as JSON Schema has it; raises ValueError for one that is not finite.

    One that a double does not hold stays text, so that no record gets another value than was sent.
    """
    if not isfinite(float(text)):
        raise ValueError(text)
    number = read_decimal(text)
    if isinstance(number, str):
        return number
    return int(number) if abs(number) < MAX_EXACT and number.is_integer() else number


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _bad_json(message: str) -> RequestError:
    return RequestError(message, status=400, code="bad-json")


def _too_large() -> RequestError:
    return RequestError(f"the body is larger than {MAX_BODY_BYTES} bytes", status=413, code="too-large")


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
