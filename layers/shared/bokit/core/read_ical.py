"""Read a calendar feed: every whole event becomes an entry, everything else a problem. Pure, and never raises."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from bokit.core.entries import Entry
from bokit.core.ical_events import BadEventError, EventLines, as_problem, read_entry, read_event_lines, read_span
from bokit.core.ical_text import MAX_BYTES, BodyText, CalendarText, decode_body, split_body, strip_stamps
from bokit.core.ical_times import Zones, read_zones
from bokit.core.platforms import Platform, find_platform
from bokit.core.rules import Problem, Seen, Verdict

HORIZON = timedelta(days=730)


def read_ical(
    body: bytes, *, at: datetime, timezone: ZoneInfo, platform: str | None = None, host: str | None = None,
    horizon: timedelta = HORIZON, since: date | None = None, until: date | None = None, snapshot: bytes = b"",
) -> Seen:  # fmt: skip
    """Return what *body* shows at *at*, in the unit's *timezone*."""
    text = split_body(decode_body(strip_stamps(body)))
    chosen = find_platform(platform, text.calendars[0].properties.get("PRODID") if text.calendars else None, host)
    entries: list[Entry] = []
    problems: list[Problem] = []
    for calendar in text.calendars:
        zones = read_zones(calendar.timezones, calendar.properties.get("X-WR-TIMEZONE", ""), timezone)
        cancelled = calendar.properties.get("METHOD", "").strip().upper() == "CANCEL"
        for event in map(read_event_lines, calendar.events):
            try:
                entry = read_entry(event, read_span(event, zones), timezone, chosen, is_cancelled=cancelled)
            except BadEventError as error:
                problems.append(as_problem(error, event.uid))
                continue
            if entry:
                entries.append(entry)
    today = at.astimezone(timezone).date()
    seen = chosen.classify(entries, today) if chosen.classify else entries
    if not text.calendars or (not entries and not text.is_whole):
        verdict = Verdict.UNREADABLE
    elif problems or not text.is_whole:
        verdict = Verdict.PARTIAL
    else:
        verdict = Verdict.OK if entries else Verdict.EMPTY
    return Seen(entries=tuple(seen), problems=tuple(problems), verdict=verdict)
