"""The ratios of ``make bench`` by commit, in ``bench/history.json``: what a later run is compared with, and what is drawn.

Only ratios of two measurements in one run are kept, of three digits: a time would say something of the machine alone.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from bench.rows import Row
from bench.suite import ROOT

HISTORY = Path(__file__).with_name("history.json")
PICTURE = ROOT / "docs/pictures/bench.svg"
WORSE_BY = 0.2
"""A loss is more than this part of the last ratio."""


class HistoryError(ValueError):
    """The history cannot be read, or nothing can be recorded; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a ratio is, and its goal, as last recorded."""

    what: str
    goal: float
    at_most: bool

    def gain_of(self, ratio: float) -> float:
        """Return how many times better than its goal a ratio is: 1 at the goal, less where it is missed."""
        return self.goal / ratio if self.at_most else ratio / self.goal


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What was measured of one commit, by one kind of machine."""

    at: str
    """The commit's time in UTC, by which entries are in order."""
    commit: str
    subject: str
    python: str
    machine: str
    ratios: Mapping[str, float]

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Return where it stands in the history."""
        return self.at, self.commit, self.python, self.machine


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Entries from the oldest to the newest, and what their names mean."""

    kept: Mapping[str, Kept] = field(default_factory=dict)
    entries: tuple[Entry, ...] = ()

    def last_ratios(self, python: str, machine: str) -> dict[str, float]:
        """Return the newest ratio of each name, by this Python and machine alone: others are not comparable."""
        alike = [entry for entry in self.entries if (entry.python, entry.machine) == (python, machine)]
        return {name: ratio for entry in alike for name, ratio in entry.ratios.items()}

    def add(self, entry: Entry, rows: Iterable[Row]) -> History:
        """Return the history with the ratios of *rows* in *entry*; those of the same commit stay, unless measured again."""
        ratios = {row.name: _round(row.ratio) for row in rows if row.is_ratio}
        same = next((found for found in self.entries if found.place == entry.place), None)
        entry = replace(entry, ratios=dict(sorted({**(same.ratios if same else {}), **ratios}.items())))
        entries = [found for found in self.entries if found.place != entry.place] + [entry]
        meant = {row.name: Kept(what=row.what, goal=_round(row.goal), at_most=row.at_most) for row in rows if row.is_ratio}
        return History(
            kept=dict(sorted({**self.kept, **meant}.items())), entries=tuple(sorted(entries, key=lambda found: found.place))
        )


def _round(ratio: float) -> float:
    """Return three digits."""
    return float(f"{ratio:.3g}")


def read_history(file: Path = HISTORY) -> History:
    """Return the history, an empty one without a file; raises HistoryError where it is broken."""
    if not file.exists():
        return History()
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        kept = {name: Kept(**meant) for name, meant in found["kept"].items()}
        entries = tuple(Entry(**entry) for entry in found["entries"])
        ratios = [float(ratio) for entry in entries for ratio in entry.ratios.values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise HistoryError(f"{file.name} cannot be read ({error}): take it back with git checkout") from error
    if not all(ratio > 0 for ratio in ratios):
        raise HistoryError(f"{file.name} has a ratio that is not above zero: take it back with git checkout")
    return History(kept=kept, entries=entries)


def write_history(history: History, file: Path = HISTORY) -> None:
    """Write it as JSON that differs by a few lines where a few ratios do."""
    document = {
        "kept": {name: asdict(meant) for name, meant in history.kept.items()},
        "entries": [asdict(e) for e in history.entries],
    }
    file.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def describe_machine() -> tuple[str, str]:
    """Return the version of this Python and the kind of processor: ``("3.13", "x86_64")``."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}", platform.machine()


def describe_commit(root: Path = ROOT) -> Entry:
    """Return an entry of the commit that is checked out, without ratios; raises HistoryError where files differ from it."""
    changed = {line[3:] for line in _git(root, "status", "--porcelain", "--untracked-files=no").splitlines()}
    if others := sorted(changed - {str(path.relative_to(ROOT)) for path in (HISTORY, PICTURE)}):
        raise HistoryError(f"ratios are recorded of a commit, and {others[0]} differs from it: commit first")
    commit, at, subject = _git(root, "log", "-1", "--abbrev=7", "--format=%h%n%ct%n%s").splitlines()
    python, machine = describe_machine()
    when = datetime.fromtimestamp(int(at), UTC).isoformat()
    return Entry(at=when, commit=commit, subject=subject, python=python, machine=machine, ratios={})


def _git(root: Path, *command: str) -> str:
    try:
        done = subprocess.run(["git", *command], cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise HistoryError("ratios are recorded of a commit, and this folder is not a clone") from error
    return done.stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A ratio that is worse than the last one, by more than a fifth."""

    name: str
    before: float
    now: float

    def __str__(self) -> str:
        way = "rose" if self.now > self.before else "fell"
        change = f"{(self.now / self.before - 1) * 100:+.0f} %".replace("-", "−")
        return f"warning: {self.name} {way} from {self.before:.3g} to {self.now:.3g} ({change})"


def find_losses(rows: Iterable[Row], last: Mapping[str, float]) -> list[Loss]:
    """Return which ratios are worse than in *last*; what is not in both is not compared."""
    known = [row for row in rows if row.is_ratio and row.name in last]
    return [
        Loss(name=row.name, before=last[row.name], now=row.ratio)
        for row in known
        if is_loss(last[row.name], row.ratio, at_most=row.at_most)
    ]


def is_loss(before: float, now: float, *, at_most: bool) -> bool:
    """Return whether a ratio is worse than *before* by more than a fifth: lower, or where less is better, higher."""
    return now > before * (1 + WORSE_BY) if at_most else now < before * (1 - WORSE_BY)
