"""Options of feeds: each has a default and validates its value, a JSON type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from simulator.model import SimulatorError


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedOption:
    """One option of a platform's feeds."""

    default: Any
    takes: str
    """The accepted values, for error messages."""
    accepts: Callable[[Any], bool]


def choice(*names: str) -> FeedOption:
    """Return an option that is one of *names*; the first is the default."""
    return FeedOption(default=names[0], takes=", ".join(names), accepts=lambda value: value in names)


def flag(default: bool) -> FeedOption:
    """Return an option that is true or false."""
    return FeedOption(default=default, takes="true or false", accepts=lambda value: isinstance(value, bool))


def count(default: int | None = None) -> FeedOption:
    """Return an option that is a number of days; without a default it may be null."""
    return FeedOption(
        default=default,
        takes="a whole number of days up to 3660" + (", or null" if default is None else ""),
        accepts=lambda value: (value is None and default is None) or (type(value) is int and 0 <= value <= 3660),
    )


def optional_date() -> FeedOption:
    """Return an option that is a date or null."""
    return FeedOption(default=None, takes="YYYY-MM-DD, or null", accepts=lambda value: value is None or _is_date(value))


def feed_names() -> FeedOption:
    """Return an option that is a list of feeds."""
    return FeedOption(
        default=[],
        takes="a list of feeds",
        accepts=lambda value: isinstance(value, list) and all(isinstance(name, str) for name in value),
    )


COMMON: Mapping[str, FeedOption] = {"linked": feed_names(), "etag": flag(False)}
"""Options of every feed: feeds whose stays show here as blocks, and an ETag (no real platform was seen to send one)."""


def read_defaults(options: Mapping[str, FeedOption]) -> dict[str, Any]:
    """Return the default values of *options* and the common ones."""
    return {name: option.default for name, option in {**COMMON, **options}.items()}


def read_options(options: Mapping[str, FeedOption], values: Mapping[str, Any]) -> dict[str, Any]:
    """Validate *values* and return them as JSON types; raise SimulatorError for an unknown option or a bad value."""
    known = {**COMMON, **options}
    plain = {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}
    for name, value in plain.items():
        if name not in known:
            raise SimulatorError(f"no such option: {name}; options are {', '.join(known)}")
        if not known[name].accepts(value):
            raise SimulatorError(f"option {name} must be {known[name].takes}; not {value}")
    return plain


def _is_date(value: Any) -> bool:
    try:
        return bool(date.fromisoformat(value))
    except (TypeError, ValueError):
        return False
