"""The records of linked units as nights: which each holds, since when, and which it left lately."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from heapq import heappop, heappush
from typing import NamedTuple

from bokit.core.bookings.night_history import GAINED, LEFT, read_leaves
from bokit.core.bookings.nights import DAY
from bokit.core.bookings.open_nights import OPEN, read_open
from bokit.core.bookings.stay import doubtful_nights, held_spans, is_window, read_span
from bokit.core.ical.entries import LATE_END, EntryKind
from bokit.core.model.records import Fields, Presence, Record, Scope, SourceId
from bokit.core.occupancy.guests import GuestIdentity, may_repeat, read_identity
from bokit.core.occupancy.night_bits import Bits, NightGrid, extent, join_bits
from bokit.values import Value, replace

UNIDENTIFIED = GuestIdentity(platform=None, by_hand=False, is_named=False)


class FirstSeen(NamedTuple):
    """Nights with the same night history: see ``core.bookings.night_history``."""

    bits: Bits
    seen: datetime
    after: datetime | None
    taken: datetime | None = None
    """When the record took them over from another of its source."""


class HeldNights(Value, eq=False):
    """The nights that one record holds."""

    record: Record
    kind: EntryKind
    bits: Bits
    """Every night, past ones too."""
    judged: Bits
    """The nights by which it is judged: those to come; where all are past, all."""
    late: Bits = 0
    """The night that it holds only since its event ends late in the evening."""
    since: tuple[FirstSeen, ...] = ()
    identity: GuestIdentity = UNIDENTIFIED
    is_candidate: bool = False
    """It may be an echo."""
    unshown: tuple[tuple[Bits, datetime], ...] = ()
    """Nights that its source no longer shows, and since when: held until the evidence is enough."""
    is_past: bool = False
    reported: Bits = 0
    """Those of its nights that its source shows, without what a person added; of an entry by hand, all."""
    held_since: datetime | None = None
    """Since when a guard holds its source's feed: what that shows since then is not known."""
    doubtful: Bits = 0
    """Those that only a doubtful feed closes, which may be another listing's."""

    @property
    def unit(self) -> Scope:
        """The unit whose nights it holds."""
        return self.record.scope

    @property
    def source(self) -> SourceId | None:
        """The source that reports it; None: entered by hand."""
        return self.record.source_id

    @property
    def sure(self) -> Bits:
        """What its source closes, as far as its feed is believed."""
        return self.bits & ~self.doubtful

    @property
    def all_unshown(self) -> Bits:
        """Every night that its source no longer shows."""
        return join_bits(bits for bits, _ in self.unshown)

    @property
    def seen_at(self) -> datetime:
        """When the first of its nights was first seen."""
        return min([s.seen for s in self.since]) if self.since else self.record.created_at

    @property
    def order(self) -> tuple[bool, datetime, str]:
        """Records that cannot be echoes come first, then those whose nights were seen first."""
        return self.is_candidate, self.seen_at, self.record.id


class LeftNights(Value, eq=False):
    """Nights that a record left, and when."""

    record: Record
    bits: Bits
    to_come: Bits
    """Those after today: some platforms leave out a night that has begun."""
    left: datetime
    since: tuple[FirstSeen, ...]


def read_held_nights(
    records: Iterable[Record], today: date, held_since: Mapping[SourceId, datetime] | None = None
) -> tuple[NightGrid, list[HeldNights]]:
    """Return what *records* hold, windows included, in order, and the grid of their nights; empty ones are left out.

    *held_since* are the sources whose feed a guard holds, each with the time since when.
    """
    given = [(r, local, spans) for r in records if (spans := held_spans(r, local := r.fields))]
    grid = NightGrid(first=min([today, *(spans[0][0] for _, _, spans in given)]), today=today)
    found = [_read_held(r, local, grid.join(spans), grid) for r, local, spans in given]
    if held_since:
        found = [replace(h, held_since=held_since[h.source]) if h.source and h.source in held_since else h for h in found]
    return grid, sorted(found, key=lambda h: h.order)


def _read_held(record: Record, local: Fields, bits: Bits, grid: NightGrid) -> HeldNights:
    to_come = bits & grid.to_come
    if is_window(record):
        doubtful = bits & grid.bits(n for n in doubtful_nights(record) if n >= grid.first)
        return HeldNights(record=record, kind=EntryKind.WINDOW, bits=bits, judged=to_come or bits, doubtful=doubtful)
    kind, identity = EntryKind(local["kind"]), read_identity(record, local)
    return HeldNights(
        record=record,
        kind=kind,
        bits=bits,
        judged=to_come or bits,
        late=bits & _read_late(record, grid),
        since=_read_first_seen(record, bits, grid),
        identity=identity,
        is_candidate=may_repeat(identity, kind),
        is_past=not to_come,
        reported=bits & grid.span(*read_span(record.remote)) if record.source_id and record.edits else bits,
        unshown=_read_unshown(record, bits, grid),
    )


def _read_late(record: Record, grid: NightGrid) -> Bits:
    """Return the night after a late end; none where a person has set the departure."""
    extra = record.remote.get("extra")
    if not (isinstance(extra, dict) and extra.get(LATE_END)) or "check_out" in record.edits:
        return 0
    end = date.fromisoformat(record.remote["check_out"])
    return grid.span(end - DAY, end)


def _read_first_seen(record: Record, bits: Bits, grid: NightGrid) -> tuple[FirstSeen, ...]:
    """Return since when each of *bits* is held; without a night history, since the record was made."""
    found, rest = [], bits
    for first, end, seen, *others in record.memory.get(GAINED, ()):
        mine = grid.span(date.fromisoformat(first), date.fromisoformat(end)) & rest
        rest &= ~mine
        times = [datetime.fromisoformat(time) if time else None for time in others]
        found.append(FirstSeen(mine, datetime.fromisoformat(seen), *times))
    return (*found, FirstSeen(rest, record.created_at, None)) if rest else tuple(found)


def _read_unshown(record: Record, bits: Bits, grid: NightGrid) -> tuple[tuple[Bits, datetime], ...]:
    """Return which of *bits* the source no longer shows, and since when."""
    if record.presence is Presence.MISSING and record.missing_since is not None:
        return ((bits, record.missing_since),)
    if OPEN not in record.memory:
        return ()
    by_time: dict[datetime, list[date]] = {}
    for night, since in read_open(record).items():
        by_time.setdefault(since, []).append(night)
    return tuple((bits & grid.bits(n for n in held if n >= grid.first), since) for since, held in by_time.items())


def read_left_nights(records: Iterable[Record], grid: NightGrid) -> list[LeftNights]:
    """Return the nights to come that *records* left lately."""
    found, today = [], grid.today.isoformat()
    for record in records:
        if LEFT in record.memory or (record.presence is Presence.GONE and record.remote["check_out"] > today):
            for row in read_leaves(record):
                bits = grid.span(row.first, row.end)
                since = (FirstSeen(bits, row.seen, row.after),)
                to_come = bits & (grid.to_come << 1)
                found.append(LeftNights(record=record, bits=bits, to_come=to_come, left=row.left, since=since))
    return found


def was_before(mine: Sequence[FirstSeen], theirs: Sequence[FirstSeen]) -> Bits:
    """Return the nights that were surely seen in *mine* before they were in *theirs*.

    Surely: after they were seen in mine, the other's source was read well and did not show them.
    """
    sure = 0
    for one in mine:
        for other in theirs:
            if other.after is not None and one.seen <= other.after:
                sure |= one.bits & other.bits
    return sure


def overlapping_pairs(holdings: Iterable[HeldNights]) -> Iterator[tuple[HeldNights, HeldNights]]:
    """Yield once each pair of two sources, one of the two a possible echo, whose first to last nights overlap."""
    ordered = sorted(((*extent(h.bits), n, h) for n, h in enumerate(holdings)), key=lambda row: row[:3])
    active: dict[tuple[SourceId | None, bool], list[tuple[int, int, HeldNights]]] = {}
    for first, end, number, holding in ordered:
        for (source, is_candidate), begun in active.items():
            while begun and begun[0][0] <= first:
                heappop(begun)
            if source != holding.source and (is_candidate or holding.is_candidate):
                yield from ((other, holding) for _, _, other in begun)
        heappush(active.setdefault((holding.source, holding.is_candidate), []), (end, number, holding))
