"""HTTP responses of sources: which error a status means, and which headers are kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import urlsplit

from bokit.errors import BokitError, SourceMalformedError, SourceRefusedError, SourceUnavailableError
from bokit.net.headers import read_date, read_retry_after
from bokit.net.response import SafeResponse
from bokit.sources.limits import MAX_HEADER_LENGTH
from bokit.values import Value


class StatusMessages(Value):
    """What the owner reads about a kind of source; the status is added."""

    refused: str
    not_found: str
    unexpected: str


def status_error(response: SafeResponse, messages: StatusMessages, *, now: datetime | None = None) -> BokitError:
    """Return the error that a response's status means; *now* stands for the server's clock where it sends no Date.

    401, 403, 404, 410           the owner must act: SourceRefusedError
    403 of a limit               later: it says when to try again, or that no request is left
    202, 408, 425, 429, 5xx      later: SourceUnavailableError, with the server's Retry-After
    304                          later, without our validators: we did not send any
    else                         SourceMalformedError
    """
    status, code = response.status_code, f"http-{response.status_code}"
    if status == 403 and _is_limit(response):
        message = "HTTP 403: the API's limit of requests is reached; Bokit will retry"
        return SourceUnavailableError(message, code=code, retry_after=read_wait(response, now))
    if status in (401, 403):
        return SourceRefusedError(f"HTTP {status}: {messages.refused}", code=code)
    if status in (404, 410):
        return SourceRefusedError(f"HTTP {status}: {messages.not_found}", code=code)
    if status in (202, 304, 408, 425, 429) or status >= 500:
        message = f"the server answered HTTP {status}; Bokit will retry"
        return SourceUnavailableError(message, code=code, retry_after=read_wait(response, now))
    return SourceMalformedError(f"HTTP {status}: {messages.unexpected}", code=code)


LEFT = ("x-ratelimit-remaining", "ratelimit-remaining", "x-rate-limit-remaining", "x-ratelimit-remaining-requests")
RESET = ("x-ratelimit-reset", "ratelimit-reset", "x-rate-limit-reset", "x-ratelimit-reset-requests")
_DAY = 86_400
"""A larger number of seconds until a limit is over is a time."""


def _is_limit(response: SafeResponse) -> bool:
    """Return whether a refusal is that of a limit of requests, as GitHub's and others' are."""
    return "retry-after" in response.headers or any(response.headers.get(name, "").strip() == "0" for name in LEFT)


def read_wait(response: SafeResponse, now: datetime | None) -> float | None:
    """Return the seconds that the server asks us to wait: by Retry-After, or until its limit is over; None: it says nothing."""
    date = response.headers.get("date") or (format_datetime(now.astimezone(UTC), usegmt=True) if now else None)
    wait = read_retry_after(response.headers.get("retry-after"), date)
    if wait is not None or not _is_limit_over(response):
        return wait
    text = next((value for name in RESET if (value := response.headers.get(name, "").strip())), "")
    if not (text.isascii() and text.isdecimal()):
        return None
    seconds, clock = int(text[:12]), read_date(date or "")
    if seconds <= _DAY:
        return float(seconds)
    return max(0.0, seconds - clock.timestamp()) if clock else None


def _is_limit_over(response: SafeResponse) -> bool:
    return response.status_code in (403, 429, 503) and any(response.headers.get(name, "").strip() == "0" for name in LEFT)


def redirected_host(response: SafeResponse) -> str | None:
    """Return the host that answered in the end, where it is another origin, to which no key is sent; None: the first one did."""
    if not response.history:
        return None
    first, last = (urlsplit(str(r.url)) for r in (response.history[0], response))
    is_same = (first.scheme, first.netloc) == (last.scheme, last.netloc)
    return None if is_same else f"{last.scheme}://{last.netloc.rpartition('@')[2]}"


def count_down(seconds: float) -> Callable[[], float]:
    """Return a function that returns what is left of *seconds* from now."""
    until = time.monotonic() + seconds
    return lambda: until - time.monotonic()


def read_header(response: SafeResponse, name: str) -> str | None:
    """Return a header that is kept with the source; None if it is missing or too long for that."""
    value = response.headers.get(name, "")
    return value if 0 < len(value) <= MAX_HEADER_LENGTH else None
