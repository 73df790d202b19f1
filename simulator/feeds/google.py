"""A calendar kept by hand, as Google serves it: STATUS, SEQUENCE, weekly rules, hours with a timezone."""

from __future__ import annotations

from datetime import datetime, timedelta

from simulator.feeds.base import day, escape, stamp, wrap_event, write
from simulator.records import Listing, Stay, digest
from simulator.world import World

TIMED = "timed"
_PAST = timedelta(days=365)
_TOLD = timedelta(days=7)
"""How long a cancelled event is still told of, as cancelled."""


def render(world: World, listing: Listing, at: datetime) -> bytes:
    """Return the feed; a cancelled event says so for a week."""
    head = ["BEGIN:VCALENDAR", "PRODID:-//Google Inc//Google Calendar 70.9054//EN", "VERSION:2.0", "CALSCALE:GREGORIAN"]
    lines = [*head, "METHOD:PUBLISH", f"X-WR-CALNAME:{escape(listing.name)}", f"X-WR-TIMEZONE:{listing.timezone}"]
    for stay in sorted(world.stays_of(listing.id), key=lambda s: (s.check_in, s.id)):
        is_told = stay.is_active or (stay.cancelled_at is not None and stay.cancelled_at + _TOLD > world.now)
        if is_told and stay.check_out + _PAST >= world.today(listing):
            lines += _event(world, listing, stay, at)
    return write([*lines, "END:VCALENDAR"])


def _event(world: World, listing: Listing, stay: Stay, at: datetime) -> list[str]:
    sequence = stay.sequence + (not stay.is_active)
    status = "CANCELLED" if not stay.is_active else "TENTATIVE" if stay.is_tentative else "CONFIRMED"
    summary = f"Reserved - {stay.guest}" if stay.is_reservation else "Blocked"
    rule = [f"RRULE:FREQ=WEEKLY;COUNT={stay.weeks}"] if stay.weeks > 1 else []
    return wrap_event([
        *_dates(listing, stay), *rule, f"DTSTAMP:{stamp(at)}", f"UID:{digest(world.seed, 'google', stay.id)[:26]}@google.com",
        f"CREATED:{stamp(stay.booked_at)}", f"SEQUENCE:{sequence}", f"STATUS:{status}", f"SUMMARY:{escape(summary)}",
        "TRANSP:OPAQUE",
    ])  # fmt: skip


def _dates(listing: Listing, stay: Stay) -> list[str]:
    if listing.form != TIMED:
        return [f"DTSTART;VALUE=DATE:{day(stay.check_in)}", f"DTEND;VALUE=DATE:{day(stay.check_out)}"]
    zone = f"TZID={listing.timezone}"
    return [f"DTSTART;{zone}:{day(stay.check_in)}T160000", f"DTEND;{zone}:{day(stay.check_out)}T100000"]
