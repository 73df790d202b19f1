"""Hostile feeds: bounded in time, memory and what is stored, and never taken for more than they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile_feeds import FEEDS, WEIGHT, HostileFeed

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'layers' / 'shared'}{os.pathsep}{ROOT}"}


def read_apart(feed: HostileFeed) -> dict[str, object]:
    """Read *feed* in a process of its own, and return what it tells; its error fails the test."""
    command = [sys.executable, "-m", "tests.hostile_feeds"]
    done = subprocess.run(command, input=feed.make(), capture_output=True, cwd=ROOT, env=ENVIRONMENT, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.name)
def test_a_hostile_feed_costs_little_and_is_not_believed(feed):
    """Read, read again, or recalled a day later: 5 s of CPU and 256 MB at most, a bounded snapshot, the verdict it deserves."""
    told = read_apart(feed)

    assert max(told["cpu"]) <= 5, told
    assert told["megabytes"] <= 256, told
    assert told["snapshot"] <= 2 * WEIGHT, told
    assert told["verdict"] in feed.verdicts, told
    assert told["recalled"] == told["verdict"], told
    assert told["same"], "with its own snapshot it reads otherwise"


def test_the_feeds_are_many_and_differ():
    """There are at least forty bombs, each of its own name."""
    assert len({feed.name for feed in FEEDS}) == len(FEEDS) >= 40
