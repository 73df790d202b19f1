"""Quiet hours and the hour of the digest, in the tenant's timezone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bokit.core.model.alerts import PendingAlert
from bokit.errors import InputError

DIGEST_HOUR = time(8)
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
DAY = timedelta(days=1)


def read_quiet_hours(text: str) -> str:
    """Return quiet hours as they are stored; raises InputError.

    >>> read_quiet_hours("22:00-07:00")
    '22:00-07:00'
    """
    found = _HOURS.fullmatch(text.strip())
    if not found or found[0][:5] == found[0][6:]:
        raise InputError("not quiet hours; write them as in 22:00-07:00", code="bad-field", field="quiet_hours")
    return found[0]


def find_quiet_end(hours: str | None, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Return when the quiet hours end in which *now* is; None: it is in none.

    hours          now      end
    22:00-07:00    23:10    07:00 the next day
    22:00-07:00    06:59    07:00 today
    22:00-07:00    07:00    none
    13:00-15:00    14:00    15:00 today
    """
    if hours is None:
        return None
    local = now.astimezone(zone)
    begins, ends = (time.fromisoformat(part) for part in hours.split("-"))
    is_over_midnight, at = begins > ends, local.time()
    is_quiet = (at >= begins or at < ends) if is_over_midnight else begins <= at < ends
    if not is_quiet:
        return None
    day = local.date() + DAY if is_over_midnight and at >= begins else local.date()
    return _moment(day, ends, zone)


def may_send_at(alert: PendingAlert, quiet_end: datetime | None) -> datetime | None:
    """Return until when quiet hours that end at *quiet_end* hold the message back; None: it is sent now, as without any."""
    if quiet_end is None or alert.not_quiet_from is None:
        return quiet_end
    return min(quiet_end, alert.not_quiet_from)


def find_digest_day(last: str | None, now: datetime, zone: ZoneInfo) -> date | None:
    """Return the day whose digest is due at *now*; None: it was sent (*last*, its date), or it is too early."""
    local = now.astimezone(zone)
    is_due = local.time() >= DIGEST_HOUR and last != local.date().isoformat()
    return local.date() if is_due else None


def next_digest(now: datetime, zone: ZoneInfo) -> datetime:
    """Return when the next digest is due after *now*."""
    local = now.astimezone(zone)
    day = local.date() if local.time() < DIGEST_HOUR else local.date() + DAY
    return _moment(day, DIGEST_HOUR, zone)


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)
