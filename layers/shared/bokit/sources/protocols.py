"""What the engine asks of a source of content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bokit.core.model.catalog import Source
from bokit.core.model.records import Fields, Json
from bokit.core.model.source_rules import Problem
from bokit.net.headers import read_made_at
from bokit.values import Value


class LongList(Protocol):
    """A list that is fetched page by page, since it is too long for one body."""

    @property
    def whole(self) -> bool:
        """Whether all items were asked for, and not only what has changed."""
        ...

    @property
    def is_unmodified(self) -> bool:
        """Whether the source said that nothing has changed, and showed no item."""
        ...

    @property
    def problems(self) -> Sequence[Problem]:
        """What could not be read so far, and after the last part what makes the list incomplete."""
        ...

    @property
    def etag(self) -> str | None:
        """What the next pass begins with."""
        ...

    @property
    def host(self) -> str | None:
        """The host that was asked."""
        ...

    def parts(self) -> Iterator[Sequence[bytes]]:
        """Yield the canonical lines of each page; raises what ``Fetcher.fetch`` raises."""
        ...

    def token(self, items: int) -> Mapping[str, Json] | None:
        """Return what ``ListReader.open_list`` takes to go on after *items* distinct ones; None: the last page has come."""
        ...


class ListReader(Protocol):
    """Opens long lists."""

    def open_list(
        self, source: Source, *, etag: str | None = None, token: Fields | None = None, seconds: float | None = None
    ) -> LongList:
        """Return the pages of *source*, from the first one on, or where an earlier worker ended, which stored *token*."""
        ...


class Fetched(Value, not_shown=("pages", "url")):
    """The result of a fetch: a whole body, or that nothing changed."""

    body: bytes = b""
    not_modified: bool = False
    """304: the body is the one whose ETag or date was sent."""
    etag: str | None = None
    last_modified: str | None = None
    date: str | None = None
    age: str | None = None
    """The headers by which a cache says how old the response is; read only where it matters (:meth:`made_at`)."""
    host: str | None = None
    """Of the URL that the owner gave; evidence of the platform."""
    pages: LongList | None = None
    """Of a list that is too long for one body: its pages; *body* has the first items."""
    url: str | None = None
    """Which answered in the end, after ``secret:`` and redirects; None: the kind of source has none."""

    @property
    def fingerprint(self) -> str | None:
        """Return a hash of the URL that answered."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:16] if self.url else None

    def made_at(self, at: datetime) -> datetime | None:
        """Return when this response, which came at *at*, was made; None if it does not say so."""
        return read_made_at(self.date, self.age, at)


class Fetcher(Protocol):
    """Fetches the content of one kind of source."""

    def fetch(
        self, source: Source, *, etag: str | None = None, last_modified: str | None = None, seconds: float | None = None
    ) -> Fetched:
        """Return the content of *source*, or that it has not changed since *etag* or *last_modified*.

        *seconds*: what the host still gives; None: the fetch's own deadline alone holds.
        Raises SourceUnavailableError (network, deadline, 429, 5xx: with *retry_after* in seconds if the server gave it),
        SourceRefusedError (401, 403, 404, 410), SourceMalformedError (too large, not decodable) and AddressRefusedError (an
        address that is not fetched). No message holds the URL.
        """
        ...
