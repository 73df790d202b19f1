"""Seeded worlds for the score: two units on five platforms, guests and owners at measured rates, and a plan of faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from simulator.faults import HARMLESS_FAULTS
from simulator.life import live
from simulator.model import DAY, Feed, GroundTruth, SimulatedStay
from simulator.score.model import Channel, Fetch, Step, Tape
from simulator.world import World

STARTS = tuple(datetime(2026, *day, 9, 0, tzinfo=UTC) for day in ((11, 20), (3, 10), (7, 1), (10, 5), (1, 12)))
"""By seed: winter, and both changes of the clock."""
LIVED_BEFORE = timedelta(days=60)
DOUBLES = 0.1
"""The share of guests who book nights that another channel of the unit has taken: the owner closes most by hand."""
NOTES = 0.012
"""Notes that a person writes, per channel and hour: about one in three days and a half."""
FAULTS = (
    ("other-listing", (30, 1, 6)),
    ("stale", (30,)),
    ("empty-calendar", (80, 1, 2)),
    ("half-and-ghosts", (1, 6)),
    ("half", (1, 6)),
    ("prodid-glitch", (3,)),
    ("bad-date", (1, 3)),
    ("truncated", (1, 2)),
    ("empty-body", (2,)),
    ("html", (3,)),
    ("json", (1,)),
    ("404", (12,)),
    ("503", (6,)),
)
"""Each kind of fault, and for how many hours it is met, in as many places of the run."""
CALM = (20, 40)
"""Hours between two faults, and before the first."""
KEEPS_IDENTITY = frozenset({"airbnb", "beds24", "google"})
"""Platforms whose UID stays the same when a stay is moved."""


def record_tape(seed: int, days: int) -> Tape:
    """Return *days* of the world of *seed*, fetched every hour on every channel."""
    recorder = Recorder(_new_world(seed))
    plans = {name: dict(plan_faults(Random(f"{seed}/faults/{name}"), days * 24)) for name in recorder.world.feeds}
    for hour in range(days * 24):
        live(recorder.world, hours=1, doubles=DOUBLES)
        for name, plan in plans.items():
            if hour in plan:
                kind, hours = plan[hour]
                recorder.world.fault(name, kind, hours=hours)
        recorder.fetch()
    return recorder.tape()


class Recorder:
    """Records what the channels of a world answer, with the truth beside it."""

    def __init__(self, world: World, notes: float = NOTES) -> None:
        self.world, self._before = world, len(world.log)
        self.channels = tuple(_channel(feed) for feed in world.feeds.values())
        self._writers = {c.name: _NoteWriter(Random(f"{world.seed}/notes/{c.name}"), notes) for c in self.channels}
        self._steps: list[Step] = []

    def fetch(self) -> None:
        """Fetch every channel now."""
        truth = self.world.truth()
        self._steps += [_fetch(self.world, channel, truth, self._writers[channel.name]) for channel in self.channels]

    def tape(self) -> Tape:
        """Return what was recorded."""
        changes = sum(entry.what != "changed" for entry in self.world.log[self._before :])
        return Tape(seed=self.world.seed, channels=self.channels, steps=tuple(self._steps), changes=changes)


def _new_world(seed: int) -> World:
    """Return a world in which guests have booked for two months."""
    world = World(seed=seed, now=STARTS[seed % len(STARTS)] - LIVED_BEFORE)
    flat = {"property": "Villa Rosa", "unit": "Garden flat", "timezone": "Europe/Rome"}
    loft = {"property": "Harbour House", "unit": "Quay loft", "timezone": "Europe/Lisbon"}
    world.add_feed("airbnb/garden-flat", **flat, notice_days=1, open_days=330)
    world.add_feed("booking_com/garden-flat", **flat, open_until=world.now.date() + LIVED_BEFORE + DAY * 340)
    world.add_feed("vrbo/quay-loft", **loft)
    world.add_feed("beds24/quay-loft", **loft)
    world.add_feed("google/quay-loft", **loft)
    live(world, days=LIVED_BEFORE.days, doubles=DOUBLES)
    return world


def _channel(feed: Feed) -> Channel:
    return Channel(name=feed.name, platform=feed.platform, unit=feed.unit, timezone=feed.timezone)


def plan_faults(rng: Random, hours: int) -> Iterator[tuple[int, tuple[str, int]]]:
    """Yield the hours at which faults begin, as many as there is time for."""
    faults = [(kind, span) for kind, spans in FAULTS for span in spans]
    rng.shuffle(faults)
    at = rng.randint(*CALM)
    for kind, span in faults:
        if at + span + CALM[1] > hours:
            continue
        yield at, (kind, span)
        at += span + rng.randint(*CALM)


def _fetch(world: World, channel: Channel, truth: GroundTruth, writer: _NoteWriter) -> Step:
    """Return what the channel answers now, beside the truth."""
    fault = world.fault_now(channel.name)
    response = world.answer(channel.name)
    is_good = fault is None or fault in HARMLESS_FAULTS
    stays = truth.active(channel.name)
    return Step(
        fetch=Fetch(channel=channel, at=world.now, response=response),
        today=world.today(channel.name),
        fault=fault,
        is_good=is_good,
        stays=stays,
        windows=truth.windows[channel.name],
        note_on=writer.choose(world, stays, is_good=is_good),
    )


@dataclass(slots=True)
class _NoteWriter:
    """A person who writes a note on upcoming reservations now and then, each once."""

    rng: Random
    chance: float
    """Of writing one after a fetch."""
    shown: list[SimulatedStay] = field(default_factory=list)
    noted: set[str] = field(default_factory=set)

    def choose(self, world: World, stays: tuple[SimulatedStay, ...], *, is_good: bool) -> str | None:
        """Return the id of a reservation that the last good response showed, or None."""
        if is_good:
            self.shown = [stay for stay in stays if stay.kind == "reservation" and stay.check_in > world.now.date() + DAY]
        open_stays = [s.id for s in self.shown if s.id not in self.noted and world.stay(s.id) == s]
        if self.rng.random() >= self.chance or not open_stays:
            return None
        chosen = self.rng.choice(open_stays)
        self.noted.add(chosen)
        return chosen
