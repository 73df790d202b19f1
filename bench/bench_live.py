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

from local import stack

ROOT = Path(__file__).resolve().parents[1]
NODE = ROOT / ".bokit/node/bin/node"
ROUNDS = 50
TARGETS = {"median": 250.0, "p99": 1000.0}
"""Milliseconds."""


def run(rounds: int = ROUNDS) -> dict[str, Any]:
    """Return milliseconds by percentile; nothing without a browser, or where `make web` never ran."""
    from tests.support.deployed import make_place, run_cloud
    from tests.support.page_on_stack import make_env, serve_feeds

    if not NODE.exists():
        return {}
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
        return {}
    times = sorted(measured["times"])
    p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
    return {
        "edits": len(times),
        "websocket": measured["isLive"],
        "median": round(statistics.median(times), 1),
        "p99": round(p99, 1),
        "targets": TARGETS,
    }


def show(report: dict[str, Any]) -> None:
    """Print the percentiles beside their targets."""
    if not report:
        print("  not run: no Chromium or no Node here")
        return
    way = "by its WebSocket" if report["websocket"] else "by polling: the stack has no WebSocket"
    print(f"  {report['edits']} edits in a terminal, on the open page {way}")
    for name, target in TARGETS.items():
        print(f"  {name:<7} {report[name]:>7.1f} ms (target {target:.0f})")


if __name__ == "__main__":
    made = run(*map(int, sys.argv[1:]))
    print(json.dumps(made, indent=1))
    show(made)
