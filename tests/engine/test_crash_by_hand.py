"""A request that crashes anywhere and is repeated ends as if it had succeeded the first time."""

from __future__ import annotations

import pytest

from tests.support.crash_by_hand import ACTS, crash_anywhere


@pytest.mark.slow
@pytest.mark.parametrize("name", ACTS)
def test_what_a_person_asks_for_twice_since_it_died_is_done_once(name, record_property):
    """At each call to the store or the alerts, before and after it: records, logs, heads and notices are the same."""
    damage = crash_anywhere(name)

    assert not damage.is_damage, damage.summary()
    record_property("points", damage.tried)
    assert damage.tried >= 6
