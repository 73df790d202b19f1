"""The simulator's truth against the engine, for every platform, whatever happens: none of four errors is ever made.

1. A night that a guest or the owner holds is shown open.
2. A booking that nobody cancelled is cancelled.
3. A booking is made that nobody made.
4. A night stays held that has long been free.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from bokit.core.bookings.rules import BookingRules
from bokit.core.bookings.stay import held_nights, is_window
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, Source
from bokit.core.model.merge import edit_record
from bokit.core.model.options import Options
from bokit.core.model.records import Presence, Record, RunId, SourceId
from bokit.core.model.runs import Trigger
from bokit.core.model.scheduling import Head, SourceSchedule
from bokit.engine.sync.job import StepRecorder, SyncJob
from bokit.engine.sync.kinds import SourceKind
from bokit.engine.sync.sync import SourceSync
from bokit.sources.protocols import Fetched
from bokit.store.memory.store import MemoryStore
from simulator.faults import SILENT_FAULTS
from simulator.life import live
from simulator.model import SimulatedStay
from simulator.world import World
from tests.support.builders import a_source

HOUR = timedelta(hours=1)
numbers = st.integers(0, 10**6)


class DirectFetcher:
    """Fetches from the world without a network, and is its clock."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name

    def fetch(
        self, source: Source, *, etag: str | None = None, last_modified: str | None = None, seconds: float | None = None
    ) -> Fetched:
        return Fetched(body=self.world.answer(self.name).body)

    def clock(self):
        return self.world.now


class Machine(RuleBasedStateMachine):
    """Guests, owners, faults, edits and restarts in any order; the engine syncs between them."""

    platform = ""
    options: dict[str, object] = {}

    @initialize(seed=numbers)
    def open_house(self, seed):
        self.world, self.name = World(seed=seed), f"{self.platform}/flat"
        self.world.add_feed(self.name, timezone="Europe/Rome", **self.options)
        self.direct, self.store = DirectFetcher(self.world, self.name), MemoryStore()
        self.schedule = SourceSchedule(tenant=DEFAULT_TENANT, due_at=None, interval=HOUR)
        source = a_source(id=SourceId("src_flat"), timezone="Europe/Rome", shard_id=self.store.pick_shard(1))
        self.source = self.store.save_source(Head(source=source), self.schedule)
        self.edits: dict[str, str] = {}
        self.closed_lately: set[date] = set()
        self.closed_at: dict[date, datetime] = {}
        self.restart()
        for week in range(2, 6):
            self.world.book(self.name, self.day(7 * week + 4), self.day(7 * week + 6))
        self.sync()

    # what happens

    @rule()
    def restart(self):
        """The process ends, and another begins on the same store."""
        kinds = {"ical": SourceKind(fetcher=self.direct, rules=BookingRules(), collection=BOOKINGS)}
        self.engine = SourceSync(self.store, kinds, self.direct.clock)

    @rule(first=st.integers(1, 60), length=st.integers(1, 7), is_block=st.booleans())
    def close(self, first, length, is_block):
        start, end = self.day(first), self.day(first + length)
        if self.world.is_free(self.name, start - timedelta(days=1), end + timedelta(days=1)):
            (self.world.block if is_block else self.world.book)(self.name, start, end)
        self.sync()

    @rule(which=numbers, shift=st.sampled_from((-3, -1, 1, 2, 5, 30)), longer=st.integers(-2, 2))
    def move(self, which, shift, longer):
        if stay := self.pick(self.coming(), which):
            start = stay.check_in + timedelta(days=shift)
            end = stay.check_out + timedelta(days=shift + longer)
            if self.day(1) < start < end and self.world.is_free(self.name, start, end, but=stay.id):
                self.world.move(stay.id, start, end)
        self.sync()

    @rule(which=numbers)
    def cancel(self, which):
        if stay := self.pick(self.coming(), which):
            self.world.cancel(stay.id)
        self.sync()

    @rule(which=numbers)
    def bring_back(self, which):
        lost = [s for s in self.world.stays.values() if s.cancelled and s.check_in > self.day(1)]
        stay = self.pick(lost, which)
        if stay and self.world.is_free(self.name, stay.check_in, stay.check_out):
            self.world.bring_back(stay.id)
        self.sync()

    @rule(hours=st.integers(1, 40))
    def wait(self, hours):
        self.world.advance(hours=hours)
        self.sync()

    @rule(kind=st.sampled_from(SILENT_FAULTS), times=st.integers(1, 4), pause=st.integers(1, 30))
    def go_wrong(self, kind, times, pause):
        """A period of wrong answers, days long where they can be detected, and a right one after it."""
        pause = min(pause, 5) if kind == "half" else pause
        if kind == "other-listing" and not self.is_distinguishable():
            return
        before = {r.id for r in self.bookings()}
        self.world.fault(self.name, kind, times=times)
        for _ in range(times):
            self.world.advance(hours=pause)
            self.run()
            assert self.still_to_come(self.closed_lately) <= self.held(), f"{kind} opened a night"
            assert kind != "other-listing" or {r.id for r in self.bookings()} == before, "a ghost"
        self.world.clear()
        self.sync()

    @rule(which=numbers, name=st.sampled_from(("Rosa's aunt", "the plumber", "Zoé")))
    def edit(self, which, name):
        if record := self.pick([r for r in self.bookings() if r.presence is Presence.PRESENT], which):
            changed, action = edit_record(record, {"guest_name": name}, "user:rosa", self.world.now)
            self.store.apply_records([changed], [action], lease=None)
            self.edits[record.id] = name
        self.sync()

    @precondition(lambda self: bool(self.coming()))
    @rule()
    def live_quietly(self):
        """Three days without a change, and a person who settles what asks for one: then all is as it truly is."""
        for _ in range(14):
            self.world.advance(hours=3)
            self.sync()
        if (hold := self.head().hold) is not None:
            self.settle(hold.plan_hash)
        for _ in range(10):
            self.world.advance(hours=3)
            self.sync()
        long_free = {night for night in self.held() if self.world.now - self.closed_at[night] > timedelta(hours=48)}
        assert not long_free, "a night stays held that has long been free"
        assert self.head().hold is None

    # what must hold

    @invariant()
    def edits_survive(self):
        values = {r.id: r.fields["guest_name"] for r in self.bookings() if r.id in self.edits}
        assert values == self.edits

    def sync(self) -> None:
        """Fetch the feed as it rightly is, and look for the four sins."""
        self.run()
        self.closed_lately = set(self.world.truth().closed[self.name])
        self.closed_at |= dict.fromkeys(self.closed_lately, self.world.now)
        assert self.closed_lately <= self.held(), "a held night is shown open"
        if self.head().hold is None:
            self.check_bookings()

    def check_bookings(self) -> None:
        """Look for what nobody made, and for what nobody cancelled. What is held by a guard is as it was before."""
        mine = list(self.spans())
        shown = [r for r in self.bookings() if r.presence is Presence.PRESENT and self.nights(r)]
        assert len(shown) <= len(mine), "a booking that nobody made"
        assert all(any(self.nights(r) & span for span in mine) for r in shown), "a booking that nobody made"
        gone = {r.remote["reservation_code"] for r in self.bookings() if r.presence is Presence.GONE and self.is_coded(r)}
        body = self.world.render(self.name).replace(b"\r\n ", b"").decode()
        assert not [code for code in gone if code in body], "a booking that nobody cancelled"

    # inside

    def run(self) -> None:
        self.engine.sync(self.head(), self.schedule, self.job())

    def settle(self, plan_hash: str) -> None:
        self.engine.settle(self.head(), self.job(approved=plan_hash), StepRecorder(self.direct.clock))

    def job(self, **given: str) -> SyncJob:
        return SyncJob(run_id=RunId("run_1"), trigger=Trigger.CLI, started_at=self.world.now, options=Options(), **given)

    def head(self) -> Head:
        return self.store.load_head(self.source)

    def day(self, number: int) -> date:
        return self.world.today(self.name) + timedelta(days=number)

    def coming(self) -> list[SimulatedStay]:
        return [s for s in self.world.truth().active(self.name) if s.check_in > self.day(1)]

    def spans(self) -> Iterator[set[date]]:
        """The nights to come of each stay and block that is true."""
        for stay in self.world.truth().active(self.name):
            if found := self.still_to_come({night for span in stay.spans for night in span.nights()}):
                yield found

    def still_to_come(self, nights: set[date]) -> set[date]:
        return {night for night in nights if night >= self.day(0)}

    def records(self) -> list[Record]:
        return list(self.store.load_records(DEFAULT_TENANT, BOOKINGS, self.source.scope))

    def bookings(self) -> list[Record]:
        return [r for r in self.records() if not is_window(r)]

    def nights(self, record: Record) -> set[date]:
        return self.still_to_come(held_nights(record))

    def held(self) -> set[date]:
        return {night for record in self.records() for night in self.nights(record)}

    def is_coded(self, record: Record) -> bool:
        return bool(record.remote.get("reservation_code"))

    def is_distinguishable(self) -> bool:
        """Whether the simulator's other listing has neither a first nor a last day in common with ours."""
        starts = {self.day(7 * week): 1 + week % 4 for week in range(1, 7)}
        theirs = set(starts) | {start + timedelta(days=length) for start, length in starts.items()}
        coming = self.coming()
        shown = [r for r in self.bookings() if r.presence is Presence.PRESENT and self.nights(r)]
        return bool(coming and shown) and not any(
            {s.check_in, s.check_out} & theirs for s in self.world.truth().active(self.name)
        )

    @staticmethod
    def pick(choices, which):
        return choices[which % len(choices)] if choices else None


CASES = [
    ("airbnb", {"notice_days": 1, "open_days": 200}),
    ("airbnb", {"form": "0.8.8"}),
    ("booking_com", {"open_until": "2027-06-01"}),
    ("booking_com", {"era": "whole"}),
    ("vrbo", {}),
    ("beds24", {}),
    ("google", {}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("platform", "options"), CASES, ids=lambda value: value if isinstance(value, str) else "-".join(value))
def test_none_of_the_four_errors_is_made(platform, options):
    """Whatever happens to a listing and its feed, no sin is committed, on any platform."""
    machine = type("Played", (Machine,), {"platform": platform, "options": options})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=8,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            phases=(Phase.explicit, Phase.generate),
            report_multiple_bugs=False,
        ),
    )


@pytest.mark.slow
@pytest.mark.parametrize(("platform", "options"), CASES, ids=lambda value: value if isinstance(value, str) else "-".join(value))
@pytest.mark.parametrize("kind", SILENT_FAULTS)
def test_a_long_spell_of_wrong_answers_makes_no_error(platform, options, kind):
    """Each wrong answer, three days long where it can be detected, opens no night and makes no booking."""
    machine = type("Spoilt", (Machine,), {"platform": platform, "options": options})()
    machine.open_house(seed=5)
    machine.go_wrong(kind=kind, times=4, pause=26)
    machine.live_quietly()


@pytest.mark.slow
def test_a_life_of_a_month_makes_no_error():
    """A month of a listing's life, hour by hour, with faults: no night that is held is ever shown open."""
    machine = type("Lived", (Machine,), {"platform": "airbnb", "options": {"open_days": 300}})()
    machine.open_house(seed=11)
    hours = list(range(24 * 30))
    for _hour, _next in pairwise(hours):
        live(machine.world, hours=1)
        machine.sync()
