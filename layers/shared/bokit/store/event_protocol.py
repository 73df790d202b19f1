"""What the engine needs of the outbox and the event logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bokit.core.model.events import Event, OutboxItem
from bokit.core.model.notices import AlertNote
from bokit.core.model.records import SourceId, TenantId
from bokit.store.limits import MAX_OUTBOX_ITEMS
from bokit.values import Value


class StaleNote(Value):
    """A source that is stale since its last success: noted once."""

    tenant: TenantId
    source_id: SourceId
    since: datetime


class EventStore(Protocol):
    """The outbox of all tenants, and the event log of each.

    written with a change     │ outbox item ──► numbered: the events in the tenant's log, and the item deleted, in one transaction
    numbered a second time    │             ──► nothing: the item is gone
    """

    def put_outbox(self, item: OutboxItem) -> None:
        """Write an outbox item alone; one with its place is replaced."""

    def load_outbox(
        self, partition: int, *, limit: int = MAX_OUTBOX_ITEMS, after: OutboxItem | None = None
    ) -> Sequence[OutboxItem]:
        """Return the items of a partition, the oldest first; those *after* one that was loaded before."""

    def number_events(self, item: OutboxItem, *, expires_at: datetime, unread_at: datetime | None = None) -> int | None:
        """Give the item's events the next numbers of the tenant's log, all or none, and delete the item.

        *unread_at*: with them, make the log due at that time, for those who read it (``clear_unread``).

        Returns the last number; None: the item was numbered already, and nothing is written. Raises StoreConflictError where
        others number the same log all the time.
        """

    def delete_outbox(self, item: OutboxItem) -> None:
        """Delete an outbox item whose notice was accepted, or is too old."""

    def save_alert_note(self, note: AlertNote) -> None:
        """Note that a notice of a hold was accepted; the first one of a hold stays."""

    def load_alert_note(self, tenant: TenantId, source_id: SourceId) -> AlertNote | None:
        """Return the last hold of the source of which a notice was accepted."""

    def load_stale_notes(self, sources: Iterable[tuple[TenantId, SourceId]]) -> Mapping[SourceId, datetime]:
        """Return of those of *sources* that were noted as stale the last success at that time, in one batched read."""

    def save_stale_note(self, note: StaleNote, item: OutboxItem) -> bool:
        """Note that a source is stale, and put *item*, in one transaction; False, and nothing, where it is noted already."""

    def load_last_seq(self, tenant: TenantId) -> int:
        """Return the number of the tenant's last event; 0: there was none."""

    def load_events(self, tenant: TenantId, *, after: int, until: int) -> Sequence[Event]:
        """Return the events that the log still has, with numbers above *after* up to *until*, in their order."""

    def find_next_event(self, tenant: TenantId, *, after: int) -> int | None:
        """Return the number of the first event above *after* that the log still has; None: there is none."""

    def raise_last_seq(self, tenant: TenantId, *, by: int, stamp: str) -> bool:
        """Raise the number of the tenant's last event, at once and without events; False: the last raise had this *stamp*."""

    def clear_unread(self, tenant: TenantId, seq: int) -> None:
        """Make the log due no more, if *seq* is still the number of its last event."""
