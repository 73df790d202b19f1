"""The benchmark of requests that wake a sync runs: nothing else would say when the API leaves it behind."""

from __future__ import annotations

import pytest

from bench import bench_traffic
from bench.one import check_names
from functions.api_sync import app


def test_requests_wake_one_sync_and_are_measured(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(app, "engine", app.engine)  # what the benchmark puts in is taken out again
    monkeypatch.setattr(bench_traffic, "REQUESTS", 3)
    monkeypatch.setattr(bench_traffic, "CALL", 0)
    report = bench_traffic.run()

    assert report["syncs_started"] == 1
    check_names({"traffic": report}, bench_traffic.rows(report))
