"""A feed's events by UID: the smallest part that can be read, fingerprinted and kept by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from operator import attrgetter
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bokit.core.ical.entries import Entry
from bokit.core.ical.events import BadEventError, EventLines, as_problem, read_entry, read_event_lines, read_span
from bokit.core.ical.lexer import CalendarText
from bokit.core.ical.platforms.base import Platform
from bokit.core.ical.recurrence import expand_series
from bokit.core.ical.recurrence_rules import Budget
from bokit.core.ical.times import Zones, read_zones
from bokit.core.model.source_rules import Problem

NOTES = frozenset({"unknown-timezone", "no-uid"})
"""Problems that cost no event: the verdict stays what it is."""
MAX_SERIES = 1_000_000
"""Letters of a series and its exceptions: snapshots keep them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a body is read: what the unit, the platform and the fetch decide for all of its events."""

    own: ZoneInfo
    platform: Platform
    window: tuple[date, date]
    """Series are expanded over these dates."""
    budget: Budget
    ends_on_last_night: bool = False
    """The owner's setting (Beds24 has one): all-day events end on the last night."""


class Group(NamedTuple):
    """The events of one UID in one calendar; their texts in an order of their own, whatever the feed's."""

    uid: str
    texts: tuple[str, ...]

    def fingerprint(self, salt: str) -> str:
        """Return a hash that is equal where the events and what *salt* stands for are."""
        told = f"{salt}{self.texts[0]}" if len(self.texts) == 1 else "\0".join((salt, *self.texts))
        return hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRead:
    """What a group says. A series says more as time goes by, so that it is kept with its texts and its window."""

    entries: tuple[Entry, ...] = ()
    problems: tuple[Problem, ...] = ()
    is_series: bool = False


def group_events(calendar: CalendarText) -> list[Group]:
    """Return the calendar's events by UID; events without one are groups of their own."""
    by_uid: dict[str, list[str]] = {}
    for text in calendar.events:
        by_uid.setdefault(_find_uid(text), []).append(text)
    return [Group(uid=uid, texts=tuple(sorted(texts)) if len(texts) > 1 else tuple(texts)) for uid, texts in by_uid.items()]


def _find_uid(text: str) -> str:
    """The event's UID; where a component lies inside the event, its UID is not the event's."""
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


def read_group(group: Group, calendar: CalendarText, zones: Zones, reading: Reading) -> GroupRead:
    """Return what the group's events say; one that cannot be read is a problem, and costs itself alone. Never raises."""
    try:
        return _read_group(group, calendar, zones, reading)
    except Exception as error:  # what we did not foresee in a stranger's text must not cost the other events
        told = f"the event is beyond our reader ({type(error).__name__})"
        return GroupRead(problems=(Problem(code="broken-event", message=told, uid=group.uid),))


def _read_group(group: Group, calendar: CalendarText, zones: Zones, reading: Reading) -> GroupRead:
    events = [read_event_lines(text) for text in group.texts]
    zones.unknown.clear()
    recurs = any(event.recurs for event in events)
    is_series = recurs and sum(map(len, group.texts)) <= MAX_SERIES
    read = _GroupReader(zones, reading, is_cancelled=calendar.properties.get("METHOD", "").strip().upper() == "CANCEL")
    if is_series:
        read.read_series(events)
    elif recurs:
        read.refuse_series(events, BadEventError("too-many-recurrences", "the series is longer than we read"))
    else:
        read.read_plain(_latest(events))
    notes = _read_notes(events, zones)
    return GroupRead(entries=_once(read.entries), problems=(*read.problems, *notes), is_series=is_series)


def _latest(events: Sequence[EventLines]) -> list[EventLines]:
    """Events of one UID: only the highest SEQUENCE counts; equals all hold their nights."""
    highest = max(event.sequence for event in events)
    return [event for event in events if event.sequence == highest]


def _read_notes(events: Iterable[EventLines], zones: Zones) -> list[Problem]:
    notes = [
        Problem(code="unknown-timezone", message="the event's timezone is unknown; the unit's is taken", uid=event.uid)
        for event in list(events)[:1]
        if zones.unknown
    ]
    missing = (event for event in events if not event.has_uid)
    return notes + [Problem(code="no-uid", message="the event has no UID", uid=event.uid) for event in missing]


def sort_entries(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return the entries by their dates, in an order that does not depend on the feed's."""
    return tuple(sorted(entries, key=attrgetter("check_in", "check_out", "uid")))


def _once(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return a group's entries, each once, in an order of their own."""
    if len(entries) < 2:
        return tuple(entries)
    return sort_entries({repr(entry): entry for entry in sorted(entries, key=repr)}.values())


class _GroupReader:
    """Gathers one group's entries and problems."""

    def __init__(self, zones: Zones, reading: Reading, *, is_cancelled: bool) -> None:
        self.zones, self.reading, self.is_cancelled = zones, reading, is_cancelled
        self.entries: list[Entry] = []
        self.problems: list[Problem] = []

    def read_plain(self, events: Iterable[EventLines]) -> None:
        for event in events:
            try:
                self._add(event, read_span(event, self.zones), None)
            except BadEventError as error:
                self.problems.append(as_problem(error, event.uid))

    def read_series(self, events: Sequence[EventLines]) -> None:
        """Read a series; one that cannot be expanded holds at least the nights that its events name themselves."""
        try:
            for one in expand_series(events, self.zones, self.reading.window, self.reading.budget):
                self._add(one.event, one.span, one.recurrence_id)
        except BadEventError as error:
            self.refuse_series(events, error)

    def refuse_series(self, events: Sequence[EventLines], error: BadEventError) -> None:
        """Read the events of a series one by one, as if none repeated."""
        self.entries.clear()
        self.problems.append(as_problem(error, events[0].uid))
        self.read_plain(events)

    def _add(self, event: EventLines, span: tuple[date, date], recurrence_id: str | None) -> None:
        entry = read_entry(
            event,
            span,
            self.reading.own,
            self.reading.platform,
            is_cancelled=self.is_cancelled,
            recurrence_id=recurrence_id,
            ends_on_last_night=self.reading.ends_on_last_night,
        )
        if entry:
            self.entries.append(entry)
