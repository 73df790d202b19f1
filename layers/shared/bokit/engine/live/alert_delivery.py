"""Delivery of alerts: each channel reads its tenant's event log from where it stopped, and sends what needs a person.

    event log   │ … 41  42  43 │
    channel     │ seq 41 ── claim ── read 42, 43: messages and seq 43 in one write ── send ── one write for each accepted ── end
                │              ▲ a crash: the claim ends, the next turn goes on    ▲ a crash: sent once more, with the same id
    another     │ seq 40, its service does not answer: it alone waits

A message leaves the channel's state only after it was accepted, or given up, which the status says. Whatever should have woken
a channel was lost: it looks by itself every MAX_ALERT_UNREAD.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from bokit.core.model.alerts import AlertChannelId
from bokit.core.model.records import Fields, TenantId
from bokit.engine.base.clock import Clock
from bokit.engine.base.tenant_options import load_options
from bokit.engine.live.limits import MAX_ALERT_THREADS, MAX_DUE_ALERTS
from bokit.errors import StoreConflictError, UnknownIdError
from bokit.outlets.protocols import AlertSender, Queue
from bokit.store.protocols import Store
from bokit.values import Value

if TYPE_CHECKING:
    from bokit.engine.live.day_summary import SummaryParts

log = logging.getLogger("bokit.alerts")
ALERT = "alert"
"""The kind of the queue's messages that name a channel."""
ChannelPlace = tuple[TenantId, AlertChannelId]


class AlertsReport(Value):
    """What was done for the channels that were due."""

    count: int = 0
    error: Exception | None = None
    """Why a channel could not be served at all; the others were."""


class AlertDelivery:
    """Serves alert channels."""

    def __init__(
        self,
        store: Store,
        open_sender: Callable[[], AlertSender],
        clock: Clock,
        defaults: Fields,
        open_digest: Callable[[], SummaryParts],
        send: Callable[[Sequence[ChannelPlace]], None] | None = None,
    ) -> None:
        self.store, self.open_sender, self.clock = store, open_sender, clock
        self.defaults, self.open_digest = defaults, open_digest
        self._send = send
        """Hands channels to the queue; None: they are served in this process."""

    def is_read(self, tenant: TenantId) -> bool:
        """Return whether a channel reads the tenant's log."""
        return any(channel.enabled for channel in self.store.load_alert_channels(tenant))

    def wake(self, tenant: TenantId) -> int:
        """Have the channels of *tenant*, whose log grew, read it; return how many.

        Each is due first: what goes wrong afterwards is only logged, since the tick finds it.
        """
        now, channels = self.clock(), [c for c in self.store.load_alert_channels(tenant) if c.enabled]
        for channel in channels:
            self.store.wake_alert(tenant, channel.id, now)
        try:
            self._hand_over([(tenant, channel.id) for channel in channels])
        except Exception:
            log.exception("alert channels were not woken", extra={"facts": {"tenant": tenant}})
        return len(channels)

    def run_due(self) -> AlertsReport:
        """Serve what is due, or hand it to the queue."""
        return self._hand_over(self.store.load_due_alerts(self.clock(), MAX_DUE_ALERTS))

    def _hand_over(self, places: Sequence[ChannelPlace]) -> AlertsReport:
        if not places:
            return AlertsReport()
        if self._send is not None:
            self._send(places)
            return AlertsReport(count=len(places))
        with ThreadPoolExecutor(min(MAX_ALERT_THREADS, len(places)), thread_name_prefix="alert") as pool:
            errors = list(pool.map(self._try_serve, places))
        return AlertsReport(count=len(places), error=next((e for e in errors if e), None))

    def _try_serve(self, place: ChannelPlace) -> Exception | None:
        try:
            self.serve(*place)
        except Exception as error:
            log.exception("an alert channel could not be served", extra={"facts": {"channel": place[1]}})
            return error
        return None

    def serve(self, tenant: TenantId, channel_id: AlertChannelId) -> None:
        """Read what happened, and send what is to be sent; nothing where another serves the channel, or it was removed."""
        from bokit.engine.live.alert_turn import AlertTurn

        try:
            channel = self.store.load_alert_channel(tenant, channel_id)
            state = self.store.load_alert_state(tenant, channel_id)
            options = load_options(self.store, tenant, self.defaults)
            turn = AlertTurn(self.store, self.clock, self.open_sender(), self.open_digest(), channel, options)
            while turn.take(state):
                state = self.store.load_alert_state(tenant, channel_id)
        except (UnknownIdError, StoreConflictError):
            return  # removed, or taken by another


def send_to_queue(queue: Queue) -> Callable[[Sequence[ChannelPlace]], None]:
    """Return a sender that puts channels into *queue*."""
    return lambda places: queue.send([write_place(place) for place in places])


def write_place(place: ChannelPlace) -> str:
    """Return the message that has a channel served."""
    return json.dumps({"kind": ALERT, "tenant": place[0], "channel": place[1]})


def read_place(body: str) -> ChannelPlace | None:
    """Return the channel that a message names; None: it is about something else."""
    document = json.loads(body)
    if document.get("kind") != ALERT:
        return None
    return TenantId(document["tenant"]), AlertChannelId(document["channel"])
