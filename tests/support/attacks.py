"""Seven attacks by one tenant on the full local stack, and how fresh the sources of another tenant stay meanwhile.

    make attacks                                 all seven at once for 30 minutes, after 3 minutes without any
    make attacks MINUTES=3 EACH=1                one after the other, 3 minutes each

``python -m tests.support.attacks [MINUTES] [--each] [--only NAME] [--json FILE]`` starts a local cloud of its own, with
template.yaml deployed. Both tenants have their sources in one shard, all due every minute. The run fails where a source of the
neighbour was not read for more than two intervals, was in another state than ``ok``, or lacks a booking.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from time import sleep

from bokit.core.model.access import Role
from bokit.core.model.catalog import BOOKINGS, Source, Tenant, UnitId
from bokit.core.model.records import SourceId, TenantId
from bokit.engine.catalog.config.file import read_config
from bokit.engine.catalog.config.importing import import_config
from bokit.errors import BokitError
from local import stack
from local.place import REGION
from tests.support.api_client import Client
from tests.support.attack_feeds import AttackFeeds, bomb, grown, neighbour, one_stay, renamed, staircase
from tests.support.deployed import Deployed, make_place, open_stack, run_cloud, wait_until

ATTACKER, NEIGHBOUR = TenantId("attacker"), TenantId("neighbour")
INTERVAL = timedelta(seconds=60)
MOST_INTERVALS = 2.0
NEIGHBOURS = 10
"""Sources of the neighbour."""
BLOCKS = 1000
SLOW_SOURCES = 3
LOOK_SECONDS = 2.0
POISON = ("no batch", "{}", '{"run_id": 1, "source_ids": "all"}', "[" * 5000, "x" * 200_000)
HUGE = 999_999_999 * 86_400
"""Seconds of an interval that a former release stored."""


@dataclass
class Arena:
    """The stack with two tenants, and where their feeds are."""

    deployed: Deployed
    feeds: AttackFeeds
    attacker: Client
    neighbour: Client
    alerts_url: str
    sources: dict[str, SourceId] = field(default_factory=dict)
    """The neighbour's, by the name of their feeds."""
    stopped: threading.Event = field(default_factory=threading.Event)
    alerts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By tenant and type."""

    def add_unit(self, client: Client, name: str) -> str:
        """Add a property with one unit; return the unit's id."""
        place = client.ask("POST", "/properties", {"name": name, "timezone": "Europe/Rome"})[1]["id"]
        return str(client.ask("POST", "/units", {"name": name, "property_id": place})[1]["id"])

    def add_source(self, client: Client, unit: str, name: str, url: str) -> SourceId:
        """Add a source that is due every minute."""
        wanted = {"name": name, "unit_id": unit, "url": url, "interval": int(INTERVAL.total_seconds())}
        status, answer = client.ask("POST", "/sources", wanted)
        assert status == 201, answer
        return SourceId(answer["id"])

    def states(self, tenant: TenantId) -> dict[str, str]:
        """Return the state of each source of a tenant, by its name."""
        found = open_stack(self.deployed).status.load_status(tenant)["sources"]
        return {str(source["name"]): str(source["state"]) for source in found}

    def read_alerts(self) -> None:
        """Count what was sent to the alert topic since the last time."""
        queue = self.deployed.client("sqs")
        while letters := queue.receive_message(QueueUrl=self.alerts_url, MaxNumberOfMessages=10).get("Messages"):
            for letter in letters:
                text = json.loads(letter["Body"])["Message"]
                notice = json.loads(text) if text.startswith("{") else {}
                self.alerts[str(notice.get("tenant", "-")), str(notice.get("type", "alarm"))] += 1
                queue.delete_message(QueueUrl=self.alerts_url, ReceiptHandle=letter["ReceiptHandle"])


# ── the attacks ──


@dataclass
class Attack:
    """What one tenant does, and what is seen of it."""

    name: str
    begin: Callable[[Arena], None]
    """Adds what it needs; returns before the minutes begin."""
    go_on: Callable[[Arena], None] = lambda arena: None
    """Runs in a thread of its own, until the arena is stopped."""
    source: str = ""
    """The beginning of the names of its sources."""
    note: Callable[[Arena], str] = lambda arena: ""
    """Says at the end what became of it."""


def begin_huge_interval(arena: Arena) -> None:
    """Add a source, ask for intervals beyond all bounds, and store one as a former release did."""
    unit, feed = arena.add_unit(arena.attacker, "Huge"), arena.feeds.add("huge", one_stay)
    source = arena.add_source(arena.attacker, unit, "huge", feed)
    answers = [arena.attacker.ask("PUT", f"/options/{name}", {"value": value})[0] for name, value in HUGE_OPTIONS]
    answers.append(arena.attacker.ask("PATCH", f"/sources/{source}", {"interval": HUGE})[0])
    HUGE_ANSWERS.update(answers)
    for name, _ in HUGE_OPTIONS:
        arena.deployed.store.save_option(ATTACKER, name, HUGE)


SPANS = ("sync.interval", "sync.full_interval", "sync.cancel_after", "sync.stale_after")
HUGE_OPTIONS = tuple((name, value) for name in SPANS for value in ("999999999d", HUGE))
HUGE_ANSWERS: Counter[int] = Counter()


def note_huge_interval(arena: Arena) -> str:
    """Return what the API answered."""
    return f"answers {dict(HUGE_ANSWERS)}; {len(SPANS)} huge values stored beside the API"


def begin_feed(name: str, *bodies: Callable[[int], bytes]) -> Callable[[Arena], None]:
    """Return what adds a unit with a source for each body."""

    def begin(arena: Arena) -> None:
        unit = arena.add_unit(arena.attacker, name)
        for number, body in enumerate(bodies):
            feed = f"{name}-{number}"
            arena.add_source(arena.attacker, unit, feed, arena.feeds.add(feed, body))

    return begin


def note_feed(*names: str) -> Callable[[Arena], str]:
    """Return what counts fetches, bookings and conflicts of the attacker's unit."""

    def note(arena: Arena) -> str:
        fetches = sum(arena.feeds.fetches[f"/{name}.ics"] for name in names)
        units = _units_of(arena, names[0])
        records = [r for unit in units for r in arena.deployed.store.load_records(ATTACKER, BOOKINGS, unit)]
        conflicts = open_stack(arena.deployed).bookings.list_conflicts(ATTACKER, units)
        return f"{fetches} fetches, {len(records)} records, {len(conflicts)} open conflicts"

    return note


def _units_of(arena: Arena, feed: str) -> list[UnitId]:
    sources: Sequence[Source] = arena.deployed.store.load_sources(ATTACKER)
    return [UnitId(str(source.scope)) for source in sources if source.name == feed]


def begin_slow_api(arena: Arena) -> None:
    """Declare APIs that send one byte a second."""
    apis = [
        {
            "name": f"slow-{number}",
            "kind": "json",
            "url": arena.feeds.url(f"/slow-{number}.json"),
            "items": "data[]",
            "id": "id",
            "collection": f"slow{number}",
            "interval": int(INTERVAL.total_seconds()),
        }
        for number in range(SLOW_SOURCES)
    ]
    import_config(open_stack(arena.deployed).catalog, ATTACKER, read_config({"sources": apis}))


def note_slow_api(arena: Arena) -> str:
    """Return how often the APIs were asked."""
    fetches = sum(count for path, count in arena.feeds.fetches.items() if path.endswith(".json"))
    return f"{SLOW_SOURCES} APIs, {fetches} fetches"


BLOCK_ANSWERS: Counter[int] = Counter()


def go_on_blocks(arena: Arena) -> None:
    """Enter a thousand blocks of one night, four at a time."""
    unit, day = arena.add_unit(arena.attacker, "Blocks"), datetime.now(UTC).date() + timedelta(days=5)

    def enter(number: int) -> None:
        if arena.stopped.is_set():
            return
        start = day + timedelta(days=number)
        wanted = {"unit_id": unit, "kind": "block", "check_in": str(start), "check_out": str(start + timedelta(days=1))}
        BLOCK_ANSWERS[arena.attacker.ask("POST", "/bookings", wanted)[0]] += 1

    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(enter, range(BLOCKS)))


POISONED: Counter[str] = Counter()


def go_on_poison(arena: Arena) -> None:
    """Send messages that are not batches to both queues, every minute."""
    queue = arena.deployed.client("sqs")
    while not arena.stopped.is_set():
        for url in (arena.deployed.outputs["QueueUrl"], arena.deployed.outputs["SqlQueueUrl"]):
            for body in POISON:
                queue.send_message(QueueUrl=url, MessageBody=body)
                POISONED["sent"] += 1
        arena.stopped.wait(60)


def note_poison(arena: Arena) -> str:
    """Return how many messages were sent, and where they are."""
    dead = sum(arena.deployed.count(name) for name in ("SyncDeadLettersUrl", "SqlDeadLettersUrl"))
    waiting = sum(arena.deployed.count(name) for name in ("QueueUrl", "SqlQueueUrl"))
    return f"{POISONED['sent']} messages sent, {dead} in dead letters, {waiting} waiting or hidden"


ATTACKS = (
    Attack("huge interval", begin_huge_interval, source="huge", note=note_huge_interval),
    Attack("staircase", begin_feed("stairs", staircase), source="stairs", note=note_feed("stairs-0")),
    Attack("conflict bomb", begin_feed("bomb", one_stay, bomb), source="bomb", note=note_feed("bomb-1")),
    Attack("slow JSON API", begin_slow_api, source="slow", note=note_slow_api),
    Attack("renaming feed", begin_feed("renamed", renamed), source="renamed", note=note_feed("renamed-0")),
    Attack("1,000 blocks", lambda arena: None, go_on_blocks, note=lambda arena: f"answers {dict(BLOCK_ANSWERS)}"),
    Attack("poison message", lambda arena: None, go_on_poison, note=note_poison),
)


# ── the neighbour ──


@dataclass
class Watch:
    """When each source of the neighbour was read well, as its schedule says."""

    arena: Arena
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    read_at: dict[SourceId, list[datetime]] = field(default_factory=dict)
    states: Counter[str] = field(default_factory=Counter)

    def look(self) -> None:
        """Note what is new since the last look."""
        store = self.arena.deployed.store
        shards = {source.shard_id for source in store.load_sources(NEIGHBOUR)}
        for shard in store.load_shards(sorted(shards)):
            for source_id in self.arena.sources.values():
                line = shard.schedules.get(source_id)
                times = self.read_at.setdefault(source_id, [])
                if line and line.succeeded_at and line.succeeded_at not in times[-1:]:
                    times.append(line.succeeded_at)
        self.ended = datetime.now(UTC)

    def watch(self, minutes: float) -> None:
        """Look again and again, and at the states as the tenant sees them each quarter of a minute."""
        until, number = datetime.now(UTC) + timedelta(minutes=minutes), 0
        while datetime.now(UTC) < until:
            self.look()
            if number % 8 == 0:
                self.states.update(self.arena.states(NEIGHBOUR).values())
            number += 1
            sleep(LOOK_SECONDS)
        self.look()

    def syncs(self) -> int:
        """Return how many syncs ended well since the watch began."""
        return sum(at > self.begun for times in self.read_at.values() for at in times)

    def longest_gap(self) -> float:
        """Return the longest time without a good sync of any source, in intervals; until the end of the watch, too."""
        assert self.ended
        if not all(self.read_at.values()):
            return float("inf")
        gaps = [b - a for times in self.read_at.values() for a, b in pairwise([*times, self.ended])]
        return max(gaps) / INTERVAL


@dataclass
class Measured:
    """One row of the table."""

    attack: str
    minutes: float
    syncs: int
    longest_gap: float
    states: dict[str, int]
    lacking: int
    attacker: dict[str, dict[str, str]]
    notes: dict[str, str]
    alerts: dict[str, int]

    @property
    def is_good(self) -> bool:
        """Return whether the neighbour felt nothing of it."""
        return self.longest_gap <= MOST_INTERVALS and set(self.states) == {"ok"} and not self.lacking and self.syncs > 0


def count_lacking(arena: Arena) -> int:
    """Return how many bookings the neighbour's calendars showed at the fetch before the last, and the table lacks."""
    lacking = 0
    for name, source_id in arena.sources.items():
        source = arena.deployed.store.load_source(NEIGHBOUR, source_id)
        records = [r for r in arena.deployed.store.load_records(NEIGHBOUR, BOOKINGS, source.scope) if r.source_id == source_id]
        shown = grown(max(0, arena.feeds.fetches[f"/{name}.ics"] - 2))
        lacking += max(0, shown - len(records))
    return lacking


def measure(arena: Arena, attacks: Sequence[Attack], minutes: float, name: str) -> Measured:
    """Let the attacks run for *minutes*, and return what the neighbour had of it."""
    arena.stopped.clear()
    arena.read_alerts()
    arena.alerts.clear()
    for attack in attacks:
        attack.begin(arena)
    threads = [threading.Thread(target=attack.go_on, args=(arena,), daemon=True) for attack in attacks]
    for thread in threads:
        thread.start()
    watch = Watch(arena)
    watch.watch(minutes)
    arena.stopped.set()
    for thread in threads:
        thread.join(60)
    arena.read_alerts()
    states = arena.states(ATTACKER)
    return Measured(
        attack=name,
        minutes=minutes,
        syncs=watch.syncs(),
        longest_gap=round(watch.longest_gap(), 2),
        states=dict(watch.states),
        lacking=count_lacking(arena),
        attacker={a.name: {n: s for n, s in states.items() if a.source and n.startswith(a.source)} for a in attacks},
        notes={a.name: a.note(arena) for a in attacks},
        alerts={f"{tenant} {kind}": count for (tenant, kind), count in sorted(arena.alerts.items())},
    )


def pause_attacker(arena: Arena) -> None:
    """End the sources of an attack that is over."""
    sources = open_stack(arena.deployed).catalog.sources
    for source in arena.deployed.store.load_sources(ATTACKER):
        try:
            sources.pause(ATTACKER, source.id)
        except BokitError as error:
            print(f"not paused: {source.name}: {error}", file=sys.stderr)


@contextmanager
def open_arena(folder: Path) -> Iterator[Arena]:
    """Deploy a stack with the two tenants; the neighbour's sources were all read once."""
    feeds = AttackFeeds()
    try:
        with contextmanager(run_cloud)(folder / "cloud", stack.build_stack(make_place(folder / "built"))) as deployed:
            arena = make_arena(deployed, feeds)
            wait_until(lambda: set(arena.states(NEIGHBOUR).values()) == {"ok"}, 180)
            yield arena
    finally:
        feeds.stop()


def make_arena(deployed: Deployed, feeds: AttackFeeds) -> Arena:
    """Add the tenants, the neighbour's sources, and a queue that gets what the alert topic sends."""
    opened = open_stack(deployed)
    for tenant in (ATTACKER, NEIGHBOUR):
        opened.store.save_tenant(Tenant(id=tenant, name=tenant, created_at=datetime.now(UTC)))
    attacker, other = (
        Client(deployed=deployed, tenant=t, token=opened.access.create(t, Role.ADMIN)[1]) for t in (ATTACKER, NEIGHBOUR)
    )
    arena = Arena(deployed, feeds, attacker, other, subscribe(deployed))
    for number in range(NEIGHBOURS):
        name = f"neighbour-{number}"
        unit = arena.add_unit(arena.neighbour, name)
        arena.sources[name] = arena.add_source(arena.neighbour, unit, name, feeds.add(name, neighbour))
    return arena


def subscribe(deployed: Deployed) -> str:
    """Return the address of a queue that gets every alert."""
    queues = deployed.client("sqs")
    url = queues.create_queue(QueueName="attack-alerts")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    deployed.client("sns").subscribe(TopicArn=deployed.outputs["AlertTopicArn"], Protocol="sqs", Endpoint=arn)
    return str(url)


# ── the table ──


def print_rows(rows: Sequence[Measured]) -> None:
    """Print what was measured, as two tables."""
    print(f"\n{NEIGHBOURS} sources of the neighbour, an interval of {INTERVAL.total_seconds():.0f} s")
    print("| attack | minutes | syncs | longest gap, intervals | states seen | bookings lacking | |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        verdict = "" if row.is_good else "NOT WITHIN TWO INTERVALS"
        print(
            f"| {row.attack} | {row.minutes:g} | {row.syncs} | {row.longest_gap:.2f} | {row.states} | {row.lacking} | {verdict} |"
        )
    print("\n| attack | the attacker's sources | what became of it |\n| --- | --- | --- |")
    for row in rows:
        for name, note in row.notes.items():
            print(f"| {name} | {row.attacker[name] or '–'} | {note} |")
    for row in rows:
        print(f"alerts, {row.attack}: {row.alerts or 'none'}")


def be_nobody() -> None:
    """Use credentials of nobody, and no address from the environment."""
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure without attacks, then with all, or with each; return 1 where the neighbour felt one."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.attacks", description=str(__doc__).partition("\n")[0])
    parser.add_argument("minutes", nargs="?", type=float, default=30)
    parser.add_argument("--each", action="store_true", help="one attack after the other")
    parser.add_argument("--only", action="append", choices=[a.name for a in ATTACKS], help="this attack alone")
    parser.add_argument("--control", type=float, default=3, help="minutes without attacks, first")
    parser.add_argument("--json", type=Path, help="write the rows here, too")
    given = parser.parse_args(arguments)
    be_nobody()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the local cloud is stopped then, too
    attacks = [a for a in ATTACKS if not given.only or a.name in given.only]
    with tempfile.TemporaryDirectory(prefix="bokit-attacks-") as folder, open_arena(Path(folder)) as arena:
        rows = [measure(arena, [], given.control, "none")] if given.control else []
        for group in [[a] for a in attacks] if given.each else [attacks]:
            name = group[0].name if len(group) == 1 else "all at once" if group == list(ATTACKS) else "several at once"
            rows.append(measure(arena, group, given.minutes, name))
            print(f"{name}: longest gap {rows[-1].longest_gap:.2f} intervals", file=sys.stderr, flush=True)
            pause_attacker(arena)
    print_rows(rows)
    if given.json:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    return int(not all(row.is_good for row in rows))


if __name__ == "__main__":
    sys.exit(main())
