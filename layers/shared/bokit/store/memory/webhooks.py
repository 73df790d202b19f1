"""Webhooks, endpoints and deliveries in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from bokit.core.model.codec import read_document, write_document
from bokit.core.model.events import OutboxItem
from bokit.core.model.quotas import QuotaName
from bokit.core.model.records import TenantId
from bokit.core.model.webhooks import Delivery, Endpoint, Webhook, WebhookId
from bokit.errors import StaleFenceError, StoreConflictError, UnknownIdError
from bokit.store.memory.state import EndpointState, MemoryState, load_all, load_page, next_version
from bokit.store.protocols import DueDeliveries, Page
from bokit.values import replace


class MemoryWebhooks(MemoryState):
    """``WebhookStore`` in memory."""

    # ── webhooks ──

    def load_webhooks(self, tenant: TenantId) -> Sequence[Webhook]:
        with self._lock:
            return sorted(load_all(self._webhooks, tenant), key=lambda hook: (hook.created_at, hook.id))

    def load_webhook(self, tenant: TenantId, webhook_id: WebhookId) -> Webhook:
        with self._lock:
            if (webhook := self._webhooks.get((tenant, webhook_id))) is None:
                raise _unknown(webhook_id)
            return webhook

    def add_webhook(self, webhook: Webhook, endpoint: Endpoint, *, due_at: datetime) -> Webhook:
        with self._lock:
            key = webhook.tenant, webhook.id
            if key in self._webhooks:
                raise StoreConflictError("a webhook of this id exists already", id=webhook.id)
            self._count(webhook.tenant, QuotaName.WEBHOOKS, 1)
            self._endpoints[key] = EndpointState(endpoint=endpoint, due_at=due_at)
            return self.save_webhook(webhook)

    def save_webhook(self, webhook: Webhook, *, outbox: Sequence[OutboxItem] = ()) -> Webhook:
        with self._lock:
            key = webhook.tenant, webhook.id
            self._webhooks[key] = saved = replace(webhook, version=next_version(webhook, self._webhooks.get(key)))
            self._put_outbox(*outbox)
            return saved

    def delete_webhook(self, tenant: TenantId, webhook_id: WebhookId) -> None:
        with self._lock:
            if self._webhooks.pop((tenant, webhook_id), None) is not None:
                self._endpoints.pop((tenant, webhook_id), None)
                self._count(tenant, QuotaName.WEBHOOKS, -1)

    # ── endpoints ──

    def load_endpoint(self, tenant: TenantId, webhook_id: WebhookId) -> Endpoint:
        with self._lock:
            if (state := self._endpoints.get((tenant, webhook_id))) is None:
                raise _unknown(webhook_id)
            return state.endpoint

    def acquire_endpoint(
        self, tenant: TenantId, webhook_id: WebhookId, *, holder: str, now: datetime, until: datetime
    ) -> Endpoint | None:
        with self._lock:
            state = self._endpoints.get((tenant, webhook_id))
            if state is None or (state.holder and state.until and state.until > now):
                return None
            state.holder, state.until, state.due_at = holder, until, until
            state.endpoint = replace(state.endpoint, fence=state.endpoint.fence + 1)
            return state.endpoint

    def save_endpoint(self, endpoint: Endpoint, *, due_at: datetime | None, release: bool) -> bool:
        with self._lock:
            state = self._endpoints.get((endpoint.tenant, endpoint.webhook_id))
            if state is None or state.endpoint.fence != endpoint.fence:
                raise StaleFenceError("the endpoint was taken over by another sender", webhook=endpoint.webhook_id)
            if release and state.endpoint.wakes != endpoint.wakes:
                return False
            state.endpoint, state.due_at = replace(endpoint, wakes=state.endpoint.wakes), due_at
            if release:
                state.holder = state.until = None
            return True

    def replace_endpoint(self, endpoint: Endpoint, *, due_at: datetime) -> None:
        with self._lock:
            if state := self._endpoints.get((endpoint.tenant, endpoint.webhook_id)):
                stored = state.endpoint
                state.endpoint = replace(endpoint, fence=stored.fence + 1, wakes=stored.wakes)
                state.holder, state.until, state.due_at = None, None, due_at

    def wake_endpoint(self, tenant: TenantId, webhook_id: WebhookId, at: datetime) -> None:
        with self._lock:
            if state := self._endpoints.get((tenant, webhook_id)):
                state.endpoint = replace(state.endpoint, wakes=state.endpoint.wakes + 1)
                state.due_at = at

    def load_due_deliveries(self, now: datetime, limit: int = 100) -> DueDeliveries:
        with self._lock:
            logs = [(at, tenant, None) for tenant, at in self._unread.items() if at <= now]
            states = self._endpoints.items()
            due = [(state.due_at, tenant, hook) for (tenant, hook), state in states if state.due_at and state.due_at <= now]
            found = sorted([*logs, *due], key=lambda line: (line[0], line[1], line[2] or ""))[:limit]
            return DueDeliveries(
                logs=tuple(tenant for _, tenant, hook in found if hook is None),
                endpoints=tuple((tenant, hook) for _, tenant, hook in found if hook is not None),
            )

    # ── deliveries ──

    def find_deliveries(self, tenant: TenantId, webhook_id: WebhookId, seqs: Iterable[int]) -> Mapping[int, Delivery]:
        with self._lock:
            mine = self._deliveries.get((tenant, webhook_id), {})
            return {seq: mine[seq] for seq in seqs if seq in mine}

    def find_delivery(self, tenant: TenantId, webhook_id: WebhookId, event_id: str) -> Delivery:
        with self._lock:
            for delivery in self._deliveries.get((tenant, webhook_id), {}).values():
                if delivery.event.id == event_id:
                    return delivery
            raise UnknownIdError("no delivery of such an event to this webhook", id=event_id)

    def load_waiting(self, tenant: TenantId, webhook_id: WebhookId, until: datetime, *, limit: int) -> Sequence[Delivery]:
        with self._lock:
            mine = self._deliveries.get((tenant, webhook_id), {}).values()
            waiting = [(each.next_at, each.event.seq, each) for each in mine if each.next_at and each.next_at <= until]
            return [each for *_, each in sorted(waiting, key=lambda line: line[:2])[:limit]]

    def load_deliveries(
        self, tenant: TenantId, webhook_id: WebhookId, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Delivery]:
        with self._lock:
            mine = self._deliveries.get((tenant, webhook_id), {})
            rows = {f"{seq:012d}": delivery for seq, delivery in mine.items()}
            return load_page(rows, f"deliveries/{tenant}/{webhook_id}", limit, cursor)

    def save_delivery(self, delivery: Delivery, *, before: Delivery | None, expires_at: datetime) -> None:
        with self._lock:
            mine = self._deliveries.setdefault((delivery.tenant, delivery.webhook_id), {})
            if mine.get(delivery.event.seq) != before:
                raise StoreConflictError("the delivery was changed by another since it was read", event=delivery.event.id)
            mine[delivery.event.seq] = read_document(Delivery, write_document(delivery))


def _unknown(webhook_id: WebhookId) -> UnknownIdError:
    return UnknownIdError("no such webhook; `bokit webhook list` shows them", id=webhook_id)
