"""The values of the score: channels, fetches, what a policy holds, and the protocol that a policy fulfils."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from simulator.faults import SimulatedResponse
from simulator.model import DAY, SimulatedStay


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One feed of a unit."""

    name: str
    """``<platform>/<listing>``."""
    platform: str
    unit: str
    timezone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """What a policy is given: one response of one channel, at one time."""

    channel: Channel
    at: datetime
    """In UTC."""
    response: SimulatedResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A fetch with the truth beside it, which no policy sees."""

    fetch: Fetch
    today: date
    """In the channel's timezone."""
    fault: str | None
    """What is wrong with the response."""
    is_good: bool
    """Whether the response shows every event as it is."""
    stays: tuple[SimulatedStay, ...]
    """The active stays and blocks of the channel."""
    windows: frozenset[date]
    """Nights closed by the platform's own rules and by no stay."""
    note_on: str | None = None
    """The stay on which a person writes a note after this fetch, by its id in the world."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tape:
    """One seeded world, hour by hour: equal for every policy."""

    seed: int
    channels: tuple[Channel, ...]
    steps: tuple[Step, ...]
    changes: int
    """Stays and blocks that were booked, moved, cancelled or brought back since the first fetch."""

    def units(self) -> dict[str, tuple[Channel, ...]]:
        """Return the channels of each unit."""
        names = dict.fromkeys(channel.unit for channel in self.channels)
        return {name: tuple(c for c in self.channels if c.unit == name) for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldStay:
    """A stay as a policy holds it: the nights ``[check_in, check_out)``, and a person's note."""

    check_in: date
    check_out: date
    note: str = ""

    def nights(self, since: date = date.min) -> frozenset[date]:
        """Return its nights from *since* on."""
        start = max(self.check_in, since)
        return frozenset(start + DAY * n for n in range((self.check_out - start).days))


class Policy(Protocol):
    """What follows feeds, and is scored. :class:`simulator.score.policies.Rows` has all but :meth:`read`."""

    def read(self, fetch: Fetch) -> None:
        """Take in one response."""

    def stays(self, channel: Channel) -> Mapping[str, HeldStay]:
        """Return the stays that it holds of *channel*, by ids of its own."""

    def held(self, channels: Sequence[Channel]) -> Set[date]:
        """Return the nights that it holds closed for a unit with these channels."""

    def conflicts(self, channels: Sequence[Channel]) -> Set[date]:
        """Return the nights of a unit that it reports as taken twice."""

    def write_note(self, channel: Channel, stay_id: str, note: str) -> None:
        """Write a person's note on a stay."""

    def close(self) -> None:
        """End what it started."""
