"""Limits of occupancy."""

from __future__ import annotations

from datetime import timedelta

MAX_FADING = timedelta(hours=36)
"""How long a closure fades. Platforms read calendars again after 2 to 24 hours and drop what is no longer in them; another
Bokit holds it for a day."""
MAX_EXPORTED_AGE = timedelta(days=92)
"""Stays that ended this long before the last change are left out of outgoing calendars."""
MIN_BETWEEN_FETCHES = timedelta(seconds=60)
"""Two fetches of a source are at least this far apart: what is seen after it was seen in both."""
