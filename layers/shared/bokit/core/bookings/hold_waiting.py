"""How long a hold waits: the same body, fetched again before that, is not matched again.

what happened, or is awaited                                  the same body changes something
this fetch did something                                      at once: the next one plans what that uncovers
an empty body, or one that says nothing (stale)               at once: fetches are counted, or the next may be fresh
fetches that agree are counted                                a part of the interval later (``fetch_gap``)
the hold opens, or its owner is reminded                      then
a night that the window holds was open for long enough        then
the day ends at the unit                                      then: nights pass
else: what other sources know has changed                     after some hours, for it is not known
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bokit.core.bookings.evidence import next_release_at
from bokit.core.bookings.feed_owner import OwnerEvidence
from bokit.core.bookings.fetch_gaps import fetch_gap
from bokit.core.bookings.guard import Judgement
from bokit.core.bookings.hold_release import AGREEING
from bokit.core.bookings.limits import MAX_FETCH_GAP, MIN_AGREEING_FETCHES, REMINDER_DAYS
from bokit.core.bookings.local_days import next_midnight
from bokit.core.model.agreement import EMPTY
from bokit.core.model.plan import Action, Hold
from bokit.core.model.source_memory import SourceMemory


def held_until(judged: Judgement, evidence: OwnerEvidence, after: SourceMemory, actions: Sequence[Action]) -> datetime:
    """Return until when the same body changes nothing of the hold in *after*; the time of this fetch: it may at once."""
    at, agreement = evidence.context.at, judged.agreement
    if actions or after.hold is None or judged.code == EMPTY or (judged.code in AGREEING and agreement is None):
        return at
    times = [at + MAX_FETCH_GAP, next_midnight(evidence.context), *_times_of(after.hold)]
    if agreement and agreement.fetches < MIN_AGREEING_FETCHES:
        times.append((agreement.at or at) + fetch_gap(evidence.context))
    window = evidence.found.matches.window
    if window and (opens := next_release_at([window], evidence.context)):
        times.append(opens)
    return max(at, min(time for time in times if time > at))


def _times_of(hold: Hold) -> list[datetime]:
    """Return when the hold opens, and when its owner is reminded of it."""
    reminders = [hold.since + timedelta(days=days) for days in REMINDER_DAYS]
    return [*reminders, *([hold.opens_at] if hold.opens_at else [])]
