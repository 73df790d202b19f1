"""Who holds each night of linked units: the one answer that conflicts, outgoing calendars and people are given.

    records of the units ─► holdings ─► joint bookings ─► echoes and what fades ─► Occupancy

A pure function of the records, today's date and the time: whoever asks, gets the same. What an outgoing calendar tells
one consumer is every booking whose state is OWN, but for those that the consumer told itself: all nights of an echo are
held by originals, which are among them; what fades, and windows, are told to nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property

from bokit.core.ical.entries import Kind
from bokit.core.model.catalog import Unit
from bokit.core.model.records import Json, Presence, Record, RecordId, Scope, SourceId
from bokit.core.occupancy.echoes import OWN, Judgement, State, judge_holdings
from bokit.core.occupancy.holdings import HeldNights, read_holdings, read_night_histories
from bokit.core.occupancy.joint import join_holdings, merge_fields
from bokit.core.occupancy.links import Links, read_links
from bokit.core.occupancy.night_bits import Bits, Grid

__all__ = ["Booking", "Occupancy", "State", "read_occupancy"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Booking:
    """One booking: a reservation with all its sources, a closure, an echo, or a source's window."""

    holdings: tuple[HeldNights, ...]
    grid: Grid
    judgement: Judgement = OWN
    echo_of: tuple[RecordId, ...] = ()
    """The bookings that it repeats: ids of originals, in the order of their nights."""

    @property
    def id(self) -> RecordId:
        """The id of its first record: stable as long as that holds a night."""
        return self.holdings[0].record.id

    @property
    def unit_id(self) -> Scope:
        """The unit that it was booked in; linked units share its nights."""
        return self.holdings[0].unit

    @property
    def records(self) -> tuple[Record, ...]:
        """Its records, one a source, the first seen first."""
        return tuple(h.record for h in self.holdings)

    @property
    def source_ids(self) -> frozenset[SourceId | None]:
        """Who tells it; None: a person."""
        return frozenset(h.source for h in self.holdings)

    @property
    def kind(self) -> Kind:
        """A reservation, a block, or a window."""
        return self.holdings[0].kind

    @property
    def state(self) -> State:
        """What it is to the others; OWN is what others are told."""
        return self.judgement.state

    @property
    def seen_at(self) -> datetime:
        """When it was first seen here."""
        return min(h.seen_at for h in self.holdings)

    @property
    def is_missing(self) -> bool:
        """No source shows it any more; its nights are still held."""
        return all(r.presence is Presence.MISSING for r in self.records)

    @property
    def bits(self) -> Bits:
        """Every night that a record of it holds."""
        held = 0
        for holding in self.holdings:
            held |= holding.bits
        return held

    @cached_property
    def nights(self) -> tuple[date, ...]:
        """Every night that it holds, past ones too, in order."""
        return self.grid.nights(self.bits)

    @cached_property
    def fields(self) -> dict[str, Json]:
        """What it says: edits, else its own platform's word, else whoever says something."""
        return merge_fields(self.records)

    def holds(self, night: date) -> bool:
        """Return whether it holds *night*."""
        return bool(self.bits & self.grid.span(night, date.fromordinal(night.toordinal() + 1)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Occupancy:
    """Every booking of linked units."""

    bookings: tuple[Booking, ...]
    """Originals first, then closures, each the first seen first; then windows."""
    links: Links
    grid: Grid
    at: datetime
    by_record: Mapping[RecordId, Booking] = field(default_factory=dict)
    """Each record's booking; records that hold nothing have none."""

    @property
    def settle_at(self) -> datetime | None:
        """The earliest time at which time alone makes another of a booking."""
        return min((b.judgement.until for b in self.bookings if b.judgement.until), default=None)

    @property
    def outlived(self) -> frozenset[SourceId]:
        """Sources whose closures are their own only because they are still shown: if a guard holds the feed, nobody knows."""
        told = {h.source for b in self.bookings if b.judgement.has_outlived for h in b.holdings}
        return frozenset(source for source in told if source is not None)

    def of_unit(self, unit: Scope) -> list[Booking]:
        """Return the bookings that hold nights of *unit*: its own, its parts', and those of what it is a part of."""
        return [b for b in self.bookings if b.unit_id in self.links[unit]]

    def holding(self, unit: Scope, night: date) -> list[Booking]:
        """Return who holds *night* of *unit*, originals first."""
        return [b for b in self.of_unit(unit) if b.holds(night)]

    def echoes_of(self, id: RecordId) -> list[Booking]:
        """Return the echoes of the booking of this id."""
        return [b for b in self.bookings if id in b.echo_of]


def read_occupancy(
    units: Iterable[Unit],
    records: Sequence[Record],
    *,
    today: date,
    at: datetime,
    held_since: Mapping[SourceId, datetime] | None = None,
) -> Occupancy:
    """Return who holds the nights of *units*, all of them linked with each other, by every record of theirs.

    *today* is the units' date at *at*: echoes are judged by nights to come. *held_since* are the sources whose feed a guard
    holds, with the time since when; it matters for those alone that ``outlived`` names.
    """
    links, (grid, holdings) = _read_links(units, records), read_holdings(records, today, held_since)
    groups = join_holdings([h for h in holdings if h.kind is not Kind.WINDOW])
    judged = judge_holdings(holdings, read_night_histories(records, grid), links, at)
    ids = {h.record.id: group[0].record.id for group in groups for h in group}
    bookings = [_read_booking(group, grid, judged, ids) for group in groups]
    windows = [h for h in holdings if h.kind is Kind.WINDOW]
    bookings += [Booking(holdings=(h,), grid=grid, judgement=Judgement(state=State.WINDOW)) for h in windows]
    by_record = {r.id: b for b in bookings for r in b.records}
    return Occupancy(bookings=tuple(bookings), links=links, grid=grid, at=at, by_record=by_record)


def _read_links(units: Iterable[Unit], records: Iterable[Record]) -> Links:
    links = read_links(units)
    return links | {r.scope: frozenset([r.scope]) for r in records if r.scope not in links}


def _read_booking(
    group: Sequence[HeldNights], grid: Grid, judged: Mapping[RecordId, Judgement], ids: Mapping[RecordId, RecordId]
) -> Booking:
    judgement = judged.get(group[0].record.id, OWN)
    echo_of = tuple(dict.fromkeys(ids[h.record.id] for h in judgement.of))
    return Booking(holdings=tuple(group), grid=grid, judgement=judgement, echo_of=echo_of)
