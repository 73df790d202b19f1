"""Runs one benchmark in this process: ``python -m bench.one NAME FILE [ROUNDS]`` writes what it measured as JSON.

The file gets the report and its rows, or what this machine lacks. All that is printed meanwhile is the caller's to keep.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.rows import LackingError, Row, look_up


def measure(name: str, bench: Any, rounds: int | None = None) -> dict[str, Any]:
    """Return the report of the module *bench* and its rows, or what is lacking; raises whatever the benchmark raises."""
    try:
        report = bench.run() if rounds is None else bench.run(rounds=rounds)
    except LackingError as error:
        return {"lacking": str(error)}
    rows = bench.rows(report)
    check_names({name: report}, rows)
    return {"report": report, "rows": [asdict(row) for row in rows]}


def check_names(report: Mapping[str, Any], rows: list[Row]) -> None:
    """Raise ValueError where a row's figure is not in *report* under the row's name."""
    for row in rows:
        try:
            found = look_up(report, row.name)
        except (KeyError, TypeError) as error:
            raise ValueError(f"the report has no {row.name}") from error
        if found != row.ratio:
            raise ValueError(f"{row.name} is {found} in the report, and {row.ratio} in the table")


def main(name: str, file: str, rounds: str = "") -> None:
    """Measure, and write the file."""
    document = measure(name, import_module(f"bench.bench_{name}"), int(rounds) if rounds else None)
    Path(file).write_text(json.dumps(document), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
