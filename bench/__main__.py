"""Run every benchmark, print the ratios, and write ``bench/report.json``."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

from bench import (
    bench_cold,
    bench_command_line,
    bench_export,
    bench_json,
    bench_live,
    bench_matching,
    bench_page,
    bench_reading,
    bench_start,
    bench_tables,
    bench_traffic,
    bench_unchanged,
)

REPORT = Path(__file__).with_name("report.json")


def main() -> int:
    """Run all benchmarks and return 0; a ratio that misses its target is reported, not an error."""
    report: dict[str, object] = {"python": platform.python_version(), "machine": platform.machine()}
    benches = {
        "reading": bench_reading,
        "matching": bench_matching,
        "unchanged": bench_unchanged,
        "start": bench_start,
        "cold": bench_cold,
        "command_line": bench_command_line,
        "traffic": bench_traffic,
        "tables": bench_tables,
        "json": bench_json,
        "export": bench_export,
        "page": bench_page,
        "live": bench_live,
    }
    for name, bench in benches.items():
        print(f"\n{name}")
        report[name] = bench.run()
        bench.show(report[name])  # type: ignore[attr-defined]
    REPORT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten to {REPORT.relative_to(REPORT.parents[1])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
