"""A test app with receivers of webhooks, and a queue of turns whose waits pass with the clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bokit.core.model.catalog import DEFAULT_TENANT, Tenant
from bokit.core.model.events import EventType, NewEvent, fill_outbox
from bokit.core.model.records import TenantId
from bokit.core.model.webhooks import Delivery, Webhook
from bokit.engine.live.dispatch import read_turn
from tests.support.rows_app import START, TestApp

OTHER = TenantId("other")
URL = "https://hooks.example/a"


class WebhookApp(TestApp):
    """Bokit with receivers, and its queue of turns, whose waits pass with the clock."""

    def __init__(self, store: Any = None, *, queue: bool = True) -> None:
        super().__init__(queue=queue, store=store)
        self.sleeping: list[tuple[Any, str]] = []
        self.store.save_tenant(Tenant(id=OTHER, name="Other", created_at=START))

    def add(self, url: str = URL, tenant: TenantId = DEFAULT_TENANT, **given: Any) -> Webhook:
        return self.bokit.webhooks.add(tenant, {"url": url, **given})

    def add_settled(self, **given: Any) -> Webhook:
        """Add a webhook, and let the first tick find that there is nothing to send."""
        webhook = self.add(**given)
        self.pass_time(minutes=3)
        return webhook

    def happen(self, *names: object, tenant: TenantId = DEFAULT_TENANT, kind: EventType = EventType.RECORD_CHANGED) -> None:
        """Let something happen, each in a write of its own."""
        for name in names:
            self.clock.move(microseconds=1)  # the outbox is in the order of time
            (item,) = fill_outbox(tenant, self.clock(), [NewEvent(type=kind, data={"id": str(name)})])
            self.store.put_outbox(item)

    def notify(self) -> None:
        self.bokit.events.drain().check()

    def take_queue(self) -> None:
        """Move what was sent to the queue to where it waits for its time."""
        queue = self.deliver_queue
        delays = queue.delays[len(queue.delays) - len(queue.bodies) :]
        self.sleeping += [(self.clock() + timedelta(seconds=d), b) for d, b in zip(delays, queue.bodies, strict=True)]
        queue.bodies.clear()

    def deliver(self) -> int:
        """Take every turn whose message has waited for long enough, those that are sent meanwhile too."""
        if self.deliver_queue is None:
            return 0
        taken = 0
        for _ in range(500):
            self.take_queue()
            ready = [line for line in self.sleeping if line[0] <= self.clock()]
            if not ready:
                return taken
            self.sleeping = [line for line in self.sleeping if line[0] > self.clock()]
            for _, body in ready:
                self.bokit.deliveries.take_turn(read_turn(body))
                taken += 1
        raise AssertionError("the turns do not end")

    def pass_time(self, step: float = 60, **span: float) -> None:
        """Let time pass, in steps, each with a tick and the turns that are ready."""
        ends = self.clock() + timedelta(**span)
        while self.clock() < ends:
            self.clock.move(seconds=min(step, (ends - self.clock()).total_seconds()))
            self.bokit.dispatcher.send_due()
            self.deliver()
            self.bokit.events.drain()  # the stream wakes notify, which publishes what a turn put into the outbox

    def names(self, url: str = URL) -> list[str]:
        return [document["data"]["id"] for where, _, document in self.receivers.came if where == url]

    def deliveries(self, webhook: Webhook) -> list[Delivery]:
        return list(self.store.load_deliveries(webhook.tenant, webhook.id, limit=1000).items)
