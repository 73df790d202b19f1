"""Random bookings, blocks, cancellations and moves, at the rates measured on real feeds."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from simulator.faults import SILENT_FAULTS
from simulator.model import DAY, Feed, LogEntry, SimulatedStay
from simulator.world import World

HOUR_OF_DAY = 1 / 24
BOOKINGS = 0.35 * HOUR_OF_DAY
"""New bookings per listing and hour, if the nights are free."""
BLOCKS = 0.03 * HOUR_OF_DAY
CANCELLATIONS = 0.0025 * HOUR_OF_DAY
"""Per upcoming stay and hour: about 12 % of the stays booked seven weeks ahead."""
MOVES = 0.0015 * HOUR_OF_DAY
"""Per upcoming stay and hour; 64 of 899 measured reservations moved."""
RETURNS = 0.03
"""Per hour, in the first three days after a cancellation, of the one stay in ten that may return."""
FAULTS = 10 * 4 / 12_437
"""Faults with status 200 per feed and hour: ten times the rate measured at Airbnb, so a month has some."""
NIGHTS = (1, 1, 2, 2, 2, 3, 3, 3, 4, 5, 7, 7, 10, 14)


def live(world: World, days: float = 0, *, hours: float = 0, faulty: bool = False, doubles: float = 1.0) -> list[LogEntry]:
    """Let time pass hour by hour with random changes, and with faults if *faulty*; return the changes.

    *doubles* is the share of guests who book or close nights although another feed of the unit has them taken: 1 where
    nothing links the feeds of a unit, less where something does.
    """
    before = len(world.log)
    for _ in range(round(days * 24 + hours)):
        world.advance(hours=1)
        _live_hour(world, faulty=faulty, doubles=doubles)
    return world.log[before:]


def _live_hour(world: World, *, faulty: bool, doubles: float) -> None:
    rng = Random(f"{world.seed}/life/{world.now.isoformat()}")
    for feed in list(world.feeds.values()):
        if rng.random() < BOOKINGS:
            _add_stay(world, feed, rng, is_block=False, doubles=doubles)
        if rng.random() < BLOCKS:
            _add_stay(world, feed, rng, is_block=True, doubles=doubles)
        if faulty and rng.random() < FAULTS:
            world.fault(feed.name, rng.choice(SILENT_FAULTS), times=rng.choice((1, 1, 1, 2, 3)))
    today = {name: world.today(name) for name in world.feeds}
    for stay in list(world.stays.values()):
        if stay.check_in > today[stay.feed] and not stay.every_days:
            _change_stay(world, stay, rng)


def _add_stay(world: World, feed: Feed, rng: Random, *, is_block: bool, doubles: float) -> None:
    """Book or block free nights, near dates more often than far ones; do nothing if they are taken."""
    start = world.today(feed.name) + timedelta(days=int(rng.expovariate(1 / 50)))
    end = start + DAY * rng.choice(NIGHTS)
    if not world.is_free(feed.name, start, end):
        return
    if doubles < 1 and not _is_free_elsewhere(world, feed, start, end) and rng.random() >= doubles:
        return
    if is_block:
        world.block(feed.name, start, end)
    else:
        world.book(feed.name, start, end, tentative=rng.random() < 0.05)


def _is_free_elsewhere(world: World, feed: Feed, start: date, end: date) -> bool:
    """Return whether the nights are free on the other feeds of the feed's unit."""
    others = (f for f in world.feeds.values() if f != feed and (f.property, f.unit) == (feed.property, feed.unit))
    return all(world.is_free(other.name, start, end) for other in others)


def _change_stay(world: World, stay: SimulatedStay, rng: Random) -> None:
    """Cancel, move or bring back an upcoming stay, each at its rate."""
    chance = rng.random()
    if not stay.is_active:
        if chance < RETURNS and _may_return(world, stay):
            world.bring_back(stay.id)
    elif chance < CANCELLATIONS:
        world.cancel(stay.id)
    elif chance < CANCELLATIONS + MOVES and stay.kind == "reservation":
        _move_stay(world, stay, rng)


def _may_return(world: World, stay: SimulatedStay) -> bool:
    """Return whether a cancelled stay may return: one in ten, within three days, if its nights are still free."""
    return (
        stay.number % 10 == 3
        and world.now - stay.changed_at <= timedelta(days=3)
        and world.is_free(stay.feed, stay.check_in, stay.check_out)
    )


def _move_stay(world: World, stay: SimulatedStay, rng: Random) -> None:
    """Shift a stay by some days, or rarely by a year, if the new nights are free."""
    shift = DAY * rng.choice((-7, -2, -1, 1, 1, 2, 3, 7, 14, 365))
    start, end = stay.check_in + shift, stay.check_out + shift + DAY * rng.choice((-1, 0, 0, 0, 1))
    if start > world.today(stay.feed) and end > start and world.is_free(stay.feed, start, end, but=stay.id):
        world.move(stay.id, start, end)
