"""What the API and the command line use of outgoing calendars: which one is asked for, and its variants."""

from __future__ import annotations

from bokit.core.occupancy.out_calendar import CalendarChoice, CalendarId, CalendarVariant, OutCalendar, read_variant

__all__ = ["CalendarChoice", "CalendarId", "CalendarVariant", "OutCalendar", "read_variant"]
