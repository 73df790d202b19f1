"""Feeds as the platforms write them, built from a few dates: for tests that need many."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

AT = datetime(2026, 11, 20, 10, 20, tzinfo=UTC)
TODAY = AT.date()
HEADS = {
    "airbnb": "PRODID:-//Airbnb Inc//Hosting Calendar 1.0//EN\r\nCALSCALE:GREGORIAN\r\nVERSION:2.0\r\n",
    "booking_com": "VERSION:2.0\r\nPRODID:-//admin.booking.com\\\\\\, b.v.//NONSGML v1.0//EN\r\nMETHOD:PUBLISH\r\n",
    "vrbo": "PRODID:-//HomeAway.com, Inc.//EN\r\nVERSION:2.0\r\n",
}


def airbnb_event(number: int, start: date, nights: int, stamp: str = "20261120T101500Z") -> str:
    """A reservation of Airbnb's, folded as it folds."""
    return (
        f"BEGIN:VEVENT\r\nDTSTAMP:{stamp}\r\nDTSTART;VALUE=DATE:{start:%Y%m%d}\r\n"
        f"DTEND;VALUE=DATE:{start + timedelta(days=nights):%Y%m%d}\r\nSUMMARY:Reserved\r\n"
        f"UID:1418fb94e984-{number:032x}@airbnb.com\r\nDESCRIPTION:Reservation URL: https://www.airbnb.com/hosting/reservations/de\r\n"
        f" tails/HM{number:08d}\\nPhone Number (Last 4 Digits): {number % 10000:04d}\r\nEND:VEVENT\r\n"
    )


def booking_event(number: int, start: date, nights: int, stamp: str = "20261120T101500Z") -> str:
    """A closure of Booking.com's."""
    return (
        f"BEGIN:VEVENT\r\nDTSTAMP:{stamp}\r\nDTSTART;VALUE=DATE:{start:%Y%m%d}\r\n"
        f"DTEND;VALUE=DATE:{start + timedelta(days=nights):%Y%m%d}\r\nUID:{number:032x}@booking.com\r\n"
        "SUMMARY:CLOSED - Not available\r\nORGANIZER:mailto:noreply@booking.com\r\nEND:VEVENT\r\n"
    )


def vrbo_event(number: int, start: date, nights: int, stamp: str = "20261120T101500Z") -> str:
    """A reservation of VRBO's."""
    return (
        f"BEGIN:VEVENT\r\nUID:{number:08d}-0000-4000-8000-000000000000\r\nDTSTAMP:{stamp}\r\n"
        f"DTSTART;VALUE=DATE:{start:%Y%m%d}\r\nDTEND;VALUE=DATE:{start + timedelta(days=nights):%Y%m%d}\r\n"
        f"SUMMARY:Reserved - Zoé {number}\r\nEND:VEVENT\r\n"
    )


EVENTS = {"airbnb": airbnb_event, "booking_com": booking_event, "vrbo": vrbo_event}


def calendar(platform: str, events: Iterable[str]) -> bytes:
    """A whole calendar of *events*."""
    return f"BEGIN:VCALENDAR\r\n{HEADS[platform]}{''.join(events)}END:VCALENDAR\r\n".encode()


def sample(platform: str, count: int = 3, stamp: str = "20261120T101500Z") -> bytes:
    """A feed of *count* stays of two nights, three days apart."""
    event = EVENTS[platform]
    return calendar(platform, (event(i + 1, TODAY + timedelta(days=3 * i + 1), 2, stamp) for i in range(count)))
