"""Limits of the notices about bookings."""

from __future__ import annotations

MAX_CONFLICTS_NAMED = 20
"""Conflicts that the notice of one run names."""
MAX_UNITS_NAMED = 3
"""Units of one conflict that a notice names."""
