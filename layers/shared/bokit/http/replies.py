"""What is answered: JSON, with times as the contract writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import Response

from bokit.core.model.documents import write_json
from bokit.http.problems import PROBLEM_JSON, Problem

JSON = "application/json"
Reply = Response[str]
"""What a route returns: its body is written already, so that nothing is validated or encoded twice."""
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""On every answer, unless the route says otherwise."""


def reply(document: Mapping[str, Any], status: int = 200, *, at: str | None = None) -> Reply:
    """Return *document*; *at* is the path of what was made."""
    return Response(status_code=status, content_type=JSON, body=write_json(document), headers={"Location": at} if at else {})


def reply_nothing() -> Reply:
    """Return 204: it is done, and there is nothing to tell."""
    return Response(status_code=204, body="")


def reply_problem(problem: Problem) -> Reply:
    """Return a problem document."""
    return Response(
        status_code=problem.status, content_type=PROBLEM_JSON, body=write_json(problem.as_dict()), headers=dict(problem.headers)
    )
