"""The bookings that one source may have: what its feed shows beyond them is held as nights, in its window, and published.

an entry                                                     becomes
a known booking that is not released                         that booking, however many there are
new, or of a released one; it still has a code, a guest or   a booking, while there is room: those with a code or a guest
neither                                                      first, then by arrival
else, with nights to come                                    nights: held and published, without a booking
else, departed                                               nothing
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from bokit.core.bookings.pairs import Pair
from bokit.core.bookings.stay import Stay
from bokit.core.ical.entries import BLOCKING, Entry
from bokit.core.model.source_rules import TOO_MANY_BOOKINGS, BookingLimits, Problem


def limit_bookings(
    pairs: Sequence[Pair], absent: Sequence[Stay], today: date, limits: BookingLimits
) -> tuple[list[Pair], list[Entry]]:
    """Return the *pairs* that are bookings, in their order, and the entries of the rest with nights to come.

    *absent* are known bookings that no entry shows: they take room, too.
    """
    if len(pairs) + len(absent) <= limits.live and _count_nights(pairs, absent, date.min) <= limits.nights:
        return list(pairs), []
    live = _choose([p for p in pairs if _end(p) > today], absent, today, limits)
    past = _choose([p for p in pairs if _end(p) <= today], (), date.min, limits)
    kept = {id(p) for p in (*live, *past)}
    rest = [p.entry for p in pairs if id(p) not in kept and p.entry.check_out > today and p.entry.status in BLOCKING]
    return [p for p in pairs if id(p) in kept], rest


def explain_rest(rest: Sequence[Entry], limits: BookingLimits) -> list[Problem]:
    """Return the note that entries are held as nights alone; none where there are none."""
    message = (
        f"the calendar shows {len(rest)} more bookings than one source may have ({limits.live}, with {limits.nights} nights "
        "together): their nights are held and shown to other calendars, without a booking for each"
    )
    return [Problem(code=TOO_MANY_BOOKINGS, message=message)] if rest else []


def _choose(pairs: Sequence[Pair], absent: Sequence[Stay], since: date, limits: BookingLimits) -> list[Pair]:
    """Return the *pairs* that are known, and as many new ones beside them and *absent* as there is room for."""
    chosen = [p for p in pairs if _is_known(p)]
    count, nights = len(chosen) + len(absent), _count_nights(chosen, absent, since)
    for pair in sorted((p for p in pairs if not _is_known(p)), key=_order):
        needed = nights + _nights_since(pair.entry, since)
        if count < limits.live and needed <= limits.nights:
            chosen.append(pair)
            count, nights = count + 1, needed
    return chosen


def _is_known(pair: Pair) -> bool:
    return pair.stay is not None and not pair.stay.is_gone


def _end(pair: Pair) -> date:
    return max(pair.entry.check_out, pair.stay.check_out) if pair.stay and _is_known(pair) else pair.entry.check_out


def _order(pair: Pair) -> tuple[bool, date, date, str, str]:
    entry = pair.entry
    is_named = bool(entry.reservation_code or entry.guest_name)
    return not is_named, entry.check_in, entry.check_out, entry.uid, entry.recurrence_id or ""


def _count_nights(pairs: Sequence[Pair], absent: Sequence[Stay], since: date) -> int:
    """Return how many nights they have from *since* on, those of each booking counted apart."""
    return sum(_nights_since(p.entry, since) for p in pairs) + sum(_nights_since(s, since) for s in absent)


def _nights_since(one: Entry | Stay, since: date) -> int:
    return max(0, (one.check_out - max(one.check_in, since)).days)
