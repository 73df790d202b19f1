"""Outgoing calendars: what one consumer is shown of one unit. Pure; ``core.ical.writer`` writes it.

Which nights are shown is judged in ``core.occupancy.publication``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, TypedDict

from bokit.core.bookings.nights import DAY, Span
from bokit.core.bookings.stay import time_or_none
from bokit.core.ical.entries import EntryKind
from bokit.core.ical.writer import CalendarEvent, make_uid
from bokit.core.model.catalog import Unit
from bokit.core.model.day_times import DEFAULT_TIMES, DayTimes
from bokit.core.model.documents import Time
from bokit.core.model.records import Fields, Record
from bokit.core.occupancy.calendar_reads import PublishedTimes
from bokit.core.occupancy.echo_verdict import EchoVerdict
from bokit.core.occupancy.limits import MAX_EXPORTED_AGE
from bokit.core.occupancy.night_bits import Bits
from bokit.core.occupancy.occupancy import Booking
from bokit.core.occupancy.out_calendar import CalendarVariant, OutCalendar
from bokit.core.occupancy.publication import PublicationRules, Withheld
from bokit.core.occupancy.turnovers import Turnover, TurnoverWarning, UnitTimes, find_turnovers

MIN_TURNOVER_MINUTES = 60
"""How long the event of a turnover lasts where guests may come before others leave, and nothing says how long cleaning takes."""
TURNOVER_WARNINGS = {
    TurnoverWarning.TOO_SHORT: "Too little time before the next guest",
    TurnoverWarning.DOUBLE_BOOKING: "Double booking: the next guest has nights of this one's",
}
DETAILS = {"reservation_code": "Code", "guests": "Guests", "phone": "Phone", "phone_last4": "Phone ends in"}


def select_events(
    rules: PublicationRules,
    calendar: OutCalendar,
    *,
    anonymous: bool,
    units: Sequence[Unit] = (),
    times: UnitTimes = MappingProxyType({}),
) -> list[CalendarEvent]:
    """Return the events of *calendar*, whose unit is in the occupancy of *rules*; *units* are those linked with it."""
    mine = rules.occupancy.of_unit(calendar.unit_id)
    judged = [(b, rules.judge(b, calendar.unit_id, calendar.consumer).shown) for b in mine]
    shown = [(b, bits) for b, bits in judged if bits]
    since = _first_day(h.record for b, _ in shown for h in b.holdings)
    if calendar.variant is CalendarVariant.TURNOVERS:
        found = find_turnovers(rules.occupancy, units, calendar.unit_id, times, (since, date.max))
        published = {booking.id for booking, _ in shown}
        return [_write_turnover(t, times, anonymous=anonymous) for t in found if t.leaves.id in published]
    written = rules.written.setdefault((since, calendar.variant, anonymous, *times.items()), {})
    for booking, bits in shown:
        if (booking.id, bits) not in written:
            given = booking, bits, since, calendar.variant, times.get(booking.unit_id, DEFAULT_TIMES)
            written[booking.id, bits] = _write_events(*given, anonymous=anonymous)
    return [event for booking, bits in shown for event in written[booking.id, bits]]


def _first_day(records: Iterable[Record]) -> date:
    """Return the day before which nothing is exported: derived from the data alone, so equal data gives equal bytes."""
    return max([r.updated_at.date() for r in records], default=date.min + MAX_EXPORTED_AGE) - MAX_EXPORTED_AGE


def _choose_days(booking: Booking, bits: Bits, variant: CalendarVariant) -> Sequence[Span]:
    """Return the events' days: the nights that it holds, or the one day on which the guests arrive or depart."""
    if booking.kind is not EntryKind.RESERVATION and variant is not CalendarVariant.OCCUPIED:
        return ()
    spans = booking.grid.spans(bits)
    if variant in (CalendarVariant.OCCUPIED, CalendarVariant.BOOKINGS):
        return spans
    day = spans[0][0] if variant is CalendarVariant.ARRIVALS else spans[-1][1]
    return [(day, day + DAY)]


def _write_events(
    booking: Booking, bits: Bits, since: date, variant: CalendarVariant, times: DayTimes, *, anonymous: bool
) -> list[CalendarEvent]:
    """Return the events of the nights *bits* of *booking*; none that ended by *since*."""
    days = [(number, first, end) for number, (first, end) in enumerate(_choose_days(booking, bits, variant)) if end > since]
    if not days:
        return []
    summary, details = ("", "") if anonymous else read_details(booking.fields)
    plain = "Reserved" if booking.kind is EntryKind.RESERVATION else "Not available"
    clock = _write_clock(variant, times)
    description = "\n".join(filter(None, (clock, details)))
    changed_at = _find_last_change([booking], [times]) if clock else booking.updated_at
    return [
        CalendarEvent(
            uid=make_uid(booking.id, variant, str(number)),
            first=first,
            end=end,
            summary=summary or plain,
            description=description,
            changed_at=changed_at,
        )
        for number, first, end in days
    ]


def _write_clock(variant: CalendarVariant, times: DayTimes) -> str:
    """Return when guests may come, or leave, on the day of an event that stands for that."""
    if variant is CalendarVariant.ARRIVALS:
        return f"Check-in from {times.check_in}"
    return f"Check-out by {times.check_out}" if variant is CalendarVariant.DEPARTURES else ""


def _write_turnover(turnover: Turnover, times: UnitTimes, *, anonymous: bool) -> CalendarEvent:
    """Return the event of a turnover: up to the next check-in, or to the usual time of that where nobody comes on the day."""
    (since, until), leaves, arrives = turnover.span, turnover.leaves, turnover.arrives
    guests = [booking for booking in (leaves, arrives) if booking is not None]
    places = (turnover.unit_id, *(booking.unit_id for booking in guests))
    end = until if until and turnover.is_same_day else times.get(turnover.unit_id, DEFAULT_TIMES).arrival_at(turnover.day)
    least = since + timedelta(minutes=turnover.cleaning_minutes or MIN_TURNOVER_MINUTES)
    lines = [f"Check-out by {since:%H:%M}", _write_next(turnover)]
    if turnover.cleaning_minutes:
        lines.append(f"Cleaning takes {turnover.cleaning_minutes} minutes")
    lines += [TURNOVER_WARNINGS[turnover.warning]] if turnover.warning else []
    for word, booking in () if anonymous else (("Leaves", leaves), ("Arrives", arrives)):
        if booking is not None:
            name, details = read_details(booking.fields)
            lines += [f"{word}: {name or 'guest'}", *filter(None, [details])]
    return CalendarEvent(
        uid=make_uid(leaves.id, CalendarVariant.TURNOVERS, "0"),
        first=since,
        end=end if end > since else least,
        summary="Turnover, next guest the same day" if turnover.is_same_day else "Turnover",
        description="\n".join(lines),
        changed_at=_find_last_change(guests, (times.get(unit, DEFAULT_TIMES) for unit in places)),
    )


def _find_last_change(bookings: Iterable[Booking], times: Iterable[DayTimes]) -> datetime:
    """Return when an event last changed: with its bookings, or with the times of their units that it says."""
    changed = [booking.updated_at for booking in bookings]
    return max([*changed, *(of_unit.changed_at for of_unit in times if of_unit.changed_at)])


def _write_next(turnover: Turnover) -> str:
    until = turnover.span[1]
    return f"Next guest from {until:%a} {until.day} {until:%b %Y, %H:%M}" if until else "Nobody is booked after"


def read_details(fields: Fields) -> tuple[str, str]:
    """Return summary and description of a booking whose guest may be named; a person's notes stay private."""
    lines = [f"{label}: {fields[name]}" for name, label in DETAILS.items() if fields.get(name)]
    return str(fields.get("guest_name") or ""), "\n".join(lines)


WHY_WITHHELD = {
    Withheld.WINDOW: "a calendar's own rules close it, and every calendar has its own",
    Withheld.CONSUMERS_OWN: "it is from this channel itself",
    Withheld.FADING: "what it repeated was removed; if its channel still shows it on {until}, it is published from then on",
    Withheld.ECHO: "it only repeats a booking that this calendar shows, or that is from this channel itself",
    Withheld.VARIANT: "this calendar shows reservations alone",
}


class WithheldBooking(TypedDict):
    """A booking that holds the night, and is left out of a calendar."""

    booking_id: str
    reason: Withheld
    why: Annotated[str, "The reason, in words."]


_Consumer = TypedDict("_Consumer", {"for": Annotated[str | None, "The consumer; null: anybody."]})


class PublishedNight(_Consumer):
    """What one outgoing calendar says of a night."""

    calendar_id: str
    variant: CalendarVariant
    last_read_at: Annotated[Time | None, "When it was last read, to a quarter of an hour; null: never."]
    closed: Annotated[bool, "Whether the calendar shows the night as taken."]
    closed_since: Annotated[Time | None, "Since when; null: it does not, or that is not known."]
    read_closed_at: Annotated[Time | None, "When it was first read with the night closed; null: not yet, or not known."]
    shown: Annotated[list[str], "Ids of the bookings for which it does."]
    withheld: list[WithheldBooking]


def explain_calendar(
    rules: PublicationRules,
    calendar: OutCalendar,
    night: date,
    last_read_at: datetime | None,
    times: PublishedTimes | None = None,
) -> PublishedNight:
    """Return what *calendar* says of *night*, and why it leaves out the bookings that it leaves out.

    *times* are since when its page shows the night as taken.
    """
    shown: list[str] = []
    withheld: list[WithheldBooking] = []
    for booking in rules.occupancy.holding(calendar.unit_id, night):
        reason = rules.explain(booking, calendar.unit_id, calendar.consumer, night)
        if reason is None and booking.kind is not EntryKind.RESERVATION and calendar.variant is not CalendarVariant.OCCUPIED:
            reason = Withheld.VARIANT
        if reason is None:
            shown.append(booking.id)
        else:
            withheld.append({"booking_id": booking.id, "reason": reason, "why": _why_withheld(reason, booking.verdict)})
    return {
        "for": calendar.consumer,
        "calendar_id": calendar.id,
        "variant": calendar.variant,
        "last_read_at": time_or_none(last_read_at),
        "closed": bool(shown),
        "closed_since": time_or_none(times.since if times and shown else None),
        "read_closed_at": time_or_none(times.read_at if times and shown else None),
        "shown": shown,
        "withheld": withheld,
    }


def _why_withheld(reason: Withheld, verdict: EchoVerdict) -> str:
    until = verdict.until
    if reason is Withheld.FADING and until is None:
        return "what it repeated was removed, and its channel no longer shows it"
    if reason is Withheld.FADING and verdict.is_awaited:
        return (
            f"what it repeated was removed; it is published if its channel still shows it after it has read its calendar again, "
            f"or on {until:%Y-%m-%d %H:%M} UTC"
        )
    return WHY_WITHHELD[reason].format(until=f"{until:%Y-%m-%d %H:%M} UTC" if until else "")
