"""Every error as an RFC 9457 problem document: the one place that knows which error is which status.

What may be told is told: a constant sentence, a stable code, and the facts of SAFE_FACTS. No URL, no stack, no one else's data.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from bokit.core.model.records import Json
from bokit.errors import (
    BokitError,
    InputError,
    LaterError,
    NeverError,
    PlanHeldError,
    StateError,
    StoreConflictError,
    StoreUnreachableError,
    UnknownIdError,
)

PROBLEM_JSON = "application/problem+json"
SAFE_FACTS = frozenset({"id", "ids", "field", "known", "kind", "name", "source", "plan", "collection", "unit_id"})
"""Facts of an error that a problem shows: ids, names and fields of the one who asks."""
MAX_FACT_LENGTH = 500
"""Letters; what is longer is left out."""
STATUS_OF_CODE = {"not-found": 404, "unknown-option": 404, "bad-cursor": 400, "precondition-failed": 412}
"""Codes that decide by themselves, whatever the class."""
STATUS_OF_CLASS: Sequence[tuple[type[BokitError], int]] = (
    (UnknownIdError, 404),
    (StateError, 409),
    (PlanHeldError, 409),
    (InputError, 422),
    (StoreConflictError, 409),
    (StoreUnreachableError, 503),
    (NeverError, 422),
    (LaterError, 422),
)
"""The first that fits. A source that cannot be read is what the caller asked to read: 422, and no server error of ours."""
RETRY_AFTER = {409: "1", 503: "5"}
"""Seconds, for errors that pass by themselves."""

log = logging.getLogger("bokit.http")


class RequestError(InputError):
    """A request that is refused before any desk is asked; it knows its HTTP status."""

    def __init__(self, message: str, *, status: int, code: str, headers: Mapping[str, str] | None = None, **facts: Any) -> None:
        super().__init__(message, code=code, **facts)
        self.status, self.headers = status, dict(headers or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem document, and what goes with it."""

    status: int
    code: str
    detail: str
    members: Mapping[str, Json] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Json]:
        """As RFC 9457 shapes it; ``about:blank`` says that the title is the status's."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.members,
        }


def read_problem(error: Exception) -> Problem:
    """Return the problem that *error* is to the one who asked; what nobody foresaw is logged here, once."""
    if isinstance(error, RequestError):
        return _tell(error, error.status, error.headers)
    if isinstance(error, RequestValidationError):
        return _read_validation(error)
    if isinstance(error, NotFoundError):
        return Problem(status=404, code="no-such-route", detail="there is no such route; GET /openapi.json tells them")
    if isinstance(error, BokitError) and (status := _status_of(error)):
        return _tell(error, status, _wait(error, status))
    log.error("an unforeseen error was answered with 500", exc_info=error)
    return Problem(status=500, code="unexpected", detail="an error of Bokit's own; its log tells more")


def _status_of(error: BokitError) -> int | None:
    if error.stable_code in STATUS_OF_CODE and isinstance(error, InputError):
        return STATUS_OF_CODE[error.stable_code]
    return next((status for kind, status in STATUS_OF_CLASS if isinstance(error, kind)), None)


def _wait(error: BokitError, status: int) -> dict[str, str]:
    passes = isinstance(error, (StoreConflictError, StoreUnreachableError)) or error.stable_code == "lease-held"
    return {"Retry-After": RETRY_AFTER[status]} if passes else {}


def _tell(error: BokitError, status: int, headers: Mapping[str, str]) -> Problem:
    members: dict[str, Json] = {k: v for k, v in error.facts.items() if k in SAFE_FACTS and len(str(v)) <= MAX_FACT_LENGTH}
    if (name := members.pop("field", None)) is not None:
        members["errors"] = [{"field": name, "message": error.message}]
    if "errors" in error.facts:
        members["errors"] = [dict(told) for told in error.facts["errors"]]
    return Problem(
        status=status, code=error.stable_code, detail=_without_commands(error.message), members=members, headers=headers
    )


def _without_commands(message: str) -> str:
    """Return *message* without what it says of the command line.

    >>> _without_commands("no such unit; `bokit unit list` shows them")
    'no such unit'
    """
    return "; ".join(part for part in message.split("; ") if "`bokit " not in part) or message


def _read_validation(error: RequestValidationError) -> Problem:
    found = [_read_error(e) for e in error.errors()]
    unknown = all(e.get("type") == "extra_forbidden" for e in error.errors())
    return Problem(
        status=422,
        code="unknown-field" if unknown else "bad-field",
        detail="the request is not as the document describes it; `errors` tells where",
        members={"errors": found},
    )


def _read_error(error: Mapping[str, Any]) -> dict[str, str]:
    """Return one finding of the validation; the input itself is not repeated."""
    place = [str(part) for part in error.get("loc", ())]
    name = ".".join(place[1:] or place)
    told = "no such field" if error.get("type") == "extra_forbidden" else str(error.get("msg", "not valid"))
    return {"field": name, "message": told[:1].lower() + told[1:]}
