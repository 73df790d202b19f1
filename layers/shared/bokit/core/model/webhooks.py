"""Webhooks: who wants to hear of which events, and how each delivery of one goes.

A *webhook* is what an owner declares. Its *endpoint* is the state of sending there: up to which event, and how it answers.
A *delivery* is one event on its way to one webhook.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, NewType, NotRequired, TypedDict

from bokit.core.model.documents import Count
from bokit.core.model.events import Event, EventType, NewEvent
from bokit.core.model.limits import ROTATION_TTL
from bokit.core.model.records import TenantId
from bokit.values import Value, replace

WebhookId = NewType("WebhookId", str)

TEST_TYPE = "webhook.test"
"""The type of what ``POST /webhooks/{id}/test`` sends; it is in no log."""


class DisabledReason(StrEnum):
    """Why a webhook is off, where nobody turned it off."""

    GONE = "gone"  # its receiver answered 410
    FAILING = "failing"  # no success for days


class DeliveryState(StrEnum):
    """How far a delivery is."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


class Webhook(Value):
    """A URL to which a tenant's events are sent."""

    id: WebhookId
    tenant: TenantId
    url: str
    secret: str
    """``whsec_…``: it signs, and is shown once."""
    created_at: datetime
    types: tuple[EventType, ...] = ()
    """The types that are sent; empty: all."""
    details: bool = False
    """Send the record as well, with its guest."""
    enabled: bool = True
    disabled_reason: DisabledReason | None = None
    former_secret: str | None = None
    former_until: datetime | None = None
    """Until when the secret before a rotation signs, too."""
    version: int = 0

    def wants(self, event: Event) -> bool:
        """Return whether *event* is sent to it."""
        return not self.types or event.type in self.types

    def secrets_at(self, now: datetime) -> tuple[str, ...]:
        """Return the secrets that sign at *now*, the newest first."""
        is_rotating = self.former_secret and self.former_until and now < self.former_until
        return (self.secret, str(self.former_secret)) if is_rotating else (self.secret,)

    def rotated(self, secret: str, now: datetime) -> Webhook:
        """Return it with a new *secret*; the present one goes on signing for a day."""
        return replace(self, secret=secret, former_secret=self.secret, former_until=now + ROTATION_TTL)


class Endpoint(Value):
    """How sending to one webhook goes."""

    tenant: TenantId
    webhook_id: WebhookId
    position: int = 0
    """The number of the last event that has a delivery here, or wants none."""
    failures: int = 0
    """Failed attempts in a row, of all deliveries."""
    failing_since: datetime | None = None
    """The first failed attempt after the last success."""
    paused_until: datetime | None = None
    """Nothing is sent before."""
    alerted_at: datetime | None = None
    """When the owner was last notified of deliveries that were given up."""
    unreported: str | None = None
    """The code of a notice that the owner did not get yet."""
    fence: int = 0
    """Raised with each lease; set by the store."""
    wakes: int = 0
    """Raised by each wake; set by the store."""


class Delivery(Value):
    """One event on its way to one webhook."""

    tenant: TenantId
    webhook_id: WebhookId
    event: Event
    created_at: datetime
    state: DeliveryState = DeliveryState.WAITING
    attempts: int = 0
    attempted_at: datetime | None = None
    next_at: datetime | None = None
    """When the next attempt is due; None: it has ended."""
    status: int | None = None
    """The last answer's; None: there was none."""
    error: str | None = None
    """The code of what went wrong last."""


class WebhookFailure(Value):
    """That a delivery of a webhook was given up: the last one of which its owner is to hear, one for a webhook."""

    tenant: TenantId
    webhook_id: WebhookId
    at: datetime


class Answer(Value):
    """What a receiver answered to one attempt."""

    status: int | None = None
    """None: there was no answer."""
    error: str | None = None
    """The code of what went wrong; None: 2xx."""
    retry_after: float | None = None
    """Seconds that the receiver asks for."""


class WebhookDocument(TypedDict):
    """A URL to which the tenant's events are sent, signed as Standard Webhooks says."""

    id: str
    url: str
    types: Annotated[list[EventType], "Empty: all."]
    details: Annotated[bool, "The record is sent as well, with its guest."]
    enabled: bool
    disabled_reason: Annotated[DisabledReason | None, "Why Bokit turned it off; null: it did not."]
    created_at: datetime
    secret: NotRequired[Annotated[str, "`whsec_…`; shown only where it was made."]]


class DeliveryDocument(TypedDict):
    """One event on its way to a webhook."""

    event_id: Annotated[str, "The header `webhook-id` of every attempt."]
    seq: Annotated[int, ("minimum", 1), "The event's place in the log."]
    type: EventType
    state: DeliveryState
    attempts: Count
    created_at: datetime
    last_attempt_at: datetime | None
    next_attempt_at: Annotated[datetime | None, "null: it has ended."]
    status: Annotated[int | None, "Of the last answer; null: there was none."]
    error: Annotated[str | None, "What went wrong in the last attempt."]


class WebhookTestDocument(TypedDict):
    """What a receiver answered to a test."""

    delivered: bool
    status: Annotated[int | None, "null: there was no answer."]
    error: str | None


def describe_webhook(webhook: Webhook, *, with_secret: bool = False) -> WebhookDocument:
    """Return a webhook's document; its secret only *with_secret*."""
    document: WebhookDocument = {
        "id": webhook.id,
        "url": webhook.url,
        "types": list(webhook.types),
        "details": webhook.details,
        "enabled": webhook.enabled,
        "disabled_reason": webhook.disabled_reason,
        "created_at": webhook.created_at,
    }
    return {**document, "secret": webhook.secret} if with_secret else document


def describe_delivery(delivery: Delivery) -> DeliveryDocument:
    """Return a delivery's document."""
    return {
        "event_id": delivery.event.id,
        "seq": delivery.event.seq,
        "type": delivery.event.type,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "created_at": delivery.created_at,
        "last_attempt_at": delivery.attempted_at,
        "next_attempt_at": delivery.next_at,
        "status": delivery.status,
        "error": delivery.error,
    }


def event_of_disabling(webhook: Webhook) -> NewEvent:
    """Return the event that Bokit turned a webhook off."""
    return NewEvent(
        type=EventType.WEBHOOK_DISABLED, data={"webhook_id": webhook.id, "reason": str(webhook.disabled_reason or "")}
    )
