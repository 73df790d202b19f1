"""What an alert is about, with the names that a person knows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TypeAlias

from bokit.core.model.alerts import HoldCause
from bokit.core.model.events import EventType
from bokit.values import Value


class BookingName(Value):
    """A booking without its guest: who reports it, and its days."""

    source: str | None
    """Its full name; None: it was entered by hand."""
    check_in: date | None
    check_out: date | None


class ConflictNews(Value):
    """A double booking that was found, or that is over."""

    event_id: str
    at: datetime
    units: tuple[str, ...]
    """Their full names."""
    nights: tuple[date, ...]
    bookings: tuple[BookingName, ...]
    certainty: str
    """``certain``, ``likely`` or ``possible``."""
    is_turnover: bool = False
    """No night is shared, but there is too little time between two stays."""
    is_over: bool = False

    @property
    def is_certain(self) -> bool:
        """Return whether a night is very probably sold twice."""
        return self.certainty != "possible" and not self.is_turnover


class SourceNews(Value):
    """A calendar, or another source, that fails, is held, is stale, or is well again."""

    event_id: str
    type: EventType
    at: datetime
    source_id: str
    name: str
    """Its full name, with its unit."""
    code: str
    detail: str = ""
    """What the engine says of it, in a sentence."""
    since: datetime | None = None
    opens_at: datetime | None = None
    """When time lifts the hold; None: never."""
    hold: HoldCause | None = None
    """The hold, of one that is held."""


class OtherNews(Value):
    """Something of which the type and one name are enough."""

    event_id: str
    type: str
    at: datetime
    name: str
    reason: str = ""
    """Of a webhook that was switched off: ``gone`` or ``failing``."""


class UnreadNews(Value):
    """An outgoing calendar that a platform no longer reads."""

    event_id: str
    type: EventType
    at: datetime
    unit: str
    """Its full name."""
    reader: str
    """The platform's name."""
    late: timedelta
    """For how long it has not read."""
    usual: timedelta
    """How often it usually reads."""


News: TypeAlias = ConflictNews | SourceNews | UnreadNews | OtherNews


class Visit(Value):
    """An arrival or a departure of a day."""

    unit: str
    booking: BookingName
    nights: int


class DayNews(Value):
    """What a digest says of a day."""

    day: date
    arrivals: tuple[Visit, ...]
    departures: tuple[Visit, ...]
    open_conflicts: int = 0
    troubled: tuple[str, ...] = ()
    """Names of sources that fail, are held, or are stale."""


WEBHOOK_FAILED = "webhook.failed"
"""The type of an alert that a delivery was given up; the log has no event of it."""

ALERTED: Mapping[EventType, str] = {
    EventType.CONFLICT_OPENED: "conflict",
    EventType.CONFLICT_CLOSED: "conflict",
    EventType.SOURCE_FAILING: "source",
    EventType.SOURCE_HELD: "source",
    EventType.SOURCE_STALE: "source",
    EventType.SOURCE_RECOVERED: "source",
    EventType.WEBHOOK_DISABLED: "other",
    EventType.CALENDAR_UNREAD: "calendar",
}
"""The events of which alerts are made, and what each is about."""
