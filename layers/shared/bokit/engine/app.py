"""Bokit, assembled: what handlers and the command line call. ``wiring`` hands in concrete stores and clients.

Every service is imported and made at its first use, which keeps cold starts short.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bokit.core.model.records import CollectionName, RecordId
from bokit.core.model.runs import Trigger
from bokit.engine.base.clock import Clock, Ids, new_bytes, new_id, new_run_id, new_secret
from bokit.engine.base.tenant_options import has_tenant
from bokit.engine.catalog.parts import CatalogParts, do_nothing
from bokit.engine.runs.limits import MAX_CLAIM_SECONDS
from bokit.engine.runs.messages import SQL_ROUTE, BatchMessage, Forwarded, RunMessage, next_hop
from bokit.errors import ConfigError, StoreUnreachableError
from bokit.values import Value, replace

if TYPE_CHECKING:
    from bokit.core.model.catalog import UnitId
    from bokit.core.model.events import Event
    from bokit.core.model.records import Fields, TenantId
    from bokit.core.model.runs import Run
    from bokit.engine.bookings.outgoing import CalendarService
    from bokit.engine.bookings.service import BookingService
    from bokit.engine.bookings.serving import CalendarServer
    from bokit.engine.catalog.access import TokenService
    from bokit.engine.catalog.places import Catalog
    from bokit.engine.live.alert_delivery import AlertDelivery
    from bokit.engine.live.alerts import AlertService
    from bokit.engine.live.connections import ConnectionService
    from bokit.engine.live.day_summary import SummaryParts
    from bokit.engine.live.deliveries import DeliveryParts, DeliveryService
    from bokit.engine.live.dispatch import Dispatcher
    from bokit.engine.live.events import EventLog
    from bokit.engine.live.messages import MessageService
    from bokit.engine.live.tickets import TicketService
    from bokit.engine.live.webhooks import WebhookService
    from bokit.engine.records.service import RecordService
    from bokit.engine.runs.batch import BatchReport, BatchRunner, Progress
    from bokit.engine.runs.deadline import Deadline
    from bokit.engine.runs.manual import ManualSync, SyncRequest
    from bokit.engine.runs.monitors import MonitorService
    from bokit.engine.runs.queued_runs import QueuedRuns, WorkReport
    from bokit.engine.runs.status import StatusService
    from bokit.engine.runs.tick import BatchClaimer, Tick, TickReport
    from bokit.engine.runs.traffic import TrafficTrigger
    from bokit.engine.sync.kinds import SourceKind
    from bokit.engine.sync.sync import SourceSync
    from bokit.outlets.protocols import Alerts, AlertSender, Connections, Queue, WebhookSender
    from bokit.store.protocols import Store


def no_sender() -> WebhookSender:
    """Raise ConfigError: this process sends to no webhook."""
    raise ConfigError("this process sends to no webhook")


class EngineParts(Value):
    """What Bokit is assembled from."""

    store: Store
    kinds: Mapping[str, SourceKind]
    clock: Clock
    alerts: Alerts | None = None
    """Publishes notices; None: they are left in the outbox, to another process."""
    queue: Queue | None = None
    """None: due batches run in this process."""
    sql_queue: Queue | None = None
    """Where messages about databases are forwarded to; None: this process reads them itself."""
    deliver_queue: Queue | None = None
    """Where the turns of webhooks and alert channels are started; None: they run in this process."""
    open_sender: Callable[[], WebhookSender] = no_sender
    """Returns what sends events to webhooks."""
    open_alert_sender: Callable[[], AlertSender] | None = None
    """Returns what sends alerts; None: this process sends none."""
    defaults: Fields | None = None
    """The stack's defaults of options."""
    concurrency: int = 8
    patience: float = MAX_CLAIM_SECONDS
    """Seconds after which a batch gives its claim back, and then writes what has ended."""
    new_run_id: Callable[[datetime], str] = new_run_id
    new_id: Ids = new_id
    new_secret: Callable[[], str] = new_secret
    new_bytes: Callable[[int], bytes] = new_bytes
    chance: Callable[[], float] = random.random
    """Spreads the waits of deliveries."""
    api_url: str | None = None
    """Where the stack's API answers."""
    keep_seconds: int = 0
    """How long a process may serve an outgoing calendar that is polled very often without reading it again."""
    calendar_key: Callable[[], str] | None = None
    """Returns the secret from which the paths of outgoing calendars derive."""
    live_url: str | None = None
    """Where clients open the stack's WebSocket; None: it has none."""
    open_sockets: Callable[[], Connections] | None = None
    """Returns what posts to open WebSockets; None: this process posts to none."""
    check_url: Callable[[str], object] = do_nothing
    """Raises AddressRefusedError for a URL that this stack does not fetch."""
    stage: str = "local"
    """The stack's name for people; nothing depends on it."""


class Bokit:
    """The engine and its services."""

    def __init__(self, parts: EngineParts) -> None:
        self.store, self.clock, self.kinds, self.stage = parts.store, parts.clock, parts.kinds, parts.stage
        self.defaults, self.api_url, self._parts = dict(parts.defaults or {}), parts.api_url, parts

    @cached_property
    def source_sync(self) -> SourceSync:
        """One source's sync."""
        from bokit.engine.sync.sync import SourceSync

        return SourceSync(self.store, self.kinds, self.clock, self.defaults)

    @cached_property
    def batch(self) -> BatchRunner:
        """Batches of sources."""
        from bokit.engine.runs.batch import BatchRunner

        return BatchRunner(self.store, self.source_sync, self.clock, self._parts.concurrency, self._parts.patience)

    @cached_property
    def _batch_claimer(self) -> BatchClaimer:
        from bokit.engine.runs.tick import BatchClaimer

        return BatchClaimer(self.store, self.clock, self._parts.new_run_id, self.defaults)

    @cached_property
    def _tick(self) -> Tick:
        from bokit.engine.bookings.unread import UnreadService
        from bokit.engine.live.events import AT_ONCE
        from bokit.engine.live.limits import MAX_LEFT_BEHIND
        from bokit.engine.live.stale import StaleService
        from bokit.engine.runs.tick import Tick

        stale = StaleService(self.store, self.clock, self.defaults)
        return Tick(
            self.store,
            self._batch_claimer,
            self.clock,
            self._sender(self._parts.queue),
            run_due_monitors=lambda monitors: self.monitors.run_due_monitors(monitors),
            close_overdue=lambda runs: self.queued_runs.close_overdue(runs),
            find_stale=stale.find,
            report_stale=stale.report,
            report_unread=lambda: UnreadService(self.store, self.clock).report(),
            drain_outbox=lambda: self.events.drain_left_behind(AT_ONCE if self._parts.queue is None else MAX_LEFT_BEHIND),
            send_due=lambda: self.dispatcher.send_due(),
            deliver_alerts=lambda: self.alert_delivery.run_due(),
            close_due=lambda: self.connections.close_due(),
            apply_retention=lambda: self.bookings.retention.run_due(),
        )

    @cached_property
    def manual(self) -> ManualSync:
        """Syncs that a person starts."""
        from bokit.engine.runs.manual import ManualSync

        return ManualSync(self.store, lambda: self.batch, self._batch_claimer, self.clock, self._parts.new_run_id, self.defaults)

    # ── services ──

    @cached_property
    def records(self) -> RecordService:
        """Records as people read and edit them."""
        from bokit.engine.records.service import RecordService

        parts = self._parts
        return RecordService(self.store, self.source_sync, self.clock, parts.new_run_id, self.defaults, parts.new_id)

    @cached_property
    def status(self) -> StatusService:
        """Freshness, totals and history."""
        from bokit.engine.runs.status import StatusService

        has_topic = bool(self._parts.alerts and self._parts.alerts.delivers)
        return StatusService(self.store, self.clock, self.defaults, has_topic=has_topic)

    @cached_property
    def bookings(self) -> BookingService:
        """Bookings of linked units, their conflicts, and bookings entered by hand."""
        from bokit.engine.bookings.service import BookingService

        return BookingService(self.store, self.records, self.clock, self.defaults, self._parts.calendar_key)

    @cached_property
    def calendars(self) -> CalendarService:
        """Outgoing calendars."""
        from bokit.engine.bookings.outgoing import CalendarParts, CalendarService, no_key

        key = self._parts.calendar_key or no_key
        return CalendarService(
            CalendarParts(store=self.store, clock=self.clock, defaults=self.defaults, api_url=self.api_url, key=key)
        )

    @cached_property
    def feeds(self) -> CalendarServer:
        """Outgoing calendars, as platforms read them."""
        from bokit.engine.bookings.serving import CalendarServer

        keep = timedelta(seconds=self._parts.keep_seconds)
        return CalendarServer(self.store, self.clock, lambda page: self.calendars.refresh(page), keep)

    @cached_property
    def catalog(self) -> Catalog:
        """What owners declare; a sync needs none of it."""
        from bokit.engine.catalog.places import Catalog

        parts = self._parts
        return Catalog(
            CatalogParts(
                store=parts.store,
                clock=parts.clock,
                new_id=parts.new_id,
                kinds=parts.kinds,
                defaults=self.defaults,
                check_url=parts.check_url,
                reconcile=lambda collection, request: self.source_sync.reconcile(collection, request),
                publish=lambda tenant: self.calendars.publish_all(tenant),
                follow_doors=lambda tenant: self.bookings.door_codes.follow_all(tenant),
                unpublish=lambda tenant, unit_id: self.calendars.remove_all(tenant, unit_id),
                forget_doors=lambda tenant, unit_id: self.bookings.door_codes.forget(tenant, unit_id),
                moves=lambda: self.bookings.moves,
                find_holding=lambda tenant, unit_id: self.bookings.find_holding(tenant, unit_id),
            )
        )

    @cached_property
    def access(self) -> TokenService:
        """Tokens, and whom a request acts for."""
        from bokit.engine.catalog.access import TokenService

        parts = self._parts
        close = self.connections.close_revoked if parts.open_sockets else None
        return TokenService(parts.store, parts.clock, parts.new_id, parts.new_secret, close)

    @cached_property
    def queued_runs(self) -> QueuedRuns:
        """Runs that go through the queue."""
        from bokit.engine.runs.queued_runs import QueuedRuns

        parts = self._parts
        return QueuedRuns(parts.store, self.manual, parts.clock, parts.new_run_id, self.defaults, parts.queue)

    @cached_property
    def events(self) -> EventLog:
        """What happened, in order."""
        from bokit.engine.live.events import EventLog
        from bokit.engine.live.notices import NoticePublisher

        publisher = NoticePublisher(self.store, self.clock, self._parts.alerts)
        post = self.connections.post_events if self._parts.open_sockets else None
        return EventLog(self.store, self.clock, self.dispatcher, publisher, post)

    @cached_property
    def tickets(self) -> TicketService:
        """What opens a WebSocket."""
        from bokit.engine.live.tickets import TicketService

        return TicketService(self.store, self.clock, self._parts.new_secret, self._parts.live_url)

    @cached_property
    def connections(self) -> ConnectionService:
        """Open WebSockets."""
        from bokit.engine.live.connections import ConnectionService

        sockets = self._parts.open_sockets() if self._parts.open_sockets else None
        return ConnectionService(self.store, self.clock, self.tickets, sockets)

    @cached_property
    def messages(self) -> MessageService:
        """What clients say over their WebSockets."""
        from bokit.engine.live.messages import MessageService

        return MessageService(self.events, self.connections)

    @cached_property
    def dispatcher(self) -> Dispatcher:
        """What starts the turns of webhooks and alert channels."""
        from bokit.engine.live.dispatch import Dispatcher

        queue = self._parts.deliver_queue
        return Dispatcher(
            self.store, self.clock, queue, lambda message: self.deliveries.take_turn(message), alerts=self.alert_delivery
        )

    @cached_property
    def _delivery_parts(self) -> DeliveryParts:
        from bokit.engine.live.deliveries import DeliveryParts

        parts = self._parts
        return DeliveryParts(
            store=parts.store,
            clock=parts.clock,
            open_sender=parts.open_sender,
            start=lambda message, delay: self.dispatcher.start(message, delay),
            has_queue=parts.deliver_queue is not None,
            load_details=self._load_details,
            wake_alerts=lambda tenant: self.alert_delivery.wake(tenant),
            new_id=parts.new_id,
            chance=parts.chance,
        )

    @cached_property
    def deliveries(self) -> DeliveryService:
        """What sends events to webhooks."""
        from bokit.engine.live.deliveries import DeliveryService

        return DeliveryService(self._delivery_parts)

    @cached_property
    def webhooks(self) -> WebhookService:
        """Who hears of events."""
        from bokit.engine.live.webhooks import WebhookService

        return WebhookService(self._delivery_parts, self._parts.new_bytes, self._parts.check_url)

    def _load_details(self, tenant: TenantId, event: Event) -> Mapping[str, Any] | None:
        """Return the record of an event as the API shows it; None: the event is of no record."""
        record_id, kind = RecordId(str(event.data.get("id", ""))), str(event.type)
        if kind.startswith("booking."):
            return self.bookings.show(tenant, record_id)
        if kind.startswith("conflict."):
            return self.bookings.show_conflict(tenant, record_id)
        if kind == "record.changed":
            return self.records.show(tenant, CollectionName(str(event.data["collection"])), record_id)
        return None

    @cached_property
    def alerts(self) -> AlertService:
        """Alert channels."""
        from bokit.engine.live.alerts import AlertService

        return AlertService(self.store, self._alert_sender, self.clock, self._parts.new_id, self.defaults)

    @cached_property
    def alert_delivery(self) -> AlertDelivery:
        """What alert channels read and send."""
        from bokit.engine.live.alert_delivery import AlertDelivery, send_to_queue

        send = send_to_queue(queue) if (queue := self._parts.deliver_queue) else None
        return AlertDelivery(self.store, lambda: self._alert_sender, self.clock, self.defaults, self._digest_parts, send)

    @cached_property
    def _alert_sender(self) -> AlertSender:
        from bokit.outlets.memory import NoSender

        return self._parts.open_alert_sender() if self._parts.open_alert_sender else NoSender()

    def _digest_parts(self) -> SummaryParts:
        from bokit.engine.base.lookup import name_sources, name_units
        from bokit.engine.live.day_summary import SummaryParts

        def unit_ids(tenant: TenantId) -> list[UnitId]:
            return [unit.id for unit in self.store.load_units(tenant)]

        return SummaryParts(
            list_units=lambda tenant: name_units(self.store, tenant),
            list_bookings=lambda tenant: self.bookings.list_bookings(tenant, unit_ids(tenant)),
            list_conflicts=lambda tenant: self.bookings.list_conflicts(tenant, unit_ids(tenant)),
            list_troubled=lambda tenant: self.status.list_troubled(tenant),
            list_sources=lambda tenant: name_sources(self.store, tenant),
        )

    @cached_property
    def monitors(self) -> MonitorService:
        """The tenants' monitors."""
        from bokit.engine.runs.monitors import MonitorService

        return MonitorService(self.store, self.queued_runs, self.clock, self.defaults)

    @cached_property
    def traffic(self) -> TrafficTrigger:
        """Syncs that a request starts."""
        from bokit.engine.runs.traffic import TrafficTrigger

        return TrafficTrigger(self.store, self._batch_claimer, self.clock, self._sender(self._parts.queue))

    def _sender(self, queue: Queue | None) -> Callable[[Sequence[BatchMessage]], None]:
        if queue is not None:
            from bokit.engine.runs.tick import send_to_queue

            return send_to_queue(queue)
        return self._run_inline

    def _run_inline(self, messages: Sequence[BatchMessage]) -> None:
        """Run every batch, then raise the first error; an unreachable store raises at once."""
        errors: list[Exception] = []
        for message in messages:
            try:
                self.batch.run(message)
            except StoreUnreachableError:
                raise
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def tick(self, trigger: Trigger = Trigger.SCHEDULE) -> TickReport:
        """Claim what is due, and send it to the queue; without a queue, run it in this process."""
        self.store.raise_schema()
        return self._tick.run(trigger)

    def run_batch(self, message: BatchMessage, *, seconds_left: Callable[[], float] | None = None) -> BatchReport:
        """Sync the sources of a message; without time for all, the rest stays due; of a database it is sent on."""
        from bokit.engine.runs.deadline import Deadline

        report = self.batch.run(message, stop=Deadline(seconds_left))
        if report.left and message.route == SQL_ROUTE and self._parts.queue and not message.is_last:
            self._send_rest(message, self._parts.queue)
        return report

    def _send_rest(self, message: BatchMessage, queue: Queue) -> None:
        """Claim the shard again, and send the rest to the next worker; where another claimed it first, that one has it."""
        shards = self.store.load_shards([message.shard_id])
        stored = self._batch_claimer.load_options(shards)
        messages = self._batch_claimer.claim(shards, stored, message.trigger, run_id=message.run_id)
        self._sender(queue)([replace(claimed, hops=message.hops + 1) for claimed in messages])

    def work(
        self, message: BatchMessage | RunMessage, *, seconds_left: Callable[[], float] | None = None
    ) -> BatchReport | WorkReport | Forwarded:
        """Do what a message of the queue asks for; without time for all of it, the rest is sent again."""
        if message.route == SQL_ROUTE and (queue := self._parts.sql_queue):
            queue.send([next_hop(message).to_json()])
            return Forwarded(route=SQL_ROUTE)
        if isinstance(message, RunMessage):
            return self.queued_runs.work(message, seconds_left=seconds_left)
        return self.run_batch(message, seconds_left=seconds_left)

    def sync(self, request: SyncRequest, *, stop: Deadline | None = None, on_progress: Progress | None = None) -> Run:
        """Sync what a person asks for, in this process, and number what happened: nothing else may be running."""
        run = self.manual.run(request, stop=stop, on_progress=on_progress)
        if not request.dry_run:
            self.store.raise_schema()
            self.events.drain()
        return run

    def is_known(self, tenant: TenantId) -> bool:
        """Return whether the tenant exists."""
        return has_tenant(self.store, tenant)
