"""The rules of the code that import-linter does not see: thin handlers, short functions, packages with a face."""

from __future__ import annotations

import ast
import importlib
import statistics
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.architecture import PACKAGE, ROOT, package_of, packages, table

OURS = [p for folder in ("layers/shared/bokit", "cli", "functions", "simulator", "local") for p in (ROOT / folder).rglob("*.py")]
MAX_FUNCTION_LINES, MAX_FILE_LINES, MAX_HANDLER_LINES = 40, 450, 60
"""Lines, without docstrings for functions."""
MAX_MEDIAN_LINES, MAX_P90_LINES = 4, 14
"""Of the bodies of a package's functions."""


@cache
def parse(path: Path) -> ast.Module:
    """Return a file's syntax, read once."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports_of(path: Path) -> set[str]:
    """Return every module that a file imports, at whatever place."""
    found = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def lengths_of(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each function with the lines of its body, its docstring left out."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", lines


@pytest.mark.parametrize("path", sorted((ROOT / "functions").rglob("*.py")), ids=lambda p: p.parent.name)
def test_a_handler_is_a_page_and_knows_neither_table_nor_network(path):
    """Handlers import Bokit and Powertools, and neither PynamoDB nor boto3 nor requests."""
    foreign = {
        name for name in imports_of(path) if name.split(".")[0] in ("pynamodb", "boto3", "botocore", "requests", "urllib3")
    }

    assert foreign == set()
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_HANDLER_LINES


def test_no_function_is_longer_than_a_reader_can_hold():
    """Forty lines at most, the docstring not counted."""
    assert [name for path in OURS for name, lines in lengths_of(path) if lines > MAX_FUNCTION_LINES] == []


def test_most_functions_of_each_package_are_short():
    """Per package the median is at most 4 lines, and nine of ten functions have at most 14."""
    lengths = defaultdict(list)
    for path in PACKAGE.rglob("*.py"):
        lengths[".".join(path.relative_to(PACKAGE).parts[:-1][:2])] += [lines for _, lines in lengths_of(path)]
    found = {name: (statistics.median(ls), sorted(ls)[int(len(ls) * 0.9)]) for name, ls in lengths.items() if ls}

    assert {name: m for name, m in found.items() if m[0] > MAX_MEDIAN_LINES or m[1] > MAX_P90_LINES} == {}


def test_no_file_has_grown_past_a_pages_sense():
    """450 lines at most."""
    assert [str(p.relative_to(ROOT)) for p in OURS if len(p.read_text(encoding="utf-8").splitlines()) > MAX_FILE_LINES] == []


@pytest.mark.parametrize("package", packages(), ids=lambda p: p.name)
def test_a_package_says_what_it_is_for_and_imports_no_more_than_it_says(package):
    """Its docstring has a purpose and a line «May import: …»; its own sub-packages need no mention."""
    others = {name for name in package.imports if not name.startswith(f"{package.name}.")}

    assert package.purpose.endswith(".")
    assert {name for name in others if not any(name == a or name.startswith(f"{a}.") for a in package.may_import)} == set()


@pytest.mark.parametrize("package", packages(), ids=lambda p: p.name)
def test_only_the_face_of_a_package_is_imported_from_outside(package):
    """Modules that other packages import stand in ``__all__``; the others are the package's own business."""
    face = set(importlib.import_module(f"bokit.{package.name}").__all__)
    used = {
        name.split(".")[-1]
        for path in OURS
        for name in imports_of(path)
        if name.startswith(f"bokit.{package.name}.")
        and package_of(f"{name}.x") == package.name
        and not path.is_relative_to(PACKAGE.joinpath(*package.name.split(".")))
    }

    assert used <= face
    folder = PACKAGE.joinpath(*package.name.split("."))
    assert [name for name in face if not (folder / f"{name}.py").exists() and not (folder / name).is_dir()] == []


def test_the_page_on_architecture_has_the_packages_as_they_are():
    """Where this fails: put what ``python -m tests.support.architecture`` prints between the two marks."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")

    assert page.split("<!-- packages: begin -->\n")[1].split("\n<!-- packages: end -->")[0] == table()


def test_no_test_module_imports_another():
    """What tests share lies in tests/support."""
    found = {str(p.relative_to(ROOT)): name for p in (ROOT / "tests").rglob("*.py") for name in imports_of(p) if ".test_" in name}

    assert {path: name for path, name in found.items() if name.startswith("tests.")} == {}
