"""Three platforms that import each other through Bokit: no stale closure remains, no night is lost, and changes stop."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from bokit.core.model.catalog import DEFAULT_TENANT
from simulator.model import Span
from tests.support.ring import DAY, PLATFORMS, UNIT, Ring

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
    """Let a guest book."""
    world = ring.app.world
    start = world.today(ring.booked_on) + DAY * FREE
    return world.book(ring.booked_on, start, start + DAY * 3)


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


def check_rest(ring: Ring, happen: Callable[[Ring], str]) -> None:
    """Let something happen; every calendar has it within two rounds, and in the end each shows the others' own nights."""
    for _ in range(3):
        ring.round()
    happen(ring)
    shown = [ring.shown()]
    for _ in range(3 * 24):
        ring.round()
        shown.append(ring.shown())

    changed = [number for number, (before, after) in enumerate(pairwise(shown)) if before != after]
    assert 0 < len(changed) <= 2, changed
    assert ring.held() == ring.truth()
    for feed in PLATFORMS:
        assert ring.shown_to(feed) == {n for other in PLATFORMS if other != feed for n in ring.own(other)}


@pytest.mark.slow
@pytest.mark.parametrize("happen", [book, move, cancel])
def test_every_calendar_settles_within_two_rounds(happen: Callable[[Ring], str]) -> None:
    """Once Bokit accepts a change, each calendar has it within two rounds, and then nothing changes any more."""
    check_rest(Ring(0), happen)


@pytest.mark.slow
@pytest.mark.parametrize("happen", [book, move, cancel])
def test_a_direct_link_beside_bokit_keeps_nothing_alive(happen: Callable[[Ring], str]) -> None:
    """Booking.com reads Airbnb's feed itself, too, with what Airbnb imported: it ends as without the link."""
    check_rest(Ring(0, links={PLATFORMS[1]: (PLATFORMS[0],)}), happen)


@pytest.mark.slow
@pytest.mark.parametrize("happen", [book, move, cancel])
def test_a_slow_direct_link_beside_bokit_keeps_nothing_alive(happen: Callable[[Ring], str]) -> None:
    """Booking.com reads but every third hour, before Airbnb has dropped what it imported of VRBO's guest, and keeps it."""
    ring = Ring(0, links={PLATFORMS[1]: (PLATFORMS[0],)})
    ring.importers.reverse()
    ring.importers[1].every = 3
    ring.booked_on = PLATFORMS[2]

    check_rest(ring, happen)


@pytest.mark.slow
@pytest.mark.parametrize("happen", [book, move, cancel])
def test_a_first_day_on_which_all_are_linked_already_comes_to_rest(happen: Callable[[Ring], str]) -> None:
    """Each platform shows the others' guests before Bokit's first fetch: possible conflicts, and no echo outlives its guest."""
    ring = Ring(0)
    ring.link_directly()
    ring.round()
    conflicts = ring.app.bokit.bookings.list_conflicts(DEFAULT_TENANT, [UNIT])
    assert {c["certainty"] for c in conflicts} == {"possible"}

    check_rest(ring, happen)


@pytest.mark.slow
@pytest.mark.parametrize("happen", [book, move, cancel])
def test_closures_that_join_own_and_imported_nights_come_to_rest(happen: Callable[[Ring], str]) -> None:
    """Booking.com's owner closed the two nights before the guest's arrival, and one in it: shown as one with the imports."""
    ring = Ring(0)
    start = ring.app.world.today(PLATFORMS[0]) + DAY * FREE
    ring.importers[1].owner |= {Span(start - DAY * 2, start), Span(start + DAY * 6, start + DAY * 9)}

    check_rest(ring, happen)


@pytest.mark.slow
@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize("nights", [(5, 9), (2, 5)])
def test_a_double_booking_is_closed_everywhere_until_each_guest_has_cancelled(nights: tuple[int, int], is_reversed: bool) -> None:
    """Airbnb sells a week, Booking.com its end and more, or its middle, before it has read that; both cancel, one by one.

    At every moment each platform finds the other's guest in its calendar; once Bokit accepts the second cancellation,
    everything is open within two rounds.
    """
    ring = Ring(0)
    for _ in range(3):
        ring.round()
    world, start, before = ring.app.world, ring.app.world.today(PLATFORMS[0]) + DAY * FREE, ring.shown()
    stays = [world.book(PLATFORMS[0], start, start + DAY * 7)]
    ring.app.move(minutes=30)
    stays.append(world.book(PLATFORMS[1], start + DAY * nights[0], start + DAY * nights[1]))
    for _ in range(3):
        ring.round()
    assert [c["certainty"] for c in ring.app.bokit.bookings.list_conflicts(DEFAULT_TENANT, [UNIT])] == ["likely"]

    first, second = reversed(stays) if is_reversed else stays
    theirs = {night for span in world.stay(second).spans for night in span.nights()}
    others = [feed for feed in PLATFORMS if feed != world.stay(second).feed]
    world.cancel(first)
    for _ in range(28):
        for feed in others:
            assert theirs <= ring.shown_to(feed)
        ring.round()
    for feed in others:
        assert ring.shown_to(feed) == ring.truth() - ring.own(feed)
    assert ring.app.bokit.bookings.list_conflicts(DEFAULT_TENANT, [UNIT]) == []

    world.cancel(second)
    shown = []
    for _ in range(3 * 24):
        ring.round()
        shown.append(ring.shown())
    changed = [number for number, (old, new) in enumerate(pairwise(shown)) if old != new]
    assert 0 < len(changed) <= 2, changed
    assert shown[-1] == before
    assert ring.held() == ring.truth()
