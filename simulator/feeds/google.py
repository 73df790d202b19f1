"""A Google calendar: timed stays in the owner's timezone, series, STATUS and SEQUENCE; cancelled events remain."""

from __future__ import annotations

from datetime import date

from simulator.feeds.base import RenderContext, SimulatedPlatform
from simulator.feeds.options import flag
from simulator.ical import Event, day, hex_digest, moment, text, write_calendar
from simulator.model import SimulatedStay

_HEAD = ("PRODID:-//Google Inc//Google Calendar 70.9054//EN", "VERSION:2.0", "CALSCALE:GREGORIAN", "METHOD:PUBLISH")
_ARRIVAL, _DEPARTURE = "160000", "100000"


def render(view: RenderContext) -> bytes:
    """Return the feed. UIDs never change; a change raises SEQUENCE; a cancelled stay remains as STATUS:CANCELLED."""
    stays = (*view.stays, *view.cancelled)
    zone = text("X-WR-TIMEZONE", view.feed.timezone)
    return write_calendar((*_HEAD, zone), (_event(view, stay) for stay in stays))


def _event(view: RenderContext, stay: SimulatedStay) -> Event:
    series = (f"RRULE:FREQ=DAILY;INTERVAL={stay.every_days};COUNT={stay.times}",) if stay.every_days else ()
    summary = f"Booking: {stay.guest}" if stay.kind == "reservation" else "Blocked"
    return (
        *_dates(view, stay),
        *series,
        moment("DTSTAMP", view.now),
        f"UID:{hex_digest(view.seed, 'google', stay.number)}@google.com",
        moment("LAST-MODIFIED", stay.changed_at),
        f"SEQUENCE:{stay.sequence}",
        f"STATUS:{stay.status.upper()}",
        text("SUMMARY", summary),
        "TRANSP:OPAQUE",
    )


def _dates(view: RenderContext, stay: SimulatedStay) -> Event:
    if stay.kind == "block" or not view.option("timed"):
        return (day("DTSTART", stay.check_in), day("DTEND", stay.check_out))
    return (_timed(view, "DTSTART", stay.check_in, _ARRIVAL), _timed(view, "DTEND", stay.check_out, _DEPARTURE))


def _timed(view: RenderContext, name: str, on: date, at: str) -> str:
    return f"{name};TZID={view.feed.timezone}:{on:%Y%m%d}T{at}"


PLATFORM = SimulatedPlatform(name="google", title="Google Calendar", render=render, options={"timed": flag(True)})
