"""Booking.com: one summary for reservations and closures; the UID is made of the room and the first night."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from bokit.core.ical.entries import Entry, Status
from bokit.core.ical.labels import is_label
from bokit.core.ical.platforms.base import Facts, Platform, RawEvent, Traits, UidRole, ends_within, relabel, reservation

_GUEST = re.compile(r"^CLOSED\s*-\s*(\S.*)$", re.I)
TRAILING = (544, 552)
"""The trailing closure ends this many days after today, and rolls every day (measured: 546 to 550)."""


def read_event(raw: RawEvent) -> Facts:
    """Return an event's facts: a reservation, since a closure looks the same and a reservation must not be released as one.

    Its status is undefined, or confirmed if an older feed names the guest.
    """
    guest = _GUEST.match(raw.summary.strip())
    guest = None if guest and is_label(guest[1]) else guest
    status = Status.CONFIRMED if guest else Status.UNDEFINED
    return reservation(raw, status, guest_name=guest and guest[1].strip())


def classify(entries: Sequence[Entry], today: date) -> Sequence[Entry]:
    """Label the trailing closure, which ends with Booking.com's calendar, as a window."""
    return relabel(entries, lambda e: e.status is Status.UNDEFINED and ends_within(e, today, TRAILING))


PLATFORM = Platform(
    name="booking_com",
    prodids=("admin.booking.com", "booking.com"),
    hosts=("booking.com",),
    read_event=read_event,
    classify=classify,
    traits=Traits(
        reservation_uids=UidRole.DATES,
        block_uids=UidRole.DATES,
        uid_has_start=True,
        stamps_fetches=True,
        shows_begun=True,
        marks_end=True,
        own_guests=True,
    ),
)
