"""What lifts a hold. The source's own feed always does, and a person at any time; time lifts only what this table says.

hold                            time lifts
shrunken                        24 h of agreement (or ``sync.cancel_after``, where longer)
another listing's, at most 3    the same, in at least 3 fetches apart
future stays known and shown,
the address as before
another listing's, else         never; reminders after 1, 3 and 7 days
sudden bookings in a quiet      two fetches at least 6 h apart that agree
calendar
empty                           closures without code and name that begin more than 14 days ahead: after 72 h, 6 bodies
                                apart, and an alert that was delivered at least 24 h before; reminders as above. What
                                the own feed's fetches had missed before, 72 h after they last showed it
empty, and quiet until less     48 h, in 6 bodies apart: the calendar is again what it was for long
than a day before
unreadable, read in part        never

*Agreement*: another listing's: none of ours is shown, and the new nights that the first fetch showed still are; sudden: the
latter; shrunken: exactly these stays are gone. New nights may come. Fetches that say nothing of it (unreadable, read in part,
empty, stale) do not erase it; an accepted fetch does. Fetches closer than a quarter of the interval count once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from bokit.core.bookings.feed_owner import FeedOwner, OwnerEvidence, is_on_trial
from bokit.core.bookings.fetch_gaps import fetch_gap
from bokit.core.bookings.limits import (
    EMPTY_WAIT,
    MAX_SMALL_LISTING,
    MIN_AGREEING_FETCHES,
    MIN_ALERT_NOTICE,
    MIN_EMPTY_BODIES,
    MIN_EMPTY_DISTANCE,
    REMINDER_DAYS,
    SUDDEN_AGREEMENT,
    TRIAL_WAIT,
)
from bokit.core.bookings.matching import Matches
from bokit.core.bookings.stay import Stay
from bokit.core.bookings.window import closed_nights
from bokit.core.model.agreement import AGREEMENT, EMPTY, OTHER, OWN, SHRUNKEN, SUDDEN
from bokit.core.model.plan import Hold
from bokit.core.model.source_memory import SourceMemory
from bokit.core.model.source_rules import Context
from bokit.values import Value, replace

AGREEING = frozenset({OTHER, SHRUNKEN, SUDDEN})
"""Holds that agreement lifts."""


class Agreement(Value):
    """Held fetches that agree, the present one among them."""

    since: datetime
    fetches: int = 1
    at: datetime | None = None
    spans: tuple[str, ...] = ()
    absent: frozenset[str] = frozenset()
    """The stays that none of them showed, and that no accepted fetch missed before."""


def newly_absent(evidence: OwnerEvidence) -> set[str]:
    """Return the ids of the stays that this fetch does not show, and that no accepted one missed before."""
    return {str(s.record.id) for s in evidence.gone}


def read_agreement(code: str, evidence: OwnerEvidence) -> Agreement:
    """Return the held fetches that agree with this one on *code*; this one alone where it agrees with none."""
    state, at, absent = evidence.state, evidence.context.at, newly_absent(evidence)
    if state.agreed_since is None or not _agrees(code, evidence):
        spans = evidence.new_spans if code in (OTHER, SUDDEN) else ()
        return Agreement(since=at, at=at, spans=spans, absent=frozenset(absent))
    last = state.agreed_at or state.agreed_since
    fetches = max(1, state.agreed_fetches)
    if fetches < MIN_AGREEING_FETCHES and at - last >= fetch_gap(evidence.context):
        fetches, last = fetches + 1, at
    if code == OTHER:
        absent &= set(state.agreed_absent)
    return Agreement(since=state.agreed_since, fetches=fetches, at=last, spans=state.agreed_spans, absent=frozenset(absent))


def _agrees(code: str, evidence: OwnerEvidence) -> bool:
    state, matches = evidence.state, evidence.found.matches
    if (state.agreed_code or SHRUNKEN) != code:
        return False
    if code == SHRUNKEN:
        shown = {str(p.stay.record.id) for p in matches.pairs if p.stay}
        future = {str(s.record.id) for s in matches.absent} | shown
        return newly_absent(evidence) == set(state.absent) & future
    today = matches.today.isoformat()
    return _spans_to_come(state.agreed_spans, today) <= _spans_to_come(evidence.new_spans, today)


def _spans_to_come(spans: Iterable[str], today: str) -> set[str]:
    """Return what is left of *spans* from *today* on: an ongoing stay's first night may roll."""
    pairs = [span.split("/") for span in spans]
    return {f"{max(first, today)}/{end}" for first, end in pairs if end > today}


def opens_at(code: str, agreement: Agreement, evidence: OwnerEvidence) -> datetime | None:
    """Return when time lifts a hold if fetches go on to agree; None: it never does."""
    wait, state = max(AGREEMENT, evidence.context.cancel_after), evidence.state
    if code not in AGREEING or state.declined:
        return None
    if code == OTHER and not _is_small(evidence):
        return None
    return agreement.since + (SUDDEN_AGREEMENT if code == SUDDEN else wait)


def _is_small(evidence: OwnerEvidence) -> bool:
    """Return whether time may lift another listing's hold: few stays, at the same address, and no other source's."""
    is_few = len(evidence.future) <= MAX_SMALL_LISTING and len(evidence.shown) <= MAX_SMALL_LISTING
    is_same_address = evidence.context.fingerprint == evidence.state.fingerprint
    return is_few and is_same_address and not evidence.elsewhere


def is_lifted(code: str, agreement: Agreement, evidence: OwnerEvidence) -> bool:
    """Return whether fetches have agreed for long enough, and often enough."""
    opens = opens_at(code, agreement, evidence)
    often = agreement.fetches >= MIN_AGREEING_FETCHES or code != OTHER
    return opens is not None and often and evidence.context.at >= opens


def with_agreement(state: SourceMemory, code: str, agreement: Agreement) -> SourceMemory:
    """Return *state* with what held fetches agree on."""
    return replace(
        state,
        agreed_since=agreement.since,
        agreed_code=None if code == SHRUNKEN else code,
        agreed_fetches=agreement.fetches,
        agreed_at=agreement.at,
        agreed_spans=agreement.spans,
        agreed_absent=tuple(sorted(agreement.absent)) if code == OTHER else (),
    )


def count_empty(state: SourceMemory, context: Context) -> SourceMemory:
    """Return *state* after one more empty body."""
    at = context.at
    if state.empty_since is None or state.empty_at is None:
        filled_at = context.last_read or at
        return replace(state, empty_since=at, filled_at=filled_at, empty_bodies=1, empty_at=at, unshown=())
    if state.empty_bodies < MIN_EMPTY_BODIES and at - state.empty_at >= fetch_gap(context):
        return replace(state, empty_bodies=state.empty_bodies + 1, empty_at=at)
    return state


def end_empty(state: SourceMemory, evidence: OwnerEvidence, *, says_nothing: bool) -> SourceMemory:
    """Return *state* after a held page that is not empty.

    After enough empty bodies, the stays whose nights it leaves open were not shown since the last body before these. A page
    that *says_nothing*, being stale or read in part, forgets that.
    """
    found, is_long = evidence.found, state.empty_since is not None and state.empty_bodies >= MIN_EMPTY_BODIES
    today, closed = found.matches.today, closed_nights(found.seen.entries, found.matches.today)
    unshown = {str(s.record.id) for s in found.matches.absent if closed.isdisjoint(s.nights_from(today))}
    kept = tuple(sorted(unshown if is_long else unshown & set(state.unshown))) if not says_nothing else ()
    return replace(
        state,
        empty_since=None,
        filled_at=state.filled_at if kept else None,
        empty_bodies=0,
        empty_at=None,
        unshown=kept,
    )


def empty_opens_at(state: SourceMemory, context: Context) -> datetime | None:
    """Return when time releases what an empty calendar may release, if an alert of it is delivered now or was."""
    if state.empty_since is None or state.declined:
        return None
    return max(state.empty_since + EMPTY_WAIT, (context.alerted_at or context.at) + MIN_ALERT_NOTICE)


def trial_opens_at(state: SourceMemory) -> datetime | None:
    """Return when time releases bookings on trial; None: there are none, or a person declined."""
    return state.empty_since + TRIAL_WAIT if state.empty_since and is_on_trial(state) and not state.declined else None


def is_trial_over(state: SourceMemory, context: Context) -> bool:
    """Return whether the calendar was empty again for long enough, and often enough."""
    opens = trial_opens_at(state)
    return opens is not None and state.empty_bodies >= MIN_EMPTY_BODIES and context.at >= opens


def may_release_by_empty(state: SourceMemory, context: Context) -> bool:
    """Return whether the calendar was empty for long enough, often enough, and the owner was notified of it."""
    opens = empty_opens_at(state, context)
    is_alerted = context.alerted_at is not None
    return is_alerted and opens is not None and state.empty_bodies >= MIN_EMPTY_BODIES and context.at >= opens


def releasable_by_empty(stays: Sequence[Stay], matches: Matches) -> list[Stay]:
    """Return the closures without code and name that begin more than 14 days ahead."""
    near = matches.today + MIN_EMPTY_DISTANCE
    return [s for s in stays if not s.is_gone and not s.code and not s.guest_name and s.check_in > near]


def last_reminder(code: str, hold: Hold | None, since: datetime, opens: datetime | None, at: datetime) -> datetime | None:
    """Return when the owner was last reminded of a hold that no time lifts: after 1, 3 and 7 days."""
    if code not in (EMPTY, OTHER) or (code == OTHER and opens):
        return hold.offered_at if hold else None
    due = [since + timedelta(days=days) for days in REMINDER_DAYS]
    passed = sum(at >= time for time in due)
    before = sum(hold.offered_at >= time for time in due) if hold and hold.offered_at else 0
    return at if passed > before else hold.offered_at if hold else None


def owner_code(owner: FeedOwner) -> str | None:
    """Return the code of the hold that *owner* asks for."""
    if owner is FeedOwner.OWN_CALENDAR:
        return OWN
    return OTHER if owner.is_other else SUDDEN if owner is FeedOwner.SUDDEN else None
