"""``/webhooks``: who hears of events, and how each was delivered."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import Field

from bokit.core.model.events import EventType
from bokit.core.model.limits import MAX_EVENT_TYPES
from bokit.core.model.webhooks import Delivery, WebhookDocument, WebhookId, describe_delivery, describe_webhook
from bokit.engine.catalog.limits import MAX_URL_LENGTH
from bokit.http.bodies import Body
from bokit.http.limits import MAX_SHOWN_NAME
from bokit.http.params import Cursor, Id, Limit
from bokit.http.replies import Page, Reply, reply, reply_nothing, reply_stored
from bokit.http.routing import ADMIN, NOTHING, Routes, lists, makes, shows, updates

routes = Routes("webhooks")

WebhookUrl = Annotated[
    str, Field(min_length=1, max_length=MAX_URL_LENGTH, description="`https://…`", examples=["https://hooks.example/bokit"])
]
Types = Annotated[
    list[Annotated[str, Field(max_length=MAX_SHOWN_NAME, json_schema_extra={"enum": [str(kind) for kind in EventType]})]],
    Field(max_length=MAX_EVENT_TYPES, description="Types of events that are sent; empty: all.", examples=[["booking.created"]]),
]
Details = Annotated[bool, Field(description="true: send the record as well, with its guest.")]
EventId = Annotated[str, Path(description="The event's id.")]


class NewWebhook(Body):
    """A webhook to add."""

    url: WebhookUrl
    types: Types = []
    details: Details = False
    enabled: bool = True


class WebhookEdit(Body):
    """Changes to a webhook."""

    url: WebhookUrl = ""
    types: Types = []
    details: Details = False
    enabled: bool = Field(default=True, description="false: nothing is sent; what waits is given up.")


@routes.serve("GET", "/webhooks", ADMIN, lists("Webhook"))
def list_webhooks(limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """List the webhooks, oldest first; their secrets are never shown again."""
    call = routes.call
    found = [describe_webhook(webhook) for webhook in call.engine.webhooks.list_webhooks(call.tenant)]
    return call.reply_page(found, dict, by_age, ("webhooks",), limit, cursor)


def by_age(document: WebhookDocument) -> tuple[str, str]:
    """Return the sort key of a webhook."""
    return document["created_at"].isoformat(), document["id"]


@routes.serve("POST", "/webhooks", ADMIN, makes("Webhook", "Added. Its secret is shown only this once."))
def add_webhook(body: NewWebhook) -> Reply:
    """Add a webhook: what happens from now on is sent there.

    Each event is one POST of its document, signed as Standard Webhooks says: headers `webhook-id` (the event's id, the same
    at every attempt), `webhook-timestamp` and `webhook-signature`. Any answer but 2xx within 15 seconds is a failure.
    """
    call = routes.call
    webhook = call.engine.webhooks.add(call.tenant, body.sent())
    return reply(describe_webhook(webhook, with_secret=True), 201, location=f"/webhooks/{webhook.id}")


@routes.serve("GET", "/webhooks/{id}", ADMIN, shows("Webhook"))
def show_webhook(id: Id) -> Reply:
    """Show one webhook."""
    call = routes.call
    return reply(describe_webhook(call.engine.webhooks.load(call.tenant, WebhookId(id))))


@routes.serve("PATCH", "/webhooks/{id}", ADMIN, updates("Webhook"))
def edit_webhook(id: Id, body: WebhookEdit) -> Reply:
    """Change a webhook. Turned on again, it hears of what happens from then on."""
    call = routes.call
    return reply(describe_webhook(call.engine.webhooks.edit(call.tenant, WebhookId(id), body.sent())))


@routes.serve("DELETE", "/webhooks/{id}", ADMIN, NOTHING)
def remove_webhook(id: Id) -> Reply:
    """Remove a webhook; nothing more is sent there."""
    call = routes.call
    call.engine.webhooks.remove(call.tenant, WebhookId(id))
    return reply_nothing()


@routes.serve("POST", "/webhooks/{id}/rotate", ADMIN, updates("Webhook"))
def rotate_webhook(id: Id) -> Reply:
    """Give a webhook a new secret, shown only this once; for a day the former one signs as well."""
    call = routes.call
    return reply(describe_webhook(call.engine.webhooks.rotate(call.tenant, WebhookId(id)), with_secret=True))


@routes.serve("POST", "/webhooks/{id}/test", ADMIN, shows("WebhookTest", "What the receiver answered."))
def test_webhook(id: Id) -> Reply:
    """Send a signed event of the type `webhook.test`, at once and once."""
    call = routes.call
    answer = call.engine.webhooks.test(call.tenant, WebhookId(id))
    return reply({"delivered": answer.error is None, "status": answer.status, "error": answer.error})


@routes.serve("GET", "/webhooks/{id}/deliveries", ADMIN, lists("Delivery"))
def list_deliveries(id: Id, limit: Limit = 50, cursor: Cursor = None) -> Reply:
    """List what was sent to a webhook, the newest event first; each is kept for 30 days after its last attempt."""
    call = routes.call
    webhooks = call.engine.webhooks

    def fetch(most: int) -> Page[Delivery]:
        return webhooks.list_deliveries(call.tenant, WebhookId(id), limit=most, cursor=cursor)

    return reply_stored(fetch, describe_delivery, limit)


AGAIN = shows("Delivery", "It is sent again, with all attempts.", 202)


@routes.serve("POST", "/webhooks/{id}/deliveries/{event_id}/redeliver", ADMIN, AGAIN)
def redeliver(id: Id, event_id: EventId) -> Reply:
    """Send an event again, whatever became of it."""
    call = routes.call
    return reply(describe_delivery(call.engine.webhooks.redeliver(call.tenant, WebhookId(id), event_id)), 202)
