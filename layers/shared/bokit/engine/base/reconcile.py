"""What follows when records have changed: the collection's own business, handed to the engine with its kind of source.

The engine knows no booking; bookings (``engine.bookings.conflicts``) plug in here, and find double bookings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bokit.core.model.records import Json, Record, RunId, Scope, SourceId, TenantId
from bokit.outlets.protocols import Alerts
from bokit.store.protocols import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileRequest:
    """What has been written, when, and by whom."""

    tenant: TenantId
    scope: Scope
    at: datetime
    by: str
    """``source:<source id>`` or ``user:<name>``."""
    run_id: RunId | None = None
    held: Mapping[SourceId, datetime | None] = field(default_factory=dict)
    """The source in hand, and since when a guard holds its feed (None: it does not): its head is written later."""


class Reconciler(Protocol):
    """Runs after the records of a scope were written, and before the run says that it is done: it may come twice."""

    def trace(self, before: Record | None, after: Record, at: datetime) -> Record:
        """Return *after*, which a person made of *before*, with what its rules want to remember of the change."""
        ...

    def settle(self, occasion: ReconcileRequest) -> datetime | None:
        """Make whatever hangs on the scope's records agree with them.

        Returns the earliest time at which time alone asks for it again. Doing it twice changes nothing more.
        """
        ...


ReconcilerFactory = Callable[[Store, Alerts, Mapping[str, Json]], Reconciler]
"""Makes it for a stack: its store, its alerts, and the defaults of its options."""


def earliest(*times: datetime | None) -> datetime | None:
    """Return the earliest of the times that are told."""
    return min((time for time in times if time is not None), default=None)
