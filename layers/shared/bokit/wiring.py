"""The composition root: the only place that names concrete classes. Importing it needs neither AWS nor a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from bokit.config import Settings
from bokit.engine.base.clock import Clock, read_clock

if TYPE_CHECKING:
    from bokit.core.model.records import Json
    from bokit.engine.app import Bokit
    from bokit.engine.base.reconcile import Reconciler
    from bokit.engine.catalog.access import TokenService
    from bokit.engine.sync.sync import Kind
    from bokit.outlets.protocols import Alerts, Queue
    from bokit.sources.protocols import Fetched
    from bokit.store.protocols import Store


def open_bokit(
    settings: Settings,
    *,
    store: Store | None = None,
    alerts: Alerts | None = None,
    queue: Queue | None = None,
    clock: Clock = read_clock,
) -> Bokit:
    """Assemble Bokit for *settings*; what is handed in takes the place of what they name."""
    from bokit.engine.app import Bokit, Parts

    return Bokit(
        Parts(
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
            calendar_key=open_calendar_key(settings),
            sql_queue=open_queue_at(settings, settings.sql_queue_url),
        )
    )


build_engine = open_bokit
"""What a handler calls it."""


def open_access(settings: Settings, *, store: Store | None = None, clock: Clock = read_clock) -> TokenService:
    """Open the tokens' desk alone: the authorizer stands before every request, and starts faster without the engine."""
    from bokit.engine.base.clock import new_id, new_secret
    from bokit.engine.catalog.access import TokenService

    return TokenService(store or open_store(settings), clock, new_id, new_secret)


def read_defaults(settings: Settings) -> Mapping[str, Json]:
    """Return the stack's defaults of options."""
    return {"sync.interval": settings.default_interval}


def open_store(settings: Settings) -> Store:
    """Return the table's store; the connection is made at the first call."""
    from bokit.store.dynamo.store import DynamoStore

    return DynamoStore(settings.table_name, region=settings.region, endpoint_url=settings.endpoint_url)


def open_kinds(settings: Settings) -> Mapping[str, Kind]:
    """Return the kinds of source that this process syncs."""
    from bokit.sources.secrets import Secrets

    reveal = Secrets(_client_maker(settings)).reveal
    makers = {"ical": open_ical_kind, "json": open_json_kind, "sql": open_sql_kind}
    return Kinds(**{name: partial(make, settings, reveal) for name, make in makers.items()})


def open_ical_kind(settings: Settings, reveal: Callable[[str], str]) -> Kind:
    """Return how bookings of calendars are fetched and read."""
    from bokit.core.bookings.rules import BookingRules
    from bokit.core.model.catalog import BOOKINGS
    from bokit.engine.sync.sync import Kind
    from bokit.net.session import SafeClient
    from bokit.sources.ical import IcalFetcher

    fetcher = IcalFetcher(SafeClient(allow_private_addresses=settings.allow_private_addresses), reveal)
    return Kind(fetcher=fetcher, rules=BookingRules(), collection=BOOKINGS, reconciler=make_booking_reconciler)


def open_json_kind(settings: Settings, reveal: Callable[[str], str]) -> Kind:
    """Return how records of JSON APIs are fetched and read."""
    from bokit.core.items.rules import RecordRules
    from bokit.engine.sync.sync import Kind
    from bokit.net.session import SafeClient
    from bokit.sources.json_api import MAX_ANSWER_BYTES, JsonApiFetcher

    client = SafeClient(allow_private_addresses=settings.allow_private_addresses, deadline=30.0, max_bytes=MAX_ANSWER_BYTES)
    return Kind(fetcher=JsonApiFetcher(client, reveal, read_clock), rules=RecordRules(), is_shared=True)


def open_sql_kind(settings: Settings, reveal: Callable[[str], str]) -> Kind:
    """Return how tables of databases are read; the databases' own libraries are imported when one is opened."""
    from bokit.core.tables.rules import TableRules
    from bokit.engine.sync.sync import Kind
    from bokit.sources.sql.table import SqlSample, SqlTables
    from bokit.sources.sql.url import Reach, check_database_url

    reach = Reach(local=settings.allow_private_addresses, private=settings.sql_private_addresses)
    reader = SqlTables(reveal, reach)
    return Kind(
        fetcher=SqlSample(reader),
        rules=TableRules(),
        tables=reader,
        is_shared=True,
        check_url=lambda url: check_database_url(url, reach),
    )


class Kinds(Mapping[str, "Kind"]):
    """Kinds of source, each made when the first source of it is met: who syncs calendars alone imports no other."""

    def __init__(self, **makers: Callable[[], Kind]) -> None:
        self._makers, self._made = makers, dict[str, "Kind"]()

    def __getitem__(self, name: str) -> Kind:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def make_booking_reconciler(store: Store, alerts: Alerts, defaults: Mapping[str, Json]) -> Reconciler:
    """Return what follows when bookings were written; a sync that finds nothing new does not import it."""
    from bokit.engine.bookings.conflicts import BookingReconciler
    from bokit.engine.bookings.pages import publisher

    return BookingReconciler(store, alerts, defaults, then=(publisher(store, defaults),))


def open_calendar_key(settings: Settings) -> Callable[[], str]:
    """Return what asks for the secret from which the paths of outgoing calendars derive."""

    def ask() -> str:
        from bokit.engine.bookings.outgoing import no_key
        from bokit.errors import ConfigError, LaterError, NeverError, StoreUnreachableError
        from bokit.sources.secrets import Secrets

        try:
            return Secrets(_client_maker(settings)).reveal(settings.calendar_key) if settings.calendar_key else no_key()
        except NeverError as error:
            what = "the secret of outgoing calendars is not there, or may not be read"
            raise ConfigError(what, variable="BOKIT_CALENDAR_KEY") from error
        except LaterError as error:
            raise StoreUnreachableError("the secret of outgoing calendars cannot be read now; try again") from error

    return cache(ask)


def open_url_check(settings: Settings) -> Callable[[str], object]:
    """Return the judge of the URLs that an owner gives us; it asks no network."""

    def check(url: str) -> None:
        from bokit.net.addresses import check_url

        check_url(url, settings.allow_private_addresses)

    return check


def fetch_feed(url: str, settings: Settings) -> Fetched:
    """Fetch one calendar that is nobody's source, as a sync would."""
    from bokit.core.model.catalog import DEFAULT_TENANT, ShardId, Source
    from bokit.core.model.records import Scope, SourceId

    nobody = Source(
        id=SourceId("inspect"),
        tenant=DEFAULT_TENANT,
        name="inspect",
        kind="ical",
        url=url,
        scope=Scope("inspect"),
        shard_id=ShardId(""),
    )
    return open_kinds(settings)["ical"].fetcher.fetch(nobody)


def open_queue(settings: Settings) -> Queue | None:
    """Return the queue of the stack, or None where work is done in this process."""
    return open_queue_at(settings, settings.queue_url)


def open_queue_at(settings: Settings, url: str | None) -> Queue | None:
    """Return the queue of this address; None where there is none."""
    if url is None:
        return None
    from bokit.outlets.aws import SqsQueue

    return SqsQueue(partial(_client_maker(settings), "sqs"), url)


def open_alerts(settings: Settings) -> Alerts:
    """Return the alert topic of the stack, or a place that forgets."""
    if settings.topic_arn is None:
        from bokit.outlets.memory import MemoryAlerts

        return MemoryAlerts()
    from bokit.outlets.aws import SnsAlerts

    return SnsAlerts(partial(_client_maker(settings), "sns"), settings.topic_arn)


def _client_maker(settings: Settings) -> Any:
    def make(service: str) -> Any:
        from bokit.aws import open_session

        return open_session().create_client(service, region_name=settings.region, endpoint_url=settings.endpoint_url)

    return make
