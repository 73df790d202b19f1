"""Limits of one feed: whatever its bytes hold, reading them takes a bounded time and memory."""

from __future__ import annotations

from datetime import timedelta

MAX_FEED_BYTES = 8_000_000  # of a decoded body
MAX_FEED_EVENTS = 10_000  # of one body
MAX_CALENDARS = 100  # VCALENDARs of one body
MAX_OPEN_COMPONENTS = 100  # inside one another, as far as they are followed
MAX_PARAMETER_TEXT = 20_000
"""Characters of a line's name and parameters that are searched for quotes; the rest is taken as it stands."""
MAX_TEXT = 10_000
"""Characters of a text; no platform writes more, and every booking would carry them."""
MAX_SERIES_EVENT_TEXT = 1_000
"""The same for an event of a series: each of its stays carries the text."""
MAX_SNAPSHOT_BYTES = 64_000_000  # of the stored content, unpacked
MAX_WRITTEN_TEXT = 4_000  # characters of a text of an outgoing calendar

MAX_ZONE_TEXT = 20_000  # characters of a VTIMEZONE
MAX_ZONE_RULES = 20  # RRULEs of a VTIMEZONE
MAX_ZONE_NAMES = 200
"""Different TZIDs that are looked up for one calendar."""
MAX_BUILT_ZONES = 20
"""VTIMEZONEs that are built for one calendar; real ones have a handful."""
MAX_YEAR = 9990
"""Later times leave no room for an offset; calendars write 9999 for "without an end"."""

MAX_STAY = timedelta(days=3660)
"""Longer stays are clipped to the years around the day of the fetch."""
MAX_YEARS_AHEAD, MAX_YEARS_BACK = 30, 10
"""Stays that begin in a later year, or ended in an earlier one, are not read; a year like 2206 is most likely a slip."""
MAX_WINDOW = timedelta(days=3660)
"""Dates over which series are expanded."""

MAX_SERIES_TEXT = 1_000_000  # characters of a series and its exceptions; snapshots keep them
MAX_SERIES_EVENTS = 1_000  # the series itself, and its exceptions
MAX_SERIES_RULES = 5  # RRULEs of one event; the standard advises one
MAX_SERIES_DATES = 2_000  # RDATE or EXDATE values of one event
MAX_RULE_TEXT = 1_000
"""Characters of an RRULE: a list of a million weekdays is a rule, too."""
MAX_RULE_PERIODS = 4_000
"""Periods of a rule that are searched for a first day that fits: 10 years by day, more than a century by month."""
MAX_SERIES_COST = 400_000
"""Days that all rules of a body may be searched; SERIES_COST and DATE_COST count as days too."""
MAX_OCCURRENCES = 8_000  # of all series of a body
MAX_FAILED_SEARCHES = 4  # rules of a body for which no day is found
MIN_ROOM_GUESTS = 3
"""Reservations of one night in one feed: nobody sells a night three times, it is several rooms."""
MIN_DOUBLE_SPANS = 2
"""Spans of nights with two reservations at once; one is a double booking."""
