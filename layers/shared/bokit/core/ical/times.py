"""Dates, times and timezones of a feed, read leniently: an event that cannot be read would lose its nights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from bokit.core.ical.lexer import read_lines, read_parameters
from bokit.core.ical.limits import MAX_BUILT_ZONES, MAX_YEAR, MAX_ZONE_NAMES, MAX_ZONE_RULES, MAX_ZONE_TEXT
from bokit.core.ical.recurrence_rules import can_happen, read_rule

_WHEN = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):?(\d\d):?(\d\d)?(?:[.,]\d+)?(?:(Z)|([+-]\d\d):?(\d\d))?)?", re.I)
_DURATION = re.compile(r"([+-])?P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?", re.I)
_ANY_DAY = date(2000, 1, 1)


@lru_cache(maxsize=512)
def find_zone(name: str) -> ZoneInfo | None:
    """Return the IANA timezone that *name* means: itself, the end of a path, or a Windows name; else None."""
    name = name.strip().strip('"')
    parts = name.strip("/").split("/")
    if parts[-1].upper() in ("UTC", "GMT", "Z"):
        return ZoneInfo("UTC")
    ends = (name, "/".join(parts[-2:]), "/".join(parts[-3:]))
    return next(filter(None, map(_load_zone, ends)), None) or _load_zone(_windows_zones().get(name.lower(), ""))


def _load_zone(name: str) -> ZoneInfo | None:
    if not re.fullmatch(r"[A-Za-z0-9_+-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,2}", name):
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return None


@lru_cache(maxsize=1)
def _windows_zones() -> dict[str, str]:
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    return {windows.lower(): iana for windows, iana in WINDOWS_TO_OLSON.items()}


@dataclass(slots=True, kw_only=True)
class Zones:
    """The timezones that one calendar's times may name. An IANA name takes precedence over the VTIMEZONE beside it."""

    own: ZoneInfo  # the unit's: dates are read in it
    floating: tzinfo  # of times without a zone: the calendar's X-WR-TIMEZONE, else the unit's
    universal: tzinfo = UTC
    """Of times in UTC: the calendar's X-WR-TIMEZONE, whose summer time their series follows, else UTC."""
    components: dict[str, str] = field(default_factory=dict)  # each TZID's VTIMEZONE
    unknown: set[str] = field(default_factory=set)
    """Names that were asked for and are not resolved, since the reader last cleared them; their times are read as floating."""
    found: dict[str, tzinfo | None] = field(default_factory=dict)  # None: unknown, at each event that names it
    built: int = 0

    def find(self, name: str) -> tzinfo:
        """Return the zone that *name* means in this calendar."""
        if name not in self.found and len(self.found) < MAX_ZONE_NAMES:
            self.found[name] = find_zone(name) or self._build(name)
        return self.found.get(name) or self._use_floating(name)

    def _build(self, name: str) -> tzinfo | None:
        text = self.components.get(name)
        self.built += text is not None
        return _build_zone(text) if text and self.built <= MAX_BUILT_ZONES else None

    def _use_floating(self, name: str) -> tzinfo:
        self.unknown.add(name)
        return self.floating


def read_zones(timezones: Sequence[str], default: str, own: ZoneInfo) -> Zones:
    """Return the zones of a calendar with these VTIMEZONE components and this X-WR-TIMEZONE."""
    components: dict[str, str] = {}
    for text in timezones:
        name = next((value.strip() for name, _, value in read_lines(text) if name == "TZID"), "")
        components.setdefault(name, text)
    stated = find_zone(default) if default else None
    return Zones(own=own, floating=stated or own, universal=stated or UTC, components=components)


def _build_zone(text: str) -> tzinfo | None:
    """Return the zone that a VTIMEZONE describes; None where it cannot be read.

    icalendar caches zones by TZID for the whole process: the cache is cleared first, or one feed's ``Custom`` would be
    used for the next feed.
    """
    import icalendar

    if not _is_bounded(text):
        return None
    try:
        icalendar.use_zoneinfo()  # type: ignore[no-untyped-call]
        component: Any = icalendar.Timezone.from_ical(text)
        zone = component.to_tz(lookup_tzid=False)
        datetime(2026, 1, 1, tzinfo=zone).utcoffset()
    except Exception:  # foreign rules can be wrong in any way; their times are then read as floating
        return None
    return zone if isinstance(zone, tzinfo) else None


def _is_bounded(text: str) -> bool:
    """Return whether a VTIMEZONE is small, and changes at most yearly; other rules could run without an end."""
    rules = [read_rule(value) for name, _, value in read_lines(text) if name == "RRULE"]
    yearly = all(rule and rule.frequency == "YEARLY" and can_happen(rule, _ANY_DAY) for rule in rules)
    return len(text) <= MAX_ZONE_TEXT and len(rules) <= MAX_ZONE_RULES and yearly


def read_when(parameters: str, value: str, zones: Zones) -> date | datetime:
    """Return a date, or an aware time; raises ValueError. ``VALUE=DATE`` with a time is a date."""
    if ":" in value and not _WHEN.fullmatch(value.strip()):  # TZID=tzone://Microsoft/Custom, without the quotes it needs
        more, _, value = value.rpartition(":")
        parameters = f"{parameters}:{more}"
    found = _WHEN.fullmatch(value.strip())
    if not found:
        raise ValueError("not a date")
    year, month, day, hour, minute, second, utc, offset_hours, offset_minutes = found.groups()
    if hour is None or "VALUE=DATE" in parameters.upper().split(";"):
        return date(int(year), int(month), int(day))
    naive = datetime(  # noqa: DTZ001  the zone follows
        min(int(year), MAX_YEAR), int(month), int(day), int(hour), int(minute), min(int(second or 0), 59)
    )
    if utc:
        return naive.replace(tzinfo=UTC).astimezone(zones.universal)
    if offset_hours:
        minutes = int(offset_hours[1:]) * 60 + int(offset_minutes)
        return naive.replace(tzinfo=timezone(timedelta(minutes=-minutes if offset_hours[0] == "-" else minutes)))
    name = read_parameters(parameters).get("TZID") if parameters else None
    return naive.replace(tzinfo=zones.find(name) if name else zones.floating)


def read_duration(value: str) -> timedelta:
    """Return a DURATION; raises ValueError."""
    found = _DURATION.fullmatch(value.strip())
    if not found or not any(found.groups()[1:]):
        raise ValueError("not a duration")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    span = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return -span if found[1] == "-" else span
