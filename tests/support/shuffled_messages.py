"""Messages that come one to five times, shuffled, and a third of them again rounds later, in an eventful world."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

from simulator.world import FIRST_NOW, World
from tests.support.damage import Damage, compare_ends
from tests.support.simulated_app import SimulatedApp

FEEDS = ("airbnb/garden", "booking_com/garden", "vrbo/loft", "beds24/loft")
ROUNDS = 20
SEEDS = 20


def compare_orders(seed: int) -> tuple[Damage, Counter[str], Counter[str]]:
    """Return what came of shuffled messages beside each in its turn, and how many were worked and stale, of both."""
    expected, once = live(seed, shuffled=False)
    found, often = live(seed, shuffled=True)
    damage = compare_ends(expected, found)
    extra = often["worked"] - once["worked"]
    return replace(damage, tried=often.total(), doubled=damage.doubled + max(0, extra)), once, often


def live(seed: int, *, shuffled: bool) -> tuple[dict[str, Any], Counter[str]]:
    """Live through some rounds of an eventful world; *shuffled*: messages come up to five times, some rounds late."""
    app, rng, counts = SimulatedApp(world=World(seed=seed), concurrency=1), Random(seed), Counter()
    app.save_tenant()
    for feed in FEEDS:
        app.add_source(feed)
    days = {feed: Random(f"{seed}/{feed}") for feed in FEEDS}
    late: list[str] = []
    for number in range(ROUNDS):
        for feed in FEEDS:
            change_at_random(app.world, feed, days[feed], number)
        app.bokit.tick()
        bodies, app.queue.bodies = app.queue.bodies, []
        coming = [body for body in bodies for _ in range(rng.randint(1, 5))] + late if shuffled else bodies
        if shuffled:
            rng.shuffle(coming)
            late = rng.sample(coming, k=len(coming) // 3)
        for body in coming:
            counts["stale" if app.deliver(body).stale else "worked"] += 1
            if shuffled:
                app.bokit.tick()
        assert not app.queue.bodies
        app.move(hours=1, seconds=1)
    return app.describe(), counts


def change_at_random(world: World, feed: str, rng: Random, number: int) -> None:
    """Change a feed at random in this round: a booking, a cancellation, an unreadable body, an error status."""
    today = FIRST_NOW.date() + timedelta(days=20)
    world.clear(feed)
    chance = rng.random()
    if chance < 0.4:
        start = today + timedelta(days=rng.randrange(200))
        if world.is_free(feed, start, start + timedelta(days=3)):
            world.book(feed, start, start + timedelta(days=3))
    elif chance < 0.5:
        active = [s.id for s in world.stays.values() if s.feed == feed and s.is_active]
        if active:
            world.cancel(rng.choice(active))
    elif chance < 0.65:
        world.fault(feed, rng.choice(("html", "404", "json")))
