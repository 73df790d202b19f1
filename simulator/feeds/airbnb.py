"""Airbnb: coded reservations whose UIDs survive a move, and blocks whose UIDs tell their first day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from simulator.feeds.base import Span, day, linked_stays, shown_stays, stamp, wrap_event, write
from simulator.records import Listing, Stay, digest
from simulator.world import World, days_between

_LETTERS = "ABCDEFGHJKMNPQRSTWXYZ0123456789"
_OLD = "0.8.8"
_PAST = timedelta(days=2)
"""A block's start rolls with today, at most so far behind it."""


def render(world: World, listing: Listing, at: datetime) -> bytes:
    """Return the feed; every event carries the stamp of the fetch, except in the older form, which has none."""
    is_old = listing.form == _OLD
    prodid = (
        "PRODID;X-RICAL-TZSOURCE=TZINFO:-//Airbnb Inc//Hosting Calendar 0.8.8//EN"
        if is_old
        else "PRODID:-//Airbnb Inc//Hosting Calendar 1.0//EN"
    )
    lines = ["BEGIN:VCALENDAR", prodid, "CALSCALE:GREGORIAN", "VERSION:2.0"]
    for stay in _reservations(world, listing):
        lines += _reservation(world, listing, stay, at)
    for span in _blocks(world, listing):
        lines += _block(listing, span, at)
    return write([*lines, "END:VCALENDAR"], line_end="\n" if is_old else "\r\n", folds=not is_old)


def code_of(world: World, stay: Stay) -> str:
    """Return a reservation's code, one to one with it: ``HM`` and eight letters."""
    number = int(digest(world.seed, "code", stay.listing, stay.id), 16)
    return "HM" + "".join(_LETTERS[number // len(_LETTERS) ** n % len(_LETTERS)] for n in range(8))


def _reservations(world: World, listing: Listing) -> Iterator[Stay]:
    """A reservation is shown whole, until the day after its end."""
    last = world.today(listing) - timedelta(days=1)
    return (s for s in shown_stays(world, listing) if s.is_reservation and s.check_out >= last)


def _blocks(world: World, listing: Listing) -> Iterator[Span]:
    today = world.today(listing)
    owners = [s for s in shown_stays(world, listing) if not s.is_reservation]
    for stay in (*owners, *linked_stays(world, listing)):
        start = max(stay.check_in, today - _PAST)
        if stay.check_out >= today - timedelta(days=1) and start < stay.check_out:
            yield Span(start=start, end=stay.check_out, stay=stay)
    taken = {night for stay in shown_stays(world, listing) for night in stay.nights}
    for notice in days_between(today, today + timedelta(days=listing.notice_days)):
        if notice not in taken:
            yield Span(start=notice, end=notice + timedelta(days=1))
    if end := listing.window_end(today):
        yield Span(start=max(today, listing.closed_from or today), end=end)


def _reservation(world: World, listing: Listing, stay: Stay, at: datetime) -> list[str]:
    uid = f"UID:1418fb94e984-{digest(world.seed, 'airbnb', listing.id, stay.id)}@airbnb.com"
    about = (
        f"DESCRIPTION:Reservation URL: https://www.airbnb.com/hosting/reservations/details/{code_of(world, stay)}"
        f"\\nPhone Number (Last 4 Digits): {stay.phone[-4:]}"
    )
    if listing.form == _OLD:
        return wrap_event([*_dates(stay.check_in, stay.check_out)[::-1], uid, about, "SUMMARY:Reserved"])
    return wrap_event([_stamp(at), *_dates(stay.check_in, stay.check_out), "SUMMARY:Reserved", uid, about])


def _block(listing: Listing, span: Span, at: datetime) -> list[str]:
    tail = f"{digest('airbnb-block', listing.id, span.start)}@airbnb.com"
    if listing.form == _OLD:
        return wrap_event([*_dates(span.start, span.end)[::-1], f"UID:6fec1092d3fa-{tail}", "SUMMARY:Airbnb (Not available)"])
    summary = "SUMMARY:Airbnb (Not available)"
    return wrap_event([_stamp(at), *_dates(span.start, span.end), summary, f"UID:7f662ec65913-{tail}"])


def _stamp(at: datetime) -> str:
    return f"DTSTAMP:{stamp(at)}"


def _dates(start: date, end: date) -> list[str]:
    return [f"DTSTART;VALUE=DATE:{day(start)}", f"DTEND;VALUE=DATE:{day(end)}"]
