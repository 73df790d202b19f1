"""Starts the turns in which events are sent to webhooks.

numbered      │ the log is due in 60 s, in the same transaction
woken         │ each endpoint is due in 60 s, and has a message; then the log is due no more
a turn        │ the endpoint is due when its lease ends; at its end, when its next attempt is
every tick    │ starts what is due: whatever dies in between costs a minute, never an event
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial

from bokit.core.model.records import Json, TenantId
from bokit.core.model.webhooks import WebhookId
from bokit.engine.base.clock import Clock
from bokit.engine.live.events import LogReaders
from bokit.engine.live.limits import MAX_DUE_DELIVERIES, MAX_WAKE_LOST
from bokit.errors import InputError, LaterError
from bokit.outlets.protocols import Queue
from bokit.store.protocols import Store
from bokit.values import Value

log = logging.getLogger("bokit.deliveries")

AT_ONCE = timedelta()


class TurnMessage(Value):
    """The next turn of an endpoint."""

    tenant: TenantId
    webhook_id: WebhookId
    hops: int = 0
    """Turns before it, each of which sent the next one's message."""

    def to_json(self) -> str:
        """Return the text that the queue carries."""
        return json.dumps({"tenant": self.tenant, "webhook": self.webhook_id, "hops": self.hops})


def read_turn(body: str) -> TurnMessage:
    """Return the message that :meth:`TurnMessage.to_json` wrote; raises InputError."""
    try:
        message = json.loads(body)
        tenant, webhook_id = TenantId(str(message["tenant"])), WebhookId(str(message["webhook"]))
        return TurnMessage(tenant=tenant, webhook_id=webhook_id, hops=int(message.get("hops", 0)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("not the message of a turn", code="bad-message") from error


class DispatchReport(Value):
    """How many turns were started, and the first error."""

    count: int = 0
    error: Exception | None = None

    def as_dict(self) -> dict[str, Json]:
        """Return the facts for the log."""
        return {"turns": self.count, "failed": self.error is not None}


class Dispatcher:
    """Starts turns: by a message each, or in this process without a queue."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        queue: Queue | None,
        run: Callable[[TurnMessage], object],
        alerts: LogReaders | None = None,
    ) -> None:
        self.store, self.clock, self.queue, self.run, self.alerts = store, clock, queue, run, alerts

    def is_read(self, tenant: TenantId) -> bool:
        """Return whether anybody wants to hear of the tenant's events."""
        is_sent = any(webhook.enabled for webhook in self.store.load_webhooks(tenant))
        return is_sent or (self.alerts is not None and self.alerts.is_read(tenant))

    def wake(self, tenant: TenantId) -> int:
        """Start a turn of each of the tenant's webhooks and alert channels, since there are events; return how many webhooks."""
        seq = self.store.load_last_seq(tenant)
        ids = [webhook.id for webhook in self.store.load_webhooks(tenant) if webhook.enabled]
        for webhook_id in ids:
            self.store.wake_endpoint(tenant, webhook_id, self.clock() + MAX_WAKE_LOST)
        if self.alerts is not None:
            self.alerts.wake(tenant)
        self.store.clear_unread(tenant, seq)
        for webhook_id in ids:
            self.start(TurnMessage(tenant=tenant, webhook_id=webhook_id))
        return len(ids)

    def start(self, message: TurnMessage, delay: timedelta = AT_ONCE) -> None:
        """Start a turn of an endpoint that is due on the index; without a queue at once, and a later one not at all.

        Where the queue refuses the message, the tick finds the endpoint.
        """
        if self.queue is None:
            if delay <= AT_ONCE:
                self.run(message)
            return
        try:
            self.queue.send([message.to_json()], delay_seconds=math.ceil(delay.total_seconds()))
        except LaterError as error:
            log.warning("the queue refused the message of a turn; the tick starts it", exc_info=error)

    def send_due(self) -> DispatchReport:
        """Start what is due; an error of one does not stop the others."""
        due = self.store.load_due_deliveries(self.clock(), limit=MAX_DUE_DELIVERIES)
        turns = [partial(self.wake, tenant) for tenant in due.logs]
        return _do_all([*turns, *(partial(self._start_due, *endpoint) for endpoint in due.endpoints)])

    def _start_due(self, tenant: TenantId, webhook_id: WebhookId) -> int:
        """Start a turn that is due; it is due again in a minute, should the message be lost."""
        self.store.wake_endpoint(tenant, webhook_id, self.clock() + MAX_WAKE_LOST)
        self.start(TurnMessage(tenant=tenant, webhook_id=webhook_id))
        return 1


def _do_all(calls: Iterable[Callable[[], int]]) -> DispatchReport:
    count, first = 0, None
    for call in calls:
        try:
            count += call()
        except Exception as error:
            log.exception("a webhook's turn was not started")
            first = first or error
    return DispatchReport(count=count, error=first)
