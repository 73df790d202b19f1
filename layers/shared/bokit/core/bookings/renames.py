"""Feeds that rename everything at each fetch: what they say of their bookings proves nothing, and only nights count.

A part of an entry (its UID, code, name or texts) is *renamed* by a fetch in which no known booking with the same nights has it
any more. Where a feed renames the same part in several fetches in a row, what was known of that part is kept: its bookings are
the same, nothing is logged, and its owner is notified once. New nights come and open nights go as in any other feed.

    fetch   1      2                3                4                            5, 6, … a day long the same
    names   Ann    Bert: renamed    Carl: renamed    Dora: renamed, Ann is kept   Ann is kept, then what it shows
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from bokit.core.bookings.limits import (
    MAX_RENAME_INTERVALS,
    MAX_RENAME_MARKS,
    MIN_REISSUED_SHARE,
    MIN_RENAMES,
    MIN_SAME_DATES_SHARE,
    RENAME_TIME,
)
from bokit.core.bookings.matching import Matches
from bokit.core.bookings.pairs import Pair
from bokit.core.bookings.stay import GUEST_FIELDS, Stay, entry_key
from bokit.core.ical.entries import CANCELLED, Entry
from bokit.core.ical.platforms.base import Traits, UidRole
from bokit.core.model.source_memory import RenameHistory
from bokit.core.model.source_rules import Context, Seen
from bokit.values import Value, field, replace

UID, CODE, NAME, TEXT = "uid", "code", "name", "text"
PARTS: Mapping[str, tuple[str, ...]] = {
    UID: (),
    CODE: ("reservation_code",),
    NAME: ("guest_name", "summary"),
    TEXT: tuple(sorted(GUEST_FIELDS - {"reservation_code", "guest_name", "summary"})),
}
"""The parts of an entry, each with its fields; the UID is the record's key."""
DEFAULT_INTERVAL = timedelta(hours=1)
Slot = tuple[str, date, date]
"""A kind, the first night to come, and the day of departure."""


class _Twins(Value):
    """Entries, each with the known stay of its nights, and all stays that have such nights."""

    pairs: Sequence[tuple[Entry, Stay]]
    stays: Sequence[Stay]


class Renames(Value):
    """What is kept of one fetch, and what the next one is compared with."""

    history: RenameHistory
    raw: Mapping[tuple[str, date, date], Entry] | None = None
    """The entries as the feed shows them, by what they were read as, where nothing is kept any more; None: it is not so."""
    unproven: Mapping[int, Entry] = field(default_factory=dict)
    """By the ``id`` of an entry that was given what is known: its own UID, without names, codes and texts that are kept.

    What is known was put there by us and cannot prove whose feed it is; what the feed says instead disproves nothing.
    """

    def take_over(self, matches: Matches) -> Matches:
        """Return *matches* with the entries as the feed shows them, where it has stopped to rename: their stays follow it."""
        if not self.raw:
            return matches
        return replace(matches, pairs=tuple(self._take_over(pair) for pair in matches.pairs))

    def _take_over(self, pair: Pair) -> Pair:
        raw = (self.raw or {}).get((entry_key(pair.entry), pair.entry.check_in, pair.entry.check_out))
        return replace(pair, entry=replace(raw, kind=pair.entry.kind)) if raw and pair.stay else pair


def notified_since(history: RenameHistory) -> datetime | None:
    """Return since when the feed renames what people read; UIDs alone are nobody's concern."""
    return history.since if set(kept_parts(history)) - {UID} else None


def role_traits(traits: Traits, history: RenameHistory) -> Traits:
    """Return *traits* for judging UIDs: those that are kept prove nothing, whatever the platform says of them."""
    if UID not in kept_parts(history):
        return traits
    return replace(traits, reservation_uids=UidRole.VOLATILE, block_uids=UidRole.VOLATILE)


def kept_parts(history: RenameHistory) -> tuple[str, ...]:
    """Return the parts of entries that a source of this *history* has renamed too often to be believed."""
    return tuple(part for part in PARTS if history.times.get(part, 0) >= MIN_RENAMES)


def believed_at(history: RenameHistory) -> datetime | None:
    """Return when a feed is believed again if it renames nothing until then; None: nothing is kept, or it still renames."""
    return history.at + RENAME_TIME if history.at and kept_parts(history) else None


def keep_names(
    seen: Seen[Entry], stays: Sequence[Stay], history: RenameHistory, today: date, context: Context
) -> tuple[Seen[Entry], Renames]:
    """Return *seen* with what is known in place of what the feed renames, and what to remember of this fetch."""
    twins = _find_twins(seen.entries, stays, today, kept_parts(history))
    if twins is None:
        return seen, Renames(history=history)
    after = _learn(history, twins, context)
    is_over = bool(kept_parts(history)) and not kept_parts(after)
    parts = kept_parts(history) if is_over else kept_parts(after)
    if not parts:
        return seen, Renames(history=after)
    pairs = [(entry, stay) for entry, stay in twins.pairs if CODE in parts or _has_same_code(entry, stay)]
    shown = {id(entry): _with_parts(entry, stay, parts) for entry, stay in pairs}
    entries = tuple(shown.get(id(entry), entry) for entry in seen.entries)
    unproven = {id(shown[id(e)]): _without_parts(e, parts) for e, _ in pairs}
    raw = {(entry_key(shown[id(e)]), e.check_in, e.check_out): e for e, _ in pairs} if is_over else None
    return replace(seen, entries=entries), Renames(history=after, raw=raw, unproven=unproven)


def _find_twins(entries: Iterable[Entry], stays: Sequence[Stay], today: date, kept: Sequence[str]) -> _Twins | None:
    """Return the entries with the nights of a known stay, each with the oldest of those that it may be.

    None, where too many of the known nights are not there: then it may be another listing's feed, and is judged as it is.
    """
    known: dict[Slot, list[Stay]] = {}
    for stay in sorted(stays, key=lambda s: (s.record.created_at, s.record.id)):
        if not stay.is_gone and stay.check_out > today:
            known.setdefault((str(stay.kind), max(stay.check_in, today), stay.check_out), []).append(stay)
    shown: dict[Slot, list[Entry]] = {}
    for entry in entries:
        if entry.status not in CANCELLED:
            shown.setdefault((str(entry.kind), max(entry.check_in, today), entry.check_out), []).append(entry)
    both = known.keys() & shown.keys()
    least = MIN_SAME_DATES_SHARE * min(len(known), len(shown)) if kept else MIN_REISSUED_SHARE * len(known)
    if not both or len(both) < least:
        return None
    pairs = [twin for slot in sorted(both) for twin in _pair_up(sorted(shown[slot], key=entry_key), known[slot])]
    return _Twins(pairs=pairs, stays=[stay for slot in both for stay in known[slot]])


def _pair_up(entries: Sequence[Entry], stays: Sequence[Stay]) -> Iterator[tuple[Entry, Stay]]:
    """Give each entry the first stay that is left, one whose code does not say otherwise before all others.

    Each step takes the head of a queue, so that a thousand entries of the same nights cost a thousand steps.
    """
    if len(entries) == len(stays) == 1:
        yield entries[0], stays[0]
        return
    queues: dict[str | None, deque[int]] = {}
    for place, stay in enumerate(stays):
        queues.setdefault(stay.code or None, deque()).append(place)
    everyone, taken = deque(range(len(stays))), set[int]()
    for entry in entries:
        code = entry.reservation_code or None
        fitting = [queues[key] for key in (code, None) if key in queues] if code else [everyone]
        heads = (head for queue in fitting if (head := _first_left(queue, taken)) is not None)
        chosen = min(heads, default=_first_left(everyone, taken))
        if chosen is None:
            return
        taken.add(chosen)
        yield entry, stays[chosen]


def _first_left(queue: deque[int], taken: set[int]) -> int | None:
    """Return the first of a queue that is not taken; those before it are dropped."""
    while queue and queue[0] in taken:
        queue.popleft()
    return queue[0] if queue else None


def _has_same_code(entry: Entry, stay: Stay) -> bool:
    """Return whether no two codes say that these are two bookings."""
    return not entry.reservation_code or not stay.code or entry.reservation_code == stay.code


def _learn(history: RenameHistory, twins: _Twins, context: Context) -> RenameHistory:
    """Return what this fetch adds to the *history* of what the feed renames.

    a part of all entries                                                  result
    is new: neither a known stay nor a fetch before has one of them        renamed once more; long after the last time: once
    is not, before it was renamed often enough                             not renamed: others came, or an old answer
    is not, afterwards, for a day                                          no longer kept: the stays take it over
    """
    marks, times, kept = dict(history.marks), dict(history.times), kept_parts(history)
    gap = MAX_RENAME_INTERVALS * (context.interval or DEFAULT_INTERVAL)
    is_long_ago = history.at is not None and context.at - history.at > gap
    renamed = False
    for part in PARTS:
        is_kept = part in kept
        shown = {text for entry, _ in twins.pairs if (text := _of_entry(part, entry))}
        if not shown:
            continue
        if _is_new(part, shown, twins, marks.get(part, ()), is_kept=is_kept):
            times[part] = min(MIN_RENAMES, 1 if is_long_ago and not is_kept else times.get(part, 0) + 1)
            before = () if is_kept or times[part] == 1 else marks.get(part, ())
            marks[part] = (*before, *sorted(map(_mark_of, shown))[:MAX_RENAME_MARKS])
            renamed = True
        elif not is_kept:
            times.pop(part, None)
            marks.pop(part, None)
    return _dated(replace(history, marks=marks, times=times), context, renamed=renamed)


def _is_new(part: str, shown: set[str], twins: _Twins, marks: Sequence[str], *, is_kept: bool) -> bool:
    """Return whether nothing of *shown* has one of the *marks* of the fetches that renamed the *part*.

    Before the feed has renamed it often enough, nothing of it may be known of any nights either: two calendars in turn, or
    former guests on each other's nights, are no renaming.
    """
    if marks and not set(marks).isdisjoint(map(_mark_of, shown)):
        return False
    if is_kept:
        return True
    known = {text for stay in twins.stays if (text := _of_stay(part, stay))}
    return bool(known or marks) and known.isdisjoint(shown)


def _dated(history: RenameHistory, context: Context, *, renamed: bool) -> RenameHistory:
    """Return *history* with its times: when the last renaming was, and since when parts are kept."""
    at = context.at
    if not history.times or (history.at and not renamed and at - history.at >= RENAME_TIME):
        return RenameHistory()
    if not renamed:
        return history
    return replace(history, at=at, since=(history.since or at) if kept_parts(history) else None)


def _mark_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _of_entry(part: str, entry: Entry) -> str:
    return entry.uid if part == UID else _join((name, getattr(entry, name)) for name in PARTS[part])


def _of_stay(part: str, stay: Stay) -> str:
    remote = stay.record.remote
    return _uid_of(stay) if part == UID else _join((name, remote.get(name)) for name in PARTS[part])


def _join(values: Iterable[tuple[str, Any]]) -> str:
    return "\n".join(f"{name}={value}" for name, value in values if value not in (None, ""))


def _uid_of(stay: Stay) -> str:
    """Return the UID in the key of a stay, without the instance of a recurring event."""
    instance = stay.record.remote.get("recurrence_id")
    return stay.record.key.removesuffix(f"#{instance}") if instance else stay.record.key


def _without_parts(entry: Entry, parts: Sequence[str]) -> Entry:
    """Return *entry* without what it says in *parts*, but with its own UID."""
    unset = Entry(uid="", kind=entry.kind, status=entry.status, check_in=entry.check_in, check_out=entry.check_out)
    names = [name for part in parts for name in PARTS[part] if hasattr(unset, name)]
    return replace(entry, **{name: getattr(unset, name) for name in names})


def _with_parts(entry: Entry, stay: Stay, parts: Sequence[str]) -> Entry:
    """Return *entry* with these *parts* as its stay has them."""
    unset = Entry(uid="", kind=entry.kind, status=entry.status, check_in=entry.check_in, check_out=entry.check_out)
    names = [name for part in parts for name in PARTS[part]]
    values: dict[str, Any] = {name: stay.record.remote.get(name, getattr(unset, name)) for name in names if hasattr(unset, name)}
    if CODE in parts:
        values["reservation_code"] = stay.code  # of an erased guest, what the feed shows and the record does not have
    if UID in parts:
        values |= {"uid": _uid_of(stay), "recurrence_id": stay.record.remote.get("recurrence_id")}
    return replace(entry, **values)
