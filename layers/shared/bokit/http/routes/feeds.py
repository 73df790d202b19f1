"""``/feeds``: outgoing calendars under their secret paths. The function that serves them answers by ``http.public``."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Header, Path

from bokit.http.public import serve_feed
from bokit.http.replies import Reply, reply_answer
from bokit.http.routing import Routes

routes = Routes("public")

Token = Annotated[str, Path(description="The secret part of the calendar's `url`.")]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", description="ETags of the reader's copies, or `*`.")]
IfModifiedSince = Annotated[
    str | None, Header(alias="If-Modified-Since", description="`Last-Modified` of the reader's copy; ignored with If-None-Match.")
]
ABOUT_HEADERS = {
    "ETag": "Changes with the content.",
    "Last-Modified": "When the content last changed.",
    "Cache-Control": "Always revalidate: an address may end, and unchanged content costs a 304.",
}
HEADERS = {name: {"description": about, "schema": {"type": "string"}} for name, about in ABOUT_HEADERS.items()}
KNOWN: dict[str, Any] = {"description": "Not modified.", "headers": {name: HEADERS[name] for name in ("ETag", "Cache-Control")}}
CALENDAR = {"text/calendar": {"schema": {"type": "string"}}}
FOUND = {"description": "The calendar (RFC 5545).", "headers": HEADERS, "content": CALENDAR}


@routes.serve("GET", "/feeds/{token}.ics", None, {200: FOUND, 304: KNOWN})
def read_feed(token: Token, if_none_match: IfNoneMatch = None, if_modified_since: IfModifiedSince = None) -> Reply:
    """Read a unit's outgoing calendar."""
    return _answer(token, if_none_match, if_modified_since)


@routes.serve("HEAD", "/feeds/{token}.ics", None, {200: {"description": "It exists.", "headers": HEADERS}, 304: KNOWN})
def check_feed(token: Token, if_none_match: IfNoneMatch = None, if_modified_since: IfModifiedSince = None) -> Reply:
    """Check whether a calendar exists and has changed."""
    return _answer(token, if_none_match, if_modified_since)


def _answer(token: str, none_match: str | None, modified_since: str | None) -> Reply:
    return reply_answer(serve_feed(routes.call.visit(none_match=none_match, modified_since=modified_since), token))
