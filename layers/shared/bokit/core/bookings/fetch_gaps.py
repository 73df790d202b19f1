"""How far apart two fetches of a source must be to count as two."""

from __future__ import annotations

from datetime import timedelta

from bokit.core.bookings.limits import MAX_FETCH_GAP, MIN_FETCH_GAP
from bokit.core.model.source_rules import Context


def fetch_gap(context: Context) -> timedelta:
    """Return how far apart two fetches must be to count as two."""
    return gap_of(context.interval or timedelta())


def gap_of(interval: timedelta) -> timedelta:
    """Return how far apart two fetches of a source of this *interval* must be to count as two."""
    return min(max(MIN_FETCH_GAP, interval / 4), MAX_FETCH_GAP)


def two_fetches_of(interval: timedelta) -> timedelta:
    """Return the time after a fetch in which two others of this *interval* come, the second of them a little early at most."""
    return max(2 * interval - gap_of(interval), 2 * gap_of(interval))
