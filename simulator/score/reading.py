"""Read a calendar as plain scripts do: events by UID with their dates, and nothing of a body that is not a calendar."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

_FOLD = re.compile(r"\r?\n[ \t]")
_EVENT = re.compile(r"BEGIN:VEVENT\r?\n(.*?)END:VEVENT", re.S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event that holds nights."""

    uid: str
    check_in: date
    check_out: date
    comment: str = ""


def read_calendar(body: bytes) -> tuple[Event, ...] | None:
    """Return the events of *body*; None if it is not a whole calendar.

    An event without two dates, or with a bad one, is left out, and so is a cancelled one. Times count as their dates.
    """
    text = _FOLD.sub("", body.decode("utf-8", "replace"))
    if "BEGIN:VCALENDAR" not in text or "END:VCALENDAR" not in text:
        return None
    return tuple(_read_events(text))


def _read_events(text: str) -> Iterator[Event]:
    for block in _EVENT.findall(text):
        pairs = (line.split(":", 1) for line in block.splitlines() if ":" in line)
        fields = {name.split(";")[0]: value.strip() for name, value in pairs}
        start, end = _read_date(fields.get("DTSTART")), _read_date(fields.get("DTEND"))
        if start and end and start < end and fields.get("STATUS") != "CANCELLED":
            yield Event(uid=fields.get("UID", ""), check_in=start, check_out=end, comment=fields.get("COMMENT", ""))


def _read_date(value: str | None) -> date | None:
    try:
        return date(int(value[:4]), int(value[4:6]), int(value[6:8])) if value else None
    except ValueError:
        return None
