"""Calendar feeds over HTTP."""

from __future__ import annotations

import re

from bokit.core.model.catalog import Source
from bokit.net.session import SafeSession
from bokit.sources.protocols import Fetched
from bokit.sources.responses import StatusMessages, read_header, status_error
from bokit.sources.secrets import Reveal

ACCEPT = "text/calendar, text/plain;q=0.8, */*;q=0.5"
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_-]{1,30})", re.I)
_LEGACY = re.compile(
    r"iso[-_]?8859-?(?:[2-9]|1\d)|latin-?[2-9]|windows-?(?:125\d|874)|cp(?:125\d|874|437|85\d)|macintosh|koi8-[ru]|tis-620"
    r"|shift[-_]jis|euc-(?:jp|kr)|gb(?:2312|k|18030)|big5|utf-?16(?:-?[bl]e)?"
)
"""Character sets that are decoded here: tables alone, whatever else Python has a codec for. The reader knows Latin-1 itself."""
MESSAGES = StatusMessages(
    refused="access refused; copy the URL from the platform again",
    not_found="no calendar at this URL; copy it from the platform again",
    unexpected="not the answer of a calendar; check the URL",
)


class IcalFetcher:
    """Fetches feeds; a URL that is a ``secret:`` reference is resolved at that moment."""

    def __init__(self, session: SafeSession, reveal: Reveal) -> None:
        self._session, self._reveal = session, reveal

    def fetch(
        self, source: Source, *, etag: str | None = None, last_modified: str | None = None, seconds: float | None = None
    ) -> Fetched:
        """Return the feed, or that it has not changed since *etag* or *last_modified*.

        It takes the session's deadline, or *seconds* where they are fewer. A 304 without a validator of ours is an error like
        any other: it is retried later.
        """
        validators = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        sent = {name: value for name, value in validators.items() if value}
        url, headers = self._reveal(source.url, source.tenant), {"Accept": ACCEPT, **sent}
        response = self._session.get(url, headers=headers, timeout=seconds)
        if response.status_code == 304 and sent:
            return Fetched(not_modified=True, host=response.host, url=response.url)
        if response.status_code not in (200, 203):
            raise status_error(response, MESSAGES)
        return Fetched(
            body=as_utf8(response.content, response.headers.get("content-type", "")),
            etag=read_header(response, "etag"),
            last_modified=read_header(response, "last-modified"),
            date=read_header(response, "date"),
            age=read_header(response, "age"),
            host=response.host,
            url=response.url,
        )


def as_utf8(body: bytes, content_type: str) -> bytes:
    """Return *body* in UTF-8 where its Content-Type names another character set and it is not UTF-8 already.

    >>> as_utf8("Łódź".encode("iso-8859-2"), "text/calendar; charset=ISO-8859-2").decode()
    'Łódź'
    """
    found = _CHARSET.search(content_type)
    name = found[1].lower() if found else ""
    if not _LEGACY.fullmatch(name) or _is_utf8(body):
        return body
    try:
        return body.decode(name, "replace").encode()
    except LookupError:
        return body


def _is_utf8(body: bytes) -> bool:
    try:
        return b"\0" not in body[:4] and bool(body.decode())
    except UnicodeDecodeError:
        return False
