"""A record's night history: since when it holds each of its nights, and which it left lately.

Which of two sources showed a night first separates a double booking from an echo: what was seen while the other source, read
well, did not show the night yet, repeats nothing. And what repeated nights that were left an hour ago is most likely an
echo that its platform has not dropped yet. The run that changes a record keeps both in its rules state:

    gained    [first, end, seen, after, taken]  *seen*: first shown here by its source, as any booking; *after*: the source
                                                was read well then, and showed the night open (None: not known, as in a
                                                first fetch); *taken*: where another record of the source held the night
                                                until then, when this one took it over (left out elsewhere)
    left      [first, end, left, seen, after]   *left*: when it released the nights
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple, TypeVar

from bokit.core.bookings.limits import MAX_LEFT_AGE
from bokit.core.bookings.nights import Span, join_nights, nights
from bokit.core.bookings.stay import doubtful_nights, held_nights, is_window, read_span
from bokit.core.model.documents import write_time
from bokit.core.model.records import Fields, Presence, Record
from bokit.values import Value, replace

T = TypeVar("T", bound=Hashable)


class Times(NamedTuple):
    """When a night was first seen held, and until when it was seen open."""

    seen: datetime
    after: datetime | None = None
    taken: datetime | None = None
    """When its record took it over from another of its source."""


GAINED, LEFT, PLATFORM = "gained", "left", "platform"
"""Names in a record's rules state; *platform* is whose feed it came from."""


class NightsGained(Value):
    """Nights that a record holds, and since when."""

    first: date
    end: date
    seen: datetime
    after: datetime | None = None


class NightsLeft(NightsGained):
    """Nights that a record held and released."""

    left: datetime


def read_gains(record: Record) -> list[NightsGained]:
    """Return since when *record* holds, or held when it went, each of its nights."""
    rows = _spans({night: times[:2] for night, times in _by_night(record).items()})
    return [NightsGained(first=first, end=end, seen=seen, after=after) for (seen, after), (first, end) in rows]


def read_leaves(record: Record) -> list[NightsLeft]:
    """Return the nights that *record* left lately; a record that is gone left its nights when it went."""
    left = _read_left(record)
    if record.presence is not Presence.GONE or record.gone_at is None or is_window(record):
        return left
    gains = read_gains(record)
    return left + [NightsLeft(first=g.first, end=g.end, left=record.gone_at, seen=g.seen, after=g.after) for g in gains]


def _read_left(record: Record) -> list[NightsLeft]:
    return [
        NightsLeft(first=_day(first), end=_day(end), left=_time(left), seen=_time(seen), after=_time(after) if after else None)
        for first, end, left, seen, after in record.memory.get(LEFT, ())
    ]


def record_night_history(
    before: Record | None, after: Record, *, at: datetime, last_read: datetime | None, shown: Mapping[date, Times] | None = None
) -> Record:
    """Return *after* with the nights that it gained and left since *before* (None: it is new) in its rules state.

    *last_read* is when its source was read well before; *shown* are the nights that it closed then, with their times.

        a night that it holds now                    is held
        and held before                              since then
        and that its source showed as another's      since then: it was closed all the time; taken over now
        and left lately, or when it went             from now on; that its source ever showed it open does not count
        else                                         from now on
    """
    if after.presence is Presence.GONE or is_window(after):
        return after
    mine, held = held_nights(after), _by_night(before) if before else {}
    left = _left_by_night(before, at) if before else {}
    if before is not None and before.presence is Presence.GONE:
        left, held = left | {n: (before.gone_at or at, *times[:2]) for n, times in held.items()}, {}
    back = {n: Times(at, open_until or seen) for n, (_, seen, open_until) in left.items()}
    taken = {n: _take(shown[n], at) for n in mine if n in shown} if shown else {}
    known = {**back, **taken, **held}
    gained = {n: known.get(n, Times(at, last_read)) for n in mine}
    left |= {n: (at, *times[:2]) for n, times in held.items() if n not in mine}
    rules_state = {name: value for name, value in after.memory.items() if name not in (GAINED, LEFT)}
    rules_state |= _write(GAINED, {n: _short(t) for n, t in gained.items() if t != Times(after.created_at)})
    rules_state |= _write(LEFT, left)
    return replace(after, memory=rules_state)


def _take(times: Times, at: datetime) -> Times:
    """Return *times* as taken over now; what was provisional became a booking when it was first held."""
    return times._replace(taken=at) if times.seen < at and times.taken != times.seen else times


def record_provisional_history(after: Record, at: datetime, shown: Mapping[date, Times]) -> Record:
    """Return the window *after* with the time since when it holds each of its provisional nights.

    They are published, so others may repeat them: the booking that they become was there first. *shown* as in
    :func:`record_night_history`. Whether the source showed such a night open before is not known: a guard doubts its feed.
    """
    known = {n: Times(times.seen, None, times.seen) for n, times in {**shown, **_read_gained(after)}.items()}
    provisional = doubtful_nights(after)
    rules_state = {name: value for name, value in after.memory.items() if name != GAINED}
    gained = _write(GAINED, {n: _short(known.get(n, Times(at, None, at))) for n in provisional})
    return replace(after, memory={**rules_state, **gained})


def read_shown(known: Iterable[Record], at: datetime, asked: Span | None = None) -> dict[date, Times]:
    """Return the nights that a source's records hold, with their times; since when its window holds one by rule is not known.

    Records without any night of the span that is *asked* for are left out (None: of all nights).
    """
    shown: dict[date, Times] = {}
    for record in known:
        if is_window(record):
            shown = dict.fromkeys(held_nights(record), Times(at)) | _read_gained(record) | shown
        elif record.presence is not Presence.GONE and (asked is None or _may_hold_any(record, *asked)):
            mine = _by_night(record)
            shown |= {n: times for n, times in mine.items() if n not in shown or times.seen <= shown[n].seen}
    return shown


def _may_hold_any(record: Record, first: date, end: date) -> bool:
    """Return whether *record* may hold a night of ``[first, end)``; one with edits may hold others than its source shows."""
    shown = record.remote
    return bool(record.edits) or (shown["check_in"] < end.isoformat() and shown["check_out"] > first.isoformat())


def _by_night(record: Record) -> dict[date, Times]:
    """Return when each night that *record* holds, or held when it went, was first seen, and until when it was not."""
    gone = record.presence is Presence.GONE
    held = nights(*read_span(record.remote)) if gone else held_nights(record)
    found: dict[date, Times] = dict.fromkeys(held, Times(record.created_at))
    return found | {n: times for n, times in _read_gained(record).items() if n in found}


def _read_gained(record: Record) -> dict[date, Times]:
    """Return the times that *record*'s rules state keeps of its nights."""
    found: dict[date, Times] = {}
    for first, end, *row in record.memory.get(GAINED, ()):
        seen, *others = row
        times = Times(_time(seen), *(_time(time) if time else None for time in others))
        found |= dict.fromkeys(nights(_day(first), _day(end)), times)
    return found


def _short(times: Times) -> tuple[datetime | None, ...]:
    return times if times.taken else times[:2]


def _left_by_night(before: Record, at: datetime) -> dict[date, tuple[datetime, datetime, datetime | None]]:
    """Return the nights that *before* left lately, each with its times."""
    found = (row for row in _read_left(before) if at - row.left < MAX_LEFT_AGE)
    return {n: (row.left, row.seen, row.after) for row in found for n in nights(row.first, row.end)}


def _spans(by_night: Mapping[date, T]) -> list[tuple[T, Span]]:
    """Return *by_night* as spans of nights with the same times, in order."""
    by_times: dict[T, list[date]] = {}
    for night, times in by_night.items():
        by_times.setdefault(times, []).append(night)
    return sorted(((times, span) for times, held in by_times.items() for span in join_nights(held)), key=lambda s: s[1])


def _write(name: str, by_night: Mapping[date, Sequence[datetime | None]]) -> Fields:
    """Return *by_night* as the rules state keeps it under *name*; nothing where there is nothing."""
    spans = _spans({night: tuple(times) for night, times in by_night.items()})
    rows = [[first.isoformat(), end.isoformat(), *(t and write_time(t) for t in times)] for times, (first, end) in spans]
    return {name: rows} if rows else {}


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
