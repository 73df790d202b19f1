"""Three platforms that import each other through Bokit, for thirty days: no ghost survives, no night is lost."""

from __future__ import annotations

import pytest

from tests.engine.ring import Ring


@pytest.mark.parametrize("seed", range(4))
def test_a_ring_holds_what_guests_hold(seed: int) -> None:
    """Bookings, moves and cancellations: every guest's night is held at every moment, and in the end no other."""
    ring = Ring(seed)
    for hour in range(30 * 24):
        if hour % 9 == 0:
            ring.act()
        ring.round()
        assert ring.truth() <= ring.held(), hour
    for _ in range(75):
        ring.round()

    assert ring.held() == ring.truth()
    assert not ring.round()
