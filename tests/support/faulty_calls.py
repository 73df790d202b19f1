"""A life of one source, lived again and again with one faulty call: at the end everything is as if nothing had happened.

dies before, after   the process ends there: its message comes again, or is lost for good
refused              the table is busy, as often as botocore asks
delayed              the table answers when the lease (6 minutes) or the claim (16 minutes) has expired
answer lost          the table did it, but nobody heard: botocore sends the same request again
"""

from __future__ import annotations

import copy
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any, TypeVar

import botocore.endpoint
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError

from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.core.model.notices import Notice
from bokit.core.model.runs import Trigger
from bokit.engine.runs.manual import SyncRequest
from bokit.errors import BokitError
from bokit.store.dynamo.store import DynamoStore
from simulator.world import World
from tests.support.damage import Damage, compare_ends
from tests.support.emulator import empty_table
from tests.support.simulated_app import Calls, Died, SimulatedApp

T = TypeVar("T")
FEED = "airbnb/garden"
ATTEMPTS = (0, 16, 16)
"""Minutes between the ticks of a step: an orphan claim has expired by the next."""
SOON = (0, 1, 1)
"""The same where no worker stopped: what a tick claimed is synced by the next one or two."""
DIES, REFUSED, DELAYED, LOST = "dies", "refused", "delayed", "answer lost"


def begin(app: SimulatedApp) -> None:
    for start in (date(2026, 12, 1), date(2026, 12, 10), date(2026, 12, 20)):
        app.world.book(FEED, start, start.replace(day=start.day + 4), guest="Ann Example")


def move_book_and_cancel(app: SimulatedApp) -> None:
    app.world.move("stay-1", date(2026, 12, 3))
    app.world.book(FEED, date(2027, 1, 5), date(2027, 1, 9), guest="Bob Example")
    app.world.cancel("stay-2")


def person_edits(app: SimulatedApp) -> None:
    for record in app.store.load_records(DEFAULT_TENANT, BOOKINGS, villa_scope(app)):
        if "2026-12-20" in record.remote.values():
            app.bokit.records.edit(DEFAULT_TENANT, BOOKINGS, record.id, {"notes": "late"}, by="user:rosa")


def book_more(app: SimulatedApp) -> None:
    app.world.book(FEED, date(2027, 2, 1), date(2027, 2, 5), guest="Cid Example")


def ask_for_a_sync(app: SimulatedApp) -> None:
    """As a program does over HTTP; where it hears nothing, it asks again."""
    everything = SyncRequest(tenant=DEFAULT_TENANT, trigger=Trigger.MANUAL, everything=True)
    app.bokit.queued_runs.trigger(everything, key="once", request_hash="h")


def villa_scope(app: SimulatedApp) -> Any:
    return app.store.load_sources(DEFAULT_TENANT)[0].scope


def answer_html(app: SimulatedApp) -> None:
    app.world.fault(FEED, "html")


def answer_500(app: SimulatedApp) -> None:
    app.world.clear(FEED)
    app.world.fault(FEED, "500")


def be_well(app: SimulatedApp) -> None:
    app.world.clear(FEED)


def let_ripen(app: SimulatedApp) -> None:
    app.move(hours=25)


def do_nothing(app: SimulatedApp) -> None: ...


LIFE: tuple[tuple[Callable[[SimulatedApp], None], Callable[[SimulatedApp], None]], ...] = (
    (begin, do_nothing),
    (move_book_and_cancel, person_edits),
    (book_more, ask_for_a_sync),
    (answer_html, do_nothing),
    (answer_500, do_nothing),
    (be_well, do_nothing),
    (let_ripen, do_nothing),
    (do_nothing, do_nothing),
)
"""What happens in the world, and what a person does then, step by step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """All there is between two steps of the life, so that it can be lived from here on again and again."""

    items: dict[str, dict[str, Any]]
    world: World
    at: datetime
    notices: dict[str, Notice]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to which call of which step, and whether a message whose worker dies comes again."""

    kind: str
    step: int
    call: int
    name: str
    after: bool = False
    again: bool = True
    minutes: int = 0


@dataclass
class FaultySession:
    """The HTTP session of a DynamoDB client, of which one call meets a fault; *names* are the calls so far.

    A request that is sent again with the token of an answered transaction gets that answer, as DynamoDB gives it.
    """

    inner: Any
    delay: Callable[[int], object]
    names: list[str] = field(default_factory=list)
    fault: Fault | None = None
    met: int = 0
    answers: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def within(cls, client: Any, delay: Callable[[int], object]) -> FaultySession:
        """Return the session that *client* sends by from now on."""
        session = cls(client._endpoint.http_session, delay)
        client._endpoint.http_session = session
        client.meta.events.register("before-call.dynamodb", lambda model, **_: session.names.append(model.name))
        return session

    def send(self, request: Any) -> Any:
        token = json.loads(request.body).get("ClientRequestToken", "")
        if token in self.answers:
            return self.answers.pop(token)
        fault = self.fault if self.fault and len(self.names) == self.fault.call else None
        if fault is None:
            return self.inner.send(request)
        self.met += 1
        if fault.kind == REFUSED:
            return refuse(request)
        self.fault = None
        if fault.kind == DELAYED:
            self.delay(fault.minutes)
            return self.inner.send(request)
        answer = self.inner.send(request)
        if token:
            self.answers[token] = answer
        raise ReadTimeoutError(endpoint_url=request.url)

    def close(self) -> None:
        self.inner.close()


class DeafSession:
    """A session that hears the answer to each request only when it is sent again; *sent* counts the requests."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.sent = inner, 0
        self.asked: dict[bytes, Any] = {}

    def send(self, request: Any) -> Any:
        """Send it; the answer to the first of two equal requests is lost, and a transaction is done once."""
        self.sent += 1
        first = self.asked.pop(request.body, None)
        if first is None:
            self.asked[request.body] = self.inner.send(request)
            raise ReadTimeoutError(endpoint_url=request.url)
        return first if b"ClientRequestToken" in request.body else self.inner.send(request)

    def close(self) -> None:
        self.inner.close()


class DoublingSession:
    """A session that sends one write twice and gives back the second answer, as botocore does where the first is lost.

    *writes* are the operations of the writes so far; the one of number *at*, from 1, is doubled, none for 0.
    """

    def __init__(self, inner: Any, at: int = 0) -> None:
        self.inner, self.at, self.doubled = inner, at, 0
        self.writes: list[str] = []

    def send(self, request: Any) -> Any:
        operation = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        if operation in WRITE_OPERATIONS:
            self.writes.append(operation)
            if len(self.writes) == self.at:
                self.doubled += 1
                self.inner.send(request)
        return self.inner.send(request)

    def close(self) -> None:
        self.inner.close()


WRITE_OPERATIONS = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})


@contextmanager
def losing_answers(client: Any) -> Iterator[DeafSession]:
    """The first answer to each request of *client* is lost meanwhile."""
    with _by_way_of(client, DeafSession(client._endpoint.http_session)) as session, without_pauses():
        yield session


@contextmanager
def doubling_write(client: Any, at: int) -> Iterator[DoublingSession]:
    """The write of number *at* of *client* is sent twice meanwhile."""
    with _by_way_of(client, DoublingSession(client._endpoint.http_session, at)) as session:
        yield session


@contextmanager
def _by_way_of(client: Any, session: T) -> Iterator[T]:
    """The client sends by *session* meanwhile."""
    before = client._endpoint.http_session
    client._endpoint.http_session = session
    try:
        yield session
    finally:
        client._endpoint.http_session = before


def refuse(request: Any) -> AWSResponse:
    """Return the answer of a table that is throttled."""
    body = json.dumps({"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow down"}).encode()
    headers = {"x-amzn-RequestId": "r", "x-amz-crc32": str(zlib.crc32(body)), "Content-Type": "application/x-amz-json-1.0"}
    return AWSResponse(request.url, 400, headers, SimpleNamespace(stream=lambda *args, **given: iter([body])))


@contextmanager
def without_pauses() -> Iterator[None]:
    """botocore does not sleep between two tries."""
    endpoint: Any = botocore.endpoint
    before = endpoint.time
    endpoint.time = SimpleNamespace(sleep=lambda seconds: None)
    try:
        yield
    finally:
        endpoint.time = before


def play_step(app: SimulatedApp, step: int, *, again: bool, attempts: tuple[int, ...] = ATTEMPTS) -> None:
    """Do one step; where the process dies, a new one continues: the message is delivered *again*, or is lost."""
    app.move(minutes=60 - sum(ATTEMPTS))
    happen, act = LIFE[step]
    happen(app)
    outlive(app, lambda: act(app))
    for minutes in attempts:
        app.move(minutes=minutes)
        outlive(app, app.bokit.tick)
        outlive(app, app.deliver_all, tries=2 if again else 1)
        app.queue.bodies.clear()
    app.move(minutes=sum(ATTEMPTS) - sum(attempts))


def outlive(app: SimulatedApp, act: Callable[[], object], tries: int = 2) -> None:
    """Do it, and where the process dies or fails do it once more, as long as there are *tries*."""
    for _ in range(tries):
        try:
            act()
        except (Died, BokitError):
            app.calls.dead = False
        else:
            return


def save_moment(app: SimulatedApp) -> Moment:
    return Moment(items=load_items(app), world=copy.deepcopy(app.world), at=app.clock.at, notices=dict(app.alerts.notices))


def load_items(app: SimulatedApp) -> dict[str, dict[str, Any]]:
    """Return the whole table."""
    items = app.store.client.scan(TableName=app.store.table_name, ConsistentRead=True)["Items"]
    return {f"{item['pk']['S']}|{item['sk']['S']}": item for item in items}


def restore_moment(app: SimulatedApp, moment: Moment) -> None:
    """Put the table, the world, the clock and the notices back; a new process begins."""
    there = load_items(app)
    gone = [{"DeleteRequest": {"Key": {k: there[key][k] for k in ("pk", "sk")}}} for key in there.keys() - moment.items.keys()]
    puts = [{"PutRequest": {"Item": item}} for key, item in moment.items.items() if there.get(key) != item]
    for batch in batched([*gone, *puts], 25):
        app.store.client.batch_write_item(RequestItems={app.store.table_name: list(batch)})
    app.world = app.fetcher.world = copy.deepcopy(moment.world)
    app.clock.at, app.alerts.notices = moment.at, dict(moment.notices)
    app.queue.bodies.clear()
    app.calls.names.clear()
    begin_process(app)


def begin_process(app: SimulatedApp) -> None:
    """Go on as a new process, which has not read the table's schema number."""
    app.store._table.remember_schema(None)


def batched(items: list[Any], size: int) -> Iterator[list[Any]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]


@dataclass
class FaultyLife:
    """The life, lived well once, and then again from a step on with a fault in it."""

    table: DynamoStore
    attempts: tuple[int, ...] = ATTEMPTS
    """The minutes between the ticks of a step; ``SOON`` where no worker stops, and nothing may be late."""
    calls: Calls = field(default_factory=Calls)
    moments: list[Moment] = field(default_factory=list)
    ends: list[dict[str, Any]] = field(default_factory=list)
    names: list[list[str]] = field(default_factory=list)
    """Of each step: the calls to the table, the queue, the alerts and the feeds."""
    requests: list[list[str]] = field(default_factory=list)
    """Of each step: the calls to the table."""

    def __post_init__(self) -> None:
        self.calls.watch_client(self.table.client)
        self.app = SimulatedApp(store=empty_table(self.table), calls=self.calls, concurrency=1)
        self.session = FaultySession.within(self.table.client, lambda minutes: self.app.move(minutes=minutes))
        self.app.save_tenant()
        self.app.add_source(FEED)
        for step in range(len(LIFE)):
            self.moments.append(save_moment(self.app))
            begin_process(self.app)
            self.calls.names.clear()
            self.session.names.clear()
            play_step(self.app, step, again=True, attempts=self.attempts)
            self.names.append(list(self.calls.names))
            self.requests.append(list(self.session.names))
            self.ends.append(self.app.describe())

    def deaths(self) -> list[Fault]:
        """Before each call, the message delivered again; after each, the message lost for good."""
        return [
            Fault(kind=DIES, step=step, call=call, name=name, after=after, again=not after)
            for step, made in enumerate(self.names)
            for call, name in enumerate(made, start=1)
            for after in (False, True)
        ]

    def faults(self, kind: str, minutes: int = 0) -> list[Fault]:
        """One at each call to the table."""
        return [
            Fault(kind=kind, step=step, call=call, name=name, minutes=minutes)
            for step, made in enumerate(self.requests)
            for call, name in enumerate(made, start=1)
        ]

    def live_on(self, fault: Fault) -> Damage:
        """Live from the fault's step on; return what is not as if nothing had happened, some steps later."""
        restore_moment(self.app, self.moments[fault.step])
        self.session.names.clear()
        deaths, met = self.calls.deaths, self.session.met
        if fault.kind == DIES:
            self.calls.die_at, self.calls.die_after = fault.call, fault.after
        else:
            self.session.fault = fault
        for step in range(fault.step, len(LIFE)):
            play_step(self.app, step, again=fault.again, attempts=self.attempts)
            self.session.fault = None
            found = self.app.describe()
            if found == self.ends[step]:
                break
        assert self.calls.deaths + self.session.met > deaths + met, f"nothing happened: {fault}"
        return replace(compare_ends(self.ends[step], found), late=int(step > fault.step and self.attempts == SOON))


def live_all(life: FaultyLife, faults: Sequence[Fault]) -> Damage:
    """Live with each fault in turn; return all damage."""
    with without_pauses():
        return sum((life.live_on(fault).at(str(fault)) for fault in faults), Damage())
