"""Booking.com's feed: closures only; their UID derives from the room and the first night, not from the booking."""

from __future__ import annotations

import calendar
from datetime import date

from simulator.feeds.base import RenderContext, SimulatedPlatform
from simulator.feeds.options import choice, optional_date
from simulator.ical import Event, day, hex_digest, moment, text, write_calendar
from simulator.model import Span

_HEAD = (
    "VERSION:2.0",
    "PRODID:-//admin.booking.com\\\\\\, b.v.//NONSGML v1.0//EN",
    "CALSCALE:GREGORIAN",
    "METHOD:PUBLISH",
)
_CLOSED = "CLOSED - Not available"
MONTHS = 18


def windows(view: RenderContext) -> tuple[Span, ...]:
    """Return the trailing closure: from ``open_until`` to 18 months from today (546 to 550 days)."""
    start, end = view.day_option("open_until"), add_months(view.today, MONTHS)
    return (Span(start, end),) if start and start < end else ()


def add_months(start: date, months: int) -> date:
    """Return the same day of a later month, or that month's last day."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return date(year, month + 1, min(start.day, calendar.monthrange(year, month + 1)[1]))


def render(view: RenderContext) -> bytes:
    """Return the feed.

    Since July 2026 (era ``clipped``) an ongoing closure starts today and gets a new UID every night. Before (``whole``) it
    kept its start until its end. Much older feeds (``named``) show the guest. Closures with the same start are one event.
    """
    found: dict[date, tuple[date, str]] = {}
    for span, summary in _closures(view):
        shown = _clip(view, span)
        if shown and shown.end > found.get(shown.start, (date.min, ""))[0]:
            found[shown.start] = (shown.end, summary)
    return write_calendar(_HEAD, (_event(view, Span(start, end), summary) for start, (end, summary) in sorted(found.items())))


def _closures(view: RenderContext) -> list[tuple[Span, str]]:
    named = view.option("era") == "named"
    stays = [(span, f"CLOSED - {s.guest}" if named and s.guest else _CLOSED) for s in view.stays for span in s.spans]
    return [*stays, *((span, _CLOSED) for span in windows(view))]


def _clip(view: RenderContext, span: Span) -> Span | None:
    if view.option("era") == "clipped":
        span = Span(max(span.start, view.today), span.end)
        return span if span.start < span.end else None
    return span if span.end >= view.today else None


def _event(view: RenderContext, span: Span, summary: str) -> Event:
    organizer = ("ORGANIZER:mailto:noreply@booking.com",) if view.option("era") == "clipped" else ()
    uid = f"UID:{hex_digest(view.feed.listing, span.start)}@booking.com"
    start, end = day("DTSTART", span.start), day("DTEND", span.end)
    return (moment("DTSTAMP", view.now), start, end, uid, text("SUMMARY", summary), *organizer)


PLATFORM = SimulatedPlatform(
    name="booking_com",
    title="Booking.com",
    render=render,
    windows=windows,
    options={"era": choice("clipped", "whole", "named"), "open_until": optional_date()},
)
