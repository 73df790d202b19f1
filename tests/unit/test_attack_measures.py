"""What `make attacks` sends and measures, without a stack."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bokit.core.model.records import SourceId
from tests.support.attack_feeds import BOMB, RENAMED, STAIRS, bomb, grown, neighbour, renamed, staircase
from tests.support.attacks import ATTACKS, INTERVAL, Measured, Watch
from tests.support.feed_lines import events, span

START = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def a_watch(*seconds: float, ended: float) -> Watch:
    """Return a watch of one source that was read at these seconds."""
    arena: Any = None
    times = [START + timedelta(seconds=s) for s in seconds]
    return Watch(arena, begun=START, ended=START + timedelta(seconds=ended), read_at={SourceId("src_1"): times})


@pytest.mark.parametrize(
    ("watch", "gap"),
    [
        (a_watch(-5, 55, 115, ended=130), 1.0),
        (a_watch(-5, 55, 175, 235, ended=240), 2.0),
        (a_watch(-5, 55, ended=235), 3.0),
        (a_watch(ended=60), float("inf")),
    ],
)
def test_the_longest_gap_counts_the_end_too(watch: Watch, gap: float) -> None:
    """Between two good syncs, and from the last to the end; a source that was never read has no bound."""
    assert watch.longest_gap() == gap
    assert watch.syncs() == sum(at > START for times in watch.read_at.values() for at in times)


def test_a_neighbour_that_felt_something_is_not_well() -> None:
    """Over two intervals, another state than ok, a booking that lacks, or no sync at all."""
    good = {"attack": "x", "minutes": 3, "syncs": 9, "longest_gap": 1.9, "states": {"ok": 5}, "lacking": 0}
    rest: dict[str, Any] = {"attacker": {}, "notes": {}, "alerts": {}}
    bad = ({"longest_gap": 2.1}, {"states": {"ok": 4, "stale": 1}}, {"lacking": 1}, {"syncs": 0})

    assert Measured(**good, **rest).is_good
    assert [Measured(**{**good, **change}, **rest).is_good for change in bad] == [False] * 4


def test_the_feeds_do_what_their_names_say() -> None:
    """The staircase moves by a day, the bomb's events share their nights, and the renaming feed keeps nothing."""
    first, second = ([span(e) for e in events(staircase(n))] for n in (0, 1))
    uids = [{e["UID"] for e in events(renamed(n))} for n in (0, 1)]
    known, later = ({e["UID"] for e in events(neighbour(n))} for n in (0, 40))

    assert len(first) == len(second) == STAIRS
    assert second == [(a + timedelta(days=1), b + timedelta(days=1)) for a, b in first]
    assert [len({span(e) for e in events(bomb(n))}) for n in (0, 1)] == [1, 1]
    assert len(events(bomb(0))) == BOMB
    assert len(uids[0]) == RENAMED
    assert not uids[0] & uids[1]
    assert known < later
    assert len(later) == grown(40)
    assert timedelta(seconds=60) == INTERVAL
    assert len(ATTACKS) == 7
