"""A person's values of a booking: which fields, and how they are written."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from bokit.core.bookings.limits import MAX_STAY_NIGHTS, MAX_TEXT_LENGTH, MAX_YEAR, MIN_YEAR
from bokit.core.bookings.nights import Span
from bokit.core.bookings.stay import DETAIL_FIELDS, RELEASED
from bokit.core.ical.entries import EntryKind, Status
from bokit.core.model.merge import CONFIRM
from bokit.core.model.records import Fields, Json, Record
from bokit.errors import InputError

COUNTS = ("guests", "adults", "children")
TEXTS = tuple(name for name in DETAIL_FIELDS if name not in (*COUNTS, "recurrence_id", "extra"))


def read_edit(record: Record | None, values: Fields) -> dict[str, Json]:
    """Return a person's *values* in a booking's types; *record* None: for a new one made by hand.

    Raises InputError for an unknown field, a value of another type, a departure that is not after the arrival, and,
    for a new booking, a missing date.
    """
    values = _without_confirmation(values)
    if unknown := sorted(set(values) - set(READERS)):
        raise InputError("no such field of a booking", code="unknown-field", field=unknown[0], known=", ".join(READERS))
    edited = {name: READERS[name](name, value) for name, value in values.items()}
    if record is None:
        edited = {"kind": str(EntryKind.RESERVATION), "status": str(Status.CONFIRMED)} | edited
    elif record.remote.get("kind") == EntryKind.WINDOW:
        raise InputError("a window follows its calendar; it cannot be edited", code="window", id=record.id)
    _check_dates({**(record.fields if record else {}), **edited})
    return edited


def _without_confirmation(values: Fields) -> Fields:
    """Return *values* without an empty ``confirm``, which changes nothing: any edit is the confirmation."""
    if values.get(CONFIRM):
        raise InputError("set it to null to confirm the booking", code="bad-field", field=CONFIRM)
    return {name: value for name, value in values.items() if name != CONFIRM}


def _check_dates(booking: Fields) -> None:
    for name in ("check_in", "check_out"):
        if not booking.get(name):
            raise InputError("a booking needs its dates, as YYYY-MM-DD", code="bad-field", field=name)
    length = (date.fromisoformat(booking["check_out"]) - date.fromisoformat(booking["check_in"])).days
    if length <= 0:
        raise InputError("the departure must be after the arrival", code="bad-field", field="check_out")
    if length > MAX_STAY_NIGHTS:
        raise InputError(f"more than {MAX_STAY_NIGHTS} nights; write several bookings", code="bad-field", field="check_out")


def _bad(name: str, what: str) -> InputError:
    return InputError(f"not {what}", code="bad-field", field=name)


def read_day(name: str, value: Any) -> str:
    """Return a day that a person names, as YYYY-MM-DD; raises InputError, also for a year of which no booking is."""
    text = value.isoformat() if type(value) is date else value
    if not isinstance(text, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise _bad(name, "a date; write YYYY-MM-DD")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise _bad(name, "a day of the calendar") from None
    if not MIN_YEAR <= day.year <= MAX_YEAR:
        raise _bad(name, f"a day of the years {MIN_YEAR} to {MAX_YEAR}")
    return day.isoformat()


def limit_period(first: date, end: date, most: timedelta) -> Span:
    """Return the days ``[first, end)`` that a person names with ``from`` and ``until``; InputError for none or too many."""
    if not first < end <= first + most:
        raise InputError(f"until must be 1 to {most.days} days after from", code="bad-field", field="until")
    return first, end


def _read_dates(name: str, value: Any) -> list[str]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)):
        raise _bad(name, "a list of dates")
    return sorted({read_day(name, item.strip() if isinstance(item, str) else item) for item in items if item})


def _one_of(*choices: str) -> Callable[[str, Any], str]:
    def read(name: str, value: Any) -> str:
        if not isinstance(value, str) or value.lower() not in choices:
            raise _bad(name, f"one of {', '.join(choices)}")
        return value.lower()

    return read


def _read_text(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_TEXT_LENGTH:
        raise _bad(name, f"a text of at most {MAX_TEXT_LENGTH} characters")
    return value.strip() or None


def _read_count(name: str, value: Any) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,3}", str(value)):
        raise _bad(name, "a number from 0 to 999")
    return int(value)


READERS: dict[str, Callable[[str, Any], Json]] = {
    "kind": _one_of(str(EntryKind.RESERVATION), str(EntryKind.BLOCK)),
    "status": _one_of(*map(str, Status)),
    "check_in": read_day,
    "check_out": read_day,
    RELEASED: _read_dates,
    **dict.fromkeys(TEXTS, _read_text),
    **dict.fromkeys(COUNTS, _read_count),
}
