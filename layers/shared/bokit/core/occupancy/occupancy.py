"""Who holds each night of linked units: one answer, which conflicts, outgoing calendars and people read.

    records of the units ─► held nights ─► joint bookings ─► echoes and what fades ─► Occupancy

A pure function of the records, today's date and the time. Outgoing calendars show a consumer every booking whose state is
OWN, except what the consumer itself reported. All nights of an echo are held by originals, which are among them; fading
closures and windows are not exported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property

from bokit.core.ical.entries import EntryKind
from bokit.core.model.catalog import Unit
from bokit.core.model.records import Json, Presence, Record, RecordId, Scope, SourceId
from bokit.core.occupancy.calendar_reads import ReadLog
from bokit.core.occupancy.echo_verdict import OWN, EchoState, EchoVerdict
from bokit.core.occupancy.echoes import judge_echoes
from bokit.core.occupancy.holdings import HeldNights, read_held_nights, read_left_nights
from bokit.core.occupancy.joint import join_holdings, merge_fields
from bokit.core.occupancy.limits import MIN_BETWEEN_FETCHES
from bokit.core.occupancy.links import Links, read_links
from bokit.core.occupancy.night_bits import Bits, NightGrid, join_bits
from bokit.values import Value, field


class Booking(Value, dict=True, eq=False):
    """One booking: a reservation with all its sources, a closure, an echo, or a source's window."""

    holdings: tuple[HeldNights, ...]
    grid: NightGrid
    verdict: EchoVerdict = OWN
    echo_of: tuple[RecordId, ...] = ()
    """Ids of the originals that it repeats, in the order of their nights."""

    @property
    def id(self) -> RecordId:
        """The id of its first record: stable as long as that holds a night."""
        return self.holdings[0].record.id

    @property
    def unit_id(self) -> Scope:
        """The unit that was booked; linked units share its nights."""
        return self.holdings[0].record.scope

    @cached_property
    def bits(self) -> Bits:
        """Every night that a record of it holds."""
        return join_bits([h.bits for h in self.holdings])

    @property
    def records(self) -> tuple[Record, ...]:
        """Its records, one for each source, the first seen first."""
        return tuple([h.record for h in self.holdings])

    @property
    def kind(self) -> EntryKind:
        """A reservation, a block, or a window."""
        return self.holdings[0].kind

    @property
    def state(self) -> EchoState:
        """What it is to the others; OWN is exported."""
        return self.verdict.state

    @property
    def seen_at(self) -> datetime:
        """When it was first seen here."""
        return min([h.seen_at for h in self.holdings])

    @property
    def is_missing(self) -> bool:
        """No source shows it any more; its nights are still held."""
        return all(h.record.presence is Presence.MISSING for h in self.holdings)

    @property
    def updated_at(self) -> datetime:
        """When one of its records last changed."""
        return max([h.record.updated_at for h in self.holdings])

    @cached_property
    def nights(self) -> tuple[date, ...]:
        """Every night that it holds, past ones too, in order."""
        return self.grid.nights(self.bits)

    @cached_property
    def fields(self) -> dict[str, Json]:
        """Its fields, merged from all its sources (``joint.merge_fields``)."""
        return merge_fields(self.records)

    def holds(self, night: date) -> bool:
        """Return whether it holds *night*."""
        return bool(self.bits & self.grid.span(night, night + timedelta(days=1)))


class Occupancy(Value, dict=True, eq=False):
    """Every booking of linked units."""

    bookings: tuple[Booking, ...]
    """Originals first, then closures, each the first seen first; then windows."""
    links: Links
    grid: NightGrid
    at: datetime
    by_record: Mapping[RecordId, Booking] = field(default_factory=dict)
    """Each record's booking; records that hold nothing have none."""

    @property
    def settle_at(self) -> datetime | None:
        """The earliest time at which time alone changes what a booking is."""
        times = (at for b in self.bookings for at in (b.verdict.until, b.verdict.again_at) if at)
        return min(times, default=None)

    @property
    def watch_at(self) -> datetime | None:
        """When to look whether a platform has read our calendar meanwhile, which ends the fading of its closures."""
        is_awaited = any(b.verdict.is_awaited for b in self.bookings)
        return self.at + MIN_BETWEEN_FETCHES if is_awaited else None

    @property
    def doubtable(self) -> frozenset[SourceId]:
        """Sources of which it matters whether a guard holds their feed.

        Those with closures that are their own only because they are still shown, and those of joint bookings: what a held
        page does not show is for sale there, and another source holds its nights.
        """
        found = (b for b in self.bookings if b.verdict.has_outlived or len(b.holdings) > 1)
        return frozenset(h.source for b in found for h in b.holdings if h.source is not None)

    @cached_property
    def closed_by(self) -> Mapping[SourceId | None, Bits]:
        """Every night that each source closes in any way, if its feed is believed; None: those entered by hand."""
        closed: dict[SourceId | None, Bits] = {}
        for holding in (h for b in self.bookings for h in b.holdings):
            closed[holding.source] = closed.get(holding.source, 0) | holding.sure
        return closed

    def of_unit(self, unit: Scope) -> list[Booking]:
        """Return the bookings that hold nights of *unit*: its own, its parts', and those of what it is a part of."""
        linked = self.links[unit]
        return [b for b in self.bookings if b.unit_id in linked]

    def holding(self, unit: Scope, night: date) -> list[Booking]:
        """Return the bookings that hold *night* of *unit*, originals first."""
        return [b for b in self.of_unit(unit) if b.holds(night)]

    def echoes_of(self, booking_id: RecordId) -> list[Booking]:
        """Return the echoes of this booking."""
        return [b for b in self.bookings if booking_id in b.echo_of]


def read_occupancy(
    units: Iterable[Unit],
    records: Sequence[Record],
    *,
    today: date,
    at: datetime,
    held_since: Mapping[SourceId, datetime] | None = None,
    reads: ReadLog | None = None,
) -> Occupancy:
    """Return who holds the nights of *units*, all of them linked with each other, by every record of theirs.

    *today* is the units' date at *at*: echoes are judged by nights to come. *held_since* are the sources whose feed a guard
    holds, with the time since when; it only matters for those in ``doubtable``. *reads* is what our calendars held when they
    were read (None: not known).
    """
    links, (grid, holdings) = _read_links(units, records), read_held_nights(records, today, held_since)
    groups = join_holdings([h for h in holdings if h.kind is not EntryKind.WINDOW])
    verdicts = judge_echoes(holdings, read_left_nights(records, grid), links, at, grid, reads)
    ids = {h.record.id: group[0].record.id for group in groups for h in group}
    bookings = [_read_booking(group, grid, verdicts.get(group[0].record.id, OWN), ids) for group in groups]
    windows = [h for h in holdings if h.kind is EntryKind.WINDOW]
    bookings += [Booking(holdings=(h,), grid=grid, verdict=EchoVerdict(state=EchoState.WINDOW)) for h in windows]
    by_record = {h.record.id: b for b in bookings for h in b.holdings}
    return Occupancy(bookings=tuple(bookings), links=links, grid=grid, at=at, by_record=by_record)


def _read_links(units: Iterable[Unit], records: Iterable[Record]) -> Links:
    links = read_links(units)
    return links | {r.scope: frozenset([r.scope]) for r in records if r.scope not in links}


def _read_booking(
    group: Sequence[HeldNights], grid: NightGrid, verdict: EchoVerdict, ids: Mapping[RecordId, RecordId]
) -> Booking:
    echo_of = tuple(dict.fromkeys(ids[h.record.id] for h in verdict.of)) if verdict.of else ()
    return Booking(holdings=tuple(group), grid=grid, verdict=verdict, echo_of=echo_of)
