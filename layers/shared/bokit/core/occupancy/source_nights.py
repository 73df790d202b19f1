"""What a source closes, and since when: whether it left a night of another booking open when it closed its own. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from itertools import accumulate
from operator import or_

from bokit.core.occupancy.calendar_reads import NightsRead
from bokit.core.occupancy.holdings import HeldNights
from bokit.core.occupancy.night_bits import Bits


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceNights:
    """What a source closes, in the order in which it first showed it."""

    whole: Bits
    times: list[datetime]
    until: list[Bits]
    """For each of the *times*, and before the first: what it showed until then."""
    imported: list[Bits]
    """Likewise: what it showed later, and had read in our calendar before."""

    def at(self, seen: datetime) -> Bits:
        """Return all of it, without what it read in our calendar and showed only after *seen*."""
        n = bisect_right(self.times, seen)
        return self.whole & ~(self.imported[n] & ~self.until[n])


def read_source_nights(holdings: Iterable[HeldNights], read: NightsRead) -> SourceNights:
    """Return what *holdings*, all of one source, close; *read* is what it read in our calendars."""
    mine = list(holdings)
    rows = sorted((row for holding in mine for row in holding.since), key=lambda row: row.seen)
    imported = [row.bits & read.surely_before(row.seen) for row in reversed(rows)]
    return SourceNights(
        whole=reduce(or_, (h.sure for h in mine), 0),
        times=[row.seen for row in rows],
        until=list(accumulate((row.bits for row in rows), or_, initial=0)),
        imported=list(accumulate(imported, or_, initial=0))[::-1],
    )
