"""What the engine asks of a source of content."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bokit.core.model.catalog import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The result of a fetch: a whole body, or that nothing changed."""

    body: bytes = b""
    not_modified: bool = False
    """304: the body is the one whose ETag or date was sent."""
    etag: str | None = None
    last_modified: str | None = None
    made_at: datetime | None = None  # its Date: a cache repeats that of the original
    content_type: str | None = None
    host: str | None = None
    """Of the URL that the owner gave; evidence of the platform."""
    fingerprint: str | None = None
    """A hash of the URL that answered in the end, after ``secret:`` and redirects; None: the kind of source has none."""


class Fetcher(Protocol):
    """Fetches the content of one kind of source."""

    def fetch(self, source: Source, *, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        """Return the content of *source*, or that it has not changed since *etag* or *last_modified*.

        Raises SourceUnavailableError (network, deadline, 429, 5xx: with *retry_after* in seconds if the server gave it),
        SourceRefusedError (401, 403, 404, 410), SourceMalformedError (too large, not decodable) and AddressRefusedError (an
        address that is not fetched). No message holds the URL.
        """
        ...
