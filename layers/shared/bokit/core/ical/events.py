"""One event of a feed as an entry: its nights, and what its platform's file makes of its texts."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, tzinfo
from zoneinfo import ZoneInfo

from bokit.core.ical.entries import LATE_END, Entry
from bokit.core.ical.event_nights import EndsBeforeStartError, EventNights, When, which_nights
from bokit.core.ical.labels import CANCELLED_LABEL
from bokit.core.ical.lexer import split_lines, unescape
from bokit.core.ical.limits import MAX_SERIES_EVENT_TEXT, MAX_TEXT
from bokit.core.ical.platforms.base import Platform, RawEvent
from bokit.core.ical.recurrence_rules import Budget
from bokit.core.ical.times import Zones, read_duration, read_when
from bokit.core.model.source_rules import Problem
from bokit.values import Value, field

_RECURRING = ("RRULE", "RDATE", "RECURRENCE-ID")
_START_LINE = re.compile(r"^(DTSTART)[^:\n]*:( ?)", re.I | re.M)
_REPEATED = frozenset({"DTSTART", "DTEND", "STATUS"})
_STRICT = frozenset({"STATUS", "DTEND", "UID", "SEQUENCE"})
"""Properties whose value follows the colon at once, if DTSTART's does: ``STATUS: cancelled`` is a sentence."""
_TEXT_ENDS = frozenset({"UID", "DTSTART", "DTEND", "DTSTAMP", "SUMMARY", "CREATED", "LAST-MODIFIED", "LOCATION"})
"""Properties after which an unescaped description has ended."""

NOT_A_STAY = "not-a-stay"
Span = tuple[When, When]


class ReadContext(Value):
    """What decides, beside an event's own text, how it is read: its unit, platform and fetch."""

    timezone: ZoneInfo
    platform: Platform
    window: tuple[date, date]  # series are expanded over these dates
    budget: Budget
    ends_on_last_night: bool = False
    """The owner's setting (Beds24 has one): all-day events end on the last night, not on the day of departure."""
    ignore_transparent: bool = False
    """The owner's setting: events marked as "free" (TRANSP:TRANSPARENT) hold no nights."""


class EventLines(Value):
    """The property lines of one event: (parameters, value) by name.

    The first of a repeated name counts; *repeated* keeps the further ones of dates and STATUS, since a line of an
    unescaped description may look like one.
    """

    text: str
    lines: dict[str, tuple[str, str]]
    repeated: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

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
    """Return the event's own lines, without those of a VALARM inside it, and without those of a description.

    Some exporters write a description with real line ends. Its lines are written like no property of this event (names
    in another case than DTSTART, a space after the colon), or follow a line that is none: STATUS counts for nothing then.
    """
    found: list[tuple[str, str, str]] = []
    in_text = False
    has_style = _style_of(text)
    for name, parameters, value in _own_lines(text):
        upper = name.strip().upper()
        if has_style(name, value):
            in_text = in_text and upper not in _TEXT_ENDS
            if not (in_text and upper == "STATUS"):
                found.append((upper, parameters, value))
        else:
            in_text = True
    lines: dict[str, tuple[str, str]] = {}
    repeated: dict[str, list[tuple[str, str]]] = {}
    for name, parameters, value in found:
        if name not in lines:
            lines[name] = (parameters, value)
        elif name in _REPEATED:
            repeated.setdefault(name, []).append((parameters, value))
    return EventLines(text=text, lines=lines, repeated=repeated)


def _own_lines(text: str) -> Iterator[tuple[str, str, str]]:
    """Return the event's lines without those of components inside it."""
    return split_lines(text) if "begin" not in text.lower() else _skip_inner(list(split_lines(text)))


def _skip_inner(lines: list[tuple[str, str, str]]) -> Iterator[tuple[str, str, str]]:
    """Yield *lines* without components; ``Begin: 10 June`` begins none, since nothing ends it."""
    last_end = {value.strip().upper(): at for at, (name, _, value) in enumerate(lines) if name.strip().upper() == "END"}
    inside_until = -1
    for at, (name, parameters, value) in enumerate(lines):
        if at > inside_until and name.strip().upper() == "BEGIN":
            inside_until = last_end.get(value.strip().upper(), -1)
        if at > inside_until:
            yield name, parameters, value


def _style_of(text: str) -> Callable[[str, str], bool]:
    """Return whether a line's name and value are written as the event's own: as its DTSTART is."""
    start = _START_LINE.search(text)
    if not start or not start[1].isupper():
        return lambda name, value: True
    spaced = start[2] == " "
    return lambda name, value: (
        name.isupper() and (spaced or not value.startswith(" ") or name.partition(";")[0].strip() not in _STRICT)
    )


class BadEventError(ValueError):
    """An event that cannot be read: *code* for programs, the text for people. It never leaves the reader.

    *start* is the event's start if that can be read: its first night is held. Else, with its *end*, the last one is.
    """

    def __init__(self, code: str, message: str, start: When | None = None, *, end: When | None = None) -> None:
        super().__init__(message)
        self.code, self.start, self.end = code, start, end

    def as_problem(self, uid: str) -> Problem:
        """Return the error as a problem of the event with *uid*."""
        return Problem(code=self.code, message=str(self), uid=uid)


def read_span(event: EventLines, zones: Zones) -> Span:
    """Return the event's start and end; raises BadEventError.

    DTEND     DURATION    the end
    given     any         DTEND: it is more explicit; the latest, where a description's line looks like one
    absent    given       the start and the duration
    absent    absent      the start: one night
    """
    start = _read_starts(event, zones)
    if event.value("DTEND").strip() or "DTEND" in event.repeated:
        return start, _read_end(event, start, zones)
    if "DURATION" not in event.lines:
        return start, start
    try:
        return start, start + read_duration(event.value("DURATION"))
    except (ValueError, OverflowError) as error:
        message = "the event's DURATION cannot be read: its first night is held"
        raise BadEventError("bad-duration", message, start) from error


def _read_starts(event: EventLines, zones: Zones) -> When:
    found = _read_all(event, "DTSTART", zones) if "DTSTART" in event.lines else []
    ends = _read_all(event, "DTEND", zones) if "DTEND" in event.lines and len(found) != 1 else []
    if found:
        last = max(map(_clock, ends), default=None)  # a start after it is a line of a description
        return next((start for start in found if last is None or _clock(start) <= last), found[0])
    if ends:
        raise BadEventError("bad-start", "the event has no DTSTART that is a date: its last night is held", end=ends[0])
    if "DTSTART" not in event.lines:
        raise BadEventError("no-start", "the event has no DTSTART")
    raise BadEventError("bad-date", "the event's DTSTART is not a date")


def _read_end(event: EventLines, start: When, zones: Zones) -> When:
    found = _read_all(event, "DTEND", zones)
    if not found:
        raise BadEventError("bad-date", "the event's DTEND is not a date: its first night is held", start)
    return max(found, key=_clock)


def _read_all(event: EventLines, name: str, zones: Zones) -> list[When]:
    """Return the dates of every line called *name* that is one."""
    found: list[When] = []
    for parameters, value in (event.lines[name], *event.repeated.get(name, ())):
        with contextlib.suppress(ValueError, OverflowError):
            found.append(read_when(parameters, value, zones))
    return found


def read_entry(
    event: EventLines, span: Span, context: ReadContext, *, is_cancelled: bool, recurrence_id: str | None = None
) -> tuple[Entry | None, tuple[Problem, ...]]:
    """Return the event's entry, and notes about it; raises BadEventError.

    None if its platform's events of this type mean no stay, or if the owner ignores events marked as free.
    """
    raw = RawEvent(
        uid=event.uid,
        summary=event.words("SUMMARY"),
        description=event.words("DESCRIPTION"),
        status="CANCELLED" if is_cancelled else _read_status(event),
        url=event.value("URL").strip()[:2000],
    )
    facts = context.platform.read_event(raw)
    if facts is None:
        return None, (Problem(code=NOT_A_STAY, message="the event marks an arrival or a departure", uid=raw.uid),)
    start, end = span
    try:
        nights = which_nights(start, end, context.timezone, ends_on_last_night=context.ends_on_last_night)
    except EndsBeforeStartError as error:
        message = "the event ends before it starts: its first night is held"
        raise BadEventError("ends-before-start", message, start) from error
    except OverflowError as error:
        raise BadEventError("bad-date", "the event's dates lie outside of all calendars") from error
    if nights.is_late:
        facts = {**facts, "extra": {**facts.get("extra", {}), LATE_END: True}}
    entry = Entry(
        uid=raw.uid,
        recurrence_id=recurrence_id,
        check_in=nights.check_in,
        check_out=nights.check_out,
        starts_at=_utc(start, context.timezone) if isinstance(start, datetime) else None,
        ends_at=_utc(end, context.timezone) if isinstance(start, datetime) else None,
        summary=raw.summary,
        sequence=event.sequence,
        **facts,
    )
    is_free = event.value("TRANSP").strip().upper() == "TRANSPARENT"
    notes = tuple(_read_notes(event, nights, raw, is_free=is_free, is_ignored=context.ignore_transparent))
    return (None if is_free and context.ignore_transparent else entry), notes


def _read_status(event: EventLines) -> str:
    """Return STATUS in upper case; of several, one that cancels nothing."""
    stated = [event.value("STATUS"), *(value for _, value in event.repeated.get("STATUS", ()))]
    found = [value.strip().upper() for value in stated]
    return next((status for status in found if not status.startswith("CANCEL")), found[0])


def _read_notes(event: EventLines, nights: EventNights, raw: RawEvent, *, is_free: bool, is_ignored: bool) -> Iterator[Problem]:
    """Yield what an owner may want to know of an event that was read."""
    ends_on_start = nights.is_one_day and event.value("DTEND").strip() == event.value("DTSTART").strip()
    notes = (
        (is_free and is_ignored, "transparent-ignored", 'the event is marked as "free" and ignored, as its source is set'),
        (is_free and not is_ignored, "transparent", 'the event is marked as "free", and held'),
        (nights.is_late, "late-end", "the event ends late in the evening: the night that follows is held too"),
        (ends_on_start, "ends-on-its-start", "an all-day event ends on the day of its start: this calendar's ends may be last nights (ends_on: last-night)"),  # noqa: E501
        (raw.status != "CANCELLED" and CANCELLED_LABEL.match(raw.summary) is not None, "cancelled-in-summary", "the summary says that the event is cancelled, STATUS does not: it is held"),  # noqa: E501
    )  # fmt: skip
    return (Problem(code=code, message=message, uid=raw.uid) for applies, code, message in notes if applies)


def _clock(when: When) -> datetime:
    """Return a time as its own clock shows it, to compare lines of one event; the start of the day for a date."""
    return when.replace(tzinfo=None) if isinstance(when, datetime) else datetime.combine(when, time())


def _utc(when: When, own: tzinfo) -> datetime:
    aware = when if isinstance(when, datetime) else datetime.combine(when, time(), tzinfo=own)
    return aware.astimezone(UTC)
