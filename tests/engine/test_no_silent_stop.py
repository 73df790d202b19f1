"""A source that stops is reported within two of its intervals, and nothing is reported while all is well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT, Source
from bokit.engine.runs.messages import read_message
from bokit.errors import InputError, SourceUnavailableError, StoreConflictError
from bokit.sources.protocols import Fetched
from simulator.life import live
from simulator.world import World
from tests.support.simulated_app import Died, SimulatedApp

FEED = "airbnb/garden"
ALARMING = {"stale", "failing", "held"}
HEALTHY_ROUNDS = 1000


@dataclass
class Watch:
    """What an owner and an operator can see, minute by minute."""

    app: SimulatedApp
    source: Source
    tick: Callable[[], Any]
    overdue: float = 0.0
    missing: int = 0
    states: set[str] = field(default_factory=set)
    deliver: Callable[[str], object] | None = None

    def pass_minutes(self, minutes: int) -> None:
        """Tick each minute and work off what was sent; an alarm looks at the tick's number, and at its absence."""
        for _ in range(minutes):
            self.app.move(minutes=1)
            report = self.tick()
            self.missing = 0 if report else self.missing + 1
            self.overdue = max(self.overdue, report.overdue_intervals if report else 0)
            self._work_off()
            self.states.add(self.app.states()[self.source.id])

    def _work_off(self) -> None:
        bodies, self.app.queue.bodies = self.app.queue.bodies, []
        for body in bodies:
            (self.deliver or self.app.deliver)(body)

    @property
    def alarms(self) -> list[str]:
        """Return the alarms raised so far."""
        notices = [kind for kind, _ in self.app.notices() if kind != "source.recovered"]
        return notices + ["overdue"] * (self.overdue > 2) + ["no tick"] * (self.missing > 15)


def begin(minutes: int = 60, **given: Any) -> Watch:
    """Return a watch over an app with one source that was synced without errors."""
    app = SimulatedApp(concurrency=1, **given)
    app.save_tenant()
    source = app.add_source(FEED, minutes=minutes)
    for day in (1, 8, 15, 22):
        app.world.book(FEED, date(2026, 12, day), date(2026, 12, day + 4))
    watch = Watch(app=app, source=source, tick=app.bokit.tick)
    watch.pass_minutes(2)
    assert watch.states == {"ok"}
    assert watch.alarms == []
    return watch


def no_schedule(watch: Watch) -> None:
    """The schedule's rule is off: nothing ticks."""
    watch.tick = lambda: None


def lost_messages(watch: Watch) -> None:
    """The queue loses every message, and the claims expire unused."""
    watch.deliver = lambda body: None


def poison(watch: Watch) -> None:
    """Every message arrives mutilated, and goes to the dead letters."""

    def deliver(body: str) -> None:
        with pytest.raises(InputError):
            watch.app.deliver(body[: len(body) // 2])

    watch.deliver = deliver


def orphan_claims(watch: Watch) -> None:
    """Each worker dies as soon as it has read its batch, as in a Lambda timeout."""

    def deliver(body: str) -> None:
        watch.app.calls.die_at = len(watch.app.calls.names) + 1
        with pytest.raises(Died):
            watch.app.deliver(body)
        watch.app.calls.dead = False

    watch.deliver = deliver


def out_of_time(watch: Watch) -> None:
    """No batch ever has the time to begin a source."""
    watch.deliver = lambda body: watch.app.deliver(body, seconds_left=lambda: 5.0)


def orphan_lease(watch: Watch) -> None:
    """Somebody took the source's lease by a clock that runs a day ahead, and died; and the feed changes."""
    now = watch.app.clock()
    watch.app.store.acquire_lease(watch.source, holder="orphan", now=now, until=now + timedelta(days=1))
    watch.app.world.book(FEED, date(2027, 1, 4), date(2027, 1, 8))


def conflicts(watch: Watch) -> None:
    """Every write of a record meets a conflict."""

    def refuse(*_: Any, **__: Any) -> None:
        raise StoreConflictError("changed by another since it was read; read it again")

    watch.app.store.apply_records = refuse
    watch.app.world.book(FEED, date(2027, 1, 4), date(2027, 1, 8))


def throttled_table(watch: Watch) -> None:
    """The table is too busy for every claim."""

    def refuse(*_: Any, **__: Any) -> None:
        raise StoreConflictError("the table is busy; try again", code="store-busy")

    watch.app.store.claim_shard = refuse


def fault(kind: str) -> Callable[[Watch], None]:
    def cause(watch: Watch) -> None:
        watch.app.world.fault(FEED, kind)

    cause.__name__ = kind
    return cause


def raising(name: str, make: Callable[[], Exception]) -> Callable[[Watch], None]:
    def cause(watch: Watch) -> None:
        def fetch(*_: Any, **__: Any) -> Fetched:
            raise make()

        watch.app.fetcher.fetch = fetch

    cause.__name__ = name
    return cause


CAUSES = [
    no_schedule,
    lost_messages,
    poison,
    orphan_claims,
    out_of_time,
    orphan_lease,
    conflicts,
    throttled_table,
    fault("404"),
    fault("401"),
    fault("429"),
    fault("500"),
    fault("503"),
    fault("timeout"),
    fault("html"),
    fault("json"),
    fault("empty-calendar"),
    fault("empty-body"),
    fault("other-listing"),
    fault("switched-off"),
    raising("tls", lambda: SourceUnavailableError("its certificate is not valid", code="tls")),
    raising("throttled for a day", lambda: SourceUnavailableError("not now", code="http-429", retry_after=86_400.0)),
    raising("a bug", lambda: RuntimeError("unexpected")),
]


@pytest.mark.slow
@pytest.mark.parametrize("minutes", [15, 60])
@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.__name__)
def test_every_cause_is_reported_within_two_intervals(cause, minutes):
    """Of each cause an alarm rings within two intervals (and a tick), and status shows it in three and a bit."""
    watch = begin(minutes)
    watch.pass_minutes(minutes - 5)
    assert watch.alarms == []
    cause(watch)

    watch.pass_minutes(5 + 2 * minutes + 2)
    assert watch.alarms, "nobody was notified"
    watch.pass_minutes(minutes + 2)
    assert watch.app.states()[watch.source.id] in ALARMING


def test_an_empty_calendar_is_offered_once_more_and_reported_again():
    """After a day of empty feeds the owner gets a second notice, and no third one."""
    watch = begin()
    watch.app.world.fault(FEED, "empty-calendar")

    watch.pass_minutes(60 * 23)
    before = len(watch.app.notices())
    watch.pass_minutes(60 * 30)

    assert before == 1
    assert watch.app.notices() == [("source.held", "empty-feed")] * 2


@pytest.mark.slow
def test_nobody_hears_a_thing_while_all_is_well(record_property):
    """A thousand rounds of four living feeds, two of them changing every night: no notice, nothing overdue, all ok."""
    app = SimulatedApp(world=World(seed=11), concurrency=1)
    app.save_tenant()
    for feed, options in LIVING.items():
        app.add_source(feed, **options)
    rounds = overdue = 0
    states: set[str] = set()
    for _ in range(HEALTHY_ROUNDS):
        live(app.world, hours=1)
        app.clock.move(hours=1)
        overdue = max(overdue, app.bokit.tick().overdue_intervals)
        app.deliver_all()
        rounds += 1
        states |= set(app.states().values())

    assert (app.notices(), states, rounds) == ([], {"ok"}, HEALTHY_ROUNDS)
    assert overdue < 2
    assert len(app.fetcher.asked) == HEALTHY_ROUNDS * len(LIVING)
    record_property("rounds", rounds)


LIVING = {
    "airbnb/garden": {"notice_days": 1},
    "booking_com/garden": {},
    "vrbo/loft": {},
    "google/loft": {},
}


@pytest.mark.parametrize("not_modified", [False, True], ids=["200", "304"])
def test_a_calendar_that_stands_still_is_reported(not_modified):
    """The source answers 200 with the content of hours ago, or 304: after three intervals it is stale, until it is new."""
    watch = begin()
    watch.pass_minutes(60)
    answer = watch.app.fetcher.fetch(watch.source)
    kept = watch.app.fetcher.fetch

    def fetch(source: Source, *, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        return Fetched(not_modified=True) if not_modified and etag else answer

    watch.app.fetcher.fetch = fetch
    watch.pass_minutes(60 * 6)
    assert watch.alarms == ["source.stale"]
    assert watch.app.states()[watch.source.id] == "stale"
    old = watch.app.bokit.status.load_freshness(watch.source.tenant, watch.source.id)["content_made_at"]
    assert old is not None
    assert watch.app.clock() - old > timedelta(hours=2)

    watch.app.fetcher.fetch = kept
    watch.pass_minutes(61)
    assert watch.app.states()[watch.source.id] == "ok"
    assert watch.app.bokit.status.load_freshness(watch.source.tenant, watch.source.id)["content_made_at"] is None
    assert {kind for kind, _ in watch.app.notices()} == {"source.stale", "source.recovered"}


def test_a_calendar_of_nights_that_stands_still_is_reported():
    """Its stamps prove nothing, and nobody changes anything; but the end of its calendar no longer rolls."""
    app = SimulatedApp(concurrency=1)
    app.save_tenant()
    source = app.add_source("nights/flat", open_days=270)
    for number in range(3):
        app.world.book(source.url, date(2027, 1, 1 + 7 * number), date(2027, 1, 4 + 7 * number))

    def pass_hours(hours: int) -> str:
        for _ in range(hours):
            app.move(hours=1)
            app.bokit.tick()
            app.deliver_all()
        return app.states()[source.id]

    assert pass_hours(24 * 6) == "ok"
    app.world.fault(source.url, "stale")
    assert pass_hours(15) == "ok"
    assert pass_hours(9) == "stale"
    assert {kind for kind, _ in app.notices()} == {"source.stale"}
    app.world.clear(source.url)
    assert pass_hours(2) == "ok"


def test_a_failure_that_is_over_before_a_notice_is_due_is_not_reported():
    """One bad answer and a good one at the next attempt: the state shows it meanwhile, and no notice is sent."""
    watch = begin()
    watch.app.world.fault(FEED, "500", times=1)

    watch.pass_minutes(180)

    assert watch.states == {"ok", "failing"}
    assert watch.alarms == []
    assert watch.app.states()[watch.source.id] == "ok"


def test_a_tenant_that_is_switched_on_again_is_synced_at_once():
    """Off for a day it is not overdue, but shown as stale; on again, the next tick syncs it and all is well."""
    watch = begin()
    watch.app.bokit.catalog.options.set(DEFAULT_TENANT, "sync.enabled", False)
    watch.pass_minutes(60 * 24)
    assert (watch.alarms, watch.app.states()[watch.source.id]) == ([], "stale")

    watch.app.bokit.catalog.options.set(DEFAULT_TENANT, "sync.enabled", True)
    watch.pass_minutes(2)

    assert watch.app.states()[watch.source.id] == "ok"
    assert watch.alarms == []


@pytest.mark.parametrize("skew", [-5, 5])
def test_clocks_that_differ_by_minutes_neither_stop_nor_alarm(skew):
    """Two machines with clocks minutes apart work in turn for two days: each interval is kept, without an alarm."""
    watch = begin(15)
    app = watch.app
    other = app.open(clock=lambda: app.clock() + timedelta(minutes=skew))
    turns = iter([app.bokit, other] * 2000)
    watch.tick = lambda: next(turns).tick()
    watch.deliver = lambda body: app.deliver(body, next(turns))

    watch.pass_minutes(60 * 48)

    assert (watch.alarms, watch.states) == ([], {"ok"})
    assert len(app.fetcher.asked) >= 48 * 60 / (15 + abs(skew))


def test_a_shard_that_cannot_be_claimed_keeps_no_other_from_being_sent():
    """The table is too busy for the first of two shards: the second one's message goes out in the same tick."""
    app = SimulatedApp(concurrency=1)
    app.save_tenant()
    first, second = app.add_source("airbnb/garden", shard=1), app.add_source("vrbo/loft", shard=1)
    claim = app.store.claim_shard

    def refuse_first(shard: Any, **given: Any) -> Any:
        if shard.id == first.shard_id:
            raise StoreConflictError("the table is busy; try again", code="store-busy")
        return claim(shard, **given)

    app.store.claim_shard = refuse_first
    app.bokit.tick()

    assert [read_message(body).source_ids for body in app.queue.bodies] == [(second.id,)]


def test_a_batch_that_breaks_keeps_no_other_from_running_in_this_process():
    """Without a queue a tick runs its batches in turn: the first breaks, the second is synced, the tick reports it."""
    app = SimulatedApp(concurrency=1, queue=False)
    app.save_tenant()
    first, second = app.add_source("airbnb/garden", shard=1), app.add_source("vrbo/loft", shard=1)
    load = app.store.load_heads

    def break_first(shard_id: str) -> Any:
        if shard_id == first.shard_id:
            raise RuntimeError("a head that cannot be read")
        return load(shard_id)

    app.store.load_heads = break_first
    with pytest.raises(RuntimeError, match="cannot be read"):
        app.bokit.tick()

    assert app.fetcher.asked == [second.id]
