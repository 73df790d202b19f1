"""Which stay is this entry? One assignment of a whole feed's entries to the known stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from bokit.core.bookings.booking_limits import limit_bookings
from bokit.core.bookings.identity import Identity
from bokit.core.bookings.limits import MIN_WINDOW_END, MIN_WINDOW_START
from bokit.core.bookings.names import NameReader, NameVerdict, Words
from bokit.core.bookings.nights import NightRanges, NightSet, nights, nights_of
from bokit.core.bookings.open_nights import read_open
from bokit.core.bookings.pairing import near_rounds, uid_rounds
from bokit.core.bookings.pairs import MatchReason, Pair
from bokit.core.bookings.rolling import ClosureRules, Rolls, WindowVerdict
from bokit.core.bookings.stay import GoneReason, Stay, entry_key
from bokit.core.bookings.uids import UidRoles
from bokit.core.ical.entries import BLOCKING, Entry, EntryKind, Status
from bokit.core.ical.platforms.base import Traits
from bokit.core.model.merge import DOUBTED_AT
from bokit.core.model.records import Record
from bokit.core.model.source_memory import RenameHistory
from bokit.core.model.source_rules import BookingLimits, Seen
from bokit.values import Value, field, replace

CANCELLED = frozenset({Status.CANCELLED, Status.CANCELLED_BY_GUEST, Status.CANCELLED_BY_OWNER, Status.DELETED, Status.VANISHED})


class Matches(Value):
    """The whole assignment of one feed."""

    pairs: tuple[Pair, ...]
    ended: tuple[Pair, ...]
    """Entries that the source itself calls cancelled, with their stays."""
    absent: tuple[Stay, ...]
    """Active stays with nights to come that no entry shows."""
    windows: tuple[Entry, ...]
    replacing: tuple[Entry, ...]
    """Of *windows*: blocks that just took nights of a reservation that leaves, and are stays once it is gone."""
    rolling: tuple[Entry, ...]
    """Closures that roll with the calendar: no bookings, but published (``rolling``)."""
    rest: tuple[Entry, ...] = ()
    """Entries beyond the bookings that one source may have: no bookings either, but published (``booking_limits``)."""
    window: Record | None
    today: date
    traits: Traits
    seen: int
    """How many entries the feed has."""

    @property
    def closed(self) -> set[date]:
        """Every night from today on that the feed closes."""
        entries = [*(p.entry for p in self.pairs), *self.windows, *self.rolling, *self.rest]
        return nights_of((max(e.check_in, self.today), e.check_out) for e in entries if e.status in BLOCKING)


class FeedMatches(Value):
    """Which known stay each entry of a feed is, beside what was matched."""

    known: Sequence[Record]
    stays: Sequence[Stay]
    """Of *known*, all but the window."""
    seen: Seen[Entry]
    traits: Traits
    rolls: Rolls
    matches: Matches
    renames: RenameHistory
    """What the feed renames at each fetch, this one included."""
    unproven: Mapping[int, Entry] = field(default_factory=dict)
    """The entries that prove nothing by what is known of them, as ``Renames.unproven``."""


def match_entries(
    stays: Sequence[Stay],
    window: Record | None,
    entries: Sequence[Entry],
    uids: UidRoles,
    closures: ClosureRules,
    today: date,
    at: datetime,
    limits: BookingLimits,
) -> Matches:
    """Return which stay each entry is.

    a closure that rolls with the calendar (``rolling``), and is    a window
    not a known stay with the same nights to come
    code, or a UID that is not made of dates, known                 that stay, gone or not
    else: see ``Identity``; the best pairs of the whole feed first
    a new one-night block within the advance notice                 window
    a new closure inside another entry of the same feed             nothing: its nights are held already
    a new reservation with a code or a guest, anywhere              a stay
    more of these than one source may have                          nights without a booking: see ``booking_limits``
    """
    ordered = sorted(_join_coded(entries), key=_entry_order)
    live = [e for e in ordered if e.status not in CANCELLED]
    far, rolling = _find_windows(live, stays, closures, today)
    names = NameReader(ordered)
    exact = _match_exact(stays, _without(live, [*far, *rolling]), names, uids.identifies)
    cancelled = [e for e in ordered if e.status in CANCELLED]
    identity = Identity(uids, names, today, stays, exact.pairs, exact.entries, cancelled)
    rest = _unmatched(stays, exact.pairs)
    near = _match_near(rest, exact.left, identity)
    rest = _unmatched(rest, near.pairs)
    leaving = NightSet(s.span for s in rest if s.code and (not s.is_gone or s.record.gone_at == at))
    known_far = [e for e in far if e.kind is EntryKind.WINDOW]  # beside an end that was only learned, a closure is published
    pairs, more = _place_new(near.left, [*exact.pairs, *near.pairs], known_far, leaving, identity)
    ended = _match_exact(rest, cancelled, names, lambda _: True).pairs
    rolled = {n for e in rolling for n in nights(e.check_in, e.check_out)}
    absent = [s for s in _unmatched(rest, ended) if not s.is_gone and s.check_out > today and not _rolled_on(s, rolled, today)]
    pairs, beyond = limit_bookings(pairs, absent, today, limits)
    return Matches(
        pairs=tuple(pairs),
        ended=tuple(ended),
        absent=tuple(absent),
        windows=(*far, *more),
        replacing=tuple(e for e in more if _replaces(e, leaving, today)),
        rolling=tuple(rolling),
        rest=tuple(beyond),
        window=window,
        today=today,
        traits=uids.traits,
        seen=len(entries),
    )


def _find_windows(
    live: Sequence[Entry], stays: Sequence[Stay], closures: ClosureRules, today: date
) -> tuple[list[Entry], list[Entry]]:
    """Return the entries that end the platform's calendar, and those that roll and are published.

    What looks like a window and is near may be what is left of a known block: that is matched first.
    """
    known = {(max(s.check_in, today), s.check_out) for s in stays if not s.is_gone and not s.code}
    verdicts = [(e, closures.judge(e)) for e in live]
    unknown = [(e, v) for e, v in verdicts if e.kind is EntryKind.WINDOW or (max(e.check_in, today), e.check_out) not in known]
    far = [e for e, v in unknown if v is WindowVerdict.WITHHELD and e.check_out - today > MIN_WINDOW_END]
    return far, [e for e, v in unknown if v is WindowVerdict.PUBLISHED]


def _without(entries: Sequence[Entry], others: Sequence[Entry]) -> list[Entry]:
    """Return *entries* without those that say the same as one of *others*."""
    known = {_entry_order(e) for e in others}
    return [e for e in entries if _entry_order(e) not in known] if known else list(entries)


def _rolled_on(stay: Stay, rolled: set[date], today: date) -> bool:
    """Return whether *stay* is what a closure of the nights *rolled* was before it rolled: it ends without an event."""
    return bool(rolled) and not stay.code and stay.nights_from(today) <= rolled


class _Assignment:
    """Pairs found so far among *entries*."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries, self.pairs = entries, list[Pair]()
        self._taken: set[int | str] = set()

    @property
    def left(self) -> list[Entry]:
        """The entries without a stay."""
        return self.free(self.entries)

    def free(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return those of *entries* without a stay."""
        return [e for e in entries if id(e) not in self._taken]

    def untaken(self, stays: Iterable[Stay]) -> list[Stay]:
        """Return those of *stays* without an entry."""
        return [s for s in stays if s.record.id not in self._taken]

    def add(self, entry: Entry, stay: Stay, reason: MatchReason, *, by_nights: bool = False) -> None:
        """Pair *entry* with *stay*, unless one of them is taken.

        A window takes its stay's kind: only the stay's last night made it look like one.
        """
        if self._taken.isdisjoint({id(entry), stay.record.id}):
            self._taken |= {id(entry), stay.record.id}
            same_kind = replace(entry, kind=stay.kind) if entry.kind is EntryKind.WINDOW else entry
            self.pairs.append(Pair(entry=same_kind, stay=stay, reason=reason, by_nights=by_nights))


def _unmatched(stays: Sequence[Stay], pairs: Iterable[Pair]) -> list[Stay]:
    taken = {p.stay.record.id for p in pairs if p.stay}
    return [s for s in stays if s.record.id not in taken]


class _WrittenOut:
    """All that an entry says, as the last part of an order: only two that are equal in all before it are written out."""

    __slots__ = ("_entry",)

    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _WrittenOut) and (self._entry is other._entry or repr(self._entry) == repr(other._entry))

    def __lt__(self, other: _WrittenOut) -> bool:
        return repr(self._entry) < repr(other._entry)

    def __hash__(self) -> int:
        return hash(self._entry.uid)


def _entry_order(entry: Entry) -> tuple[Any, ...]:
    return (entry.check_in, entry.check_out, entry.uid, entry.recurrence_id or "", _WrittenOut(entry))


def _join_coded(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries with those of one reservation code joined into one: those that block, where any does."""
    by_code: dict[str, list[Entry]] = {}
    for entry in entries:
        by_code.setdefault(entry.reservation_code or "", []).append(entry)
    joined = by_code.pop("", [])
    for same in by_code.values():
        live = [e for e in same if e.status not in CANCELLED]
        chosen = [e for e in same if e.status in BLOCKING] or live or same
        first, end = min(chosen, key=_entry_order), max(e.check_out for e in chosen)
        joined.append(first if end == first.check_out else replace(first, check_out=end))
    return joined


def _match_exact(
    stays: Sequence[Stay], entries: Sequence[Entry], names: NameReader, is_identity: Callable[[Entry], bool]
) -> _Assignment:
    """Return the pairs with the same code or, where the UID is not made of dates, the same UID.

    Several stays may have had one UID: those with the same nights first. Two names that differ are two guests, and so are
    perhaps a stay and a UID that :func:`_may_be_other` knows.
    """
    ordered = sorted(stays, key=lambda s: (not s.is_gone, s.record.created_at, s.record.id))
    by_code = {known.code: known for known in ordered if known.code}
    found = _Assignment(entries)
    for entry in entries:
        if stay := by_code.get(entry.reservation_code or ""):
            found.add(entry, stay, MatchReason.CODE)
    left = [e for e in found.left if is_identity(e)]
    for pairs_of in uid_rounds(left, ordered):
        same = [pair for pair in pairs_of(found.free(left), found.untaken(ordered)) if _has_same_uid(*pair, names)]
        for entry, stay in sorted(same, key=lambda pair: _uid_order(*pair)):
            found.add(entry, stay, MatchReason.UID)
    return found


def _has_same_uid(entry: Entry, stay: Stay, names: NameReader) -> bool:
    """Return whether nothing else says that *entry*, with the UID of *stay*, is another booking."""
    if (stay.code and entry.reservation_code) or _may_be_other(entry, stay):
        return False
    return names.compare(stay, entry, same_uid=True) is not NameVerdict.DIFFER


def _may_be_other(entry: Entry, stay: Stay) -> bool:
    """Return whether *entry* took over some nights of *stay* under a UID of its own, and has left them now.

    the feed shows             the stay
    A on 14th to 17th          is A's
    B on 14th to 15th, no A    is B's, by its nights alone; the 15th and the 16th are held until they were open for long enough
    B on 11th to 12th          stays as A left it: where B goes says nothing of A's nights
    """
    doubted = stay.record.memory.get(DOUBTED_AT)
    if doubted is None or _count_shared(stay, entry):
        return False
    doubted_at = datetime.fromisoformat(doubted)
    return any(since <= doubted_at for since in read_open(stay.record).values())


def _uid_order(entry: Entry, stay: Stay) -> tuple[Any, ...]:
    created = -stay.record.created_at.timestamp()
    return (
        stay.is_gone,
        stay.span != (entry.check_in, entry.check_out),
        -_count_shared(stay, entry),
        created,
        stay.record.id,
        *_entry_order(entry),
    )


def _count_shared(stay: Stay, entry: Entry) -> int:
    """Return how many nights both hold."""
    return max(0, (min(stay.check_out, entry.check_out) - max(stay.check_in, entry.check_in)).days)


def _match_near(stays: Sequence[Stay], entries: Sequence[Entry], identity: Identity) -> _Assignment:
    """Return the best pairs of codeless stays and entries: the surest first, whatever their order."""
    left, known = [e for e in entries if not e.reservation_code], [s for s in stays if not s.code]
    found = _Assignment(entries)
    for pairs_of in near_rounds(left, known, identity.names, identity.today):
        candidates = []
        for entry, stay in pairs_of(found.free(left), found.untaken(known)):
            if judged := _judge(stay, entry, identity):
                rank, reason = judged
                candidates.append((_pair_order(stay, entry, rank, identity), entry, stay, reason))
        for _, entry, stay, reason in sorted(candidates, key=lambda candidate: candidate[0]):
            found.add(entry, stay, reason, by_nights=identity.rests_on_nights(stay, entry))
    return found


def _pair_order(stay: Stay, entry: Entry, rank: int, identity: Identity) -> tuple[Any, ...]:
    """Return what sorts pairs from the surest down, and leaves nothing to the order of events."""
    shared = _count_shared(stay, entry)
    gone_at = stay.record.gone_at.timestamp() if stay.record.gone_at else 0
    is_other_uid = stay.record.key != entry_key(entry)
    unnamed = identity.names.compare(stay, entry, same_uid=not is_other_uid) is not NameVerdict.EQUAL
    unlike = (entry.kind is not stay.kind, unnamed, rank, stay.is_gone, is_other_uid)
    return (*unlike, -shared, -gone_at, stay.check_in, stay.record.id, *_entry_order(entry))


def _judge(stay: Stay, entry: Entry, identity: Identity) -> tuple[int, MatchReason] | None:
    """Return how surely a codeless entry is a codeless stay (0: the surest), and why; None: it is another."""
    # what looks like a window may be a block's last night, but it brings no block back: it is there every day
    is_inside = stay.check_in <= entry.check_in and entry.check_out <= stay.check_out
    left_over = entry.kind is EntryKind.WINDOW and stay.kind is EntryKind.BLOCK and is_inside and not stay.is_gone
    if entry.reservation_code or stay.code or not (left_over or identity.has_its_kind(stay, entry)):
        return None
    found = _judge_nights(stay, entry, identity.today)
    return found if found and identity.may_be_same(stay, entry) else None


def _judge_nights(stay: Stay, entry: Entry, today: date) -> tuple[int, MatchReason] | None:
    same_end = stay.check_out == entry.check_out
    same_start = max(stay.check_in, today) == max(entry.check_in, today)
    if same_end and (stay.check_in == entry.check_in or (same_start and stay.check_in <= entry.check_in)):
        return (4, MatchReason.RETURN) if stay.is_gone else (0, MatchReason.NIGHTS)
    shared = _count_shared(stay, entry)
    if stay.is_gone:
        joined = stay.record.gone_reason == GoneReason.JOINED
        may_split = joined and shared and (same_end or same_start) and entry.check_out > today
        return (5, MatchReason.SPLIT) if may_split else None
    if not shared or (not same_end and min(stay.check_out, entry.check_out) <= today):
        return None
    if same_end:
        return 1, MatchReason.DEPARTURE
    return (2, MatchReason.ARRIVAL) if same_start else (3, MatchReason.OVERLAP)


def _place_new(
    entries: Sequence[Entry], pairs: Sequence[Pair], rolling: Sequence[Entry], leaving: NightSet, identity: Identity
) -> tuple[list[Pair], list[Entry]]:
    """Return the pairs with the new stays among them, and the closures that are windows after all."""
    windows, today = [], identity.today
    others, placed = [p.entry for p in pairs], _PlacedEntries(pairs, entries, identity)
    end = max(_calendar_end([*others, *entries], rolling), today + MIN_WINDOW_START)
    for entry in sorted(entries, key=lambda e: (e.kind is EntryKind.BLOCK, -(e.check_out - e.check_in).days, _entry_order(e))):
        is_past = entry.check_out <= today
        rolls = _replaces(entry, leaving, today) or (entry.kind is EntryKind.BLOCK and entry.check_in >= end)
        if entry.kind is EntryKind.WINDOW or (rolls and not is_past):
            windows.append(entry)
        elif placed.is_guest(entry) or not (
            (is_past and entry.kind is EntryKind.BLOCK) or _is_inside(entry, placed.closed, today)
        ):
            placed.add(Pair(entry=entry, stay=None, reason=MatchReason.NEW))
    return placed.pairs, windows


class _PlacedEntries:
    """Pairs, and what the feed closes and names with them."""

    def __init__(self, pairs: Sequence[Pair], entries: Sequence[Entry], identity: Identity) -> None:
        spans = [(p.entry.check_in, p.entry.check_out) for p in pairs] + [p.stay.span for p in pairs if p.stay]
        first = min((first for first, _ in [*spans, *((e.check_in, e.check_out) for e in entries)]), default=identity.today)
        self.pairs, self.closed = list[Pair](), NightSet(first=first)
        self._names, self._today, self._by_name = identity.names, identity.today, dict[Words, NightRanges]()
        for pair in pairs:
            self.add(pair)

    def add(self, pair: Pair) -> None:
        """Add *pair*: the nights that the feed closes with it, and the past ones of its stay."""
        self.pairs.append(pair)
        entry = pair.entry
        if pair.stay:
            self.closed.add(pair.stay.check_in, min(pair.stay.check_out, self._today))
        if entry.status in BLOCKING:
            self.closed.add(entry.check_in, entry.check_out)
        if name := self._names.of_entry(entry):
            self._by_name.setdefault(name, NightRanges()).add(entry.check_in, entry.check_out)

    def is_guest(self, entry: Entry) -> bool:
        """Return whether *entry* is a guest of its own: it has a code, or a name that no entry around it has."""
        if entry.reservation_code:
            return True
        name = self._names.of_entry(entry)
        around = self._by_name.get(name)
        return bool(name) and not (around and around.has_around(entry.check_in, entry.check_out))


def _calendar_end(entries: Sequence[Entry], rolling: Sequence[Entry]) -> date:
    """Return the day from which everything is closed, to the end of the platform's calendar."""
    end = min((e.check_in for e in rolling), default=date.max)
    for entry in sorted(entries, key=lambda e: e.check_out, reverse=True):
        end = min(end, entry.check_in) if entry.check_out >= end else end
    return end


def _replaces(entry: Entry, leaving: NightSet, today: date) -> bool:
    """Return whether a block just took nights of reservations that leave: no new closure while those hold them."""
    return entry.kind is EntryKind.BLOCK and leaving.covers(max(entry.check_in, today), entry.check_out)


def _is_inside(entry: Entry, closed: NightSet, today: date) -> bool:
    """Return whether all of its nights to come, or all of one that departed, are *closed* by others."""
    return closed.covers(max(entry.check_in, today) if entry.check_out > today else entry.check_in, entry.check_out)
