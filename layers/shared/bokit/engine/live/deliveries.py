"""Turns: the sender that has an endpoint's lease sends it what is due, one after the other.

    deliveries that wait, and are due     first
    events after the endpoint's position  then; each becomes a delivery with its first attempt

An event is never left behind: the position is stored after the deliveries of the events before it, and an event that has a
delivery gets no second one. A crash between an attempt and its delivery repeats the attempt, with the same ``webhook-id``.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bokit.core.model.documents import write_json
from bokit.core.model.events import Event, describe_event, fill_outbox, notice_items
from bokit.core.model.notices import Notice
from bokit.core.model.records import TenantId
from bokit.core.model.webhook_retries import (
    OFF,
    disabled_reason,
    give_up,
    is_paused,
    next_delivery,
    next_endpoint,
    wants_alert,
)
from bokit.core.model.webhook_signature import sign
from bokit.core.model.webhooks import (
    Answer,
    Delivery,
    DeliveryState,
    DisabledReason,
    Endpoint,
    Webhook,
    WebhookFailure,
    event_of_disabling,
)
from bokit.engine.base.clock import Clock, Ids, new_id
from bokit.engine.live.dispatch import AT_ONCE, TurnMessage
from bokit.engine.live.gaps import find_gap_end
from bokit.engine.live.limits import (
    MAX_QUEUE_WAIT,
    MAX_TURN_HOPS,
    MAX_TURN_PAGE,
    MAX_TURN_SECONDS,
    MAX_WAKE_LOST,
    MIN_TURN_SECONDS_LEFT,
    TURN_LEASE,
)
from bokit.errors import StaleFenceError, StoreConflictError, StoreUnreachableError, UnknownIdError
from bokit.outlets.protocols import WebhookSender
from bokit.store.limits import DELIVERY_TTL, EVENT_TTL
from bokit.store.protocols import Store
from bokit.values import Value, replace

log = logging.getLogger("bokit.deliveries")

FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
LoadDetails = Callable[[TenantId, Event], "Mapping[str, Any] | None"]
"""Returns the record of an event, as the API shows it; None: it has none."""
Start = Callable[[TurnMessage, timedelta], object]
Pending = tuple[Delivery, "Delivery | None"]
"""A delivery to attempt, and as it is stored (None: not yet)."""


class DeliveryParts(Value):
    """What deliveries need."""

    store: Store
    clock: Clock
    open_sender: Callable[[], WebhookSender]
    """Returns the one sender."""
    start: Start
    has_queue: bool
    """Whether a turn can be started later; else the tick starts it."""
    load_details: LoadDetails
    wake_alerts: Callable[[TenantId], object]
    """Starts the tenant's alert channels."""
    new_id: Ids = new_id
    chance: Callable[[], float] = random.random


class TurnReport(Value):
    """What one turn did."""

    delivered: int = 0
    failed: int = 0
    """Attempts that failed, and deliveries given up."""
    held_elsewhere: bool = False
    """Another sender has the endpoint, or it does not exist: nothing was done."""

    def as_dict(self) -> dict[str, Any]:
        """Return the facts for the log."""
        return {"delivered": self.delivered, "failed": self.failed, "held_elsewhere": self.held_elsewhere}


class DeliveryService:
    """Sends events to webhooks."""

    def __init__(self, parts: DeliveryParts) -> None:
        self.parts = parts

    def take_turn(self, message: TurnMessage, seconds_left: Callable[[], float] | None = None) -> TurnReport:
        """Send one endpoint what is due there; nothing where another does."""
        parts, now = self.parts, self.parts.clock()
        holder = parts.new_id("turn")
        until = now + TURN_LEASE
        endpoint = parts.store.acquire_endpoint(message.tenant, message.webhook_id, holder=holder, now=now, until=until)
        if endpoint is None:
            return TurnReport(held_elsewhere=True)
        try:
            webhook = parts.store.load_webhook(message.tenant, message.webhook_id)
            turn = Turn(parts, webhook, endpoint, ends=now + timedelta(seconds=MAX_TURN_SECONDS), seconds_left=seconds_left)
            turn.run(message.hops)
            if turn.has_given_up:
                parts.wake_alerts(message.tenant)
        except (UnknownIdError, StaleFenceError):  # deleted, or set back by its owner, who starts a turn of its own
            return TurnReport(held_elsewhere=True)
        return turn.report


class Turn:
    """One turn, under the endpoint's lease."""

    def __init__(
        self,
        parts: DeliveryParts,
        webhook: Webhook,
        endpoint: Endpoint,
        *,
        ends: datetime,
        seconds_left: Callable[[], float] | None,
    ) -> None:
        self.parts, self.store, self.clock = parts, parts.store, parts.clock
        self.webhook, self.endpoint, self.ends, self.seconds_left = webhook, endpoint, ends, seconds_left
        self.lease_ends = parts.clock() + TURN_LEASE
        self.report = TurnReport()
        self.has_given_up = False
        """Whether alert channels have a delivery to hear of that was given up."""

    def run(self, hops: int) -> None:
        """Send what is due, release the lease, and start the next turn where its time is near."""
        while True:
            self._send_all()
            self._publish_notice()
            due = self._find_due()
            is_near = due is not None and self._can_follow(due, hops)
            due_at = due + MAX_WAKE_LOST if due and is_near else due
            if self.store.save_endpoint(self.endpoint, due_at=due_at, release=True):
                break
            woken = self.store.load_endpoint(self.webhook.tenant, self.webhook.id)
            self.endpoint = replace(self.endpoint, wakes=woken.wakes)
        if due and is_near:
            wait = max(AT_ONCE, due - self.clock())
            message = TurnMessage(tenant=self.webhook.tenant, webhook_id=self.webhook.id, hops=hops + 1)
            self.parts.start(message, wait)

    def _can_follow(self, due: datetime, hops: int) -> bool:
        """Return whether this turn starts the next one; else the tick does."""
        return self.parts.has_queue and hops < MAX_TURN_HOPS and due - self.clock() <= MAX_QUEUE_WAIT

    # ── what is due ──

    def _send_all(self) -> None:
        while not self._is_over() and (batch := self._next_batch()):
            for delivery, stored in batch:
                if self._is_over():
                    return
                self._send(delivery, stored)

    def _is_over(self) -> bool:
        """Return whether to attempt nothing more in this turn: no time, or the endpoint pauses."""
        now = self.clock()
        is_late = now >= self.ends or (self.seconds_left is not None and self.seconds_left() < MIN_TURN_SECONDS_LEFT)
        return is_late or (self.webhook.enabled and is_paused(self.endpoint, now))

    def _next_batch(self) -> Sequence[Pending]:
        """Return deliveries to attempt now: those whose time has come, else those of new events."""
        until = self.clock() if self.webhook.enabled else FOREVER
        waiting = self.store.load_waiting(self.webhook.tenant, self.webhook.id, until, limit=MAX_TURN_PAGE)
        return [(delivery, delivery) for delivery in waiting] or self._read_log()

    def _read_log(self) -> Sequence[Pending]:
        """Return new deliveries of events after the position, and move it over those of which there is none to make."""
        tenant, last = self.webhook.tenant, self.store.load_last_seq(self.webhook.tenant)
        is_off = not self.webhook.enabled and self.webhook.disabled_reason is None
        if is_off or self.endpoint.position > last:  # its owner turned it off; or the table was restored
            self._move_to(last)
        while self.endpoint.position < last:
            until = min(last, self.endpoint.position + MAX_TURN_PAGE)
            events = self.store.load_events(tenant, after=self.endpoint.position, until=until)
            wanted = [event for event in events if self.webhook.wants(event)]
            known = self.store.find_deliveries(tenant, self.webhook.id, [event.seq for event in wanted]) if wanted else {}
            if fresh := [self._new_delivery(event) for event in wanted if event.seq not in known]:
                return [(delivery, None) for delivery in fresh]
            self._move_to(until if events else find_gap_end(self.store, tenant, until, last))
        return []

    def _new_delivery(self, event: Event) -> Delivery:
        return Delivery(tenant=self.webhook.tenant, webhook_id=self.webhook.id, event=event, created_at=self.clock())

    def _move_to(self, seq: int) -> None:
        self.endpoint = replace(self.endpoint, position=seq)

    def _find_due(self) -> datetime | None:
        """Return when the endpoint's next turn is due; None: when there are events."""
        tenant, now = self.webhook.tenant, self.clock()
        first = self.store.load_waiting(tenant, self.webhook.id, FOREVER, limit=1)
        times = [delivery.next_at if self.webhook.enabled else now for delivery in first if delivery.next_at]
        if self.endpoint.position < self.store.load_last_seq(tenant):
            times.append(now)
        paused = self.endpoint.paused_until if self.webhook.enabled else None
        due = [max(at, paused) if paused else at for at in times]
        return min(due, default=None)

    # ── one attempt ──

    def _send(self, delivery: Delivery, stored: Delivery | None) -> None:
        """Attempt a delivery, and store how it went; of a webhook that is off, give it up."""
        if self.webhook.enabled:
            answer = send_event(self.parts, self.webhook, delivery.event)
            now = self.clock()
            delivery = next_delivery(delivery, answer, now, self.parts.chance())
            self.endpoint = next_endpoint(self.endpoint, answer, now)
            reason = disabled_reason(self.endpoint, answer, now)
            self._note_failure(delivery, reason, now)
            if reason:
                self._disable(reason)
        else:
            delivery = give_up(delivery)
        self._save(delivery, stored)

    def _save(self, delivery: Delivery, stored: Delivery | None) -> None:
        try:
            self.store.save_delivery(delivery, before=stored, expires_at=self.clock() + DELIVERY_TTL)
        except StaleFenceError:
            raise
        except StoreConflictError:  # its owner sends it again, or another sender was as late as this one: that stands
            log.warning("a delivery was changed by another", extra={"facts": {"event": delivery.event.id}})
        if stored is None:
            self._move_to(delivery.event.seq)
        is_done = delivery.state is DeliveryState.DELIVERED
        report = self.report
        self.report = replace(report, delivered=report.delivered + is_done, failed=report.failed + (not is_done))

    def _note_failure(self, delivery: Delivery, reason: DisabledReason | None, now: datetime) -> None:
        """Store that the owner is to be notified, before that of which: after a crash in between the owner is notified, too."""
        is_lost = delivery.state is DeliveryState.FAILED and wants_alert(self.endpoint, now)
        if self.endpoint.unreported or not (reason or is_lost):
            return
        code = f"{OFF}/{reason}" if reason else f"failed/{delivery.event.id}"
        self.endpoint = replace(self.endpoint, unreported=code)
        self.store.save_endpoint(self.endpoint, due_at=self.lease_ends, release=False)

    def _disable(self, reason: DisabledReason) -> None:
        off = replace(self.webhook, enabled=False, disabled_reason=reason)
        outbox = fill_outbox(off.tenant, self.clock(), [event_of_disabling(off)])
        try:
            self.webhook = self.store.save_webhook(off, outbox=outbox)
        except StoreConflictError:  # its owner changed it meanwhile: the next failure decides again
            self.webhook = self.store.load_webhook(off.tenant, off.id)

    # ── the owner ──

    def _publish_notice(self) -> None:
        """Put the notice of what was noted where it waits: for the topic into the outbox, for alert channels beside them."""
        if (code := self.endpoint.unreported) is None:
            return
        now = self.clock()
        if code.startswith(OFF) and self.webhook.enabled:  # it was noted, and not turned off: a crash in between
            self.endpoint = replace(self.endpoint, unreported=None)
            return
        if not code.startswith(OFF):  # of a webhook that is off the channels read in the log
            failure = WebhookFailure(tenant=self.webhook.tenant, webhook_id=self.webhook.id, at=now)
            self.store.save_webhook_failure(failure, expires_at=now + EVENT_TTL)
            self.has_given_up = True
        for item in notice_items([notice_of(self.webhook, code, now)]):
            self.parts.store.put_outbox(item)
        self.endpoint = replace(self.endpoint, unreported=None, alerted_at=now)


def notice_of(webhook: Webhook, code: str, at: datetime) -> Notice:
    """Return the notice that a webhook was turned off, or that deliveries are given up."""
    kind, _, cause = code.partition("/")
    texts = {
        "disabled": "Webhook {id} was turned off: its receiver {why}. Turn it on again when the receiver works.",
        "failed": "Webhook {id}: an event was given up after the last attempt; `bokit webhook deliveries {id}` lists such.",
    }
    why = "answered 410 Gone" if cause == DisabledReason.GONE else "accepted nothing for five days"
    return Notice(
        id=f"{webhook.id}/{code}/{webhook.version}",
        type=f"webhook.{kind}",
        tenant=webhook.tenant,
        at=at,
        text=texts[kind].format(id=webhook.id, why=why),
        facts={"webhook_id": webhook.id, "cause": cause},
    )


def send_event(parts: DeliveryParts, webhook: Webhook, event: Event) -> Answer:
    """Send an event, signed at this moment, and return the answer."""
    document: dict[str, Any] = dict(describe_event(event))
    if webhook.details and (record := _find_details(parts, event, webhook.tenant)) is not None:
        document["data"] = {**document["data"], "record": record}
    return send_document(parts, webhook, event.id, document)


def send_document(parts: DeliveryParts, webhook: Webhook, message_id: str, document: Mapping[str, Any]) -> Answer:
    """Send a document, signed at this moment, and return the answer."""
    now, body = parts.clock(), write_json(document).encode()
    headers = {"Content-Type": "application/json", **sign(webhook.secrets_at(now), message_id, now, body)}
    return parts.open_sender().post(webhook.url, headers, body)


def _find_details(parts: DeliveryParts, event: Event, tenant: TenantId) -> Mapping[str, Any] | None:
    """Return the event's record; None where it has none, is gone, or cannot be read: the event is sent without it."""
    try:
        return parts.load_details(tenant, event)
    except StoreUnreachableError:
        raise
    except UnknownIdError:
        return None
    except Exception:
        log.exception("an event's record was not read", extra={"facts": {"event": event.id}})
        return None
