"""The pages of a JSON API, one after the other: requested, spaced, retried, and judged by ``core.items.paging``.

request ─► response ─► JSON? ─► items ─► lines ─► next page? ──► …
▲                                                  │
└─────── spaced, retried with jitter ◄─────────────┘      within limits of pages, bytes and seconds
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bokit.core.items.api_spec import ApiSpec
from bokit.core.items.links import keep_params, lost_params
from bokit.core.items.page_signals import Page, find_errors
from bokit.core.items.paging import API_ERROR, PageRequest, PageSequence
from bokit.core.items.reader import TOO_DEEP, ItemMap, find_items, read_json_body, write_line
from bokit.core.model.records import Fields, Json
from bokit.core.model.source_rules import Problem
from bokit.errors import BokitError, SourceMalformedError, SourceRefusedError, SourceUnavailableError
from bokit.net.response import SafeResponse
from bokit.net.session import SafeSession
from bokit.sources import limits
from bokit.sources.responses import StatusMessages, redirected_host, status_error
from bokit.values import Value, replace

NUMBERED = "first:"
"""Begins what a source whose pages count from a number of its own stores in place of an ETag: that number."""
NOTHING = frozenset({204, 205})
"""Successes without a body: no items."""
INSTEAD = "the API reports an error in place of items (`{where}`)"
MESSAGES = StatusMessages(
    refused="the API refused our credentials; check the key, or the secret that holds it",
    not_found="nothing at this address; check it",
    unexpected="not the answer of a list; check the address",
)


class Waiting(Value):
    """Time and chance for spacing and retries; tests hand in their own."""

    sleep: Callable[[float], object] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random


@dataclass(slots=True, kw_only=True)
class PageFetcher:
    """One fetch of all pages of an API."""

    session: SafeSession
    spec: ApiSpec
    waiting: Waiting
    headers: Mapping[str, str] = field(repr=False)
    item_map: ItemMap
    clock: Callable[[], datetime]
    validators: Mapping[str, str] = field(default_factory=dict)
    is_incremental: bool = False
    """It asks for changes alone: an answer without a body says that there are none."""
    delay: float = 0.0
    max_bytes: int = limits.MAX_LIST_BYTES
    """Of all responses together."""
    counted: int = 0
    """Distinct items that came before this fetch, where it goes on with an earlier one's."""
    problems: list[Problem] = field(default_factory=list)
    host: str | None = None
    found_first: str | None = None
    """The number of the first page, as it is stored in place of an ETag; None: declared, or not found out."""
    size: int = 0
    """Bytes of all responses so far."""
    requests: int = 0
    until: float
    """By the clock of *waiting*: when the fetch has to end."""
    base: str = field(repr=False)
    """The owner's URL."""
    first: SafeResponse | None = None
    """The first response."""
    is_unmodified: bool = False
    """The API said that nothing has changed."""
    sequence: PageSequence = field(init=False)
    beginning: PageRequest = field(init=False)
    following: PageRequest | None = field(init=False)
    """The request of the next page; None: there is none."""
    _requested: set[bytes] = field(default_factory=set)
    _last_page: bytes = b""
    _pages: set[bytes] = field(default_factory=set)
    _distinct: set[int] = field(default_factory=set)

    def begin(self, url: str, token: Fields | None = None) -> None:
        """Begin at *url*, or where a former fetch, which left *token*, would have gone on."""
        self.sequence = PageSequence(pages=self.spec.pages, items=self.spec.items, base=self.base, problems=self.problems)
        self.beginning = self.sequence.first(PageRequest(url=url, body=self.spec.body))
        self.following = self.sequence.resume(token, self.beginning) if token else self.beginning

    def walk(self) -> Iterator[list[bytes]]:
        """Fetch page after page; yield the lines of each. Afterwards ``problems`` say what makes the list incomplete."""
        while (request := self.following) is not None:
            self._check_limits(request)
            response = self._request(request, self.sequence)
            if response.status_code == 304 and self.first is None and not self.is_incremental:
                self.is_unmodified = True
                return
            self.first = self.first or response
            if self.sequence.may_end_at(response.status_code):
                self.sequence.end_at(response.status_code)
                self.following = None
                break
            page, lines = self._read_page(response, may_repeat=False)
            self.following = self.sequence.follow(request, page, self.counted + len(self._distinct))
            yield lines
        if lines := self._probe():
            yield lines

    @property
    def token(self) -> dict[str, Json] | None:
        """What :meth:`begin` takes to go on with the next page; None after the last one."""
        return None if self.following is None else self.sequence.save(self.following)

    def _check_limits(self, request: PageRequest) -> None:
        """Raise an error for a request that was sent before, and for more pages or seconds than any list needs."""
        self._seconds_left()
        if self.requests >= limits.MAX_PAGES:
            raise SourceMalformedError("the pages do not end; check how they follow one another", code="endless-pages")
        if _is_repeated(request.url.encode() + self._write_body(request), self._requested):
            raise SourceMalformedError("the pages form a circle; a link or a cursor came twice", code="repeated-cursor")

    def _seconds_left(self, after: float = 0.0) -> float:
        """Return the seconds that are left *after* so many more; raise SourceUnavailableError if there are none."""
        left = self.until - self.waiting.monotonic() - after
        if left <= 0:
            raise SourceUnavailableError("the pages took too long in all", code="timeout")
        return left

    # ── what a page has ──

    def _read_page(self, response: SafeResponse, *, may_repeat: bool) -> tuple[Page, list[bytes]]:
        """Return what a response says of pages, and its items as lines."""
        headers = {name.lower(): value for name, value in response.headers.items()}
        says_nothing = response.status_code in NOTHING or response.status_code == 304
        document = None if says_nothing else read_json_body(response.content)
        items = [] if says_nothing else self._find_items(document)
        self.size += len(response.content)
        if self.size > self.max_bytes:
            raise SourceMalformedError("the responses are too large in all", code="too-large", max_bytes=self.max_bytes)
        lines = [line for line in map(self._write_line, items) if line is not None]
        content, digest = b"\n".join(lines), self._last_page
        if lines and _is_repeated(content, self._pages) and not may_repeat:
            if digest != hashlib.sha256(content).digest() or not self.sequence.ends_by_repeating():
                raise SourceMalformedError("the same page came twice; check the page parameter", code="repeated-page")
            lines, items = [], []
        self._last_page = hashlib.sha256(content).digest()
        self._distinct.update(map(hash, lines))
        return Page(document=document, items=len(items), status=response.status_code, headers=headers), lines

    def _find_items(self, document: Json) -> list[Json]:
        """Return a page's items; an error that the API reports in the place of items is one."""
        where = next((w for w in find_errors(document) if w not in self.spec.pages.ignore), None)
        try:
            items = find_items(document, self.spec.items)
        except SourceMalformedError as error:
            if where is None:
                raise
            raise SourceMalformedError(INSTEAD.format(where=where), code=error.stable_code) from None
        if where and not items:
            raise SourceMalformedError(INSTEAD.format(where=where), code=API_ERROR)
        return items

    def _write_line(self, item: Json) -> bytes | None:
        """Return an item's line; of one that is nested too deeply a problem is kept, with its id."""
        try:
            return write_line(item)
        except SourceMalformedError as error:
            self.problems.append(Problem(code=TOO_DEEP, message=error.message, uid=self.item_map.read_key(item)))
            self._distinct.add(-len(self.problems))
            return None

    def _probe(self) -> list[bytes]:
        """Request page 0 where nobody declared from which number the pages count; return its lines if it is another page.

        Whatever else the API answers says that it counts from 1: an error, nothing, the first page again, or items with numbers
        below 1, which an API makes that computes where the page before the first would begin.
        """
        request, kept = self.sequence.probe(self.beginning), len(self._distinct)
        if request is None:
            return []
        lines: list[bytes] = []
        try:
            self._space_out()
            response = self._send(request)
            if 200 <= response.status_code < 300:
                _, lines = self._read_page(response, may_repeat=True)
        except BokitError:
            return []
        is_page = len(self._distinct) > kept and not any(map(self._has_number_below_1, lines))
        if response.status_code < 500:
            self.found_first = f"{NUMBERED}{int(not is_page)}"
        return lines if is_page else []

    def _has_number_below_1(self, line: bytes) -> bool:
        key = self.item_map.read_key(json.loads(line))
        return key is not None and key.startswith(("-", "0")) and key.removeprefix("-").isdecimal()

    # ── requests ──

    def _request(self, request: PageRequest, sequence: PageSequence) -> SafeResponse:
        """Return the response to one request; retry, with jitter, as long as the limits allow."""
        self._space_out()
        for attempt in range(1, limits.MAX_PAGE_TRIES):
            try:
                return self._request_once(request, sequence)
            except SourceUnavailableError as error:
                pause = self._pause(error, attempt)
                if pause > limits.MAX_RETRY_WAIT_SECONDS or self.waiting.monotonic() + pause > self.until:
                    raise
            self.waiting.sleep(pause)
        return self._request_once(request, sequence, is_last=True)

    def _space_out(self) -> None:
        """Wait between two requests, as the tenant asks for it."""
        if self.requests and self.delay:
            self._seconds_left(self.delay)
            self.waiting.sleep(self.delay)

    def _pause(self, error: SourceUnavailableError, attempt: int) -> float:
        pause = error.retry_after if error.retry_after is not None else 2.0 ** (attempt - 1)
        return pause * (1.0 + 0.5 * self.waiting.chance())

    def _request_once(self, request: PageRequest, sequence: PageSequence, *, is_last: bool = False) -> SafeResponse:
        """Return the response to one request, or raise the error that its status means.

        A status that may stand for the end, and does not prove it, is asked for again, until *is_last*.
        """
        response = self._send(request)
        status = response.status_code
        if status in (401, 403) and sequence.number and lost_params(request.url, self.base):
            response = self._send(replace(request, url=keep_params(request.url, self.base)))
            status = response.status_code
            sequence.keeps_params = 200 <= status < 300
        if sequence.may_end_at(status):
            if is_last or sequence.ends_at(status):
                return response
            raise SourceUnavailableError("a page is not there", code=f"http-{status}")
        if not self._is_expected(status):
            raise self._error_of(response, request, sequence)
        return response

    def _send(self, request: PageRequest) -> SafeResponse:
        self.requests += 1
        headers = {**self.headers, **(self.validators if self.requests == 1 else {})}
        body = self._write_body(request) if request.body is not None else None
        response = self.session.request(self.spec.method, request.url, headers=headers, data=body, timeout=self._seconds_left())
        self.host = self.host or response.host
        return response

    def _write_body(self, request: PageRequest) -> bytes:
        return json.dumps(request.body).encode()

    def _is_expected(self, status: int) -> bool:
        is_unmodified = status == 304 and (bool(self.validators) or self.is_incremental)
        return (200 <= status < 300 and status != 202) or is_unmodified

    def _error_of(self, response: SafeResponse, request: PageRequest, sequence: PageSequence) -> BokitError:
        """Return the error that a response's status means, in the words of what happened on the way to it."""
        status = response.status_code
        if status in (401, 403) and (where := redirected_host(response)):
            message = f"HTTP {status}: it redirects to {where}, to which the key is not sent; write that address"
            return SourceRefusedError(message, code="key-not-sent")
        if status in (401, 403) and sequence.number and lost_params(request.url, self.base):
            message = f"HTTP {status}: the next link leaves out parameters of the URL, and the API refuses it with them, too"
            return SourceRefusedError(message, code=f"http-{status}")
        return status_error(response, MESSAGES, now=self.clock())


def _is_repeated(content: bytes, digests: set[bytes]) -> bool:
    """Return whether the digest of *content* is in *digests*, to which it is added."""
    before = len(digests)
    digests.add(hashlib.sha256(content).digest())
    return len(digests) == before
