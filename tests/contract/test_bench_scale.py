"""The benchmark of many feeds, with few: every feed is really synced, in as few batches and requests as many are."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from bench.bench_scale import measure, rows
from bench.one import check_names
from bench.scale.curve import draw_curve
from tests.support.emulator import needs_emulator

FEEDS = 150
"""Two shards, one of them half full."""


@pytest.mark.parametrize("kind", ["memory", pytest.param("table", marks=[needs_emulator, pytest.mark.slow])])
def test_few_feeds_are_synced_as_many_are(kind: str, aws: None):
    found = measure(kind, FEEDS, workers=1, least=FEEDS, warm=0)

    assert found["feeds"] >= FEEDS
    assert found["others"] == 0
    assert found["batches_a_hundred_feeds"] == pytest.approx(2 / FEEDS * 100)
    schema_read_once = {"GetItem": 1 / 2}
    assert found["calls_a_batch"] == ({"Query": 1, "UpdateItem": 1, **schema_read_once} if kind == "table" else {})


def size(cpu_ms: float, peak_mb: float) -> dict[str, Any]:
    return {"cpu_ms": cpu_ms, "peak_mb": {"worker": peak_mb}, "rate": 900.0, "tick_s": 0.2}


REPORT = {
    "table": {
        "sizes": {"1000": size(0.5, 60), "10000": size(0.55, 66)},
        "cpu": {"ratio": 1.1},
        "peak": {"ratio": 1.1},
        "rate": {"ratio": 1.125},
        "tick": {"ratio": 0.2},
    },
}


def test_each_goal_is_a_row_whose_figure_the_report_has():
    found = rows(REPORT)

    check_names({"scale": REPORT}, found)
    assert [(row.name, row.is_met) for row in found] == [
        ("scale.table.cpu.ratio", True),
        ("scale.table.peak.ratio", True),
        ("scale.table.rate.ratio", True),
        ("scale.table.tick.ratio", True),
    ]
    assert [row.name for row in found if row.is_ratio] == ["scale.table.cpu.ratio", "scale.table.peak.ratio"]


def test_the_curve_lists_its_figures_and_no_times():
    drawn = ET.fromstring(draw_curve(REPORT))  # noqa: S314 - our own text

    said = "".join(drawn.find("{http://www.w3.org/2000/svg}desc").itertext())
    assert said == (
        "Relative to the smallest number of feeds. CPU of one feed, feeds in the table: 1.00 at 1,000, 1.10 at 10,000. "
        "Memory of a worker, feeds in the table: 1.00 at 1,000, 1.10 at 10,000."
    )
    assert not [text for text in drawn.itertext() if " ms" in text or "MB" in text]
