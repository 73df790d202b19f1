"""Webhooks, endpoints and deliveries in the table. ``WebhookStore`` has the timeline of an endpoint's lease."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from bokit.core.model.codec import read_document, write_document, write_micros
from bokit.core.model.cursors import read_cursor, write_cursor
from bokit.core.model.events import OutboxItem
from bokit.core.model.quotas import QuotaName
from bokit.core.model.records import TenantId
from bokit.core.model.webhooks import Delivery, Endpoint, Webhook, WebhookId
from bokit.errors import StaleFenceError, StoreConflictError, UnknownIdError
from bokit.store.dynamo import keys
from bokit.store.dynamo.catalog import has_version
from bokit.store.dynamo.events import make_due, put_item
from bokit.store.dynamo.gateway import DeleteItem, PutItem, Transaction, UpdateItem
from bokit.store.dynamo.model import ItemRow
from bokit.store.dynamo.shards import RELEASE
from bokit.store.dynamo.usage import DynamoUsage, UsageChange
from bokit.store.limits import MAX_PAGE_CURSOR, clamp_limit
from bokit.store.protocols import DueDeliveries, Page
from bokit.values import replace

_NEVER_DUE: Sequence[Action] = (ItemRow.due_pk.remove(), ItemRow.due_at.remove())


class DynamoWebhooks(DynamoUsage):
    """``WebhookStore`` on the table."""

    # ── webhooks ──

    def load_webhooks(self, tenant: TenantId) -> Sequence[Webhook]:
        rows = self._table.query(keys.catalog_partition(tenant), ItemRow.sk.startswith("WEBHOOK#"))
        return sorted((read_document(Webhook, row.doc) for row in rows), key=lambda hook: (hook.created_at, hook.id))

    def load_webhook(self, tenant: TenantId, webhook_id: WebhookId) -> Webhook:
        row = self._table.get(keys.webhook_key(tenant, webhook_id))
        if row is None:
            raise _unknown(webhook_id)
        return read_document(Webhook, row.doc)

    def add_webhook(self, webhook: Webhook, endpoint: Endpoint, *, due_at: datetime) -> Webhook:
        saved = replace(webhook, version=1)
        due = {"due_pk": keys.DUE_DELIVERIES, "due_at": write_micros(due_at)}
        state = {"doc": _write_endpoint(endpoint), "fence": 0, "uses": 0, **due}
        key, absent = keys.endpoint_key(webhook.tenant, webhook.id), ItemRow.pk.does_not_exist()
        puts = [_put_webhook(saved), PutItem(key=key, attributes=state, condition=absent)]
        more = UsageChange(tenant=webhook.tenant, counted=QuotaName.WEBHOOKS, more=1)
        if self.transact_counted(Transaction(puts=puts), [more]):
            raise StoreConflictError("a webhook of this id exists already", id=webhook.id)
        return saved

    def save_webhook(self, webhook: Webhook, *, outbox: Sequence[OutboxItem] = ()) -> Webhook:
        saved = replace(webhook, version=webhook.version + 1)
        if not self._table.write(_put_webhook(saved), [put_item(item) for item in outbox]):
            raise StoreConflictError("the webhook was changed by another since it was read; read it again", id=webhook.id)
        return saved

    def delete_webhook(self, tenant: TenantId, webhook_id: WebhookId) -> None:
        deletes = [
            DeleteItem(key=keys.webhook_key(tenant, webhook_id), condition=ItemRow.pk.exists()),
            DeleteItem(key=keys.endpoint_key(tenant, webhook_id)),
        ]
        fewer = UsageChange(tenant=tenant, counted=QuotaName.WEBHOOKS, more=-1)
        self.transact_counted(Transaction(deletes=deletes), [fewer])  # if another was first, it is deleted as well

    # ── endpoints ──

    def load_endpoint(self, tenant: TenantId, webhook_id: WebhookId) -> Endpoint:
        row = self._table.get(keys.endpoint_key(tenant, webhook_id))
        if row is None:
            raise _unknown(webhook_id)
        return _read_endpoint(row)

    def acquire_endpoint(
        self, tenant: TenantId, webhook_id: WebhookId, *, holder: str, now: datetime, until: datetime
    ) -> Endpoint | None:
        exists, free = ItemRow.pk.exists(), ItemRow.holder.does_not_exist()
        expired = ItemRow.until <= write_micros(now)
        hold = [ItemRow.holder.set(holder), ItemRow.until.set(write_micros(until)), ItemRow.fence.add(1)]
        actions = [*hold, *make_due(until)]
        row = self._update_endpoint(tenant, webhook_id, actions, exists & (free | expired), once=True)
        return _read_endpoint(row) if row else None

    def save_endpoint(self, endpoint: Endpoint, *, due_at: datetime | None, release: bool) -> bool:
        actions = [ItemRow.doc.set(_write_endpoint(endpoint)), *(make_due(due_at) or _NEVER_DUE)]
        same_fence, unwoken = ItemRow.fence == endpoint.fence, ItemRow.uses == endpoint.wakes
        if not release:
            saved = self._update_endpoint(endpoint.tenant, endpoint.webhook_id, actions, same_fence)
        else:
            actions += RELEASE
            saved = self._update_endpoint(endpoint.tenant, endpoint.webhook_id, actions, same_fence & unwoken)
        if saved is None:
            row = self._table.get(keys.endpoint_key(endpoint.tenant, endpoint.webhook_id))
            if row is None or int(row.fence) != endpoint.fence:
                raise StaleFenceError("the endpoint was taken over by another sender", webhook=endpoint.webhook_id)
        return saved is not None

    def replace_endpoint(self, endpoint: Endpoint, *, due_at: datetime) -> None:
        lost = [*RELEASE, ItemRow.fence.add(1)]
        actions = [ItemRow.doc.set(_write_endpoint(endpoint)), *make_due(due_at), *lost]
        self._update_endpoint(endpoint.tenant, endpoint.webhook_id, actions, ItemRow.pk.exists())

    def wake_endpoint(self, tenant: TenantId, webhook_id: WebhookId, at: datetime) -> None:
        self._update_endpoint(tenant, webhook_id, [ItemRow.uses.add(1), *make_due(at)], ItemRow.pk.exists())

    def _update_endpoint(
        self,
        tenant: TenantId,
        webhook_id: WebhookId,
        actions: Sequence[Action],
        condition: Condition,
        *,
        once: bool = False,
    ) -> ItemRow | None:
        key = keys.find_key(keys.endpoint_key, tenant, webhook_id)
        return self._table.update(UpdateItem(key=key, actions=actions, condition=condition, once=once)) if key else None

    def load_due_deliveries(self, now: datetime, limit: int = 100) -> DueDeliveries:
        # As ``load_due``: the index is eventually consistent and has keys only.
        until = write_micros(now)
        rows = self._table.get_all(self._table.query_due(until, limit, keys.DUE_DELIVERIES))
        due = [(row.due_at, key) for key, row in rows.items() if row.due_at is not None and row.due_at <= until]
        found = [key for _, key in sorted(due)]
        return DueDeliveries(
            logs=tuple(keys.tenant_of(key) for key in found if not keys.is_endpoint(key)),
            endpoints=tuple(keys.endpoint_of(key) for key in found if keys.is_endpoint(key)),
        )

    # ── deliveries ──

    def find_deliveries(self, tenant: TenantId, webhook_id: WebhookId, seqs: Iterable[int]) -> Mapping[int, Delivery]:
        by_key = {keys.delivery_key(tenant, webhook_id, seq): seq for seq in seqs}
        return {by_key[key]: _read_delivery(row) for key, row in self._table.get_all(by_key).items()}

    def find_delivery(self, tenant: TenantId, webhook_id: WebhookId, event_id: str) -> Delivery:
        partition = keys.deliveries_partition(tenant, webhook_id)
        row = self._table.query_one(partition, ItemRow.stamp == event_id, newest_first=True)
        if row is None:
            raise UnknownIdError("no delivery of such an event to this webhook", id=event_id)
        return _read_delivery(row)

    def load_waiting(self, tenant: TenantId, webhook_id: WebhookId, until: datetime, *, limit: int) -> Sequence[Delivery]:
        by_then = ItemRow.sk < f"{write_micros(until) + 1:020d}"
        lines = self._table.query(keys.waiting_partition(tenant, webhook_id), by_then, limit=limit)
        found = self.find_deliveries(tenant, webhook_id, (int(line.sk.rpartition("#")[2]) for line in lines))
        return [found[seq] for line in lines if (seq := int(line.sk.rpartition("#")[2])) in found]

    def load_deliveries(
        self, tenant: TenantId, webhook_id: WebhookId, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Delivery]:
        partition, taken = keys.deliveries_partition(tenant, webhook_id), clamp_limit(limit)
        older = None if cursor is None else ItemRow.sk < read_cursor(partition, cursor, max_length=MAX_PAGE_CURSOR)
        rows = self._table.query(partition, older, newest_first=True, limit=taken + 1)
        items = tuple(_read_delivery(row) for row in rows[:taken])
        return Page(items=items, cursor=write_cursor(partition, rows[taken - 1].sk) if len(rows) > taken else None)

    def save_delivery(self, delivery: Delivery, *, before: Delivery | None, expires_at: datetime) -> None:
        key = keys.delivery_key(delivery.tenant, delivery.webhook_id, delivery.event.seq)
        document = {"doc": write_document(delivery), "stamp": delivery.event.id, "expires_at": expires_at}
        as_read = ItemRow.pk.does_not_exist() if before is None else ItemRow.doc == write_document(before)
        put = PutItem(key=key, attributes=document, condition=as_read)
        lines: list[PutItem] = []
        if delivery.next_at:
            lines.append(PutItem(key=keys.waiting_key(delivery, delivery.next_at), attributes={"expires_at": expires_at}))
        old = keys.waiting_key(before, before.next_at) if before and before.next_at else None
        deletes = [DeleteItem(key=old)] if old and old not in [line.key for line in lines] else []
        if lines or deletes:
            failed = bool(self._table.transact(Transaction(puts=[put, *lines], deletes=deletes)))
        else:
            failed = not self._table.put(put)
        if failed:
            raise StoreConflictError("the delivery was changed by another since it was read", event=delivery.event.id)


def _put_webhook(saved: Webhook) -> PutItem:
    attributes: dict[str, Any] = {"doc": write_document(saved), "version": saved.version}
    return PutItem(key=keys.webhook_key(saved.tenant, saved.id), attributes=attributes, condition=has_version(saved.version - 1))


def _write_endpoint(endpoint: Endpoint) -> str:
    """Return the document of an endpoint; what the store counts are attributes of their own."""
    return write_document(replace(endpoint, fence=0, wakes=0))


def _read_endpoint(row: ItemRow) -> Endpoint:
    return replace(read_document(Endpoint, row.doc), fence=int(row.fence or 0), wakes=int(row.uses or 0))


def _read_delivery(row: ItemRow) -> Delivery:
    return read_document(Delivery, row.doc)


def _unknown(webhook_id: WebhookId) -> UnknownIdError:
    return UnknownIdError("no such webhook; `bokit webhook list` shows them", id=webhook_id)
