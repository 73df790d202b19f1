"""Headers of responses that say when: when one was made, and how long a server asks us to wait."""

from __future__ import annotations

import email.utils
from datetime import UTC, datetime, timedelta


def read_retry_after(value: str | None, date: str | None = None) -> float | None:
    """Return the seconds of a Retry-After header: a number, or a time compared with the server's own *date*.

    >>> read_retry_after("120")
    120.0

    Source: RFC 9110, section 10.2.3.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        until = email.utils.parsedate_to_datetime(text)
        now = email.utils.parsedate_to_datetime(date or "")
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None


def read_made_at(date: str | None, age: str | None, at: datetime) -> datetime | None:
    """Return when a response that came at *at* was made, by its Date or its Age, whichever is earlier; None: it has neither.

    A cache repeats the Date of the original, or writes its own and says the age of the content, in seconds.

    Source: RFC 9111, sections 4.2.3 and 5.1.
    """
    made = [read_date(date or ""), _before(at, (age or "").strip())]
    return min((moment for moment in made if moment), default=None)


def read_date(text: str) -> datetime | None:
    """Return the time of a Date header; None where it is none."""
    try:
        made = email.utils.parsedate_to_datetime(text)
        return (made if made.tzinfo else made.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _before(at: datetime, seconds: str) -> datetime | None:
    is_number = seconds.isascii() and seconds.isdecimal()
    return at - timedelta(seconds=int(seconds[:9])) if is_number else None
