"""Known ends: a stay whose end its feed can no longer write keeps the one that it had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bokit.core.bookings.stay import Stay, entry_key
from bokit.core.ical.entries import Entry
from bokit.core.ical.groups import BAD_ENDS
from bokit.core.model.source_rules import Seen


def with_known_ends(seen: Seen[Entry], stays: Sequence[Stay]) -> Seen[Entry]:
    """Return *seen*, its events without a readable end lengthened to the known stay's of the same UID.

    Of a new stay the first night alone is held; a known one must not open its other nights for that.
    """
    bad = {problem.uid for problem in seen.problems if problem.code in BAD_ENDS}
    if not bad:
        return seen
    known = {stay.record.key: stay for stay in stays if not stay.is_gone}
    return replace(seen, entries=tuple(_lengthen(e, known.get(entry_key(e))) if e.uid in bad else e for e in seen.entries))


def _lengthen(entry: Entry, stay: Stay | None) -> Entry:
    holds_first_night = stay is not None and stay.check_in <= entry.check_in < stay.check_out
    return replace(entry, check_out=max(entry.check_out, stay.check_out)) if stay and holds_first_night else entry
