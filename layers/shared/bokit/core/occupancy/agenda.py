"""A day: who leaves, who arrives, who stays, and which units are blocked. Pure.

The page's agenda (``web/page/src/views/today.tsx``) asks the same of the same documents, and has the same names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from enum import StrEnum
from typing import Annotated, Literal, TypedDict

from bokit.core.ical.entries import EntryKind
from bokit.core.model.catalog import BOOKINGS, Source
from bokit.core.model.day_times import DEFAULT_TIMES, DayTimes
from bokit.core.model.documents import Count, Day
from bokit.core.model.records import Presence, Scope, SourceId
from bokit.core.occupancy.echo_verdict import EchoState
from bokit.core.occupancy.out_calendar import CalendarVariant, OutCalendar
from bokit.core.occupancy.turnovers import TurnoverDocument
from bokit.core.occupancy.view import BookingDocument
from bokit.values import Value, field


class DayPart(StrEnum):
    """What a day is for a booking, in the order in which the page lists them."""

    LEAVES = "leaves"
    ARRIVES = "arrives"
    STAYS = "stays"
    BLOCKED = "blocked"


class Place(TypedDict):
    """A unit, with the name of its property."""

    unit_id: str
    unit: Annotated[str, "Its full name: after its property's, where another unit is called the same."]
    unit_name: str
    property_id: str
    property: str


class AgendaEntry(Place):
    """A booking on a day."""

    booking_id: str
    who: Annotated[str, "The guest, or what else names the booking."]
    channels: Annotated[list[str], "The names of its sources."]
    check_in: Day
    check_out: Day
    time: Annotated[str | None, "As in 11:00: when the guest leaves, or may come, on this day, in the unit's timezone."]
    guests: Count | None
    turnover: Annotated[bool, "Another guest arrives on the day on which this one leaves, or the other way round."]
    kept: Annotated[bool, "Its calendar no longer shows it, or was removed; it is held nevertheless."]


class DayDocument(TypedDict):
    """Who leaves, arrives and stays on a day, and which units are blocked; by property and unit."""

    day: Day
    leaves: list[AgendaEntry]
    arrives: list[AgendaEntry]
    stays: list[AgendaEntry]
    blocked: list[AgendaEntry]
    turnovers: Annotated[list[TurnoverDocument], "Of the guests who leave; those of a unit made of parts leave all of them."]


class AgendaNames(Value):
    """What a day is described with: places in their order, channels, and bookings that their source no longer shows."""

    places: Mapping[str, Place]
    channel_of: Callable[[SourceId | None], str]
    kept: Set[str] = frozenset()
    times: Mapping[Scope, DayTimes] = field(default_factory=dict)


def part_of(booking: BookingDocument, day: str) -> DayPart | None:
    """Return what *day* is for a booking; None: it has nothing to do with it, or only repeats another one."""
    first, end = booking["check_in"], booking["check_out"]
    if not booking["blocks_nights"] or booking["state"] != EchoState.OWN or not first or not end or not first <= day <= end:
        return None
    if booking["kind"] != EntryKind.RESERVATION:
        return DayPart.BLOCKED if day < end else None
    return DayPart.LEAVES if day == end else DayPart.ARRIVES if day == first else DayPart.STAYS


def who_of(booking: BookingDocument) -> str:
    """Return the guest, or what else names a booking."""
    return str(booking["guest_name"] or booking["reservation_code"] or booking["summary"] or booking["kind"])


def describe_day(
    bookings: Iterable[BookingDocument], day: str, names: AgendaNames, turnovers: Iterable[TurnoverDocument] = ()
) -> DayDocument:
    """Return what *bookings* are on *day*; *turnovers* may be of other days, too."""
    parts: dict[DayPart, list[BookingDocument]] = {part: [] for part in DayPart}
    for booking in bookings:
        if booking["unit_id"] in names.places and (part := part_of(booking, day)):
            parts[part].append(booking)
    order = list(names.places)
    return {
        "day": day,
        "leaves": _describe_entries(parts[DayPart.LEAVES], names, "check_out", parts[DayPart.ARRIVES]),
        "arrives": _describe_entries(parts[DayPart.ARRIVES], names, "check_in", parts[DayPart.LEAVES]),
        "stays": _describe_entries(parts[DayPart.STAYS], names),
        "blocked": _describe_entries(parts[DayPart.BLOCKED], names),
        "turnovers": sorted(
            (t for t in turnovers if t["date"] == day and t["unit_id"] in names.places),
            key=lambda t: (order.index(t["unit_id"]), t["leaves"]),
        ),
    }


def _describe_entries(
    bookings: Iterable[BookingDocument],
    names: AgendaNames,
    time: Literal["check_in", "check_out"] | None = None,
    others: Iterable[BookingDocument] = (),
) -> list[AgendaEntry]:
    """Return the entries of *bookings* in the order of their places; *others* are those that come or go on the same day.

    *time* is which of the units' times is theirs on this day.
    """
    changing, order = {b["unit_id"] for b in others}, list(names.places)
    found = sorted(bookings, key=lambda b: (order.index(b["unit_id"]), b["id"]))
    return [_describe_entry(b, names, b["unit_id"] in changing, time) for b in found]


def _describe_entry(
    booking: BookingDocument, names: AgendaNames, turnover: bool, time: Literal["check_in", "check_out"] | None
) -> AgendaEntry:
    ids = {booking["id"], *(source["booking_id"] for source in booking["sources"])}
    sources = (source["source_id"] for source in booking["sources"])
    channels = dict.fromkeys(names.channel_of(SourceId(s) if s else None) for s in sources)
    return {
        **names.places[booking["unit_id"]],
        "booking_id": booking["id"],
        "who": who_of(booking),
        "channels": list(channels),
        "check_in": str(booking["check_in"]),
        "check_out": str(booking["check_out"]),
        "time": str(getattr(names.times.get(Scope(booking["unit_id"]), DEFAULT_TIMES), time)) if time else None,
        "guests": booking["guests"],
        "turnover": turnover,
        "kept": booking["presence"] == Presence.MISSING or bool(names.kept & ids),
    }


def find_without_calendar(sources: Iterable[Source], calendars: Sequence[OutCalendar]) -> list[Source]:
    """Return the channels that get no calendar of the unit that they list: nights booked elsewhere stay for sale there."""
    occupied = [c for c in calendars if c.variant is CalendarVariant.OCCUPIED]
    served = {(c.unit_id, c.consumer) for c in occupied}
    return [s for s in sources if is_channel(s) and not {(s.scope, s.id), (s.scope, platform_of(s))} & served]


def platform_of(source: Source) -> str:
    """Return the platform that a source is of: its owner's word, else its name."""
    return source.platform or re.sub(r"\W+", "_", source.name.lower())


def is_channel(source: Source) -> bool:
    """Return whether guests book there: a calendar of one's own needs none of ours."""
    return source.collection == BOOKINGS and not re.search("google|outlook", platform_of(source))
