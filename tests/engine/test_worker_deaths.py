"""A source that is slow, or that its worker dies of, holds up no other, and is never left for good."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import pytest

from bokit.core.model.catalog import Source, Tenant
from bokit.core.model.records import SourceId, TenantId
from bokit.core.model.runs import Outcome, Trigger
from bokit.engine.app import Bokit, EngineParts
from bokit.engine.runs.limits import CLAIM_TTL, MAX_RECEIVES
from bokit.engine.runs.manual import SyncRequest
from bokit.engine.runs.messages import read_message
from bokit.engine.runs.shares import HeadQueue
from bokit.engine.sync.finish import WORKER_DIED
from bokit.engine.sync.kinds import SourceKind
from bokit.engine.sync.limits import DEATH_WAIT, MAX_WORKER_DEATHS
from bokit.sources.protocols import Fetched
from bokit.values import replace
from tests.support.rows_app import DEFAULT_TENANT, ROWS, START, RowRules, TestApp
from tests.support.simulated_app import Calls, Died

SLOW = TenantId("slow")
DEADLY, GOOD = b'{"kill": {"n": 1}}', {"1": {"n": 1}}
HIDDEN = timedelta(minutes=12)
"""How long the queue hides a message whose worker died."""


class DeadlyRules(RowRules):
    """The rules of rows, where one row ends the process that reads it."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    def read(self, body: bytes, context: Any, snapshot: bytes) -> Any:
        if b"kill" in body:
            self.calls.dead = True
            self.calls.deaths += 1
            raise Died
        return super().read(body, context, snapshot)


@dataclass
class Stack:
    """Sources of two tenants on one shard, a queue that delivers again, and a process for each message."""

    app: TestApp = field(default_factory=lambda: TestApp(queue=True, concurrency=1))
    hidden: list[tuple[datetime, str, int]] = field(default_factory=list)
    """Messages whose worker died: when they come again, and how often they came."""
    deaths: list[datetime] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.app.store.save_tenant(Tenant(id=SLOW, name="Slow", created_at=START))
        self.app.store.save_option(SLOW, "install.complete", True)

    def open_worker(self, calls: Calls, **given: Any) -> Bokit:
        """Return a process of its own, which is dead once *calls* are."""
        app = self.app
        kind = SourceKind(fetcher=calls.watch_part(app.fetcher), rules=DeadlyRules(calls), collection=ROWS)
        parts: dict[str, Any] = {
            "store": calls.watch_part(app.store),
            "kinds": {"rows": kind},
            "alerts": calls.watch_part(app.alerts),
            "queue": calls.watch_part(app.queue),
            "clock": app.clock,
            "concurrency": 1,
            "new_run_id": lambda at: f"run_{next(app.numbers):06d}",
        }
        return Bokit(EngineParts(**parts | given))

    def deliver(self, body: str, received: int = 1) -> None:
        """Give a message to a worker; if it dies, the message is hidden, and comes as often as the queue delivers it."""
        calls = Calls()
        try:
            self.open_worker(calls).work(read_message(body), seconds_left=lambda: 120.0)
        except Died:
            self.deaths.append(self.app.clock())
            if received < MAX_RECEIVES:
                self.hidden.append((self.app.clock() + HIDDEN, body, received + 1))

    def minute(self) -> None:
        """Let a minute pass: tick, and deliver what waits."""
        self.app.clock.move(minutes=1)
        self.app.bokit.tick()
        waiting = [(body, 1) for body in self.app.queue.bodies]
        self.app.queue.bodies.clear()
        now = self.app.clock()
        waiting += [(body, received) for at, body, received in self.hidden if at <= now]
        self.hidden = [one for one in self.hidden if one[0] > now]
        for body, received in waiting:
            self.deliver(body, received)

    def hours(self, count: int, watched: list[Source]) -> timedelta:
        """Let hours pass; return the longest time without a success of a *watched* source."""
        longest = timedelta()
        for _ in range(60 * count):
            self.minute()
            last = [self.app.schedule(s).succeeded_at or START for s in watched]
            longest = max(longest, self.app.clock() - min(last, default=self.app.clock()))
        return longest


@pytest.fixture
def stack() -> Stack:
    """A stack without sources."""
    return Stack()


def test_a_source_that_kills_its_worker_is_apart_from_then_on(stack):
    """The others lose a quarter of an hour once; it is tried three times, then daily, and its owner hears of it once."""
    good = [stack.app.add_source(f"good_{n}", GOOD) for n in range(4)]
    bad = stack.app.add_source("a_bad", Fetched(body=DEADLY), tenant=SLOW)

    first = stack.hours(2, good)
    later = stack.hours(48, good)

    assert first <= timedelta(hours=1) + CLAIM_TTL + timedelta(minutes=1)
    assert later <= timedelta(hours=1, minutes=2)
    assert len(stack.deaths) == MAX_WORKER_DEATHS + 2  # then daily: never stopped
    assert all(b - a >= DEATH_WAIT for a, b in zip(stack.deaths[2:], stack.deaths[3:], strict=False))
    notices = [n for n in stack.app.alerts.notices.values() if n.facts.get("code") == WORKER_DIED]
    assert [(n.type, n.tenant, n.facts["source_id"]) for n in notices] == [("source.failing", SLOW, bad.id)]
    assert [s["state"] for s in stack.app.bokit.status.load_status(SLOW)["sources"]] == ["failing"]
    assert {s["state"] for s in stack.app.bokit.status.load_status(DEFAULT_TENANT)["sources"]} == {"ok"}


def test_a_source_that_can_be_read_again_is_as_any_other(stack):
    """After its day, or at once where a person asks; the owner hears of the recovery, and it is synced by the interval."""
    bad = stack.app.add_source("bad", Fetched(body=DEADLY))
    stack.hours(2, [])
    assert stack.app.head(bad).failure.code == WORKER_DIED
    stack.app.show(bad, GOOD)
    calls = Calls()

    run = stack.open_worker(calls).sync(SyncRequest(tenant=DEFAULT_TENANT, source_ids=(bad.id,)))

    assert [s.outcome for s in run.sources] == [Outcome.CHANGED]
    assert (stack.app.head(bad).failure, stack.app.head(bad).open_leases) == (None, 0)
    assert "source.recovered" in {n.type for n in stack.app.alerts.notices.values()}
    assert stack.hours(3, [bad]) <= timedelta(hours=1, minutes=1)


def test_what_was_in_hand_by_chance_is_cleared_by_its_next_success(stack):
    """A worker that is ended from outside kills no source's name: each goes alone once, and that was it."""
    sources = [stack.app.add_source(f"n{n}", GOOD) for n in range(3)]
    for source in sources:
        stack.app.store.acquire_lease(source, holder="run_dead", now=START - timedelta(hours=2), until=START - timedelta(hours=1))
    assert [stack.app.head(s).open_leases for s in sources] == [1, 1, 1]

    stack.minute()

    assert [stack.app.head(s).open_leases for s in sources] == [0, 0, 0]
    assert [stack.app.schedule(s).succeeded_at for s in sources] == [stack.app.clock()] * 3
    assert stack.deaths == []


def test_an_unchanged_answer_ends_the_suspicion_too(stack):
    """It is a success like any other."""
    source = stack.app.add_source("a", GOOD)
    stack.minute()
    stack.app.store.acquire_lease(
        source, holder="run_dead", now=stack.app.clock(), until=stack.app.clock() + timedelta(minutes=5)
    )

    stack.hours(2, [])

    assert stack.app.head(source).open_leases == 0


def test_those_with_the_fewest_deaths_go_first_and_each_alone(stack):
    """So the one that kills keeps no other from being cleared."""
    sources = [stack.app.add_source(name, GOOD) for name in ("a", "b", "c", "d")]
    for source, deaths in zip(sources, (2, 0, 1, 0), strict=True):
        for number in range(deaths):
            at = START - timedelta(hours=9 - number)
            stack.app.store.acquire_lease(source, holder=f"run_{number}", now=at, until=at + timedelta(minutes=5))

    stack.minute()

    assert [source_id for source_id, _ in stack.app.fetcher.asked] == [sources[n].id for n in (1, 3, 2, 0)]


def test_a_suspect_waits_for_a_worker_with_time(stack):
    """With less than a minute left it is not begun, and stays due."""
    source = stack.app.add_source("a", GOOD)
    stack.app.store.acquire_lease(source, holder="run_dead", now=START - timedelta(hours=1), until=START)
    stack.app.bokit.tick()
    message = read_message(stack.app.queue.bodies.pop())

    report = stack.app.bokit.run_batch(message, seconds_left=lambda: 59.0)

    assert (report.left, stack.app.fetcher.asked, stack.app.schedule(source).due_at) == (1, [], START)
    stack.minute()
    assert len(stack.app.fetcher.asked) == 1


@pytest.mark.parametrize("trigger", [Trigger.MONITOR, Trigger.MANUAL])
def test_a_run_through_the_queue_leaves_a_given_up_source_for_its_day_unless_asked(stack, trigger):
    """A monitor skips it until it is due; a person's request tries it."""
    bad, good = stack.app.add_source("bad", Fetched(body=DEADLY)), stack.app.add_source("good", GOOD)
    stack.hours(2, [])
    died = len(stack.deaths)
    stack.app.bokit.queued_runs.trigger(SyncRequest(tenant=DEFAULT_TENANT, trigger=trigger, everything=True))
    body = stack.app.queue.bodies.pop()

    stack.deliver(body)

    assert len(stack.deaths) == died + (trigger is Trigger.MANUAL)
    assert stack.app.schedule(good).succeeded_at == stack.app.clock()
    if trigger is Trigger.MONITOR:
        run = stack.app.bokit.status.load_history(DEFAULT_TENANT).items[0]
        assert {r.source_id: r.outcome for r in run.sources}[bad.id] is Outcome.SKIPPED
        assert stack.app.queue.bodies == []


def test_a_death_anywhere_around_a_suspect_loses_nothing(stack, record_property):
    """Before and after each call to the store, the alerts and the fetcher: the next messages end as if nothing had been."""

    def live(die_at: int | None, *, after: bool = False) -> tuple[dict[str, Any], Calls]:
        made = Stack()
        sources = [made.app.add_source(f"n{n}", {"1": {"n": n}}) for n in range(3)]
        at = START - timedelta(hours=9)
        made.app.store.acquire_lease(sources[1], holder="run_dead", now=at, until=at + timedelta(minutes=5))
        made.app.bokit.tick()
        calls = Calls(die_at=die_at, die_after=after)
        body = made.app.queue.bodies.pop()
        try:
            made.open_worker(calls).work(read_message(body), seconds_left=lambda: 120.0)
        except Died:
            made.hidden.append((made.app.clock() + HIDDEN, body, 2))
        for _ in range(3 * 60):
            made.minute()
        heads = [made.app.head(s) for s in sources]
        end = {
            "records": [[(r.key, dict(r.remote), str(r.presence)) for r in made.app.records(s)] for s in sources],
            "heads": [(h.content_hash, h.failure, h.open_leases) for h in heads],
            "failures": [made.app.schedule(s).failures for s in sources],
            "late": [
                made.app.clock() - (made.app.schedule(s).succeeded_at or START) > timedelta(hours=1, minutes=1) for s in sources
            ],
            "notices": sorted(n.type for n in made.app.alerts.notices.values()),
        }
        return end, calls

    expected, calls = live(None)
    assert expected["late"] == [False] * 3
    points = [(n, after) for n in range(1, len(calls.names) + 1) for after in (False, True)]
    for n, after in points:
        found, died = live(n, after=after)
        assert died.deaths == 1
        assert found == expected, (n, after, calls.names)
    record_property("points", len(points))
    assert len(points) >= 40


# ── slow sources ──


def blocked_app(**given: Any) -> tuple[TestApp, Stack, Bokit]:
    """Return an app whose worker gives a claim back after a moment."""
    stack = Stack()
    return stack.app, stack, stack.open_worker(Calls(), patience=0.02, **given)


def test_a_batch_that_takes_long_gives_its_claim_back_and_the_others_go_on():
    """While one answers slowly, the lines of those that ended are stored, and what is due next is claimed by another worker."""
    app, stack, worker = blocked_app(concurrency=4)
    quick = [app.add_source(f"quick_{n}", GOOD, interval=60) for n in range(3)]
    released, seen = Event(), {}
    complete = app.store.complete_batch

    def note(*args: Any, **given: Any) -> None:
        complete(*args, **given)
        released.set()

    app.store.complete_batch = note

    def answer_slowly() -> dict[str, Any]:
        assert released.wait(30)
        shard = app.store.load_shards([quick[0].shard_id])[0]
        seen["holder"], seen["lines"] = shard.holder, dict(shard.schedules)
        app.clock.move(minutes=2)
        app.bokit.tick()
        seen["next"] = sorted(read_message(app.queue.bodies[-1]).source_ids)
        return GOOD

    slow = app.add_source("slow", answer_slowly, tenant=SLOW, interval=60)
    app.bokit.tick()
    worker.work(read_message(app.queue.bodies.pop()), seconds_left=lambda: 120.0)

    assert seen["holder"] is None
    assert seen["next"] == [s.id for s in quick]
    assert [seen["lines"][s.id].succeeded_at for s in quick] == [START] * 3
    assert (seen["lines"][slow.id].due_at, seen["lines"][slow.id].succeeded_at) == (START + CLAIM_TTL, None)
    line = app.schedule(slow)
    assert (line.succeeded_at, line.due_at < START + timedelta(minutes=3)) == (app.clock(), True)
    runs = {r.tenant: r for t in (DEFAULT_TENANT, SLOW) for r in app.bokit.status.load_history(t).items}
    assert {t: [s.source_id for s in r.sources] for t, r in runs.items()} == {
        DEFAULT_TENANT: [s.id for s in quick],
        SLOW: [slow.id],
    }
    del stack


def test_what_there_was_no_time_for_is_due_at_once_again():
    """After the claim was given back: its line is as it was."""
    app, _, worker = blocked_app(concurrency=1)
    released = Event()
    complete = app.store.complete_batch

    def note(*args: Any, **given: Any) -> None:
        complete(*args, **given)
        released.set()

    app.store.complete_batch = note
    app.add_source("a", lambda: GOOD if released.wait(30) else {})
    left = app.add_source("b", GOOD)
    app.bokit.tick()

    report = worker.work(read_message(app.queue.bodies.pop()), seconds_left=lambda: 10.0 if released.is_set() else 120.0)

    assert (report.left, app.schedule(left).due_at) == (1, START)
    app.clock.move(minutes=1)
    app.bokit.tick()
    assert read_message(app.queue.bodies.pop()).source_ids == (left.id,)


def test_what_one_source_raises_stays_its_own():
    """An interval that cannot be computed with, and an error where none is foreseen, become that source's failures."""
    app, _, worker = blocked_app(concurrency=4)
    good, odd, other = (app.add_source(name, GOOD) for name in ("good", "odd", "other"))
    sync = worker.source_sync.sync

    def fail_some(head: Any, *args: Any, **given: Any) -> Any:
        if head.source.id == odd.id:
            raise RuntimeError("unforeseen")
        result = sync(head, *args, **given)
        return replace(result, full_by="never") if head.source.id == other.id else result

    worker.source_sync.sync = fail_some  # type: ignore[method-assign]
    app.bokit.tick()

    report = worker.work(read_message(app.queue.bodies.pop()))

    assert [(s.source_id, s.outcome) for s in report.runs[0].sources] == [
        (good.id, Outcome.CHANGED),
        (odd.id, Outcome.FAILED),
        (other.id, Outcome.CHANGED),
    ]
    assert [app.schedule(s).failures for s in (good, odd, other)] == [0, 1, 1]
    assert all(app.schedule(s).due_at > START for s in (good, odd, other))
    assert app.store.load_shards([good.shard_id])[0].holder is None


def test_a_line_without_a_source_is_due_no_more(stack):
    """A batch that ended while its source was deleted wrote it again: it must not be claimed every minute for ever."""
    kept = stack.app.add_source("kept", GOOD)
    ghost = replace(stack.app.schedule(kept), tenant=SLOW)
    stack.app.store.save_source_schedule(kept.shard_id, SourceId("src_ghost"), ghost)

    stack.minute()

    lines = stack.app.store.load_shards([kept.shard_id])[0].schedules
    assert (lines[SourceId("src_ghost")].due_at, lines[kept.id].succeeded_at) == (None, stack.app.clock())
    stack.minute()
    assert stack.app.queue.bodies == []


def test_a_fetch_gets_what_the_host_still_gives(stack):
    """Without the seconds in which its result is saved; without a host that ends it, its own deadline alone holds."""
    stack.app.add_source("a", GOOD)
    stack.app.bokit.tick()
    message, given = read_message(stack.app.queue.bodies.pop()), []
    fetch = stack.app.fetcher.fetch

    def note(source: Source, **limits: Any) -> Fetched:
        given.append(limits.pop("seconds", None))
        return fetch(source, **limits)

    stack.app.fetcher.fetch = note
    stack.app.bokit.run_batch(message, seconds_left=lambda: 45.0)
    stack.app.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, everything=True))

    assert given == [35.0, None]


# ── fair shares ──


def test_tenants_share_the_threads_of_a_batch(stack):
    """Of eight threads a tenant of ninety slow sources gets four, as long as another has work."""
    slow = [stack.app.add_source(f"s{n:02d}", GOOD, tenant=SLOW) for n in range(90)]
    quick = [stack.app.add_source(f"q{n:02d}", GOOD) for n in range(20)]
    queue = HeadQueue([stack.app.head(s) for s in (*slow, *quick)])
    running, ended = deque(queue.take() for _ in range(8)), Counter()
    assert Counter(h.source.tenant for h in running) == {SLOW: 4, DEFAULT_TENANT: 4}

    while ended[DEFAULT_TENANT] < 20:  # quick ones end one after the other, slow ones not at all
        head = next(h for h in running if h.source.tenant == DEFAULT_TENANT)
        running.remove(head)
        queue.end(head)
        ended[DEFAULT_TENANT] += 1
        taken = queue.take()
        assert taken is not None
        running.append(taken)
        if ended[DEFAULT_TENANT] <= 16:
            assert Counter(h.source.tenant for h in running)[SLOW] == 4

    assert Counter(h.source.tenant for h in running) == {SLOW: 8}
    queue.clear()
    assert queue.take() is None
