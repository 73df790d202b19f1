"""A Google-like calendar: timed stays in the owner's zone, series, STATUS and SEQUENCE; cancelled events say so."""

from __future__ import annotations

from datetime import date

from simulator.feeds.base import Platform, View
from simulator.feeds.options import flag
from simulator.ical import Event, day, mark, moment, text, write_calendar
from simulator.truth import Stay

_HEAD = ("PRODID:-//Google Inc//Google Calendar 70.9054//EN", "VERSION:2.0", "CALSCALE:GREGORIAN", "METHOD:PUBLISH")
_ARRIVAL, _DEPARTURE = "160000", "100000"


def render(view: View) -> bytes:
    """Return the feed. UIDs stay for ever; a change raises SEQUENCE; a cancelled stay remains as STATUS:CANCELLED."""
    stays = (*view.stays, *view.gone)
    zone = text("X-WR-TIMEZONE", view.feed.timezone)
    return write_calendar((*_HEAD, zone), (_event(view, stay) for stay in stays))


def _event(view: View, stay: Stay) -> Event:
    series = (f"RRULE:FREQ=DAILY;INTERVAL={stay.every_days};COUNT={stay.times}",) if stay.every_days else ()
    summary = f"Booking: {stay.guest}" if stay.kind == "reservation" else "Blocked"
    return (
        *_dates(view, stay),
        *series,
        moment("DTSTAMP", view.now),
        f"UID:{mark(view.seed, 'google', stay.number)}@google.com",
        moment("LAST-MODIFIED", stay.changed_at),
        f"SEQUENCE:{stay.sequence}",
        f"STATUS:{stay.status.upper()}",
        text("SUMMARY", summary),
        "TRANSP:OPAQUE",
    )


def _dates(view: View, stay: Stay) -> Event:
    if stay.kind == "block" or not view.option("timed"):
        return (day("DTSTART", stay.check_in), day("DTEND", stay.check_out))
    return (_timed(view, "DTSTART", stay.check_in, _ARRIVAL), _timed(view, "DTEND", stay.check_out, _DEPARTURE))


def _timed(view: View, name: str, on: date, at: str) -> str:
    return f"{name};TZID={view.feed.timezone}:{on:%Y%m%d}T{at}"


PLATFORM = Platform(name="google", title="Google Calendar", render=render, options={"timed": flag(True)})
