"""What the engine needs of a store for webhooks; see ``store.protocols``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bokit.core.model.events import OutboxItem
from bokit.core.model.records import TenantId
from bokit.core.model.webhooks import Delivery, Endpoint, Webhook, WebhookId
from bokit.store.page import Page
from bokit.values import Value


class DueDeliveries(Value):
    """What is due to be sent now."""

    logs: tuple[TenantId, ...] = ()
    """Tenants whose events were numbered, and whose endpoints perhaps do not know it."""
    endpoints: tuple[tuple[TenantId, WebhookId], ...] = ()


class WebhookStore(Protocol):
    """Webhooks, the state of their endpoints, and their deliveries.

    An endpoint is leased by who sends to it. What concerns it meanwhile wakes it, and its release finds out:

        time ──────┬──────────────────────┬──────────────┬───────────────────────────────►
        a sender   │ acquires, wakes = 4  ·              │ releases if wakes = 4: no, it looks again
        an event   ·                      │ wakes = 5    ·
    """

    def load_webhooks(self, tenant: TenantId) -> Sequence[Webhook]:
        """Return the tenant's webhooks, oldest first."""

    def load_webhook(self, tenant: TenantId, webhook_id: WebhookId) -> Webhook: ...
    def add_webhook(self, webhook: Webhook, endpoint: Endpoint, *, due_at: datetime) -> Webhook:
        """Write a new one with its endpoint, counted against the quota."""

    def save_webhook(self, webhook: Webhook, *, outbox: Sequence[OutboxItem] = ()) -> Webhook:
        """Write it on its version, with *outbox* in the same transaction."""

    def delete_webhook(self, tenant: TenantId, webhook_id: WebhookId) -> None:
        """Delete it with its endpoint; its deliveries expire by themselves."""

    def load_endpoint(self, tenant: TenantId, webhook_id: WebhookId) -> Endpoint: ...
    def acquire_endpoint(
        self, tenant: TenantId, webhook_id: WebhookId, *, holder: str, now: datetime, until: datetime
    ) -> Endpoint | None:
        """Acquire its lease, and make it due at *until*; None if another holds it after *now*, or it does not exist."""

    def save_endpoint(self, endpoint: Endpoint, *, due_at: datetime | None, release: bool) -> bool:
        """Write it under its fence. To *release* its lease as well, nobody may have woken it: then return False.

        Raises StaleFenceError if the lease was taken over, or the endpoint was deleted.
        """

    def replace_endpoint(self, endpoint: Endpoint, *, due_at: datetime) -> None:
        """Write it; a sender that holds it loses its lease. Nothing if it was deleted."""

    def wake_endpoint(self, tenant: TenantId, webhook_id: WebhookId, at: datetime) -> None:
        """Raise its wakes, and make it due at *at*; nothing if it was deleted."""

    def load_due_deliveries(self, now: datetime, limit: int = 100) -> DueDeliveries:
        """Return the logs and endpoints whose time is not after *now*, earliest first, by one index query."""

    def find_deliveries(self, tenant: TenantId, webhook_id: WebhookId, seqs: Iterable[int]) -> Mapping[int, Delivery]:
        """Return those that exist, by the numbers of their events, in one batched read."""

    def find_delivery(self, tenant: TenantId, webhook_id: WebhookId, event_id: str) -> Delivery:
        """Return the delivery of an event; reads all of the webhook's, the newest first. Raises UnknownIdError."""

    def load_waiting(self, tenant: TenantId, webhook_id: WebhookId, until: datetime, *, limit: int) -> Sequence[Delivery]:
        """Return deliveries whose next attempt is not after *until*, the earliest first."""

    def load_deliveries(
        self, tenant: TenantId, webhook_id: WebhookId, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Delivery]:
        """Return a page of the webhook's deliveries, newest event first."""

    def save_delivery(self, delivery: Delivery, *, before: Delivery | None, expires_at: datetime) -> None:
        """Write a delivery in the place of *before*, as it was read; None: of one that does not exist.

        It and its place among the waiting ones are one write. Raises StoreConflictError if another was written meanwhile.
        """
