"""The dependencies that `pip install .` brings: those of the requirement files, locked, and enough for every import."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
FILES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["dynamic"]["dependencies"]["file"]
PACKAGES = ("layers/shared/bokit", "cli/bokit_cli", "functions/sync_sql")


def read_names(file: Path) -> set[str]:
    """Return the packages that a requirement file names."""
    lines = (line.split("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    return {canonicalize_name(Requirement(line).name) for line in lines if line and not line.startswith("-")}


DECLARED = set().union(*(read_names(ROOT / file) for file in FILES))


def imported_modules() -> set[str]:
    """Return the top-level third-party modules that Bokit imports."""
    found = set()
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return found - sys.stdlib_module_names - {"bokit", "bokit_cli"}


def test_the_development_lock_is_made_of_the_same_files():
    """requirements/dev.in includes the files that pyproject.toml names, and no others."""
    included = re.findall(r"^-r \.\./(\S+)$", (ROOT / "requirements/dev.in").read_text(), re.MULTILINE)

    assert sorted(included) == sorted(FILES)


def test_every_dependency_is_locked():
    """The development lock pins each dependency."""
    locked = re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==", (ROOT / "requirements/dev.txt").read_text(), re.MULTILINE)

    assert {canonicalize_name(name) for name in locked} >= DECLARED


def test_every_import_is_declared():
    """Each imported module comes from a dependency, or from a package that a dependency requires."""
    required = {canonicalize_name(Requirement(line).name) for name in DECLARED for line in requires(name) or ()}
    distributions = packages_distributions()
    undeclared = {
        module: distributions.get(module, [])
        for module in imported_modules()
        if not {canonicalize_name(name) for name in distributions.get(module, [])} & (DECLARED | required)
    }

    assert undeclared == {}
