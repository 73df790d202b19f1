"""JSON APIs over HTTP: page after page into one body of canonical lines, or one error and nothing.

    request ─► answer ─► JSON? ─► items ─► lines ─► next page? ──► … ─► body ({"whole": true}, or what changed since)
       ▲                                               │
       └────── spaced, retried with jitter ◄───────────┘        never more than so many pages, bytes and seconds

A fetch is whole or it is none: whatever goes wrong on any page, no item of any page is taken. The next pass asks again.
"""

from __future__ import annotations

import email.utils
import hashlib
import json
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urljoin, urlsplit, urlunsplit

from bokit.core.items.api_spec import ApiSpec, Pages, PageStyle, read_api
from bokit.core.items.reader import read_document, search, write_body, write_line
from bokit.core.model.catalog import Source
from bokit.core.model.records import Json
from bokit.errors import BokitError, SourceMalformedError, SourceRefusedError, SourceUnavailableError
from bokit.net.session import Answer, SafeClient
from bokit.sources.protocols import Fetched
from bokit.sources.secrets import PREFIX

MAX_PAGES = 2_000
MAX_BYTES = 50_000_000
MAX_ANSWER_BYTES = 20_000_000
MAX_SECONDS = 240.0
"""Of one fetch: less than a source's lease, so that a slow API keeps nobody from the source."""
TRIES = 3
MAX_WAIT_SECONDS = 30.0
"""Seconds that we wait for a page; an API that asks for more is left alone until then."""
SINCE = "since:"
"""What stands where others have an ETag: when the last agreed pass began."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """How a fetch passes time; handed in, so that tests need none."""

    sleep: Callable[[float], object] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random


class JsonApiFetcher:
    """Fetches JSON APIs; safe to share between threads."""

    def __init__(
        self, client: SafeClient, reveal: Callable[[str], str], clock: Callable[[], datetime], wait: Wait | None = None
    ) -> None:
        self._client, self._reveal, self._clock, self._wait = client, reveal, clock, wait or Wait()

    def fetch(self, source: Source, *, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        """Return all items of *source*; of an incremental one those that changed since *etag*, where it is told."""
        spec = read_api(source.settings)
        began = self._clock()
        since = _read_since(spec, etag)
        validators = (
            {} if since or spec.since or not _is_single(spec) else {"If-None-Match": etag, "If-Modified-Since": last_modified}
        )
        walk = Walk(
            client=self._client,
            spec=spec,
            wait=self._wait,
            headers=self._open_headers(spec),
            validators={n: v for n, v in validators.items() if v},
            delay=int(source.settings.get("request_delay", 0)) / 1000,
        )
        first = walk.go(self._first_url(source, spec, since))
        if first is None:
            return Fetched(not_modified=True, host=walk.host)
        body = write_body(walk.lines, whole=since is None)
        tag = f"{SINCE}{_began_at(first, began).isoformat()}" if spec.since else first.headers.get("etag")
        return Fetched(
            body=body,
            etag=_short(tag),
            last_modified=None if spec.since else _short(first.headers.get("last-modified")),
            content_type="application/json",
            host=walk.host,
        )

    def _open_headers(self, spec: ApiSpec) -> dict[str, str]:
        headers = {"Accept": "application/json", **{name: self._open(value) for name, value in spec.headers.items()}}
        return headers if spec.body is None else {"Content-Type": "application/json", **headers}

    def _open(self, value: str) -> str:
        """Return a header's value with the secret that it ends in."""
        before, prefix, name = value.partition(PREFIX)
        told = before + self._reveal(prefix + name) if prefix else value
        if _CONTROL.search(told) or not told.isascii():
            raise SourceRefusedError("the secret of a header holds what no header can", code="secret")
        return told

    def _first_url(self, source: Source, spec: ApiSpec, since: datetime | None) -> str:
        url, pages = self._reveal(source.url), spec.pages
        told: dict[str, Json] = {}
        if since is not None and spec.since:
            told[spec.since.param] = spec.since.write(since - timedelta(seconds=spec.since.overlap))
        if pages.style in (PageStyle.PAGE, PageStyle.OFFSET):
            told |= {pages.size_param: pages.size, pages.param: pages.first}
        return set_params(url, told)


def _is_single(spec: ApiSpec) -> bool:
    """Return whether one answer is all: then its ETag stands for all."""
    return spec.pages.style is PageStyle.NONE and spec.method == "GET"


def _read_since(spec: ApiSpec, etag: str | None) -> datetime | None:
    if spec.since is None or not (etag or "").startswith(SINCE):
        return None
    return datetime.fromisoformat(str(etag).removeprefix(SINCE))


def _began_at(first: Answer, began: datetime) -> datetime:
    """Return when the pass began, by the server's clock where it is behind ours: nothing between the two may be lost."""
    try:
        theirs = email.utils.parsedate_to_datetime(first.headers.get("date", ""))
        return min(began, theirs.astimezone(UTC))
    except (TypeError, ValueError, OverflowError):
        return began


def _short(value: str | None) -> str | None:
    return value if value and len(value) <= 512 else None


@dataclass(slots=True, kw_only=True)
class Walk:
    """One walk over the pages of an API."""

    client: SafeClient
    spec: ApiSpec
    wait: Wait
    headers: Mapping[str, str] = field(repr=False)
    validators: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    lines: list[bytes] = field(default_factory=list, repr=False)
    host: str | None = None
    taken: int = 0
    asked: int = 0
    _met: set[bytes] = field(default_factory=set)
    _pages: set[bytes] = field(default_factory=set)

    def go(self, url: str) -> Answer | None:
        """Take every page, beginning at *url*; returns the first answer, or None where it says that nothing changed."""
        until = self.wait.monotonic() + MAX_SECONDS
        first: Answer | None = None
        onward: str | None = url
        step = Step(self.spec.pages)
        while onward is not None:
            self._count(onward, until)
            answer = self._ask(onward, until, may_end=first is not None and step.may_end)
            if answer.status == 304 and first is None:
                return None
            first = first or answer
            if answer.status in ENDS:
                break
            document = read_document(answer.body)
            count = self._take(document, answer)
            onward = step.next(onward, document, count)
        return first

    def _count(self, url: str, until: float) -> None:
        """Refuse a page that was asked before, and more pages or seconds than any list needs."""
        if self.wait.monotonic() > until:
            raise SourceUnavailableError("its pages took too long in all", code="timeout")
        if self.asked >= MAX_PAGES:
            raise SourceMalformedError("its pages do not end; check how they follow one another", code="endless-pages")
        mark = hashlib.sha256(url.encode()).digest()
        if mark in self._met:
            raise SourceMalformedError("its pages lead in a circle; a link or a cursor came twice", code="repeated-cursor")
        self._met.add(mark)

    def _take(self, document: Json, answer: Answer) -> int:
        """Keep a page's items; returns how many they are."""
        items = find_items(document, self.spec.items)
        lines = [write_line(item) for item in items]
        self.taken += len(answer.body)
        if self.taken > MAX_BYTES:
            raise SourceMalformedError("the answers are too large in all", code="too-large", max_bytes=MAX_BYTES)
        mark = hashlib.sha256(b"\n".join(lines)).digest()
        if lines and mark in self._pages:
            raise SourceMalformedError("the same page came twice; check the parameter that tells the page", code="repeated-page")
        self._pages.add(mark)
        self.lines += lines
        return len(items)

    def _ask(self, url: str, until: float, *, may_end: bool) -> Answer:
        """Return the answer to one request; tries again, with jitter, what may help, as long as the API lets us."""
        if self.asked and self.delay:
            self.wait.sleep(self.delay)
        for attempt in range(1, TRIES + 1):
            try:
                return self._ask_once(url, may_end=may_end)
            except SourceUnavailableError as error:
                pause = error.retry_after if error.retry_after is not None else 2.0 ** (attempt - 1)
                pause *= 1.0 + 0.5 * self.wait.chance()
                if attempt == TRIES or pause > MAX_WAIT_SECONDS or self.wait.monotonic() + pause > until:
                    raise
            self.wait.sleep(pause)
        raise AssertionError("unreachable")

    def _ask_once(self, url: str, *, may_end: bool) -> Answer:
        self.asked += 1
        sent = {**self.headers, **(self.validators if self.asked == 1 else {})}
        body = None if self.spec.body is None else json.dumps(self.spec.body).encode()
        answer = self.client.request(self.spec.method, url, headers=sent, body=body)
        self.host = self.host or answer.host
        is_end = may_end and answer.status in ENDS
        if not 200 <= answer.status < 300 and not is_end and not (answer.status == 304 and self.validators):
            raise refuse(answer)
        return answer


ENDS = frozenset({404, 416})
"""What some APIs answer to a page number behind the last page."""


@dataclass(slots=True)
class Step:
    """Where the next page is."""

    pages: Pages
    number: int = 0
    largest: int = 0

    @property
    def may_end(self) -> bool:
        """Return whether a page number may lie behind the last page."""
        return self.pages.style in (PageStyle.PAGE, PageStyle.OFFSET)

    def next(self, url: str, document: Json, count: int) -> str | None:
        """Return the next page's URL; None: this was the last.

        a link, a cursor    until there is none
        a number            until a page is empty, or shorter than the first; where the first is shorter than asked for,
                            one more is asked, since the API may give fewer than asked
        """
        pages = self.pages
        if pages.style is PageStyle.NONE:
            return None
        if pages.style is PageStyle.NEXT:
            return follow_link(url, search(pages.where, document))
        if pages.style is PageStyle.CURSOR:
            cursor = search(pages.where, document)
            return None if cursor in (None, "", False) else set_params(url, {pages.param: _text(cursor)})
        self.number += 1
        self.largest = max(self.largest, count)
        if count == 0 or (self.number > 1 and count < self.largest):
            return None
        told = int(dict(parse_qsl(urlsplit(url).query)).get(pages.param, pages.first))
        return set_params(url, {pages.param: told + (1 if pages.style is PageStyle.PAGE else count)})


def _text(cursor: Json) -> str:
    if isinstance(cursor, (str, int)) and not isinstance(cursor, bool) and len(str(cursor)) <= 4000:
        return str(cursor)
    raise SourceMalformedError("its cursor is neither text nor a number", code="bad-cursor")


def follow_link(url: str, link: Json) -> str | None:
    """Return where a next link leads: on the same host, and by the scheme and port by which we came; None: it was the last.

    Behind a proxy, APIs often write http:// or a port of their own into their links.
    """
    if link in (None, "", False):
        return None
    here = urlsplit(url)
    try:
        there = urlsplit(urljoin(url, link.strip())) if isinstance(link, str) and len(link) <= 4096 else None
        same = there is not None and there.hostname == here.hostname
    except ValueError:
        same = False
    if there is None or not same:
        raise SourceMalformedError("its next page is on another host, or no link", code="bad-next-link")
    return urlunsplit((here.scheme, here.netloc, there.path, there.query, ""))


def set_params(url: str, told: Mapping[str, Any]) -> str:
    """Return *url* with these parameters, replacing those of the same names."""
    if not told:
        return url
    parts = urlsplit(url)
    kept = [part for part in parts.query.split("&") if part and unquote_plus(part.partition("=")[0]) not in told]
    return urlunsplit(parts._replace(query="&".join([*kept, urlencode({n: str(v) for n, v in told.items()})])))


def find_items(document: Json, where: str | None) -> list[Json]:
    """Return the items of a page; raises SourceMalformedError where they are not."""
    found = search(where, document) if where else document
    if isinstance(found, list):
        return found
    raise SourceMalformedError("its answer has no list of items; check `items`, and what the API says", code="no-items")


def refuse(answer: Answer) -> BokitError:
    """Return the error that an answer's status stands for.

    401, 403                 the owner must do something: SourceRefusedError
    404, 410                 likewise
    408, 425, 429, 5xx       later: SourceUnavailableError, with Retry-After where it was told
    all else                 SourceMalformedError
    """
    status, code = answer.status, f"http-{answer.status}"
    if status in (401, 403):
        return SourceRefusedError("it refuses our credentials; check the key, or the secret that holds it", code=code)
    if status in (404, 410):
        return SourceRefusedError("there is nothing at this address; check it", code=code)
    if status in (408, 425, 429) or status >= 500:
        return SourceUnavailableError("it did not answer well", code=code, retry_after=answer.retry_after)
    return SourceMalformedError("it answered with a status that is none of a list's", code=code)
