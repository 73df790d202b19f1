"""Whose entry is this? One assignment of a whole feed's entries to the stays that are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from bokit.core.bookings.nights import nights
from bokit.core.bookings.stay import Stay, entry_key
from bokit.core.ical.entries import BLOCKING, Entry, Kind, Status
from bokit.core.ical.platforms import Traits
from bokit.core.model.records import Record

CANCELLED = frozenset(
    {
        Status.CANCELLED,
        Status.CANCELLED_BY_GUEST,
        Status.CANCELLED_BY_OWNER,
        Status.DELETED,
        Status.VANISHED,
    }
)


FAR = timedelta(days=300)
"""A window that ends further ahead is the calendar's end; a nearer one may be what is left of a known block."""


SOON = timedelta(days=60)
"""A block that begins sooner is never taken for the calendar's end: in doubt, a block."""


class Reason(StrEnum):
    """Why an entry is a stay, or is none: kept in the change log."""

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
    """An entry and the stay that it is (None: a new one)."""

    entry: Entry
    stay: Stay | None
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """The whole assignment of one feed."""

    pairs: tuple[Pair, ...]
    ended: tuple[Pair, ...]
    """Entries that the source itself says are cancelled, with their stays."""
    absent: tuple[Stay, ...]
    """Active stays with nights to come that no entry is."""
    windows: tuple[Entry, ...]
    window: Record | None
    today: date
    seen: int

    @property
    def closed(self) -> set[date]:
        """Every night from today on that the feed closes."""
        entries = [*(p.entry for p in self.pairs), *self.windows]
        return {n for e in entries if e.status in BLOCKING for n in nights(max(e.check_in, self.today), e.check_out)}


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
    rolling = [e for e in live if _is_far(e, today)]
    rest = [e for e in live if e not in rolling]
    exact, done = _match_exact(stays, rest, traits)
    taken = {p.stay.record.id for p in exact if p.stay}
    rest = _without(rest, done)
    near, done = _match_near([s for s in stays if s.record.id not in taken], rest, today)
    taken |= {p.stay.record.id for p in near if p.stay}
    leaving = [s for s in stays if s.code and s.record.id not in taken and (not s.is_gone or s.record.gone_at == at)]
    pairs, more = _place_new(_without(rest, done), [*exact, *near], rolling, leaving, today)
    ended, _ = _match_exact(
        [s for s in stays if s.record.id not in taken],
        [e for e in ordered if e.status in CANCELLED],
        replace(traits, uid_is_identity=True),
    )
    taken |= {p.stay.record.id for p in ended if p.stay}
    absent = [s for s in stays if s.record.id not in taken and not s.is_gone and s.check_out > today]
    return Matches(
        pairs=tuple(pairs),
        ended=tuple(ended),
        absent=tuple(absent),
        windows=(*rolling, *more),
        window=window,
        today=today,
        seen=len(entries),
    )


def _entry_order(entry: Entry) -> tuple[str, ...]:
    return (entry.check_in.isoformat(), entry.check_out.isoformat(), entry.uid, entry.recurrence_id or "", repr(entry))


def _without(entries: Iterable[Entry], others: Sequence[Entry]) -> list[Entry]:
    done = {id(e) for e in others}
    return [e for e in entries if id(e) not in done]


def _join_coded(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries with those of one reservation code joined into one: those that block, where any does."""
    by_code: dict[str, list[Entry]] = {}
    for entry in entries:
        by_code.setdefault(entry.reservation_code or "", []).append(entry)
    joined = by_code.pop("", [])
    for parts in by_code.values():
        live = [e for e in parts if e.status not in CANCELLED]
        told = [e for e in parts if e.status in BLOCKING] or live or parts
        first = min(told, key=_entry_order)
        joined.append(replace(first, check_out=max(e.check_out for e in told)))
    return joined


def _is_far(entry: Entry, today: date) -> bool:
    return entry.kind is Kind.WINDOW and entry.check_out - today > FAR


def _match_exact(stays: Sequence[Stay], entries: Sequence[Entry], traits: Traits) -> tuple[list[Pair], list[Entry]]:
    by_code: dict[str, Stay] = {}
    by_key: dict[str, Stay] = {}
    for known in sorted(stays, key=lambda s: (not s.is_gone, s.record.created_at, s.record.id)):
        by_key[known.record.key] = known
        if known.code:
            by_code[known.code] = known
    pairs: list[Pair] = []
    done: list[Entry] = []
    taken: set[str] = set()
    for entry in entries:
        stay: Stay | None = by_code.get(entry.reservation_code or "")
        reason = Reason.CODE
        if stay is None and traits.uid_is_identity:
            stay, reason = by_key.get(entry_key(entry)), Reason.UID
            stay = None if stay and stay.code and entry.reservation_code else stay
        if stay and stay.record.id not in taken:
            taken.add(stay.record.id)
            done.append(entry)
            pairs.append(Pair(entry=_keep_kind(entry, stay), stay=stay, reason=reason))
    return pairs, done


def _keep_kind(entry: Entry, stay: Stay) -> Entry:
    """Return *entry* as its stay's kind where only its last night made it look like a window."""
    return replace(entry, kind=stay.kind) if entry.kind is Kind.WINDOW else entry


def _match_near(stays: Sequence[Stay], entries: Sequence[Entry], today: date) -> tuple[list[Pair], list[Entry]]:
    """Return the best pairs of codeless stays and entries: the surest first, whatever their order."""
    found = []
    for entry in entries:
        for stay in stays:
            if judged := _judge(stay, entry, today):
                rank, reason = judged
                found.append((_pair_order(stay, entry, rank), stay, entry, reason))
    pairs: list[Pair] = []
    done: list[Entry] = []
    taken: set[int | str] = set()
    for _, stay, entry, reason in sorted(found, key=lambda f: f[0]):
        if stay.record.id not in taken and id(entry) not in taken:
            taken |= {stay.record.id, id(entry)}
            pairs.append(Pair(entry=_keep_kind(entry, stay), stay=stay, reason=reason))
            done.append(entry)
    return pairs, done


def _pair_order(stay: Stay, entry: Entry, rank: int) -> tuple[Any, ...]:
    """Return what sorts pairs from the surest down, and leaves nothing to the order of events."""
    shared = len(nights(*stay.span) & nights(entry.check_in, entry.check_out))
    gone_at = stay.record.gone_at.timestamp() if stay.record.gone_at else 0
    unlike = (entry.kind is not stay.kind, rank, stay.is_gone, stay.record.key != entry_key(entry))
    return (*unlike, -shared, -gone_at, stay.check_in, stay.record.id, *_entry_order(entry))


def _covers(stay: Stay, entry: Entry) -> bool:
    return stay.check_in <= entry.check_in and entry.check_out <= stay.check_out


def _judge(stay: Stay, entry: Entry, today: date) -> tuple[int, Reason] | None:
    """Return how surely a codeless entry is a codeless stay; None: it is not."""
    # what looks like a window may be a block's last night, but it brings no block back: it is there every day
    left_over = entry.kind is Kind.WINDOW and stay.kind is Kind.BLOCK and _covers(stay, entry) and not stay.is_gone
    if entry.reservation_code or stay.code or not (entry.kind is stay.kind or left_over):
        return None
    if entry.guest_name and stay.guest_name and entry.guest_name != stay.guest_name:
        return None
    same_end = stay.check_out == entry.check_out
    same_start = max(stay.check_in, today) == max(entry.check_in, today)
    if same_end and (stay.check_in == entry.check_in or (same_start and stay.check_in <= entry.check_in)):
        return (4, Reason.RETURN) if stay.is_gone else (0, Reason.NIGHTS)
    shared = nights(*stay.span) & nights(entry.check_in, entry.check_out)
    if stay.is_gone:
        joined = stay.record.gone_reason == JOINED
        return (5, Reason.SPLIT) if joined and shared and (same_end or same_start) and entry.check_out > today else None
    if not shared or (not same_end and max(shared) < today):
        return None
    if same_end:
        return 1, Reason.DEPARTURE
    if same_start:
        return 2, Reason.ARRIVAL
    return 3, Reason.OVERLAP


JOINED = "joined with another stay by the feed"


def _place_new(
    entries: Sequence[Entry], pairs: Sequence[Pair], rolling: Sequence[Entry], leaving: Sequence[Stay], today: date
) -> tuple[list[Pair], list[Entry]]:
    """Return the pairs with the new stays among them, and the closures that are windows after all."""
    placed, windows = list(pairs), []
    others = [p.entry for p in pairs]
    closed = {night for entry in others for night in _closes(entry, today)}
    end = max(_calendar_end([*others, *entries], rolling), today + SOON)
    for entry in sorted(entries, key=lambda e: (e.kind is Kind.BLOCK, -(e.check_out - e.check_in).days, _entry_order(e))):
        is_past = entry.check_out <= today
        rolls = entry.kind is Kind.BLOCK and (_is_in_place_of(entry, leaving, today) or entry.check_in >= end)
        if entry.kind is Kind.WINDOW or (rolls and not is_past):
            windows.append(entry)
        elif entry.reservation_code or not ((is_past and entry.kind is Kind.BLOCK) or _is_inside(entry, closed, today)):
            placed.append(Pair(entry=entry, stay=None, reason=Reason.NEW))
            closed |= _closes(entry, today)
    return placed, windows


def _calendar_end(entries: Sequence[Entry], rolling: Sequence[Entry]) -> date:
    """Return the day from which everything is closed, to the end of the platform's calendar."""
    end = min((e.check_in for e in rolling), default=date.max)
    for entry in sorted(entries, key=lambda e: e.check_out, reverse=True):
        end = min(end, entry.check_in) if entry.check_out >= end else end
    return end


def _is_in_place_of(entry: Entry, leaving: Sequence[Stay], today: date) -> bool:
    """Return whether a block just took the nights of a reservation that is going: no new closure, as long as it holds them."""
    mine = nights(max(entry.check_in, today), entry.check_out)
    return mine <= {n for s in leaving for n in nights(*s.span)}


def _closes(entry: Entry, today: date) -> set[date]:
    """Return the nights to come that *entry* closes."""
    return nights(max(entry.check_in, today), entry.check_out) if entry.status in BLOCKING else set()


def _is_inside(entry: Entry, closed: set[date], today: date) -> bool:
    """Return whether all of its nights to come are *closed* by others."""
    return entry.check_out > today and nights(max(entry.check_in, today), entry.check_out) <= closed
