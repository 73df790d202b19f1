"""HTTP responses of sources: which error a status means, and which headers are kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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


def count_down(seconds: float) -> Callable[[], float]:
    """Return a function that returns what is left of *seconds* from now."""
    until = time.monotonic() + seconds
    return lambda: until - time.monotonic()


def read_header(response: SafeResponse, name: str) -> str | None:
    """Return a header that is kept with the source; None if it is missing or too long for that."""
    value = response.headers.get(name, "")
    return value if 0 < len(value) <= MAX_HEADER_LENGTH else None


def read_made_at(date: str | None, age: str | None, at: datetime) -> datetime | None:
    """Return when a response that came at *at* was made, by its Date or its Age, whichever is earlier; None: it has neither.

    A cache repeats the Date of the original, or writes its own and says the age of the content, in seconds.

    Source: RFC 9111, sections 4.2.3 and 5.1.
    """
    made = [_read_date(date or ""), _before(at, (age or "").strip())]
    return min((moment for moment in made if moment), default=None)


def _read_date(text: str) -> datetime | None:
    try:
        made = parsedate_to_datetime(text)
        return (made if made.tzinfo else made.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _before(at: datetime, seconds: str) -> datetime | None:
    is_number = seconds.isascii() and seconds.isdecimal()
    return at - timedelta(seconds=int(seconds[:9])) if is_number else None
