"""What must change for the known stays to agree with a feed: the plan of one source's bookings, before any guard."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from bokit.core.bookings.evidence import (
    Evidence,
    OpenNights,
    forget_contradicted,
    nights_kept,
    open_nights,
    read_open,
    with_open_nights,
    write_misses,
)
from bokit.core.bookings.habits import vanished_after_arrival
from bokit.core.bookings.matching import Matches, Pair
from bokit.core.bookings.names import Words, read_title
from bokit.core.bookings.nights import DAY, nights
from bokit.core.bookings.stay import (
    ANOTHER_GUEST,
    GUEST_FIELDS,
    GoneReason,
    Stay,
    entry_key,
    held_nights,
    read_remote,
    released_nights,
)
from bokit.core.bookings.window import closed_nights, plan_window, rule_nights
from bokit.core.ical.entries import Entry, EntryKind, Status
from bokit.core.model.documents import write_time
from bokit.core.model.merge import CONFIRM, change_action, create_action
from bokit.core.model.plan import Action, ActionKind
from bokit.core.model.records import Fields, Presence, Record, make_record_id
from bokit.core.model.source_rules import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingDiff:
    """One fetch beside the known stays: what the plan of each stay is made from."""

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
    diff = BookingDiff(matches=matches, context=context, evidence=evidence, closed=matches.closed)
    planned = [_plan_pair(pair, diff) for pair in matches.pairs]
    if evidence.releases:
        planned += [_plan_ended(pair, diff) for pair in matches.ended]
        planned += [(_plan_absent_coded if stay.code else _plan_absent_codeless)(stay, diff) for stay in matches.absent]
    actions = [a for a in planned if a]
    came = _find_replacing(actions, diff)
    windows = tuple(e for e in matches.windows if all(e is not entry for entry in came))
    matches = replace(matches, windows=windows, rolling=(*matches.rolling, *came))
    window = plan_window(matches, context, evidence, _unheld_nights(actions, diff))
    return sorted([*actions, window] if window else actions, key=lambda a: a.record_id)


def _find_replacing(actions: list[Action], diff: BookingDiff) -> list[Entry]:
    """Return the blocks that took the nights of reservations which *actions* release: nothing else holds these nights now.

    They are stays from the next fetch on, as what was never held; until then the window holds and publishes them.
    """
    released = {a.record_id for a in actions if a.kind is ActionKind.CANCEL}
    leaving = [*diff.matches.absent, *(p.stay for p in diff.matches.ended if p.stay)]
    held = {n for s in leaving if s.record.id not in released for n in s.nights_from(diff.today)}
    return [e for e in diff.matches.replacing if not held & closed_nights([e], diff.today)]


def _unheld_nights(actions: list[Action], diff: BookingDiff) -> set[date]:
    """Return the nights that the feed closes and that no stay would hold; those that a person released are a stay's."""
    matches = diff.matches
    before = [p.stay.record for p in (*matches.pairs, *matches.ended) if p.stay] + [s.record for s in matches.absent]
    records = {r.id: r for r in before} | {a.record_id: a.after for a in actions}
    held = {n for r in records.values() for n in held_nights(r) | released_nights(r)}
    return diff.closed - held - closed_nights((*matches.windows, *matches.rolling), diff.today)


def _plan_pair(pair: Pair, diff: BookingDiff) -> Action | None:
    """Return what one entry asks of its stay.

    stay      entry                                 result
    none      any                                   create
    gone      the same code, UID or nights          restore, with its edits
    any       coded, other dates                    moved at once
    any       codeless, begins later, not before    the guest is here and the platform clips: the arrival stays
              today
    any       codeless, frees nights                the nights stay held until they were open for long enough
    any       else                                  the source's values, but for what a person edited
    edited    by its nights alone, perhaps another  as above, and a person is asked to confirm the guest
              guest
    """
    entry, stay = pair.entry, pair.stay
    if stay is None:
        return create_action(_new_booking(entry, diff.context), pair.reason)
    check_in, check_out, rules_state = _plan_dates(stay, entry, diff)
    remote = {**read_remote(entry), **_write_dates(check_in, check_out)}
    if pair.by_nights and GUEST_FIELDS & set(stay.record.edits) and not _was_shown(stay, entry, diff):
        rules_state = {**rules_state, CONFIRM: ANOTHER_GUEST}
    after = replace(stay.record.as_present(entry_key(entry)), remote=remote, memory=rules_state)
    return change_action(stay.record, after, pair.reason, diff.at)


def _was_shown(stay: Stay, entry: Entry, diff: BookingDiff) -> bool:
    """Return whether the last fetch showed *entry* as the stay: what it says of the guest was judged then."""
    shown = stay.nights_from(diff.today) - set(read_open(stay.record))
    is_same = stay.record.key == entry_key(entry) and shown == nights(max(entry.check_in, diff.today), entry.check_out)
    return is_same and not stay.is_gone


def _new_booking(entry: Entry, context: Context) -> Record:
    identity = (context.source_id, entry_key(entry), str(entry.check_in), str(entry.check_out), write_time(context.at))
    digest = hashlib.sha256("/".join(identity).encode()).hexdigest()[:20]
    return context.new_record(make_record_id(context.scope, digest), entry_key(entry), read_remote(entry))


def _plan_dates(stay: Stay, entry: Entry, diff: BookingDiff) -> tuple[date, date, Fields]:
    """Return the stay's dates, and its rules state with the nights that it keeps although the feed shows them open."""
    rules_state, today = stay.record.memory, diff.today
    if stay.code or entry.reservation_code or stay.is_gone:
        return entry.check_in, entry.check_out, with_open_nights(rules_state, {})
    clipped = stay.check_in < entry.check_in <= today
    check_in, check_out = stay.check_in if clipped else entry.check_in, entry.check_out
    mine, before = nights(max(check_in, today), check_out), stay.nights_from(today)
    moved_away = not before & mine and stay.check_out != check_out
    freed = set() if moved_away else before - mine - diff.closed
    opened = open_nights(stay.record, freed, diff.evidence.open_since(diff.context))
    kept = nights_kept(opened, diff.evidence, diff.context)
    check_in, check_out = min([check_in, *kept]), max([check_out, *(n + DAY for n in kept)])
    inside = {n: t for n, t in opened.items() if check_in <= n < check_out}
    return check_in, check_out, with_open_nights(rules_state, inside) if diff.evidence.releases else rules_state


def _plan_ended(pair: Pair, diff: BookingDiff) -> Action | None:
    """Return the cancellation that the source itself states: at once, unless the stay is gone or past already."""
    stay = pair.stay
    if stay is None or stay.is_gone or not stay.nights_from(diff.today):
        return None
    return cancel_action(stay.record, pair.entry.status, GoneReason.CANCELLED, diff.at)


def cancel_action(
    record: Record, status: Status, reason: GoneReason, at: datetime, kind: ActionKind = ActionKind.CANCEL
) -> Action | None:
    """Return the action that releases *record*."""
    remote, memory = {**record.remote, "status": str(status)}, with_open_nights(record.memory, {})
    after = replace(record.as_gone(at, str(reason)), remote=remote, memory=memory)
    return change_action(record, after, reason, at, kind=kind)


def _plan_absent_coded(stay: Stay, diff: BookingDiff) -> Action | None:
    """Return the plan of a reservation whose code is not shown.

    its nights                                            result
    all taken by other coded reservations                 cancelled at once: two guests cannot both be right
    else, it had begun when it went, and this source      missing, held to the departure: the guest is here
    lists no stays that have begun
    else, missing for long enough, in two fetches         cancelled: the guest or the host cancelled
    else                                                  missing, held: half a feed, or the platform's slip
    """
    if diff.evidence.released_as:
        return cancel_action(stay.record, Status.VANISHED, diff.evidence.released_as, diff.at)
    record = forget_contradicted(stay.record, diff.evidence)
    taken = [_nights_of(p.entry) for p in diff.matches.pairs if p.entry.reservation_code]
    if stay.nights_from(diff.today) <= set().union(*taken):
        return cancel_action(stay.record, Status.CANCELLED, GoneReason.REPLACED, diff.at)
    since = diff.evidence.missing_since(record, diff.at)
    if not _has_begun(stay, since, diff) and diff.evidence.may_release(record, since, diff.context):
        return cancel_action(stay.record, Status.VANISHED, GoneReason.VANISHED, diff.at)
    return _miss(stay, record, {}, diff)


def _plan_absent_codeless(stay: Stay, diff: BookingDiff) -> Action | None:
    """Return the plan of a closure that no entry shows.

    its nights                                            result
    all in one entry that did not hold them all before    joined with that entry's stay, at once: the feed joined two
                                                          closures, or the calendar's end swallowed one
    all closed by others as before                        missing, held: overlapping events, and one of them went
    open for long enough, each                            cancelled
    it had begun when it went, and this source lists      missing, held to the departure: the guest is here
    no stays that have begun
    some open for long enough, others not                 missing, held without the first
    closed by others, but it named its guest, or they     as if open: others' nights are no sign of this guest
    came as it went
    else                                                  missing, held: half a feed, or the platform's slip
    """
    record, free = forget_contradicted(stay.record, diff.evidence), stay.nights_from(diff.today)
    if free <= diff.closed and _is_joined(stay, free, diff.matches):
        return cancel_action(stay.record, Status.VANISHED, GoneReason.JOINED, diff.at, ActionKind.MERGE)
    if diff.evidence.released_as:
        return cancel_action(stay.record, Status.VANISHED, diff.evidence.released_as, diff.at)
    since = diff.evidence.missing_since(record, diff.at)
    unshown = free if _title_of(stay) else free - (diff.closed - _taken_nights(stay, record.missing_since or diff.at, diff))
    opened = open_nights(record, unshown, diff.at if record.missing_since else since)
    is_here = _has_begun(stay, since, diff)
    waiting = {n: t for n, t in opened.items() if is_here or not diff.evidence.may_release(record, t, diff.context)}
    if opened and not waiting:
        return cancel_action(stay.record, Status.VANISHED, GoneReason.VANISHED, diff.at)
    kept = free - set(opened) | set(waiting)
    inside = {n: t for n, t in opened.items() if min(kept) <= n <= max(kept)}
    check_in = stay.check_in if min(kept) == min(free) else min(kept)
    return _miss(stay, record, inside, diff, _write_dates(check_in, max(kept) + DAY))


def _has_begun(stay: Stay, since: datetime, diff: BookingDiff) -> bool:
    """Return whether *stay*, missing *since* then, only left the list because its guest is here."""
    return not diff.evidence.shows_begun and vanished_after_arrival(stay, since, diff.context.timezone)


def _taken_nights(stay: Stay, since: datetime, diff: BookingDiff) -> set[date]:
    """Return the nights of the bookings that came, as others than *stay*, when or after it went."""
    came = [p for p in diff.matches.pairs if p.entry.kind is stay.kind and (p.stay is None or p.stay.record.created_at >= since)]
    return {night for pair in came for night in _nights_of(pair.entry)}


def _title_of(stay: Stay) -> Words:
    """Return the words of the guest's name, where its source shows one."""
    return read_title(stay.guest_name, stay.record.remote.get("summary")) if stay.kind is EntryKind.RESERVATION else frozenset()


def _is_joined(stay: Stay, free: set[date], matches: Matches) -> bool:
    """Return whether one entry, not another guest's, took in all of *free* that its own stay did not hold before."""
    mine = _title_of(stay)
    for pair in matches.pairs:
        theirs = read_title(pair.entry.guest_name, pair.entry.summary)
        if pair.stay is None and pair.entry.kind is stay.kind and not pair.entry.reservation_code:
            continue
        if mine and not (mine <= theirs or (theirs and theirs <= mine)):
            continue
        before = pair.stay.nights_from(matches.today) if pair.stay and not pair.stay.is_gone else set()
        if free <= _nights_of(pair.entry) and not free <= before:
            return True
    return not mine and not free <= rule_nights(matches) and any(free <= _nights_of(e) for e in matches.windows)


def _nights_of(entry: Entry) -> set[date]:
    return nights(entry.check_in, entry.check_out)


def _write_dates(check_in: date, check_out: date) -> dict[str, Any]:
    return {"check_in": check_in.isoformat(), "check_out": check_out.isoformat()}


def _miss(stay: Stay, known: Record, opened: OpenNights, diff: BookingDiff, dates: Fields | None = None) -> Action | None:
    """Return the mark that *stay* is missing; *known* is its record without what contradicted fetches noted."""
    after = replace(
        stay.record,
        presence=Presence.MISSING,
        missing_since=diff.evidence.missing_since(known, diff.at),
        memory=with_open_nights(known.memory, opened, write_misses(known, diff.evidence, diff.context)),
        remote={**stay.record.remote, **(dates or {})},
    )
    return change_action(stay.record, after, "not in the feed", diff.at)
