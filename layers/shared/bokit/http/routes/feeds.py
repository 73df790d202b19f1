"""``/feeds``: outgoing calendars under their secret paths. The function that serves them answers by ``http.public``."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Header, Path

from bokit.http.public import serve_feed, serve_taken
from bokit.http.replies import Reply, reply_answer
from bokit.http.routing import Routes, shows

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

ABOUT_TAKEN = {
    "ETag": ABOUT_HEADERS["ETag"],
    "Cache-Control": ABOUT_HEADERS["Cache-Control"],
    "Access-Control-Allow-Origin": "Any website's script may read it.",
}
TAKEN_HEADERS = {name: {"description": about, "schema": {"type": "string"}} for name, about in ABOUT_TAKEN.items()}
TAKEN_KNOWN: dict[str, Any] = {"description": "Not modified.", "headers": TAKEN_HEADERS}
TAKEN_EXISTS: dict[str, Any] = {"description": "They are shown.", "headers": TAKEN_HEADERS}
TAKEN: dict[str, Any] = {**shows("Availability", "The taken nights.")[200], "headers": TAKEN_HEADERS}


@routes.serve("GET", "/feeds/{token}.ics", None, {200: FOUND, 304: KNOWN})
def read_feed(token: Token, if_none_match: IfNoneMatch = None, if_modified_since: IfModifiedSince = None) -> Reply:
    """Read a unit's outgoing calendar."""
    return _answer(token, if_none_match, if_modified_since)


@routes.serve("HEAD", "/feeds/{token}.ics", None, {200: {"description": "It exists.", "headers": HEADERS}, 304: KNOWN})
def check_feed(token: Token, if_none_match: IfNoneMatch = None, if_modified_since: IfModifiedSince = None) -> Reply:
    """Check whether a calendar exists and has changed."""
    return _answer(token, if_none_match, if_modified_since)


@routes.serve("GET", "/feeds/{token}.json", None, {200: TAKEN, 304: TAKEN_KNOWN})
def read_taken(token: Token, if_none_match: IfNoneMatch = None) -> Reply:
    """Read the taken nights of a calendar's unit, for one's own website."""
    return _answer_taken(token, if_none_match)


@routes.serve("HEAD", "/feeds/{token}.json", None, {200: TAKEN_EXISTS, 304: TAKEN_KNOWN})
def check_taken(token: Token, if_none_match: IfNoneMatch = None) -> Reply:
    """Check whether taken nights are shown, and have changed."""
    return _answer_taken(token, if_none_match)


def _answer_taken(token: str, none_match: str | None) -> Reply:
    return reply_answer(serve_taken(routes.call.visit(none_match=none_match), token))


def _answer(token: str, none_match: str | None, modified_since: str | None) -> Reply:
    return reply_answer(serve_feed(routes.call.visit(none_match=none_match, modified_since=modified_since), token))
