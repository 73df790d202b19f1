"""The composition root: the only place that names concrete classes. Importing it needs neither AWS nor a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from bokit.config import Settings
from bokit.core.model.limits import MAX_KEPT_SECONDS
from bokit.core.model.options import LEAST_INTERVAL
from bokit.engine.base.clock import Clock, read_clock
from bokit.errors import NO_TABLE

if TYPE_CHECKING:
    from bokit.config import Env, StackChoice
    from bokit.core.model.records import Fields
    from bokit.engine.app import Bokit
    from bokit.engine.base.backup import BackupService
    from bokit.engine.base.reconcile import Reconciler
    from bokit.engine.catalog.access import TokenService
    from bokit.engine.live.tickets import TicketService
    from bokit.engine.runs.dead_letters import DeadLetterService
    from bokit.engine.sync.kinds import SourceKind
    from bokit.outlets.protocols import Alerts, AlertSender, Connections, Queue, WebhookSender
    from bokit.sources.protocols import Fetched
    from bokit.sources.secrets import Reveal
    from bokit.stack import DeployedStack
    from bokit.store.protocols import Store


def build_engine(
    settings: Settings,
    *,
    store: Store | None = None,
    alerts: Alerts | None = None,
    queue: Queue | None = None,
    deliver_queue: Queue | None = None,
    clock: Clock = read_clock,
) -> Bokit:
    """Assemble Bokit for *settings*; an argument replaces what they name."""
    from bokit.engine.app import Bokit, EngineParts

    return Bokit(
        EngineParts(
            store=store or open_store(settings),
            kinds=open_kinds(settings),
            alerts=alerts or open_alerts(settings),
            queue=queue or open_queue(settings),
            clock=clock,
            defaults=read_defaults(settings),
            concurrency=settings.concurrency,
            check_url=open_url_check(settings),
            stage=settings.stage,
            api_url=settings.api_url,
            keep_seconds=MAX_KEPT_SECONDS,
            calendar_key=open_calendar_key(settings),
            sql_queue=open_queue_at(settings, settings.sql_queue_url),
            deliver_queue=deliver_queue or open_queue_at(settings, settings.deliver_queue_url),
            open_sender=cache(partial(open_webhooks, settings)),
            open_alert_sender=partial(open_alert_sender, settings),
            live_url=settings.live_url,
            open_sockets=open_sockets_of(settings),
        )
    )


def find_stack(choice: StackChoice, env: Env) -> DeployedStack | None:
    """Return the deployed stack that *choice* or *env* names; None: neither names one."""
    from bokit.config import find_cache_folder, find_stack_name, read_region

    name = find_stack_name(choice, env)
    if name is None:
        return None
    from bokit.stack import DeployedStack

    region, endpoint = choice.region or read_region(env), env.get("AWS_ENDPOINT_URL") or None
    return DeployedStack(name, find_cache_folder(env), region=region, endpoint_url=endpoint)


def open_stack(stack: DeployedStack, env: Env) -> Bokit:
    """Assemble Bokit for a deployed stack. Where what is kept of it names a table that is gone, it is asked for again, once."""
    from bokit.errors import StoreUnreachableError

    bokit = build_engine(stack.load_settings(env))
    try:
        if stack.is_from_file:
            bokit.store.load_schema()  # the process's first write needs it anyway
    except StoreUnreachableError as error:
        if error.stable_code != NO_TABLE:
            raise
        stack.refresh()
        bokit = build_engine(stack.load_settings(env))
    return bokit


def open_backup(bokit: Bokit) -> BackupService:
    """Return the backups of Bokit's table; raises StateError where there is none."""
    from bokit.engine.base.backup import BackupService
    from bokit.errors import StateError
    from bokit.store.dynamo.store import DynamoStore

    if not isinstance(bokit.store, DynamoStore):
        raise StateError("only a table can be backed up")
    return BackupService(bokit.store, bokit.clock, bokit.events.jump)


def open_access(settings: Settings, *, store: Store | None = None, clock: Clock = read_clock) -> TokenService:
    """Open the token service alone: the authorizer runs before every request, and starts faster without the engine."""
    from bokit.engine.base.clock import new_id, new_secret
    from bokit.engine.catalog.access import TokenService

    return TokenService(store or open_store(settings), clock, new_id, new_secret)


def open_tickets(settings: Settings, *, store: Store | None = None, clock: Clock = read_clock) -> TicketService:
    """Open the ticket service alone, for the authorizer, as ``open_access`` does."""
    from bokit.engine.base.clock import new_secret
    from bokit.engine.live.tickets import TicketService

    return TicketService(store or open_store(settings), clock, new_secret, settings.live_url)


def read_defaults(settings: Settings) -> Fields:
    """Return the stack's defaults of options."""
    least = int(settings.quotas.least_interval.total_seconds())
    return {"sync.interval": max(least, settings.default_interval), LEAST_INTERVAL: least}


def open_store(settings: Settings) -> Store:
    """Return the table's store; the connection is made at the first call."""
    from bokit.store.dynamo.store import DynamoStore

    return DynamoStore(settings.table_name, region=settings.region, endpoint_url=settings.endpoint_url, quotas=settings.quotas)


def open_kinds(settings: Settings) -> Mapping[str, SourceKind]:
    """Return the kinds of source that this process syncs; each is made, and imported, at its first use."""
    from bokit.sources.secrets import Secrets

    reveal = Secrets(_client_maker(settings), settings.stack_name).reveal
    makers = {"ical": open_ical_kind, "json": open_json_kind, "sql": open_sql_kind}
    return LazyKinds({name: partial(make, settings, reveal) for name, make in makers.items()})


def open_ical_kind(settings: Settings, reveal: Reveal) -> SourceKind:
    """Return how calendars are fetched and read."""
    from bokit.core.bookings.rules import BookingRules
    from bokit.core.model.catalog import BOOKINGS
    from bokit.engine.sync.kinds import SourceKind
    from bokit.net.session import SafeSession
    from bokit.sources.ical import IcalFetcher

    fetcher = IcalFetcher(SafeSession(allow_private_addresses=settings.allow_private_addresses), reveal)
    return SourceKind(fetcher=fetcher, rules=BookingRules(), collection=BOOKINGS, reconciler=make_booking_reconciler)


def open_json_kind(settings: Settings, reveal: Reveal) -> SourceKind:
    """Return how JSON APIs are fetched and read."""
    from bokit.core.items.rules import RecordRules
    from bokit.engine.lists.sync import ListSync
    from bokit.engine.sync.kinds import SourceKind
    from bokit.net.session import SafeSession
    from bokit.sources.json_api import JsonApiFetcher
    from bokit.sources.limits import MAX_PAGE_BYTES

    client = SafeSession(allow_private_addresses=settings.allow_private_addresses, deadline=30.0, max_bytes=MAX_PAGE_BYTES)
    fetcher = JsonApiFetcher(client, reveal, read_clock)
    return SourceKind(fetcher=fetcher, rules=RecordRules(), is_shared=True, lists=partial(ListSync, reader=fetcher))


def open_sql_kind(settings: Settings, reveal: Reveal) -> SourceKind:
    """Return how databases are read; their libraries are imported when one is opened."""
    from bokit.core.tables.rules import TableRules
    from bokit.engine.sync.kinds import SourceKind
    from bokit.engine.tables.sync import TableSync
    from bokit.sources.sql.table import SqlReader, SqlSample
    from bokit.sources.sql.url import Reach, check_database_url

    reach = Reach(local=settings.allow_private_addresses, private=settings.sql_private_addresses)
    reader, check = SqlReader(reveal, reach), partial(check_database_url, reach=reach)
    tables = partial(TableSync, reader=reader)
    return SourceKind(fetcher=SqlSample(reader), rules=TableRules(), tables=tables, is_shared=True, check_url=check)


class LazyKinds(Mapping[str, "SourceKind"]):
    """Kinds of source, each made by its maker when the first source of it is met."""

    def __init__(self, makers: Mapping[str, Callable[[], SourceKind]]) -> None:
        self._makers, self._make = makers, cache(lambda name: makers[name]())

    def __getitem__(self, name: str) -> SourceKind:
        return self._make(name)

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def make_booking_reconciler(store: Store, defaults: Fields) -> Reconciler:
    """Return the reconciler of bookings; a sync that finds nothing new does not import it."""
    from bokit.engine.bookings.conflicts import BookingReconciler
    from bokit.engine.bookings.pages import CalendarPublisher

    return BookingReconciler(store, defaults, publisher=CalendarPublisher(store, defaults))


def open_calendar_key(settings: Settings) -> Callable[[], str]:
    """Return a function that loads the secret from which the paths of outgoing calendars derive, once."""

    def load_key() -> str:
        from bokit.engine.bookings.outgoing import no_key
        from bokit.errors import ConfigError, LaterError, NeverError, StoreUnreachableError
        from bokit.sources.secrets import Secrets

        if not settings.calendar_key:
            return no_key()
        try:
            return Secrets(_client_maker(settings), settings.stack_name).reveal_own(settings.calendar_key)
        except NeverError as error:
            what = "the secret of outgoing calendars does not exist, or may not be read"
            raise ConfigError(what, variable="BOKIT_CALENDAR_KEY") from error
        except LaterError as error:
            raise StoreUnreachableError("the secret of outgoing calendars cannot be read now; try again") from error

    return cache(load_key)


def open_url_check(settings: Settings) -> Callable[[str], object]:
    """Return the check of the URLs that an owner enters; it uses no network."""

    def check(url: str) -> None:
        from bokit.net.addresses import check_url

        check_url(url, settings.allow_private_addresses)

    return check


def fetch_feed(url: str, settings: Settings) -> Fetched:
    """Fetch one calendar that belongs to no source, as a sync would."""
    from bokit.core.model.catalog import DEFAULT_TENANT, ShardId, Source
    from bokit.core.model.records import Scope, SourceId

    source = Source(
        id=SourceId("inspect"),
        tenant=DEFAULT_TENANT,
        name="inspect",
        kind="ical",
        url=url,
        scope=Scope("inspect"),
        shard_id=ShardId(""),
    )
    return open_kinds(settings)["ical"].fetcher.fetch(source)


def open_queue(settings: Settings) -> Queue | None:
    """Return the stack's queue; None: work is done in this process."""
    return open_queue_at(settings, settings.queue_url)


def open_queue_at(settings: Settings, url: str | None) -> Queue | None:
    """Return the queue at *url*; None without a URL."""
    if url is None:
        return None
    from bokit.outlets.queue import SqsQueue

    return SqsQueue(partial(_client_maker(settings), "sqs"), url)


def open_dead_letters(settings: Settings, clock: Clock = read_clock) -> DeadLetterService:
    """Return the dead letters of the stack's queues; raises ConfigError where the settings name none."""
    from bokit.engine.runs.dead_letters import DeadLetterService
    from bokit.errors import ConfigError
    from bokit.outlets.letters import SqsLetters

    if not settings.dead_letters:
        raise ConfigError("set BOKIT_DEAD_LETTERS to the stack's output DeadLetters", variable="BOKIT_DEAD_LETTERS")
    make = cache(partial(_client_maker(settings), "sqs"))
    return DeadLetterService({name: SqsLetters(make, *urls) for name, urls in settings.dead_letters.items()}, clock)


def open_webhooks(settings: Settings) -> WebhookSender:
    """Return what sends events to webhooks."""
    from bokit.engine.live.limits import MAX_DELIVERY_SECONDS
    from bokit.net.session import SafeSession
    from bokit.outlets.webhook import HttpWebhooks

    private = settings.allow_private_addresses
    return HttpWebhooks(SafeSession(allow_private_addresses=private, deadline=MAX_DELIVERY_SECONDS, max_bytes=0))


def open_alerts(settings: Settings) -> Alerts | None:
    """Return the stack's alert topic; None: this process leaves the notices in the outbox, to the stack's functions."""
    if settings.topic_arn is None:
        return None
    from bokit.outlets.sns import SnsAlerts

    return SnsAlerts(partial(_client_maker(settings), "sns"), settings.topic_arn)


def open_sockets_of(settings: Settings) -> Callable[[], Connections] | None:
    """Return the function that opens what posts to the stack's WebSockets; None: the settings name none."""
    endpoint = settings.live_endpoint or (settings.live_url and settings.live_url.replace("ws", "http", 1))
    return cache(partial(open_sockets, settings, endpoint)) if endpoint else None


def open_sockets(settings: Settings, endpoint: str) -> Connections:
    """Return what posts to the WebSockets of the gateway at *endpoint*: each message at most once, for three seconds in all."""
    from bokit.aws import make_client
    from bokit.engine.live.limits import MAX_POST_SECONDS, MAX_POST_THREADS
    from bokit.outlets.websocket import GatewayConnections

    given = {
        "connect_timeout": MAX_POST_SECONDS / 3,
        "read_timeout": MAX_POST_SECONDS * 2 / 3,
        "retries": {"total_max_attempts": 1},
        "max_pool_connections": MAX_POST_THREADS,
    }
    make = partial(make_client, "apigatewaymanagementapi", region=settings.region, endpoint_url=endpoint, **given)
    return GatewayConnections(make)


def open_alert_sender(settings: Settings) -> AlertSender:
    """Return what sends alerts to their channels."""
    from bokit.outlets.mail import SesMail
    from bokit.outlets.post import ChannelSender
    from bokit.sources.secrets import Secrets

    make = _client_maker(settings)
    mail = SesMail(partial(make, "sesv2"), settings.mail_from) if settings.mail_from else None
    reveal = Secrets(make, settings.stack_name).reveal
    return ChannelSender(allow_private_addresses=settings.allow_private_addresses, reveal=reveal, mail=mail)


_PREPARED: dict[tuple[str, str | None, str | None], Any] = {}
"""The clients that ``prepare_clients`` made, by service, region and endpoint."""


def _client_maker(settings: Settings) -> Any:
    def make(service: str) -> Any:
        from bokit.aws import make_client

        prepared = _PREPARED.get((service, settings.region, settings.endpoint_url))
        return prepared or make_client(service, region=settings.region, endpoint_url=settings.endpoint_url)

    return make


def prepare_clients(settings: Settings, *services: str) -> None:
    """Make the clients of *services* now, for all that need one in this process; nothing is sent."""
    make = _client_maker(settings)
    for service in services:
        _PREPARED[service, settings.region, settings.endpoint_url] = make(service)


def prepare_sessions() -> None:
    """Load what clients of others' hosts trust now, for all of them in this process."""
    from bokit.net.session import load_certificates

    load_certificates()
