"""Calendars of many events, in every shape that makes it costly to match them: as read first, and as they change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta

FIRST = date(2026, 12, 1)
"""The first night of most shapes; fetches are in November 2026."""
AIRBNB, BOOKING_COM, GENERIC = (
    "-//Airbnb Inc//Hosting Calendar 1.0//EN",
    "-//admin.booking.com\\, b.v.//NONSGML v1.0//EN",
    "-//A//EN",
)


@dataclass(frozen=True, slots=True)
class ShapedEvent:
    """One event: its UID, its nights as days after FIRST, and what it says."""

    uid: str
    first: int
    nights: int
    summary: str = "CLOSED - Not available"
    description: str = ""

    def text(self) -> str:
        """Return it as a calendar has it."""
        start, end = FIRST + timedelta(days=self.first), FIRST + timedelta(days=self.first + self.nights)
        more = f"DESCRIPTION:{self.description}\r\n" if self.description else ""
        return (
            f"BEGIN:VEVENT\r\nUID:{self.uid}\r\nDTSTART;VALUE=DATE:{start:%Y%m%d}\r\nDTEND;VALUE=DATE:{end:%Y%m%d}\r\n"
            f"SUMMARY:{self.summary}\r\n{more}END:VEVENT\r\n"
        )


Events = Callable[[int, int], Iterable[ShapedEvent]]
"""The events of a shape: of this many, at the n-th fetch that shows something new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedShape:
    """A shape of calendars."""

    name: str
    events: Events
    prodid: str = GENERIC

    def body(self, count: int, fetch: int = 0) -> bytes:
        """Return the calendar of *count* events, as fetch number *fetch* shows it."""
        return write(self.events(count, fetch), self.prodid)


def write(events: Iterable[ShapedEvent], prodid: str = GENERIC, stamp: str = "") -> bytes:
    """Return a calendar of *events*; *stamp*: their DTSTAMP."""
    texts = "".join(event.text() for event in events)
    if stamp:
        texts = texts.replace("BEGIN:VEVENT\r\n", f"BEGIN:VEVENT\r\nDTSTAMP:{stamp}\r\n")
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{prodid}\r\n{texts}END:VCALENDAR\r\n".encode()


def word(number: int) -> str:
    """Return a name that no other number has."""
    letters = ""
    for _ in range(5):
        number, rest = divmod(number, 26)
        letters += "abcdefghijklmnopqrstuvwxyz"[rest]
    return f"Guest{letters}"


def code(number: int) -> str:
    """Return an address with a reservation code that no other number has."""
    return f"https://www.airbnb.com/hosting/reservations/details/HM{number:08d}"


def _shape(name: str, event: Callable[[int, int, int], ShapedEvent], prodid: str = GENERIC) -> FeedShape:
    """Return the shape whose event *i* of *n* at a *fetch* is ``event(i, n, fetch)``."""
    return FeedShape(name=name, events=lambda n, fetch: (event(i, n, fetch) for i in range(n)), prodid=prodid)


BLOCK = "Airbnb (Not available)"


def _codes_or_blocks(i: int, fetch: int) -> ShapedEvent:
    if fetch % 2:
        return ShapedEvent(f"{fetch}-{i}@airbnb.com", i % 600, 9, BLOCK)
    return ShapedEvent(f"{i}@airbnb.com", i % 600, 9, "Reserved", code(i))


def _guest(number: int) -> str:
    return f"Reserved - {word(number)}"


SHAPES = (
    _shape("disjoint", lambda i, n, f: ShapedEvent(f"{i}@x", i, 2 if f and i == n // 2 else 1)),
    _shape("disjoint names", lambda i, n, f: ShapedEvent(f"{i}@x", i, 1, _guest(i + f * (i % 2)))),
    _shape("renamed", lambda i, n, f: ShapedEvent(f"{f}-{i}@x", i, 1, _guest(i + f))),
    _shape("all overlapping", lambda i, n, f: ShapedEvent(f"{f}-{i}@x", i % 350 + f, 700 - i % 349)),
    _shape("staircase", lambda i, n, f: ShapedEvent(f"{f}-{i}@booking.com", i + f, n), BOOKING_COM),
    _shape("half of a staircase", lambda i, n, f: ShapedEvent(f"{f * (i % 2)}-{i}@x", i + f, 300)),
    _shape("short staircase", lambda i, n, f: ShapedEvent(f"{f}-{i}@x", i + f, 60)),
    _shape("same nights", lambda i, n, f: ShapedEvent(f"{f}-{i}@x", 9, 7 + f)),
    _shape("same nights, names", lambda i, n, f: ShapedEvent(f"{f}-{i}@x", 9, 7, _guest(f * n + i))),
    _shape("same nights, same names", lambda i, n, f: ShapedEvent(f"{f}-{i}@x", 9, 7 + f, _guest(i))),
    _shape("same UID", lambda i, n, f: ShapedEvent("one@x", i % 700 + f, 1 + i // 700)),
    _shape("same UID, names", lambda i, n, f: ShapedEvent("one@x", i, 2, _guest(f * n + i))),
    _shape("same UID and nights", lambda i, n, f: ShapedEvent("one@x", 9, 7 + f, _guest(i))),
    _shape("nested", lambda i, n, f: ShapedEvent(f"{f}-{i}@x", i % 400 + f, 810 - 2 * (i % 400))),
    _shape("a thousand years", lambda i, n, f: ShapedEvent(f"{i}@x", i + f, 365_000)),
    _shape("ten years", lambda i, n, f: ShapedEvent(f"{f}-{i}@x", i + f, 3650)),
    _shape("one label", lambda i, n, f: ShapedEvent(f"{f}-{i}@x", i % 300, 3 + f, "Ann Lee")),
    _shape("one name", lambda i, n, f: ShapedEvent(f"{f}-{i}@x", i % 300, 3 + f, "Reserved - Ann Lee")),
    _shape("names in one block", lambda i, n, f: ShapedEvent(f"{f}-{i}@x", 0, (n - i) % 700 + 1 + f, _guest(i))),
    _shape("no label", lambda i, n, f: ShapedEvent(f"{f}-{i}@x", i % 500, 2 + f, "")),
    _shape("codes", lambda i, n, f: ShapedEvent(f"{i}@airbnb.com", i % 600 + f, 9, "Reserved", code(i)), AIRBNB),
    _shape("fewer codes", lambda i, n, f: ShapedEvent(f"{i}@airbnb.com", i % 600, 9, "Reserved", code(i + f * n // 4)), AIRBNB),
    _shape("blocks", lambda i, n, f: ShapedEvent(f"{f}-{i}@airbnb.com", i + f, 60, BLOCK), AIRBNB),
    _shape("codes leave for blocks", lambda i, n, f: _codes_or_blocks(i, f), AIRBNB),
    _shape("clips", lambda i, n, f: ShapedEvent(f"{f}-{i}@booking.com", -20 - i % 300, 40 + i % 900), BOOKING_COM),
    _shape("past", lambda i, n, f: ShapedEvent(f"{f}-{i}@x", -60 - i % 700, 3, _guest(i))),
)
