r"""Outgoing calendars: events as RFC 5545 text, the same bytes for the same events, whatever a field holds.

icalendar is not used: its writer turns the two characters ``\N`` of a text into a line break, lets a lone CR inject a line
in custom properties, and takes 64 ms to import. Every text is cleaned first: U+2028 and similar characters break lines for
readers that split as Python does.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from functools import cached_property, lru_cache

from bokit.core.ical.limits import MAX_WRITTEN_TEXT
from bokit.values import Value

PRODID = "-//Bokit//Calendar//EN"
CRLF = b"\r\n"
LINE_OCTETS = 75
"""How long a line may be (section 3.1)."""
_BREAKS = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_MISREAD = re.compile(r"\\(?=[nN])")
_OWN_UID = re.compile("[0-9a-f]{32}@bokit")
_SURROGATES = re.compile("[\ud800-\udfff]")


class CalendarEvent(Value, dict=True):
    """One event of an outgoing calendar: of whole days, or, where both are a ``datetime``, of a time."""

    uid: str
    first: date
    end: date  # exclusive (RFC 5545, section 3.6.1)
    summary: str
    description: str = ""
    changed_at: datetime
    """DTSTAMP and LAST-MODIFIED: when its content last changed. An unchanged event keeps its bytes."""

    @cached_property
    def text(self) -> bytes:
        """Its lines: the calendars of one unit, for each platform, have most events in common."""
        stamp = _write_time(self.changed_at)
        lines = [
            "BEGIN:VEVENT",
            f"UID:{_escape(self.uid)}",
            f"DTSTAMP{stamp}",
            f"LAST-MODIFIED{stamp}",
            f"DTSTART{_write_time(self.first)}",
            f"DTEND{_write_time(self.end)}",
            f"SUMMARY:{_escape(clean_line(self.summary))}",
        ]
        if self.description:
            lines.append(f"DESCRIPTION:{_escape(clean_text(self.description))}")
        return _write_lines([*lines, "TRANSP:OPAQUE", "END:VEVENT"])


def clean_text(text: str) -> str:
    r"""Return *text* as a calendar can carry it: line breaks as LF, no control characters, no half of a character.

    >>> clean_text("a\rb\u2028c\x00")
    'a\nb\nc'
    """
    if not (text.isascii() and text.isprintable()):
        text = _SURROGATES.sub("\ufffd", _CONTROLS.sub("", _BREAKS.sub("\n", text)))
    # node-ical undoes escapes in the wrong order: it reads an escaped backslash before an n as a line break
    return _curl_quotes(_MISREAD.sub("\uff3c", text[:MAX_WRITTEN_TEXT]))


def clean_line(text: str) -> str:
    """Return *text* as one line."""
    return _curl_quotes(" ".join(clean_text(text).split("\n")).strip())


def _curl_quotes(text: str) -> str:
    """Return *text* with the straight quotes around all of it curled: node-ical reads them as syntax."""
    return f"\u201c{text[1:-1]}\u201d" if len(text) > 1 and text[0] == text[-1] == '"' else text


def make_uid(*parts: str) -> str:
    """Return a UID that is always the same for *parts*, and reveals none of them."""
    return hashlib.sha256("/".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32] + "@bokit"


def is_own_uid(uid: str) -> bool:
    """Return whether *uid* looks like one of :func:`make_uid`."""
    return bool(_OWN_UID.fullmatch(uid))


def write_calendar(name: str, events: Iterable[CalendarEvent]) -> bytes:
    """Return the calendar of *events*, ordered by date: equal events give equal bytes (RFC 5545; X-WR-CALNAME is custom)."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODID}", "CALSCALE:GREGORIAN", "METHOD:PUBLISH"]
    lines.append(f"X-WR-CALNAME:{_escape(clean_line(name))}")
    written = [event.text for event in sorted(events, key=lambda e: (e.first, e.end, e.uid))]
    return b"".join([_write_lines(lines), *written, _write_lines(["END:VCALENDAR"])])


def _write_time(value: date) -> str:
    """Return a day, or a time in UTC, which no reader needs a definition of a timezone for."""
    if not isinstance(value, datetime):
        return f";VALUE=DATE:{value.isoformat().replace('-', '')}"
    return _write_moment(value)


@lru_cache(maxsize=128)
def _write_moment(value: datetime) -> str:
    """Return a time in UTC: what one sync wrote last changed at the same time."""
    return f":{value.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _escape(text: str) -> str:
    """Return a TEXT value (section 3.3.11)."""
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def _write_lines(lines: Sequence[str]) -> bytes:
    """Return *lines*, each ended and folded; most are short, and ASCII."""
    text = "\r\n".join([*lines, ""])
    if text.isascii() and max(map(len, lines)) <= LINE_OCTETS:
        return text.encode()
    return b"".join(map(_fold, lines))


def _fold(line: str) -> bytes:
    """Return *line* in pieces of at most 75 octets, none of which cuts a character (section 3.1)."""
    encoded, start, room = line.encode(), 0, LINE_OCTETS
    pieces = []
    while len(encoded) - start > room:
        end = start + room
        while encoded[end] & 0xC0 == 0x80:  # a UTF-8 continuation: step back to the character's first octet
            end -= 1
        pieces.append(encoded[start:end])
        start, room = end, LINE_OCTETS - 1  # a continuation line begins with a space
    return (CRLF + b" ").join([*pieces, encoded[start:]]) + CRLF


def hash_calendar(body: bytes) -> str:
    """Return the ETag of *body*, quoted (RFC 9110, section 8.8.3)."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
