"""Hostile feeds: bounded in time, memory and what is stored, and never taken for more than they say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from select import select

import pytest

from tests.support.hostile_feeds import FEEDS, WEIGHT
from tests.support.machine_speed import MAX_FLOORS_A_READ, count_floors

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'layers' / 'shared'}{os.pathsep}{ROOT}"}


class Readers:
    """A process that reads each feed in a child of its own, see tests/support/hostile_feeds.py."""

    def __init__(self, home: Path) -> None:
        self.log = home / "errors"
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """Start the process."""
        with self.log.open("wb") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.support.hostile_feeds"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                env=ENVIRONMENT,
                start_new_session=True,
            )

    def read(self, body: bytes) -> dict[str, object]:
        """Return what a child reports of *body*; its error, or more than two minutes, fails the test."""
        try:
            result = self.ask(body)
        except OSError:
            result = None
        if not result:
            self.end()
            why = self.log.read_text()[-2000:]
            self.process = self.start()
            pytest.fail(why or "it reads and reads")
        return result

    def ask(self, body: bytes) -> dict[str, object] | None:
        """Return what a child reports of *body*; None where it fails, or takes too long."""
        feeds, answers = self.process.stdin, self.process.stdout
        assert feeds
        assert answers
        feeds.write(b"%d\n" % len(body) + body)
        feeds.flush()
        return json.loads(answers.readline() or b"null") if select([answers], [], [], 120)[0] else None

    def end(self) -> None:
        """End the process and its child."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Readers]:
    """One process for all feeds; after a feed that it could not read, another."""
    made = Readers(tmp_path_factory.mktemp("readers"))
    yield made
    made.end()


@pytest.mark.slow
@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.name)
def test_a_hostile_feed_costs_little_and_is_not_believed(feed, readers):
    """Read, read again, or recalled a day later: little CPU, 256 MB at most, a bounded snapshot, the verdict it deserves."""
    result = readers.read(feed.make())

    assert count_floors(max(result["cpu"])) <= MAX_FLOORS_A_READ, result
    assert result["megabytes"] <= 256, result
    assert result["snapshot"] <= 2 * WEIGHT, result
    assert result["verdict"] in feed.verdicts, result
    assert result["recalled"] == result["verdict"], result
    assert result["same"], "with its own snapshot it reads otherwise"


def test_the_feeds_are_many_and_differ():
    """There are at least forty bombs, each of its own name."""
    assert len({feed.name for feed in FEEDS}) == len(FEEDS) >= 40
