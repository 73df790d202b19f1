"""The habits of a source: whether it goes on showing a stay that has begun.

Some systems list only what starts today or later: an ongoing stay vanishes on its second day, and that cancels nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from bokit.core.bookings.limits import BEGUN_AGE, MIN_BEGUN_NIGHTS, MIN_BEGUN_STAYS
from bokit.core.bookings.matching import Matches
from bokit.core.bookings.stay import Stay
from bokit.core.ical.platforms.base import Traits
from bokit.core.model.source_memory import SourceHabits
from bokit.values import replace

DAY = timedelta(days=1)


def shows_begun(habits: SourceHabits, traits: Traits) -> bool:
    """Return whether a source shows stays that have begun, so that one which vanished then was cancelled.

    two stays were seen two days after their arrival, or later    yes
    unlearned since (:func:`learn_habits`)                        no
    else                                                          as the platform says: Airbnb and Booking.com do
    """
    return len(habits.begun) >= MIN_BEGUN_STAYS or (traits.shows_begun and not habits.drops_begun)


def vanished_after_arrival(stay: Stay, since: datetime, zone: ZoneInfo) -> bool:
    """Return whether *stay*, not shown *since* then, was shown until its day of arrival."""
    return since.astimezone(zone).date() >= stay.check_in


def learn_habits(matches: Matches, habits: SourceHabits, zone: ZoneInfo) -> SourceHabits:
    """Return what an accepted fetch teaches.

    a stay of 3 nights or more, shown on arrival + 2 or later      one that proves it
    a stay vanished after its arrival, and is shown again          unlearned: begin again
    two in a row vanished on the day after their arrival           unlearned: begin again
    """
    today = matches.today
    shown = [p.stay for p in matches.pairs if p.stay and not p.stay.is_gone and p.stay.check_in < today < p.stay.check_out]
    back = any(s.record.missing_since and vanished_after_arrival(s, s.record.missing_since, zone) for s in shown)
    dropped = habits.dropped if not shown else 0
    dropped += sum(1 for s in matches.absent if s.record.missing_since is None and s.check_in + DAY == today)
    if back or dropped >= MIN_BEGUN_STAYS:
        return replace(habits, begun=(), drops_begun=True, dropped=0)
    return replace(habits, begun=_prove(habits.begun, shown, today), dropped=dropped)


def _prove(begun: tuple[str, ...], shown: Iterable[Stay], today: date) -> tuple[str, ...]:
    if len(begun) >= MIN_BEGUN_STAYS:
        return begun
    long = (s for s in shown if (s.check_out - s.check_in).days >= MIN_BEGUN_NIGHTS and s.check_in + BEGUN_AGE <= today)
    return tuple(sorted({*begun, *(str(s.record.id) for s in long)}))[:MIN_BEGUN_STAYS]
