"""Where everything is required, what could not run has failed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = """
import pytest

@pytest.mark.skipif(True, reason="not run: no engine is here")
def test_marked(): ...

def test_in_the_midst():
    pytest.skip("not run: no engine is here")

@pytest.fixture
def engine():
    pytest.skip("not run: no engine is here")

def test_by_its_fixture(engine): ...

def test_for_another_reason():
    pytest.skip("another interpreter's")

@pytest.mark.xfail
def test_expected_to_fail():
    assert False

def test_that_runs(): ...
"""
A_FILE = """
import pytest
pytest.skip("not run: no engine is here", allow_module_level=True)
"""
HOOKS = "from tests.conftest import pytest_make_collect_report, pytest_runtest_makereport\n"


def run(folder: Path, required: str) -> str:
    """Run those tests in a pytest of their own, with the hooks of ours; return its summary."""
    (folder / "conftest.py").write_text(HOOKS)
    (folder / "test_some.py").write_text(TESTS)
    (folder / "test_file.py").write_text(A_FILE)
    paths = f"{ROOT}{os.pathsep}{ROOT / 'layers/shared'}"
    # installed plugins have no part in it, and take seconds to load
    env = os.environ | {"BOKIT_REQUIRE_ALL": required, "PYTHONPATH": paths, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors", str(folder)]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False).stdout.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("required", "summary"),
    [
        ("", "1 passed, 5 skipped, 1 xfailed in"),
        ("0", "1 passed, 5 skipped, 1 xfailed in"),
        ("1", "1 failed, 1 passed, 1 skipped, 1 xfailed, 3 errors in"),
    ],
)
def test_what_is_not_run_fails_where_all_is_required(tmp_path, required, summary):
    """By mark, by call, by fixture or as a whole file; a skip for another reason, and an expected failure, stay what they are."""
    assert run(tmp_path, required).startswith(summary)


@pytest.mark.slow
def test_a_long_series_is_not_traced():
    """Coverage would make it three times as long."""
    assert (sys.gettrace(), threading.gettrace()) == (None, None)
