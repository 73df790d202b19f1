"""Whether a feed lists several rooms at once: then most of its reservations would be conflicts."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from datetime import date
from heapq import heappop, heappush
from operator import attrgetter

from bokit.core.ical.entries import BLOCKING, Entry, EntryKind
from bokit.core.ical.limits import MIN_DOUBLE_SPANS, MIN_ROOM_GUESTS
from bokit.core.model.source_rules import SEVERAL_ROOMS, Problem

MESSAGE = "this feed lists several rooms; give each room its own address ({guests} reservations on the night of {night})"


def note_rooms(entries: Iterable[Entry], today: date) -> list[Problem]:
    """Return the note that a feed lists several rooms, or nothing; by the nights from *today* on.

    at once on a night                                  a note
    three reservations or more                          yes
    two, on two spans of nights apart from each other   yes
    two, on one span                                    no: a double booking

    Events with one UID, one code or one guest are one reservation. Blocks and windows do not count.
    """
    guests = [e for e in entries if e.kind is EntryKind.RESERVATION and e.status in BLOCKING and e.check_out > today]
    spans = list(_crowded_spans(guests, today))
    most, night = max(spans, key=lambda span: span[0], default=(0, today))
    if most < MIN_ROOM_GUESTS and len(spans) < MIN_DOUBLE_SPANS:
        return []
    return [Problem(code=SEVERAL_ROOMS, message=MESSAGE.format(guests=most, night=night))]


def _crowded_spans(entries: Iterable[Entry], today: date) -> Iterator[tuple[int, date]]:
    """Yield for each span of stays that lie over each other how many reservations there are at once, and from when."""
    for stays in _overlapping(sorted(entries, key=attrgetter("check_in", "check_out", "uid"))):
        most = _most_at_once(stays, today)
        if most[0] > 1:
            yield most


def _overlapping(ordered: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Yield the stays of each span of nights on which they lie over each other. Most stays lie alone, and cost nothing more."""
    stays, until = list[Entry](), date.min
    for entry in ordered:
        if entry.check_in >= until:
            if len(stays) > 1:
                yield stays
            stays, until = [entry], entry.check_out
        else:
            stays.append(entry)
            until = max(until, entry.check_out)
    if len(stays) > 1:
        yield stays


def _most_at_once(stays: Sequence[Entry], today: date) -> tuple[int, date]:
    """Return how many reservations there are at most on one night of *stays*, which are in order, and on which first."""
    begun: list[tuple[date, int]] = []
    guests = [_guest_of(entry) for entry in stays]
    present: dict[Hashable, int] = {}
    most, since = 0, today
    for number, entry in enumerate(stays):
        while begun and begun[0][0] <= entry.check_in:
            _leave(present, guests[heappop(begun)[1]])
        heappush(begun, (entry.check_out, number))
        present[guests[number]] = present.get(guests[number], 0) + 1
        if len(present) > most:
            most, since = len(present), max(entry.check_in, today)
    return most, since


def _leave(present: dict[Hashable, int], guest: Hashable) -> None:
    present[guest] -= 1
    if not present[guest]:
        del present[guest]


def _guest_of(entry: Entry) -> Hashable:
    """Return whose reservation *entry* is, as far as the feed shows it."""
    return entry.reservation_code or entry.guest_name or entry.uid
