"""Plain, standard English: a short list of words that this project does not use, and terms that mean one thing."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SUFFIXES = {".py", ".md", ".yaml", ".yml", ".toml", ".sh", ".json", ".ts", ".tsx", ".mjs"}
LEFT_OUT = (
    "docs/openapi.json",
    "tests/data/",
    "tests/node/",
    "web/package-lock.json",
    "tests/unit/test_words.py",
    "tests/support/former_table.py",
    "tests/support/release_worker.py",
    "requirements",
)
"""Generated files, data of tests, names of former releases, locks, and this list itself."""

BANNED = {
    "told": "payload, error, notified, state, reported, counts, visible, digest …",
    "tell": "show, log, report, detect, distinguish",
    "tells": "shows, says, identifies",
    "telling": "showing, reporting",
    "anew": "again, from scratch",
    "mend": "fix",
    "mends": "fixes",
    "mended": "fixed",
    "obey": "follow, be valid against",
    "obeys": "follows, is valid against",
    "whoever": "the process that, anyone who",
    "beforehand": "first, in advance",
    "aftermath": "reconcile step",
    "desk": "service",
    "desks": "services",
    "rivals": "other sources",
    "strangers": "orphans, others",
    "hark": "note",
    "henceforth": "from now on",
    "hitherto": "until now",
    "thereof": "of it",
    "let go": "released, removed, cancelled",
    "lets go": "releases, removes, cancels",
    "lay over": "apply to",
    "settle a": "resolve a, apply a",
}
"""Word: what to write in its place."""

_ALLOWED = "longer|more than|later than|earlier than|less than|larger than|guarantee|evidence|proof|need|reason"
IS_NO = re.compile(rf"\bis no (?!(?:{_ALLOWED})\b)\w", re.IGNORECASE)
"""«X is no Y» is «X is not a Y»."""


def pages() -> list[Path]:
    """Return every file of ours that people read."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = [name for name in listed.stdout.splitlines() if not name.startswith(LEFT_OUT)]
    return [ROOT / name for name in names if Path(name).suffix in SUFFIXES and (ROOT / name).is_file()]


def spoken(text: str) -> str:
    """Return *text* with names in code taken apart: ``is_told`` and ``ToldBefore`` count as words too."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text.replace("_", " "))


@cache
def lines() -> tuple[tuple[str, str], ...]:
    """Return every line of every page: its place, and its words."""
    return tuple(
        (f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}", spoken(line))
        for path in pages()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if line.strip() and not line.startswith("STORED_NAMES")  # what is stored keeps its name
    )


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    """Return every line in which *pattern* occurs, with its place."""
    return [place for place, words in lines() if pattern.search(words)]


@pytest.mark.parametrize("word", sorted(BANNED))
def test_a_banned_word_is_not_used(word):
    """Each of these has a standard word in its place: see BANNED."""
    found = lines_with(re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE))

    assert found == [], f"write {BANNED[word]}"


def test_nothing_is_no_thing():
    """«is not a calendar», and not «is no calendar»."""
    assert lines_with(IS_NO) == []
