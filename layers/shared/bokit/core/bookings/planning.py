"""What must change for the known stays to agree with a feed: the plan of one source's bookings, before any guard."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from bokit.core.bookings.evidence import Evidence, Opened, forget_contradicted, open_nights, remember, remember_misses, unripe
from bokit.core.bookings.matching import JOINED, Matches, Pair
from bokit.core.bookings.nights import DAY, nights
from bokit.core.bookings.stay import RELEASED, Stay, entry_key, held_nights, read_remote
from bokit.core.bookings.window import closed_nights, held_window, plan_window
from bokit.core.ical.entries import Entry, Status
from bokit.core.model.merge import change_action, create_action, write_time
from bokit.core.model.plan import Action, ActionKind
from bokit.core.model.records import Fields, Presence, Record, make_record_id
from bokit.core.model.source_rules import Context

REPLACED = "another reservation holds its nights"
GONE = "gone from the feed"
STATED = "the source says that it is cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One fetch, as every stay's rule looks at it."""

    matches: Matches
    context: Context
    evidence: Evidence
    closed: set[date]
    """Every night from today on that the feed closes."""

    @property
    def today(self) -> date:
        """The unit's date at the fetch."""
        return self.matches.today

    @property
    def at(self) -> datetime:
        """The time of the fetch."""
        return self.context.at


def plan_bookings(matches: Matches, context: Context, evidence: Evidence) -> list[Action]:
    """Return every action that *matches* asks for, in the order of the records' ids."""
    look = Look(matches=matches, context=context, evidence=evidence, closed=matches.closed)
    planned = [_plan_pair(pair, look) for pair in matches.pairs]
    if evidence.releases:
        planned += [_plan_ended(pair, look) for pair in matches.ended]
        planned += [_plan_absent(stay, look) for stay in matches.absent]
    actions = [a for a in planned if a]
    window = plan_window(matches, context, evidence, _unheld(actions, look))
    return sorted([*actions, window] if window else actions, key=lambda a: a.record_id)


def _unheld(actions: list[Action], look: Look) -> set[date]:
    """Return the nights that the feed closes and that no stay would hold; those that a person released are a stay's."""
    matches = look.matches
    after = {a.record_id: a.after for a in actions}
    before = [p.stay.record for p in (*matches.pairs, *matches.ended) if p.stay] + [s.record for s in matches.absent]
    records = {r.id: r for r in before} | after
    return look.closed - {n for r in records.values() for n in _claimed_nights(r)} - closed_nights(matches.windows, look.today)


def _claimed_nights(record: Record) -> set[date]:
    return held_nights(record) | {date.fromisoformat(night) for night in record.fields.get(RELEASED) or ()}


def _plan_pair(pair: Pair, look: Look) -> Action | None:
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
        return create_action(_new_record(entry, look.context), pair.reason)
    check_in, check_out, memory = _settle_dates(stay, entry, look)
    remote = {**read_remote(entry), "check_in": check_in.isoformat(), "check_out": check_out.isoformat()}
    return change_action(
        stay.record,
        pair.reason,
        look.at,
        remote=remote,
        key=entry_key(entry),
        presence=Presence.PRESENT,
        missing_since=None,
        gone_at=None,
        gone_reason=None,
        memory=memory,
    )


def _new_record(entry: Entry, context: Context) -> Record:
    told = (context.source_id, entry_key(entry), str(entry.check_in), str(entry.check_out), write_time(context.at))
    return Record(
        id=make_record_id(context.scope, hashlib.sha256("/".join(told).encode()).hexdigest()[:20]),
        tenant=context.tenant,
        collection=context.collection,
        scope=context.scope,
        source_id=context.source_id,
        key=entry_key(entry),
        remote=read_remote(entry),
        created_at=context.at,
        updated_at=context.at,
    )


def _settle_dates(stay: Stay, entry: Entry, look: Look) -> tuple[date, date, Fields]:
    """Return the stay's dates, and its memory of the nights that it keeps although the feed shows them open."""
    memory = stay.record.memory
    if stay.code or entry.reservation_code or stay.is_gone:
        return entry.check_in, entry.check_out, remember(memory, {})
    clipped = stay.check_in < entry.check_in <= look.today
    check_in, check_out = stay.check_in if clipped else entry.check_in, entry.check_out
    mine, before = nights(max(check_in, look.today), check_out), stay.nights_from(look.today)
    moved_away = not before & mine and stay.check_out != check_out
    freed = set() if moved_away else before - mine - look.closed
    opened = open_nights(stay.record, freed, look.at)
    kept = unripe(opened, look.evidence, look.context)
    check_in, check_out = min([check_in, *kept]), max([check_out, *(n + DAY for n in kept)])
    inside = {n: t for n, t in opened.items() if check_in <= n < check_out}
    return check_in, check_out, remember(memory, inside) if look.evidence.releases else memory


def _plan_ended(pair: Pair, look: Look) -> Action | None:
    """Return the cancellation that the source itself states: at once, unless the stay is gone or past already."""
    stay = pair.stay
    if stay is None or stay.is_gone or not stay.nights_from(look.today):
        return None
    return cancel_action(stay.record, pair.entry.status, STATED, look.at)


def cancel_action(record: Record, status: Status, reason: str, at: datetime, **others: Any) -> Action | None:
    """Return the action that lets *record* go."""
    remote = {**record.remote, "status": str(status)}
    return change_action(
        record,
        reason,
        at,
        kind=others.pop("kind", ActionKind.CANCEL),
        remote=remote,
        presence=Presence.GONE,
        gone_at=at,
        gone_reason=reason,
        memory=remember(record.memory, {}),
        **others,
    )


def _plan_absent(stay: Stay, look: Look) -> Action | None:
    """Return what to make of a stay with nights to come that no entry is."""
    return _plan_absent_coded(stay, look) if stay.code else _plan_absent_codeless(stay, look)


def _plan_absent_coded(stay: Stay, look: Look) -> Action | None:
    """Return what to make of a reservation whose code is not shown.

    its nights                                            result
    all taken by other coded reservations                 cancelled at once: two guests cannot both be right
    else, missing for long enough, in two fetches         cancelled: the guest or the host cancelled
    else                                                  missing, held: half a feed, or the platform's slip
    """
    record = forget_contradicted(stay.record, look.evidence)
    taken = [nights(*_span(p.entry)) for p in look.matches.pairs if p.entry.reservation_code]
    if stay.nights_from(look.today) <= set().union(*taken):
        return cancel_action(stay.record, Status.CANCELLED, REPLACED, look.at)
    since = look.evidence.missing_since(record, look.at)
    if look.evidence.has_ripened(record, since, look.context):
        return cancel_action(stay.record, Status.VANISHED, GONE, look.at)
    return _miss(stay, record, {}, look)


def _plan_absent_codeless(stay: Stay, look: Look) -> Action | None:
    """Return what to make of a closure that no entry is.

    its nights                                            result
    all in one entry that did not hold them all before    joined with that entry's stay, at once: the feed joined two
                                                          closures, or the calendar's end swallowed one
    all closed by others as before                        missing, held: overlapping events, and one of them went
    open for long enough, each                            cancelled
    some open for long enough, others not                 missing, held without the first
    else                                                  missing, held: half a feed, or the platform's slip
    """
    record, free = forget_contradicted(stay.record, look.evidence), stay.nights_from(look.today)
    if free <= look.closed and _is_joined(free, look.matches):
        return cancel_action(stay.record, Status.VANISHED, JOINED, look.at, kind=ActionKind.MERGE)
    since = look.evidence.missing_since(record, look.at)
    opened = open_nights(record, free - look.closed, look.at if record.missing_since else since)
    waiting = {n: t for n, t in opened.items() if not look.evidence.has_ripened(record, t, look.context)}
    if opened and not waiting:
        return cancel_action(stay.record, Status.VANISHED, GONE, look.at)
    kept = free - set(opened) | set(waiting)
    inside = {n: t for n, t in opened.items() if min(kept) <= n <= max(kept)}
    return _miss(stay, record, inside, look, _shorten(stay, kept, free))


def _is_joined(free: set[date], matches: Matches) -> bool:
    """Return whether one entry took in all of *free* that its own stay did not hold before."""
    for pair in matches.pairs:
        before = pair.stay.nights_from(matches.today) if pair.stay and not pair.stay.is_gone else set()
        if free <= nights(*_span(pair.entry)) and not free <= before:
            return True
    return not free <= held_window(matches) and any(free <= nights(*_span(e)) for e in matches.windows)


def _span(entry: Entry) -> tuple[date, date]:
    return entry.check_in, entry.check_out


def _miss(stay: Stay, known: Record, opened: Opened, look: Look, dates: Fields | None = None) -> Action | None:
    """Return the mark that *stay* is missing; *known* is its record without what contradicted fetches told."""
    missed = remember_misses(known, look.evidence, look.at)
    return change_action(
        stay.record,
        "not in the feed",
        look.at,
        presence=Presence.MISSING,
        missing_since=look.evidence.missing_since(known, look.at),
        memory=remember(known.memory, opened, missed),
        remote={**stay.record.remote, **(dates or {})},
    )


def _shorten(stay: Stay, kept: set[date], free: set[date]) -> Fields:
    """Return the stay's dates without the nights to come, *free*, that lie before or after those *kept*."""
    check_in = stay.check_in if min(kept) == min(free) else min(kept)
    return {"check_in": check_in.isoformat(), "check_out": (max(kept) + DAY).isoformat()}
