"""Which nights an event holds: one decision table for every calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from bokit.values import Value

NIGHT = timedelta(days=1)
DAY_BEGINS_BEFORE = time(0, 2)
"""A start before this is the day's own start: some exporters write 00:01."""
WHOLE_DAY_ENDS_FROM = time(18)
UTC_DAY_ENDS_FROM = time(23, 50)
LATE_END_FROM = time(21)

When = date | datetime


class EndsBeforeStartError(ValueError):
    """An event that ends before it starts."""


class EventNights(Value):
    """The nights ``[check_in, check_out)`` of an event."""

    check_in: date
    check_out: date
    is_late: bool = False  # the last night is held only since the event ends late in the evening
    is_one_day: bool = False  # an all-day event that ends on the day of its start


def which_nights(start: When, end: When, own: ZoneInfo, *, ends_on_last_night: bool = False) -> EventNights:
    """Return the nights of an event in a unit whose timezone is *own*; raises EndsBeforeStartError, OverflowError.

    event, first row that matches                                      nights
    all-day, in a calendar that ends on the last night                 the end's night too
    start of day to start of day, in the zone that it is written in,   the dates there, as written
    in UTC or in the unit's
    start of day to 18:00 or later, in one of these zones; in UTC to   the dates there, and the end's night
    23:50 or later: 0:00 to 19:00 UTC may be 16:00 to 11:00 on site
    timed, ends at or after 21:00 in the unit's zone                   the end's night too: *is_late*
    else                                                               the dates in the unit's zone
    whichever ends on the day of its start                             that night
    """
    if not isinstance(start, datetime) and not isinstance(end, datetime):
        if end < start:
            raise EndsBeforeStartError
        last = end + NIGHT if ends_on_last_night else end
        return EventNights(check_in=start, check_out=max(last, start + NIGHT), is_one_day=end == start and not ends_on_last_night)
    if isinstance(start, datetime) and isinstance(end, datetime) and end < start:
        raise EndsBeforeStartError
    whole = next(filter(None, (_whole_days(start, end, zone, own) for zone in _zones(start, end, own))), None)
    if whole:
        return EventNights(check_in=whole[0], check_out=max(whole[1], whole[0] + NIGHT))
    arrival, leaving = _in_zone(start, own).date(), _in_zone(end, own)
    if leaving.date() < arrival:
        raise EndsBeforeStartError
    is_late = leaving.date() > arrival and isinstance(end, datetime) and leaving.time() >= LATE_END_FROM
    last_day = leaving.date() + NIGHT if is_late else leaving.date()
    return EventNights(check_in=arrival, check_out=max(last_day, arrival + NIGHT), is_late=is_late)


def _whole_days(start: When, end: When, zone: tzinfo, own: ZoneInfo) -> tuple[date, date] | None:
    """Return the dates of an event that means whole days in *zone*; None if it does not."""
    first, last = _in_zone(start, zone), _in_zone(end, zone)
    if first.time() >= DAY_BEGINS_BEFORE or last.date() < first.date():
        return None
    if last.time() < DAY_BEGINS_BEFORE:
        return first.date(), last.date()
    is_foreign_utc = not first.utcoffset() and first.utcoffset() != _in_zone(start, own).utcoffset()
    ends_day = last.time() >= (UTC_DAY_ENDS_FROM if is_foreign_utc else WHOLE_DAY_ENDS_FROM)
    return (first.date(), last.date() + NIGHT) if ends_day else None


def _zones(start: When, end: When, own: ZoneInfo) -> tuple[tzinfo, ...]:
    """Return the zones in which an event may mean whole days; the one that it is written in comes first."""
    written = next((w.tzinfo for w in (start, end) if isinstance(w, datetime) and w.tzinfo), own)
    return (written, UTC, own)


def _in_zone(when: When, zone: tzinfo) -> datetime:
    """Return *when* on the clocks of *zone*; a date is the start of that day in every zone."""
    if not isinstance(when, datetime):
        return datetime.combine(when, time(), tzinfo=zone)
    return when if when.tzinfo is zone else when.astimezone(zone)
