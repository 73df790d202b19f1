"""Who reads an outgoing calendar: which kind of program, how often, and whether it has stopped. Pure, and light to import.

    read             │ 00:00    03:00    06:00    09:00                      │ 18:00: three times the usual interval have passed
    usual interval   │                            3 h: three gaps are known   │ unread: one event, until it reads again

Which program reads is known by its User-Agent alone, which any program may set: alerts depend on it, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, TypedDict

from bokit.core.model.limits import MAX_GAPS, MIN_BETWEEN_READS
from bokit.core.model.records import TenantId
from bokit.values import Value, replace

BELIEVED_GAPS = 3
"""Gaps between reads that must be known before a rhythm is believed: four reads."""
QUARTILE_GAPS = 6
"""Gaps from which on the usual interval is their upper quartile; of fewer it is the longest."""
STEADY_GAPS = 6
"""Gaps from which on the rhythm of a reader that may be a person counts as even."""
UNREAD_INTERVALS = 3
"""Usual intervals without a read after which a reader is missed."""
SOONEST_UNREAD = timedelta(hours=1)
"""No reader is missed before, however often it reads."""


class Watch(StrEnum):
    """Whether a kind of reader is missed when it no longer reads."""

    ALWAYS = "always"
    """A platform's server, or another one that reads by itself."""
    IF_STEADY = "if-steady"
    """It may be a server or a person: only an even rhythm shows which."""
    NEVER = "never"
    """A person's device or browser: it reads when it is switched on."""


class ReaderKind(Value, kw_only=False):
    """A kind of program that reads calendars."""

    id: str
    name: str
    watch: Watch
    pattern: re.Pattern[str]
    """What its User-Agent has somewhere."""


OTHER = ReaderKind("other", "Another program", Watch.IF_STEADY, re.compile(""))
KINDS: tuple[ReaderKind, ...] = (
    ReaderKind("airbnb", "Airbnb", Watch.ALWAYS, re.compile(r"airbnb", re.I)),
    ReaderKind("booking_com", "Booking.com", Watch.ALWAYS, re.compile(r"booking\.com|bookingcom", re.I)),
    ReaderKind("vrbo", "Vrbo", Watch.ALWAYS, re.compile(r"vrbo|homeaway|abritel|fewo-?direkt|expedia", re.I)),
    ReaderKind("tripadvisor", "Tripadvisor", Watch.ALWAYS, re.compile(r"tripadvisor|flipkey|holidaylettings", re.I)),
    ReaderKind("beds24", "Beds24", Watch.ALWAYS, re.compile(r"beds24", re.I)),
    ReaderKind("smoobu", "Smoobu", Watch.ALWAYS, re.compile(r"smoobu", re.I)),
    ReaderKind("lodgify", "Lodgify", Watch.ALWAYS, re.compile(r"lodgify", re.I)),
    ReaderKind("hostaway", "Hostaway", Watch.ALWAYS, re.compile(r"hostaway", re.I)),
    ReaderKind("guesty", "Guesty", Watch.ALWAYS, re.compile(r"guesty", re.I)),
    ReaderKind("ownerrez", "OwnerRez", Watch.ALWAYS, re.compile(r"ownerre[sz]", re.I)),
    ReaderKind("google", "Google Calendar", Watch.ALWAYS, re.compile(r"google-calendar|googlecalendar", re.I)),
    ReaderKind(
        "apple", "Apple Calendar", Watch.NEVER, re.compile(r"dataaccessd|calendaragent|calendard|\bical/|cfnetwork", re.I)
    ),
    ReaderKind("outlook", "Outlook", Watch.IF_STEADY, re.compile(r"outlook|exchange|ms-?office|microsoft", re.I)),
    ReaderKind("browser", "A browser", Watch.NEVER, re.compile(r"^mozilla/.*(?:firefox|gecko|chrome|safari|edg|opera)", re.I)),
    OTHER,
)
"""The kinds, the first that fits first; OTHER fits all."""
BY_ID = {kind.id: kind for kind in KINDS}


def find_kind(agent: str | None) -> ReaderKind:
    """Return the kind of reader that sends this User-Agent.

    >>> find_kind("Airbnb/1.0").id, find_kind("Google-Calendar-Importer").id, find_kind(None).id
    ('airbnb', 'google', 'other')
    """
    text = (agent or "")[:500]
    return next(kind for kind in KINDS if kind.pattern.search(text))


class Reader(Value):
    """One kind of program that reads a calendar, as the calendar's page keeps it."""

    kind: str
    """Its id; one that only a later release knows is treated as OTHER."""
    read_at: datetime
    """Its last read, to a quarter of an hour."""
    gaps: tuple[int, ...] = ()
    """Seconds between its last reads, the latest last."""
    reported_at: datetime | None = None
    """When it was reported as unread; it stays reported until it has read since."""

    @property
    def usual_interval(self) -> timedelta | None:
        """How long it usually waits between two reads; None: too few are known.

        Of few gaps the longest: after a new address is tested some times, the platform's own rhythm is the longest gap. Of more
        the upper quartile: neither a person who refreshes for a while nor one outage moves it.
        """
        if len(self.gaps) < BELIEVED_GAPS:
            return None
        return timedelta(seconds=_quartile(self.gaps, 3) if len(self.gaps) >= QUARTILE_GAPS else max(self.gaps))

    @property
    def missed_at(self) -> datetime | None:
        """From when on it is missed, unless it reads before; None: it is not, however long it does not read."""
        interval, watch = self.usual_interval, BY_ID.get(self.kind, OTHER).watch
        if interval is None or watch is Watch.NEVER or (watch is Watch.IF_STEADY and not self.is_steady):
            return None
        return self.read_at + max(UNREAD_INTERVALS * interval, SOONEST_UNREAD)

    @property
    def is_steady(self) -> bool:
        """Whether its rhythm is even, as no person's is."""
        return len(self.gaps) >= STEADY_GAPS and _quartile(self.gaps, 3) <= 2 * _quartile(self.gaps, 1)

    @property
    def is_missed(self) -> bool:
        """Whether it was reported as unread, and has not read since."""
        return self.reported_at is not None and self.read_at <= self.reported_at

    @property
    def check_at(self) -> datetime | None:
        """When to look at it again: when it would be missed; at once where it was reported, and has read since; None: never."""
        if self.reported_at is None:
            return self.missed_at
        return None if self.is_missed else self.read_at


Readers = tuple[Reader, ...]
"""Of one calendar: at most one of each kind."""


class UnreadCalendar(Value):
    """A calendar that some of its readers no longer read: for the status."""

    tenant: TenantId
    id: str
    unit_id: str
    readers: Readers
    """Those that are missed; none: the calendar is read again."""


class ReaderDocument(TypedDict):
    """A kind of program that reads an outgoing calendar."""

    kind: Annotated[
        str, "By its User-Agent: `airbnb`, `booking_com`, `vrbo`, `google`, `apple`, `outlook`, `browser`, `other`, …"
    ]
    last_read_at: Annotated[datetime, "Its last read, to a quarter of an hour."]
    usual_interval_s: Annotated[int | None, "Seconds that it usually waits between two reads; null: not known yet."]
    unread: Annotated[bool, "Whether it has not read for three times that interval, and was reported."]


def describe_reader(reader: Reader) -> ReaderDocument:
    """Return a reader's document."""
    interval = reader.usual_interval
    return {
        "kind": reader.kind,
        "last_read_at": reader.read_at,
        "usual_interval_s": int(interval.total_seconds()) if interval else None,
        "unread": reader.is_missed,
    }


def name_reader(kind: str) -> str:
    """Return the name of a kind of reader, as a sentence begins with it."""
    return BY_ID.get(kind, OTHER).name


def note_read(readers: Readers, kind: str, at: datetime) -> Readers | None:
    """Return *readers* after a read by *kind*; None: its last one was less than MIN_BETWEEN_READS ago.

    So a burst of reads is one read, and one calendar is written at most once in that time for each kind.
    """
    known = next((reader for reader in readers if reader.kind == kind), None)
    if known is None:
        return sort_readers([*readers, Reader(kind=kind, read_at=at)])
    gap = at - known.read_at
    if gap < MIN_BETWEEN_READS:
        return None
    gaps = (*known.gaps, int(gap.total_seconds()))[-MAX_GAPS:]
    return sort_readers([*(r for r in readers if r is not known), replace(known, read_at=at, gaps=gaps)])


def merge_readers(pages: Iterable[Readers]) -> Readers:
    """Return the readers of a calendar's addresses as one: of each kind the one that read last, reported if any was."""
    found: dict[str, Reader] = {}
    for reader in (reader for page in pages for reader in page):
        other = found.get(reader.kind, reader)
        reported = max((r.reported_at for r in (reader, other) if r.reported_at), default=None)
        found[reader.kind] = replace(max(reader, other, key=lambda r: r.read_at), reported_at=reported)
    return sort_readers(found.values())


def judge_readers(readers: Readers, now: datetime) -> tuple[Readers, Readers]:
    """Return *readers* as they are at *now*, and those that are newly missed."""
    judged = sort_readers(_judge(reader, now) for reader in readers)
    return judged, tuple(reader for reader in judged if reader.reported_at == now)


def _judge(reader: Reader, now: datetime) -> Reader:
    if reader.reported_at is not None and not reader.is_missed:
        reader = replace(reader, reported_at=None)
    missed_at = reader.missed_at
    is_new = reader.reported_at is None and missed_at is not None and missed_at <= now
    return replace(reader, reported_at=now) if is_new else reader


def next_check(readers: Readers) -> datetime | None:
    """Return when to look at *readers* again; None: not before one of them reads."""
    return min((reader.check_at for reader in readers if reader.check_at), default=None)


def round_span(span: timedelta) -> tuple[int, str]:
    """Return a number and its unit, as a person says how long something took: rounded down, and not too exact.

    >>> round_span(timedelta(minutes=45)), round_span(timedelta(hours=9, minutes=20)), round_span(timedelta(days=3, hours=2))
    ((45, 'minutes'), (9, 'hours'), (3, 'days'))
    """
    if span < timedelta(minutes=90):
        return max(1, span // timedelta(minutes=1)), "minutes"
    return (span // timedelta(hours=1), "hours") if span < timedelta(days=2) else (span // timedelta(days=1), "days")


def sort_readers(readers: Iterable[Reader]) -> Readers:
    """Return *readers* in the order in which they are stored and shown: by their kind."""
    return tuple(sorted(readers, key=lambda reader: reader.kind))


def _quartile(gaps: Sequence[int], number: int) -> int:
    """Return a quartile of *gaps*, by nearest rank."""
    return sorted(gaps)[-(-number * len(gaps) // 4) - 1]
