"""What each calendar that is read says of a unit's night: when it was read, up to which date it speaks, what it shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, TypedDict
from zoneinfo import ZoneInfo

from bokit.core.bookings.nights import DAY, nights_of
from bokit.core.bookings.stay import is_window, published_nights, read_span, window_nights
from bokit.core.ical.entries import BLOCKING
from bokit.core.ical.reader import last_expanded
from bokit.core.model.documents import Day, Time
from bokit.core.model.due_times import SourceState
from bokit.core.model.records import Presence, Record


class NightClaim(StrEnum):
    """What a calendar says of a night."""

    TAKEN = "taken"
    FREE = "free"
    NOTHING = "nothing"
    """It was never read, or speaks of other nights: from the day of its reading up to *until*."""


class NightEvidence(TypedDict):
    """What one calendar that is read says of a night."""

    source_id: str
    name: Annotated[str, "The source's full name: `Garden flat / Airbnb`."]
    unit_id: Annotated[str, "Its unit: this one, one of its parts, or one that it is a part of."]
    state: SourceState
    read_at: Annotated[
        Time | None,
        "When the content was read that counts: before a guard held what came, and of content that repeats an old one, when that "
        "was made; null: never.",
    ]
    until: Annotated[Day | None, "It speaks of the nights before this day; null: it was never read."]
    shows_until: Annotated[Day | None, "The day after the last night that it shows as taken; null: it shows none."]
    says: NightClaim


def judge_evidence(
    records: Iterable[Record], night: date, *, read_at: datetime | None, zone: ZoneInfo, horizon: timedelta
) -> tuple[NightClaim, date | None, date | None]:
    """Return what a source's *records* say of *night*, the day up to which it speaks, and the day after the last night shown.

    never read                                     nothing
    it shows the night as taken                    taken
    before the day of the reading, or from the     nothing: calendars leave out what is past, and recurring events are
    horizon on                                     read no further
    else                                           free
    """
    shown = {n for record in records for n in shown_nights(record)}
    shows_until = max(shown) + DAY if shown else None
    if read_at is None:
        return NightClaim.NOTHING, None, shows_until
    today = read_at.astimezone(zone).date()
    until = last_expanded(today, horizon)
    if night in shown:
        return NightClaim.TAKEN, until, shows_until
    return NightClaim.FREE if today <= night < until else NightClaim.NOTHING, until, shows_until


def shown_nights(record: Record) -> set[date]:
    """Return the nights that a source shows as taken by *record*, whatever a person made of it."""
    if record.presence is not Presence.PRESENT or record.remote.get("status") not in BLOCKING:
        return set()
    return window_nights(record) | published_nights(record) if is_window(record) else nights_of([read_span(record.remote)])
