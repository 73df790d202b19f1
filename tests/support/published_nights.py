"""The nights that an outgoing calendar closes."""

from __future__ import annotations

from datetime import date, timedelta

from icalendar import Calendar


def nights(first: date, end: date) -> set[date]:
    """Return the nights from *first* to the departure on *end*."""
    return {first + timedelta(days=n) for n in range((end - first).days)}


def published_nights(body: bytes) -> set[date]:
    """Return the nights that the events of an outgoing calendar close."""
    events = Calendar.from_ical(body).events
    return {night for event in events for night in nights(event["DTSTART"].dt, event["DTEND"].dt)}
