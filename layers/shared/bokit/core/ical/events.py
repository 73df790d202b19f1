"""One event of a feed as an entry: its nights, and what its platform's file makes of its texts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from bokit.core.ical.entries import Entry
from bokit.core.ical.lexer import read_lines, unescape
from bokit.core.ical.limits import MAX_SERIES_EVENT_TEXT, MAX_TEXT
from bokit.core.ical.platforms.base import Platform, RawEvent
from bokit.core.ical.recurrence_rules import Budget
from bokit.core.ical.times import Zones, read_duration, read_when
from bokit.core.model.source_rules import Problem

NIGHT = timedelta(days=1)
_RECURRING = ("RRULE", "RDATE", "RECURRENCE-ID")

When = date | datetime
Span = tuple[When, When]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadContext:
    """What decides, beside an event's own text, how it is read: its unit, platform and fetch."""

    timezone: ZoneInfo
    platform: Platform
    window: tuple[date, date]  # series are expanded over these dates
    budget: Budget
    ends_on_last_night: bool = False
    """The owner's setting (Beds24 has one): all-day events end on the last night, not on the day of departure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLines:
    """The property lines of one event: (parameters, value) by name. The first of a repeated name counts."""

    text: str
    lines: dict[str, tuple[str, str]]

    @property
    def uid(self) -> str:
        """UID, or one made of the event's own text if it has none."""
        return self.value("UID").strip() or "none-" + hashlib.sha256(self.text.encode("utf-8", "replace")).hexdigest()[:24]

    @property
    def has_uid(self) -> bool:
        """Whether the event brought its own UID."""
        return bool(self.value("UID").strip())

    @property
    def recurs(self) -> bool:
        """Whether the event is one of a series, or makes one."""
        return any(name in self.lines for name in _RECURRING)

    @property
    def sequence(self) -> int:
        """SEQUENCE; 0 if it is missing or malformed."""
        digits = self.value("SEQUENCE").strip()
        return int(digits) if digits.isdecimal() and len(digits) < 10 else 0

    def value(self, name: str) -> str:
        """Return the property's raw value; empty if there is none."""
        return self.lines.get(name, ("", ""))[1]

    def words(self, name: str) -> str:
        """Return a text property, unescaped, bounded in length."""
        return unescape(self.value(name)[: MAX_SERIES_EVENT_TEXT if self.recurs else MAX_TEXT]).strip()


def read_event_lines(text: str) -> EventLines:
    """Return the event's own lines, without those of a VALARM inside it."""
    lines: dict[str, tuple[str, str]] = {}
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

    def as_problem(self, uid: str) -> Problem:
        """Return the error as a problem of the event with *uid*."""
        return Problem(code=self.code, message=str(self), uid=uid)


def read_span(event: EventLines, zones: Zones) -> Span:
    """Return the event's start and end; raises BadEventError.

    DTEND     DURATION    the end
    given     any         DTEND: it is more explicit
    absent    given       the start and the duration
    absent    absent      the start: one night
    """
    start = _read_when(event, "DTSTART", zones)
    if event.value("DTEND").strip():
        return start, _read_when(event, "DTEND", zones)
    if "DURATION" not in event.lines:
        return start, start
    try:
        return start, start + read_duration(event.value("DURATION"))
    except (ValueError, OverflowError) as error:
        raise BadEventError("bad-duration", "the event's DURATION cannot be read") from error


def _read_when(event: EventLines, name: str, zones: Zones) -> When:
    if name not in event.lines:
        raise BadEventError("no-start", "the event has no DTSTART")
    try:
        return read_when(*event.lines[name], zones)
    except (ValueError, OverflowError) as error:
        raise BadEventError("bad-date", f"the event's {name} is not a date") from error


def read_entry(
    event: EventLines, span: Span, context: ReadContext, *, is_cancelled: bool, recurrence_id: str | None = None
) -> Entry | None:
    """Return the event's entry; None if its platform's events of this type mean no stay. Raises BadEventError."""
    raw = RawEvent(
        uid=event.uid,
        summary=event.words("SUMMARY"),
        description=event.words("DESCRIPTION"),
        status="CANCELLED" if is_cancelled else event.value("STATUS").strip().upper(),
        url=event.value("URL").strip()[:2000],
    )
    facts = context.platform.read_event(raw)
    if facts is None:
        return None
    try:
        nights = _read_nights(*span, context)
    except OverflowError as error:
        raise BadEventError("bad-date", "the event's dates lie outside of all calendars") from error
    return Entry(uid=raw.uid, recurrence_id=recurrence_id, summary=raw.summary, sequence=event.sequence, **nights, **facts)


def _read_nights(start: When, end: When, context: ReadContext) -> dict[str, Any]:
    """Return check-in and check-out in the unit's timezone, and the times in UTC of an event that has them.

    An event that ends on the day of its start holds that night, timed or not: a calendar that closes a part of a day
    admits nobody else on it. One that ends before it starts is bad.
    """
    own, timed = context.timezone, isinstance(start, datetime)
    first, last = _local_day(start, own), _local_day(end, own)
    if last < first or (timed and isinstance(end, datetime) and end < start):
        raise BadEventError("ends-before-start", "the event ends before it starts")
    return {
        "check_in": first,
        "check_out": last + NIGHT if context.ends_on_last_night and not timed else max(last, first + NIGHT),
        "starts_at": _utc(start, own) if timed else None,
        "ends_at": _utc(end, own) if timed else None,
    }


def _local_day(when: When, own: tzinfo) -> date:
    return when.astimezone(own).date() if isinstance(when, datetime) else when


def _utc(when: When, own: tzinfo) -> datetime:
    aware = when if isinstance(when, datetime) else datetime.combine(when, time(), tzinfo=own)
    return aware.astimezone(UTC)
