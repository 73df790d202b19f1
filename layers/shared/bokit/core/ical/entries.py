"""Entries: what a calendar feed shows, read and typed, before it is decided which booking each one is."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from bokit.core.model.records import Fields
from bokit.values import Value, field


class EntryKind(StrEnum):
    """What an entry or a booking is."""

    RESERVATION = "reservation"
    BLOCK = "block"
    WINDOW = "window"
    """Nights closed by a rule that moves with the calendar (horizon, advance notice, preparation): held, but not a booking."""


class Status(StrEnum):
    """Bokit's statuses; ``BLOCKING`` are those that block nights."""

    REQUEST = "request"
    NEW = "new"
    TENTATIVE = "tentative"
    CONFIRMED = "confirmed"
    UNDEFINED = "undefined"
    BLOCKED = "blocked"
    UNAVAILABLE = "unavailable"
    INQUIRY = "inquiry"
    CANCELLED = "cancelled"
    CANCELLED_BY_OWNER = "cancelled_by_owner"
    CANCELLED_BY_GUEST = "cancelled_by_guest"
    VANISHED = "vanished"
    DELETED = "deleted"


CANCELLED = frozenset({Status.CANCELLED, Status.CANCELLED_BY_OWNER, Status.CANCELLED_BY_GUEST, Status.VANISHED, Status.DELETED})
BLOCKING = frozenset(Status) - CANCELLED - {Status.INQUIRY}


LATE_END = "late_end"
"""In an entry's *extra*: its last night is held only since it ends late in the evening."""


class Entry(Value):
    """One event of a feed, in the unit's timezone. The stay is half-open: ``[check_in, check_out)``."""

    uid: str
    recurrence_id: str | None = None
    kind: EntryKind
    status: Status
    check_in: date
    check_out: date  # always after *check_in*
    starts_at: datetime | None = None  # UTC; None for all-day events
    ends_at: datetime | None = None
    summary: str = ""
    guest_name: str | None = None
    reservation_code: str | None = None  # the platform's own, one to one with a booking (Airbnb's ``HM…``)
    reservation_url: str | None = None
    phone_last4: str | None = None
    phone: str | None = None
    email: str | None = None
    country: str | None = None
    guests: int | None = None
    adults: int | None = None
    children: int | None = None
    ota: str | None = None
    ota_reference: str | None = None
    comments: str | None = None
    notes: str | None = None
    sequence: int = 0
    extra: Fields = field(default_factory=dict)  # other facts that the platform's file found worth keeping
