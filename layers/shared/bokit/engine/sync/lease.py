"""The lease on one source: one run or edit writes at a time, and a late writer is refused.

    time ──────────┬──────────────────────┬─────────────────────────────────►
    run A          │ lease until t1,      ·
                   │ fence 7              ·
    run B          ·                      │ acquires it from t1 on, fence 8
    A wakes late   ·                      ·     its writes carry fence 7 and are refused

``Store.acquire_lease`` decides: the lease is free, expired, or the holder's own; each acquisition raises the fence by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from bokit.core.model.catalog import Source
from bokit.core.model.scheduling import Head, Lease
from bokit.engine.base.clock import Clock
from bokit.errors import StaleFenceError, StateError, StoreConflictError
from bokit.store.protocols import ScheduleStore

LEASE_HELD = "lease-held"
"""The error's code where another holds the lease."""
SYNC_TTL = timedelta(minutes=5)
"""How long a sync's lease lasts; a longer sync renews it."""
EDIT_TTL = timedelta(seconds=30)
"""How long an edit's lease lasts."""
MAX_EDIT_TRIES = 20
EDIT_PAUSE = 0.25
"""Seconds between two tries of an edit."""


def acquire_lease(store: ScheduleStore, source: Source, holder: str, clock: Clock, *, renewal: bool = False) -> Lease:
    """Return the source's lease for a sync; raise StoreConflictError ``lease-held`` where another holds it."""
    now = clock()
    if lease := store.acquire_lease(source, holder=holder, now=now, until=now + SYNC_TTL, renewal=renewal):
        return lease
    raise StoreConflictError("another run is syncing it", code=LEASE_HELD)


def await_lease(store: ScheduleStore, source: Source, holder: str, clock: Clock, wait: Callable[[float], object]) -> Lease:
    """Return the source's lease for an edit, waiting some seconds for a running sync to end; raise StateError after that."""
    for _ in range(MAX_EDIT_TRIES):
        now = clock()
        if lease := store.acquire_lease(source, holder=holder, now=now, until=now + EDIT_TTL):
            return lease
        wait(EDIT_PAUSE)
    raise StateError("the source is being synced; try again in a moment", code=LEASE_HELD, id=source.id)


@contextmanager
def released_on_error(store: ScheduleStore, lease: Lease) -> Iterator[Lease]:
    """Hold *lease*: released here on error, by ``save_head`` on success."""
    try:
        yield lease
    except BaseException:
        store.release_lease(lease)
        raise


def is_unsynced(head: Head, lease: Lease) -> bool:
    """Return whether nobody held the lease since *head* was read."""
    return lease.fence == head.fence + 1


def check_unsynced(head: Head, lease: Lease) -> None:
    """Raise StaleFenceError where another run held the lease since *head* was read: what was read may be old by now."""
    if not is_unsynced(head, lease):
        raise StaleFenceError("another run synced it meanwhile", source_id=head.source.id)
