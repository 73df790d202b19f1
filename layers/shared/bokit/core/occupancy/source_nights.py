"""What a source closes, and since when: whether it left a night of another booking open when it closed its own. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import datetime
from itertools import accumulate
from operator import or_

from bokit.core.occupancy.calendar_reads import NightsRead
from bokit.core.occupancy.holdings import HeldNights
from bokit.core.occupancy.night_bits import Bits, join_bits
from bokit.values import Value


class SourceNights(Value):
    """What a source closes, in the order in which it first showed it."""

    whole: Bits
    times: list[datetime]
    until: list[Bits]
    """For each of the *times*, and before the first: what it showed until then."""
    imported: list[Bits]
    """Likewise: what it showed later, and had read in our calendar before."""
    open_times: list[datetime]
    """The last fetches that showed nights open which it closed then, in order."""
    closed: list[Bits]
    """For each of them, and before the first: what it had closed until then."""

    def at(self, seen: datetime, again: datetime) -> Bits:
        """Return all of it, without what it left open until *again* or later, and what it read in our calendar after *seen*.

        What it read and showed only after *seen* was open then; of what it did not read, a second fetch has to say so.
        """
        n, m = bisect_right(self.times, seen), bisect_left(self.open_times, again)
        return self.whole & ~(self.imported[n] & ~self.until[n]) & ~(self.closed[-1] & ~self.closed[m])


def read_source_nights(holdings: Iterable[HeldNights], read: NightsRead) -> SourceNights:
    """Return what *holdings*, all of one source, close; *read* is what it read in our calendars."""
    mine = list(holdings)
    rows = sorted((row for holding in mine for row in holding.since), key=lambda row: row.seen)
    imported = [row.bits & read.surely_before(row.seen) for row in reversed(rows)]
    opened = sorted(((row.after, row.bits) for row in rows if row.after), key=lambda row: row[0])
    always = join_bits(row.bits for row in rows if not row.after)
    return SourceNights(
        whole=join_bits(h.sure for h in mine),
        times=[row.seen for row in rows],
        until=list(accumulate((row.bits for row in rows), or_, initial=0)),
        imported=list(accumulate(imported, or_, initial=0))[::-1],
        open_times=[after for after, _ in opened],
        closed=list(accumulate((bits for _, bits in opened), or_, initial=always)),
    )
