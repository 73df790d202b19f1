"""The page's tape chart beside @event-calendar, in one Chromium: ``python -m bench.bench_page``.

30 units, 90 days and 600 bookings. Measured until the browser has painted: the first drawing, and one booking that moves, then
another. The measurement begins with a frame and ends with it, so that neither waits for the screen.
Both draw in pages of their own, in turn; `web/page/bench/chart.ts` does the work.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from bench.rows import LackingError, Row, show_rows

ROOT = Path(__file__).resolve().parents[1]
NODE = ROOT / ".bokit/node/bin/node"
ROUNDS = 7
TARGETS = {"paint": 10.0, "change": 20.0}
"""How much faster than the peer each should be."""


def run() -> dict[str, dict[str, float]]:
    """Return the medians of both and their ratios; raises LackingError without a browser or Node."""
    if not NODE.exists():
        raise LackingError("no Node is set up")
    script = [str(NODE), "web/page/bench/chart.ts", str(ROUNDS)]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=True, timeout=600)
    measured: dict[str, float] = json.loads(done.stdout)
    if "not_run" in measured:
        raise LackingError(str(measured["not_run"]))
    return {
        what: {
            "ms": round(measured[f"{what}_ms"], 1),
            "peer_ms": round(measured[f"peer_{what}_ms"], 1),
            "ratio": round(measured[f"{what}_ratio"], 1),
        }
        for what in TARGETS
    }


def rows(report: dict[str, dict[str, float]]) -> list[Row]:
    """Return a row for the first drawing and one for a change."""
    return [
        Row(
            name=f"page.{what}.ratio",
            what=f"the page's chart, {what}; @event-calendar",
            ours=f"{row['ms']:.1f} ms",
            peer=f"{row['peer_ms']:.1f} ms",
            ratio=row["ratio"],
            goal=TARGETS[what],
        )
        for what, row in report.items()
    ]


if __name__ == "__main__":
    show_rows(rows(run()))
