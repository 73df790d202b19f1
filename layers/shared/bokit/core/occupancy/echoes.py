"""Echoes: closures that only repeat what another source, or a linked unit, holds already.

Platforms import each other's calendars and ours, and show what they imported as closures of their own. Such a closure holds
its nights like any other, but it is not a booking and is not exported: its originals are. First row that matches, night by
night, for a closure and an original of another source, of linked units:

    the closure's source                                       the night is
    showed it, while the other was read well and did not       the closure's own: two sold it
    leaves a night of the original open, in two fetches        the closure's own: platforms import whole bookings
    read it before in a calendar of ours, or is linked         repeated
    did neither (a first day shows no order, either)           repeated, perhaps: a possible conflict
    the original is gone, which it did not read, and it        the closure's own: platforms import whole calendars, a
    leaves an older guest's booking of that source open        person who closed it by hand leaves it closed
    else: the original is gone, and it may have repeated it    fading (``calendar_reads.NightsRead.fading``)
    else                                                       the closure's own

    all its nights to come                 it is
    repeated                               an echo
    repeated or fading                     fading: what it repeated is gone, and its platform has not dropped it yet
    else                                   a closure of its own; nights of it may be repeated, or fade: platforms join
                                           neighbouring closures

A closure may repeat another source's or a person's nights: of its own unit, of a part of it, or of a whole that it is a
part of, but not what came later than itself. Reservations that identify their guest, and what a person entered, are
originals, and come first. Among closures the one that was seen first to hold a night for itself is that night's original,
which rules out cyclic echo relations; on a first day, which has no order, a reservation comes before a block. Windows
explain nothing, since they are not exported.

A source is linked with another where it closed several of its bookings after they came, and read none of them in a calendar
of ours (``source_links``).

A fading closure is not exported: otherwise platforms that repeat each other would keep a cancelled booking alive for ever.
It fades until the end of its fading, or until its platform drops it; if it is still shown then, it is a closure of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from bokit.core.ical.entries import EntryKind
from bokit.core.model.records import RecordId, Scope, SourceId
from bokit.core.occupancy.calendar_reads import Fading, NightsRead, ReadLog, SourceReads
from bokit.core.occupancy.echo_verdict import EchoState, EchoVerdict
from bokit.core.occupancy.holdings import FirstSeen, HeldNights, LeftNights, overlapping_pairs, was_before
from bokit.core.occupancy.limits import FIRST_DAY_LEAD, MAX_BESIDE, MAX_FADING, MIN_BETWEEN_FETCHES
from bokit.core.occupancy.links import Links
from bokit.core.occupancy.night_bits import Bits, NightGrid, extent, join_bits
from bokit.core.occupancy.source_links import SourceLinks, find_left_open, find_links
from bokit.core.occupancy.source_nights import SourceNights, read_source_nights
from bokit.values import replace


@dataclass(slots=True)
class CandidateNights:
    """Nights of one possible echo that were first seen together, and what explains them."""

    of: HeldNights
    since: FirstSeen
    own: datetime
    """Since when they are held for themselves: later than *since*, where they began as a repetition."""
    is_import: bool = False
    """Its source had read them in a calendar of ours before it showed them."""
    held: Bits = 0
    originals: dict[RecordId, tuple[HeldNights, Bits]] = field(default_factory=dict)
    """The originals of the nights that are *held*; nights of another echo are attributed to that echo's originals."""
    left: list[Fading] = field(default_factory=list)
    """Nights that it may have repeated of what is gone."""
    fades: list[Fading] = field(default_factory=list)
    has_outlived: bool = False
    sold: set[RecordId] = field(default_factory=set)
    """Records of which its source left a night open."""
    again: list[datetime] = field(default_factory=list)

    @property
    def for_itself(self) -> tuple[FirstSeen]:
        """Since when they are held for themselves, to compare with another's."""
        return (FirstSeen(self.since.bits, self.own, self.since.after),)

    @property
    def order(self) -> tuple[datetime, str]:
        """The first to hold a night for itself is that night's original."""
        is_late = self.is_import or (self.since.after is None and self.of.kind is EntryKind.BLOCK)
        return self.own + FIRST_DAY_LEAD * is_late, self.of.record.id

    @property
    def alone(self) -> Bits:
        """The nights that it holds for itself and that repeat nothing."""
        return self.since.bits & ~self.held & ~join_bits(f.bits for f in self.fades)


def judge_echoes(
    holdings: Sequence[HeldNights],
    left_nights: Sequence[LeftNights],
    links: Links,
    at: datetime,
    grid: NightGrid,
    reads: ReadLog | None = None,
) -> dict[RecordId, EchoVerdict]:
    """Return what each possible echo among *holdings* is; originals and windows are left out.

    *reads* is what our calendars held when they were read; None: not known, of any.
    """
    if not any(h.is_candidate for h in holdings):
        return {}
    readers = SourceReads(reads, grid)
    read = {h.record.id: readers.of(h.record) for h in holdings if h.is_candidate}
    by_source = _group_by_source(holdings)  # with nights that they took over, which they closed all the time
    holdings = [_take_over(h, read[h.record.id]) if h.is_candidate else h for h in holdings]
    near, candidates = _near_candidates(holdings, links), [h for h in holdings if h.is_candidate]
    sources = find_links(candidates, near, read) if reads else frozenset()
    left_by: dict[RecordId, list[LeftNights]] = {}
    for nights in left_nights:
        left_by.setdefault(nights.record.id, []).append(nights)
    by_record = {h.record.id: h for h in holdings}
    judge = _EchoJudge(near, links, by_source, by_record, left_by, grid, at, read, readers, sources)
    left = {h.record.id: judge.left_beside(h, left_nights) for h in candidates}
    for candidate in candidates:
        judge.parts[candidate.record.id] = judge.read_parts(candidate, left[candidate.record.id])
    for part in sorted(chain(*judge.parts.values()), key=lambda p: p.order):
        judge.explain(part, left[part.of.record.id])
    return {candidate: judge.conclude(found) for candidate, found in judge.parts.items()}


def _take_over(candidate: HeldNights, read: NightsRead) -> HeldNights:
    """Return *candidate* with the nights that it took over from another record of its source, and had read before.

    A guest cancels, and the platform imports at once what another guest holds: the nights are closed all the time, and yet
    repeated from then on.
    """
    since = []
    for first in candidate.since:
        imported = first.bits & read.surely_before(first.taken) if first.taken else 0
        since += [FirstSeen(imported, first.taken or first.seen, first.after), first._replace(bits=first.bits & ~imported)]
    return replace(candidate, since=tuple(first for first in since if first.bits))


def _group_by_source(holdings: Iterable[HeldNights]) -> dict[SourceId | None, list[HeldNights]]:
    groups: dict[SourceId | None, list[HeldNights]] = {}
    for holding in holdings:
        groups.setdefault(holding.source, []).append(holding)
    return groups


def _near_candidates(holdings: Sequence[HeldNights], links: Links) -> dict[RecordId, list[HeldNights]]:
    """Return for each candidate the holdings beside it that it may repeat, originals first.

    Where closures of several sources lie over one another in numbers, each is judged by the first of those beside it alone:
    nights that none of these explains are its own, and published.
    """
    ordered, near = sorted(holdings, key=lambda h: h.order), dict[RecordId, list[int]]()
    place = {h.record.id: n for n, h in enumerate(ordered)}
    for pair in overlapping_pairs(h for h in holdings if h.since):
        for mine, other in (pair, pair[::-1]):
            if mine.is_candidate and mine.source != other.source and other.unit in links[mine.unit]:
                near.setdefault(mine.record.id, []).append(place[other.record.id])
    is_dense = sum(map(len, near.values())) > MAX_BESIDE * len(holdings)
    judged = MAX_BESIDE if is_dense else None
    return {candidate: [ordered[n] for n in sorted(found)[:judged]] for candidate, found in near.items()}


@dataclass(slots=True)
class _EchoJudge:
    """Explains the candidates' nights, the first to hold a night for itself first."""

    near: Mapping[RecordId, Sequence[HeldNights]]
    links: Links
    by_source: Mapping[SourceId | None, Sequence[HeldNights]]
    by_record: Mapping[RecordId, HeldNights]
    left_by: Mapping[RecordId, Sequence[LeftNights]]
    """What each record left."""
    grid: NightGrid
    at: datetime
    read: Mapping[RecordId, NightsRead]
    readers: SourceReads
    sources: SourceLinks
    parts: dict[RecordId, list[CandidateNights]] = field(default_factory=dict)
    closing: dict[tuple[SourceId | None, Scope], SourceNights] = field(default_factory=dict)
    open_since: dict[tuple[SourceId | None, Scope, SourceId | None, Scope], datetime | None] = field(default_factory=dict)

    def left_beside(self, candidate: HeldNights, left_nights: Iterable[LeftNights]) -> list[LeftNights]:
        """Return what others left that *candidate* may have repeated, the earliest first."""
        units = self.links[candidate.unit]
        beside = (n for n in left_nights if n.record.source_id != candidate.source and n.record.scope in units)
        return sorted((n for n in beside if n.bits & candidate.bits), key=lambda n: n.left)

    def read_parts(self, candidate: HeldNights, left: Sequence[LeftNights]) -> list[CandidateNights]:
        """Return the nights of *candidate* by the time since when it holds them for itself.

        What began as a repetition proves nothing before its fading ended: until then its platform may just not have dropped
        it, and it may also repeat what others show meanwhile (a guest who moves twice in a day).
        """
        found, read = [], self.read[candidate.record.id]
        for first in candidate.since:
            own = [first]
            for nights in left:
                for fading in self._fading_beside(candidate, first, nights, own):
                    own = _put_off(own, fading)
            imported = read.surely_before(first.seen)
            for one, mask in ((o, mask) for o in own for mask in (imported, ~imported) if o.bits & mask):
                since = FirstSeen(one.bits & mask, first.seen, first.after)
                found.append(CandidateNights(of=candidate, since=since, own=one.seen, is_import=mask == imported))
        return found

    def explain(self, part: CandidateNights, left: Sequence[LeftNights]) -> None:
        """Add to *part* who holds its nights, and which of them fade."""
        for other in self.near.get(part.of.record.id, ()):
            if other.is_candidate or part.since.bits & part.of.judged & ~part.held:
                self._explain_by_held(part, other)
        if part.of.is_past:
            return
        part.left += [f for nights in left for f in self._fading_beside(part.of, part.since, nights, part.for_itself)]
        _fade(part, self.at)

    def _explain_by_held(self, part: CandidateNights, other: HeldNights) -> None:
        """Add which nights of *part* the *other* held first; those of them that fade pass on what they repeated themselves."""
        shared = part.since.bits & part.of.judged & other.bits & ~was_before(part.for_itself, other.since)
        if shared and other.is_candidate:
            ahead = [p for p in self.parts[other.record.id] if p.order < part.order]
            fading = [Fading(f.left, f.end, shared & f.bits) for p in ahead for f in p.fades]
            part.left += [one for f in fading for one in self._fading(part.of, part.since, f.bits, f.left)]
            shared &= join_bits(p.since.bits for p in ahead) & ~join_bits(f.bits for f in fading)
            for original, bits in (row for p in ahead for row in p.originals.values()):
                shared = self._attribute(part, original, bits & shared, shared)
        self._attribute(part, other, shared & ~part.held, shared)

    def _attribute(self, part: CandidateNights, original: HeldNights, nights: Bits, shared: Bits) -> Bits:
        """Note *nights* of *part* as held by *original*, unless its source sold them itself; return the rest of *shared*."""
        if not nights:
            return shared
        if self._leaves_open(part, original, nights):
            part.sold.add(original.record.id)
        else:
            before = part.originals.get(original.record.id, (original, 0))[1]
            part.originals[original.record.id] = original, before | nights
            part.held |= nights
        return shared & ~nights

    def _leaves_open(self, part: CandidateNights, original: HeldNights, nights: Bits) -> bool:
        """Return whether the source of *part* left another night of *original* open, in two fetches; *nights* are shared.

        Nights after today count, of the original as it was when the closure came: as its source shows it, and where *nights*
        were read in a calendar of ours, as that showed it then. What the source closed later, it left open until then.
        """
        seen, read = part.since.seen, self.read[part.of.record.id].read_before(part.since.seen)
        whole = original.reported if nights & ~read else original.reported & read
        if original.is_candidate:
            whole &= join_bits(p.alone for p in self.parts[original.record.id] if p.order < part.order)
        latest = self.at if part.since.after is None else max(seen, original.seen_at)
        rows = [(s, max(seen, s.seen) + MIN_BETWEEN_FETCHES) for s in original.since if s.bits & whole and s.seen <= latest]
        there = [at for s, at in rows if s.bits & whole & ~self._closed_at(part.of, seen, at) & self.grid.to_come << 1]
        again = min(there, default=None)
        part.again += [again] if again and again > self.at else []
        return again is not None and again <= self.at

    def _closed_at(self, candidate: HeldNights, seen: datetime, again: datetime) -> Bits:
        """Return what the source of *candidate* closes, without what it left open (``SourceNights.at``)."""
        key = candidate.source, candidate.unit
        if key not in self.closing:
            self.closing[key] = read_source_nights(self.by_source[candidate.source], self.read[candidate.record.id])
        return self.closing[key].at(seen, again)

    def _left_open(self, candidate: HeldNights, seen: datetime, left: LeftNights) -> bool:
        """Return whether the source of *candidate* left a night to come of that record open; platforms import whole bookings.

        Of a record that moved or was shortened, the nights that it has or left later count, too. What *candidate* itself left
        since the record went, it closed until then.
        """
        until = max(seen, left.record.created_at)
        later = (n for n in self.left_by.get(left.record.id, ()) if n.left >= left.left)
        whole = join_bits(n.to_come for n in later if n.since[0].seen <= until)
        if rest := self.by_record.get(left.record.id):
            whole |= rest.reported & self.grid.to_come << 1 & join_bits(s.bits for s in rest.since if s.seen <= until)
        open_nights = whole & ~self._closed_at(candidate, seen, until + MIN_BETWEEN_FETCHES)
        mine = (n for n in self.left_by.get(candidate.record.id, ()) if n.left > left.left)
        return bool(open_nights and open_nights & ~join_bits(n.bits for n in mine))

    def _left_older(self, candidate: HeldNights, seen: datetime, left: LeftNights) -> bool:
        """Return whether the source of *candidate*, which first showed it at *seen*, left an older guest's booking open, too.

        Not where it had read the nights in a calendar of ours, or is linked with the source of *left*: then it has a copy.
        """
        source, mine = left.record.source_id, candidate.source
        is_read = left.bits & candidate.bits & self.read[candidate.record.id].read_before(seen)
        if source is None or is_read or (source, mine) in self.sources or candidate.held_since is not None:
            return False
        key = mine, candidate.unit, source, left.record.scope
        if key not in self.open_since:
            ours, theirs = ([h for h in self.by_source.get(s, ()) if h.unit == unit] for s, unit in (key[:2], key[2:]))
            dropped = [n.bits for n in chain(*self.left_by.values()) if n.record.source_id == mine]
            self.open_since[key] = find_left_open([*(h.bits for h in ours), *dropped], theirs, self.grid)
        since = self.open_since[key]
        return since is not None and since <= left.since[0].seen

    def _fading_beside(self, candidate: HeldNights, first: FirstSeen, left: LeftNights, own: Sequence[FirstSeen]) -> list[Fading]:
        """Return how nights of *candidate* fade with those that another record left when they were there already."""
        mine = first.bits & left.bits & ~was_before(own, left.since) if first.seen < left.left else 0
        mine = mine and mine & ~self._was_imported(left, own)
        is_own = mine and (self._left_open(candidate, first.seen, left) or self._left_older(candidate, first.seen, left))
        if mine and self._has_more(candidate, left):
            mine &= self.read[candidate.record.id].read_before(first.seen)
        return [] if is_own else self._fading(candidate, first, mine, left.left)

    def _was_imported(self, left: LeftNights, own: Sequence[FirstSeen]) -> Bits:
        """Return the nights that *left* repeated itself, from a calendar of ours, when they were held in *own* already."""
        seen = left.since[0].seen
        return join_bits(o.bits for o in own if o.seen < seen) & self.readers.of(left.record).surely_before(seen)

    def _has_more(self, candidate: HeldNights, left: LeftNights) -> bool:
        """Return whether *candidate* closes a night to come that neither *left* nor any other record beside it has.

        Such a closure cannot be a copy of a booking that its source has not read in our calendar: it is another booking.
        """
        beside = join_bits(h.bits for h in self.near.get(candidate.record.id, ()))
        return bool(candidate.bits & self.grid.to_come & ~left.bits & ~beside)

    def _fading(self, candidate: HeldNights, first: FirstSeen, mine: Bits, left: datetime) -> list[Fading]:
        if not mine:
            return []
        found = self.read[candidate.record.id].fading(mine, first.after, left)
        return [one for f in found for one in self._wait_for_others(candidate, f)]

    def _wait_for_others(self, candidate: HeldNights, fading: Fading) -> list[Fading]:
        """Return *fading*, for MAX_FADING where another source still showed the nights when our calendar was read without.

        Its platform may read that source, too, and have it from there.
        """
        later = fading.left + MAX_FADING
        if fading.read_at is None or fading.end >= later:
            return [fading]
        others = (h for h in self.near.get(candidate.record.id, ()) if h.is_candidate and h.seen_at < fading.read_at)
        shown = join_bits(h.bits & ~join_bits(bits for bits, since in h.unshown if since <= fading.read_at) for h in others)
        parts = (fading._replace(bits=fading.bits & ~shown), fading._replace(bits=fading.bits & shown, end=later))
        return [part for part in parts if part.bits]

    def conclude(self, parts: Sequence[CandidateNights]) -> EchoVerdict:
        """Return what the candidate is that *parts* are all nights of."""
        holding, again = parts[0].of, min((at for p in parts for at in p.again), default=None)
        held, fading = join_bits(p.held for p in parts), [f for p in parts for f in p.fades]
        rest, fades = holding.judged & ~held, join_bits(f.bits for f in fading)
        shown = [f.end for f in fading if f.bits & ~holding.all_unshown] if holding.held_since is None else []
        doubtful = tuple(row for p in parts for row in self._doubtful(p))
        return EchoVerdict(
            state=EchoState.ECHO if not rest else EchoState.FADING if fades == rest else EchoState.OWN,
            of=() if rest else _originals(parts),
            since=min((f.left for f in fading), default=None),
            until=min(shown, default=None),
            sold=frozenset(record for p in parts for record in p.sold),
            again_at=again,
            is_awaited=any(f.is_awaited for f in fading),
            has_outlived=bool(rest) and any(p.has_outlived for p in parts),
            repeats=held,
            repeated=tuple(row for p in parts for row in p.originals.values()),
            doubtful=doubtful,
            distinct=tuple(row for p in parts for row in self._distinct(p)),
            explained=held & ~self.read[holding.record.id].unknown & ~join_bits(bits for _, bits in doubtful),
            fades=fades,
        )

    def _distinct(self, part: CandidateNights) -> list[tuple[HeldNights, Bits]]:
        """Return the originals of *part* that their source no longer shows, with the nights that would not fade with them.

        Guests alone: a closure may be an import of ours, which comes and goes with what our calendar shows.
        """
        found = []
        for original, nights in part.originals.values():
            for bits, since in () if original.is_candidate else original.unshown:
                gone = LeftNights(
                    record=original.record,
                    bits=bits & nights,
                    to_come=bits & nights & self.grid.to_come << 1,
                    left=since,
                    since=tuple(s for s in original.since if s.bits & bits),
                )
                was_there = gone.bits and part.since.seen < gone.left  # what comes later may be a copy that came late
                if was_there and not self._fading_beside(part.of, part.since, gone, part.for_itself):
                    found.append((original, gone.bits))
        return found

    def _doubtful(self, part: CandidateNights) -> list[tuple[HeldNights, Bits]]:
        """Return the originals of *part*, with the nights that its source neither read before nor has from a linked source."""
        read = self.read[part.of.record.id].read_before(part.since.seen)
        rows = [(o, bits & ~read) for o, bits in part.originals.values() if (o.source, part.of.source) not in self.sources]
        return [(o, bits) for o, bits in rows if bits]


def _put_off(own: Sequence[FirstSeen], fading: Fading) -> list[FirstSeen]:
    """Return *own*, with the nights of *fading* held for themselves only from its end on."""
    rows = [(one, one.bits & fading.bits) for one in own]
    later = [FirstSeen(bits, max(one.seen, fading.end), one.after) for one, bits in rows if bits]
    return [FirstSeen(one.bits & ~bits, one.seen, one.after) for one, bits in rows if one.bits & ~bits] + later


def _fade(part: CandidateNights, at: datetime) -> None:
    """Add the nights of *part* that no other holds first any more, and whose fading has not ended."""
    rest = part.since.bits & part.of.judged & ~part.held
    for fading in sorted(part.left, key=lambda f: (f.left, f.end), reverse=True):
        new = rest & fading.bits & _shown_before(part.of, fading, at)
        part.has_outlived |= bool(rest & fading.bits & ~new)
        rest &= ~new
        part.fades += [fading._replace(bits=new)] if new else []


def _originals(parts: Iterable[CandidateNights]) -> tuple[HeldNights, ...]:
    """Return the originals of an echo, in the order of their nights."""
    found = {original: row[0] for part in parts for original, row in part.originals.items()}
    return tuple(sorted(found.values(), key=lambda h: (extent(h.bits), h.record.id)))


def _shown_before(candidate: HeldNights, fading: Fading, at: datetime) -> Bits:
    """Return the nights of *candidate* that its source, read until *at*, has not shown at the end of *fading* or later."""
    late = join_bits(bits for bits, since in candidate.unshown if since < fading.end + fading.grace)
    last_shown = min(at, candidate.held_since or at)
    return late if last_shown >= fading.end else late | candidate.bits & ~candidate.all_unshown
