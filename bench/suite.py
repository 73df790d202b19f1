"""The benchmarks of ``make bench``: each runs in a process of its own, and what it prints goes to a file."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.rows import Row

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / ".bokit/bench"
NAMES = (
    "reading",
    "matching",
    "unchanged",
    "vdirsyncer",
    "scale",
    "change",
    "poll",
    "start",
    "cold",
    "command_line",
    "traffic",
    "tables",
    "json",
    "export",
    "page",
    "live",
)
"""In the table's order; the module of each is ``bench.bench_NAME``."""
QUICK: Mapping[str, int] = {"reading": 3, "unchanged": 2, "start": 3, "command_line": 3}
"""What `make check` measures, and in how many rounds: only ratios of CPU time, each within 20 seconds."""
MAX_REASON = 120
"""Characters of a reason in the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one benchmark: rows and a report, or why there are none."""

    name: str
    rows: list[Row] = field(default_factory=list)
    report: Mapping[str, Any] = field(default_factory=dict)
    lacking: str = ""
    """What this machine lacks for it, which is a reason but not a fault."""
    broken: str = ""

    @property
    def document(self) -> Mapping[str, Any]:
        """Return what the report's file has of it."""
        if self.broken:
            return {"broken": self.broken}
        return {"not_run": self.lacking} if self.lacking else self.report


def run_bench(name: str, rounds: int | None = None, logs: Path = LOGS) -> Outcome:
    """Run a benchmark to its end; what it and its processes print is in ``NAME.log`` of *logs* afterwards."""
    logs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bokit-bench-") as folder, (logs / f"{name}.log").open("w+", encoding="utf-8") as log:
        file = Path(folder) / "measured.json"
        command = [sys.executable, "-m", "bench.one", name, str(file), *([str(rounds)] if rounds else [])]
        code = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False).returncode
        if code or not file.exists():
            log.seek(0)
            return Outcome(name=name, broken=_find_reason(log.read(), code))
        measured = json.loads(file.read_text(encoding="utf-8"))
    if "lacking" in measured:
        return Outcome(name=name, lacking=measured["lacking"])
    return Outcome(name=name, rows=[Row(**row) for row in measured["rows"]], report=measured["report"])


def _find_reason(text: str, code: int) -> str:
    """Return the last line that a broken benchmark printed: that of its exception."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:MAX_REASON] if lines else f"it ended with status {code}"
