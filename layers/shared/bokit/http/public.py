"""Paths without a token: calendars, the page with its files, and whether the API is up. Light to import.

Each poll of a calendar may be a cold start, and anybody may send one: so no resolver, no validation and no OpenAPI here. The
routes in ``http.routes`` describe these paths for the OpenAPI document, and answer by the same functions.

    event ─► clean text (400) ─► path (404) ─► method (405) ─► calendar, file or health ─► answer
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from bokit import __version__
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.documents import write_json
from bokit.errors import UnknownIdError
from bokit.http.conditional import is_known, write_http_date
from bokit.http.problems import PROBLEM_JSON, HttpProblem, RequestError, no_such_route, read_problem
from bokit.http.requests import read_event, read_host, read_method
from bokit.values import Value, field

if TYPE_CHECKING:
    from bokit.engine.app import Bokit
    from bokit.http.page_files import PageFiles

ON_EVERY_ANSWER = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""Headers, unless an answer sets others."""
JSON = "application/json"
START = datetime(1970, 1, 1, tzinfo=UTC)
METHODS = ("GET", "HEAD")
ANY_ORIGIN = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Date, ETag"}
"""Headers by which a script of any website may read an answer, and by which clock it was given."""


class Answer(Value):
    """An answer, before it is written as the gateway takes it."""

    status: int = 200
    content: bytes = b""
    media: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> tuple[str, bool]:
        """The content as the gateway takes it, and whether it is base64: UTF-8 is sent as text, all else encoded."""
        try:
            return self.content.decode(), False
        except UnicodeDecodeError:
            return b64encode(self.content).decode(), True

    def as_dict(self) -> dict[str, Any]:
        """As Lambda returns it."""
        body, is_encoded = self.body
        media = {"Content-Type": self.media} if self.media else {}
        headers = {**ON_EVERY_ANSWER, **media, **self.headers}
        return {"statusCode": self.status, "headers": headers, "body": body, "isBase64Encoded": is_encoded}


class Visit(Value):
    """One request that needs no token. The engine and the page's files are opened by those who need them."""

    open_engine: Callable[[], Bokit]
    open_page: Callable[[], PageFiles] | None = None
    host: str = ""
    none_match: str | None = None
    """``If-None-Match``."""
    modified_since: str | None = None
    """``If-Modified-Since``."""
    accepted: str | None = None
    """``Accept-Encoding``."""
    agent: str | None = None
    """``User-Agent``."""


def serve_feed(visit: Visit, token: str) -> Answer:
    """Return the calendar under the path. Rotated, removed and invented paths look the same: 404 after one read."""
    engine = visit.open_engine()
    page = engine.feeds.serve(token, visit.agent)
    if page is None:
        raise UnknownIdError("no such calendar")
    engine.traffic.begin(page.tenant)
    headers = {"ETag": page.etag, "Cache-Control": "private, no-cache", "X-Robots-Tag": "noindex"}
    if is_known(page.etag, page.changed_at, none_match=visit.none_match, modified_since=visit.modified_since):
        return Answer(status=304, headers=headers)
    changed_at = min(page.changed_at, engine.clock())  # Last-Modified is never after now (RFC 9110, section 8.8.2.1)
    headers |= {"Last-Modified": write_http_date(changed_at), "Content-Disposition": 'inline; filename="calendar.ics"'}
    return Answer(content=page.body, media=page.content_type, headers=headers)


def serve_taken(visit: Visit, token: str) -> Answer:
    """Return the taken nights of the calendar's unit, for any website; 404 where the path shows none, as for invented ones."""
    engine = visit.open_engine()
    found = engine.feeds.serve_taken(token)
    if found is None:
        raise UnknownIdError("no such calendar")
    page, document = found
    engine.traffic.begin(page.tenant)
    content = write_json(document).encode()
    etag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "X-Robots-Tag": "noindex", **ANY_ORIGIN}
    if is_known(etag, START, none_match=visit.none_match, modified_since=None):
        return Answer(status=304, headers=headers)
    return Answer(content=content, media=JSON, headers=headers)


def serve_health(visit: Visit) -> Answer:
    """Return that the API is up; the table is not read."""
    engine = visit.open_engine()
    engine.traffic.begin(DEFAULT_TENANT)
    return Answer(content=write_json({"status": "ok", "version": __version__, "stage": engine.stage}).encode(), media=JSON)


def serve_file(visit: Visit, path: str) -> Answer:
    """Return a file of the page, or 304 where the reader has it."""
    if visit.open_page is None:
        raise UnknownIdError("no page is served here")
    page = visit.open_page()
    if (file := page.find(path or "index.html", visit.host)) is None:
        raise UnknownIdError("no such file; the page may not be built")
    headers = {**page.headers, "Cache-Control": file.cache, "ETag": f"W/{file.etag}"}
    if is_known(file.etag, START, none_match=visit.none_match, modified_since=None):
        return Answer(status=304, headers=headers)
    content, encoding = file.encode(visit.accepted)
    return Answer(content=content, media=file.media, headers={**headers, **encoding})


PATHS: tuple[tuple[re.Pattern[str], Callable[..., Answer]], ...] = (
    (re.compile(r"/feeds/([^/]+)\.ics"), serve_feed),
    (re.compile(r"/feeds/([^/]+)\.json"), serve_taken),
    (re.compile(r"/health"), serve_health),
    (re.compile(r"/(|page\.json|manifest\.webmanifest|worker\.js|(?:assets|icons)/[^/]+)"), serve_file),
)
"""The paths, and who answers; what is in parentheses is handed on."""


class PublicApi:
    """Serves the paths whose first segment is one of *segments*, without a token."""

    segments = ("health", "feeds", "", "page.json", "assets", "icons", "manifest.webmanifest", "worker.js")

    def answer(
        self, event: Mapping[str, Any], open_engine: Callable[[], Bokit], open_page: Callable[[], PageFiles] | None = None
    ) -> dict[str, Any]:
        """Answer one request; always with a status and a document. Any query parameter is taken: readers add their own."""
        used: list[Bokit] = []

        def open_used() -> Bokit:
            used.append(open_engine())
            return used[0]

        try:
            answer = self._serve(read_event(event), open_used, open_page)
        except Exception as error:
            answer = answer_problem(read_problem(error))
        for engine in used:
            engine.traffic.finish()
        written = answer.as_dict()
        return {**written, "body": "", "isBase64Encoded": False} if read_method(event) == "HEAD" else written

    def _serve(
        self, event: Mapping[str, Any], open_engine: Callable[[], Bokit], open_page: Callable[[], PageFiles] | None
    ) -> Answer:
        path, headers = str(event.get("rawPath")), event["headers"]
        found = ((pattern.fullmatch(path), serve) for pattern, serve in PATHS)
        match, serve = next(((match, serve) for match, serve in found if match), (None, None))
        if match is None or serve is None:
            return answer_problem(no_such_route())
        if read_method(event) not in METHODS:
            allow = {"Allow": ", ".join(METHODS)}
            raise RequestError("method not allowed, see Allow", status=405, code="method-not-allowed", headers=allow)
        visit = Visit(
            open_engine=open_engine,
            open_page=open_page,
            host=read_host(event),
            none_match=headers.get("if-none-match"),
            modified_since=headers.get("if-modified-since"),
            accepted=headers.get("accept-encoding"),
            agent=headers.get("user-agent"),
        )
        return serve(visit, *match.groups())


def answer_problem(problem: HttpProblem) -> Answer:
    """Return a problem document."""
    content = write_json(problem.as_dict()).encode()
    return Answer(status=problem.status, content=content, media=PROBLEM_JSON, headers=problem.headers)
