"""Which entries and stays are judged as pairs: those whose nights can meet, and never many more than there are of both.

A feed of one room has few such pairs, and all of them are judged. Where many events lie over one another, their number is a
product: then those are judged that share most (the UID or the name, both dates, one date, the nearest arrival), in rounds.
What is not judged in such a feed stays unmatched: its nights are held all the same, and a stay that is not found is held until
the evidence is enough.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import date
from typing import TypeAlias

from bokit.core.bookings.limits import MAX_PAIRS_NEAR, MAX_PAIRS_OF_UID
from bokit.core.bookings.names import NameReader
from bokit.core.bookings.nights import NightIndex, Span
from bokit.core.bookings.stay import GoneReason, Stay, entry_key
from bokit.core.ical.entries import Entry

Candidates: TypeAlias = list[tuple[Entry, Stay]]
Key: TypeAlias = Hashable
Round: TypeAlias = Callable[[Sequence[Entry], Sequence[Stay]], Candidates]
"""Which pairs of those that are left are judged next."""


def near_rounds(entries: Sequence[Entry], stays: Sequence[Stay], names: NameReader, today: date) -> list[Round]:
    """Return the rounds in which codeless *entries* and *stays* are judged by their nights: one with all pairs, or several."""
    nights = _MeetingNights(stays, today)
    if nights.count(entries) <= MAX_PAIRS_NEAR * (len(entries) + len(stays)):
        return [lambda left, _: list(nights.pairs(left))]
    return _dense_rounds(names, today)


def uid_rounds(entries: Sequence[Entry], stays: Sequence[Stay]) -> list[Round]:
    """Return the rounds in which entries are judged whose UID is a stay's: one with all pairs, or several."""
    by_key = _group(stays, lambda s: s.record.key)
    count = sum(len(by_key.get(entry_key(e), ())) for e in entries)
    if count <= MAX_PAIRS_OF_UID * (len(entries) + len(stays)):
        return [lambda left, _: [(e, s) for e in left for s in by_key.get(entry_key(e), ())]]
    return [
        _joined(lambda e: (entry_key(e), e.check_in, e.check_out), lambda s: (s.record.key, *s.span)),
        _joined(entry_key, lambda s: s.record.key),
    ]


def _dense_rounds(names: NameReader, today: date) -> list[Round]:
    def span(check_in: date, check_out: date) -> Span:
        return max(check_in, today), check_out

    return [
        _joined(lambda e: (entry_key(e), e.check_out), lambda s: (s.record.key, s.check_out)),
        _joined(lambda e: (names.of_entry(e), e.check_out), lambda s: (names.of_stay(s), s.check_out)),
        _joined(lambda e: span(e.check_in, e.check_out), lambda s: span(*s.span)),
        _joined(names.of_entry, names.of_stay),
        _joined(lambda e: e.check_out, lambda s: s.check_out),
        _joined(lambda e: max(e.check_in, today), lambda s: max(s.check_in, today)),
        _nearest,
    ]


def _joined(entry_of: Callable[[Entry], Key], stay_of: Callable[[Stay], Key]) -> Round:
    """Return the round in which those with the same key are judged, the first with the first, in the order of their dates."""

    def pairs(entries: Sequence[Entry], stays: Sequence[Stay]) -> Candidates:
        mine = _group(sorted(entries, key=_entry_dates), entry_of)
        theirs = _group(sorted(stays, key=_stay_dates), stay_of)
        return [pair for key, same in mine.items() for pair in zip(same, theirs.get(key, ()), strict=False)]

    return pairs


def _nearest(entries: Sequence[Entry], stays: Sequence[Stay]) -> Candidates:
    """Return each entry with the last stay that arrives before it, or with it, and with the next one."""
    known = sorted(stays, key=_stay_dates)
    found: Candidates = []
    place = 0
    for entry in sorted(entries, key=_entry_dates):
        while place < len(known) and known[place].check_in <= entry.check_in:
            place += 1
        found += [(entry, stay) for stay in known[max(place - 1, 0) : place + 1]]
    return found


def _entry_dates(entry: Entry) -> tuple[date, date, str]:
    return entry.check_in, entry.check_out, entry_key(entry)


def _stay_dates(stay: Stay) -> tuple[bool, date, date, str]:
    return stay.is_gone, stay.check_in, stay.check_out, stay.record.id


def _group(items: Sequence[Stay] | Sequence[Entry], key_of: Callable[..., Key]) -> dict[Key, list]:  # type: ignore[type-arg]
    groups: dict[Key, list] = defaultdict(list)  # type: ignore[type-arg]
    for item in items:
        groups[key_of(item)].append(item)
    return groups


class _MeetingNights:
    """Stays by their nights: a live one may be an entry that has a night of it, one that is gone an entry of the same dates.

    One that the feed joined with another may come back with one of its dates.
    """

    def __init__(self, stays: Sequence[Stay], today: date) -> None:
        self._today = today
        self._live = [s for s in stays if not s.is_gone]
        self._index = NightIndex([s.span for s in self._live])
        gone = [s for s in stays if s.is_gone]
        joined = [s for s in gone if s.record.gone_reason == GoneReason.JOINED]
        self._by_span = _group(gone, lambda s: (max(s.check_in, today), s.check_out))
        self._by_end = _group(joined, lambda s: s.check_out)
        self._by_start = _group(joined, lambda s: max(s.check_in, today))

    def count(self, entries: Sequence[Entry]) -> int:
        """Return how many pairs there are; some may be counted twice."""
        return sum(
            self._index.count_meeting(e.check_in, e.check_out) + sum(len(same) for same in self._gone_beside(e)) for e in entries
        )

    def pairs(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Stay]]:
        """Yield each pair once."""
        for entry in entries:
            yield from ((entry, self._live[n]) for n in self._index.meeting(entry.check_in, entry.check_out))
            gone = {s.record.id: s for same in self._gone_beside(entry) for s in same}
            yield from ((entry, stay) for stay in gone.values())

    def _gone_beside(self, entry: Entry) -> tuple[Sequence[Stay], ...]:
        start = max(entry.check_in, self._today)
        same_span = self._by_span.get((start, entry.check_out), ())
        return same_span, self._by_end.get(entry.check_out, ()), self._by_start.get(start, ())
