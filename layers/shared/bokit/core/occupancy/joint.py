"""Joint bookings: the same reservation, reported by several sources, is one booking.

Its records stay apart, since evidence and cancellation are each source's own. Decided from one unit's records alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from bokit.core.bookings.night_history import PLATFORM
from bokit.core.ical.entries import EntryKind
from bokit.core.ical.platforms.registry import traits_of
from bokit.core.model.merge import normalise_fields
from bokit.core.model.records import Json, Record
from bokit.core.occupancy.guests import contradict, may_be_same, share_reference
from bokit.core.occupancy.holdings import HeldNights
from bokit.core.occupancy.limits import MAX_JOIN_TRIES

JointHoldings = list[HeldNights]
"""One booking's holdings, in order: the first one's id is the booking's."""


def join_holdings(holdings: Sequence[HeldNights]) -> list[JointHoldings]:
    """Return *holdings*, which come in order, as bookings; every one is in exactly one.

    the same reference                                   one booking, whatever the dates
    the same nights, two sources, and nothing            one booking
    contradicts (``guests.may_be_same``)
    two references of one platform, the same source      never
    a block, a possible echo, a window                   each for itself
    """
    groups: list[JointHoldings] = []
    by_ref: dict[tuple[str, ...], dict[int, JointHoldings]] = {}
    by_dates: dict[tuple[str, int], dict[int, JointHoldings]] = {}
    for holding in holdings:
        if not _can_join(holding):
            groups.append([holding])
            continue
        refs = [by_ref.setdefault((holding.unit, *ref), {}) for ref in sorted(holding.identity.refs)]
        dates = by_dates.setdefault((holding.unit, holding.bits), {})
        group = _find_group(holding, refs, dates)
        if group is None:
            group = []
            groups.append(group)
        group.append(holding)
        for known in (*refs, dates):
            known[id(group)] = group
    return groups


def _can_join(holding: HeldNights) -> bool:
    return holding.kind is EntryKind.RESERVATION and not holding.is_candidate


def _find_group(
    holding: HeldNights, refs: Iterable[Mapping[int, JointHoldings]], dates: Mapping[int, JointHoldings]
) -> JointHoldings | None:
    """Return the booking that *holding* belongs to: among the first MAX_JOIN_TRIES with its reference, or its nights.

    *refs* are the bookings with each of its references, *dates* those with its nights.
    """
    for known in refs:
        for group in islice(known.values(), MAX_JOIN_TRIES):
            if _fits(holding, group):
                return group
    for group in islice(dates.values(), MAX_JOIN_TRIES):
        if _fits(holding, group) and all(_may_be_one(holding, h) for h in group):
            return group
    return None


def _fits(holding: HeldNights, group: JointHoldings) -> bool:
    """Return whether *group* has nothing of the same source, and nothing that contradicts."""
    return all(h.source != holding.source and not contradict(h.identity, holding.identity) for h in group)


def _may_be_one(one: HeldNights, other: HeldNights) -> bool:
    return share_reference(one.identity, other.identity) or may_be_same(one.identity, other.identity)


def merge_fields(records: Sequence[Record]) -> dict[str, Json]:
    """Return a joint booking's fields: the latest edit of each, else its own platform's value, else the first source's.

    A field that one source leaves empty is filled by another.
    """
    merged: dict[str, Json] = {}
    for record in sorted(records, key=lambda r: not traits_of(r.memory.get(PLATFORM)).own_guests):
        merged |= {name: value for name, value in record.remote.items() if merged.get(name) in (None, "", {}, [])}
    edits = sorted(((e.at, name, e.value) for r in records for name, e in r.edits.items()), key=lambda e: e[0])
    return merged | normalise_fields({name: value for _, name, value in edits})
