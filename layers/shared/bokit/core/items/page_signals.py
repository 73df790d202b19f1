"""What a response says of further pages, in the many words that APIs have for it.

    Link: <…>; rel="next"      X-Total-Count: 25      Content-Range: items 0-9/25
    {"data": [...], "meta": {"has_more": true, "next_cursor": "c2", "total": 25, "total_pages": 3}}

Names are compared without case, ``_`` and ``-``. They are looked for at the top of the document, in every object that leads to
the list, and in those objects in which APIs put what concerns pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bokit.core.model.records import Json
from bokit.values import Value, field


def words(text: str) -> frozenset[str]:
    """Return the words of *text*."""
    return frozenset(text.split())


HOLDERS = words("meta metadata pagination paging paginator page pages pageinfo links info responsemetadata cursor cursors hits")
"""Objects in which APIs put what concerns pages."""
MORE = words(
    "more hasmore hasnext hasnextpage hasmoreitems hasmorepages hasmoreresults hasadditional moreavailable moreitems "
    "moreitemsincollection istruncated truncated"
)
LAST = words("islast islastpage last done lastpage endofrecords endoflist nomore")
"""The other way round: false says that there is more."""
NEXT = words(
    "next nextpage nexturl nexturi nextpageurl nextlink nextpagelink nexthref odatanextlink nextrecordsurl nextcursor "
    "nexttoken nextpagetoken nextpagecursor nextoffset nextstart nextbatch continuation continuationtoken continuetoken "
    "mscontinuation"
)
TOTALS = words(
    "total totalcount totalitems totalresults totalrecords totalelements totalentries totalhits totalsize totalrows "
    "totaldocs recordstotal odatacount count itemcount numfound wptotal"
)
PAGE_TOTALS = words("pages totalpages totalpage pagecount numpages pagestotal wptotalpages lastpage")
MAX_HOLDERS = 6
"""Objects inside each other that are looked into."""
WORDS: Mapping[str, Json] = {"true": True, "false": False, "null": None}
ERRORS = frozenset({"error", "errors"})
SUCCESS = frozenset({"success", "ok", "succeeded"})
FAILED = frozenset({"error", "fail", "failed", "failure"})
VALUES = ("href", "url", "link", "after", "cursor", "offset", "page")
"""Where an object that stands for the next page has its link or its cursor."""
_WORD = re.compile(r"[a-z0-9]+")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\",;\s]*))", re.I)
_RANGE = re.compile(r"^\s*(?:[\w-]+[ =]\s*)?(?:(\d{1,15})-(\d{1,15})|\*)/(\d{1,15}|\*)\s*$")


class Page(Value):
    """One response of a list: its document, and what its headers say."""

    document: Json = None
    items: int = 0
    """How many items it has."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Signal(Value):
    """One thing that a response says: where it says it, by which name, and the value."""

    where: str
    """``Link``, another header's name, or a path in the document."""
    value: Any
    name: str = ""
    """Of the field or header, without case and signs."""


class Signals(Value):
    """What a response says of pages after it."""

    more: tuple[Signal, ...] = ()
    """Flags, links and cursors that say that there is more."""
    says_last: bool = False
    """A flag says that nothing follows."""
    has_no_link: bool = False
    """Its next link or cursor is there, and null."""
    totals: tuple[Signal, ...] = ()
    page_totals: tuple[Signal, ...] = ()
    errors: tuple[str, ...] = ()
    """Where it reports an error beside its items, or instead of them."""


def read_signals(page: Page, items: str | None, ignore: frozenset[str] = frozenset()) -> Signals:
    """Return what *page* says; *items* is where its list is, *ignore* names what says something else at this API."""
    found = [s for s in (*_of_headers(page), *_of_document(page.document, items)) if s.where not in ignore]
    flags = [s for s in found if (s.name in MORE and s.value is True) or (s.name in LAST and s.value is False)]
    links = [s for s in found if s.name in NEXT and _leads_on(s.value)]
    last = any((s.name in MORE and s.value is False) or (s.name in LAST and s.value is True) for s in found)
    return Signals(
        more=(*flags, *links),
        says_last=last and not flags and not links,
        has_no_link=not links and any(s.name in NEXT and s.value in (None, False, "") for s in found),
        totals=tuple(s for s in found if s.name in TOTALS and _is_count(s.value)),
        page_totals=tuple(s for s in found if s.name in PAGE_TOTALS and _is_count(s.value)),
        errors=tuple(where for where in find_errors(page.document) if where not in ignore),
    )


def normalise_name(name: str) -> str:
    """Return a name without case and signs; a header's without its X.

    >>> normalise_name("has_more"), normalise_name("X-Total-Count"), normalise_name("@odata.nextLink")
    ('hasmore', 'totalcount', 'odatanextlink')
    """
    return "".join(_WORD.findall(name.lower().removeprefix("x-")))


def find_link(header: str | None, rel: str = "next") -> str | None:
    """Return the link of this relation in a Link header; None if there is none.

    >>> find_link('</c?page=1>; rel="prev", </c?page=3,4>; title="a, b"; rel="last next"')
    '/c?page=3,4'

    Source: RFC 8288, section 3.
    """
    for target, params in _split_links(header or ""):
        found = _REL.search(params)
        if found and rel.lower() in (found[1] or found[2] or "").lower().split():
            return str(target)
    return None


def _split_links(header: str) -> Iterator[tuple[str, str]]:
    """Yield each link of a Link header: its target, and its parameters up to the next comma that is not quoted."""
    at = 0
    while (begin := header.find("<", at)) >= 0 and (end := header.find(">", begin)) >= 0:
        at, quoted = end + 1, False
        while at < len(header) and (quoted or header[at] != ","):
            quoted = quoted is not (header[at] == '"')
            at += 1
        yield header[begin + 1 : end], header[end + 1 : at]


def read_range(header: str | None) -> tuple[int, int | None] | None:
    """Return how many items a Content-Range ends at, and the total where it names it; None without one.

    >>> read_range("items 0-9/25"), read_range("0-9/*"), read_range("*/25"), read_range("bytes 0-9")
    ((10, 25), (10, None), (0, 25), None)
    """
    found = _RANGE.match(header or "")
    if not found:
        return None
    return int(found[2]) + 1 if found[2] else 0, None if found[3] == "*" else int(found[3])


def quote_path(*names: str) -> str:
    """Return the JMESPath of nested names.

    >>> quote_path("meta", "@odata.nextLink")
    'meta."@odata.nextLink"'
    """
    return ".".join(name if _PLAIN.fullmatch(name) else f'"{name}"' for name in names)


def find_errors(document: Json) -> Iterator[str]:
    """Yield where a document reports an error, as GraphQL and many other APIs do with status 200."""
    if not isinstance(document, Mapping):
        return
    for name, value in document.items():
        word = normalise_name(str(name))
        is_error = word in ERRORS and _says_something(value)
        if is_error or (word in SUCCESS and value is False) or (word == "status" and str(value).lower() in FAILED):
            yield quote_path(str(name))


def _says_something(value: Json) -> bool:
    if isinstance(value, Mapping):
        return any(_says_something(inner) for inner in value.values())
    return bool(value)


def _of_headers(page: Page) -> Iterator[Signal]:
    for name, text in page.headers.items():
        lower, word = name.lower(), normalise_name(name)
        if lower == "link":
            yield Signal(where="Link", value=find_link(text), name="next")
        elif lower == "content-range" and (found := read_range(text)):
            yield Signal(where="Content-Range", value=found[1], name="total")
        elif word in NEXT | MORE | TOTALS | PAGE_TOTALS and lower.startswith(("x-", "total", "next", "has")):
            yield Signal(where=lower, value=_read_value(word, text.strip()), name=word)


def _read_value(word: str, value: Json) -> Json:
    """Return a value of this name as it is meant: some APIs write numbers and flags as text, and flags as 0 and 1."""
    if isinstance(value, str) and value.lower() in WORDS:
        return WORDS[value.lower()]
    if isinstance(value, str) and word not in NEXT and value.isascii() and value.isdecimal() and len(value) < 16:
        value = int(value)
    return bool(value) if word in MORE | LAST and word not in PAGE_TOTALS and value in (0, 1) else value


def _of_document(document: Json, items: str | None) -> Iterator[Signal]:
    """Yield what the objects around the list say."""
    if not isinstance(document, Mapping):
        return
    yield from _of_object(document, ())
    inner, path = document, list[str]()
    for name in re.findall(r"[A-Za-z_][A-Za-z0-9_]*", items or ""):
        value = inner.get(name)
        if not isinstance(value, Mapping):
            return
        inner, path = value, [*path, name]
        if normalise_name(name) not in HOLDERS or len(path) > 1:
            yield from _of_object(inner, tuple(path))


def _of_object(value: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Signal]:
    for name, inner in value.items():
        word, here = normalise_name(str(name)), (*path, str(name))
        if isinstance(inner, Mapping):
            yield from _of_inner(word, inner, here)
        elif not isinstance(inner, list) and word in NEXT | MORE | LAST | TOTALS | PAGE_TOTALS:
            yield Signal(where=quote_path(*here), value=_read_value(word, inner), name=word)


def _of_inner(word: str, inner: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Signal]:
    """Yield what an object says that has one of these names itself, or holds what concerns pages."""
    if word in NEXT:
        key = next((name for name in VALUES if inner.get(name)), None)
        where = quote_path(*path, key) if key else quote_path(*path)
        yield Signal(where=where, value=inner[key] if key else None, name=word)
    elif word in TOTALS:
        yield Signal(where=quote_path(*path, "value"), value=inner.get("value"), name=word)
    elif word in HOLDERS and len(path) < MAX_HOLDERS:
        yield from _of_object(inner, path)


def _leads_on(value: Any) -> bool:
    """Return whether a value is a link, a cursor, or the number of a page."""
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
