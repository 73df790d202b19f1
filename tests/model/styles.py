"""Ten kinds of feed: how a platform writes what it holds. Imports nothing of Bokit.

Nights are numbers: days since ``EPOCH``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

EPOCH = date(2026, 6, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How one kind of feed is written."""

    name: str
    prodid: str = "-//Small//Calendar//EN"
    uids: str = "stable"
    """stable; start: made of the first night; dates: of both; guid: another one with other dates; volatile: at every fetch."""
    coded: bool = False
    named: bool = False
    timed: bool = False
    merged: bool = False
    """Only nights: neighbouring ones are one closure."""
    clips: bool = False
    """A stay that has begun begins today."""
    states: bool = False
    """A cancelled stay is shown for two days, as cancelled."""
    upcoming: bool = False
    """A stay that has begun is not shown."""
    stamped: bool = False
    """DTSTAMP is the time of the fetch."""
    guest: str = "Reserved"
    closure: str = "Blocked"
    imported: str = "Blocked"

    def identifies(self, *, is_guest: bool) -> bool:
        """Return whether a booking that moves is known by its code, or by a UID that is not made of dates."""
        return is_guest if self.coded else self.uids == "stable"


STYLES = (
    Style(
        name="airbnb",
        prodid="-//Airbnb Inc//Hosting Calendar 1.0//EN",
        coded=True,
        stamped=True,
        closure="Airbnb (Not available)",
        imported="Airbnb (Not available)",
    ),
    Style(
        name="booking_com",
        prodid="-//admin.booking.com\\\\, b.v.//NONSGML v1.0//EN",
        uids="start",
        clips=True,
        stamped=True,
        guest="CLOSED - Not available",
        closure="CLOSED - Not available",
        imported="CLOSED - Not available",
    ),
    Style(name="vrbo", prodid="-//HomeAway.com, Inc.//EN", uids="guid", named=True, guest="Reserved - {}"),
    Style(name="names", named=True, guest="{}", closure="Blocked By Guesty", imported="Not available"),
    Style(name="stable"),
    Style(name="volatile", uids="volatile"),
    Style(name="dates", uids="dates", closure="Not available", imported="Not available"),
    Style(name="nights", uids="dates", merged=True, guest="Not available", closure="Not available", imported="Not available"),
    Style(name="timed", timed=True, states=True),
    Style(name="importer", guest="Busy", closure="Busy", imported="Busy"),
    Style(name="upcoming", upcoming=True, guest="Booked"),
)
FIRST_NAMES = ("Ada", "Bela", "Cleo", "Dora", "Emil", "Finn", "Gina", "Hugo", "Iris", "Jens", "Kaja", "Lars")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One event of a feed, and what it shows: a booking's number, or None for imported nights and joined ones."""

    of: int | None
    first: int
    end: int
    uid: str
    summary: str
    code: str | None = None
    cancelled: bool = False
    is_import: bool = False

    @property
    def nights(self) -> int:
        """Its nights as bits; none where it is cancelled."""
        return 0 if self.cancelled else span(self.first, self.end)


def span(first: int, end: int) -> int:
    """Return the nights from *first* to the day before *end*, as bits."""
    return (1 << max(end, 0)) - (1 << max(first, 0)) if end > first else 0


def spans(bits: int) -> list[tuple[int, int]]:
    """Return runs of neighbouring nights, each as first night and end."""
    found = []
    while bits:
        first = (bits & -bits).bit_length() - 1
        run = ~(bits >> first)
        length = (run & -run).bit_length() - 1
        found.append((first, first + length))
        bits &= ~span(first, first + length)
    return found


def name_of(number: int) -> str:
    """Return a guest's name of which no word is another guest's."""
    return f"{FIRST_NAMES[number % len(FIRST_NAMES)]}{number} Q{number}son"


def code_of(number: int) -> str:
    """Return a reservation code."""
    return f"HM{digest('code', number)[:8].upper()}"


def digest(*parts: object) -> str:
    """Return a short hash of *parts*."""
    return hashlib.md5("/".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()


def make_uid(style: Style, salt: str, number: int | None, dates: tuple[int, int], fetch: int) -> str:
    """Return the UID of an event in this *style*; *number* None: of nights that belong to nobody."""
    first, end = dates
    kind = "dates" if number is None and style.uids in ("stable", "guid") else style.uids
    if style.coded and number is not None and number < 0:
        kind = "start"
    if kind == "dates":
        return f"{day(first):%Y%m%d}-{day(end):%Y%m%d}-{salt}@small.example"
    parts = {"stable": (number,), "start": (first,), "guid": (number, first, end), "volatile": (number, first, end, fetch)}[kind]
    return f"{digest(salt, kind, *parts)}@{style.name}.example"


def day(number: int) -> date:
    """Return the date of a night."""
    return EPOCH + timedelta(days=number)


def write_calendar(style: Style, events: Sequence[Shown], made: datetime) -> bytes:
    """Return the feed's body."""
    stamp = f"DTSTAMP:{made:%Y%m%dT%H%M%SZ}\r\n" if style.stamped else ""
    head = f"BEGIN:VCALENDAR\r\nPRODID:{style.prodid}\r\nVERSION:2.0\r\n"
    return (head + "".join(write_event(style, event, stamp) for event in events) + "END:VCALENDAR\r\n").encode()


def write_event(style: Style, event: Shown, stamp: str) -> str:
    """Return the lines of one event."""
    first, end = day(event.first), day(event.end)
    if style.timed:
        when = f"DTSTART;TZID=Europe/Rome:{first:%Y%m%d}T150000\r\nDTEND;TZID=Europe/Rome:{end:%Y%m%d}T110000\r\n"
    else:
        when = f"DTSTART;VALUE=DATE:{first:%Y%m%d}\r\nDTEND;VALUE=DATE:{end:%Y%m%d}\r\n"
    url = "https://www.airbnb.com/hosting/reservations/details/"
    code = f"DESCRIPTION:Reservation URL: {url}{event.code}\r\n" if event.code else ""
    status = "STATUS:CANCELLED\r\n" if event.cancelled else ""
    return f"BEGIN:VEVENT\r\n{stamp}{when}SUMMARY:{event.summary}\r\nUID:{event.uid}\r\n{code}{status}END:VEVENT\r\n"
