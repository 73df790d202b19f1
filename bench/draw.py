"""Draw the history of ratios as an SVG, a line for each: ``python -m bench.draw`` writes ``docs/pictures/bench.svg``.

Up is better in every line, and the dashed line is the goal. Each line has a scale of its own, logarithmic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from textwrap import shorten

from bench.history import PICTURE, Entry, History, Kept, is_loss, read_history

LAST = 10
"""Entries that are drawn: the newest."""
WIDTH, ROW, TOP, FOOT = 760, 22, 76, 30
LINE_LEFT, LINE_WIDTH = 392, 180
HALF = 7
"""Half the height of a line's scale, in pixels."""
MOST = 62
"""Characters of what was measured, at most: the line begins behind them."""
LEAST_SPAN = math.log(1.5)
"""What half the height stands for at least, so that noise looks small."""
LEGEND = "Up is better. Dashed: the goal. A triangle: worse by more than a fifth."
STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#1f2933}.b{fill:#fff}.h{font-size:15px;font-weight:600}.f{fill:#5b6773}"
    ".e{text-anchor:end}.g{stroke:#8a96a3;stroke-dasharray:3 3}.l{fill:none;stroke:#2b6cb0;stroke-width:1.5;marker:url(#p)}"
    ".d{fill:#2b6cb0}.x{fill:#b8433a}.m{fill:#b8433a;font-weight:600}@media(prefers-color-scheme:dark){text{fill:#e4e9ee}"
    ".b{fill:#1b2026}.f{fill:#a9b4bf}.g{stroke:#77828e}.l{stroke:#7fb2e5}.d{fill:#7fb2e5}.x,.m{fill:#ff938a}}"
)


def draw(history: History) -> str:
    """Return the picture of the newest entries."""
    entries = history.entries[-LAST:]
    drawn = [name for name in history.kept if any(name in entry.ratios for entry in entries)]
    height = TOP + len(drawn) * ROW + FOOT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="t d">',
        '<title id="t">Ratios of make bench, by commit</title>',
        f'<desc id="d">{escape(describe(history, drawn, entries))}</desc>',
        f"<style>{STYLE}</style>",
        '<defs><marker id="p" markerWidth="5" markerHeight="5" refX="2.5" refY="2.5" markerUnits="userSpaceOnUse">'
        '<circle class="d" cx="2.5" cy="2.5" r="2.5"/></marker></defs>',
        f'<rect class="b" width="{WIDTH}" height="{height}" rx="8"/>',
        '<text class="h" x="16" y="28">How Bokit compares with others, commit by commit</text>',
        *_head(entries),
        f'<path class="g" d="{"".join(f"M{LINE_LEFT} {TOP + place * ROW + 11}h{LINE_WIDTH}" for place in range(len(drawn)))}"/>',
        *(line for place, name in enumerate(drawn) for line in _line(place, name, history.kept[name], entries)),
        f'<text class="f" x="16" y="{height - 12}">{LEGEND}</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def describe(history: History, drawn: Sequence[str], entries: Sequence[Entry]) -> str:
    """Return in words what the picture shows, for those who hear it."""
    newest = {name: entry.ratios[name] for entry in entries for name in drawn if name in entry.ratios}
    met = sum(history.kept[name].gain_of(ratio) >= 1 for name, ratio in newest.items())
    return f"{len(drawn)} ratios at up to {LAST} commits, each with its goal; of the newest, {met} meet their goals."


def _head(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield the columns' titles, with the first and the last commit over the lines."""
    titles = [(16, "", "what; beside what"), (640, " e", "ratio"), (700, " e", "goal"), (744, " e", "met")]
    for x, side, words in titles:
        yield f'<text class="f{side}" x="{x}" y="60">{words}</text>'
    for number in sorted({0, len(entries) - 1} if entries else ()):
        side = " e" if number or len(entries) == 1 else ""
        yield f'<text class="f{side}" x="{_x(number, len(entries)):g}" y="60">{escape(entries[number].commit)}</text>'


def _line(place: int, name: str, kept: Kept, entries: Sequence[Entry]) -> Iterator[str]:
    """Yield one ratio: its words, its line, and the newest figure beside the goal."""
    found = [(number, entry.ratios[name]) for number, entry in enumerate(entries) if name in entry.ratios]
    gains = [math.log(kept.gain_of(ratio)) for _, ratio in found]
    span = max(LEAST_SPAN, *map(abs, gains))
    points = [(_x(number, len(entries)), 11 - HALF * gain / span) for (number, _), gain in zip(found, gains, strict=True)]
    what = shorten(kept.what, MOST, placeholder=" …")
    is_met, last = gains[-1] >= 0, found[-1][1]
    goal = f"{'≤' if kept.at_most else '≥'} {kept.goal:.3g}"
    yield f'<g transform="translate(0 {TOP + place * ROW})"><text x="16" y="15">{escape(what)}</text>'
    yield f'<path class="l" d="M{"L".join(f"{x:g} {y:.1f}" for x, y in points)}"/>'
    steps = zip(found, found[1:], points[1:], strict=False)
    falls = [at for (_, before), (_, now), at in steps if is_loss(before, now, at_most=kept.at_most)]
    if falls:
        yield f'<path class="x" d="{"".join(f"M{x - 5:g} {y - 4:.1f}h10l-5 9z" for x, y in falls)}"/>'
    yield f'<text class="e" x="640" y="15">{last:.3g}</text><text class="e f" x="700" y="15">{goal}</text>'
    yield f'<text class="e{"" if is_met else " m"}" x="744" y="15">{"yes" if is_met else "no"}</text></g>'


def _x(number: int, count: int) -> float:
    """Return where the entry of a number stands: the newest at the right."""
    return round(LINE_LEFT + LINE_WIDTH * (number / (count - 1) if count > 1 else 1), 1)


def main() -> None:
    """Write the picture of the history that is committed."""
    PICTURE.write_text(draw(read_history()), encoding="utf-8")


if __name__ == "__main__":
    main()
