"""How soon a terminal's edit is on an open page, on a stack in a local cloud of its own: ``python -m bench.bench_live [EDITS]``.

`web/page/test/stack/edits.ts` edits and looks: from the time in the edit's change log until the browser's document shows it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.rows import LackingError, Row, show_rows
from local import stack

ROOT = Path(__file__).resolve().parents[1]
NODE = ROOT / ".bokit/node/bin/node"
ROUNDS = 50
TARGETS = {"median": 250.0, "p99": 1000.0}
"""Milliseconds."""


def run(rounds: int = ROUNDS) -> dict[str, Any]:
    """Return milliseconds by percentile; raises LackingError without a browser or Node."""
    from tests.support.deployed import make_place, run_cloud
    from tests.support.page_on_stack import make_env, serve_feeds

    if not NODE.exists():
        raise LackingError("no Node is set up")
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}  # the local cloud takes any
    with tempfile.TemporaryDirectory(prefix="bokit-bench-") as folder, serve_feeds() as feeds:
        built = stack.build_stack(make_place(Path(folder, "built")))
        cloud = run_cloud(Path(folder, "cloud"), built)
        try:
            env = os.environ | make_env(next(cloud), feeds)
            script = [str(NODE), "web/page/test/stack/edits.ts", str(rounds)]
            done = subprocess.run(script, cwd=ROOT, env=env, capture_output=True, text=True, check=True, timeout=1200)
        finally:
            cloud.close()  # type: ignore[attr-defined]
    return summarize(json.loads(done.stdout))


def summarize(measured: dict[str, Any]) -> dict[str, Any]:
    """Return the percentiles of what was measured."""
    if "not_run" in measured:
        raise LackingError(str(measured["not_run"]))
    times = sorted(measured["times"])
    p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
    percentiles = {"median": round(statistics.median(times), 1), "p99": round(p99, 1)}
    shares = {name: round(percentiles[name] / goal, 3) for name, goal in TARGETS.items()}
    return {"edits": len(times), "websocket": measured["isLive"], **percentiles, "of_goal": shares}


def rows(report: dict[str, Any]) -> list[Row]:
    """Return the percentiles, of their goals."""
    way = "its WebSocket" if report["websocket"] else "polls"
    return [
        Row(
            name=f"live.of_goal.{name}",
            what=f"edit to page by {way}, {name}, of {goal:.0f} ms",
            ours=f"{report[name]:.0f} ms",
            ratio=report["of_goal"][name],
            goal=1,
            at_most=True,
            is_ratio=False,
        )
        for name, goal in TARGETS.items()
    ]


if __name__ == "__main__":
    show_rows(rows(run(*map(int, sys.argv[1:]))))
