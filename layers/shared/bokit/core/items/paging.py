"""How the pages of a list follow one another, and what proves that a list has ended.

what came                                                       the list
an empty page; no next link or cursor, where the API has them;  has ended
``more`` is false, or ``total`` items came, as declared
a page that is short                                            goes on: the next page is requested
404, 410 or 416 behind a page                                   has ended if ``past_end`` says so, or if the pages before did;
                                                                else a page is missing
a sign of more that leads nowhere: a flag, a link, a total      is incomplete, whatever else the answers say

The items of an incomplete list are taken, and nothing that it does not show counts as missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bokit.core.items.limits import MAX_EMPTY_PAGES, MAX_PAGE_CURSOR_LENGTH
from bokit.core.items.links import add_own, drop_own, keep_credentials, keep_params, resolve_link, set_params
from bokit.core.items.page_advice import suggest_pages, write_setting
from bokit.core.items.page_signals import Page, Signal, Signals, find_link, read_range, read_signals
from bokit.core.items.reader import search
from bokit.core.model.records import Fields, Json
from bokit.core.model.source_rules import Problem
from bokit.errors import SourceMalformedError
from bokit.values import Value, replace

MORE_PAGES, PAGE_MISSING, API_ERROR = "more-pages", "page-missing", "api-error"
INCOMPLETE = frozenset({MORE_PAGES, PAGE_MISSING, API_ERROR})
"""Codes of problems that make a list incomplete: what it does not show may be there."""
PAST_THE_END = frozenset({404, 410, 416})
"""What some APIs answer to a page after the last one; others answer it while they are deployed."""
HEADER = "header:"
"""Begins where a value is, if a header has it and not the document."""
OF_ONE_PAGE = frozenset({"count", "itemcount"})
"""Totals that may be those of one page."""


SAVED = ("number", "keeps_params", "_last", "_largest", "_empty", "_said_more", "_said_last")
"""What a sequence counts, and stores to be resumed."""


class PageStyle(StrEnum):
    """How one page leads to the next."""

    NONE = "none"
    NEXT = "next"
    LINK = "link"
    PAGE = "page"
    OFFSET = "offset"
    CURSOR = "cursor"


class Pagination(Value):
    """How the pages of an API follow one another, as it is declared."""

    style: PageStyle = PageStyle.NONE
    where: str = ""
    """NEXT, CURSOR: where the link or the cursor is; LINK: the relation in the Link header."""
    param: str = ""
    """PAGE, OFFSET, CURSOR: the parameter that selects the page; a path, if it goes into the body."""
    size: int = 0
    size_param: str = ""
    first: int = 1
    """PAGE, OFFSET: the number of the first page."""
    finds_first: bool = False
    """Nobody declared *first*: page 0 is requested as well, to see whether the API counts from there."""
    in_body: bool = False
    total: str = ""
    """Where the number of all items is."""
    more: str = ""
    """Where it says whether there is another page."""
    past_end: int | None = None
    """The status that a page after the last one has."""
    ignore: frozenset[str] = frozenset()
    """Where something stands that means something else here."""

    @property
    def is_numbered(self) -> bool:
        """Return whether pages are selected by a number."""
        return self.style in (PageStyle.PAGE, PageStyle.OFFSET)


class PageRequest(Value, not_shown=("url",)):
    """The request of one page."""

    url: str
    body: Json = None

    def with_params(self, pages: Pagination, params: Mapping[str, Any]) -> PageRequest:
        """Return it with these parameters, in the query or in the body."""
        if not pages.in_body:
            return replace(self, url=set_params(self.url, params))
        body = self.body
        for path, value in params.items():
            body = _set_path(body, path.split("."), value)
        return replace(self, body=body)

    def read_number(self, pages: Pagination, default: int) -> int:
        """Return the number that selects this page."""
        query = {} if pages.in_body else dict(parse_qsl(urlsplit(self.url).query))
        value = str(search(pages.param, self.body) if pages.in_body else query.get(pages.param))
        return int(value) if value.isascii() and value.isdecimal() else default


@dataclass(slots=True, kw_only=True)
class PageSequence:
    """Finds the request that follows each page, and judges whether the list has ended."""

    pages: Pagination
    items: str | None = None
    """Where the list is."""
    base: str = field(default="", repr=False)
    """The owner's URL: a next link that leaves out its credentials gets them."""
    number: int = 0
    """Pages so far."""
    count: int = 0
    """Distinct items so far."""
    keeps_params: bool = False
    """The API refused a next link without the other parameters of the owner's URL: all of them are added."""
    problems: list[Problem] = field(default_factory=list)
    _last: int = 0
    """Items of the last page."""
    _largest: int = 0
    _empty: int = 0
    """Empty pages in a row."""
    _said_more: bool = False
    _said_last: bool = False

    def first(self, request: PageRequest) -> PageRequest:
        """Return the request of the first page."""
        pages = self.pages
        if not pages.is_numbered:
            return request
        return request.with_params(pages, {pages.size_param: pages.size, pages.param: pages.first})

    def save(self, request: PageRequest) -> dict[str, Json]:
        """Return what is stored to go on with *request* later: no credential of the owner's URL is in it."""
        if self.pages.is_numbered:
            place: Json = request.read_number(self.pages, self.pages.first)
        elif self.pages.style is PageStyle.CURSOR:
            place = self._read_param(request)
        else:
            place = drop_own(request.url, self.base)
        counts = {name: getattr(self, name) for name in SAVED}
        return {"place": place, **counts}

    def resume(self, token: Fields, beginning: PageRequest) -> PageRequest:
        """Return the request that :meth:`save` stored, and count on from there."""
        for name in SAVED:
            setattr(self, name, token[name])
        if self.pages.is_numbered or self.pages.style is PageStyle.CURSOR:
            return beginning.with_params(self.pages, {self.pages.param: token["place"]})
        url = resolve_link(beginning.url, token["place"]["link"]) or beginning.url
        return replace(beginning, url=add_own(url, self.base, token["place"]["own"]))

    def _read_param(self, request: PageRequest) -> Json:
        if self.pages.in_body:
            value: Json = search(self.pages.param, request.body)
            return value
        return dict(parse_qsl(urlsplit(request.url).query)).get(self.pages.param)

    def follow(self, request: PageRequest, page: Page, count: int) -> PageRequest | None:
        """Return the request after *request*, which brought *page*; None: it was the last. *count*: distinct items so far."""
        signals = read_signals(page, self.items, self.pages.ignore)
        self._note(page, signals, count)
        if signals.errors and page.items:
            self._report(API_ERROR, f"the API reports an error beside its items (`{signals.errors[0]}`)")
        if self.pages.more and _read_flag(self._find(self.pages.more, page)) is False:
            following = None
        else:
            following = self._next(request, page, signals)
        if following is None:
            self._judge_end(request, page, signals)
        return following

    def _note(self, page: Page, signals: Signals, count: int) -> None:
        self.number, self.count, self._last = self.number + 1, count, page.items
        self._largest, self._empty = max(self._largest, page.items), 0 if page.items else self._empty + 1
        names = {s.name for s in signals.totals if s.value == count}
        is_all = bool(names - OF_ONE_PAGE)
        self._said_last = signals.says_last or is_all or (signals.has_no_link and (self._said_more or bool(names)))
        self._said_more = self._said_more or bool(signals.more)

    # ── the next page ──

    def _next(self, request: PageRequest, page: Page, signals: Signals) -> PageRequest | None:
        pages = self.pages
        if pages.style is PageStyle.NONE:
            return None
        if pages.is_numbered:
            return self._next_number(request, page, signals)
        if pages.style is PageStyle.CURSOR:
            return self._next_cursor(request, page, signals)
        link = (
            find_link(page.headers.get("link"), pages.where) if pages.style is PageStyle.LINK else self._find(pages.where, page)
        )
        url = resolve_link(request.url, link)
        if url is None or (url == request.url and not page.items):
            return None
        keep = keep_params if self.keeps_params else keep_credentials
        return replace(request, url=keep(url, self.base))

    def _next_cursor(self, request: PageRequest, page: Page, signals: Signals) -> PageRequest | None:
        """Return the request of the next cursor; the same one again, of an empty or a last page, is none."""
        cursor = self._find(self.pages.where, page)
        if cursor in (None, "", False):
            return None
        value = cursor if self.pages.in_body else _read_cursor(cursor)
        following = request.with_params(self.pages, {self.pages.param: value})
        return None if following == request and (signals.says_last or not page.items) else following

    def _next_number(self, request: PageRequest, page: Page, signals: Signals) -> PageRequest | None:
        """Return the request of the next number, until a page is empty, and nothing says that there is more all the same."""
        pages, total = self.pages, self._total(page, signals)
        if pages.total and total and self.count >= total.value:
            return None
        hope = MAX_EMPTY_PAGES if signals.more else 1 if total and total.value > self.count else 0
        if self._empty > hope:
            return None
        step = 1 if pages.style is PageStyle.PAGE else page.items or pages.size
        return request.with_params(pages, {pages.param: request.read_number(pages, pages.first) + step})

    # ── the end ──

    def may_end_at(self, status: int) -> bool:
        """Return whether this status can be the answer to a page after the last one."""
        return self.pages.is_numbered and self.number > 0 and (status in PAST_THE_END or status == self.pages.past_end)

    def ends_at(self, status: int) -> bool:
        """Return whether this status is the end: it is declared and the page before was short, or the pages before said so."""
        is_short = self._last < max(self._largest, self.pages.size)
        return self._said_last or (status == self.pages.past_end and is_short)

    def ends_by_repeating(self) -> bool:
        """Return whether the last page again is the end: some APIs answer with it to any number beyond.

        Pages that differed show that the parameter works; of a single page only what it says itself shows that it is all.
        """
        return self.pages.is_numbered and (self.number > 1 or self._said_last)

    def end_at(self, status: int) -> None:
        """End the list at this status, which came again and again."""
        if not self.ends_at(status) and status != self.pages.past_end:
            advice = f"if this API ends its lists so, declare `past_end: {status}` in `pages`"
            self._report(PAGE_MISSING, f"page {self.number + 1} answered HTTP {status}; {advice}")

    def probe(self, request: PageRequest) -> PageRequest | None:
        """Return the request of page 0, where the first number is not declared: some APIs count from there."""
        pages = self.pages
        return request.with_params(pages, {pages.param: 0}) if pages.finds_first and self.number > 0 else None

    def _judge_end(self, request: PageRequest, page: Page, signals: Signals) -> None:
        """Report what says that there is more, after the last page."""
        more = [s.where for s in signals.more if s.where != self.pages.where]
        if self.pages.more:
            more = [self.pages.more] if _read_flag(self._find(self.pages.more, page)) else []
        total = self._total(page, signals)
        if total and total.value > self.count:
            more.append(f"{total.where}: {total.value}")
        if not self.pages.total:
            more += [f"{s.where}: {s.value}" for s in signals.page_totals if s.value > self.number]
        if not more and self.pages.style is PageStyle.NONE and self._is_part(page):
            more.append("HTTP 206")
        if more:
            said = ", ".join(f"`{where}`" for where in dict.fromkeys(more))
            advice = self._advise(request, page, signals)
            self._report(MORE_PAGES, f"the API says that there is more than it showed ({said}; {self.count} came); {advice}")

    def _advise(self, request: PageRequest, page: Page, signals: Signals) -> str:
        if self.pages.style is not PageStyle.NONE:
            return "check `pages`; what means something else there belongs into its `ignore`"
        advice = suggest_pages(page, signals, is_post=request.body is not None)
        return f"declare how pages follow, as in `{write_setting(advice)}`" if advice else "declare `pages`"

    def _is_part(self, page: Page) -> bool:
        """Return whether a response says that it is a part, and not that it is all of it."""
        found = read_range(page.headers.get("content-range"))
        return page.status == 206 and not (found and found[1] is not None and found[1] <= self.count)

    def _total(self, page: Page, signals: Signals) -> Signal | None:
        """Return the number of all items, as the page says it: as declared, or the largest."""
        if where := self.pages.total:
            value = self._find(where, page)
            number = int(value) if isinstance(value, str) and value.isdecimal() else value
            is_number = isinstance(number, int) and not isinstance(number, bool)
            return Signal(where=where, value=number) if is_number else None
        return max(signals.totals, key=lambda s: int(s.value), default=None)

    def _find(self, where: str, page: Page) -> Json:
        """Return what the page has at a place: in a header, or in its document."""
        if where.startswith(HEADER):
            found: Json = page.headers.get(where.removeprefix(HEADER).lower())
            return found
        value: Json = search(where, page.document)
        return value

    def _report(self, code: str, message: str) -> None:
        if all(problem.code != code for problem in self.problems):
            self.problems.append(Problem(code=code, message=message))


def _read_flag(value: Json) -> bool | None:
    """Return what a flag says; None: nothing."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None if value is None else bool(value)


def _read_cursor(cursor: Json) -> str:
    if isinstance(cursor, (str, int)) and not isinstance(cursor, bool) and len(str(cursor)) <= MAX_PAGE_CURSOR_LENGTH:
        return str(cursor)
    raise SourceMalformedError("the cursor is neither text nor a number", code="bad-cursor")


def _set_path(body: Json, path: list[str], value: Json) -> dict[str, Json]:
    """Return *body* with *value* at *path*; objects on the way are made."""
    known = dict(body) if isinstance(body, Mapping) else {}
    return {**known, path[0]: _set_path(known.get(path[0]), path[1:], value) if len(path) > 1 else value}
