"""Replies: JSON with times as the contract writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from aws_lambda_powertools.event_handler import Response

from bokit.core.model.documents import sent_bytes, write_json
from bokit.http.limits import MAX_PAGE_BYTES
from bokit.http.problems import HttpProblem
from bokit.http.public import JSON, Answer, answer_problem

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
P = TypeVar("P", bound="Page[Any]")


class Page(Protocol[T_co]):
    """A page that the store cut, with the cursor of the next one."""

    @property
    def items(self) -> Sequence[T_co]: ...
    @property
    def cursor(self) -> str | None: ...


Reply = Response[str]
"""What a route returns. Its body is already written, and is neither validated nor encoded again."""


def reply(document: Mapping[str, Any], status: int = 200, *, location: str | None = None) -> Reply:
    """Return *document*; *location* is the path of what was created."""
    headers = {"Location": location} if location else {}
    return Response(status_code=status, content_type=JSON, body=write_json(document), headers=headers)


def reply_list(items: Iterable[Mapping[str, Any]], cursor: str | None = None, **members: Any) -> Reply:
    """Return a page of a list; *cursor* where another one follows."""
    return reply({"items": list(items), "cursor": cursor, **members})


def reply_stored(
    fetch: Callable[[int], P],
    describe: Callable[[T], Mapping[str, Any]],
    limit: int,
    members: Callable[[P], Mapping[str, Any]] | None = None,
) -> Reply:
    """Answer a page of at most *limit* items that *fetch* loads; of fewer, where their documents are too large in all.

    *members*: what else of a page is answered.
    """
    while True:
        page = fetch(limit)
        response = reply_list(map(describe, page.items), page.cursor, **(members(page) if members else {}))
        if limit == 1 or sent_bytes(response.body or "") <= MAX_PAGE_BYTES:
            return response
        limit = max(1, min(limit, len(page.items)) // 2)


def reply_answer(answer: Answer) -> Reply:
    """Return the answer of a public path."""
    body, is_encoded = answer.body
    response = Response(status_code=answer.status, content_type=answer.media, body=body, headers=dict(answer.headers))
    response.base64_encoded = is_encoded
    return response


def reply_nothing() -> Reply:
    """Return 204."""
    return Response(status_code=204, body="")


def reply_problem(problem: HttpProblem) -> Reply:
    """Return a problem document."""
    return reply_answer(answer_problem(problem))
