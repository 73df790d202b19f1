"""Outgoing calendars: what one consumer is told of one unit. Pure; ``core.ical.writer`` writes it.

told: every booking that is its own, be it a reservation, a closure or a person's. Not told: nights that the consumer itself
told us of this unit; echoes, since all their nights are held by originals, which are told; what fades (``core.occupancy.echoes``);
windows, which are each calendar's own rules. What a doubtful feed newly closes is told as a closure: nobody knows yet
whether it is a booking, and a night that is told open is sold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NewType

from bokit.core.bookings.night_history import PLATFORM
from bokit.core.bookings.nights import DAY, Span, join_nights, nights_of, read_spans
from bokit.core.bookings.stay import PROVISIONAL
from bokit.core.ical.entries import Kind
from bokit.core.ical.writer import CalendarEvent, make_uid
from bokit.core.model.records import Json, Record, Scope, TenantId, scope_of
from bokit.core.occupancy.occupancy import Booking, Occupancy, State
from bokit.errors import InputError

CalendarId = NewType("CalendarId", str)

PAST = timedelta(days=92)
"""Stays that ended so long before the last change are left out."""


DETAILS = {"reservation_code": "Code", "guests": "Guests", "phone": "Phone", "phone_last4": "Phone ends in"}


class Variant(StrEnum):
    """What a calendar tells."""

    OCCUPIED = "occupied"
    """Every booking and closure."""
    BOOKINGS = "bookings"
    """Reservations alone."""
    ARRIVALS = "arrivals"
    """One event on each day of arrival."""
    DEPARTURES = "departures"
    """One event on each day of departure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutCalendar:
    """One unit's calendar for one consumer. Its path's token is not stored: its hash is."""

    id: CalendarId
    tenant: TenantId
    unit_id: Scope
    consumer: str | None
    """A platform's name, or a source's id: what that one told us is not told back. None: for anybody."""
    variant: Variant = Variant.OCCUPIED
    details: bool | None = None
    """Whether guests are named; None: as ``export.anonymous`` says."""
    turn: int = 1
    """How often its path was made anew: with the stack's key and the id, what the token derives from."""
    hash: str
    former_hash: str | None = None
    former_until: datetime | None = None
    """A rotated path works until then."""
    created_at: datetime

    def as_fields(self) -> dict[str, Json]:
        """Return what its record keeps."""
        return {
            "consumer": self.consumer,
            "variant": str(self.variant),
            "details": self.details,
            "turn": self.turn,
            "hash": self.hash,
            "former_hash": self.former_hash,
            "former_until": self.former_until.isoformat() if self.former_until else None,
        }


def read_calendar(record: Record) -> OutCalendar:
    """Return the calendar that *record* keeps."""
    told = record.remote
    until = told.get("former_until")
    return OutCalendar(
        id=CalendarId(record.id),
        tenant=record.tenant,
        unit_id=scope_of(record.id),
        consumer=told["consumer"],
        variant=Variant(told["variant"]),
        details=told["details"],
        turn=told["turn"],
        hash=told["hash"],
        former_hash=told.get("former_hash"),
        former_until=datetime.fromisoformat(until) if until else None,
        created_at=record.created_at,
    )


def read_variant(word: str) -> Variant:
    """Return the variant of this name, or raise InputError that lists them."""
    try:
        return Variant(word.strip().casefold())
    except ValueError:
        names = ", ".join(Variant)
        raise InputError(f"no such variant; write one of {names}", code="bad-field", field="variant") from None


def select_events(occupancy: Occupancy, calendar: OutCalendar, *, anonymous: bool) -> list[CalendarEvent]:
    """Return what *calendar* tells of *occupancy*, in which its unit is."""
    mine = occupancy.of_unit(calendar.unit_id)
    told = [(b, spans) for b in mine if (spans := join_nights(_nights_of(b) - _known_nights(b, calendar)))]
    since = _first_day(r for b, _ in told for r in b.records)
    return [
        event
        for booking, spans in told
        for event in _write_events(booking, _choose_days(booking, spans, calendar.variant), since, calendar, anonymous=anonymous)
    ]


def _nights_of(booking: Booking) -> set[date]:
    """Return the nights of *booking* that others are told; of a window those that a doubtful feed closes."""
    if booking.state is State.OWN:
        return set(booking.grid.nights(booking.bits & ~booking.judgement.fades & ~booking.judgement.repeats))
    if booking.state is State.WINDOW:
        return nights_of(span for r in booking.records for span in read_spans(r.remote.get(PROVISIONAL, ())))
    return set()


def _known_nights(booking: Booking, calendar: OutCalendar) -> set[date]:
    """Return the nights of *booking* that the consumer itself told us of this unit.

    Of a linked unit it may know them in another listing than this; nights that a person or another source added it does not know.
    """
    if calendar.consumer is None:
        return set()
    mine = (h.record for h in booking.holdings if h.unit == calendar.unit_id)
    told = [r for r in mine if calendar.consumer in (r.memory.get(PLATFORM), r.source_id)]
    if booking.state is State.WINDOW:
        return _nights_of(booking) if told else set()
    return nights_of((date.fromisoformat(r.remote["check_in"]), date.fromisoformat(r.remote["check_out"])) for r in told)


def _first_day(records: Iterable[Record]) -> date:
    """Return the day before which nothing is told: from the data alone, so that equal data gives equal bytes on any day."""
    return max((r.updated_at.date() for r in records), default=date.min + PAST) - PAST


def _choose_days(booking: Booking, spans: list[Span], variant: Variant) -> list[Span]:
    """Return the events' days: the nights that it holds, or the one day on which guests come or go."""
    if variant is Variant.OCCUPIED:
        return spans
    if booking.kind is not Kind.RESERVATION:
        return []
    come, go = spans[0][0], spans[-1][1]
    days = {Variant.BOOKINGS: spans, Variant.ARRIVALS: [(come, come + DAY)], Variant.DEPARTURES: [(go, go + DAY)]}
    return days[variant]


def _write_events(
    booking: Booking, days: list[Span], since: date, calendar: OutCalendar, *, anonymous: bool
) -> Iterator[CalendarEvent]:
    summary, description = ("", "") if anonymous else _read_details(booking.fields)
    plain = "Reserved" if booking.kind is Kind.RESERVATION else "Not available"
    for number, (first, end) in enumerate(days):
        if end > since:
            yield CalendarEvent(
                uid=make_uid(booking.id, calendar.variant, str(number)),
                first=first,
                end=end,
                summary=summary or plain,
                description=description,
                changed_at=max(r.updated_at for r in booking.records),
            )


def _read_details(told: Mapping[str, Json]) -> tuple[str, str]:
    """Return summary and description of a booking whose guest may be named; a person's notes stay private."""
    lines = [f"{label}: {told[name]}" for name, label in DETAILS.items() if told.get(name)]
    return str(told.get("guest_name") or ""), "\n".join(lines)
