"""Runs a program of ``examples/receivers`` as it stands, on loopback."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from bokit.net.session import SafeSession
from bokit.outlets.webhook import HttpWebhooks
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
RECEIVERS, NODE = ROOT / "examples" / "receivers", ROOT / "tests" / "node"
needs_flask = pytest.mark.skipif(importlib.util.find_spec("flask") is None, reason="not run: Flask is not installed; run `make`")
needs_express = pytest.mark.skipif(
    shutil.which("node") is None or not (NODE / "node_modules/express").is_dir(),
    reason="not run: express is not installed; `npm ci --prefix tests/node` installs it",
)
FRAMEWORKS = [pytest.param("flask", marks=needs_flask), pytest.param("express", marks=needs_express)]


@contextmanager
def run_example(name: str, folder: Path, settings: Mapping[str, str]) -> Iterator[str]:
    """Run a program with *settings* in its environment; yield its URL. What it prints goes to ``folder/printed``."""
    port = free_port()
    command = [sys.executable, "-u", str(RECEIVERS / name)]
    if name.endswith(".mjs"):  # beside its libraries
        shutil.copy(RECEIVERS / name, folder)
        (folder / "node_modules").symlink_to(NODE / "node_modules")
        command = ["node", str(folder / name)]
    environment = {**os.environ, **settings, "PORT": str(port)}
    with (folder / "printed").open("wb") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as process:
        try:
            _wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the program answers."""
    sender = HttpWebhooks(SafeSession(allow_private_addresses=True, deadline=1.0, max_bytes=0))
    for _ in range(200):
        if sender.post(f"http://127.0.0.1:{port}/nothing", {}, b"{}").status == 404:
            return
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError("the program ended")
    raise AssertionError("the program does not answer")
