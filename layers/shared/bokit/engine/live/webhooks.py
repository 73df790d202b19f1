"""Webhooks: declared, changed, tested and rotated; their deliveries listed and sent again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bokit.core.model.events import EventType
from bokit.core.model.limits import MAX_EVENT_TYPES, WEBHOOK_SECRET_BYTES
from bokit.core.model.options import read_flag
from bokit.core.model.records import TenantId
from bokit.core.model.webhook_signature import write_secret
from bokit.core.model.webhooks import (
    TEST_TYPE,
    Answer,
    Delivery,
    DeliveryState,
    Endpoint,
    Webhook,
    WebhookId,
)
from bokit.engine.base.fields import read_fields, read_url
from bokit.engine.base.retry import retry_on_conflict
from bokit.engine.base.tenant_options import check_tenant
from bokit.engine.live.deliveries import DeliveryParts, send_document
from bokit.engine.live.dispatch import AT_ONCE, TurnMessage
from bokit.engine.live.limits import MAX_WAKE_LOST
from bokit.errors import InputError, OptionError, StateError
from bokit.store.limits import DELIVERY_TTL, MAX_WRITE_TRIES
from bokit.values import replace

if TYPE_CHECKING:
    from bokit.store.protocols import Page


class WebhookService:
    """A tenant's webhooks."""

    def __init__(self, parts: DeliveryParts, new_bytes: Callable[[int], bytes], check_url: Callable[[str], object]) -> None:
        self.parts, self.store, self.clock = parts, parts.store, parts.clock
        self.new_bytes, self.check_url = new_bytes, check_url

    def list_webhooks(self, tenant: TenantId) -> Sequence[Webhook]:
        """Return the tenant's webhooks, oldest first."""
        return self.store.load_webhooks(tenant)

    def load(self, tenant: TenantId, webhook_id: WebhookId) -> Webhook:
        """Return one webhook; raises UnknownIdError."""
        return self.store.load_webhook(tenant, webhook_id)

    def add(self, tenant: TenantId, values: Mapping[str, Any]) -> Webhook:
        """Add a webhook with a new secret; it hears of what happens from now on."""
        read = self._read(values)
        if "url" not in read:
            raise InputError("a webhook needs a URL", code="bad-field", field="url")
        check_tenant(self.store, tenant)
        now, webhook_id = self.clock(), WebhookId(self.parts.new_id("whk"))
        webhook = Webhook(id=webhook_id, tenant=tenant, secret=self._new_secret(), created_at=now, **read)
        endpoint = Endpoint(tenant=tenant, webhook_id=webhook_id, position=self.store.load_last_seq(tenant))
        return self.store.add_webhook(webhook, endpoint, due_at=now + MAX_WAKE_LOST)

    def edit(self, tenant: TenantId, webhook_id: WebhookId, values: Mapping[str, Any]) -> Webhook:
        """Change a webhook.

        turned on     it hears of what happens from now on
        turned off    what waits is given up
        a new URL     what waits goes there; the failures of the former one are forgotten
        """
        read = self._read(values)

        def write() -> tuple[Webhook, Webhook]:
            before = self.store.load_webhook(tenant, webhook_id)
            after = replace(before, **read)
            if read.get("enabled"):
                after = replace(after, disabled_reason=None)
            return before, after if after == before else self.store.save_webhook(after)

        before, after = retry_on_conflict(write, MAX_WRITE_TRIES)
        if (before.url, before.enabled) != (after.url, after.enabled):
            self._set_back(after, is_turned_on=after.enabled and not before.enabled)
        return after

    def _set_back(self, webhook: Webhook, *, is_turned_on: bool) -> None:
        stored = self.store.load_endpoint(webhook.tenant, webhook.id)
        position = self.store.load_last_seq(webhook.tenant) if is_turned_on else stored.position
        endpoint = Endpoint(tenant=webhook.tenant, webhook_id=webhook.id, position=position, unreported=stored.unreported)
        self.store.replace_endpoint(endpoint, due_at=self.clock() + MAX_WAKE_LOST)
        self._start(webhook)

    def remove(self, tenant: TenantId, webhook_id: WebhookId) -> None:
        """Delete a webhook; nothing more is sent there. Raises UnknownIdError."""
        self.store.load_webhook(tenant, webhook_id)
        self.store.delete_webhook(tenant, webhook_id)

    def rotate(self, tenant: TenantId, webhook_id: WebhookId) -> Webhook:
        """Give the webhook a new secret; both sign for a day."""

        def write() -> Webhook:
            webhook = self.store.load_webhook(tenant, webhook_id)
            return self.store.save_webhook(webhook.rotated(self._new_secret(), self.clock()))

        return retry_on_conflict(write, MAX_WRITE_TRIES)

    def test(self, tenant: TenantId, webhook_id: WebhookId) -> Answer:
        """Send an event that is in no log, at once and once, to a webhook that may be off; return the answer."""
        webhook, now = self.store.load_webhook(tenant, webhook_id), self.clock()
        event_id = self.parts.new_id("evt_test")
        data = {"webhook_id": webhook_id}
        document = {"id": event_id, "seq": 0, "type": TEST_TYPE, "at": now, "timestamp": now, "data": data}
        return send_document(self.parts, webhook, event_id, document)

    # ── deliveries ──

    def list_deliveries(
        self, tenant: TenantId, webhook_id: WebhookId, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Delivery]:
        """Return a page of a webhook's deliveries, the newest event first; raises UnknownIdError."""
        self.store.load_webhook(tenant, webhook_id)
        return self.store.load_deliveries(tenant, webhook_id, limit=limit, cursor=cursor)

    def redeliver(self, tenant: TenantId, webhook_id: WebhookId, event_id: str) -> Delivery:
        """Send an event again, whatever became of it, with all its attempts before it."""
        webhook = self.store.load_webhook(tenant, webhook_id)
        if not webhook.enabled:
            raise StateError("the webhook is off: turn it on first", code="webhook-off", id=webhook_id)

        def write() -> Delivery:
            before, now = self.store.find_delivery(tenant, webhook_id, event_id), self.clock()
            after = replace(before, state=DeliveryState.WAITING, attempts=0, next_at=now)
            self.store.save_delivery(after, before=before, expires_at=now + DELIVERY_TTL)
            return after

        delivery = retry_on_conflict(write, MAX_WRITE_TRIES)
        self.store.wake_endpoint(tenant, webhook_id, self.clock() + MAX_WAKE_LOST)
        self._start(webhook)
        return delivery

    def _start(self, webhook: Webhook) -> None:
        self.parts.start(TurnMessage(tenant=webhook.tenant, webhook_id=webhook.id), AT_ONCE)

    # ── fields ──

    def _read(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return read_fields(values, {"url": self._read_url, "types": read_types, "details": read_flag, "enabled": read_flag})

    def _read_url(self, value: Any) -> str:
        url = read_url(value)
        if url.startswith("secret:"):
            raise InputError("a webhook's URL begins with https://", code="bad-field")
        self.check_url(url)
        return url

    def _new_secret(self) -> str:
        return write_secret(self.new_bytes(WEBHOOK_SECRET_BYTES))


def read_types(value: Any) -> tuple[EventType, ...]:
    """Return the types of a list of their names, each once; empty: all. Raises OptionError."""
    names = value if isinstance(value, (list, tuple)) else [value]
    if len(names) > MAX_EVENT_TYPES:
        raise OptionError(f"at most {MAX_EVENT_TYPES} types", code="bad-field")
    try:
        return tuple(dict.fromkeys(EventType(str(name).strip()) for name in names))
    except ValueError:
        raise OptionError(f"no such type of event; known: {', '.join(EventType)}", code="bad-field") from None
