"""Node and the packages of web/, as `make web` sets them up."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".bokit/node/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Runs scripts in the repository's folder."""

    path: Path

    def run(self, *args: str, env: Mapping[str, str] | None = None) -> str:
        """Return what a script prints, run with additional variables; fail with it where the script fails."""
        server = shlex.join([sys.executable, "-m", "tests.support.api_server"])
        places = [str(ROOT / "layers/shared"), str(ROOT / "cli"), str(ROOT)]
        given = os.environ | {
            "PATH": os.pathsep.join([str(self.path.parent), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join(places),
            "BOKIT_API_SERVER": server,
            **(env or {}),
        }
        done = subprocess.run([str(self.path), *args], cwd=ROOT, env=given, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def find_node() -> Node:
    """Return Node, or skip where `make web` never ran."""
    if not ((BIN / "node").exists() and (ROOT / "web/node_modules").exists()):
        pytest.skip("not run: no Node here; `make web` sets it up")
    return Node(path=BIN / "node")
