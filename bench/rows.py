"""What a benchmark measured, for the one table of `make bench`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure: what was measured, and its ratio to a peer's or a floor's in the same run, or a count."""

    name: str
    """Where the ratio is in ``bench/report.json``: ``unchanged.cpu.ratio``."""
    what: str
    ratio: float
    goal: float
    at_most: bool = False
    """The goal is the largest ratio that is good; else it is the least."""
    ours: str = ""
    """With its unit: ``0.52 ms``."""
    peer: str = ""
    floor: str = ""
    is_ratio: bool = True
    """Else it is a count, or a time or a size as a part of its goal, which depends on the machine: no history keeps it."""

    @property
    def is_met(self) -> bool:
        """Return whether the goal is met."""
        return self.ratio <= self.goal if self.at_most else self.ratio >= self.goal


class LackingError(Exception):
    """Raised by a benchmark's ``run`` where the machine lacks what it needs, such as a browser; the message says what."""


def show_rows(rows: Iterable[Row]) -> None:
    """Print a line for each figure."""
    for row in rows:
        sides = ", ".join(
            f"{name} {value}" for name, value in (("ours", row.ours), ("peer", row.peer), ("floor", row.floor)) if value
        )
        print(f"{row.what}: {sides}; ratio {row.ratio:.3g} (goal {'at most' if row.at_most else 'at least'} {row.goal:g})")


def look_up(report: Mapping[str, Any], name: str) -> float:
    """Return the figure at *name*, a path with dots; raises KeyError where there is none."""
    found: Any = report
    for part in name.split("."):
        found = found[part]
    return float(found)


def memory_rows(bench: str, items: str, report: Mapping[str, Any], sizes: tuple[int, int], goal: float) -> list[Row]:
    """Return what each step of *bench* takes of memory with ten times the *items*, beside a tenth: *goal* times at most."""
    small, large = (report["sizes"][str(count)] for count in sizes)
    return [
        Row(
            name=f"{bench}.memory.{step}",
            what=f"memory, {sizes[1]:,} {items}, {step}; a tenth",
            ours=f"{large[step]['peak_mb']:.0f} MB",
            floor=f"{small[step]['peak_mb']:.0f} MB",
            ratio=ratio,
            goal=goal,
            at_most=True,
        )
        for step, ratio in report["memory"].items()
    ]
