"""Readers of the fields of tenants, properties, units and sources.

The command line (text), the config file and the HTTP API (JSON) use the same ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from bokit.core.model.catalog import EndsOn
from bokit.core.model.options import read_flag, read_seconds, read_timezone
from bokit.core.model.platform_names import PLATFORM_NAMES, find_platform_name
from bokit.core.model.records import Json
from bokit.engine.base.fields import CONTROL, read_url
from bokit.engine.base.fields import read_fields as read_fields
from bokit.engine.catalog.limits import (
    MAX_CLEANING_MINUTES,
    MAX_NAME_LENGTH,
    MAX_SETTINGS_BYTES,
    MAX_TURNOVER_DAYS,
    MIN_INTERVAL_SECONDS,
)
from bokit.errors import InputError

CLOCK_TIME = re.compile("([01]?[0-9]|2[0-3]):([0-5][0-9])")


def read_name(value: Any) -> str:
    """Return a name: one line of text, not empty."""
    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > MAX_NAME_LENGTH or CONTROL.search(text):
        raise InputError(f"not a name; write one line of 1 to {MAX_NAME_LENGTH} characters", code="bad-field")
    return text


def read_platform(value: Any) -> str | None:
    """Return a platform's name; None: it is detected from the content and the host."""
    if value is None or value == "":
        return None
    if name := find_platform_name(value) if isinstance(value, str) else None:
        return name
    raise InputError(f"no such platform; write one of {', '.join(PLATFORM_NAMES)}", code="bad-field", value=value)


def read_span(least: int) -> Callable[[Any], timedelta | None]:
    """Return a reader of durations of at least *least* seconds; None and an empty text: the tenant's."""

    def read(value: Any) -> timedelta | None:
        if isinstance(value, timedelta):
            value = int(value.total_seconds())
        return None if value in (None, "") else timedelta(seconds=read_seconds(value, least=least))

    return read


def read_zone(value: Any) -> str | None:
    """Return a timezone's name; None and an empty text: the one of the unit, property or tenant applies."""
    return None if value in (None, "") else read_timezone(value)


def read_ends_on(value: Any) -> EndsOn:
    """Return what the end of an all-day event is; None and an empty text: the day of departure."""
    try:
        return EndsOn(value or EndsOn.DEPARTURE)
    except ValueError:
        raise InputError(f"write one of {', '.join(EndsOn)}", code="bad-field", value=value) from None


def read_switch(value: Any) -> bool:
    """Return true or false; None and an empty text: false."""
    return False if value in (None, "") else read_flag(value)


def read_turnover(value: Any) -> int | None:
    """Return the days between a departure and the next arrival; None and an empty text: the property's."""
    if value in (None, ""):
        return None
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,2}", str(value)) or int(value) > MAX_TURNOVER_DAYS:
        raise InputError(f"not a number of days from 0 to {MAX_TURNOVER_DAYS}", code="bad-field")
    return int(value)


def read_clock_time(value: Any) -> str | None:
    """Return a time of day as HH:MM; None and an empty text: the property's, else the default."""
    if value in (None, ""):
        return None
    if isinstance(value, str) and (found := CLOCK_TIME.fullmatch(value.strip())):
        return f"{int(found[1]):02d}:{found[2]}"
    raise InputError("not a time of day; write HH:MM, from 00:00 to 23:59", code="bad-field")


def read_cleaning(value: Any) -> int | None:
    """Return how many minutes cleaning takes; None and an empty text: the property's."""
    if value in (None, ""):
        return None
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,4}", str(value)) or int(value) > MAX_CLEANING_MINUTES:
        raise InputError(f"not a number of minutes from 0 to {MAX_CLEANING_MINUTES}", code="bad-field")
    return int(value)


def read_settings(value: Any) -> dict[str, Json]:
    """Return the settings of a kind of source."""
    if not isinstance(value, Mapping):
        raise InputError("not a mapping of settings", code="bad-field")
    try:
        size = len(json.dumps(value))
    except (TypeError, ValueError, RecursionError):
        raise InputError("not a mapping of settings: it cannot be written as JSON", code="bad-field") from None
    if size > MAX_SETTINGS_BYTES:
        raise InputError(f"the settings are larger than {MAX_SETTINGS_BYTES} bytes of JSON", code="bad-field")
    return dict(value)


PLACE_READERS: dict[str, Callable[[Any], Any]] = {
    "name": read_name,
    "timezone": read_zone,
    "turnover_days": read_turnover,
    "check_in_time": read_clock_time,
    "check_out_time": read_clock_time,
    "cleaning_minutes": read_cleaning,
}
"""Of properties and units."""
SOURCE_READERS: dict[str, Callable[[Any], Any]] = {
    "name": read_name,
    "kind": read_name,
    "url": read_url,
    "platform": read_platform,
    "interval": read_span(MIN_INTERVAL_SECONDS),
    "cancel_after": read_span(0),
    "timezone": read_zone,
    "ends_on": read_ends_on,
    "ignore_transparent": read_switch,
    "enabled": read_flag,
    "settings": read_settings,
}
