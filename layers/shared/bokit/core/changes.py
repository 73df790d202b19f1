"""What must change for the known stays to agree with a feed: the plan of one source's bookings, before any guard."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from typing import Any

from bokit.core.booking import NIGHTS, PROVISIONAL, Stay, entry_key, read_remote
from bokit.core.entries import Entry, Kind, Status
from bokit.core.identity import JOINED, Matches, Pair, Reason, old_window
from bokit.core.merge import change_action, create_action, write_time
from bokit.core.nights import DAY, nights, write_spans
from bokit.core.plan import Action, ActionKind
from bokit.core.records import Fields, Json, Presence, Record, RecordId, make_record_id
from bokit.core.rules import Context

OPEN = "open"
"""In a record's memory: nights that it holds and its feed shows open, as ``[first, end, since]``."""


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
    """This fetch misses stays that the last one showed: it does not agree with it."""


def weigh_fetch(
    matches: Matches, absent_since: Mapping[str, datetime], held_since: datetime | None, agreed: frozenset[str] = frozenset()
) -> Evidence:
    """Return what an accepted fetch proves, as its matches tell.

    *held_since*: the fetches from then until this one were held; *absent_since*: what shrunken ones did not show.
    """
    back = [p.stay.record for p in matches.pairs if p.stay and p.reason in (Reason.CODE, Reason.UID, Reason.NIGHTS)]
    missed = {r.id: r.missing_since for r in back if r.missing_since and r.presence is Presence.MISSING}
    missed |= {r.id: absent_since[r.id] for r in back if r.id in absent_since}
    contradicted = min(missed.values(), default=None)
    valid = {id: at for id, at in absent_since.items() if contradicted is None or at < contradicted}
    news = any(s.record.missing_since is None for s in matches.absent)
    return Evidence(
        contradicted_since=contradicted, has_news=news, absent_since=valid, agreed=agreed,
        held_since=None if contradicted else held_since,
    )  # fmt: skip


def plan_bookings(matches: Matches, context: Context, evidence: Evidence) -> list[Action]:
    """Return every action that *matches* asks for, in the order of the records' ids."""
    closed = matches.closed
    actions: list[Action | None] = [_plan_pair(p, matches, closed, context, evidence) for p in matches.pairs]
    if evidence.releases:
        actions += [_plan_ended(p, context) for p in matches.ended]
        actions += [_plan_absent(s, matches, closed, context, evidence) for s in matches.absent]
    actions.append(plan_window(matches, context, evidence))
    return sorted((a for a in actions if a), key=lambda a: a.record_id)


def _new_id(context: Context, *parts: str) -> RecordId:
    told = "/".join((context.source_id, *parts))
    return make_record_id(context.scope, hashlib.sha256(told.encode()).hexdigest()[:20])


def _plan_pair(pair: Pair, matches: Matches, closed: set[date], context: Context, evidence: Evidence) -> Action | None:
    """Return what one entry asks of its stay.

    stay      entry                                 result
    none      any                                   create
    gone      the same code, UID or nights          restore, with its edits
    any       coded, other dates                    moved at once
    any       codeless, begins later, not before    the guest is here and the platform clips: the arrival stays
              today
    any       codeless, frees nights                the nights stay held until they were open for long enough
    any       else                                  follow the source, but for what a person edited
    """
    entry, stay = pair.entry, pair.stay
    if stay is None:
        return create_action(_new_record(entry, context), pair.reason)
    check_in, check_out, memory = _settle_dates(stay, entry, matches.today, closed, context, evidence)
    remote = {**read_remote(entry), "check_in": check_in.isoformat(), "check_out": check_out.isoformat()}
    record = stay.record
    return change_action(
        record, pair.reason, context.at, remote=remote, key=entry_key(entry), presence=Presence.PRESENT,
        missing_since=None, gone_at=None, gone_reason=None, memory=memory,
    )  # fmt: skip


def _new_record(entry: Entry, context: Context) -> Record:
    parts = (entry_key(entry), entry.check_in.isoformat(), entry.check_out.isoformat(), write_time(context.at))
    return Record(
        id=_new_id(context, *parts), tenant=context.tenant, collection=context.collection, scope=context.scope,
        source_id=context.source_id, key=entry_key(entry), remote=read_remote(entry), created_at=context.at,
        updated_at=context.at,
    )  # fmt: skip


def _settle_dates(
    stay: Stay, entry: Entry, today: date, closed: set[date], context: Context, evidence: Evidence
) -> tuple[date, date, Fields]:
    """Return the stay's dates, and its memory of the nights that it keeps although the feed shows them open."""
    memory = stay.record.memory
    if stay.code or entry.reservation_code or stay.is_gone:
        return entry.check_in, entry.check_out, _remember_open(memory, {})
    clipped = stay.check_in < entry.check_in <= today
    check_in, check_out = stay.check_in if clipped else entry.check_in, entry.check_out
    mine, before = nights(max(check_in, today), check_out), stay.nights_from(today)
    moved_away = not before & mine and stay.check_out != check_out
    opened = {} if moved_away else open_nights(stay.record, before - mine - closed, context.at)
    kept = {n: t for n, t in opened.items() if not evidence.releases or not is_ripe(t, context)}
    check_in, check_out = min([check_in, *kept]), max([check_out, *(n + DAY for n in kept)])
    return check_in, check_out, _remember_open(memory, kept) if evidence.releases else memory


def open_nights(record: Record, shown: set[date], since: datetime) -> dict[date, datetime]:
    """Return the nights that *record* holds and the feed shows open, each with the time since when."""
    known = read_open(record)
    return {night: known.get(night, since) for night in shown}


def read_open(record: Record) -> dict[date, datetime]:
    """Return what the record remembers of its open nights."""
    return {
        night: datetime.fromisoformat(since)
        for first, end, since in record.memory.get(OPEN, ())
        for night in nights(date.fromisoformat(first), date.fromisoformat(end))
    }


def _remember_open(memory: Fields, opened: Mapping[date, datetime]) -> dict[str, Json]:
    kept = {name: value for name, value in memory.items() if name != OPEN}
    by_time: dict[datetime, set[date]] = {}
    for night, since in opened.items():
        by_time.setdefault(since, set()).add(night)
    told = [[*span, write_time(since)] for since, held in sorted(by_time.items()) for span in write_spans(held)]
    return {**kept, OPEN: told} if told else kept


def is_ripe(since: datetime, context: Context) -> bool:
    """Tell whether what is open or missing *since* then was so for long enough, and in two fetches."""
    return since < context.at and since + context.cancel_after <= context.at


def has_ripened(since: datetime, *, evidence: Evidence, seen_twice: bool, context: Context) -> bool:
    """Tell whether a stay that is missing *since* then is gone.

    missed by one fetch alone                                  no
    shorter than ``cancel_after``                              no
    this fetch misses others that the last one showed: the     once it is half as long again
    two do not agree
    else                                                       yes
    """
    wait = context.cancel_after * 3 / 2 if evidence.has_news and not evidence.agreed else context.cancel_after
    return seen_twice and since + wait <= context.at


def _was_missed(record: Record, evidence: Evidence) -> bool:
    return record.missing_since is not None or record.id in evidence.agreed


def _forget_contradicted(record: Record, evidence: Evidence) -> Record:
    """Return *record* as if this fetch were the first to miss it, where those before are contradicted."""
    since = evidence.contradicted_since
    if since is None or record.missing_since is None or record.missing_since < since:
        return record
    return replace(record, missing_since=None, memory=_remember_open(record.memory, {}))


def _plan_ended(pair: Pair, context: Context) -> Action | None:
    """Return the cancellation that the source itself states: at once, unless the stay is gone or past already."""
    stay = pair.stay
    if stay is None or stay.is_gone or not stay.nights_from(context.at.astimezone(context.timezone).date()):
        return None
    return cancel_action(stay.record, pair.entry.status, "the source says that it is cancelled", context.at)


def cancel_action(record: Record, status: Status, reason: str, at: datetime, **others: Any) -> Action | None:
    """Return the action that lets *record* go."""
    remote = {**record.remote, "status": str(status)}
    return change_action(
        record, reason, at, kind=others.pop("kind", ActionKind.CANCEL), remote=remote, presence=Presence.GONE, gone_at=at,
        gone_reason=reason, memory=_remember_open(record.memory, {}), **others,
    )  # fmt: skip


def _plan_absent(stay: Stay, matches: Matches, closed: set[date], context: Context, evidence: Evidence) -> Action | None:
    """Return what to make of a stay with nights to come that no entry is.

    coded       its nights                                    result
    yes         all taken by other coded reservations         cancelled at once: two guests cannot both be right
    yes         else, missing for long enough, twice          cancelled
    no          all in one entry that did not hold them all   joined with that entry's stay, at once
                before (the feed joined two closures, or the
                calendar's end swallowed one)
    no          all closed by others as before                missing, held: a feed is evidence about nights
    no          some open for long enough, none just now      cancelled
    no          some open for long enough, others not         missing, held without the first
    any         else                                          missing, held
    """
    record, free = _forget_contradicted(stay.record, evidence), stay.nights_from(matches.today)
    since = record.missing_since or evidence.absent_since.get(record.id) or evidence.held_since or context.at
    is_due = partial(has_ripened, evidence=evidence, seen_twice=_was_missed(record, evidence), context=context)
    if stay.code:
        if free <= _coded_nights(matches):
            return cancel_action(record, Status.CANCELLED, "another reservation holds its nights", context.at)
        if is_due(since):
            return cancel_action(record, Status.VANISHED, "gone from the feed", context.at)
        return _miss(stay.record, since, {}, context)
    if free <= closed and _is_joined(stay, free, matches):
        return cancel_action(record, Status.VANISHED, JOINED, context.at, kind=ActionKind.MERGE)
    opened = open_nights(record, free - closed, context.at if record.missing_since else since)
    waiting = {night: t for night, t in opened.items() if not is_due(t)}
    if opened and not waiting:
        return cancel_action(record, Status.VANISHED, "gone from the feed", context.at)
    return _miss(stay.record, since, waiting, context, _shorten(stay, free - set(opened) | set(waiting), free))


def _coded_nights(matches: Matches) -> set[date]:
    return {n for p in matches.pairs if p.entry.reservation_code for n in nights(p.entry.check_in, p.entry.check_out)}


def _is_joined(stay: Stay, free: set[date], matches: Matches) -> bool:
    """Tell whether one entry took in all of the stay's nights that its own stay did not hold before."""
    for pair in matches.pairs:
        before = pair.stay.nights_from(matches.today) if pair.stay and not pair.stay.is_gone else set()
        if free <= nights(pair.entry.check_in, pair.entry.check_out) and not free <= before:
            return True
    held = old_window(matches)
    return not free <= held and any(free <= nights(e.check_in, e.check_out) for e in matches.windows)


def _miss(
    record: Record, since: datetime, opened: Mapping[date, datetime], context: Context, dates: Fields | None = None
) -> Action | None:
    return change_action(
        record, "not in the feed", context.at, presence=Presence.MISSING, missing_since=since,
        memory=_remember_open(record.memory, opened), remote={**record.remote, **(dates or {})},
    )  # fmt: skip


def _shorten(stay: Stay, kept: set[date], free: set[date]) -> Fields:
    """Return the stay's dates without the nights to come, *free*, that lie before or after those *kept*."""
    check_in = stay.check_in if min(kept) == min(free) else min(kept)
    return {"check_in": check_in.isoformat(), "check_out": (max(kept) + DAY).isoformat()}


def plan_window(matches: Matches, context: Context, evidence: Evidence, provisional: set[date] | None = None) -> Action | None:
    """Return the change of the source's window: the nights that it closes by rule, and those held provisionally.

    night                                         result
    closed by a window entry                      held
    held before, closed by another entry          that entry's now
    held before, open for less than long enough   held
    held before, open for long enough, or past    let go
    """
    old = old_window(matches)
    shown = {n for e in matches.windows for n in nights(max(e.check_in, matches.today), e.check_out)}
    opened = open_nights(matches.window, old - shown - matches.closed, context.at) if matches.window else {}
    kept = {n: t for n, t in opened.items() if not evidence.releases or not is_ripe(t, context)}
    return _write_window(matches.window, shown | set(kept), kept if evidence.releases else None, provisional, context)


def _write_window(
    window: Record | None, held: set[date], opened: Mapping[date, datetime] | None, provisional: set[date] | None,
    context: Context,
) -> Action | None:  # fmt: skip
    if window is None and not held and not provisional:
        return None
    waiting = write_spans(provisional or ())
    everything = sorted(held | (provisional or set()))
    remote: dict[str, Json] = dict(window.remote) if window else {"kind": str(Kind.WINDOW)}
    remote |= {NIGHTS: write_spans(held), PROVISIONAL: waiting}
    remote["status"] = str(Status.UNAVAILABLE if everything else Status.VANISHED)
    if everything:
        remote |= {"check_in": everything[0].isoformat(), "check_out": (everything[-1] + DAY).isoformat()}
    if window is None:
        new = _window_record(remote, context)
        return replace(create_action(new, WINDOW_REASON), kind=ActionKind.REMEMBER)
    memory = window.memory if opened is None else _remember_open(window.memory, opened)
    return change_action(window, WINDOW_REASON, context.at, kind=ActionKind.REMEMBER, remote=remote, memory=memory)


WINDOW_REASON = "nights that the calendar's own rules close"


def _window_record(remote: Fields, context: Context) -> Record:
    return Record(
        id=_new_id(context, "window"), tenant=context.tenant, collection=context.collection, scope=context.scope,
        source_id=context.source_id, key="window", remote=remote, created_at=context.at, updated_at=context.at,
    )  # fmt: skip


def next_settling(records: Iterable[Record], context: Context) -> datetime | None:
    """Return the earliest time at which time alone ripens what these records hold although the feed shows it open."""
    times = [t for r in records for t in read_open(r).values()]
    times += [r.missing_since for r in records if r.missing_since and r.remote.get("reservation_code")]
    due = [t + context.cancel_after for t in times]
    return min((t if t > context.at else context.at for t in due), default=None)
