"""What the documents show of runs, guides and costs is what is printed, shown and counted today."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from tests.support.docs_blocks import DOCS, MAKERS, TEXTS, as_list, find_blocks
from tests.support.docs_runs import RUNS, WIDTH
from tests.support.terminal import JULY, Terminal, a_feed

BLOCKS = find_blocks()


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_is_what_it_is_made_of(name):
    """Where this fails: ``python -m tests.support.docs_blocks`` writes the blocks again."""
    _, kind, of, text = BLOCKS[name]

    assert text == MAKERS[kind](of)


def test_every_run_is_shown_and_fits_its_width():
    """A run that no page shows is not played."""
    shown = {of: text for _, kind, of, text in BLOCKS.values() if kind == "run"}

    assert shown.keys() == RUNS.keys()
    assert max(len(line) for text in shown.values() for line in text.splitlines()) <= WIDTH


def test_every_guide_of_the_page_is_in_the_hosts_guide():
    """A platform for which the page has a guide has one in the documents, both ways."""
    found = {f"{kind} {of}" for _, kind, of, _ in BLOCKS.values() if kind in {"copy", "paste"}}
    there = {f"copy {name.removeprefix('find-')}" for name in read_texts("setup") if name.startswith("find-")}
    there |= {f"paste {name.removeprefix('paste-')}" for name in read_texts("calendar") if name.startswith("paste-")}

    assert found == there


def test_the_commands_of_start_as_a_host_run(tmp_path, capsys):
    """A property, a unit, two calendars, a sync and two calendars to paste: each ends well."""
    page = (DOCS / "start-as-a-host.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```\n(bokit property add.*?)```", page, re.DOTALL)
    terminal = Terminal(capsys, tmp_path)
    terminal.shelf.bodies |= dict.fromkeys(re.findall(r'--url "([^"]+)"', block), a_feed(JULY))
    ends = {line: terminal.run(*shlex.split(line)[1:]).code for line in block.splitlines()}

    assert ends == dict.fromkeys(ends, 0)
    assert "HMABCDEF12" in terminal.run("bookings", "--json").out


def test_the_steps_of_a_guide_are_a_list():
    """What stands before and after the steps are paragraphs."""
    assert as_list("Open it.\n1. One.\n2. Two.\nThen wait.") == "\nOpen it.\n\n1. One.\n2. Two.\n\nThen wait.\n\n"


def read_texts(name: str) -> dict[str, str]:
    """Return the page's English texts of a file."""
    return json.loads((TEXTS / f"{name}.json").read_text(encoding="utf-8"))


def test_all_pictures_together_are_small():
    """Clones and the site stay light: 300 kB for all of them."""
    pictures = [path for path in DOCS.rglob("*") if path.suffix in {".png", ".svg"}]

    assert sum(path.stat().st_size for path in pictures) <= 300_000
    assert not [path for path in pictures if path.suffix == ".svg" and re.search(r'href="https?:', path.read_text())]
