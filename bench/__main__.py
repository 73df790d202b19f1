"""``make bench``: run every benchmark, or those that are named, print one table, and write ``bench/report.json``.

Exits with 1 where a benchmark breaks; one whose parts this machine lacks, or a goal that is missed, is only shown.

    --record     keeps the ratios in the history, for the commit that is checked out, and draws it
    --compare    runs the short ones alone, and says which ratio is worse than the history's last one: the gate's last line
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.draw import draw
from bench.gate import compare
from bench.history import (
    HISTORY,
    PICTURE,
    HistoryError,
    describe_commit,
    read_history,
    write_history,
)
from bench.suite import LOGS, NAMES, ROOT, Outcome, run_bench
from bench.table import count_met, draw_table

REPORT = Path(__file__).with_name("report.json")


def main(given: Sequence[str] | None = None) -> int:
    """Run what is asked for; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Run benchmarks; ratios against peers in one table.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(NAMES)}")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--record", action="store_true", help="keep the ratios of this commit in bench/history.json, and draw it")
    way.add_argument("--compare", action="store_true", help="run the short ones, and print which ratios fell; never fails")
    asked = parser.parse_args(given)
    if unknown := sorted(set(asked.names) - set(NAMES)):
        parser.error(f"no benchmark is named {', '.join(unknown)}; there are {', '.join(NAMES)}")
    names = [name for name in NAMES if name in asked.names] or list(NAMES)
    try:
        if asked.compare:
            print(*compare(read_history(HISTORY)), sep="\n")
            return 0
        return show(names, is_recorded=asked.record)
    except HistoryError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 0 if asked.compare else 1


def show(names: Sequence[str], *, is_recorded: bool) -> int:
    """Run these benchmarks, print the table, and record the ratios where asked to; return the exit status."""
    entry, history = (describe_commit(), read_history(HISTORY)) if is_recorded else (None, None)  # what is wrong is said at once
    outcomes = run_all(names, REPORT)
    print(draw_table(outcomes))
    print(f"{count_met(outcomes)}; written to {REPORT.relative_to(ROOT)}")
    if entry and history:
        history = history.add(entry, [row for outcome in outcomes for row in outcome.rows])
        write_history(history, HISTORY)
        PICTURE.write_text(draw(history), encoding="utf-8")
        print(f"recorded for {entry.commit} in {HISTORY.relative_to(ROOT)}, drawn in {PICTURE.relative_to(ROOT)}")
    for outcome in outcomes:
        if outcome.broken:
            print(f"{outcome.name} broke; what it printed is in {LOGS.relative_to(ROOT)}/{outcome.name}.log")
    return 1 if any(outcome.broken for outcome in outcomes) else 0


def run_all(names: Sequence[str], file: Path) -> list[Outcome]:
    """Run these benchmarks; what was measured is in *file* after each. Where only some run, it keeps the others'."""
    report: dict[str, Any] = {} if tuple(names) == NAMES else read_report(file)
    report |= {"python": platform.python_version(), "machine": platform.machine()}
    outcomes = []
    for name in names:
        _show_progress(f"{name} …")
        outcomes.append(run_bench(name))
        report[name] = outcomes[-1].document
        file.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    _show_progress("")
    return outcomes


def read_report(file: Path) -> dict[str, Any]:
    """Return the last report, or an empty one where there is none that can be read."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _show_progress(text: str) -> None:
    """Write over the terminal's line; a file or a pipe gets nothing."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
