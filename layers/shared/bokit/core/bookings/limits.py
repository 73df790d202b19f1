"""Limits and thresholds of the rules for bookings."""

from __future__ import annotations

from datetime import timedelta

MAX_TEXT_LENGTH = 4000
"""Characters of one field that a person writes."""
MAX_STAY_NIGHTS = 1830
"""Five years: nobody stays longer, and every night is kept apart."""
MIN_YEAR, MAX_YEAR = 2000, 2199

MIN_WINDOW_END = timedelta(days=300)
"""A window that ends further ahead is the calendar's end; a nearer one may be what is left of a known block."""
MIN_WINDOW_START = timedelta(days=60)
"""A block that begins sooner is never taken for the calendar's end: in doubt, a block."""
MIN_CALENDAR_END_NIGHTS = 30
"""A window of so many nights is the end of the platform's calendar, and does not disappear."""

MIN_LABEL_USES = 3
"""A summary that so many entries of one feed have is a label, not a guest's name."""
MIN_UID_FETCHES = 3
"""Changed fetches that must keep every UID before UIDs are believed to identify bookings."""
VOLATILE_TIME = timedelta(days=30)
"""How long UIDs that all changed at once are believed to prove nothing."""
VOLATILE_UPDATE = timedelta(days=1)
"""How often the time of the last such change is written."""

MIN_FETCHES_IN_DOUBT = 3
"""Fetches that must agree where the source was doubtful lately; otherwise two."""
MIN_FETCH_SPACING = 33 / 32
"""Of ``cancel_after``: two fetches this far apart are enough even then, so daily fetches must agree three times."""
MAX_DOUBT_PERIODS = 3
"""Of ``cancel_after``: how long a source stays doubtful after it was held, or contradicted itself."""

MAX_LEFT_AGE = timedelta(days=7)
"""How long the nights that a record left are remembered."""
MAX_START_AGE = timedelta(days=60)
"""How long the UID of a first night is remembered after that night."""
