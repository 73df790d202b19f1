"""Write iCalendar lines as the platforms do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

Line = str
Event = Sequence[Line]


def write_calendar(head: Iterable[Line], events: Iterable[Event], *, newline: str = "\r\n") -> bytes:
    """Return a calendar with long lines folded."""
    body = (line for event in events for line in ("BEGIN:VEVENT", *event, "END:VEVENT"))
    lines = ("BEGIN:VCALENDAR", *head, *body, "END:VCALENDAR")
    return "".join(fold(line, newline) + newline for line in lines).encode()


def fold(line: Line, newline: str = "\r\n") -> str:
    """Return *line* folded at 75 octets, between characters."""
    if len(line) <= 75 and line.isascii():
        return line
    pieces, piece = [], ""
    for character in line:
        if len((piece + character).encode()) > 75:
            pieces.append(piece)
            piece = " "
        piece += character
    return newline.join((*pieces, piece))


def day(name: str, value: date) -> Line:
    """Return a property that holds a date: ``DTSTART;VALUE=DATE:20261124``."""
    return f"{name};VALUE=DATE:{value:%Y%m%d}"


def moment(name: str, value: datetime) -> Line:
    """Return a property that holds a time in UTC."""
    return f"{name}:{value:%Y%m%dT%H%M%SZ}"


def text(name: str, value: str) -> Line:
    """Return a property that holds text, escaped."""
    for plain, escaped in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        value = value.replace(plain, escaped)
    return f"{name}:{value}"


def hex_digest(*parts: object) -> str:
    """Return a hash of *parts*, 32 hexadecimal digits."""
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:32]


def guid(*parts: object) -> str:
    """Return a hash of *parts* in the form of a GUID."""
    return str(UUID(hex_digest(*parts)))
