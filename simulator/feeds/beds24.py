"""Beds24: the owner's template in DESCRIPTION, the guest or ``Unavailable`` as summary, and a URL that is dead."""

from __future__ import annotations

from datetime import datetime, timedelta

from simulator.feeds.base import day, escape, shown_stays, stamp, wrap_event, write
from simulator.records import Listing, Stay, digest
from simulator.world import World

LAST_NIGHT = "last-night"
"""The setting with which an event ends on its last night, not on the day of departure."""
SWITCHED_OFF = b"Error: room synchroniser not enabled"
"""What Beds24 answers, with status 200, where the export is switched off."""


def render(world: World, listing: Listing, at: datetime) -> bytes:
    """Return the feed, or its text where the listing's form is ``off``."""
    if listing.form == "off":
        return SWITCHED_OFF
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Beds24//EN", "CALSCALE:GREGORIAN", "METHOD:PUBLISH"]
    for stay in shown_stays(world, listing):
        if stay.check_out > world.today(listing):
            lines += _event(world, listing, stay, at)
    return write([*lines, "END:VCALENDAR"])


def booking_number(world: World, stay: Stay) -> int:
    """Return Beds24's number of a booking."""
    return 50_000_000 + int(digest(world.seed, "beds24", stay.id)[:6], 16)


def _event(world: World, listing: Listing, stay: Stay, at: datetime) -> list[str]:
    number = booking_number(world, stay)
    end = stay.check_out - timedelta(days=1) if listing.form == LAST_NIGHT else stay.check_out
    lines = [
        f"UID:{number}@beds24.com", f"DTSTAMP:{stamp(at)}", f"DTSTART;VALUE=DATE:{day(stay.check_in)}",
        f"DTEND;VALUE=DATE:{day(end)}", f"SUMMARY:{escape(stay.guest or 'Unavailable')}",
        f"URL:https://www.beds24.com/control2.php?bookid={number}",
    ]  # fmt: skip
    return wrap_event([*lines, f"DESCRIPTION:{escape(_describe(stay, number))}"] if stay.is_reservation else lines)


def _describe(stay: Stay, number: int) -> str:
    name = digest("mail", stay.guest)[:6]
    return "\n".join((
        f"STATUS:{'3' if stay.is_tentative else '1'}/{number + 1}",
        f"GUESTS:{stay.adults + stay.children}/{stay.adults}/{stay.children}",
        "TIME:16:00", f"PHONE:{stay.phone}/", f"EMAIL:{name}@guest.example", "CTRY:IT", f"OTA:Booking.com {number * 7}",
        "COMMENTS:late arrival, maybe", "NOTES:cot", "PARKING:yes", "a quiet room please",
    ))  # fmt: skip
