"""What must change for the known stays to agree with a feed: the plan of one source's bookings, before any guard."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from itertools import islice
from typing import Any

from bokit.core.bookings.erasure import read_erasure, without_guest
from bokit.core.bookings.evidence import Evidence, forget_contradicted, nights_kept, write_misses
from bokit.core.bookings.habits import vanished_after_arrival
from bokit.core.bookings.limits import MAX_JOINED_JUDGED
from bokit.core.bookings.masking import is_other_guest
from bokit.core.bookings.matching import Matches
from bokit.core.bookings.names import Words, read_title
from bokit.core.bookings.nights import DAY, NightIndex, NightSet, nights, nights_of
from bokit.core.bookings.open_nights import OpenNights, open_nights, read_open, with_open_nights
from bokit.core.bookings.pairs import Pair
from bokit.core.bookings.stay import (
    ANOTHER_GUEST,
    ERASED,
    GUEST_FIELDS,
    GoneReason,
    Stay,
    entry_key,
    held_spans,
    read_remote,
    released_nights,
)
from bokit.core.bookings.window import closed_nights, plan_window, rule_nights
from bokit.core.ical.entries import BLOCKING, Entry, EntryKind, Status
from bokit.core.model.documents import write_time
from bokit.core.model.json_merge import is_same
from bokit.core.model.merge import CONFIRM, DOUBTED_AT, change_action, create_action
from bokit.core.model.plan import Action, ActionKind
from bokit.core.model.records import Fields, Presence, Record, RecordId, make_record_id
from bokit.core.model.source_rules import Context
from bokit.values import Value, replace


class BookingDiff(Value, dict=True):
    """One fetch beside the known stays: what the plan of each stay is made from. What all stays need is found once."""

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

    @cached_property
    def coded(self) -> set[date]:
        """The nights of the reservations with a code that the feed shows."""
        return nights_of((p.entry.check_in, p.entry.check_out) for p in self.matches.pairs if p.entry.reservation_code)

    @cached_property
    def by_rule(self) -> set[date]:
        """The nights to come that the source's window held by rule before."""
        return rule_nights(self.matches)

    @cached_property
    def around(self) -> NightIndex:
        """The entries with a stay, by their nights."""
        return NightIndex([(p.entry.check_in, p.entry.check_out) for p in self.matches.pairs])

    @cached_property
    def windows_around(self) -> NightIndex:
        """The windows, by their nights."""
        return NightIndex([(e.check_in, e.check_out) for e in self.matches.windows])

    @cached_property
    def came(self) -> Mapping[EntryKind, Mapping[date, datetime]]:
        """For each kind of entry and each of its nights when the newest booking of it came."""
        found: dict[EntryKind, dict[date, datetime]] = {}
        rows = ((p.stay.record.created_at if p.stay else self.at, p.entry) for p in self.matches.pairs)
        for at, entry in sorted(rows, key=lambda row: row[0]):
            found.setdefault(entry.kind, {}).update(dict.fromkeys(nights(entry.check_in, entry.check_out), at))
        return found


def plan_bookings(matches: Matches, context: Context, evidence: Evidence) -> list[Action]:
    """Return every action that *matches* asks for, in the order of the records' ids."""
    diff = BookingDiff(matches=matches, context=context, evidence=evidence, closed=matches.closed)
    planned = [_plan_pair(pair, diff) for pair in matches.pairs if pair.stay]
    planned += _plan_new([pair for pair in matches.pairs if pair.stay is None], context)
    if evidence.releases:
        planned += [_plan_ended(pair, diff) for pair in matches.ended]
        planned += [(_plan_absent_coded if stay.code else _plan_absent_codeless)(stay, diff) for stay in matches.absent]
    actions = [a for a in planned if a]
    came = _find_replacing(actions, diff)
    new = {id(e) for e in came}
    windows = tuple(e for e in matches.windows if id(e) not in new)
    matches = replace(matches, windows=windows, rolling=(*matches.rolling, *came))
    window = plan_window(matches, context, evidence, _unheld_nights(actions, diff))
    return sorted([*actions, window] if window else actions, key=lambda a: a.record_id)


def _find_replacing(actions: list[Action], diff: BookingDiff) -> list[Entry]:
    """Return the blocks that took the nights of reservations which *actions* release: nothing else holds these nights now.

    They are stays from the next fetch on, as what was never held; until then the window holds and publishes them.
    """
    released = {a.record_id for a in actions if a.kind is ActionKind.CANCEL}
    leaving = [*diff.matches.absent, *(p.stay for p in diff.matches.ended if p.stay)]
    held = NightSet((max(s.check_in, diff.today), s.check_out) for s in leaving if s.record.id not in released)
    blocks = ((e, max(e.check_in, diff.today)) for e in diff.matches.replacing)
    return [e for e, first in blocks if e.status not in BLOCKING or not held.meets(first, e.check_out)]


def _unheld_nights(actions: list[Action], diff: BookingDiff) -> set[date]:
    """Return the nights that the feed closes and that no stay would hold; those that a person released are a stay's."""
    matches = diff.matches
    before = [p.stay.record for p in (*matches.pairs, *matches.ended) if p.stay] + [s.record for s in matches.absent]
    records = {r.id: r for r in before} | {a.record_id: a.after for a in actions}
    held = nights_of(span for r in records.values() for span in held_spans(r, r.fields))
    released = {n for r in records.values() for n in released_nights(r)}
    return diff.closed - held - released - closed_nights((*matches.windows, *matches.rolling, *matches.rest), diff.today)


def _plan_pair(pair: Pair, diff: BookingDiff) -> Action | None:
    """Return what one entry asks of its stay.

    stay      entry                                 result
    gone      the same code, UID or nights          restore, with its edits
    any       coded, other dates                    moved at once
    any       codeless, begins later, not before    the guest is here and the platform clips: the arrival stays
              today
    any       codeless, frees nights                the nights stay held until they were open for long enough
    any       else                                  the source's values, but for what a person edited
    any       by its nights alone, perhaps another  as above, and it is doubted; where a person edited the guest, a
              guest                                 person is asked to confirm
    """
    entry, stay = pair.entry, pair.stay
    if stay is None:
        return None
    check_in, check_out, rules_state = _plan_dates(stay, entry, diff)
    is_doubted = pair.by_nights and not _was_shown(stay, entry, diff)
    said, rules_state = _plan_guest(stay, entry, rules_state, is_doubted=is_doubted)
    remote = {**said, **_write_dates(check_in, check_out)}
    if is_doubted:
        asked = {CONFIRM: ANOTHER_GUEST} if GUEST_FIELDS & set(stay.record.edits) else {}
        rules_state = {**rules_state, DOUBTED_AT: write_time(diff.at), **asked}
    if _is_shown_so(stay.record, entry_key(entry), remote, rules_state):
        return None
    after = stay.record.as_present(entry_key(entry), remote=remote, memory=rules_state)
    return change_action(stay.record, after, pair.reason, diff.at)


def _is_shown_so(record: Record, key: str, remote: Fields, rules_state: Fields) -> bool:
    """Return whether the source showed *record* in the same way before: most stays of a feed are equal."""
    absence = (record.missing_since, record.gone_at, record.gone_reason)
    if record.presence is not Presence.PRESENT or absence != (None, None, None):
        return False
    return record.key == key and record.memory == rules_state and is_same(record.remote, remote)


def _plan_guest(stay: Stay, entry: Entry, rules_state: Fields, *, is_doubted: bool) -> tuple[Fields, Fields]:
    """Return what the record keeps of what *entry* says, and its rules state.

    not erased                                             all of it
    erased, and by its nights alone another guest's now    all of it: nothing is erased of this guest
    erased                                                 nothing of the guest, whatever the feed says
    """
    erasure = read_erasure(stay.record)
    if erasure is None:
        return read_remote(entry), rules_state
    if is_doubted and is_other_guest(erasure, entry):
        return read_remote(entry), {name: value for name, value in rules_state.items() if name != ERASED}
    return without_guest(read_remote(entry)), rules_state


def _plan_new(pairs: Sequence[Pair], context: Context) -> list[Action]:
    """Return the new bookings of *pairs*; several of one UID and the same nights differ by their order."""
    seen = Counter[RecordId]()
    planned = []
    for pair in pairs:
        first = _new_booking(pair.entry, context)
        number, seen[first.id] = seen[first.id], seen[first.id] + 1
        planned.append(create_action(_new_booking(pair.entry, context, number) if number else first, pair.reason))
    return planned


def _was_shown(stay: Stay, entry: Entry, diff: BookingDiff) -> bool:
    """Return whether the last fetch showed *entry* as the stay: what it says of the guest was judged then."""
    shown = stay.nights_from(diff.today) - set(read_open(stay.record))
    is_same = stay.record.key == entry_key(entry) and shown == nights(max(entry.check_in, diff.today), entry.check_out)
    return is_same and not stay.is_gone


def _new_booking(entry: Entry, context: Context, number: int = 0) -> Record:
    """Return the record of a new booking; *number*: how many of the same UID and nights come before it."""
    identity = (context.source_id, entry_key(entry), str(entry.check_in), str(entry.check_out), write_time(context.at))
    digest = hashlib.sha256("/".join((*identity, *[str(number)][:number])).encode()).hexdigest()[:20]
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
    if stay.nights_from(diff.today) <= diff.coded:
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
    if free <= diff.closed and _is_joined(stay, free, diff):
        return cancel_action(stay.record, Status.VANISHED, GoneReason.JOINED, diff.at, ActionKind.MERGE)
    if diff.evidence.released_as:
        return cancel_action(stay.record, Status.VANISHED, diff.evidence.released_as, diff.at)
    since = diff.evidence.missing_since(record, diff.at)
    since_then = record.missing_since or diff.at
    unshown = free if _title_of(stay) else (free - diff.closed) | _taken_nights(stay, free, since_then, diff)
    opened = open_nights(record, unshown, diff.at if record.missing_since else since)
    is_here = _has_begun(stay, since, diff)
    held_times = {t for t in set(opened.values()) if is_here or not diff.evidence.may_release(record, t, diff.context)}
    waiting = {n: t for n, t in opened.items() if t in held_times}
    if opened and not waiting:
        return cancel_action(stay.record, Status.VANISHED, GoneReason.VANISHED, diff.at)
    kept = free - set(opened) | set(waiting)
    first, last = min(kept), max(kept)
    inside = {n: t for n, t in opened.items() if first <= n <= last}
    check_in = stay.check_in if first == min(free) else first
    return _miss(stay, record, inside, diff, _write_dates(check_in, last + DAY))


def _has_begun(stay: Stay, since: datetime, diff: BookingDiff) -> bool:
    """Return whether *stay*, missing *since* then, only left the list because its guest is here."""
    return not diff.evidence.shows_begun and vanished_after_arrival(stay, since, diff.context.timezone)


def _taken_nights(stay: Stay, free: set[date], since: datetime, diff: BookingDiff) -> set[date]:
    """Return which of the nights *free* are of bookings that came, as others than *stay*, when or after it went."""
    came = diff.came.get(stay.kind, {})
    return {night for night in free if (at := came.get(night)) and at >= since}


def _title_of(stay: Stay) -> Words:
    """Return the words of the guest's name, where its source shows one."""
    return read_title(stay.guest_name, stay.record.remote.get("summary")) if stay.kind is EntryKind.RESERVATION else frozenset()


def _is_joined(stay: Stay, free: set[date], diff: BookingDiff) -> bool:
    """Return whether one entry, not another guest's, took in all of *free* that its own stay did not hold before.

    Of many entries around it the first are judged: a stay that none of them took in is missing, and held.
    """
    first, end = max(stay.check_in, diff.today), stay.check_out
    around = (diff.matches.pairs[n] for n in islice(diff.around.around(first, end), MAX_JOINED_JUDGED))
    if any(_has_joined(stay, pair, diff) for pair in around):
        return True
    is_there = not _title_of(stay) and not free <= diff.by_rule
    return is_there and next(diff.windows_around.around(first, end), None) is not None


def _has_joined(stay: Stay, pair: Pair, diff: BookingDiff) -> bool:
    """Return whether the entry of *pair*, around *stay*, is not another guest's, and its own stay was not around it before."""
    entry, mine = pair.entry, _title_of(stay)
    if pair.stay is None and entry.kind is stay.kind and not entry.reservation_code:
        return False
    theirs = read_title(entry.guest_name, entry.summary)
    if mine and not (mine <= theirs or (theirs and theirs <= mine)):
        return False
    if pair.stay is None or pair.stay.is_gone:
        return True
    return not (max(pair.stay.check_in, diff.today) <= max(stay.check_in, diff.today) and stay.check_out <= pair.stay.check_out)


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
