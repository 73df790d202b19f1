"""Which platforms read which others directly, as far as what their sources close shows it: they import whole calendars. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from bokit.core.ical.entries import EntryKind
from bokit.core.model.records import RecordId, SourceId
from bokit.core.occupancy.calendar_reads import NightsRead
from bokit.core.occupancy.holdings import HeldNights, was_before
from bokit.core.occupancy.limits import MIN_LINK_BOOKINGS
from bokit.core.occupancy.night_bits import Bits, NightGrid, join_bits

SourceLinks = frozenset[tuple[SourceId | None, SourceId | None]]
"""Pairs of sources: the second one's platform reads the first one's feed directly."""


def find_links(
    candidates: Iterable[HeldNights], near: Mapping[RecordId, Sequence[HeldNights]], read: Mapping[RecordId, NightsRead]
) -> SourceLinks:
    """Return which sources read others directly: they close MIN_LINK_BOOKINGS of their bookings or more, each whole, after it
    came, and none of them had they read in a calendar of ours.
    """
    found: dict[tuple[SourceId | None, SourceId | None], set[RecordId]] = {}
    for candidate in candidates:
        for other in near.get(candidate.record.id, ()):
            nights = other.judged
            is_later = not nights & ~was_before(other.since, candidate.since)
            known = join_bits(s.bits & read[candidate.record.id].read_before(s.seen) for s in candidate.since)
            if other.source and not nights & ~candidate.bits and is_later and not nights & known:
                found.setdefault((other.source, candidate.source), set()).add(other.record.id)
    return frozenset(pair for pair, bookings in found.items() if len(bookings) >= MIN_LINK_BOOKINGS)


def find_left_open(mine: Iterable[Bits], theirs: Sequence[HeldNights], grid: NightGrid) -> datetime | None:
    """Return since when another source shows *theirs*, the first of its guests' bookings that a source with *mine* left open.

    *mine* are the nights that it closes, or did lately. None: it leaves none open. Only as far ahead as it closes anything:
    its calendar may end there.
    """
    closed, to_come = join_bits(mine), grid.to_come << 1
    guests = (h for h in theirs if h.kind is EntryKind.RESERVATION and not h.is_candidate and not h.unshown)
    shown = (h for h in guests if h.bits & to_come and h.bits.bit_length() <= closed.bit_length())
    return min((max(s.seen for s in h.since) for h in shown if not h.bits & closed), default=None)
