"""The house's rules that import-linter does not see: handlers are thin, functions are short, ours stays ours."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "layers/shared/bokit"
OURS = [p for folder in ("layers/shared/bokit", "cli", "functions", "simulator", "local") for p in (ROOT / folder).rglob("*.py")]
LONGEST_FUNCTION, LONGEST_FILE, LONGEST_HANDLER = 40, 450, 60
"""Lines, without docstrings for functions."""


def imports_of(path: Path) -> set[str]:
    """Return every module that a file imports, at whatever place."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def lengths_of(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each function with its length in lines, its docstring left out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            told = node.body[0].end_lineno - node.body[0].lineno + 1 if ast.get_docstring(node) else 0
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1 - told


@pytest.mark.parametrize("path", sorted((ROOT / "functions").rglob("*.py")), ids=lambda p: p.parent.name)
def test_a_handler_is_a_page_and_knows_neither_table_nor_network(path):
    """Handlers import Bokit and Powertools; PynamoDB, boto3 and requests are other people's business."""
    strangers = {
        name for name in imports_of(path) if name.split(".")[0] in ("pynamodb", "boto3", "botocore", "requests", "urllib3")
    }

    assert strangers == set()
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_HANDLER


def test_no_function_is_longer_than_a_reader_can_hold():
    """Forty lines at most, the docstring not counted."""
    assert [name for path in OURS for name, lines in lengths_of(path) if lines > LONGEST_FUNCTION] == []


def test_no_file_has_grown_past_a_pages_sense():
    """450 lines at most."""
    assert [str(p.relative_to(ROOT)) for p in OURS if len(p.read_text(encoding="utf-8").splitlines()) > LONGEST_FILE] == []


def test_the_store_knows_no_booking():
    """The store keeps records, whatever they are."""
    known = {name for path in (PACKAGE / "store").rglob("*.py") for name in imports_of(path)}

    allowed = {f"bokit.core.{name}" for name in ("access", "catalog", "monitor", "options", "records", "runs")}
    assert {name for name in known if name.startswith("bokit.core")} <= allowed
