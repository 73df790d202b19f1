"""JSON APIs over HTTP: all pages become one body of canonical lines, or one error; a long list stays a list of pages.

If a page fails, no item of any page is used, and the next pass asks again. Where the pages do not prove that the list has ended
(``core.items.paging``), the body says so: its items are used, and nothing that it does not show counts as missing.
"""

from __future__ import annotations

import email.utils
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bokit.core.items.api_spec import ApiSpec, read_api
from bokit.core.items.links import set_params
from bokit.core.items.paging import PageStyle
from bokit.core.items.reader import ItemMap, write_body
from bokit.core.model.catalog import Source
from bokit.core.model.records import Fields, Json, TenantId
from bokit.core.model.source_rules import Problem
from bokit.errors import SourceRefusedError
from bokit.net.response import SafeResponse
from bokit.net.session import SafeSession
from bokit.sources import limits
from bokit.sources.json_pages import NUMBERED, PageFetcher
from bokit.sources.json_pages import Waiting as Waiting
from bokit.sources.protocols import Fetched
from bokit.sources.responses import read_header
from bokit.sources.secrets import PREFIX, Reveal
from bokit.values import replace

SINCE = "since:"
"""Begins what an incremental source stores in place of an ETag: when the last agreed pass began."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class JsonApiFetcher:
    """Fetches JSON APIs; safe to share between threads."""

    def __init__(
        self, session: SafeSession, reveal: Reveal, clock: Callable[[], datetime], waiting: Waiting | None = None
    ) -> None:
        self._session, self._reveal, self._clock, self._waiting = session, reveal, clock, waiting or Waiting()

    def fetch(
        self, source: Source, *, etag: str | None = None, last_modified: str | None = None, seconds: float | None = None
    ) -> Fetched:
        """Return all items of *source*; of an incremental one those changed since the pass in *etag*, if there is one.

        A list of more than MAX_BODY_ITEMS, or MAX_BODY_BYTES, is not fetched to its end: its pages are returned, the first
        ones in the body.
        """
        allowed = float("inf") if seconds is None else seconds
        listed = self._begin(source, etag, last_modified, min(allowed, limits.MAX_FETCH_SECONDS))
        lines: list[bytes] = []
        for part in listed.parts():
            lines += part
            if listed.is_long(len(lines)):
                body = write_body(lines, whole=False, problems=listed.problems)
                return Fetched(body=body, host=listed.host, pages=listed.with_first(lines, allowed))
        if listed.is_unmodified:
            return Fetched(not_modified=True, host=listed.host)
        body = write_body(lines, whole=listed.whole, problems=listed.problems)
        return Fetched(body=body, etag=listed.etag, last_modified=listed.last_modified, host=listed.host)

    def open_list(
        self, source: Source, *, etag: str | None = None, token: Fields | None = None, seconds: float | None = None
    ) -> JsonList:
        """Return the pages of a long list; of an incremental source those changed since the pass in *etag*.

        *token*: go on where an earlier worker ended, which stored it.
        """
        listed = self._begin(source, etag, None, float("inf") if seconds is None else seconds, token)
        listed.pages.max_bytes = limits.MAX_LONG_LIST_BYTES
        return listed

    def _begin(
        self, source: Source, etag: str | None, last_modified: str | None, seconds: float, token: Fields | None = None
    ) -> JsonList:
        spec, began = read_api(source.settings), self._clock()
        if token:
            etag, began = token["etag"], datetime.fromisoformat(token["began"])
        since, url = _read_since(spec, etag), self._reveal(source.url, source.tenant)
        validators = {"If-None-Match": etag, "If-Modified-Since": last_modified} if _may_be_unmodified(spec) else {}
        pages = PageFetcher(
            session=self._session,
            spec=_with_first(spec, etag),
            waiting=self._waiting,
            headers=self._reveal_headers(spec, source.tenant),
            validators={n: v for n, v in validators.items() if v},
            is_incremental=since is not None,
            found_first=etag if (etag or "").startswith(NUMBERED) else None,
            item_map=ItemMap.of(source.settings),
            clock=self._clock,
            delay=int(source.settings.get("request_delay", 0)) / 1000,
            base=url,
            until=self._waiting.monotonic() + seconds,
            counted=token["items"] if token else 0,
        )
        pages.begin(_write_since(url, spec, since), token["next"] if token else None)
        return JsonList(pages=pages, since=since, sent=etag, began=began, is_resumed=token is not None)

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


@dataclass(slots=True, kw_only=True)
class JsonList:
    """A list that is being fetched, page by page."""

    pages: PageFetcher
    since: datetime | None
    """It asks for what has changed since then; None: for all."""
    sent: str | None
    """What the last pass stored in place of an ETag."""
    began: datetime
    """When the pass began, by the clock that is behind."""
    is_resumed: bool = False
    _first: list[bytes] | None = None
    _parts: Iterator[list[bytes]] | None = None

    @property
    def whole(self) -> bool:
        """Return whether all items were asked for."""
        return self.since is None

    @property
    def problems(self) -> list[Problem]:
        """What could not be read so far, and after the last part what makes the list incomplete."""
        return self.pages.problems

    @property
    def host(self) -> str | None:
        """Return the host that was asked."""
        return self.pages.host

    @property
    def is_unmodified(self) -> bool:
        """Return whether the API said that nothing has changed."""
        return self.pages.is_unmodified

    @property
    def etag(self) -> str | None:
        """Return what the next pass begins with."""
        first = self.pages.first
        if self.pages.spec.since:
            return f"{SINCE}{self._began().isoformat()}"
        return self.pages.found_first or (read_header(first, "etag") if first and not self.is_resumed else None)

    @property
    def last_modified(self) -> str | None:
        """Return the first response's own time."""
        first = self.pages.first
        return read_header(first, "last-modified") if first and not self.pages.spec.since else None

    def parts(self) -> Iterator[list[bytes]]:
        """Yield the lines of each page; those that came already are the first part."""
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        self._parts = self._parts or self.pages.walk()
        while (part := next(self._parts, None)) is not None:  # a reader that stops here leaves the rest to another one
            yield part

    def is_long(self, items: int) -> bool:
        """Return whether a list of so many items so far, with pages to come, is too long for one body.

        One that has ended is, where it is far larger. Pages of hardly any item are not: they lead from one to the next without
        end at some APIs.
        """
        if self.pages.following is None:
            return items >= limits.MAX_WHOLE_ITEMS or self.pages.size >= limits.MAX_WHOLE_BYTES
        is_large = items >= limits.MAX_BODY_ITEMS or self.pages.size >= limits.MAX_BODY_BYTES
        return is_large and items >= self.pages.requests * limits.MIN_LONG_PAGE_ITEMS

    def with_first(self, lines: list[bytes], seconds: float) -> JsonList:
        """Return it with these lines, which were taken from it, as its first part again, and so many seconds for all of it."""
        self._first, self.pages.max_bytes = lines, limits.MAX_LONG_LIST_BYTES
        self.pages.until += max(0.0, seconds - limits.MAX_FETCH_SECONDS)
        return self

    def token(self, items: int) -> dict[str, Json] | None:
        """Return what ``open_list`` takes to go on after *items* distinct ones; None: the last page has come."""
        following = self.pages.token
        if following is None:
            return None
        return {"next": following, "etag": self.sent, "began": self._began().isoformat(), "items": items}

    def _began(self) -> datetime:
        return _began_at(self.pages.first, self.began) if self.pages.first and not self.is_resumed else self.began


def _write_since(url: str, spec: ApiSpec, since: datetime | None) -> str:
    """Return the URL that asks for what has changed since a time; for all if there is none."""
    if since is None or spec.since is None:
        return url
    return set_params(url, {spec.since.param: spec.since.write(since - timedelta(seconds=spec.since.overlap))})


def _with_first(spec: ApiSpec, etag: str | None) -> ApiSpec:
    """Return *spec* with the number of the first page that an earlier fetch found out."""
    if spec.pages.finds_first and (etag or "").startswith(NUMBERED):
        return replace(spec, pages=replace(spec.pages, first=int(str(etag).removeprefix(NUMBERED)), finds_first=False))
    return spec


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
