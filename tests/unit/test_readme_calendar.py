"""README shows what the command prints."""

from __future__ import annotations

import re
from pathlib import Path

from rich.cells import cell_len

from tests.support.demo_calendar import MONTH, draw_demo

ROOT = Path(__file__).resolve().parents[2]


def test_the_calendar_in_readme_is_what_the_command_prints_of_the_demos_world():
    """Where this fails: put what ``python -m tests.support.demo_calendar`` prints into the block."""
    (block,) = re.findall(
        rf"```\n\$ bokit calendar {MONTH}\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )

    assert block == draw_demo()
    assert max(map(cell_len, block.splitlines())) <= 80
    assert "!!" in block, "the demo's double booking is in it"


def test_a_narrow_terminal_shows_the_same_nights():
    """At 40 columns the month goes on below, with the same cells."""
    wide, narrow = draw_demo(), draw_demo(40)

    def cells(text: str, unit: str) -> str:
        return "".join(
            line[line.index(unit) + len(unit) :].strip().replace(" ", "") for line in text.splitlines() if unit + " " in line[:16]
        )

    assert narrow.count("Dec 2026 ") > wide.count("Dec 2026 ")
    assert cells(narrow, "Quay loft") == cells(wide, "Quay loft") != ""
