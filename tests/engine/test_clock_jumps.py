"""The clock of a process is an hour ahead or behind: nothing is lost, doubled or opened, and nobody is notified in vain."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.clock_jumps import HOUR, count_readings, live_all


@pytest.mark.slow
@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["ahead", "back"])
def test_a_clock_that_jumps_at_any_reading_costs_nothing(by: timedelta, record_property) -> None:
    """A sample of ``make reliability``: claims, leases, evidence, due times and staleness are computed with the wrong time."""
    damage = live_all(step=67, hours=(by,))

    assert not damage.is_damage, damage.traces[:5]
    record_property("jumps", damage.tried)
    assert damage.tried >= 12


def test_a_life_reads_the_clock_often() -> None:
    """The places at which it may jump are many, and the life has a hold, a failure and a recovery."""
    readings, end = count_readings()

    assert readings > 800
    assert [kind for kind, _ in end["notices"]] == ["source.failing", "source.held", "source.recovered"]
