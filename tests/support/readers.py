"""A reader of the documentation: the shell blocks that it shows, in order, and a copy of the repository to type them in."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SIMULATOR = "127.0.0.1:14567"
"""The simulator's default address."""
NOT_COPIED = (".*", "tests", "node_modules", "__pycache__", "*.egg-info")
TOOLS = ("cloud", "sam", "lambda", "node")
"""The environments under .bokit that `make` sets up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A shell block of a document."""

    document: str
    heading: str
    text: str

    @property
    def needs_docker(self) -> bool:
        """Whether it runs functions in containers."""
        return "sam local" in self.text

    @property
    def title(self) -> str:
        """Its document and heading."""
        return f"{self.document}: {self.heading}"


def read_blocks() -> list[Block]:
    """Return the ``sh`` blocks of README and docs, in the reader's order.

    What needs a real AWS account, or data of a reader's own, is marked otherwise.
    """
    files = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [block for file in files for block in _blocks_of(str(file.relative_to(ROOT)), file.read_text(encoding="utf-8"))]


def _blocks_of(document: str, text: str) -> list[Block]:
    found, heading = [], ""
    for match in re.finditer(r"^#+ ([^\n]+)$|^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        heading = match[1] or heading
        if match[2] is not None:
            found.append(Block(document=document, heading=heading, text=match[2]))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadersCopy:
    """A copy of the repository, in which everything that `make` sets up is linked from this one."""

    folder: Path
    home: Path
    port: int
    simulator_port: int

    @property
    def env(self) -> dict[str, str]:
        """A reader's environment: no AWS account, no setting of Bokit's but the ports, and a curl that fails on errors."""
        left_out = ("AWS_", "BOKIT_", "MAKE", "MFLAGS", "SAM_", "COV_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        return kept | {
            "HOME": str(self.home),
            "PYTHON": sys.executable,
            "BOKIT_PORT": str(self.port),
            "BOKIT_SIMULATOR_PORT": str(self.simulator_port),
            "NO_COLOR": "1",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "SAM_CLI_TELEMETRY": "0",
        }

    def run(self, script: str, timeout: int = 1500, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a script with bash in the copy; the first failing command ends it."""
        command = ["bash", "-c", "set -euo pipefail\n" + script]
        return subprocess.run(
            command, cwd=self.folder, env=self.env | env, capture_output=True, text=True, timeout=timeout, check=False
        )


def make_readers_copy(folder: Path, *, port: int, simulator_port: int) -> ReadersCopy:
    """Copy the repository, link the environments, and check that `make` has nothing to set up."""
    copy = ReadersCopy(folder=folder / "bokit", home=folder / "home", port=port, simulator_port=simulator_port)
    shutil.copytree(ROOT, copy.folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
    (copy.folder / ".venv").mkdir()
    (copy.folder / ".bokit").mkdir()
    # the entries are linked, not the folder: if make set .venv up again, it would clear the linked one
    for entry in Path(sys.prefix).iterdir():
        (copy.folder / ".venv" / entry.name).symlink_to(entry)
    for name in TOOLS:
        (copy.folder / ".bokit" / name).symlink_to(ROOT / ".bokit" / name)
    (copy.folder / "web/node_modules").symlink_to(ROOT / "web/node_modules")
    copy.home.mkdir()
    (copy.home / ".curlrc").write_text("fail\nsilent\nshow-error\n")
    assert copy.run("make -q setup").returncode == 0, "the environments are out of date: run `make setup` first"
    return copy


def read_documents(output: str) -> list[dict[str, Any]]:
    """Return the JSON documents in an output."""
    found, decoder, text = [], json.JSONDecoder(), output.strip()
    while text:
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:].strip()
    return found
