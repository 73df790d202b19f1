"""Errors as RFC 9457 problem documents: the one place that maps errors to HTTP statuses.

A problem shows the message, a stable code and the facts of SAFE_FACTS: no URL, no stack, no other tenant's data.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from bokit.core.model.records import Fields, Json
from bokit.errors import (
    BokitError,
    ConfigError,
    InputError,
    LaterError,
    NeverError,
    StateError,
    StoreConflictError,
    StoreUnreachableError,
    UnknownIdError,
)
from bokit.http.limits import MAX_FACT_LENGTH
from bokit.values import Value, field

if TYPE_CHECKING:
    from bokit.http.documents import ProblemDocument

PROBLEM_JSON = "application/problem+json"
SAFE_FACTS = frozenset({"id", "ids", "field", "known", "kind", "name", "source", "plan", "collection", "unit_id", "seq"}) | {
    "count",
    "quota",
    "limit",
    "used",
    "parameter",
}
"""Facts of an error that a problem shows: ids, names and fields of the caller's own tenant."""
STATUSES: tuple[tuple[type[BokitError], str | None, int], ...] = (
    (InputError, "not-found", 404),
    (InputError, "unknown-option", 404),
    (InputError, "bad-cursor", 400),
    (InputError, "resync", 410),
    (InputError, "precondition-failed", 412),
    (InputError, "no-websocket", 404),
    (InputError, "token-invalid", 403),
    (UnknownIdError, None, 404),
    (StateError, None, 409),
    (InputError, None, 422),
    (StoreConflictError, None, 409),
    (StoreUnreachableError, None, 503),
    (NeverError, None, 422),
    (LaterError, None, 422),
    (ConfigError, "no-libraries", 409),
)
"""Class, code (None: any) and status; the first match counts. A source that cannot be read is 422: the error is not ours."""
RETRY_AFTER = {409: "1", 503: "5"}  # seconds, for errors that pass by themselves

log = logging.getLogger("bokit.http")


class RequestError(InputError):
    """A request that is refused before the engine is asked; it knows its HTTP status."""

    def __init__(self, message: str, *, status: int, code: str, headers: Mapping[str, str] | None = None, **facts: Any) -> None:
        super().__init__(message, code=code, **facts)
        self.status, self.headers = status, dict(headers or {})


class HttpProblem(Value):
    """A problem document with its headers."""

    status: int
    code: str
    detail: str
    members: Fields = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> ProblemDocument:
        """As RFC 9457 shapes it; ``about:blank`` means that the title is the status's."""
        doc = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        return cast("ProblemDocument", {**doc, **self.members})


def read_problem(error: Exception) -> HttpProblem:
    """Return *error* as a problem document. An unexpected one is logged here."""
    if isinstance(error, RequestError):
        return _describe_error(error, error.status, error.headers)
    if isinstance(error, BokitError) and (status := _status_of(error)):
        return _describe_error(error, status, _retry_headers(error, status))
    log.error("an unforeseen error was answered with 500", exc_info=error)
    return HttpProblem(status=500, code="unexpected", detail="an unexpected error in Bokit; its log has the details")


def no_such_route() -> HttpProblem:
    """Return the problem of a path that nothing serves."""
    return HttpProblem(status=404, code="no-such-route", detail="no such route; GET /openapi.json lists them")


def _status_of(error: BokitError) -> int | None:
    return next(
        (status for kind, code, status in STATUSES if isinstance(error, kind) and code in (None, error.stable_code)), None
    )


def _retry_headers(error: BokitError, status: int) -> dict[str, str]:
    passes = isinstance(error, (StoreConflictError, StoreUnreachableError)) or error.stable_code == "lease-held"
    return {"Retry-After": RETRY_AFTER[status]} if passes else {}


def _describe_error(error: BokitError, status: int, headers: Mapping[str, str]) -> HttpProblem:
    members: dict[str, Json] = {k: v for k, v in error.facts.items() if k in SAFE_FACTS and len(str(v)) <= MAX_FACT_LENGTH}
    if (name := members.pop("field", None)) is not None:
        members["errors"] = [{"field": name, "message": error.message}]
    if "errors" in error.facts:
        members["errors"] = [dict(each) for each in error.facts["errors"]]
    detail = _without_commands(error.message)
    return HttpProblem(status=status, code=error.stable_code, detail=detail, members=members, headers=headers)


def _without_commands(message: str) -> str:
    """Return *message* without hints at the command line.

    >>> _without_commands("no such unit; `bokit unit list` shows them")
    'no such unit'
    """
    return "; ".join(part for part in message.split("; ") if "`bokit " not in part) or message


def describe_validation(found: Sequence[Mapping[str, Any]]) -> HttpProblem:
    """Return the problem of a request that does not match the OpenAPI document; *found* is what pydantic says of it."""
    code = "unknown-field" if all(_is_unknown_field(e) for e in found) else "bad-field"
    detail = "the request does not match the OpenAPI document; see `errors`"
    return HttpProblem(status=422, code=code, detail=detail, members={"errors": [_describe_field(e) for e in found]})


def _is_unknown_field(error: Mapping[str, Any]) -> bool:
    return error.get("type") == "extra_forbidden"


def _describe_field(error: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with one field, without its value."""
    place = [str(part) for part in error.get("loc", ())]
    message = "no such field" if _is_unknown_field(error) else str(error.get("msg", "not valid"))
    return {"field": ".".join(place[1:] or place), "message": message[:1].lower() + message[1:]}
