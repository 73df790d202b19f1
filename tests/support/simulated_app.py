"""A test app for long runs: the real rules, the simulator's feeds in process, and a clock that never stands still."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from bokit.core.bookings.rules import BookingRules
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, PropertyId, Source, Tenant, Unit, UnitId
from bokit.core.model.records import Record, Scope, SourceId
from bokit.core.model.scheduling import Head, SourceSchedule
from bokit.engine.app import Bokit, EngineParts
from bokit.engine.runs.messages import read_message
from bokit.engine.sync.kinds import SourceKind
from bokit.errors import SourceUnavailableError
from bokit.net.response import SafeResponse
from bokit.outlets.memory import MemoryAlerts, MemoryQueue
from bokit.sources.ical import MESSAGES
from bokit.sources.protocols import Fetched
from bokit.sources.responses import status_error
from bokit.store.memory.store import MemoryStore
from bokit.wiring import make_booking_reconciler
from simulator.world import FIRST_NOW, World

TICKING = timedelta(milliseconds=1)


class TickingClock:
    """A clock that advances a little at every reading, and further by ``move``; safe for threads."""

    def __init__(self, at: datetime = FIRST_NOW) -> None:
        self.at, self._lock = at, threading.Lock()

    def __call__(self) -> datetime:
        with self._lock:
            self.at += TICKING
            return self.at

    def move(self, **span: float) -> None:
        with self._lock:
            self.at += timedelta(**span)


class WorldFetcher:
    """Asks the world as an HTTP client would, and keeps who was asked. A source's URL is its feed's name."""

    def __init__(self, world: World) -> None:
        self.world, self.asked = world, []
        self._lock = threading.Lock()

    def fetch(
        self, source: Source, *, etag: str | None = None, last_modified: str | None = None, seconds: float | None = None
    ) -> Fetched:
        with self._lock:
            self.asked.append(source.id)
            answer = self.world.answer(source.url)
        if answer.pace != "whole":
            raise SourceUnavailableError("it took too long", code="timeout")
        if answer.status != 200:
            response = SafeResponse(url="https://feeds.example/", status=answer.status, headers=answer.headers)
            raise status_error(response, MESSAGES)
        return Fetched(body=answer.body, etag=answer.headers.get("ETag"), host="feeds.example")


@dataclass
class Calls:
    """Counts calls of every kind, and ends the process before or after one of them; once dead, nothing is answered."""

    names: list[str] = field(default_factory=list)
    die_at: int | None = None
    die_after: bool = False
    dead: bool = False
    deaths: int = 0

    def before(self, name: str) -> None:
        if self.dead:
            raise Died
        self.names.append(name)
        if len(self.names) == self.die_at and not self.die_after:
            self._die()

    def after(self) -> None:
        if self.dead:
            raise Died
        if len(self.names) == self.die_at and self.die_after:
            self._die()

    def _die(self) -> None:
        self.dead, self.die_at, self.deaths = True, None, self.deaths + 1
        raise Died

    def watch_part(self, part: Any) -> Any:
        """Return *part*, its methods counted."""
        return Watched(part, self)

    def watch_client(self, client: Any) -> None:
        """Count every request of a botocore client, where it is about to be sent and where it was answered."""
        client.meta.events.register("before-send.dynamodb", lambda event_name, **_: self.before(event_name.split(".")[-1]))
        client.meta.events.register("after-call.dynamodb", lambda **_: self.after())


class Watched:
    """A queue, an alert channel or a fetcher whose calls are counted."""

    def __init__(self, part: Any, calls: Calls) -> None:
        self._part, self._calls = part, calls

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._part, name)

        def call(*args: Any, **given: Any) -> Any:
            self._calls.before(f"{type(self._part).__name__}.{name}")
            try:
                return method(*args, **given)
            finally:
                self._calls.after()

        return call


class Died(BaseException):
    """The process ends here: nothing below may catch it and go on."""


class SimulatedApp:
    """Bokit with the real rules, beside a simulated world."""

    def __init__(
        self,
        *,
        store: Any = None,
        calls: Calls | None = None,
        concurrency: int = 4,
        world: World | None = None,
        queue: bool = True,
        clock: Any = None,
    ) -> None:
        self.store, self.calls, self.concurrency = store or MemoryStore(), calls or Calls(), concurrency
        self.world, self.clock = world or World(seed=7), clock or TickingClock()
        self.fetcher, self.alerts = WorldFetcher(self.world), MemoryAlerts()
        self.queue = MemoryQueue() if queue else None
        self._runs = count(1)
        self.bokit = self.open()

    def open(self, store: Any = None, clock: Callable[[], datetime] | None = None, **given: Any) -> Bokit:
        """Assemble another process on the same table (or on *store*, a client of its own)."""
        kinds = {
            "ical": SourceKind(
                fetcher=self.calls.watch_part(self.fetcher),
                rules=BookingRules(),
                collection=BOOKINGS,
                reconciler=make_booking_reconciler,
            )
        }
        parts = {
            "store": store or self.store,
            "kinds": kinds,
            "alerts": self.calls.watch_part(self.alerts),
            "queue": self.calls.watch_part(self.queue) if self.queue else None,
            "clock": clock or self.clock,
            "calendar_key": lambda: "a secret of tests",
            "concurrency": self.concurrency,
            "new_run_id": lambda at: f"run_{next(self._runs):06d}",
        }
        return Bokit(EngineParts(**parts | given))

    def save_tenant(self) -> None:
        """Save the default tenant."""
        self.store.save_tenant(Tenant(id=DEFAULT_TENANT, name="Default", created_at=self.clock()))
        self.store.save_option(DEFAULT_TENANT, "install.complete", True)

    def add_source(
        self,
        feed: str,
        *,
        minutes: int = 60,
        shard: int = 100,
        scope: Scope | None = None,
        cancel_after: timedelta | None = None,
        **options: Any,
    ) -> Source:
        """Add a feed to the world and a source of it, in a scope of its own, due now."""
        self.world.add_feed(feed, timezone="Europe/Rome", **options)
        source_id = SourceId(f"src_{feed.replace('/', '_')}")
        interval = timedelta(minutes=minutes)
        source = Source(
            id=source_id,
            tenant=DEFAULT_TENANT,
            name=feed,
            kind="ical",
            url=feed,
            scope=scope or Scope(f"unit_{source_id}"),
            interval=interval,
            shard_id=self.store.pick_shard(shard),
            cancel_after=cancel_after,
        )
        self._add_unit(UnitId(source.scope))
        schedule = SourceSchedule(tenant=DEFAULT_TENANT, due_at=self.clock(), interval=interval)
        return self.store.save_source(Head(source=source, unit_timezone="Europe/Rome"), schedule)

    def _add_unit(self, unit_id: UnitId) -> None:
        """Add the unit of a source: a person's edit of its bookings asks for it."""
        if all(unit.id != unit_id for unit in self.store.load_units(DEFAULT_TENANT)):
            unit = Unit(id=unit_id, tenant=DEFAULT_TENANT, property_id=PropertyId("prop_1"), name=unit_id, timezone="Europe/Rome")
            self.store.save_unit(unit)

    def move(self, **span: float) -> None:
        """Let time pass, here and in the world."""
        self.clock.move(**span)
        self.world.now = self.clock.at.replace(microsecond=0)

    def deliver(self, body: str, bokit: Bokit | None = None, **given: Any) -> Any:
        """Work a message off."""
        return (bokit or self.bokit).work(read_message(body), **given)

    def deliver_all(self) -> None:
        """Work off every message that waits."""
        for _ in range(100):
            if not self.queue.bodies:
                return
            self.deliver(self.queue.bodies[0])
            self.queue.bodies.pop(0)
        raise AssertionError("the queue does not get empty")

    def records(self, source: Source) -> list[Record]:
        return list(self.store.load_records(DEFAULT_TENANT, BOOKINGS, source.scope))

    def states(self) -> dict[str, str]:
        return {s.head.source.id: str(s.state) for s in self.bokit.status.load_sources(DEFAULT_TENANT)}

    def notices(self) -> list[tuple[str, str]]:
        """Return the notices, each id once, when what waits of them was published."""
        self.bokit.events.drain()
        return sorted((n.type, str(n.facts.get("code", ""))) for n in self.alerts.notices.values())

    def describe(self) -> dict[str, Any]:
        """Return the end state without its times: records, change logs, heads, claims, notices."""
        sources = list(self.store.load_sources(DEFAULT_TENANT))
        return {
            "notices": self.notices(),
            "open_runs": len(self.store.load_due(self.clock.at + timedelta(days=1)).runs),
            "sources": {s.id: self._describe_source(s) for s in sources},
            "claims": [(s.holder, s.claimed_until) for s in self.store.load_shards(sorted({s.shard_id for s in sources}))],
        }

    def _describe_source(self, source: Source) -> dict[str, Any]:
        head = self.store.load_head(source)
        shard = self.store.load_shards([source.shard_id])[0]
        failure = head.failure and (head.failure.code, head.failure.notified)
        return {
            "records": [self._describe_record(r) for r in sorted(self.records(source), key=lambda r: r.key)],
            "head": (head.content_hash, head.etag, head.entries, failure, head.hold and head.hold.code),
            "failures": shard.schedules[source.id].failures,
            "free": self._is_free(source),
        }

    def _describe_record(self, record: Record) -> dict[str, Any]:
        lines = self.bokit.records.list_changes(DEFAULT_TENANT, record.id).items
        edits = {name: edit.value for name, edit in record.edits.items()}
        return {
            "key": record.key,
            "remote": dict(record.remote),
            "edits": edits,
            "presence": str(record.presence),
            "gone": record.gone_reason,
            "log": [(c.action, c.reason, c.by, {n: (f.before, f.after) for n, f in c.fields.items()}) for c in lines],
        }

    def _is_free(self, source: Source) -> bool:
        """Return whether another holder gets the lease now; releases it."""
        lease = self.store.acquire_lease(source, holder="another run", now=self.clock.at, until=self.clock.at + TICKING)
        if lease:
            self.store.release_lease(lease)
        return lease is not None
