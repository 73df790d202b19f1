"""The page of the deployed stack in Chromium, with a terminal beside it; web/page/test/stack has the tests."""

from __future__ import annotations

import re

import pytest

from tests.support.node import find_node
from tests.support.page_on_stack import make_env, serve_feeds

pytestmark = [pytest.mark.stack, pytest.mark.slow]


def test_the_page_on_the_stack(deployed):
    """It shows what there is, follows what a terminal does, outlives a cut, and shows nothing of another tenant."""
    node = find_node()
    with serve_feeds() as feeds:
        output = node.run("--test", "--test-reporter=tap", "web/page/test/stack/page.test.ts", env=make_env(deployed, feeds))

    if left_out := re.search(r"# SKIP (not run.*)", output):
        pytest.skip(left_out[1])
    assert int(re.findall(r"^# pass (\d+)", output, re.MULTILINE)[0]) >= 6
