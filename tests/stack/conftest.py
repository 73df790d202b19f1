"""A local cloud of our own, on free ports and in a folder of its own, with template.yaml deployed to it by SAM."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import stack
from tests.support.api_client import Client, open_client
from tests.support.deployed import Deployed, make_place, run_cloud


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stack as `sam build` makes it, once for all tests."""
    return stack.build_stack(make_place(tmp_path_factory.mktemp("built")))


@pytest.fixture(scope="session")
def nobody() -> Iterator[None]:
    """Credentials of nobody, and no address from the environment."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in [n for n in os.environ if n.startswith("AWS_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory, built: Path, nobody: None) -> Iterator[Deployed]:
    """The stack, deployed once for the tests that leave it as it is."""
    yield from run_cloud(tmp_path_factory.mktemp("cloud"), built)


@pytest.fixture
def client(deployed: Deployed) -> Client:
    """The admin of a tenant of the test's own."""
    return open_client(deployed)
