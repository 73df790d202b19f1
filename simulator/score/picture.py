"""Draw the score as an SVG: a panel for each column, a bar for each policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from simulator.score.report import TITLES, summary

LABELS, PANEL, GAP, ROW, TOP = 196, 128, 14, 26, 92
BAR = 15
INK, FAINT, GOOD, BAD, NEUTRAL = "#1f2933", "#6b7785", "#1b7f4b", "#b8433a", "#54789c"
FOOT = "Each panel has a scale of its own. Less is better; of events per change, 1 is right. Kept closed is a price, not a sin."
NO_SIN = ("kept_closed", "events_per_change")
"""Columns that cost something and are not sins."""


def draw(document: Mapping[str, Any]) -> str:
    """Return the picture of a score's document."""
    policies = list(document["policies"].values())
    width, height = LABELS + len(TITLES) * (PANEL + GAP) + 6, TOP + len(policies) * ROW + 34
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{escape(_title(document))}</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
        _text(16, 28, "What policies make of the same calendars, with the same faults", size=16, weight=600),
        _text(16, 48, summary(document), colour=FAINT),
        *_labels(policies),
        *(line for number, column in enumerate(TITLES) for line in _panel(number, column, policies)),
        _text(
            16,
            height - 12,
            FOOT,
            colour=FAINT,
            size=11,
        ),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _title(document: Mapping[str, Any]) -> str:
    rows = (
        f"{p['title']}: " + ", ".join(f"{p[c]} {title}" for c, title in TITLES.items()) for p in document["policies"].values()
    )
    return "; ".join(rows)


def _labels(policies: list[Mapping[str, Any]]) -> Iterator[str]:
    for row, policy in enumerate(policies):
        yield _text(LABELS - 12, _middle(row), policy["title"], anchor="end", weight=600 if _is_clean(policy) else 400)


def _panel(number: int, column: str, policies: list[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a column's title, its base line, and a bar with its value for each policy."""
    left, most = LABELS + number * (PANEL + GAP), max(policy[column] for policy in policies)
    yield _text(left, TOP - 14, TITLES[column], weight=600)
    yield f'<line x1="{left}" y1="{TOP - 4}" x2="{left}" y2="{TOP + len(policies) * ROW}" stroke="#cfd6dd"/>'
    for row, policy in enumerate(policies):
        value = policy[column]
        size = round((PANEL - 46) * value / most, 1) if most else 0
        colour = GOOD if value == 0 else NEUTRAL if column in NO_SIN else BAD
        if size:
            yield f'<rect x="{left}" y="{TOP + row * ROW + 4}" width="{max(size, 1.5)}" height="{BAR}" fill="{colour}"/>'
        yield _text(left + size + 5, _middle(row), f"{value:,}", colour=colour, weight=600 if value == 0 else 400)


def _is_clean(policy: Mapping[str, Any]) -> bool:
    """Return whether nothing that is called a sin was counted."""
    return not any(policy[column] for column in TITLES if column not in NO_SIN)


def _middle(row: int) -> int:
    return TOP + row * ROW + 16


def _text(x: float, y: float, words: str, *, colour: str = INK, size: int = 12, weight: int = 400, anchor: str = "start") -> str:
    look = f'fill="{colour}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}"'
    return f'<text x="{x}" y="{y}" {look}>{escape(words)}</text>'
