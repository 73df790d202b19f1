"""JSON APIs over HTTP: all pages become one body of canonical lines, or one error.

    request ─► response ─► JSON? ─► items ─► lines ─► next page? ──► … ─► body ({"whole": true}, or what changed since)
       ▲                                                  │
       └─────── spaced, retried with jitter ◄─────────────┘      within limits of pages, bytes and seconds

A fetch is whole or it fails: if any page fails, no item of any page is used, and the next pass asks again.
"""

from __future__ import annotations

import email.utils
import hashlib
import json
import random
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urljoin, urlsplit, urlunsplit

from bokit.core.items.api_spec import ApiSpec, PageStyle, Pagination, read_api
from bokit.core.items.reader import read_json_body, search, write_body, write_line
from bokit.core.model.catalog import Source
from bokit.core.model.records import Json, TenantId
from bokit.errors import SourceMalformedError, SourceRefusedError, SourceUnavailableError
from bokit.net.response import SafeResponse
from bokit.net.session import SafeSession
from bokit.sources import limits
from bokit.sources.protocols import Fetched
from bokit.sources.responses import StatusMessages, read_header, status_error
from bokit.sources.secrets import PREFIX, Reveal

SINCE = "since:"
"""Begins what an incremental source stores in place of an ETag: when the last agreed pass began."""
PAST_THE_END = frozenset({404, 416})
"""What some APIs answer to a page number after the last page."""
MESSAGES = StatusMessages(
    refused="the API refused our credentials; check the key, or the secret that holds it",
    not_found="nothing at this address; check it",
    unexpected="not the answer of a list; check the address",
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Time and chance for spacing and retries; tests hand in their own."""

    sleep: Callable[[float], object] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random


class JsonApiFetcher:
    """Fetches JSON APIs; safe to share between threads."""

    def __init__(
        self, session: SafeSession, reveal: Reveal, clock: Callable[[], datetime], waiting: Waiting | None = None
    ) -> None:
        self._session, self._reveal, self._clock, self._waiting = session, reveal, clock, waiting or Waiting()

    def fetch(
        self, source: Source, *, etag: str | None = None, last_modified: str | None = None, seconds: float | None = None
    ) -> Fetched:
        """Return all items of *source*; of an incremental one those changed since the pass in *etag*, if there is one."""
        spec, began = read_api(source.settings), self._clock()
        since = _read_since(spec, etag)
        validators = {"If-None-Match": etag, "If-Modified-Since": last_modified} if _may_be_unmodified(spec) else {}
        pages = PageFetcher(
            session=self._session,
            spec=spec,
            waiting=self._waiting,
            headers=self._reveal_headers(spec, source.tenant),
            validators={n: v for n, v in validators.items() if v},
            delay=int(source.settings.get("request_delay", 0)) / 1000,
        )
        first = pages.fetch_all(self._first_url(source, spec, since), limits.MAX_FETCH_SECONDS if seconds is None else seconds)
        if first is None:
            return Fetched(not_modified=True, host=pages.host)
        return Fetched(
            body=write_body(pages.lines, whole=since is None),
            etag=f"{SINCE}{_began_at(first, began).isoformat()}" if spec.since else read_header(first, "etag"),
            last_modified=None if spec.since else read_header(first, "last-modified"),
            host=pages.host,
        )

    def _reveal_headers(self, spec: ApiSpec, tenant: TenantId) -> dict[str, str]:
        revealed = {name: self._reveal_header(value, tenant) for name, value in spec.headers.items()}
        headers = {"Accept": "application/json", **revealed}
        return headers if spec.body is None else {"Content-Type": "application/json", **headers}

    def _reveal_header(self, value: str, tenant: TenantId) -> str:
        """Return a header's value with the secret that it ends in."""
        before, prefix, name = value.partition(PREFIX)
        text = before + self._reveal(prefix + name, tenant) if prefix else value
        if _CONTROL.search(text) or not text.isascii():
            raise SourceRefusedError("the secret of a header holds letters that a header cannot", code="secret")
        return text

    def _first_url(self, source: Source, spec: ApiSpec, since: datetime | None) -> str:
        pages, params = spec.pages, dict[str, Json]()
        if since is not None and spec.since:
            params[spec.since.param] = spec.since.write(since - timedelta(seconds=spec.since.overlap))
        if pages.style in (PageStyle.PAGE, PageStyle.OFFSET):
            params |= {pages.size_param: pages.size, pages.param: pages.first}
        return set_params(self._reveal(source.url, source.tenant), params)


def _may_be_unmodified(spec: ApiSpec) -> bool:
    """Return whether one response is the whole list, so its ETag stands for all of it."""
    return spec.since is None and spec.pages.style is PageStyle.NONE and spec.method == "GET"


def _read_since(spec: ApiSpec, etag: str | None) -> datetime | None:
    if spec.since is None or not (etag or "").startswith(SINCE):
        return None
    return datetime.fromisoformat(str(etag).removeprefix(SINCE))


def _began_at(first: SafeResponse, began: datetime) -> datetime:
    """Return when the pass began: by the server's clock if that is behind ours, so no change is missed."""
    with suppress(TypeError, ValueError, OverflowError):
        theirs = email.utils.parsedate_to_datetime(first.headers.get("date", ""))
        return min(began, theirs.astimezone(UTC))
    return began


@dataclass(slots=True, kw_only=True)
class PageFetcher:
    """One fetch of all pages of an API."""

    session: SafeSession
    spec: ApiSpec
    waiting: Waiting
    headers: Mapping[str, str] = field(repr=False)
    validators: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    lines: list[bytes] = field(default_factory=list, repr=False)
    host: str | None = None
    size: int = 0
    """Bytes of all responses so far."""
    requests: int = 0
    until: float = 0.0
    _urls: set[bytes] = field(default_factory=set)
    _pages: set[bytes] = field(default_factory=set)

    def fetch_all(self, url: str, seconds: float = limits.MAX_FETCH_SECONDS) -> SafeResponse | None:
        """Fetch every page, beginning at *url*; return the first response, or None if it says that nothing changed.

        All pages together take *seconds*, or MAX_FETCH_SECONDS where they are fewer.
        """
        self.until = self.waiting.monotonic() + min(seconds, limits.MAX_FETCH_SECONDS)
        first: SafeResponse | None = None
        next_url: str | None = url
        pages = PageSequence(self.spec.pages)
        while next_url is not None:
            self._check_limits(next_url)
            response = self._request(next_url, may_end=first is not None and pages.may_end)
            if response.status_code == 304 and first is None:
                return None
            first = first or response
            if response.status_code in PAST_THE_END:
                break
            document = read_json_body(response.content)
            next_url = pages.next_url(next_url, document, self._keep_items(document, response))
        return first

    def _check_limits(self, url: str) -> None:
        """Raise an error for a URL that was asked before, and for more pages or seconds than any list needs."""
        self._seconds_left()
        if self.requests >= limits.MAX_PAGES:
            raise SourceMalformedError("the pages do not end; check how they follow one another", code="endless-pages")
        if _is_repeated(url.encode(), self._urls):
            raise SourceMalformedError("the pages form a circle; a link or a cursor came twice", code="repeated-cursor")

    def _seconds_left(self, after: float = 0.0) -> float:
        """Return the seconds that are left *after* so many more; raise SourceUnavailableError if there are none."""
        left = self.until - self.waiting.monotonic() - after
        if left <= 0:
            raise SourceUnavailableError("the pages took too long in all", code="timeout")
        return left

    def _keep_items(self, document: Json, response: SafeResponse) -> int:
        """Keep a page's items; return their number."""
        lines = [write_line(item) for item in find_items(document, self.spec.items)]
        self.size += len(response.content)
        if self.size > limits.MAX_LIST_BYTES:
            raise SourceMalformedError("the responses are too large in all", code="too-large", max_bytes=limits.MAX_LIST_BYTES)
        if lines and _is_repeated(b"\n".join(lines), self._pages):
            raise SourceMalformedError("the same page came twice; check the page parameter", code="repeated-page")
        self.lines += lines
        return len(lines)

    def _request(self, url: str, *, may_end: bool) -> SafeResponse:
        """Return the response to one request; retry, with jitter, as long as the limits allow."""
        if self.requests and self.delay:
            self._seconds_left(self.delay)
            self.waiting.sleep(self.delay)
        for attempt in range(1, limits.MAX_PAGE_TRIES):
            try:
                return self._request_once(url, may_end=may_end)
            except SourceUnavailableError as error:
                pause = self._pause(error, attempt)
                if pause > limits.MAX_RETRY_WAIT_SECONDS or self.waiting.monotonic() + pause > self.until:
                    raise
            self.waiting.sleep(pause)
        return self._request_once(url, may_end=may_end)

    def _pause(self, error: SourceUnavailableError, attempt: int) -> float:
        pause = error.retry_after if error.retry_after is not None else 2.0 ** (attempt - 1)
        return pause * (1.0 + 0.5 * self.waiting.chance())

    def _request_once(self, url: str, *, may_end: bool) -> SafeResponse:
        self.requests += 1
        headers = {**self.headers, **(self.validators if self.requests == 1 else {})}
        body = None if self.spec.body is None else json.dumps(self.spec.body).encode()
        response = self.session.request(self.spec.method, url, headers=headers, data=body, timeout=self._seconds_left())
        self.host = self.host or response.host
        if not self._is_expected(response.status_code, may_end=may_end):
            raise status_error(response, MESSAGES)
        return response

    def _is_expected(self, status: int, *, may_end: bool) -> bool:
        is_unmodified = status == 304 and bool(self.validators)
        return 200 <= status < 300 or is_unmodified or (may_end and status in PAST_THE_END)


def _is_repeated(content: bytes, digests: set[bytes]) -> bool:
    """Return whether the digest of *content* is in *digests*, to which it is added."""
    before = len(digests)
    digests.add(hashlib.sha256(content).digest())
    return len(digests) == before


@dataclass(slots=True)
class PageSequence:
    """Finds the URL of the next page."""

    pages: Pagination
    number: int = 0
    largest: int = 0

    @property
    def may_end(self) -> bool:
        """Return whether a page number may be after the last page."""
        return self.pages.style in (PageStyle.PAGE, PageStyle.OFFSET)

    def next_url(self, url: str, document: Json, count: int) -> str | None:
        """Return the next page's URL, given this page's document and its number of items; None: this was the last.

        a link, a cursor    until there is none
        a number            until a page is empty, or shorter than the longest before it; after a short first page one
                            more is asked, since the API may return fewer than asked for
        """
        pages = self.pages
        if pages.style is PageStyle.NONE:
            return None
        if pages.style is PageStyle.NEXT:
            return resolve_link(url, search(pages.where, document))
        if pages.style is PageStyle.CURSOR:
            cursor = search(pages.where, document)
            return None if cursor in (None, "", False) else set_params(url, {pages.param: _read_cursor(cursor)})
        self.number += 1
        self.largest = max(self.largest, count)
        if count == 0 or (self.number > 1 and count < self.largest):
            return None
        current = int(dict(parse_qsl(urlsplit(url).query)).get(pages.param, pages.first))
        return set_params(url, {pages.param: current + (1 if pages.style is PageStyle.PAGE else count)})


def _read_cursor(cursor: Json) -> str:
    if isinstance(cursor, (str, int)) and not isinstance(cursor, bool) and len(str(cursor)) <= limits.MAX_PAGE_CURSOR_LENGTH:
        return str(cursor)
    raise SourceMalformedError("the cursor is neither text nor a number", code="bad-cursor")


def resolve_link(url: str, link: Json) -> str | None:
    """Return the URL of a next link, on the scheme, host and port of *url*; None: this was the last page.

    Behind a proxy, APIs often write http:// or a port of their own into their links.
    """
    if link in (None, "", False):
        return None
    here = urlsplit(url)
    try:
        there = urlsplit(urljoin(url, link.strip())) if isinstance(link, str) and len(link) <= limits.MAX_LINK_LENGTH else None
        is_same_host = there is not None and there.hostname == here.hostname
    except ValueError:
        is_same_host = False
    if there is None or not is_same_host:
        raise SourceMalformedError("the next page is on another host, or not a link", code="bad-next-link")
    return urlunsplit((here.scheme, here.netloc, there.path, there.query, ""))


def set_params(url: str, params: Mapping[str, Any]) -> str:
    """Return *url* with these query parameters, replacing those of the same names."""
    if not params:
        return url
    parts = urlsplit(url)
    kept = [part for part in parts.query.split("&") if part and unquote_plus(part.partition("=")[0]) not in params]
    return urlunsplit(parts._replace(query="&".join([*kept, urlencode({n: str(v) for n, v in params.items()})])))


def find_items(document: Json, where: str | None) -> list[Json]:
    """Return the items of a page; raises SourceMalformedError if they are not a list."""
    found = search(where, document) if where else document
    if isinstance(found, list):
        return found
    raise SourceMalformedError("the response has no list of items; check `items`, and what the API returns", code="no-items")
