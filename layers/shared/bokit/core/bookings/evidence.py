"""Evidence: how far one fetch may be believed, and since when each night that we hold was seen open.

A feed is evidence about nights. A night that a record holds and its feed shows open is remembered with the time since
when, and released once that is long enough ago and at least two fetches agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import NamedTuple

from bokit.core.bookings.limits import MAX_DOUBT_PERIODS, MIN_FETCH_SPACING, MIN_FETCHES_IN_DOUBT
from bokit.core.bookings.matching import Matches, MatchReason
from bokit.core.bookings.nights import nights, write_spans
from bokit.core.model.documents import write_time
from bokit.core.model.records import Fields, Json, Presence, Record
from bokit.core.model.source_memory import SourceMemory
from bokit.core.model.source_rules import Context

OPEN = "open"
"""In a record's rules state: nights that it holds and its feed shows open, as ``[first, end, since]``."""
MISSED = "missed"
"""In a record's rules state: how many accepted fetches in a row missed it, as far as that matters, and the times of the
first and the last."""
SURE_REASONS = frozenset({MatchReason.CODE, MatchReason.UID, MatchReason.NIGHTS})
"""Reasons that show a stay to be the one it was."""
OpenNights = Mapping[date, datetime]
"""Nights that the feed shows open, each with the time since when."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How far one fetch may be trusted."""

    releases: bool = True
    """False: this fetch cancels, shortens and frees nothing."""
    absent_since: Mapping[str, datetime] = field(default_factory=dict)
    """Since when held fetches did not show a stay, by its id."""
    held_since: datetime | None = None
    """Since when no fetch before this one could be believed: what is missing now was not shown since then."""
    agreed: frozenset[str] = frozenset()
    """Stays on whose absence held fetches agreed for long enough."""
    contradicted_since: datetime | None = None
    """A stay that was missing since then is back unchanged: the fetches in between were incomplete, and prove nothing."""
    has_news: bool = False
    """This fetch misses stays that the last one showed: the two do not agree."""
    is_doubtful: bool = False
    """The source was held, or contradicted itself, lately."""

    is_applied: bool = False
    """A person approved it: what this fetch does not show is released at once."""

    def missing_since(self, record: Record, at: datetime) -> datetime:
        """Return since when *record* is missing, if this fetch of *at* does not show it: held fetches count."""
        return record.missing_since or self.absent_since.get(record.id) or self.held_since or at

    def may_release(self, record: Record, since: datetime, context: Context) -> bool:
        """Return whether *record*, missing or open *since* then, may be released.

        missed by this fetch alone                             no
        missed by two, and the source was doubtful lately      no, unless they lie further apart: the third must agree
        for less than ``cancel_after``                         no
        this fetch misses others that the last one showed,     once it is half as long again
        so the two do not agree
        else                                                   yes
        """
        if not (record.id in self.agreed or self._is_witnessed(record, context)):
            return False
        disagrees = self.has_news and not self.agreed
        return since + context.cancel_after * (1.5 if disagrees else 1) <= context.at

    def _is_witnessed(self, record: Record, context: Context) -> bool:
        misses = read_misses(record, context.at)
        is_apart = context.at - misses.first >= context.cancel_after * MIN_FETCH_SPACING
        return misses.times >= (2 if is_apart or not self.is_doubtful else MIN_FETCHES_IN_DOUBT)


NO_RELEASE = Evidence(releases=False)
"""Of a fetch that a guard holds: its closures are believed, and nothing else."""


def weigh_fetch(matches: Matches, context: Context, state: SourceMemory, agreed: frozenset[str] = frozenset()) -> Evidence:
    """Return what an accepted fetch proves, by its matches and the source's *state* before it."""
    back = [p.stay.record for p in matches.pairs if p.stay and p.reason in SURE_REASONS]
    missed = {r.id: r.missing_since for r in back if r.missing_since and r.presence is Presence.MISSING}
    missed |= {r.id: state.absent[r.id] for r in back if r.id in state.absent}
    contradicted = min(missed.values(), default=None)
    doubtful_until = state.doubted_at and state.doubted_at + MAX_DOUBT_PERIODS * context.cancel_after
    return Evidence(
        absent_since={stay: at for stay, at in state.absent.items() if contradicted is None or at < contradicted},
        held_since=None if contradicted else state.held_since,
        agreed=agreed,
        contradicted_since=contradicted,
        has_news=any(read_misses(s.record, context.at).times < 2 for s in matches.absent),
        is_doubtful=contradicted is not None or (doubtful_until is not None and context.at < doubtful_until),
    )


def forget_contradicted(record: Record, evidence: Evidence) -> Record:
    """Return *record* as if this fetch were the first to miss it, where those before are contradicted."""
    since = evidence.contradicted_since
    if since is None or record.missing_since is None or record.missing_since < since:
        return record
    return replace(record, missing_since=None, memory=with_open_nights(record.memory, {}))


class MissedFetches(NamedTuple):
    """The accepted fetches in a row that missed a record."""

    times: int
    first: datetime
    last: datetime


def read_misses(record: Record, at: datetime) -> MissedFetches:
    """Return the accepted fetches in a row that missed *record*, including the one of *at*."""
    if MISSED not in record.memory:
        return MissedFetches(1, at, at)
    times, first, last = record.memory[MISSED]
    return MissedFetches(int(times) + (last != write_time(at)), datetime.fromisoformat(first), at)


def write_misses(record: Record, evidence: Evidence, at: datetime) -> list[Json]:
    """Return the fetches that missed *record*, for its rules state; counting stops where no more are needed."""
    misses = read_misses(record, at)
    if misses.times > (MIN_FETCHES_IN_DOUBT if evidence.is_doubtful else 2):
        return list(record.memory[MISSED])
    return [misses.times, write_time(misses.first), write_time(misses.last)]


def open_nights(record: Record, shown: Iterable[date], since: datetime) -> dict[date, datetime]:
    """Return the nights that *record* holds and the feed shows open, each with the time since when."""
    known = read_open(record)
    return {night: known.get(night, since) for night in shown}


def read_open(record: Record) -> dict[date, datetime]:
    """Return the open nights in *record*'s rules state."""
    return {
        night: datetime.fromisoformat(since)
        for first, end, since in record.memory.get(OPEN, ())
        for night in nights(date.fromisoformat(first), date.fromisoformat(end))
    }


def with_open_nights(rules_state: Fields, opened: OpenNights, missed: list[Json] | None = None) -> dict[str, Json]:
    """Return *rules_state* with *opened* and *missed* in place of its open nights and missed fetches."""
    kept: dict[str, Json] = {name: value for name, value in rules_state.items() if name not in (OPEN, MISSED)}
    kept |= {MISSED: missed} if missed else {}
    by_time: dict[datetime, set[date]] = {}
    for night, since in opened.items():
        by_time.setdefault(since, set()).add(night)
    rows = [[*span, write_time(since)] for since, held in sorted(by_time.items()) for span in write_spans(held)]
    return {**kept, OPEN: rows} if rows else kept


def nights_kept(opened: OpenNights, evidence: Evidence, context: Context) -> dict[date, datetime]:
    """Return the nights of *opened* that stay held: the fetch releases nothing, or they were not open for long enough.

    Long enough: for ``cancel_after``, and since an earlier fetch than this.
    """
    if evidence.is_applied:
        return {}
    at = context.at
    return {n: t for n, t in opened.items() if not (evidence.releases and t < at and t + context.cancel_after <= at)}


def next_release_at(records: Iterable[Record], context: Context) -> datetime | None:
    """Return the earliest time at which time alone releases what *records* hold although the feed shows it open."""
    since = [t for r in records for t in _waiting_since(r)]
    return min((max(t + context.cancel_after, context.at) for t in since), default=None)


def _waiting_since(record: Record) -> list[datetime]:
    coded = record.presence is Presence.MISSING and record.remote.get("reservation_code")
    own = [record.missing_since] if coded and record.missing_since else []
    return [*own, *read_open(record).values()]
