"""Which stay is this entry? One assignment of a whole feed's entries to the known stays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from bokit.core.bookings.limits import MIN_WINDOW_END, MIN_WINDOW_START
from bokit.core.bookings.nights import nights
from bokit.core.bookings.stay import GoneReason, Stay, entry_key
from bokit.core.ical.entries import BLOCKING, Entry, EntryKind, Status
from bokit.core.ical.platforms.base import Traits
from bokit.core.model.records import Record
from bokit.core.model.source_rules import Seen

CANCELLED = frozenset({Status.CANCELLED, Status.CANCELLED_BY_GUEST, Status.CANCELLED_BY_OWNER, Status.DELETED, Status.VANISHED})


class MatchReason(StrEnum):
    """Why an entry is a known stay, or a new one; stored in the change log."""

    NEW = "new in the feed"
    CODE = "the same reservation code"
    UID = "the same UID"
    NIGHTS = "the same nights"
    DEPARTURE = "the same departure day"
    ARRIVAL = "the same arrival day"
    OVERLAP = "most of the same nights"
    RETURN = "back with the same nights"
    SPLIT = "split off from a joined stay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """An entry and its stay (None: a new one)."""

    entry: Entry
    stay: Stay | None
    reason: MatchReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """The whole assignment of one feed."""

    pairs: tuple[Pair, ...]
    ended: tuple[Pair, ...]
    """Entries that the source itself calls cancelled, with their stays."""
    absent: tuple[Stay, ...]
    """Active stays with nights to come that no entry shows."""
    windows: tuple[Entry, ...]
    window: Record | None
    today: date
    seen: int
    """How many entries the feed has."""

    @property
    def closed(self) -> set[date]:
        """Every night from today on that the feed closes."""
        entries = [*(p.entry for p in self.pairs), *self.windows]
        return {n for entry in entries for n in _closed_nights(entry, self.today)}


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedMatches:
    """Which known stay each entry of a feed is, beside what was matched."""

    known: Sequence[Record]
    stays: Sequence[Stay]
    """Of *known*, all but the window."""
    seen: Seen[Entry]
    traits: Traits
    matches: Matches


def match_entries(
    stays: Sequence[Stay], window: Record | None, entries: Sequence[Entry], traits: Traits, today: date, at: datetime
) -> Matches:
    """Return which stay each entry is.

    code or, where the platform's UID is an identity, UID known     that stay, gone or not
    else: see ``_judge``; the best pairs of the whole feed first
    a codeless closure that ends beyond the horizon                 window
    a new one-night block within the advance notice                 window
    a new codeless entry inside another of the same feed            nothing: its nights are held already
    """
    ordered = sorted(_join_coded(entries), key=_entry_order)
    live = [e for e in ordered if e.status not in CANCELLED]
    rolling = [e for e in live if e.kind is EntryKind.WINDOW and e.check_out - today > MIN_WINDOW_END]
    exact = _match_exact(stays, [e for e in live if e not in rolling], traits)
    rest = _unmatched(stays, exact.pairs)
    near = _match_near(rest, exact.left, today)
    rest = _unmatched(rest, near.pairs)
    leaving = [s for s in rest if s.code and (not s.is_gone or s.record.gone_at == at)]
    pairs, more = _place_new(near.left, [*exact.pairs, *near.pairs], rolling, leaving, today)
    ended = _match_exact(rest, [e for e in ordered if e.status in CANCELLED], replace(traits, uid_is_identity=True)).pairs
    absent = [s for s in _unmatched(rest, ended) if not s.is_gone and s.check_out > today]
    return Matches(
        pairs=tuple(pairs),
        ended=tuple(ended),
        absent=tuple(absent),
        windows=(*rolling, *more),
        window=window,
        today=today,
        seen=len(entries),
    )


class _Assignment:
    """Pairs found so far among *entries*."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries, self.pairs = entries, list[Pair]()
        self._taken: set[int | str] = set()

    @property
    def left(self) -> list[Entry]:
        """The entries without a stay."""
        return [e for e in self.entries if id(e) not in self._taken]

    def add(self, entry: Entry, stay: Stay, reason: MatchReason) -> None:
        """Pair *entry* with *stay*, unless one of them is taken.

        A window takes its stay's kind: only the stay's last night made it look like one.
        """
        if self._taken.isdisjoint({id(entry), stay.record.id}):
            self._taken |= {id(entry), stay.record.id}
            same_kind = replace(entry, kind=stay.kind) if entry.kind is EntryKind.WINDOW else entry
            self.pairs.append(Pair(entry=same_kind, stay=stay, reason=reason))


def _unmatched(stays: Sequence[Stay], pairs: Iterable[Pair]) -> list[Stay]:
    taken = {p.stay.record.id for p in pairs if p.stay}
    return [s for s in stays if s.record.id not in taken]


def _entry_order(entry: Entry) -> tuple[str, ...]:
    return (entry.check_in.isoformat(), entry.check_out.isoformat(), entry.uid, entry.recurrence_id or "", repr(entry))


def _join_coded(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries with those of one reservation code joined into one: those that block, where any does."""
    by_code: dict[str, list[Entry]] = {}
    for entry in entries:
        by_code.setdefault(entry.reservation_code or "", []).append(entry)
    joined = by_code.pop("", [])
    for same in by_code.values():
        live = [e for e in same if e.status not in CANCELLED]
        chosen = [e for e in same if e.status in BLOCKING] or live or same
        first = min(chosen, key=_entry_order)
        joined.append(replace(first, check_out=max(e.check_out for e in chosen)))
    return joined


def _match_exact(stays: Sequence[Stay], entries: Sequence[Entry], traits: Traits) -> _Assignment:
    """Return the pairs with the same code or, where the platform's UIDs are identities, the same UID."""
    by_code: dict[str, Stay] = {}
    by_key: dict[str, Stay] = {}
    for known in sorted(stays, key=lambda s: (not s.is_gone, s.record.created_at, s.record.id)):
        by_key[known.record.key] = known
        if known.code:
            by_code[known.code] = known
    found = _Assignment(entries)
    for entry in entries:
        if stay := by_code.get(entry.reservation_code or ""):
            found.add(entry, stay, MatchReason.CODE)
        elif traits.uid_is_identity and (stay := by_key.get(entry_key(entry))) and not (stay.code and entry.reservation_code):
            found.add(entry, stay, MatchReason.UID)
    return found


def _match_near(stays: Sequence[Stay], entries: Sequence[Entry], today: date) -> _Assignment:
    """Return the best pairs of codeless stays and entries: the surest first, whatever their order."""
    candidates = []
    for entry in entries:
        for stay in stays:
            if judged := _judge(stay, entry, today):
                rank, reason = judged
                candidates.append((_pair_order(stay, entry, rank), entry, stay, reason))
    found = _Assignment(entries)
    for _, entry, stay, reason in sorted(candidates, key=lambda candidate: candidate[0]):
        found.add(entry, stay, reason)
    return found


def _pair_order(stay: Stay, entry: Entry, rank: int) -> tuple[Any, ...]:
    """Return what sorts pairs from the surest down, and leaves nothing to the order of events."""
    shared = len(nights(*stay.span) & nights(entry.check_in, entry.check_out))
    gone_at = stay.record.gone_at.timestamp() if stay.record.gone_at else 0
    unlike = (entry.kind is not stay.kind, rank, stay.is_gone, stay.record.key != entry_key(entry))
    return (*unlike, -shared, -gone_at, stay.check_in, stay.record.id, *_entry_order(entry))


def _judge(stay: Stay, entry: Entry, today: date) -> tuple[int, MatchReason] | None:
    """Return how surely a codeless entry is a codeless stay (0: the surest), and why; None: it is another."""
    # what looks like a window may be a block's last night, but it brings no block back: it is there every day
    is_inside = stay.check_in <= entry.check_in and entry.check_out <= stay.check_out
    left_over = entry.kind is EntryKind.WINDOW and stay.kind is EntryKind.BLOCK and is_inside and not stay.is_gone
    if entry.reservation_code or stay.code or not (entry.kind is stay.kind or left_over):
        return None
    if entry.guest_name and stay.guest_name and entry.guest_name != stay.guest_name:
        return None
    same_end = stay.check_out == entry.check_out
    same_start = max(stay.check_in, today) == max(entry.check_in, today)
    if same_end and (stay.check_in == entry.check_in or (same_start and stay.check_in <= entry.check_in)):
        return (4, MatchReason.RETURN) if stay.is_gone else (0, MatchReason.NIGHTS)
    shared = nights(*stay.span) & nights(entry.check_in, entry.check_out)
    if stay.is_gone:
        joined = stay.record.gone_reason == GoneReason.JOINED
        may_split = joined and shared and (same_end or same_start) and entry.check_out > today
        return (5, MatchReason.SPLIT) if may_split else None
    if not shared or (not same_end and max(shared) < today):
        return None
    if same_end:
        return 1, MatchReason.DEPARTURE
    return (2, MatchReason.ARRIVAL) if same_start else (3, MatchReason.OVERLAP)


def _place_new(
    entries: Sequence[Entry], pairs: Sequence[Pair], rolling: Sequence[Entry], leaving: Sequence[Stay], today: date
) -> tuple[list[Pair], list[Entry]]:
    """Return the pairs with the new stays among them, and the closures that are windows after all."""
    placed, windows = list(pairs), []
    others = [p.entry for p in pairs]
    closed = {night for entry in others for night in _closed_nights(entry, today)}
    end = max(_calendar_end([*others, *entries], rolling), today + MIN_WINDOW_START)
    for entry in sorted(entries, key=lambda e: (e.kind is EntryKind.BLOCK, -(e.check_out - e.check_in).days, _entry_order(e))):
        is_past = entry.check_out <= today
        rolls = entry.kind is EntryKind.BLOCK and (_replaces(entry, leaving, today) or entry.check_in >= end)
        if entry.kind is EntryKind.WINDOW or (rolls and not is_past):
            windows.append(entry)
        elif entry.reservation_code or not ((is_past and entry.kind is EntryKind.BLOCK) or _is_inside(entry, closed, today)):
            placed.append(Pair(entry=entry, stay=None, reason=MatchReason.NEW))
            closed |= _closed_nights(entry, today)
    return placed, windows


def _calendar_end(entries: Sequence[Entry], rolling: Sequence[Entry]) -> date:
    """Return the day from which everything is closed, to the end of the platform's calendar."""
    end = min((e.check_in for e in rolling), default=date.max)
    for entry in sorted(entries, key=lambda e: e.check_out, reverse=True):
        end = min(end, entry.check_in) if entry.check_out >= end else end
    return end


def _replaces(entry: Entry, leaving: Sequence[Stay], today: date) -> bool:
    """Return whether a block just took the nights of a reservation that leaves: no new closure while that holds them."""
    return _nights_to_come(entry, today) <= {n for s in leaving for n in nights(*s.span)}


def _nights_to_come(entry: Entry, today: date) -> set[date]:
    return nights(max(entry.check_in, today), entry.check_out)


def _closed_nights(entry: Entry, today: date) -> set[date]:
    """Return the nights to come that *entry* closes."""
    return _nights_to_come(entry, today) if entry.status in BLOCKING else set()


def _is_inside(entry: Entry, closed: set[date], today: date) -> bool:
    """Return whether all of its nights to come are *closed* by others."""
    return entry.check_out > today and _nights_to_come(entry, today) <= closed
