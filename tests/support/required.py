"""What a machine lacks is reported as "not run"; where everything is required, that is a failure.

A test that can't run here skips with a reason that begins with ``not run``. With BOKIT_REQUIRE_ALL=1, as `.ci/run` has it, such a
skip fails: what nobody ran is not shown. Other skips stay skips.
"""

from __future__ import annotations

import os
from typing import TypeVar

import pytest

REQUIRED = "BOKIT_REQUIRE_ALL"
Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def is_all_required() -> bool:
    """Return whether this run must leave nothing out."""
    return os.environ.get(REQUIRED, "") not in ("", "0")


def fail_what_is_not_run(report: Report) -> Report:
    """Turn the report of a test that says "not run" into a failure; leave any other as it is."""
    reason = report.longrepr[2] if report.skipped and isinstance(report.longrepr, tuple) else ""
    if reason.removeprefix("Skipped: ").startswith("not run"):
        report.outcome = "failed"
        report.longrepr = f"{REQUIRED} is set, and this test was left out: {reason}"
    return report
