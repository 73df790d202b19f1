"""Conditional requests (RFC 9110, section 13)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

_TAGS = re.compile(r'\s*(?:W/)?("[^"]*")\s*(?:,|$)')


def write_http_date(at: datetime) -> str:
    """Return *at* as Last-Modified writes it: whole seconds in GMT.

    >>> write_http_date(datetime(2026, 6, 1, 12, 0, 0, 900_000, tzinfo=UTC))
    'Mon, 01 Jun 2026 12:00:00 GMT'
    """
    return format_datetime(at.astimezone(UTC).replace(microsecond=0), usegmt=True)


def is_known(etag: str, changed_at: datetime, *, none_match: str | None, modified_since: str | None) -> bool:
    """Return whether a GET or HEAD is answered with 304.

    If-None-Match    If-Modified-Since    known
    given            any                  it is ``*``, or lists *etag*, compared weakly (section 13.1.2)
    absent           a date               nothing changed after it (13.1.3); an invalid date is ignored
    absent           absent               no
    """
    if none_match is not None:
        return none_match.strip() == "*" or etag in _read_tags(none_match)
    since = _read_date(modified_since) if modified_since else None
    return since is not None and changed_at.replace(microsecond=0) <= since


def _read_tags(text: str) -> set[str]:
    """Return the ETags of a list, up to the first invalid one.

    >>> sorted(_read_tags('W/"a", "b,c" ,"d"'))
    ['"a"', '"b,c"', '"d"']
    """
    tags, position = set(), 0
    while found := _TAGS.match(text, position):
        tags.add(found[1])
        position = found.end()
    return tags


def _read_date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return parsed if parsed.tzinfo else None
