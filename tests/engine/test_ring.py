"""Three platforms that import each other through Bokit: no stale closure remains, no night is lost, and changes stop."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.ring import DAY, PLATFORMS, Ring

FREE = 14
"""Days from the ring's today until a night that nobody has."""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_ring_holds_what_guests_hold(seed: int) -> None:
    """Thirty days of bookings, moves and cancellations: each guest's night is held at every moment, in the end no other."""
    ring = Ring(seed)
    for hour in range(30 * 24):
        if hour % 12 == 0:
            ring.act()
        ring.round()
        ring.approve_holds()
        assert ring.truth() <= ring.held(), hour
    for _ in range(3 * 24):
        ring.round()
        ring.approve_holds()

    assert ring.held() == ring.truth()
    assert not any(ring.round() for _ in range(3))


def book(ring: Ring) -> str:
    """Let a guest book on Airbnb."""
    world = ring.app.world
    start = world.today(PLATFORMS[0]) + DAY * FREE
    return world.book(PLATFORMS[0], start, start + DAY * 3)


def move(ring: Ring) -> str:
    """Let a guest who booked come three days later."""
    world, stay = ring.app.world, book(ring)
    ring.round()
    ring.round()
    world.move(stay, world.stay(stay).check_in + DAY * 3)
    return stay


def cancel(ring: Ring) -> str:
    """Let a guest who booked cancel."""
    stay = book(ring)
    ring.round()
    ring.round()
    ring.app.world.cancel(stay)
    return stay


@pytest.mark.slow
@pytest.mark.parametrize("happen", [book, move, cancel])
def test_every_calendar_settles_within_two_rounds(happen: Callable[[Ring], str]) -> None:
    """Once Bokit accepts a change, each calendar has it within two rounds, and then nothing changes any more."""
    ring = Ring(0)
    for _ in range(3):
        ring.round()
    happen(ring)
    news = [ring.round() for _ in range(3 * 24)]

    assert 0 < sum(news) <= 2
    assert ring.held() == ring.truth()
