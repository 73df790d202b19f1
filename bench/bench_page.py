"""The page's tape chart beside @event-calendar, in one Chromium: ``python -m bench.bench_page``.

30 units, 90 days and 600 bookings. Measured until the browser has painted: the first drawing, and one booking that moves, then
another. The measurement begins with a frame and ends with it, so that neither waits for the screen.
Both draw in pages of their own, in turn; `web/page/bench/chart.ts` does the work.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NODE = ROOT / ".bokit/node/bin/node"
ROUNDS = 7
TARGETS = {"paint": 10.0, "change": 20.0}
"""How much faster than the peer each should be."""


def run() -> dict[str, dict[str, float]]:
    """Return the medians of both and their ratios; nothing without a browser, or where `make web` never ran."""
    if not NODE.exists():
        return {}
    script = [str(NODE), "web/page/bench/chart.ts", str(ROUNDS)]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=True, timeout=600)
    measured: dict[str, float] = json.loads(done.stdout)
    if "not_run" in measured:
        return {}
    return {
        what: {
            "ms": round(measured[f"{what}_ms"], 1),
            "peer_ms": round(measured[f"peer_{what}_ms"], 1),
            "ratio": round(measured[f"{what}_ratio"], 1),
            "target": target,
        }
        for what, target in TARGETS.items()
    }


def show(report: dict[str, dict[str, float]]) -> None:
    """Print a line for the first drawing and one for a change."""
    for what, row in report.items():
        faster = f"{row['ratio']:.1f} times faster (target {row['target']:.0f})"
        print(f"  {what:<7} {row['ms']:>7.1f} ms; @event-calendar {row['peer_ms']:.1f} ms; {faster}")
    if not report:
        print("  not run: no Chromium or no Node here")


if __name__ == "__main__":
    made = run()
    print(json.dumps(made, indent=1))
    show(made)
