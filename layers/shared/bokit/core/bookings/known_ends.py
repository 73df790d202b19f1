"""Known ends: a stay whose end, or start, its feed can no longer write keeps the one that it had."""

from __future__ import annotations

from collections.abc import Sequence

from bokit.core.bookings.stay import Stay, entry_key
from bokit.core.ical.entries import Entry
from bokit.core.ical.groups import BAD_ENDS, BAD_START
from bokit.core.model.source_rules import Seen
from bokit.values import replace


def with_known_ends(seen: Seen[Entry], stays: Sequence[Stay]) -> Seen[Entry]:
    """Return *seen*, its events without a readable start or end lengthened to the known stay's of the same UID.

    Of a new stay the first or last night alone is held; a known one must not open its other nights for that.
    """
    ends = {problem.uid for problem in seen.problems if problem.code in BAD_ENDS}
    starts = {problem.uid for problem in seen.problems if problem.code == BAD_START}
    if not ends | starts:
        return seen
    known = {stay.record.key: stay for stay in stays if not stay.is_gone}

    def lengthen(entry: Entry) -> Entry:
        stay = known.get(entry_key(entry)) if entry.uid in ends | starts else None
        if stay is None or not stay.check_in <= entry.check_in < stay.check_out:
            return entry
        first = stay.check_in if entry.uid in starts else entry.check_in
        return replace(entry, check_in=first, check_out=max(entry.check_out, stay.check_out))

    return replace(seen, entries=tuple(map(lengthen, seen.entries)))
