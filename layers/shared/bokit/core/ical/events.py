"""One event of a feed as an entry: its nights, and what its platform's file makes of its texts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from bokit.core.ical.entries import Entry
from bokit.core.ical.lexer import read_lines, unescape
from bokit.core.ical.platforms.base import Platform, RawEvent
from bokit.core.ical.times import Zones, read_duration, read_when
from bokit.core.model.source_rules import Problem

MAX_TEXT = 10_000
"""Longer texts are cut: no platform writes them, and every booking would carry them."""
MAX_SERIES_TEXT = 1_000
"""The same for an event of a series, whose every stay carries them."""
NIGHT = timedelta(days=1)
_RECURRING = ("RRULE", "RDATE", "RECURRENCE-ID")

Line = tuple[str, str]
When = date | datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLines:
    """The property lines of one event: (parameters, value) by name. The first of a repeated name counts."""

    text: str
    lines: dict[str, Line]

    @property
    def uid(self) -> str:
        """UID, or one made of the event's own text where it has none."""
        return self.value("UID").strip() or "none-" + hashlib.sha256(self.text.encode("utf-8", "replace")).hexdigest()[:24]

    @property
    def has_uid(self) -> bool:
        """Return whether the event brought its own UID."""
        return bool(self.value("UID").strip())

    @property
    def recurs(self) -> bool:
        """Return whether the event is one of a series, or makes one."""
        return any(name in self.lines for name in _RECURRING)

    @property
    def sequence(self) -> int:
        """SEQUENCE; 0 where it has none, or nonsense."""
        digits = self.value("SEQUENCE").strip()
        return int(digits) if digits.isdecimal() and len(digits) < 10 else 0

    def value(self, name: str) -> str:
        """Return the property's raw value, or nothing."""
        return self.lines.get(name, ("", ""))[1]

    def words(self, name: str) -> str:
        """Return a text property, unescaped, bounded in length."""
        return unescape(self.value(name)[: MAX_SERIES_TEXT if self.recurs else MAX_TEXT]).strip()


def read_event_lines(text: str) -> EventLines:
    """Return the event's own lines: those of a VALARM inside it are not the event's."""
    lines: dict[str, Line] = {}
    depth = 0
    for name, parameters, value in read_lines(text):
        if name == "BEGIN":
            depth += 1
        elif name == "END":
            depth = max(0, depth - 1)
        elif not depth:
            lines.setdefault(name, (parameters, value))
    return EventLines(text=text, lines=lines)


class BadEventError(ValueError):
    """An event that cannot be read: *code* for programs, the text for people. It never leaves the reader."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def as_problem(error: BadEventError, uid: str) -> Problem:
    """Return *error* as a problem of the event with *uid*."""
    return Problem(code=error.code, message=str(error), uid=uid)


def read_raw(event: EventLines, *, is_cancelled: bool) -> RawEvent:
    """Return the event's texts for its platform's file."""
    return RawEvent(
        uid=event.uid,
        summary=event.words("SUMMARY"),
        description=event.words("DESCRIPTION"),
        status="CANCELLED" if is_cancelled else event.value("STATUS").strip().upper(),
        url=event.value("URL").strip()[:2000],
        location=event.words("LOCATION"),
    )


def read_span(event: EventLines, zones: Zones) -> tuple[When, When]:
    """Return the event's start and end; raises BadEventError.

    DTEND     DURATION    the end
    given     any         DTEND, for it is the plainer word
    absent    given       the start and so much
    absent    absent      the start: one night
    """
    start = _read(event, "DTSTART", zones)
    if "DTEND" in event.lines and event.value("DTEND").strip():
        return start, _read(event, "DTEND", zones)
    if "DURATION" not in event.lines:
        return start, start
    try:
        return start, start + read_duration(event.value("DURATION"))
    except (ValueError, OverflowError) as error:
        raise BadEventError("bad-duration", "the event's DURATION cannot be read") from error


def _read(event: EventLines, name: str, zones: Zones) -> When:
    if name not in event.lines:
        raise BadEventError("no-start", "the event has no DTSTART")
    try:
        return read_when(*event.lines[name], zones)
    except (ValueError, OverflowError) as error:
        raise BadEventError("bad-date", f"the event's {name} is no date") from error


def read_nights(start: When, end: When, own: tzinfo, *, ends_on_last_night: bool = False) -> dict[str, Any]:
    """Return check-in and check-out in the unit's timezone, and the times in UTC of an event that has them.

    An event that ends on the day that it starts holds that night, timed or not: a calendar that closes a part of a
    day says that nobody else may come. One that ends before it starts is bad. *ends_on_last_night*: the feed's owner
    has set it to end all-day events on the last night, not on the day of departure.
    """
    timed = isinstance(start, datetime)
    first, last = _local_day(start, own), _local_day(end, own)
    if last < first or (timed and isinstance(end, datetime) and end < start):
        raise BadEventError("ends-before-start", "the event ends before it starts")
    return {
        "check_in": first,
        "check_out": last + NIGHT if ends_on_last_night and not timed else max(last, first + NIGHT),
        "starts_at": _utc(start, own) if timed else None,
        "ends_at": _utc(end, own) if timed else None,
    }


def _local_day(when: When, own: tzinfo) -> date:
    return when.astimezone(own).date() if isinstance(when, datetime) else when


def _utc(when: When, own: tzinfo) -> datetime:
    aware = when if isinstance(when, datetime) else datetime.combine(when, time(), tzinfo=own)
    return aware.astimezone(UTC)


def read_entry(
    event: EventLines,
    span: tuple[When, When],
    own: tzinfo,
    platform: Platform,
    *,
    is_cancelled: bool,
    recurrence_id: str | None = None,
    ends_on_last_night: bool = False,
) -> Entry | None:
    """Return the event's entry; None where its platform says that it means no stay. Raises BadEventError."""
    raw = read_raw(event, is_cancelled=is_cancelled)
    facts = platform.read_event(raw)
    if facts is None:
        return None
    try:
        nights = read_nights(*span, own, ends_on_last_night=ends_on_last_night)
    except OverflowError as error:
        raise BadEventError("bad-date", "the event's dates lie outside of all calendars") from error
    return Entry(
        uid=raw.uid,
        recurrence_id=recurrence_id,
        summary=raw.summary,
        sequence=event.sequence,
        **nights,
        **facts,
    )
