"""The days of a unit: by its own clock."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from bokit.core.model.source_rules import Context


def local_today(context: Context) -> date:
    """Return the unit's date at the time of the fetch."""
    return context.at.astimezone(context.timezone).date()


def next_midnight(context: Context) -> datetime:
    """Return when the day of the fetch ends at the unit."""
    tomorrow = local_today(context) + timedelta(days=1)
    return datetime.combine(tomorrow, time(), context.timezone).astimezone(context.at.tzinfo)
