"""Gaps of an event log: where its events expired, and where the numbers of a restored table go on."""

from __future__ import annotations

from bokit.core.model.limits import EVENT_JUMP
from bokit.core.model.records import TenantId
from bokit.store.event_protocol import EventStore


def find_gap_end(store: EventStore, tenant: TenantId, until: int, last: int) -> int:
    """Return the number before the next event above *until*, or *last*: where a reader goes on that found nothing up to there."""
    found = store.find_next_event(tenant, after=until)
    return last if found is None else min(last, found - 1)


def count_lost(missing: int) -> int:
    """Return how many of the *missing* numbers were events; those that a restored table leaves out never were."""
    return missing % EVENT_JUMP
