"""Read a calendar feed: every whole event becomes an entry, everything else a problem. Pure, and never raises.

body ── hash_ical ──► equal to the last one: nothing more to read
  └─ split into calendars and groups by UID ─► groups that the snapshot knows are taken from it, the others read
                                                    └─► assembled: clipped, classified for the day, judged
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bokit.core.ical.entries import Entry
from bokit.core.ical.entry_json import entry_as_dict
from bokit.core.ical.events import NOT_A_STAY, ReadContext
from bokit.core.ical.groups import NOTES, UNKNOWN_TIMEZONE, EventGroup, calendar_zones, group_events, read_group, sort_entries
from bokit.core.ical.lexer import BodyText, CalendarText, decode_body, split_body, strip_stamps
from bokit.core.ical.limits import MAX_FEED_BYTES, MAX_STAY, MAX_WINDOW, MAX_YEARS_AHEAD, MAX_YEARS_BACK
from bokit.core.ical.platforms.base import Platform
from bokit.core.ical.platforms.registry import PLATFORMS, find_platform
from bokit.core.ical.recurrence_rules import Budget
from bokit.core.ical.rooms import note_rooms
from bokit.core.ical.snapshot import (
    CODE_VERSION,
    BodyContent,
    KeptGroup,
    begin_fingerprint,
    keep_group,
    pack_snapshot,
    unpack_snapshot,
)
from bokit.core.ical.suggestions import suggest_settings
from bokit.core.ical.times import Zones
from bokit.core.model.catalog import EndsOn
from bokit.core.model.source_rules import Problem, Seen, Verdict
from bokit.values import Value, replace

PAST = timedelta(days=60)
"""Series are expanded from this long before today."""
_NOT_A_CALENDAR = {
    "empty-body": "the response is empty",
    "html": "the URL returned a web page, not a calendar; is it the calendar's URL, and still valid?",
    "json": "the URL returned JSON, not an iCal calendar",
    "not-a-calendar": "the URL did not return a calendar",
}
_TOGETHER = {
    NOT_A_STAY: (1, "{} events mark arrivals and departures; their stays are events of their own"),
    UNKNOWN_TIMEZONE: (2, "{} events have a timezone that is unknown; the unit's is used"),
}
"""From how many events on a note is one for all of them, and its text."""
_FREE_BUSY = re.compile(r"^BEGIN:(?:VFREEBUSY|VAVAILABILITY)\b", re.I | re.M)
_FIRST_CHARACTERS = {"<": "html", "{": "json", "[": "json"}


class ReadSettings(Value):
    """How a feed is read: the time of its fetch, and what the owners of unit and source have set."""

    at: datetime
    timezone: ZoneInfo  # the unit's
    platform: str | None = None  # None: detected from the content, else from the URL's *host*
    host: str | None = None
    known_platform: str | None = None  # as whose feed it is read whatever the content names; the owner's *platform* comes first
    horizon: timedelta = timedelta(days=730)
    since: date | None = None
    """Series are expanded from here to *until*; None: from 60 days before *at* to *horizon* after it."""
    until: date | None = None
    ends_on_last_night: bool = False  # see :class:`ReadContext`
    ignore_transparent: bool = False  # likewise

    @property
    def today(self) -> date:
        """The unit's date at the time of the fetch."""
        return self.at.astimezone(self.timezone).date()

    def context(self, platform: Platform) -> ReadContext:
        """Return what the reading of every event shares."""
        first, last = self.since or self.today - PAST, self.until or self.today + self.horizon
        return ReadContext(
            timezone=self.timezone,
            platform=platform,
            window=(first, max(first, min(last, first + MAX_WINDOW))),
            budget=Budget(),
            ends_on_last_night=self.ends_on_last_night,
            ignore_transparent=self.ignore_transparent,
        )

    def find_platform(self, prodid: str | None = None) -> Platform:
        """Return the platform that the feed is read as."""
        return find_platform(self.platform or self.known_platform, prodid, self.host)

    def name_other(self, prodid: str | None) -> str | None:
        """Return the platform that the content names, or its host, where it is read as another's."""
        named, read_as = find_platform(self.platform, prodid, self.host).name, self.find_platform(prodid).name
        return named if named != read_as else None


def last_expanded(today: date, horizon: timedelta) -> date:
    """Return the day up to which a reading of *today* expands series."""
    return today + min(horizon, MAX_WINDOW - PAST)


def hash_ical(body: bytes, salt: str = "") -> str:
    """Return a hash equal for bodies that differ in DTSTAMP lines alone; *salt* stands for the source's settings."""
    digest = hashlib.sha256(f"{CODE_VERSION}\0{salt}\0".encode())
    digest.update(strip_stamps(body))
    return digest.hexdigest()


def read_ical(body: bytes, settings: ReadSettings, snapshot: bytes = b"") -> Seen[Entry]:
    """Return what *body* shows. *snapshot*, the last reading's, saves work and changes nothing.

    what came                                             verdict
    every event read                                      ok
    a whole calendar without events                       empty
    some events read; others bad, or the end missing      partial
    not a calendar, or nothing of it read                 unreadable
    """
    return _read(body, settings, snapshot)[0]


def recall_entries(snapshot: bytes, settings: ReadSettings) -> Seen[Entry]:
    """Return what reading the snapshot's body again would, without the body."""
    content = unpack_snapshot(snapshot)
    if content is None:
        return _unreadable(Problem(code="no-snapshot", message="nothing is kept of the last body"))
    try:
        return _recall(content, settings)
    except Exception as error:  # as in _read
        return _unreadable(_unexpected(error))


def _recall(content: BodyContent, settings: ReadSettings) -> Seen[Entry]:
    context = settings.context(find_platform(content.platform))
    zones = [calendar_zones(calendar, context.timezone) for calendar in content.calendars]
    groups = {key: _refresh(kept, content.calendars, zones, context) for key, kept in content.groups.items()}
    return _assemble(replace(content, groups=groups), context.platform, settings.today)


def inspect_feed(body: bytes, settings: ReadSettings) -> dict[str, Any]:
    """Return the document of ``bokit feed inspect``."""
    seen, platform = _read(body, settings, b"")
    ends_on = EndsOn.LAST_NIGHT if settings.ends_on_last_night else EndsOn.DEPARTURE
    return {
        "platform": platform.name,
        "entries": [entry_as_dict(entry) for entry in seen.entries],
        "problems": [problem.as_dict() for problem in seen.problems],
        "suggested": suggest_settings(seen, ends_on),
        "verdict": str(seen.verdict),
    }


def _read(body: bytes, settings: ReadSettings, snapshot: bytes) -> tuple[Seen[Entry], Platform]:
    try:
        return _read_body(body, settings, snapshot)
    except Exception as error:  # unforeseen bytes must not stop a sync
        return _unreadable(_unexpected(error)), settings.find_platform()


def _unexpected(error: Exception) -> Problem:
    return Problem(code="unreadable", message=f"the calendar cannot be read ({type(error).__name__})")


def _read_body(body: bytes, settings: ReadSettings, snapshot: bytes) -> tuple[Seen[Entry], Platform]:
    if len(body) > MAX_FEED_BYTES:
        problem = Problem(code="too-large", message=f"the calendar is larger than {MAX_FEED_BYTES // 1_000_000} MB")
        return _unreadable(problem), settings.find_platform()
    text = decode_body(strip_stamps(body))
    parts = split_body(text)
    prodid = _prodid(parts)
    platform = settings.find_platform(prodid)
    if not parts.calendars:
        return _explain(text, platform)
    content = _read_groups(parts, settings.context(platform), unpack_snapshot(snapshot) if snapshot else None)
    return replace(_assemble(content, platform, settings.today), names=settings.name_other(prodid)), platform


def _prodid(body: BodyText) -> str | None:
    return next((c.properties["PRODID"] for c in body.calendars if "PRODID" in c.properties), None)


def _read_groups(body: BodyText, context: ReadContext, last: BodyContent | None) -> BodyContent:
    """Return what every group of the body says, reused from *last* if text, calendar and settings are the same."""
    known = last.groups if last else {}
    chosen = (str(context.ends_on_last_night), str(context.ignore_transparent))
    settings = (context.platform.name, str(context.timezone), *chosen)
    groups: dict[str, KeptGroup] = {}
    for number, calendar in enumerate(body.calendars):
        salted, zones = begin_fingerprint(calendar, number, settings), calendar_zones(calendar, context.timezone)
        for group in group_events(calendar):
            key = group.fingerprint(salted)
            kept = known.get(key)
            if kept is None or not _is_current(kept, context):
                kept = keep_group(group, number, read_group(group, calendar, zones, context), context.window)
            groups[key] = kept
    return BodyContent(
        groups=groups,
        calendars=body.calendars if any(kept.series for kept in groups.values()) else (),
        platform=context.platform.name,
        problems=_body_problems(body),
        is_whole=body.is_whole,
    )


def _is_current(kept: KeptGroup, context: ReadContext) -> bool:
    """Return whether a kept group still says the same: all but series of another window do."""
    return kept.series is None or kept.series.window == context.window


def _refresh(kept: KeptGroup, calendars: Sequence[CalendarText], zones: Sequence[Zones], context: ReadContext) -> KeptGroup:
    """Return a kept group as of today: a series of another window is expanded again."""
    if kept.series is None or _is_current(kept, context):
        return kept
    number, group = kept.series.calendar, EventGroup(kept.series.uid, kept.series.texts)
    return keep_group(group, number, read_group(group, calendars[number], zones[number], context), context.window)


def _assemble(content: BodyContent, platform: Platform, today: date) -> Seen[Entry]:
    groups = content.groups.values()
    shown = sort_entries(_clip(e, today) if e.check_out - e.check_in > MAX_STAY else e for g in groups for e in g.entries)
    entries = _in_reach(shown, today)
    of_groups = sorted((p for group in groups for p in group.problems), key=lambda p: (p.uid or "", p.code))
    far = _note_far(len(shown) - len(entries))
    entries = tuple(platform.classify(entries, today)) if platform.classify else entries
    doubtful = {p.uid for p in of_groups if p.code not in NOTES}
    rooms = note_rooms((e for e in entries if e.uid not in doubtful), today)
    problems = (*rooms, *content.problems, *_count_together(of_groups), *far)
    return Seen(
        entries=entries,
        problems=problems,
        verdict=_judge(bool(shown), problems, is_whole=content.is_whole),
        snapshot=pack_snapshot(content),
        platform=platform.name,
    )


def _count_together(problems: Sequence[Problem]) -> list[Problem]:
    """Return *problems* with one note where many events have the same: each stay has two marks, each time one zone."""
    counts = Counter(problem.code for problem in problems)
    together = {code for code, (least, _) in _TOGETHER.items() if counts[code] >= least}
    notes = [Problem(code=code, message=_TOGETHER[code][1].format(counts[code])) for code in sorted(together)]
    return [problem for problem in problems if problem.code not in together] + notes


def _judge(has_entries: bool, problems: tuple[Problem, ...], *, is_whole: bool) -> Verdict:
    is_damaged = not is_whole or any(problem.code not in NOTES for problem in problems)
    if not has_entries:
        return Verdict.UNREADABLE if is_damaged else Verdict.EMPTY
    return Verdict.PARTIAL if is_damaged else Verdict.OK


def _in_reach(entries: Sequence[Entry], today: date) -> tuple[Entry, ...]:
    """Return the stays of the years that are read; the result is the same all through a year."""
    first, last = today.year - MAX_YEARS_BACK, today.year + MAX_YEARS_AHEAD
    return tuple(e for e in entries if e.check_in.year <= last and e.check_out.year >= first)


def _note_far(count: int) -> list[Problem]:
    message = (
        f"{count} events begin more than {MAX_YEARS_AHEAD} years ahead, or ended more than {MAX_YEARS_BACK} years ago: they are "
        "not held; is their year right?"
    )
    return [Problem(code="far-away", message=message)] if count else []


def _clip(entry: Entry, today: date) -> Entry:
    """Clip a stay of more than MAX_STAY to the years around *today*; the result is the same all through a year."""
    first, last = date(max(1, today.year - 1), 1, 1), date(today.year + 6, 1, 1)
    if entry.check_out <= first:  # long ago
        return replace(entry, check_in=entry.check_out - MAX_STAY)
    if entry.check_in >= last:  # far in the future
        return replace(entry, check_out=entry.check_in + MAX_STAY)
    return replace(entry, check_in=max(entry.check_in, first), check_out=min(entry.check_out, last))


def _body_problems(body: BodyText) -> tuple[Problem, ...]:
    has_events = any(calendar.events for calendar in body.calendars)
    free_busy = any(_FREE_BUSY.search(calendar.head) for calendar in body.calendars)
    only_free_busy = "the calendar has free/busy times (VFREEBUSY) alone, which we do not read; use an export with its events"
    found = (
        (free_busy and not has_events, "only-free-busy", only_free_busy),
        (
            free_busy and has_events,
            "free-busy-ignored",
            "beside its events the calendar has free/busy times, which we do not read",
        ),
        (body.outside, "outside-calendar", "events stand outside of the calendar; they are held"),
        (not body.is_whole, "truncated", "the calendar has no end: what is missing from it proves nothing"),
        (
            body.broken and body.is_whole,
            "broken-event",
            "a component begins without an end, or ends without a beginning: what can be read of it is held",
        ),
        (body.dropped, "too-many-events", "the calendar has more events than we read"),
    )
    return tuple(Problem(code=code, message=message) for applies, code, message in found if applies)


def _unreadable(problem: Problem) -> Seen[Entry]:
    return Seen(problems=(problem,), verdict=Verdict.UNREADABLE)


def _explain(text: str, platform: Platform) -> tuple[Seen[Entry], Platform]:
    """Return why a body is not a calendar, by how it begins; a platform's own error message identifies the platform."""
    start = text[:2000].strip().lower()
    for known in (platform, *PLATFORMS):
        for mark, advice in known.errors.items():
            if mark in start:
                return _unreadable(Problem(code="export-disabled", message=advice)), known
    code = "empty-body" if not start else _FIRST_CHARACTERS.get(start[0], "not-a-calendar")
    return _unreadable(Problem(code=code, message=_NOT_A_CALENDAR[code])), platform


def detect_platform(body: bytes, host: str | None) -> str:
    """Return whose calendar *body* is, by its PRODID or the host, even if it cannot be read as one."""
    return find_platform(None, _prodid(split_body(decode_body(body))), host).name
