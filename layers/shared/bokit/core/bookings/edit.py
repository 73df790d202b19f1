"""What a person may say of a booking, and how it must be written."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

from bokit.core.bookings.stay import RELEASED
from bokit.core.ical.entries import Kind, Status
from bokit.core.model.records import Fields, Json, Record
from bokit.errors import InputError

MAX_TEXT = 4000
MOST_NIGHTS = 1830
"""Five years: whoever stays longer is no guest, and every night is kept apart."""
FIRST_YEAR, LAST_YEAR = 2000, 2199


def read_edit(record: Record | None, values: Fields) -> dict[str, Json]:
    """Return a person's *values* in a booking's types; *record* None: for a new one made by hand.

    Raises InputError for an unknown field, a value of another type, a departure that is not after the arrival, and,
    for a new booking, a missing date.
    """
    if unknown := sorted(set(values) - set(READERS)):
        raise InputError("no such field of a booking", code="unknown-field", field=unknown[0], known=", ".join(READERS))
    told = {name: READERS[name](name, value) for name, value in values.items()}
    if record is None:
        told = {"kind": str(Kind.RESERVATION), "status": str(Status.CONFIRMED)} | told
    elif record.remote.get("kind") == Kind.WINDOW:
        raise InputError("a window follows its calendar; it cannot be edited", code="window", id=record.id)
    whole = {**(record.fields if record else {}), **told}
    for name in ("check_in", "check_out"):
        if not whole.get(name):
            raise InputError("a booking needs its dates, as YYYY-MM-DD", code="bad-field", field=name)
    if whole["check_out"] <= whole["check_in"]:
        raise InputError("the departure must be after the arrival", code="bad-field", field="check_out")
    if (date.fromisoformat(whole["check_out"]) - date.fromisoformat(whole["check_in"])).days > MOST_NIGHTS:
        raise InputError(f"more than {MOST_NIGHTS} nights; write several bookings", code="bad-field", field="check_out")
    return told


def _bad(name: str, what: str) -> InputError:
    return InputError(f"not {what}", code="bad-field", field=name)


def _read_date(name: str, value: Any) -> str:
    text = value.isoformat() if type(value) is date else value
    if not isinstance(text, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise _bad(name, "a date; write YYYY-MM-DD")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise _bad(name, "a day of the calendar") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise _bad(name, f"a day of the years {FIRST_YEAR} to {LAST_YEAR}")
    return day.isoformat()


def _read_dates(name: str, value: Any) -> list[str]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)):
        raise _bad(name, "a list of dates")
    return sorted({_read_date(name, item.strip() if isinstance(item, str) else item) for item in items if item})


def _one_of(choices: tuple[str, ...]) -> Callable[[str, Any], str]:
    def read(name: str, value: Any) -> str:
        if not isinstance(value, str) or value.lower() not in choices:
            raise InputError(f"not one of {', '.join(choices)}", code="bad-field", field=name)
        return value.lower()

    return read


def _read_text(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise _bad(name, f"a text of at most {MAX_TEXT} characters")
    return value.strip() or None


def _read_count(name: str, value: Any) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,3}", str(value)):
        raise _bad(name, "a number from 0 to 999")
    return int(value)


READERS: dict[str, Callable[[str, Any], Json]] = {
    "kind": _one_of((str(Kind.RESERVATION), str(Kind.BLOCK))),
    "status": _one_of(tuple(str(s) for s in Status)),
    "check_in": _read_date,
    "check_out": _read_date,
    RELEASED: _read_dates,
    **dict.fromkeys(
        (
            "summary",
            "guest_name",
            "reservation_code",
            "reservation_url",
            "phone_last4",
            "phone",
            "email",
            "country",
            "ota",
            "ota_reference",
            "comments",
            "notes",
        ),
        _read_text,
    ),
    **dict.fromkeys(("guests", "adults", "children"), _read_count),
}
