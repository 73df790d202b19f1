"""What a feed can be told: each option has a default, and reads its values in JSON's types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from simulator.truth import SimulatorError


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of a platform's feeds."""

    default: Any
    takes: str
    """In words, for whoever wrote something else."""
    accepts: Callable[[Any], bool]


def choice(*names: str) -> Option:
    """Return an option of a few values, of which the first is the default."""
    return Option(default=names[0], takes=", ".join(names), accepts=lambda value: value in names)


def flag(default: bool) -> Option:
    """Return an option that is on or off."""
    return Option(default=default, takes="true or false", accepts=lambda value: isinstance(value, bool))


def count(default: int | None = None) -> Option:
    """Return an option of some days; without a default it can be none."""
    return Option(
        default=default,
        takes="a whole number of days up to 3660" + (", or null" if default is None else ""),
        accepts=lambda value: (value is None and default is None) or (type(value) is int and 0 <= value <= 3660),
    )


def some_day() -> Option:
    """Return an option that is a date, or none."""
    return Option(default=None, takes="YYYY-MM-DD, or null", accepts=lambda value: value is None or _is_date(value))


def names() -> Option:
    """Return an option that lists feeds."""
    return Option(
        default=[],
        takes="a list of feeds",
        accepts=lambda value: isinstance(value, list) and all(isinstance(name, str) for name in value),
    )


COMMON: Mapping[str, Option] = {"linked": names(), "etag": flag(False)}
"""Every feed has them: feeds whose stays show here as blocks, and an ETag, which no real platform was seen to send."""


def defaults(options: Mapping[str, Option]) -> dict[str, Any]:
    """Return what a feed of these *options* is told at first."""
    return {name: option.default for name, option in {**COMMON, **options}.items()}


def read_options(options: Mapping[str, Option], told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was *told*, in JSON's types; refuses what is unknown or of another type."""
    known = {**COMMON, **options}
    plain = {name: value.isoformat() if isinstance(value, date) else value for name, value in told.items()}
    for name, value in plain.items():
        if name not in known:
            raise SimulatorError(f"no such option: {name}; there are {', '.join(known)}")
        if not known[name].accepts(value):
            raise SimulatorError(f"option {name} takes {known[name].takes}; not {value}")
    return plain


def _is_date(value: Any) -> bool:
    try:
        return bool(date.fromisoformat(value))
    except (TypeError, ValueError):
        return False
