"""Calendar feeds over HTTP."""

from __future__ import annotations

from collections.abc import Callable

from bokit.core.model.catalog import Source
from bokit.errors import BokitError, SourceMalformedError, SourceRefusedError, SourceUnavailableError
from bokit.net.session import Answer, SafeClient
from bokit.sources.protocols import Fetched

ACCEPT = "text/calendar, text/plain;q=0.8, */*;q=0.5"
MAX_HEADER_LENGTH = 512


class IcalFetcher:
    """Fetches feeds; a URL that is a ``secret:`` reference is resolved just before."""

    def __init__(self, client: SafeClient, reveal: Callable[[str], str]) -> None:
        self._client, self._reveal = client, reveal

    def fetch(self, source: Source, *, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        """Return the feed, or that it has not changed since *etag* or *last_modified*."""
        validators = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        sent = {name: value for name, value in validators.items() if value}
        answer = self._client.request("GET", self._reveal(source.url), headers={"Accept": ACCEPT, **sent})
        return _read_answer(answer, may_be_unmodified=bool(sent))


def _read_answer(answer: Answer, *, may_be_unmodified: bool) -> Fetched:
    """Return what an answer says.

    200, 203                       the feed
    304 to a validator of ours     nothing new
    304 out of the blue            no answer at all: try again, without a validator
    all else                       an error
    """
    if answer.status == 304 and may_be_unmodified:
        return Fetched(not_modified=True, host=answer.host)
    if answer.status not in (200, 203):
        raise refuse(answer)
    return Fetched(
        body=answer.body,
        etag=_read_header(answer, "etag"),
        last_modified=_read_header(answer, "last-modified"),
        content_type=_read_header(answer, "content-type"),
        host=answer.host,
    )


def _read_header(answer: Answer, name: str) -> str | None:
    """Return a header that is kept with the source, unless it is too long for that: then it is as if it were not told."""
    value = answer.headers.get(name, "")
    return value if 0 < len(value) <= MAX_HEADER_LENGTH else None


def refuse(answer: Answer) -> BokitError:
    """Return the error that an answer's status stands for.

    401, 403, 404, 410        the owner must do something: SourceRefusedError
    408, 425, 429, 5xx, 304   later: SourceUnavailableError, with Retry-After where it was told
    all else                  SourceMalformedError
    """
    status, code = answer.status, f"http-{answer.status}"
    if status in (401, 403):
        return SourceRefusedError("it refuses us; is the URL still the one that the platform shows?", code=code)
    if status in (404, 410):
        return SourceRefusedError("there is no feed any more; copy the URL from the platform again", code=code)
    if status in (304, 408, 425, 429) or status >= 500:
        return SourceUnavailableError("it did not answer well", code=code, retry_after=answer.retry_after)
    return SourceMalformedError("it answered with a status that is none of a feed's", code=code)
