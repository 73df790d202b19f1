"""Series: repeating events and their exceptions, expanded to single stays within a window of dates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from bokit.core.ical.event_nights import When
from bokit.core.ical.events import BadEventError, EventLines, Span, read_span
from bokit.core.ical.lexer import read_lines
from bokit.core.ical.limits import MAX_SERIES_DATES, MAX_SERIES_EVENTS, MAX_SERIES_RULES
from bokit.core.ical.recurrence_rules import Budget, Rule, read_rule
from bokit.core.ical.times import Zones, read_duration, read_when
from bokit.values import Value

_INDEX = "X-BOKIT-INDEX"
"""Leads from an occurrence back to its event."""


class Occurrence(Value):
    """One stay of a series: its event, when it is, and which of the series it is."""

    event: EventLines
    span: Span
    recurrence_id: str | None


def expand_series(events: Sequence[EventLines], zones: Zones, window: tuple[date, date], budget: Budget) -> list[Occurrence]:
    """Return the occurrences of one UID's *events* that touch *window*; raises BadEventError if it cannot be expanded.

    Dates are read by our own reader: a series then knows the same timezones as any other event. Rules, exceptions and
    their precedence are left to recurring_ical_events.
    """
    if budget.is_spent:
        raise BadEventError("unsupported-recurrence", "the calendar has more series than we expand")
    if len(events) > MAX_SERIES_EVENTS:
        raise BadEventError("too-many-recurrences", "the series has more events than we read")
    calendar = _build_calendar(events, zones, window, budget)
    occurrences = [_read_occurrence(c, events) for c in _query(calendar, window)]
    budget.occurrences -= len(occurrences)
    return occurrences


def _query(calendar: Any, window: tuple[date, date]) -> list[Any]:
    import recurring_ical_events

    try:
        return list(recurring_ical_events.of(calendar).between(*window))
    except Exception as error:  # unforeseen rules reach every corner of two libraries
        raise BadEventError("bad-recurrence", "the series cannot be expanded") from error


def _build_calendar(events: Sequence[EventLines], zones: Zones, window: tuple[date, date], budget: Budget) -> Any:
    import icalendar

    calendar = icalendar.Calendar()
    for index, event in enumerate(events):
        calendar.add_component(_build_event(icalendar.Event(), index, event, zones, window, budget))
    return calendar


def _build_event(built: Any, index: int, event: EventLines, zones: Zones, window: tuple[date, date], budget: Budget) -> Any:
    start, end = read_span(event, zones)
    for name, value in (("UID", event.uid), ("SEQUENCE", event.sequence), ("DTSTART", start), (_INDEX, str(index))):
        built.add(name, value)
    if end != start:
        built.add("DTEND", end)
    rules = _read_rules(event)
    dates = {name: _read_dates(event, name, zones) for name in ("RDATE", "EXDATE")}
    if not budget.admits(rules, sum(map(len, dates.values())), _day(start), window[1]):
        raise BadEventError("unsupported-recurrence", "the series repeats too often, or never, or costs too much to expand")
    for rule in rules:
        built.add("RRULE", _vrecur(rule))
    for name, values in dates.items():
        if values:
            built.add(name, values)
    if "RECURRENCE-ID" in event.lines:
        _add_recurrence_id(built, event, zones)
    return built


def _add_recurrence_id(built: Any, event: EventLines, zones: Zones) -> None:
    parameters, value = event.lines["RECURRENCE-ID"]
    try:
        moment = read_when(parameters, value, zones)
    except ValueError as error:
        raise BadEventError("bad-date", "the event's RECURRENCE-ID is not a date") from error
    future = "RANGE=THISANDFUTURE" in parameters.upper()
    built.add("RECURRENCE-ID", moment, parameters={"RANGE": "THISANDFUTURE"} if future else None)


def _vrecur(rule: Rule) -> Any:
    import icalendar

    try:
        return icalendar.vRecur.from_ical(rule.text)
    except ValueError as error:
        raise BadEventError("bad-recurrence", "the event's RRULE cannot be read") from error


def _read_rules(event: EventLines) -> list[Rule]:
    texts = [value for name, _, value in read_lines(event.text) if name == "RRULE"]
    rules = [read_rule(text) for text in texts[: MAX_SERIES_RULES + 1]]
    if None in rules or len(rules) > MAX_SERIES_RULES:
        raise BadEventError("unsupported-recurrence", "the event's RRULE is malformed, or repeats more often than daily")
    return [rule for rule in rules if rule]


def _read_dates(event: EventLines, wanted: str, zones: Zones) -> list[Any]:
    lines = [(parameters, value) for name, parameters, value in read_lines(event.text) if name == wanted]
    values = [(parameters, one) for parameters, value in lines for one in value.split(",") if one.strip()]
    if len(values) > MAX_SERIES_DATES:
        raise BadEventError("too-many-recurrences", f"the event has more {wanted} values than we read")
    try:
        return [_read_date_or_period(parameters, value, zones) for parameters, value in values]
    except (ValueError, OverflowError) as error:
        raise BadEventError("bad-date", f"the event's {wanted} holds something that is not a date") from error


def _read_date_or_period(parameters: str, value: str, zones: Zones) -> Any:
    first, slash, last = value.partition("/")
    start = read_when(parameters, first, zones)
    if not slash:
        return start
    return (start, start + read_duration(last) if last.strip().upper().startswith("P") else read_when(parameters, last, zones))


def _read_occurrence(component: Any, events: Sequence[EventLines]) -> Occurrence:
    start = component["DTSTART"].dt
    end = component["DTEND"].dt if "DTEND" in component else start
    moment = component["RECURRENCE-ID"].dt if "RECURRENCE-ID" in component else None
    return Occurrence(event=events[int(component[_INDEX])], span=(start, end), recurrence_id=_name(moment))


def _name(moment: date | None) -> str | None:
    """``20260822`` or ``20260822T130000Z``, whatever the zone it was written in."""
    if isinstance(moment, datetime):
        return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f"{moment:%Y%m%d}" if moment else None


def _day(when: When) -> date:
    return when.date() if isinstance(when, datetime) else when
