"""Read a calendar feed: every whole event becomes an entry, everything else a problem. Pure, and never raises.

body ── hash_ical ──► equal to the last one: nothing more to read
  └─ split into calendars and groups by UID ─► groups that the snapshot knows are taken from it, the others read
                                                    └─► assembled: clipped, classified for the day, judged
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Any
from zoneinfo import ZoneInfo

from bokit.core.ical.entries import Entry
from bokit.core.ical.entry_json import entry_as_dict
from bokit.core.ical.groups import NOTES, Group, Reading, calendar_zones, group_events, read_group, sort_entries
from bokit.core.ical.lexer import MAX_BYTES, BodyText, CalendarText, decode_body, split_body, strip_stamps
from bokit.core.ical.platforms import PLATFORMS, Platform, find_platform
from bokit.core.ical.recurrence_rules import Budget
from bokit.core.ical.snapshot import (
    CODE_VERSION,
    Kept,
    Memory,
    keep_group,
    pack_snapshot,
    problems_as_dicts,
    salt_of,
    unpack_snapshot,
)
from bokit.core.ical.times import Zones
from bokit.core.model.records import Json
from bokit.core.model.source_rules import Problem, Seen, Verdict

HORIZON = timedelta(days=730)
PAST = timedelta(days=60)
"""Series are expanded from so long before today."""
LONGEST_WINDOW = timedelta(days=3660)
ENDLESS = timedelta(days=3660)
"""Longer stays are clipped: calendars write 9999 for ever, and a night is a thing that is counted."""

SOME, MAX_NIGHTS = 1_000, 500_000
"""Whoever plans works night by night: a feed of more than *SOME* entries may hold so many nights in all."""
_TOO_MANY_NIGHTS = Problem(code="too-many-events", message="the calendar holds more nights than we read")


def hash_ical(body: bytes, salt: str = "") -> str:
    """Return a hash equal for bodies that differ in DTSTAMP lines alone; *salt* stands for the source's settings."""
    digest = hashlib.sha256(f"{CODE_VERSION}\0{salt}\0".encode())
    digest.update(strip_stamps(body))
    return digest.hexdigest()


def read_ical(
    body: bytes,
    *,
    at: datetime,
    timezone: ZoneInfo,
    platform: str | None = None,
    host: str | None = None,
    horizon: timedelta = HORIZON,
    since: date | None = None,
    until: date | None = None,
    snapshot: bytes = b"",
    ends_on_last_night: bool = False,
) -> Seen[Entry]:
    """Return what *body* shows at *at*, in the unit's *timezone*.

        what came                                             verdict
        every event read                                      ok
        a whole calendar without events                       empty
        some events read; others bad, or the end missing      partial
        no calendar, or nothing of it read                    unreadable

    *snapshot* (the last reading's) saves work and changes nothing. Series are expanded from *since* to *until*, else
    from 60 days before *at* to *horizon* after it. *ends_on_last_night* is an owner's setting: see ical_events.
    """
    frame = replace(_Frame.of(at, timezone, horizon, since, until), ends_on_last_night=ends_on_last_night)
    return _read(body, frame, platform, host, snapshot)[0]


def recall_entries(
    snapshot: bytes,
    *,
    at: datetime,
    timezone: ZoneInfo,
    horizon: timedelta = HORIZON,
    since: date | None = None,
    until: date | None = None,
    ends_on_last_night: bool = False,
) -> Seen[Entry]:
    """Return what reading the snapshot's body again at *at* would, without the body."""
    frame = replace(_Frame.of(at, timezone, horizon, since, until), ends_on_last_night=ends_on_last_night)
    memory = unpack_snapshot(snapshot)
    if memory is None:
        return _unreadable(Problem(code="no-snapshot", message="nothing is kept of the last body"))
    try:
        return _recall(memory, frame)
    except Exception as error:  # as in _read
        return _unreadable(_beyond(error))


def _recall(memory: Memory, frame: _Frame) -> Seen[Entry]:
    reading = frame.reading(find_platform(memory.platform))
    zones = [calendar_zones(calendar, reading.own) for calendar in memory.calendars]
    groups = {key: _refresh(kept, memory.calendars, zones, reading) for key, kept in memory.groups.items()}
    return _assemble(replace(memory, groups=groups), reading.platform, frame.today)


def has_series(snapshot: bytes) -> bool:
    """Return whether the snapshot's body repeats events: then a new local day may bring new nights."""
    memory = unpack_snapshot(snapshot)
    return memory is not None and any(kept.series for kept in memory.groups.values())


def inspect_feed(
    body: bytes,
    *,
    at: datetime,
    timezone: ZoneInfo,
    platform: str | None = None,
    host: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> dict[str, Json]:
    """Return the contract's document of ``bokit feed inspect``."""
    seen, chosen = _read(body, _Frame.of(at, timezone, HORIZON, since, until), platform, host, b"")
    return {
        "platform": chosen.name,
        "entries": [entry_as_dict(entry) for entry in seen.entries],
        "problems": problems_as_dicts(seen.problems),
        "verdict": str(seen.verdict),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """The day of a reading, and the dates over which series are expanded."""

    today: date
    timezone: ZoneInfo
    window: tuple[date, date]
    ends_on_last_night: bool = False

    @classmethod
    def of(cls, at: datetime, timezone: ZoneInfo, horizon: timedelta, since: date | None, until: date | None) -> _Frame:
        today = at.astimezone(timezone).date()
        first, last = since or today - PAST, until or today + horizon
        return cls(today=today, timezone=timezone, window=(first, max(first, min(last, first + LONGEST_WINDOW))))

    def reading(self, platform: Platform) -> Reading:
        return Reading(
            own=self.timezone, platform=platform, window=self.window, budget=Budget(), ends_on_last_night=self.ends_on_last_night
        )


def _read(body: bytes, frame: _Frame, name: str | None, host: str | None, snapshot: bytes) -> tuple[Seen[Entry], Platform]:
    try:
        return _read_body(body, frame, name, host, snapshot)
    except Exception as error:  # a stranger's bytes must not stop a sync, whatever we did not foresee in them
        return _unreadable(_beyond(error)), find_platform(name, None, host)


def _beyond(error: Exception) -> Problem:
    return Problem(code="unreadable", message=f"the calendar is beyond our reader ({type(error).__name__})")


def _read_body(body: bytes, frame: _Frame, name: str | None, host: str | None, snapshot: bytes) -> tuple[Seen[Entry], Platform]:
    if len(body) > MAX_BYTES:
        told = Problem(code="too-large", message="the body is larger than any calendar")
        return _unreadable(told), find_platform(name, None, host)
    text = decode_body(strip_stamps(body))
    cut = split_body(text)
    prodid = next((c.properties["PRODID"] for c in cut.calendars if "PRODID" in c.properties), None)
    platform = find_platform(name, prodid, host)
    if not cut.calendars:
        return _explain(text, platform)
    memory = _read_groups(cut, frame.reading(platform), unpack_snapshot(snapshot) if snapshot else None)
    return _assemble(memory, platform, frame.today), platform


def _read_groups(cut: BodyText, reading: Reading, last: Memory | None) -> Memory:
    """Return what every group of the body says, reused from *last* where text, calendar and settings are the same."""
    known = last.groups if last else {}
    groups: dict[str, Kept] = {}
    for number, calendar in enumerate(cut.calendars):
        settings = (reading.platform.name, str(reading.own), str(reading.ends_on_last_night))
        salt = salt_of(calendar, number, settings)
        zones = calendar_zones(calendar, reading.own)
        for group in group_events(calendar):
            key = group.fingerprint(salt)
            kept = known.get(key)
            if kept is None or not _is_current(kept, reading):
                kept = keep_group(group, number, read_group(group, calendar, zones, reading), reading.window)
            groups[key] = kept
    series = any(kept.series for kept in groups.values())
    return Memory(
        groups=groups,
        calendars=cut.calendars if series else (),
        platform=reading.platform.name,
        problems=_body_problems(cut),
        is_whole=cut.is_whole,
    )


def _is_current(kept: Kept, reading: Reading) -> bool:
    """Return whether a kept group says today what it said then: all but series of another window do."""
    return kept.series is None or kept.series.window == reading.window


def _refresh(kept: Kept, calendars: Sequence[CalendarText], zones: Sequence[Zones], reading: Reading) -> Kept:
    """Return a kept group as of today: a series of another window is expanded again."""
    if kept.series is None or _is_current(kept, reading):
        return kept
    number, group = kept.series.calendar, Group(uid=kept.series.uid, texts=kept.series.texts)
    return keep_group(group, number, read_group(group, calendars[number], zones[number], reading), reading.window)


def _assemble(memory: Memory, platform: Platform, today: date) -> Seen[Entry]:
    kept = memory.groups.values()
    shown = sort_entries(_clip(entry, today) for one in kept for entry in one.entries)
    entries = _bound(shown)
    problems = sorted((p for one in kept for p in one.problems), key=lambda p: (p.uid or "", p.code))
    told = (*memory.problems, *problems, *[_TOO_MANY_NIGHTS][: len(shown) - len(entries)])
    return Seen(
        entries=tuple(platform.classify(entries, today)) if platform.classify else entries,
        problems=told,
        verdict=_judge(bool(entries), told, is_whole=memory.is_whole),
        snapshot=pack_snapshot(memory),
        platform=platform.name,
    )


def _judge(has_entries: bool, problems: tuple[Problem, ...], *, is_whole: bool) -> Verdict:
    harmed = not is_whole or any(problem.code not in NOTES for problem in problems)
    if not has_entries:
        return Verdict.UNREADABLE if harmed else Verdict.EMPTY
    return Verdict.PARTIAL if harmed else Verdict.OK


def _bound(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Return the first entries, as long as they hold no more nights together than any feed does."""
    if len(entries) <= SOME:
        return entries
    held = accumulate((entry.check_out - entry.check_in).days for entry in entries)
    return tuple(entry for entry, nights in zip(entries, held, strict=True) if nights <= MAX_NIGHTS)


def _clip(entry: Entry, today: date) -> Entry:
    """Cut a stay of more than ten years to the years around *today*, the same all through a year."""
    if entry.check_out - entry.check_in <= ENDLESS:
        return entry
    first, last = date(max(1, today.year - 1), 1, 1), date(today.year + 6, 1, 1)
    if entry.check_out <= first:  # long ago
        return replace(entry, check_in=entry.check_out - ENDLESS)
    if entry.check_in >= last:  # far beyond all plans
        return replace(entry, check_out=entry.check_in + ENDLESS)
    return replace(entry, check_in=max(entry.check_in, first), check_out=min(entry.check_out, last))


def _body_problems(cut: BodyText) -> tuple[Problem, ...]:
    told: Mapping[str, tuple[Any, str]] = {
        "truncated": (not cut.is_whole, "the calendar has no end: what is missing from it proves nothing"),
        "broken-event": (cut.broken and cut.is_whole, "a component begins and does not end, or ends and does not begin"),
        "too-many-events": (cut.dropped, "the calendar has more events than we read"),
    }
    return tuple(Problem(code=code, message=message) for code, (found, message) in told.items() if found)


def _unreadable(problem: Problem) -> Seen[Entry]:
    return Seen(problems=(problem,), verdict=Verdict.UNREADABLE)


def _explain(text: str, platform: Platform) -> tuple[Seen[Entry], Platform]:
    """Return why a body is no calendar, as far as its beginning tells; a platform's own error tells of the platform."""
    start = text[:2000].strip().lower()
    for known in (platform, *PLATFORMS):
        for mark, advice in known.errors.items():
            if mark in start:
                return _unreadable(Problem(code="export-disabled", message=advice)), known
    code = "empty-body" if not start else _BEGINNINGS.get(start[0], "not-a-calendar")
    return _unreadable(Problem(code=code, message=_NO_CALENDAR[code])), platform


_BEGINNINGS = {"<": "html", "{": "json", "[": "json"}
_NO_CALENDAR = {
    "empty-body": "the answer is empty",
    "html": "the answer is a web page, no calendar; is the address the calendar's, and still valid?",
    "json": "the answer is JSON, no calendar",
    "not-a-calendar": "the answer is no calendar",
}


def detect_platform(body: bytes, host: str | None) -> str:
    """Return whose calendar *body* is, as its PRODID or the host tells, even where it cannot be read as one."""
    calendars = split_body(decode_body(body)).calendars
    prodid = next((c.properties["PRODID"] for c in calendars if "PRODID" in c.properties), None)
    return find_platform(None, prodid, host).name
