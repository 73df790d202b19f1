"""Random life at realistic rates: bookings, moves, cancellations, returns, blocks and bad answers, all by the seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from random import Random

from simulator.errors import SimulatorError
from simulator.records import FaultKind, Stay
from simulator.world import World

BOOKINGS_A_DAY = 0.2
BLOCKS_A_DAY = 0.03
MOVES_A_DAY = 0.002
"""For each future stay; over its life about one in fourteen moves (measured: 64 of 899)."""
CANCELLATIONS_A_DAY = 0.003
RETURNS_A_DAY = 0.05
"""For each stay cancelled in the last three days."""
FAULTS_A_DAY = 0.01
"""For each feed; measured on Airbnb: 4 of 12,437 answers."""
_BODY_FAULTS = (
    FaultKind.EMPTY_CALENDAR, FaultKind.EMPTY_BODY, FaultKind.JSON, FaultKind.HTML, FaultKind.TRUNCATED, FaultKind.SERVER_ERROR,
)  # fmt: skip


def live(world: World, days: int) -> list[str]:
    """Let *days* pass, one by one, and return what happened."""
    return [told for _ in range(days) for told in live_a_day(world)]


def live_a_day(world: World) -> list[str]:
    """Let one day pass, and return what happened in it."""
    world.advance(days=1)
    return [told for feed in list(world.listings) for told in _live_listing(world, feed, world.chance())]


def _live_listing(world: World, feed: str, random: Random) -> Iterator[str]:
    today = world.today(world.find_listing(feed))
    for stay in list(world.stays_of(feed)):
        if stay.check_in > today and (told := _live_stay(world, stay, random)):
            yield told
    if random.random() < BOOKINGS_A_DAY:
        yield from _try(lambda: world.book(feed, *_some_nights(today, random)), "booked")
    if random.random() < BLOCKS_A_DAY:
        yield from _try(lambda: world.block(feed, *_some_nights(today, random)), "blocked")
    if random.random() < FAULTS_A_DAY:
        kind = random.choice(_BODY_FAULTS)
        world.fault(feed, kind, count=random.randint(1, 3))
        yield f"fault {kind} on {feed}"


def _live_stay(world: World, stay: Stay, random: Random) -> str | None:
    luck = random.random()
    if stay.cancelled_at is not None:
        is_fresh = world.now - stay.cancelled_at <= timedelta(days=3)
        return _first(_try(lambda: world.bring_back(stay.id), "back")) if is_fresh and luck < RETURNS_A_DAY else None
    if luck < CANCELLATIONS_A_DAY:
        return _first(_try(lambda: world.cancel(stay.id), "cancelled"))
    if luck < CANCELLATIONS_A_DAY + MOVES_A_DAY:
        shift = timedelta(days=random.choice((-3, -1, 1, 2, 7)))
        check_in = max(stay.check_in + shift, stay.check_in)
        length = stay.check_out - stay.check_in + timedelta(days=random.choice((-1, 0, 0, 1, 2)))
        return _first(_try(lambda: world.move(stay.id, check_in, check_in + max(length, timedelta(days=1))), "moved"))
    return None


def _try(change: Callable[[], Stay], done: str) -> Iterator[str]:
    """Nights that are taken stay with whom they are."""
    try:
        stay = change()
    except SimulatorError:
        return
    yield f"{done} {stay.id} on {stay.listing} {stay.check_in} {stay.check_out}"


def _first(told: Iterator[str]) -> str | None:
    return next(told, None)


def _some_nights(today: date, random: Random) -> tuple[date, date]:
    check_in = today + timedelta(days=min(330, int(random.expovariate(1 / 45))))
    return check_in, check_in + timedelta(days=random.choice((1, 2, 2, 3, 3, 4, 5, 7, 7, 10)))
