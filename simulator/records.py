"""What the simulated world is made of: listings, the stays in them, and the faults of their feeds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

PLATFORMS = ("airbnb", "booking_com", "vrbo", "beds24", "google")
TRAILING_DAYS = {"airbnb": 366, "booking_com": 548}
"""How many days ahead a platform's closure of the far future ends; the others close nothing by themselves."""


class StayKind(StrEnum):
    """Whose nights they are."""

    RESERVATION = "reservation"
    BLOCK = "block"


class FaultKind(StrEnum):
    """How a feed can answer wrongly."""

    EMPTY_CALENDAR = "empty-calendar"
    """Valid, and without events."""
    EMPTY_BODY = "empty-body"
    HTML = "html"
    JSON = "json"
    TRUNCATED = "truncated"
    """Cut in the middle, with a Content-Length that fits."""
    HALF = "half"
    """Every second event is left out."""
    OTHER_LISTING = "other-listing"
    BAD_DATE = "bad-date"
    """One event has a date that does not exist."""
    NOT_FOUND = "404"
    SERVER_ERROR = "500"
    TOO_MANY = "429"
    """With a Retry-After."""
    DRIP = "drip"
    """A byte a second."""
    TIMEOUT = "timeout"
    """Nothing at all, for a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One advertisement of one unit on one platform: one feed, at ``/<platform>/<name>.ics``."""

    platform: str
    name: str
    timezone: str = "Europe/Rome"
    form: str = ""
    """Airbnb ``0.8.8``: the older form. Booking.com ``whole``: before July 2026, ongoing stays keep their start.
    VRBO ``fr``: in French. Beds24 ``last-night``: events end with the last night. Google ``timed``: with hours."""
    notice_days: int = 0
    """Airbnb: that many days from today on are closed by the advance notice."""
    closed_from: date | None = None
    """From here on the calendar is closed, to a rolling end."""
    trailing_days: int | None = None
    """None: the platform's."""
    linked: tuple[str, ...] = ()
    """Feeds whose stays show here as blocks."""
    has_etag: bool = False
    """The platforms send none; a generic server may."""

    @property
    def id(self) -> str:
        """As it stands in the feed's path."""
        return f"{self.platform}/{self.name}"

    @property
    def zone(self) -> ZoneInfo:
        """Where the unit stands: its midnight is the feed's."""
        return ZoneInfo(self.timezone)

    def window_end(self, today: date) -> date | None:
        """Return where the closure of the far future ends today; None: there is none."""
        days = self.trailing_days or TRAILING_DAYS.get(self.platform)
        return today + timedelta(days=days) if days and self.closed_from else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A reservation or an owner's block: the truth, whatever a feed shows of it. Half-open: ``[check_in, check_out)``."""

    id: str
    listing: str
    kind: StayKind
    check_in: date
    check_out: date
    guest: str = ""
    phone: str = ""
    adults: int = 2
    children: int = 0
    is_tentative: bool = False
    weeks: int = 1
    """Google: how many weeks it repeats (RRULE)."""
    sequence: int = 0
    """How often its dates changed."""
    booked_at: datetime
    cancelled_at: datetime | None = None
    leaves_block: bool = False
    """VRBO: cancelled, and the nights stay ``Blocked``."""

    @property
    def is_active(self) -> bool:
        """Whether it exists."""
        return self.cancelled_at is None

    @property
    def is_reservation(self) -> bool:
        """Whether a guest has it."""
        return self.kind is StayKind.RESERVATION

    @property
    def nights(self) -> frozenset[date]:
        """Every night that it takes, its weekly repetitions included."""
        length = (self.check_out - self.check_in).days
        days = (week * 7 + day for week in range(self.weeks) for day in range(length))
        return frozenset(self.check_in + timedelta(days=day) for day in days)

    @property
    def holds_nights(self) -> bool:
        """Whether its nights are closed, by itself or by what its cancellation left."""
        return self.is_active or self.leaves_block


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A feed answers wrongly, for the next *left* answers or (None) until cleared."""

    kind: FaultKind
    left: int | None = None
    retry_after: int = 120


def digest(*parts: object) -> str:
    """Return 32 hex digits that depend on *parts* alone.

    >>> digest("a", 1) == digest("a", 1) != digest("a", 2)
    True
    """
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
