"""The post-write hook of a collection: reconciles derived data (conflicts, published calendars) with its records.

The engine knows no booking; ``engine.bookings.conflicts`` plugs in here with its kind of source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from bokit.core.model.records import Fields, Record, RunId, Scope, SourceId, TenantId
from bokit.store.protocols import Store
from bokit.values import Value, field


class ReconcileRequest(Value):
    """Which scope was written, when, and by whom."""

    tenant: TenantId
    scope: Scope
    at: datetime
    by: str
    """``source:<source id>`` or ``user:<name>``."""
    run_id: RunId | None = None
    held: Mapping[SourceId, datetime | None] = field(default_factory=dict)
    """The source being synced, and since when a guard holds its feed (None: not held): its head is written later."""


class Reconciler(Protocol):
    """Runs after a scope's records were written and before the run ends; a crash may make it run twice."""

    def record_history(self, before: Record | None, after: Record, at: datetime) -> Record:
        """Return *after*, a person's edit of *before*, with what the collection's rules keep of the change."""
        ...

    def reconcile(self, request: ReconcileRequest) -> datetime | None:
        """Make what derives from the scope's records agree with them; idempotent.

        Returns the earliest time at which time alone makes it necessary again.
        """
        ...


ReconcilerFactory = Callable[[Store, Fields], Reconciler]
"""Makes a reconciler from the stack's store and its defaults of options."""


def earliest(*times: datetime | None) -> datetime | None:
    """Return the earliest of *times*, without the Nones."""
    return min((time for time in times if time is not None), default=None)
