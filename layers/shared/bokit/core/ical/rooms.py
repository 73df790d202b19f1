"""Whether a feed lists several rooms at once: then most of its reservations would be conflicts."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from datetime import date
from heapq import heappop, heappush

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


def _crowded_spans(entries: Sequence[Entry], today: date) -> Iterator[tuple[int, date]]:
    """Yield for each span of stays that lie over each other how many reservations there are at once, and from when."""
    begun: list[tuple[date, int]] = []
    present: dict[Hashable, int] = {}
    ordered = sorted(entries, key=lambda e: (e.check_in, e.check_out, e.uid))
    most = 0, today
    for number, entry in enumerate(ordered):
        while begun and begun[0][0] <= entry.check_in:
            _leave(present, _guest_of(ordered[heappop(begun)[1]]))
        if not begun and most[0] > 1:
            yield most
        most = (0, today) if not begun else most
        heappush(begun, (entry.check_out, number))
        present[_guest_of(entry)] = present.get(_guest_of(entry), 0) + 1
        most = max(most, (len(present), max(entry.check_in, today)), key=lambda span: span[0])
    if most[0] > 1:
        yield most


def _leave(present: dict[Hashable, int], guest: Hashable) -> None:
    present[guest] -= 1
    if not present[guest]:
        del present[guest]


def _guest_of(entry: Entry) -> Hashable:
    """Return whose reservation *entry* is, as far as the feed shows it."""
    return entry.reservation_code or entry.guest_name or entry.uid
