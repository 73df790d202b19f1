"""What the engine asks of a source of content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bokit.core.model.catalog import Source
from bokit.sources.responses import read_made_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
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
    url: str | None = field(default=None, repr=False)
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
