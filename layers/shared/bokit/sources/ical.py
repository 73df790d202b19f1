"""Calendar feeds over HTTP."""

from __future__ import annotations

from bokit.core.model.catalog import Source
from bokit.net.session import SafeSession
from bokit.sources.protocols import Fetched
from bokit.sources.responses import StatusMessages, read_header, status_error
from bokit.sources.secrets import Reveal

ACCEPT = "text/calendar, text/plain;q=0.8, */*;q=0.5"
MESSAGES = StatusMessages(
    refused="access refused; copy the URL from the platform again",
    not_found="no calendar at this URL; copy it from the platform again",
    unexpected="not the answer of a calendar; check the URL",
)


class IcalFetcher:
    """Fetches feeds; a URL that is a ``secret:`` reference is resolved at that moment."""

    def __init__(self, session: SafeSession, reveal: Reveal) -> None:
        self._session, self._reveal = session, reveal

    def fetch(self, source: Source, *, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        """Return the feed, or that it has not changed since *etag* or *last_modified*.

        A 304 without a validator of ours is an error like any other: it is retried later.
        """
        validators = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        sent = {name: value for name, value in validators.items() if value}
        response = self._session.get(self._reveal(source.url, source.tenant), headers={"Accept": ACCEPT, **sent})
        if response.status_code == 304 and sent:
            return Fetched(not_modified=True, host=response.host, url=response.url)
        if response.status_code not in (200, 203):
            raise status_error(response, MESSAGES)
        return Fetched(
            body=response.content,
            etag=read_header(response, "etag"),
            last_modified=read_header(response, "last-modified"),
            date=read_header(response, "date"),
            age=read_header(response, "age"),
            host=response.host,
            url=response.url,
        )
