"""Limits of what is done with bookings."""

from __future__ import annotations

from datetime import timedelta

MAX_CONFLICTS_NAMED = 20
"""Conflicts that the notice of one run names."""
MAX_UNITS_NAMED = 3
"""Units of one conflict that a notice names."""
MAX_DOOR_CODE_TRIES = 5
"""How often a door code is written again where somebody else wrote one of the unit meanwhile."""
MAX_OCCUPANCY_SPAN = timedelta(days=366)  # whose nights are counted at once
MAX_DUE_READERS = 100
"""Outgoing calendars whose readers one tick judges; the others follow a minute later."""
