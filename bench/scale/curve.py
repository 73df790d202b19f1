"""Draws what ``bench_scale`` measured as a small SVG: each size relative to the smallest of its store, no absolute times."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 640, 270
PANEL, EDGE, GAP, LEFT, TOP, BOTTOM = 250, 30, 70, 36, 40, 78
MOST = 1.5
"""The largest ratio that is drawn."""
STYLE = """
svg{background:#fff;font:13px system-ui,sans-serif}text{fill:#333}.name{font-weight:600}
.grid{stroke:#ddd}.goal{stroke:#888;stroke-dasharray:2 3}
.line{fill:none;stroke-width:2}.table{stroke:#0b63b0}.memory{stroke:#a8480c;stroke-dasharray:6 4}
.dot{stroke:none}.dot.table{fill:#0b63b0}.dot.memory{fill:#a8480c}
@media (prefers-color-scheme:dark){svg{background:#16191d}text{fill:#ddd}.grid{stroke:#3a3f45}.goal{stroke:#999}
.table{stroke:#6db3f2}.memory{stroke:#f0a169}.dot.table{fill:#6db3f2}.dot.memory{fill:#f0a169}}
"""
WHERE = {"table": "feeds in the table", "memory": "feeds in the store in memory"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One figure by number of feeds."""

    name: str
    goal: float
    read: Callable[[Mapping[str, Any]], float]


PANELS = (
    Panel(name="CPU of one feed", goal=1.1, read=lambda size: float(size["cpu_ms"])),
    Panel(name="Memory of a worker", goal=1.2, read=lambda size: float(size["peak_mb"]["worker"])),
)
Points = Sequence[tuple[int, float]]


def draw_curve(report: Mapping[str, Any]) -> str:
    """Return the SVG of a report of ``bench_scale``."""
    measured = {panel.name: {store: _relate(panel, found["sizes"]) for store, found in report.items()} for panel in PANELS}
    sizes = sorted({int(count) for found in report.values() for count in found["sizes"]})
    lines = [(name, store, points) for name, by_store in measured.items() for store, points in by_store.items()]
    said = " ".join(f"{name}, {WHERE[store]}: {_list(points)}." for name, store, points in lines)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title desc">',
        '<title id="title">What a feed costs, by the number of feeds</title>',
        f'<desc id="desc">Relative to the smallest number of feeds. {said}</desc>',
        f"<style>{STYLE}</style>",
    ]
    for n, panel in enumerate(PANELS):
        parts += _draw_panel(LEFT + n * (PANEL + GAP), panel, measured[panel.name], sizes)
    return "\n".join([*parts, *_draw_key(report), "</svg>"]) + "\n"


def _relate(panel: Panel, sizes: Mapping[str, Any]) -> Points:
    """Return the figure at each size, relative to the smallest."""
    counts = sorted(map(int, sizes))
    least = panel.read(sizes[str(counts[0])])
    return [(count, panel.read(sizes[str(count)]) / least) for count in counts]


def _list(points: Points) -> str:
    return ", ".join(f"{ratio:.2f} at {count:,}" for count, ratio in points)


def _draw_panel(left: int, panel: Panel, lines: Mapping[str, Points], sizes: Sequence[int]) -> Iterator[str]:
    right = left + PANEL

    def x(count: int) -> float:
        share = math.log(count / sizes[0]) / math.log(sizes[-1] / sizes[0]) if len(sizes) > 1 else 0
        return left + EDGE + (PANEL - 2 * EDGE) * share

    yield f'<text class="name" x="{left}" y="20">{panel.name} (1 at {sizes[0]:,})</text>'
    for ratio in (0, 0.5, 1, 1.5):
        yield f'<line class="grid" x1="{left}" x2="{right}" y1="{_y(ratio):.0f}" y2="{_y(ratio):.0f}"/>'
        yield f'<text x="{left - 6}" y="{_y(ratio) + 4:.0f}" text-anchor="end">{ratio:g}</text>'
    yield f'<line class="goal" x1="{left}" x2="{right}" y1="{_y(panel.goal):.0f}" y2="{_y(panel.goal):.0f}"/>'
    for count in sizes:
        yield f'<text x="{x(count):.0f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{count:,}</text>'
    for store, points in lines.items():
        drawn = " ".join(f"{x(count):.0f},{_y(ratio):.1f}" for count, ratio in points)
        yield f'<polyline class="line {store}" points="{drawn}"/>'
        yield from (f'<circle class="dot {store}" cx="{x(count):.0f}" cy="{_y(ratio):.1f}" r="3"/>' for count, ratio in points)


def _draw_key(stores: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the lines mean, below the panels."""
    kinds = [*((f"line {store}", WHERE[store]) for store in stores), ("goal", "at most")]
    for n, (kind, text) in enumerate(kinds):
        left, y = LEFT + n * 235, HEIGHT - 20
        yield f'<line class="{kind}" x1="{left}" x2="{left + 26}" y1="{y - 4}" y2="{y - 4}"/>'
        yield f'<text x="{left + 32}" y="{y}">{text}</text>'


def _y(ratio: float) -> float:
    return HEIGHT - BOTTOM - min(ratio, MOST) / MOST * (HEIGHT - TOP - BOTTOM)
