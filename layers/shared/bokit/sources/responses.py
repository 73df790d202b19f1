"""HTTP responses of sources: which error a status means, and which headers are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from bokit.errors import BokitError, SourceMalformedError, SourceRefusedError, SourceUnavailableError
from bokit.net.response import SafeResponse
from bokit.sources.limits import MAX_HEADER_LENGTH


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusMessages:
    """What the owner reads about a kind of source; the status is added."""

    refused: str
    not_found: str
    unexpected: str


def status_error(response: SafeResponse, messages: StatusMessages) -> BokitError:
    """Return the error that a response's status means.

    401, 403, 404, 410        the owner must act: SourceRefusedError
    408, 425, 429, 5xx        later: SourceUnavailableError, with the server's Retry-After
    304                       later, without our validators: we did not send any
    else                      SourceMalformedError
    """
    status, code = response.status_code, f"http-{response.status_code}"
    if status in (401, 403):
        return SourceRefusedError(f"HTTP {status}: {messages.refused}", code=code)
    if status in (404, 410):
        return SourceRefusedError(f"HTTP {status}: {messages.not_found}", code=code)
    if status in (304, 408, 425, 429) or status >= 500:
        message = f"the server answered HTTP {status}; Bokit will retry"
        return SourceUnavailableError(message, code=code, retry_after=response.retry_after)
    return SourceMalformedError(f"HTTP {status}: {messages.unexpected}", code=code)


def read_header(response: SafeResponse, name: str) -> str | None:
    """Return a header that is kept with the source; None if it is missing or too long for that."""
    value = response.headers.get(name, "")
    return value if 0 < len(value) <= MAX_HEADER_LENGTH else None


def read_date(response: SafeResponse) -> datetime | None:
    """Return when the server made the response, by its Date; None if it does not say so."""
    try:
        made = parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return None
    return made if made.tzinfo else made.replace(tzinfo=UTC)
