"""A feed's events by UID: the smallest part that is read, fingerprinted and kept by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bokit.core.ical.entries import Entry
from bokit.core.ical.event_nights import When
from bokit.core.ical.events import BadEventError, EventLines, ReadContext, Span, read_entry, read_event_lines, read_span
from bokit.core.ical.lexer import CalendarText
from bokit.core.ical.limits import MAX_SERIES_TEXT
from bokit.core.ical.recurrence import expand_series
from bokit.core.ical.times import Zones, read_zones
from bokit.core.model.source_rules import SEVERAL_ROOMS, Problem
from bokit.values import Value

UNKNOWN_TIMEZONE = "unknown-timezone"
"""The note of an event whose TZID says nothing to us."""
NOTES = frozenset(
    {
        UNKNOWN_TIMEZONE,
        "no-uid",
        "transparent",
        "transparent-ignored",
        "late-end",
        "ends-on-its-start",
        "cancelled-in-summary",
        "outside-calendar",
        "free-busy-ignored",
        "not-a-stay",
        SEVERAL_ROOMS,
        "far-away",
    }
)
"""Problems that cost no event, and leave the verdict as it is."""
BAD_ENDS = frozenset({"bad-date", "bad-duration", "ends-before-start"})
"""Problems that leave an event its first night alone."""
BAD_START = "bad-start"
"""The problem that leaves an event its last night alone."""


class EventGroup(NamedTuple):
    """The events of one UID in one calendar; their texts sorted, whatever the feed's order."""

    uid: str
    texts: tuple[str, ...]

    def fingerprint(self, salted: hashlib.blake2b) -> str:
        """Return a hash that is equal if the events are, and the salt with which *salted* began; that is copied."""
        content = self.texts[0] if len(self.texts) == 1 else "\0".join(("", *self.texts))
        digest = salted.copy()
        digest.update(content.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


class GroupContent(Value):
    """What a group says. A series says more as time goes by, and is kept with its texts and its window."""

    entries: tuple[Entry, ...] = ()
    problems: tuple[Problem, ...] = ()
    is_series: bool = False


def group_events(calendar: CalendarText) -> list[EventGroup]:
    """Return the calendar's events by UID; each event without one is a group of its own."""
    by_uid: dict[str, list[str]] = {}
    for text in calendar.events:
        by_uid.setdefault(_find_uid(text), []).append(text)
    return [EventGroup(uid, tuple(sorted(texts)) if len(texts) > 1 else tuple(texts)) for uid, texts in by_uid.items()]


def _find_uid(text: str) -> str:
    """The event's UID, found without reading its lines, unless a component inside the event might have another one."""
    start = text.find("\nUID:") + 5
    if start > 4 and "\nBEGIN:" not in text:
        end = text.find("\n", start)
        uid = text[start : end if end >= 0 else None].strip()
        if uid and text.find("\nUID", start) < 0:
            return uid
    return read_event_lines(text).uid


def calendar_zones(calendar: CalendarText, own: ZoneInfo) -> Zones:
    """Return the zones that the calendar's times may name."""
    return read_zones(calendar.timezones, calendar.properties.get("X-WR-TIMEZONE", ""), own)


def read_group(group: EventGroup, calendar: CalendarText, zones: Zones, context: ReadContext) -> GroupContent:
    """Return what the group's events say; one that cannot be read is a problem, and costs itself alone. Never raises."""
    try:
        return _read_group(group, calendar, zones, context)
    except Exception as error:  # an unforeseen text must not cost the other events
        message = f"the event cannot be read ({type(error).__name__})"
        return GroupContent(problems=(Problem(code="broken-event", message=message, uid=group.uid),))


def _read_group(group: EventGroup, calendar: CalendarText, zones: Zones, context: ReadContext) -> GroupContent:
    events = [read_event_lines(text) for text in group.texts]
    zones.unknown.clear()
    recurs = any(event.recurs for event in events)
    is_series = recurs and sum(map(len, group.texts)) <= MAX_SERIES_TEXT
    reader = _GroupReader(zones, context, is_cancelled=calendar.properties.get("METHOD", "").strip().upper() == "CANCEL")
    if is_series:
        reader.read_series(events)
    elif recurs:
        reader.refuse_series(events, BadEventError("too-many-recurrences", "the series is longer than we read"))
    else:
        reader.read_plain(_latest_by_nights(events))
    notes = _read_notes(events, zones)
    return GroupContent(entries=_unique(reader.entries), problems=(*reader.problems, *notes), is_series=is_series)


def _latest_by_nights(events: Sequence[EventLines]) -> list[EventLines]:
    """Return one UID's events; of those with the same dates, the ones with the highest SEQUENCE.

    One UID on different nights holds them all: an exporter that reuses UIDs shows several stays.
    """
    if len(events) < 2:
        return list(events)
    highest: dict[tuple[str, ...], int] = {}
    for event in events:
        highest[_dates(event)] = max(event.sequence, highest.get(_dates(event), 0))
    return [event for event in events if event.sequence == highest[_dates(event)]]


def _dates(event: EventLines) -> tuple[str, ...]:
    return tuple(event.value(name).strip() for name in ("DTSTART", "DTEND", "DURATION"))


def _read_notes(events: Sequence[EventLines], zones: Zones) -> list[Problem]:
    unknown = "the event's timezone is unknown; the unit's is used"
    notes = [Problem(code=UNKNOWN_TIMEZONE, message=unknown, uid=events[0].uid)] if zones.unknown else []
    return notes + [Problem(code="no-uid", message="the event has no UID", uid=e.uid) for e in events if not e.has_uid]


def sort_entries(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return the entries by their dates, in an order that does not depend on the feed's."""
    return tuple(sorted(entries, key=attrgetter("check_in", "check_out", "uid")))


def _unique(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return a group's entries, each once, in an order that does not depend on the feed's."""
    if len(entries) < 2:
        return tuple(entries)
    return sort_entries({repr(entry): entry for entry in sorted(entries, key=repr)}.values())


class _GroupReader:
    """Gathers one group's entries and problems."""

    def __init__(self, zones: Zones, context: ReadContext, *, is_cancelled: bool) -> None:
        self.zones, self.context, self.is_cancelled = zones, context, is_cancelled
        self.entries: list[Entry] = []
        self.problems: list[Problem] = []

    def read_plain(self, events: Iterable[EventLines]) -> None:
        for event in events:
            try:
                self._add(event, read_span(event, self.zones), None)
            except BadEventError as error:
                self._refuse(event, error)

    def _refuse(self, event: EventLines, error: BadEventError) -> None:
        """Keep the problem of an event, and its first or last night if that can be read."""
        self._note(error.as_problem(event.uid))
        try:
            night = self._last_night(error.end) if error.start is None and error.end is not None else error.start
            if night is not None:
                self._add(event, (night, night), None)
        except OverflowError:
            pass
        except BadEventError as further:
            self._note(further.as_problem(event.uid))

    def _last_night(self, end: When) -> When:
        """Return a time in the night before the departure at *end*."""
        is_last_night = self.context.ends_on_last_night and not isinstance(end, datetime)
        return end if is_last_night else end - timedelta(days=1)

    def read_series(self, events: Sequence[EventLines]) -> None:
        """Read a series; one that cannot be expanded holds at least the nights that its events name themselves."""
        try:
            for one in expand_series(events, self.zones, self.context.window, self.context.budget):
                self._add(one.event, one.span, one.recurrence_id)
        except BadEventError as error:
            self.refuse_series(events, error)

    def refuse_series(self, events: Sequence[EventLines], error: BadEventError) -> None:
        """Read the events of a series one by one, as if none repeated."""
        self.entries.clear()
        self._note(error.as_problem(events[0].uid))
        self.read_plain(events)

    def _add(self, event: EventLines, span: Span, recurrence_id: str | None) -> None:
        entry, notes = read_entry(event, span, self.context, is_cancelled=self.is_cancelled, recurrence_id=recurrence_id)
        if entry:
            self.entries.append(entry)
        for note in notes:
            self._note(note)

    def _note(self, problem: Problem) -> None:
        if problem not in self.problems:
            self.problems.append(problem)
