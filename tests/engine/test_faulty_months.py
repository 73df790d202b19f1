"""A sample of ``make reliability``: simulated listings whose feeds go wrong again and again."""

from __future__ import annotations

import pytest

from tests.support.faulty_months import FaultyMonths

SEEDS = (0, 1, 2, 11)
"""One of each platform, and a quiet listing."""


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_faults_cost_no_night_and_no_booking(seed: int) -> None:
    """Two months, an hour a fetch: short faults, and each that lasts for hours once."""
    months = FaultyMonths(seed)

    found = months.play()

    assert not found, months.traces[:5]
    assert months.faults > 40
