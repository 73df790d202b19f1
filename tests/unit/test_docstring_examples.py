"""The examples in docstrings are what the code answers."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = re.compile(r"^ +>>> ", re.MULTILINE)
FOLDERS = {"layers/shared": "bokit", "cli": "bokit_cli", ".": "local simulator tests bench"}


def find_modules() -> list[str]:
    """Return the modules whose docstrings have examples, by their dotted names."""
    return sorted(
        ".".join(file.relative_to(ROOT / folder).with_suffix("").parts)
        for folder, packages in FOLDERS.items()
        for package in packages.split()
        for file in (ROOT / folder / package).rglob("*.py")
        if EXAMPLE.search(file.read_text(encoding="utf-8"))
    )


@pytest.mark.parametrize("name", find_modules())
def test_a_docstring_s_examples_hold(name):
    result = doctest.testmod(importlib.import_module(name), raise_on_error=False)

    assert result.attempted > 0
    assert result.failed == 0
