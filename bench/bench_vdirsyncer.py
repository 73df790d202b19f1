"""CPU time of syncing an unchanged feed, with fetch and store, relative to ``vdirsyncer sync``.

Both sync the same feeds of 100 events, from the same server, which sends a new DTSTAMP in each response; neither finds a change.
Bokit's store is the emulated DynamoDB, vdirsyncer's its files, as from PyPI and in its default configuration: a pair of an HTTP
and a filesystem storage for each feed. One process of it syncs all of them in one command, after two syncs that are not
counted: the first writes the files. Its start is not counted either; `start_ms` of the report is what each process adds.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from statistics import median

from bench.bench_unchanged import EVENTS, FEEDS, ROUNDS, Ours, cpu, emulator, feed_server
from bench.compare.vdirsyncer_policy import GENERAL, PAIR, PYTHON, VdirsyncerWorker
from bench.rows import LackingError, Row, show_rows

GOAL = 20


class Vdirsyncer:
    """A pair of storages for each feed, in *folder*."""

    def __init__(self, folder: Path, feed_url: str) -> None:
        self._folder, config = folder, folder / "config"
        pairs = [f"feed_{n}" for n in range(FEEDS)]
        parts = [PAIR.format(pair=pair, url=f"{feed_url}/{pair}.ics", folder=folder) for pair in pairs]
        for pair in pairs:
            (folder / pair).mkdir()
        config.write_text(GENERAL.format(folder=folder) + "".join(parts), encoding="utf-8")
        self._worker, self._spent = VdirsyncerWorker(PYTHON, config), 0.0
        self.start_ms = self.run("--version")
        self.run("discover")
        for _ in range(2):
            self.run("sync")
        self._seen = self._look()
        if len(self._seen) != FEEDS * EVENTS:
            raise RuntimeError(f"vdirsyncer has {len(self._seen)} files of {FEEDS * EVENTS} events")

    def run(self, command: str) -> float:
        """Run a command; return its milliseconds of CPU."""
        code, spent = self._worker.run(command)
        if code != "0":
            raise RuntimeError(f"vdirsyncer {command} ended with {code}")
        taken, self._spent = spent - self._spent, spent
        return taken * 1000

    def sync(self) -> float:
        """Sync all feeds, none of which changed; return the milliseconds of CPU of each."""
        return self.run("sync") / FEEDS

    def _look(self) -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in self._folder.glob("feed_*/*.ics")}

    def close(self) -> None:
        """End its process; raises RuntimeError where it wrote a file since the first syncs."""
        self._worker.close()
        if self._look() != self._seen:
            raise RuntimeError("vdirsyncer found a change in an unchanged feed")


def run(rounds: int = ROUNDS) -> dict[str, float]:
    """Measure both in turn; return the milliseconds of CPU of a feed, their ratio, and of a start of vdirsyncer."""
    if not PYTHON.exists():
        raise LackingError("vdirsyncer is not set up: `make compare` does it")
    os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1")
    with emulator() as endpoint_url, feed_server() as feed_url, tempfile.TemporaryDirectory() as folder:
        theirs, ours = Vdirsyncer(Path(folder), feed_url), Ours(endpoint_url, feed_url)
        ours.sync_unchanged()
        pairs = [(theirs.sync(), cpu(ours.sync) / FEEDS) for _ in range(rounds)]
        theirs.close()
    return {
        "ours_ms": round(median(own for _, own in pairs), 3),
        "vdirsyncer_ms": round(median(their for their, _ in pairs), 2),
        "start_ms": round(theirs.start_ms, 1),
        "ratio": round(median(their / own for their, own in pairs), 2),
    }


def rows(report: dict[str, float]) -> list[Row]:
    """Return what an unchanged feed costs."""
    return [
        Row(
            name="vdirsyncer.ratio",
            what=f"an unchanged feed of {EVENTS}; vdirsyncer sync",
            ours=f"{report['ours_ms']:.2f} ms",
            peer=f"{report['vdirsyncer_ms']:.1f} ms",
            ratio=report["ratio"],
            goal=GOAL,
        )
    ]


if __name__ == "__main__":
    show_rows(rows(run()))
