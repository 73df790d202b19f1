"""A month, or some days, as the command line is asked for them."""

from __future__ import annotations

import re
from datetime import date, timedelta

MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
NEAR = {"last": -1, "this": 0, "next": 1}
MAX_DAYS = 366
_YEARS = range(1970, 3000)
Period = tuple[date, date]
"""The first day, and the one after the last."""


def read_month(text: str, today: date) -> Period | None:
    """Return the month that *text* names; None: it names none. A name alone is the next month of that name, or this one.

    >>> [str(day) for day in read_month("jan", today=date(2026, 7, 10))]
    ['2027-01-01', '2027-02-01']
    """
    word = text.strip().casefold()
    if word in NEAR:
        return _month(today.year, today.month + NEAR[word])
    if found := re.fullmatch(r"([0-9]{4})-([0-9]{1,2})", word):
        year, month = int(found[1]), int(found[2])
        return _month(year, month) if year in _YEARS and 1 <= month <= len(MONTHS) else None
    number = next((n for n, name in enumerate(MONTHS, 1) if len(word) >= 3 and name.startswith(word)), None)
    return _month(today.year + (number < today.month), number) if number else None


def is_month(text: str, today: date) -> bool:
    """Return whether *text* names a month, or is written as one, as 2027-13 is."""
    return read_month(text, today) is not None or re.fullmatch(r"[0-9]{4}-[0-9]+", text.strip()) is not None


def _month(year: int, month: int) -> Period:
    """Return a month; one beyond December, or before January, is of another year.

    >>> _month(2026, 13)
    (datetime.date(2027, 1, 1), datetime.date(2027, 2, 1))
    """
    first, after = year * 12 + month - 1, year * 12 + month
    return date(first // 12, first % 12 + 1, 1), date(after // 12, after % 12 + 1, 1)


def read_period(month: str | None, days: int | None, today: date) -> Period:
    """Return the month, or so many days from *today* on; without either this month. Raises InputError for another text."""
    from bokit.errors import InputError

    if month is not None and days is not None:
        raise InputError("give a month or --days, not both", code="bad-field")
    if days is not None:
        return today, today + timedelta(days=days)
    period = read_month(month or "this", today)
    if period is None:
        raise InputError("not a month; write 2027-01, january, jan, this, next or last", code="bad-field", value=month)
    return period
