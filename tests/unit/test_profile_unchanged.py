"""The profile of an unchanged feed: what is timed exists, and no time is counted twice."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench.profile_unchanged import PARTS, Clocks, clocks_on_parts, find_owner


def work(milliseconds: int) -> None:
    """Take so much CPU."""
    until = time.thread_time() + milliseconds / 1000
    while time.thread_time() < until:
        pass


@pytest.mark.parametrize(("part", "place"), PARTS, ids=[part for part, _ in PARTS])
def test_a_part_is_a_function_of_the_product(part: str, place: str) -> None:
    """One that is renamed is not missing from the profile in silence."""
    owner, name = find_owner(place)
    assert callable(getattr(owner, name)), part


def test_each_part_is_timed_once_and_afterwards_not_at_all() -> None:
    """No two parts are the same function, and each is itself again when the block ends."""
    places = [find_owner(place) for _, place in PARTS]
    before = [getattr(owner, name) for owner, name in places]
    with clocks_on_parts():
        within = [getattr(owner, name) for owner, name in places]
    assert len({(id(owner), name) for owner, name in places}) == len(PARTS)
    assert [one is another for one, another in zip(before, within, strict=True)] == [False] * len(PARTS)
    assert [getattr(owner, name) for owner, name in places] == before


def test_the_time_of_an_inner_part_is_not_the_outer_ones() -> None:
    """In several threads: the parts add up to what was taken, and raise what they raise."""
    clocks = Clocks()
    inner = clocks.timed("inner", lambda: work(20))

    def call() -> None:
        work(5)
        inner()

    outer = clocks.timed("outer", call)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: outer(), range(4)))
    assert clocks.calls == {"inner": 4, "outer": 4}
    assert 0.02 <= clocks.seconds["outer"] < clocks.seconds["inner"]
    with pytest.raises(ZeroDivisionError):
        clocks.timed("failing", lambda: 1 / 0)()
    assert clocks.calls["failing"] == 1
