"""Pairs: an entry, the stay that it is, and why."""

from __future__ import annotations

from enum import StrEnum

from bokit.core.bookings.stay import Stay
from bokit.core.ical.entries import Entry
from bokit.values import Value


class MatchReason(StrEnum):
    """Why an entry is a known stay, or a new one; stored in the change log."""

    NEW = "new in the feed"
    CODE = "the same reservation code"
    UID = "the same UID"
    NIGHTS = "the same nights"
    DEPARTURE = "the same departure day"
    ARRIVAL = "the same arrival day"
    OVERLAP = "most of the same nights"
    RETURN = "back with the same nights"
    SPLIT = "split off from a joined stay"


class Pair(Value):
    """An entry and its stay (None: a new one)."""

    entry: Entry
    stay: Stay | None
    reason: MatchReason
    by_nights: bool = False
    """Nights alone say that it is this stay: it may be another guest."""
