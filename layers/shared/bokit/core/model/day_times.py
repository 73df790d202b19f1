"""When guests arrive and leave on a day, in their unit's timezone, and how long cleaning takes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from bokit.core.model.catalog import Property, Unit
from bokit.values import Value

CHECK_IN_TIME, CHECK_OUT_TIME = "15:00", "11:00"
"""Where neither unit nor property has a time of its own."""
TIME_FIELDS = ("timezone", "check_in_time", "check_out_time", "cleaning_minutes")
"""The fields of units and properties that these times are made of."""


class DayTimes(Value):
    """The times that apply to a unit."""

    zone: str = "UTC"
    check_in: str = CHECK_IN_TIME
    check_out: str = CHECK_OUT_TIME
    cleaning_minutes: int | None = None
    changed_at: datetime | None = None
    """When one of them last changed; None: never, or not known."""

    def arrival_at(self, day: date) -> datetime:
        """Return when guests may come on *day*, in the unit's timezone."""
        return self._find_moment(day, self.check_in)

    def departure_at(self, day: date) -> datetime:
        """Return when guests have left on *day*, in the unit's timezone."""
        return self._find_moment(day, self.check_out)

    def _find_moment(self, day: date, clock: str) -> datetime:
        """Return the moment at which clocks show *clock*; where they skip it, the one as long after midnight as it says.

        >>> DayTimes(zone="Europe/Rome").departure_at(date(2026, 7, 1)).isoformat()
        '2026-07-01T11:00:00+02:00'
        """
        zone = ZoneInfo(self.zone)
        return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC).astimezone(zone)


DEFAULT_TIMES = DayTimes()


def read_times(unit: Unit, house: Property | None, zone: str) -> DayTimes:
    """Return the times of *unit*: its own, else its property's, else the defaults; *zone* is the tenant's timezone."""
    places: Sequence[Unit | Property] = [place for place in (unit, house) if place is not None]
    cleaning = (place.cleaning_minutes for place in places)
    inherits = any(getattr(unit, name) is None for name in TIME_FIELDS)
    changed = [place.times_changed_at for place in (places if inherits else [unit])]
    return DayTimes(
        zone=next((place.timezone for place in places if place.timezone), zone),
        check_in=next((place.check_in_time for place in places if place.check_in_time), CHECK_IN_TIME),
        check_out=next((place.check_out_time for place in places if place.check_out_time), CHECK_OUT_TIME),
        cleaning_minutes=next((minutes for minutes in cleaning if minutes is not None), None),
        changed_at=max((at for at in changed if at), default=None),
    )
