"""The npm package against the real API, in Node and in Chromium: one test here for each file of tests in web/."""

from __future__ import annotations

import re

import pytest

from tests.support.node import ROOT, Node, find_node


@pytest.fixture(scope="module")
def node() -> Node:
    """Node with the packages of web/, after the build."""
    found = find_node()
    found.run("web/build.mjs")
    return found


@pytest.mark.slow
@pytest.mark.enable_socket
@pytest.mark.parametrize("file", sorted(p.name for p in (ROOT / "web").glob("*/test/*.test.ts")))
def test_web(node: Node, file: str):
    """Every test in the file passes; one that says "not run" is not counted as one."""
    (path,) = (ROOT / "web").glob(f"*/test/{file}")

    output = node.run("--test", "--test-reporter=tap", str(path))

    if left_out := re.search(r"# SKIP (not run.*)", output):
        pytest.skip(left_out[1])


def test_the_packages_lock_names_no_registry(node: Node):
    """Packages are fetched from wherever a machine is set up to: the lock says what they are, by hash."""
    lock = (ROOT / "web/package-lock.json").read_text(encoding="utf-8")

    assert [line for line in re.findall(r'"resolved": "(.*)"', lock) if line not in ("client", "page")] == []
    assert lock.count('"integrity"') > 20
