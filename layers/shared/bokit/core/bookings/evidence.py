"""Evidence: how far one fetch may be believed, and since when each night that we hold was seen open.

A feed is evidence about nights. A night that a record holds and its feed shows open is remembered with the time since
when, and released once that is long enough ago and at least two fetches agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from bokit.core.bookings.fetch_gaps import fetch_gap, two_fetches_of
from bokit.core.bookings.habits import shows_begun
from bokit.core.bookings.limits import (
    ARRIVAL_CARE,
    ARRIVAL_WAIT,
    CARE_TIME,
    EMPTY_WAIT,
    MAX_DOUBT_PERIODS,
    MIN_EMPTY_BODIES,
    MIN_FETCH_SPACING,
    MIN_FETCHES_IN_DOUBT,
)
from bokit.core.bookings.matching import Matches
from bokit.core.bookings.open_nights import MISSED, OpenNights, read_open, with_open_nights
from bokit.core.bookings.pairs import MatchReason
from bokit.core.bookings.stay import GoneReason, read_code
from bokit.core.model.documents import write_time
from bokit.core.model.records import Json, Presence, Record
from bokit.core.model.source_memory import SourceMemory
from bokit.core.model.source_rules import Context
from bokit.values import Value, field, replace

EMPTY_BEFORE = "empty"
"""The last of these, where the calendar was empty before the first."""
SURE_REASONS = frozenset({MatchReason.CODE, MatchReason.UID, MatchReason.NIGHTS})
"""Reasons that show a stay to be the one it was."""


class Evidence(Value):
    """How far one fetch may be trusted."""

    releases: bool = True
    """False: this fetch cancels, shortens and frees nothing."""
    absent_since: Mapping[str, datetime] = field(default_factory=dict)
    """Since when held fetches, on which enough others agreed, did not show a stay, by its id."""
    agreed: frozenset[str] = frozenset()
    """Stays on whose absence held fetches agreed for long enough."""
    contradicted_since: datetime | None = None
    """A stay that was missing since then is back unchanged: the fetches in between were incomplete, and prove nothing."""
    has_news: bool = False
    """This fetch misses stays that the last one showed, and shows nights of them open: the two do not agree."""
    shows_begun: bool = True
    """The source shows stays that have begun: one that vanished then was cancelled."""
    is_near_doubt: bool = False
    """The source was held, or contradicted itself, in the last week."""
    is_doubtful: bool = False
    """The source was held, or contradicted itself, lately."""
    shown_at: datetime | None = None
    """When the last accepted fetch before this one was."""
    filled_at: datetime | None = None
    """When the last body came before the calendar was empty, in enough bodies apart, until this fetch; None: it was not."""
    unshown: frozenset[str] | None = None
    """The stays for which that holds: held pages came in between, and did not show them. None: it holds for all."""

    released_as: GoneReason | None = None
    """Why what this fetch does not show is released at once; None: it is not."""

    def missing_since(self, record: Record, at: datetime) -> datetime:
        """Return since when *record* is missing, if this fetch of *at* does not show it.

        Held fetches count where they agreed on it; what any other held fetch left out is no evidence.
        """
        return record.missing_since or self.absent_since.get(record.id) or at

    def open_since(self, context: Context) -> datetime:
        """Return since when a night is open that this fetch is the first accepted one to show open.

        After a calendar that was empty, it opens 72 hours after the last body before, in the third fetch at the earliest.
        """
        if self.filled_at is None or self.unshown is not None:
            return context.at
        third = context.at + two_fetches_of(context.interval or timedelta())
        return min(context.at, max(self.filled_at + unseen_wait(context), third) - context.cancel_after)

    def filled_before(self, record: Record) -> datetime | None:
        """Return when the last body came before the calendar was empty, and *record* was not shown since; None: it was not so."""
        return self.filled_at if self.unshown is None or record.id in self.unshown else None

    def may_release(self, record: Record, since: datetime, context: Context) -> bool:
        """Return whether *record*, missing or open *since* then, may be released.

        missed by this fetch alone, or by others no quarter    no
        of the interval apart
        within 72 h of its arrival, and the source was held    no, before 60 h after the last fetch that showed it
        or contradicted itself in the last week
        missed by three after the calendar was empty, and      yes
        not shown for 72 h
        missed by two, and the source was doubtful lately      no, unless they lie further apart: the third must agree
        for less than ``cancel_after``                         no
        this fetch misses others that the last one showed,     once it is half as long again
        so the two do not agree
        else                                                   yes
        """
        if not (record.id in self.agreed or self._is_witnessed(record, context)):
            return False
        unseen = context.at - read_last_shown(record, self.shown_at, context.at)
        if self.is_near_doubt and _is_near_arrival(record, context) and unseen < ARRIVAL_WAIT:
            return False
        if was_empty_before(record) and unseen >= unseen_wait(context) and self._is_missed_thrice(record, context):
            return True
        disagrees = self.has_news and not self.agreed
        return since + context.cancel_after * (1.5 if disagrees else 1) <= context.at

    def _is_missed_thrice(self, record: Record, context: Context) -> bool:
        return read_misses(record, context.at, fetch_gap(context)).times >= MIN_FETCHES_IN_DOUBT

    def _is_witnessed(self, record: Record, context: Context) -> bool:
        misses = read_misses(record, context.at, fetch_gap(context))
        is_apart = context.at - misses.first >= context.cancel_after * MIN_FETCH_SPACING
        return misses.times >= (2 if is_apart or not self.is_doubtful else MIN_FETCHES_IN_DOUBT)


def _is_near_arrival(record: Record, context: Context) -> bool:
    arrival = datetime.combine(date.fromisoformat(record.remote["check_in"]), time(), context.timezone)
    return abs(arrival - context.at) <= ARRIVAL_CARE


NO_RELEASE = Evidence(releases=False)
"""Of a fetch that a guard holds: its closures are believed, and nothing else."""


def weigh_fetch(matches: Matches, context: Context, state: SourceMemory, agreed: frozenset[str] = frozenset()) -> Evidence:
    """Return what an accepted fetch proves, by its matches and the source's *state* before it."""
    back = [p.stay.record for p in matches.pairs if p.stay and p.reason in SURE_REASONS]
    missed = {r.id: r.missing_since for r in back if r.missing_since and r.presence is Presence.MISSING}
    missed |= {r.id: state.absent[r.id] for r in back if r.id in state.absent}
    by_held = [state.contradicted_since] if state.contradicted_since else []
    contradicted = min([*missed.values(), *by_held], default=None)
    doubted_at = last_doubted_at(state, context)
    doubtful_until = doubted_at and doubted_at + MAX_DOUBT_PERIODS * context.cancel_after
    was_empty = bool(state.unshown) or (state.empty_since is not None and state.empty_bodies >= MIN_EMPTY_BODIES)
    return Evidence(
        absent_since={stay: at for stay, at in state.absent.items() if stay in agreed},
        agreed=agreed,
        contradicted_since=contradicted,
        has_news=_has_news(matches, context),
        shows_begun=shows_begun(state.habits, matches.traits),
        is_near_doubt=contradicted is not None or (doubted_at is not None and context.at - doubted_at < CARE_TIME),
        is_doubtful=contradicted is not None or (doubtful_until is not None and context.at < doubtful_until),
        shown_at=state.read_at if state.held_since else context.last_read,
        filled_at=state.filled_at if was_empty else None,
        unshown=frozenset(state.unshown) if state.unshown else None,
    )


def _has_news(matches: Matches, context: Context) -> bool:
    """Return whether this fetch is the first to miss a stay, and shows a night of it open: it was not joined or replaced."""
    new = [s for s in matches.absent if read_misses(s.record, context.at, fetch_gap(context)).times < 2]
    closed = matches.closed if new else set[date]()
    return any(not s.nights_from(matches.today) <= closed for s in new)


def last_doubted_at(state: SourceMemory, context: Context) -> datetime | None:
    """Return when a fetch was last held, or contradicted an earlier one.

    While a hold stands, every fetch is held, also those that showed the same again and were not matched.
    """
    times = [state.doubted_at, context.last_read if state.held_since else None]
    return max((t for t in times if t), default=None)


def unseen_wait(context: Context) -> timedelta:
    """Return for how long a stay must not have been shown where the calendar was empty in between."""
    return max(EMPTY_WAIT, context.cancel_after)


def contradicted_by_held(matches: Matches, state: SourceMemory) -> datetime | None:
    """Return since when a stay was missing that held fetches of our own feed showed again; None: there is none.

    They release nothing, but they show that the fetches which missed it were incomplete.
    """
    back = [p.stay.record for p in matches.pairs if p.stay and p.reason in SURE_REASONS]
    missed = [r.missing_since for r in back if r.missing_since and r.presence is Presence.MISSING]
    return min([*missed, *([state.contradicted_since] if state.contradicted_since else [])], default=None)


def forget_contradicted(record: Record, evidence: Evidence) -> Record:
    """Return *record* as if this fetch were the first to miss it, where those before are contradicted."""
    since = evidence.contradicted_since
    if since is None or record.missing_since is None or record.missing_since < since:
        return record
    return replace(record, missing_since=None, memory=with_open_nights(record.memory, {}))


class MissedFetches(NamedTuple):
    """The accepted fetches in a row that missed a record, each a part of the interval apart (:func:`fetch_gap`)."""

    times: int
    first: datetime
    last: datetime


def read_misses(record: Record, at: datetime, gap: timedelta = timedelta()) -> MissedFetches:
    """Return the accepted fetches in a row that missed *record*, including the one of *at*; closer than *gap*, two are one."""
    if MISSED not in record.memory:
        return MissedFetches(1, at, at)
    times, first, last, *_ = record.memory[MISSED]
    counted = datetime.fromisoformat(last)
    is_apart = at > counted and at - counted >= gap
    return MissedFetches(int(times) + is_apart, datetime.fromisoformat(first), at if is_apart else counted)


def read_last_shown(record: Record, last_accepted: datetime | None, at: datetime) -> datetime:
    """Return when *record*, missed by the fetch of *at*, was shown by the last fetch before those that missed it.

    That is *last_accepted* where none missed it so far. Where it is not known, it is the first that missed it.
    """
    if MISSED not in record.memory:
        return last_accepted or at
    _, first, _, *shown = record.memory[MISSED]
    return datetime.fromisoformat(shown[0] if shown else first)  # former releases wrote none


def was_empty_before(record: Record) -> bool:
    """Return whether the calendar was empty before the fetches that missed *record*."""
    return EMPTY_BEFORE in record.memory.get(MISSED, ())


def was_missed_before(record: Record, state: SourceMemory, context: Context) -> bool:
    """Return whether the source's own feed missed *record* before the hold that stands, and last showed it 72 hours ago.

    Missed: by two fetches apart, and still by the last one, twice as far from the first. An empty calendar that comes then
    only agrees with them.
    """
    if record.presence is not Presence.MISSING or MISSED not in record.memory or state.read_at is None:
        return False
    misses, unseen = read_misses(record, state.read_at), context.at - read_last_shown(record, None, context.at)
    is_apart = state.read_at - misses.first >= (MIN_FETCHES_IN_DOUBT - 1) * fetch_gap(context)
    return misses.times >= 2 and is_apart and unseen >= unseen_wait(context)


def write_misses(record: Record, evidence: Evidence, context: Context) -> list[Json]:
    """Return the fetches that missed *record*, for its rules state; counting stops where no more are needed."""
    misses = read_misses(record, context.at, fetch_gap(context))
    if misses.times > (MIN_FETCHES_IN_DOUBT if evidence.is_doubtful else 2):
        return list(record.memory[MISSED])
    filled_at = evidence.filled_before(record)
    shown = read_last_shown(record, filled_at or evidence.shown_at, context.at)
    is_after_empty = was_empty_before(record) or (record.missing_since is None and filled_at is not None)
    return [
        misses.times,
        *(write_time(t) for t in (misses.first, misses.last, shown)),
        *([EMPTY_BEFORE] if is_after_empty else []),
    ]


def nights_kept(opened: OpenNights, evidence: Evidence, context: Context) -> dict[date, datetime]:
    """Return the nights of *opened* that stay held: the fetch releases nothing, or they were not open for long enough.

    Long enough: for ``cancel_after``, and since an earlier fetch (:func:`fetch_gap`).
    """
    if evidence.released_as:
        return {}
    at, wait = context.at, max(context.cancel_after, fetch_gap(context))
    return {n: t for n, t in opened.items() if not (evidence.releases and t + wait <= at)}


def next_release_at(records: Iterable[Record], context: Context) -> datetime | None:
    """Return the earliest time at which time alone releases what *records* hold although the feed shows it open."""
    since = [t for r in records for t in _waiting_since(r)]
    return min((max(t + context.cancel_after, context.at) for t in since), default=None)


def _waiting_since(record: Record) -> list[datetime]:
    coded = record.presence is Presence.MISSING and read_code(record)
    own = [record.missing_since] if coded and record.missing_since else []
    return [*own, *read_open(record).values()]
