"""What guests and owners do by themselves: an hour of it, at the rates that real feeds show."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

from simulator.faults import SILENT
from simulator.truth import DAY, Feed, Stay

if TYPE_CHECKING:
    from simulator.world import World

HOUR_OF_DAY = 1 / 24
BOOKINGS = 0.35 * HOUR_OF_DAY
"""New bookings a listing and hour, where there is room."""
BLOCKS = 0.03 * HOUR_OF_DAY
CANCELLATIONS = 0.0025 * HOUR_OF_DAY
"""An upcoming stay and hour: some 12 % of stays that are booked seven weeks ahead."""
MOVES = 0.0015 * HOUR_OF_DAY
"""64 of 899 measured reservations moved."""
RETURNS = 0.03
"""Of the cancelled stays, an hour of the first three days; about one in ten of them may."""
FAULTS = 10 * 4 / 12_437
"""Wrong answers with status 200: ten times what was measured at Airbnb, so that a month of life meets some."""
NIGHTS = (1, 1, 2, 2, 2, 3, 3, 3, 4, 5, 7, 7, 10, 14)


def live_hour(world: World, *, faulty: bool = False) -> None:
    """Do to *world* what happens within an hour, by chance of its seed and its now."""
    luck = Random(f"{world.seed}/life/{world.now.isoformat()}")
    for feed in list(world.feeds.values()):
        if luck.random() < BOOKINGS:
            _arrive(world, feed, luck, is_block=False)
        if luck.random() < BLOCKS:
            _arrive(world, feed, luck, is_block=True)
        if faulty and luck.random() < FAULTS:
            world.fault(feed.name, luck.choice(SILENT), times=luck.choice((1, 1, 1, 2, 3)))
    today = {name: world.today(name) for name in world.feeds}
    for stay in list(world.stays.values()):
        if stay.check_in > today[stay.feed] and not stay.every_days:
            _befall(world, stay, luck)


def _arrive(world: World, feed: Feed, luck: Random, *, is_block: bool) -> None:
    """Close some free nights, soon more often than late; nothing where they are taken."""
    start = world.today(feed.name) + timedelta(days=int(luck.expovariate(1 / 50)))
    end = start + DAY * luck.choice(NIGHTS)
    if not world.is_free(feed.name, start, end):
        return
    if is_block:
        world.block(feed.name, start, end)
    else:
        world.book(feed.name, start, end, tentative=luck.random() < 0.05)


def _befall(world: World, stay: Stay, luck: Random) -> None:
    """Let one stay to come be cancelled, moved or brought back, each at its rate."""
    chance = luck.random()
    if not stay.is_active:
        if chance < RETURNS and _may_return(world, stay):
            world.bring_back(stay.id)
    elif chance < CANCELLATIONS:
        world.cancel(stay.id)
    elif chance < CANCELLATIONS + MOVES and stay.kind == "reservation":
        _move(world, stay, luck)


def _may_return(world: World, stay: Stay) -> bool:
    """About one stay in ten is one that may, within three days, if its nights are still free."""
    return (
        stay.number % 10 == 3
        and world.now - stay.changed_at <= timedelta(days=3)
        and world.is_free(stay.feed, stay.check_in, stay.check_out)
    )


def _move(world: World, stay: Stay, luck: Random) -> None:
    """Shift both ends by some days, or now and then by a year, where the new nights are free but for its own."""
    shift = DAY * luck.choice((-7, -2, -1, 1, 1, 2, 3, 7, 14, 365))
    start, end = stay.check_in + shift, stay.check_out + shift + DAY * luck.choice((-1, 0, 0, 0, 1))
    if start > world.today(stay.feed) and end > start and world.is_free(stay.feed, start, end, but=stay.id):
        world.move(stay.id, start, end)
