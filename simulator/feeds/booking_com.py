"""Booking.com: one summary for all, and a UID of room and first night alone; ongoing stays are clipped to today."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from simulator.feeds.base import Span, day, linked_stays, shown_stays, stamp, wrap_event, write
from simulator.records import Listing, digest
from simulator.world import World

_HEAD = [
    "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//admin.booking.com\\\\\\, b.v.//NONSGML v1.0//EN", "CALSCALE:GREGORIAN",
    "METHOD:PUBLISH",
]  # fmt: skip
WHOLE = "whole"
"""The form before July 2026: an ongoing stay keeps its start, and there is no ORGANIZER."""


def render(world: World, listing: Listing, at: datetime) -> bytes:
    """Return the feed, stamped with the time of the fetch."""
    lines = list(_HEAD)
    for span in sorted(_spans(world, listing), key=lambda s: (s.start, s.end)):
        lines += _event(listing, span, at)
    return write([*lines, "END:VCALENDAR"])


def _spans(world: World, listing: Listing) -> Iterator[Span]:
    today = world.today(listing)
    for stay in (*shown_stays(world, listing), *linked_stays(world, listing)):
        start = stay.check_in if listing.form == WHOLE else max(stay.check_in, today)
        if stay.check_out > today:
            yield Span(start=start, end=stay.check_out, stay=stay)
    if end := listing.window_end(today):
        yield Span(start=max(today, listing.closed_from or today), end=end)


def _event(listing: Listing, span: Span, at: datetime) -> list[str]:
    organizer = [] if listing.form == WHOLE else ["ORGANIZER:mailto:noreply@booking.com"]
    return wrap_event([
        f"DTSTAMP:{stamp(at)}", f"DTSTART;VALUE=DATE:{day(span.start)}", f"DTEND;VALUE=DATE:{day(span.end)}",
        f"UID:{digest('booking_com', listing.id, span.start)}@booking.com", "SUMMARY:CLOSED - Not available", *organizer,
    ])  # fmt: skip
