"""``/feeds``: outgoing calendars, for whoever knows a path that nobody can guess."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Path

from bokit.errors import UnknownIdError
from bokit.http.conditional import is_known, write_http_date
from bokit.http.replies import Reply
from bokit.http.routing import Routes

routes = Routes("public")

Token = Annotated[str, Path(description="The calendar's secret, as `url` tells it.")]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", description="ETags that the reader has, or `*`.")]
IfModifiedSince = Annotated[
    str | None, Header(alias="If-Modified-Since", description="The `Last-Modified` that the reader has; asked without the other.")
]
TOLD = {
    "ETag": "Another for other bytes.",
    "Last-Modified": "When it last said something else.",
    "Cache-Control": "Ask every time: a path may end, and what is unchanged costs a 304.",
}
HEADERS = {name: {"description": about, "schema": {"type": "string"}} for name, about in TOLD.items()}
KNOWN: dict[str, Any] = {
    "description": "The reader has it already.",
    "headers": {n: HEADERS[n] for n in ("ETag", "Cache-Control")},
}
FEED: dict[int, dict[str, Any]] = {
    200: {
        "description": "The calendar (RFC 5545).",
        "headers": HEADERS,
        "content": {"text/calendar": {"schema": {"type": "string"}}},
    },
    304: KNOWN,
}


@routes.serve("GET", "/feeds/{token}.ics", None, FEED)
def read_feed(token: Token, if_none_match: IfNoneMatch = None, if_modified_since: IfModifiedSince = None) -> Reply:
    """A unit's outgoing calendar, for who knows its path."""
    return _answer(token, if_none_match, if_modified_since)


@routes.serve("HEAD", "/feeds/{token}.ics", None, {200: {"description": "It is there.", "headers": HEADERS}, 304: KNOWN})
def look_at_feed(token: Token, if_none_match: IfNoneMatch = None, if_modified_since: IfModifiedSince = None) -> Reply:
    """Whether there is such a calendar, and whether it changed."""
    return _answer(token, if_none_match, if_modified_since)


def _answer(token: str, none_match: str | None, modified_since: str | None) -> Reply:
    """Return the page under the path; a rotated, removed, another's and an invented path are all the same: 404, by one read."""
    engine = routes.call.engine
    page = engine.feeds.serve(token)
    if page is None:
        raise UnknownIdError("no such calendar")
    engine.traffic.begin(page.tenant)
    headers = {"ETag": page.etag, "Cache-Control": "private, no-cache", "X-Robots-Tag": "noindex"}
    if is_known(page.etag, page.changed_at, none_match=none_match, modified_since=modified_since):
        return Response(status_code=304, body="", headers=headers)
    headers |= _describe(page.changed_at)
    return Response(status_code=200, content_type=page.content_type, body=page.body.decode(), headers=headers)


def _describe(last: datetime) -> dict[str, str]:
    """Return what is said of bytes that were written *last*. Last-Modified is never after now (RFC 9110, section 8.8.2.1)."""
    changed_at = min(last, routes.call.engine.clock())
    return {"Last-Modified": write_http_date(changed_at), "Content-Disposition": 'inline; filename="calendar.ics"'}
