"""Beds24's feed: DESCRIPTION follows the owner's template; the summary is the guest or ``Unavailable``."""

from __future__ import annotations

from simulator.feeds.base import RenderContext, SimulatedPlatform
from simulator.feeds.options import choice
from simulator.ical import Event, day, hex_digest, moment, text, write_calendar
from simulator.model import DAY, SimulatedStay

_HEAD = ("VERSION:2.0", "PRODID:-//Beds24//Bookings//EN", "CALSCALE:GREGORIAN")
_STATUS = {"confirmed": 1, "tentative": 3}
SWITCHED_OFF = b"Error: room synchroniser not enabled"


def render(view: RenderContext) -> bytes:
    """Return the feed; the option ``ends`` decides whether an event ends on the checkout day or the last night."""
    shown = (stay for stay in view.stays if stay.check_out >= view.today)
    return write_calendar(_HEAD, (_event(view, stay) for stay in shown))


def _event(view: RenderContext, stay: SimulatedStay) -> Event:
    book = number_of(view, stay)
    end = stay.check_out - DAY if view.option("ends") == "last_night" else stay.check_out
    lines = (
        f"UID:{book}@beds24.com",
        moment("DTSTAMP", view.now),
        day("DTSTART", stay.check_in),
        day("DTEND", end),
        text("SUMMARY", stay.guest if stay.kind == "reservation" else "Unavailable"),
        f"URL:https://www.beds24.com/control2.php?bookid={book}",
    )
    return lines if stay.kind == "block" else (*lines, text("DESCRIPTION", _description(view, stay)))


def number_of(view: RenderContext, stay: SimulatedStay) -> int:
    """Return the booking's number; a change of dates keeps it."""
    return 50_000_000 + int(hex_digest(view.seed, view.feed.listing), 16) % 9_000 * 1_000 + stay.number


def _description(view: RenderContext, stay: SimulatedStay) -> str:
    return "\n".join(
        (
            f"STATUS:{_STATUS[stay.status]}/",
            f"GUESTS:{stay.adults + stay.children}/{stay.adults}/{stay.children}",
            "TIME:16:00",
            f"PHONE:{stay.phone}/",
            f"EMAIL:guest{stay.number}@example.org",
            "CTRY:IT",
            f"OTA:Direct {4_000_000_000 + stay.number}",
            "COMMENTS:Late arrival, maybe",
            "NOTES:",
            "PARKING:yes",
        )
    )


PLATFORM = SimulatedPlatform(name="beds24", title="Beds24", render=render, options={"ends": choice("checkout", "last_night")})
