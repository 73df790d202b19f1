"""The options: their names, defaults and types, for command line, API and documentation."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bokit.core.model.limits import (
    MAX_DOOR_BUFFER_MINUTES,
    MAX_DOOR_CODE,
    MAX_GUEST_DAYS,
    MAX_HISTORY_DAYS,
    MAX_HORIZON_DAYS,
    MAX_REQUEST_DELAY_MS,
    MAX_SPAN_SECONDS,
    MAX_SPAN_TEXT,
    MAX_ZONE_NAME_LENGTH,
    MIN_DOOR_CODE,
    MIN_INTERVAL_SECONDS,
)
from bokit.core.model.records import Fields, Json
from bokit.errors import OptionError
from bokit.values import Value

SPAN_PATTERN = r"^\s*[0-9]+\s*[smhdSMHD]?\s*$"
"""A duration as text, for the OpenAPI document."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def read_seconds(text: str | int, *, least: int = 0, most: int = MAX_SPAN_SECONDS) -> int:
    """Return a duration of *least* to *most* whole seconds, from ``90``, ``90s``, ``15m``, ``24h`` or ``7d``.

    >>> read_seconds("15m"), read_seconds(90)
    (900, 90)
    """
    given = "" if isinstance(text, bool) else str(text).strip().lower()
    found = re.fullmatch(r"([0-9]+)\s*([smhd]?)", given) if len(str(text)) <= MAX_SPAN_TEXT else None
    if not found:
        raise OptionError("not a duration, use 900, 15m, 24h or 7d", value=text)
    seconds = int(found[1]) * _UNITS[found[2] or "s"]
    if seconds < least:
        raise OptionError(f"must be at least {least} s", value=text)
    if seconds > most:
        raise OptionError(f"must be at most {most} s ({most // 86_400} days)", value=text)
    return seconds


def read_flag(value: str | bool) -> bool:
    """Return a boolean, from ``true``, ``on``, ``yes``, ``1`` or their opposites."""
    words = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}
    if (flag := words.get(str(value).strip().lower())) is None:
        raise OptionError("must be true or false", value=value)
    return flag


def read_timezone(name: str) -> str:
    """Return the IANA name of a timezone that exists."""
    text = str(name)
    if len(text) > MAX_ZONE_NAME_LENGTH:
        raise OptionError(f"not a timezone; an IANA name has at most {MAX_ZONE_NAME_LENGTH} characters")
    try:
        ZoneInfo(text)
    except (ValueError, OSError, KeyError):
        raise OptionError("no such timezone; use an IANA name, as in Europe/Rome", value=name) from None
    return text


def _read_count(least: int, most: int) -> Callable[[Any], int]:
    def read(value: object) -> int:
        text = str(value).strip()
        if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,18}", text):
            raise OptionError("must be a whole number", value=value)
        if not least <= int(text) <= most:
            raise OptionError(f"must be {least} to {most}", value=value)
        return int(text)

    return read


def _read_full_interval(value: str | int) -> str | int:
    found = re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", str(value).strip())
    return found[0] if found else read_seconds(value, least=MIN_INTERVAL_SECONDS)


def _read_locale(value: Json) -> str:
    if not re.fullmatch(r"[a-z]{2}(-[A-Z]{2})?", str(value)):
        raise OptionError("not a language; use en, fr or de-AT", value=value)
    return str(value)


class Option(Value, kw_only=False):
    """One option: its default, how a value is read, and what it does."""

    name: str
    default: Json
    read: Callable[[Any], Json]
    about: str


def _read_word(*choices: str) -> Callable[[Any], str]:
    def read(value: object) -> str:
        word = str(value).strip().lower()
        if word not in choices:
            raise OptionError(f"must be one of {', '.join(choices)}", value=value)
        return word

    return read


def _read_span(least: int) -> Callable[[Any], int]:
    return lambda value: read_seconds(value, least=least)


_TABLE = (
    Option("sync.enabled", True, read_flag, "false stops schedule, monitor and traffic, never manual or CLI"),
    Option("sync.interval", 3600, _read_span(MIN_INTERVAL_SECONDS), "seconds between two syncs of a source, at least 60"),
    Option("sync.full_interval", None, _read_full_interval, "with new_only: a full pass this often, or at a time of day (02:00)"),
    Option("sync.on_traffic", True, read_flag, "a request may start an overdue sync"),
    Option("sync.request_delay", 0, _read_count(0, MAX_REQUEST_DELAY_MS), "milliseconds between two requests of a run"),
    Option("sync.new_only", False, read_flag, "the schedule adds what is new and touches nothing else"),
    Option("sync.cancel_after", 86400, _read_span(0), "seconds that a missing stay is held before it is cancelled"),
    Option(
        "sync.stale_after",
        None,
        _read_span(MIN_INTERVAL_SECONDS),
        "seconds without a success until a source is stale; unset: three intervals",
    ),
    Option("sync.horizon_days", 730, _read_count(1, MAX_HORIZON_DAYS), "how far ahead recurring events are read, in days"),
    Option(
        "history.keep_days",
        90,
        _read_count(1, MAX_HISTORY_DAYS),
        "how long runs and all but the last lines of change logs are kept, in days",
    ),
    Option("install.complete", False, read_flag, "until true, nothing syncs by itself; set with the first source"),
    Option("export.anonymous", True, read_flag, "outgoing calendars contain no guest names"),
    Option(
        "guest.keep_days",
        None,
        _read_count(1, MAX_GUEST_DAYS),
        "days after departure for which guest details are kept; unset: until they are erased",
    ),
    Option("access.codes", False, read_flag, "each stay has a door code, which operators read"),
    Option(
        "access.source",
        "random",
        _read_word("random", "phone", "manual"),
        "how a door code is chosen: random, phone (the last digits of the guest's, where known), or manual: by a person alone",
    ),
    Option("access.length", 4, _read_count(MIN_DOOR_CODE, MAX_DOOR_CODE), "digits of a new door code"),
    Option(
        "access.buffer_minutes",
        0,
        _read_count(0, MAX_DOOR_BUFFER_MINUTES),
        "minutes by which a door code is valid before check-in and after check-out",
    ),
    Option("timezone", "UTC", read_timezone, "of units and properties that have none"),
    Option("locale", "en", _read_locale, "the language of pages and notices"),
)
OPTIONS: Mapping[str, Option] = {option.name: option for option in _TABLE}


def read_option(name: str, value: Json) -> Json:
    """Return *value* in the option's type; raises OptionError, which names the option."""
    try:
        return find_option(name).read(value)
    except OptionError as error:
        raise OptionError(error.message, code=error.stable_code, **{**error.facts, "name": name}) from None


def find_fault(option: Option, value: Json) -> str | None:
    """Return why *value* is not one of the option's; None: it is."""
    try:
        option.read(value)
    except OptionError as error:
        return error.message
    return None


def find_option(name: str) -> Option:
    """Return the option of this *name*; raises OptionError."""
    if (option := OPTIONS.get(name)) is None:
        from bokit.core.model.suggestions import did_you_mean, suggest

        offer = did_you_mean(suggest(name, OPTIONS)) or "; `bokit options list` shows them"
        raise OptionError(f"no such option{offer}", code="unknown-option", name=name)
    return option


LEAST_INTERVAL = "least_interval"
"""Among the stack's defaults: seconds between two syncs of a source, at least; no option."""


class Options:
    """A tenant's options, over the defaults of stack and code; a stored value that is not accepted is left out."""

    def __init__(self, stored: Fields | None = None, defaults: Fields | None = None) -> None:
        self._stored = dict(stored or {})
        self._defaults = dict(defaults or {})
        self._values: dict[str, Any] = {}
        """What was asked for, read once: a batch asks for the same few options a hundred times."""
        self._spans: dict[str, timedelta] = {}
        self._least = timedelta(seconds=self._defaults.get(LEAST_INTERVAL, MIN_INTERVAL_SECONDS))

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            self._values[name] = self._choose(find_option(name))
        return self._values[name]

    def _choose(self, option: Option) -> Json:
        given = (layer[option.name] for layer in (self._stored, self._defaults) if option.name in layer)
        return next((option.read(value) for value in given if find_fault(option, value) is None), option.default)

    @property
    def faults(self) -> Mapping[str, str]:
        """What is wrong with the stored values that are not accepted, by the option's name: a former release took them."""
        known = ((OPTIONS[name], value) for name, value in sorted(self._stored.items()) if name in OPTIONS)
        found = {option.name: find_fault(option, value) for option, value in known}
        return {name: fault for name, fault in found.items() if fault is not None}

    def with_value(self, name: str, value: Json) -> Options:
        """Return the options with another *value* of one of them; None unsets it."""
        kept = {other: stored for other, stored in self._stored.items() if other != name}
        return Options(kept if value is None else {**kept, name: value}, self._defaults)

    def is_set(self, name: str) -> bool:
        """Return whether the tenant has set it."""
        return name in self._stored

    def span(self, name: str) -> timedelta:
        """Return an option in seconds as a timedelta."""
        if name not in self._spans:
            self._spans[name] = timedelta(seconds=self[name])
        return self._spans[name]

    @property
    def least_interval(self) -> timedelta:
        """How often a source is synced at most, as the stack says."""
        return self._least

    @property
    def stale_after(self) -> timedelta | None:
        """None: three of the source's intervals."""
        seconds = self["sync.stale_after"]
        return None if seconds is None else timedelta(seconds=seconds)
