"""How the tests are divided among workers that run side by side (`pytest -n`): in units, the longest first.

A unit is run by one worker, in order. It is a file, unless it stands below: files that share a server or a stack are one unit, so
that it is started once; files of many long tests are as many units as they have tests.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = {"tests/contract/test_sql_": "SQL servers"}
"""Files by the beginning of their path, and the unit that they are part of."""
STACK = "tests/stack/"
"""The folder of the tests that share one deployed stack."""
WITHOUT_STACK = (
    "test_readme.py",
    "test_crash_anywhere.py",
    "test_side_by_side.py",
    "test_two_commands.py",
    "test_runs_side_by_side.py",
    "test_install.py",
)
"""Files there that do not use that stack."""
APART = (
    "tests/engine/test_ring.py",
    "tests/engine/test_four_errors.py",
    "tests/engine/test_hostile_among_fifty.py",
    "tests/engine/test_no_mass_loss.py",
    "tests/model/test_nights.py",
    "tests/unit/test_hostile_feeds.py",
    "tests/unit/test_matching_costs.py",
    "tests/unit/test_read_never_raises.py",
    "tests/unit/test_read_snapshots.py",
)
"""Files whose tests are long, and units by themselves."""
FIRST = (
    STACK,
    f"{STACK}test_crash_anywhere.py",
    "tests/model/",
    "tests/engine/test_ring.py",
    "tests/contract/test_sql_",
    "tests/web/",
    *(f"{STACK}{name}" for name in WITHOUT_STACK),
    "tests/contract/",
    "tests/engine/",
    "tests/unit/test_hostile_feeds.py",
    "tests/unit/test_matching_costs.py",
)
"""Beginnings of paths, in the order in which they are run; the rest follows as it was collected."""


def name_unit(nodeid: str) -> str:
    """Return the unit that a test is part of."""
    file = nodeid.partition("::")[0]
    if file.startswith(STACK) and not file.endswith(WITHOUT_STACK):
        return STACK
    for beginning, unit in TOGETHER.items():
        if file.startswith(beginning):
            return unit
    return nodeid if file in APART else file


def sort_items(items: list[pytest.Item]) -> None:
    """Put what takes longest first, so that no worker begins it when the others are about to end."""
    items.sort(key=lambda item: _rank(item.nodeid))


def _rank(nodeid: str) -> int:
    if name_unit(nodeid) == STACK:
        return -1
    return next((rank for rank, beginning in enumerate(FIRST) if beginning != STACK and nodeid.startswith(beginning)), len(FIRST))


class UnitScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Gives the units to the workers in the order of collection."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return name_unit(nodeid)
