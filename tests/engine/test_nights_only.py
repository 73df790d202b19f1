"""A calendar of nights alone: no label that says more, no name, UIDs of dates. Ten months of it, as `bokit replay` sees them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bokit.core.bookings.nights import join_nights, nights
from bokit.engine.bookings.replay import replay_history
from simulator.history import save_history
from simulator.life import live
from simulator.world import World
from tests.support.feed_lines import events, span

FEED = "nights/flat"
MAX_EVENTS = 1.5
"""Events for each change of the nights that the calendar closes."""


def write_history(folder: Path, seed: int, **options: Any) -> Path:
    """Write ten months of a listing that has some guests already."""
    world = World(seed=seed)
    world.add_feed(FEED, **options)
    live(world, days=30)
    save_history(world, FEED, folder / "history", days=300, every_hours=12)
    return folder / "history"


def shown_nights(folder: Path) -> list[tuple[date, set[date]]]:
    """Return the date of each fetch and the nights from then on that it closes."""
    found = []
    for path in sorted(folder.glob("*.ics")):
        today = date.fromisoformat(path.stem[:8])
        spans = [span(event) for event in events(path.read_bytes())]
        found.append((today, {night for first, end in spans for night in nights(max(first, today), end)}))
    return found


def count_changes(shown: Iterable[tuple[date, set[date]]]) -> int:
    """Return how many times nights side by side were closed or opened."""
    changes, before = 0, set[date]()
    for today, closed in shown:
        still = {night for night in before if night >= today}
        changes += len(join_nights(closed - still)) + len(join_nights(still - closed))
        before = closed
    return changes


@pytest.mark.parametrize(
    ("seed", "options"),
    [
        (1, {"label": "Not available", "joined": True}),
        (2, {"label": "Nights", "uids": "start", "clipped": True}),
        (3, {"label": "Reserved", "uids": "hash", "joined": True}),
        (4, {"label": "", "joined": True, "clipped": True}),
    ],
)
def test_ten_months_of_nights_alone_are_stays_and_few_events(seed, options, tmp_path):
    """No fetch is refused, no night is a window's alone, and there is about one event for each change of the nights."""
    folder = write_history(tmp_path, seed, **options)
    shown = shown_nights(folder)
    replayed = replay_history(folder)

    assert replayed["refused"] == []
    assert {stay["kind"] for stay in replayed["stays"]} <= {"block", "reservation"}
    made = sum(number for change, number in replayed["counts"].items() if change != "refused")
    assert made <= MAX_EVENTS * count_changes(shown)
    ends = [stay["history"][-1] for stay in replayed["stays"]]
    spans = [(e["check_in"], e["check_out"]) for e in ends if e["change"] not in ("cancelled", "merged")]
    held = {night for first, end in spans for night in nights(date.fromisoformat(first), date.fromisoformat(end))}
    assert shown[-1][1] <= held
