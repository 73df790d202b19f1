"""README is run: what it tells a reader to type works as it stands there."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from local.gateway import api_url

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.stack


def commands_under(heading: str) -> list[str]:
    """Return the lines of the first shell block under a heading."""
    block = re.search(rf"^## {heading}\n.*?```sh\n(.*?)```", README, re.DOTALL | re.MULTILINE)
    assert block
    return [line for line in block[1].splitlines() if line.strip()]


def run(line: str, deployed, feed_url: str) -> subprocess.CompletedProcess[str]:
    """Run one line as a reader would, on this test's stack and with this test's feed in place of the platform's."""
    words = [re.sub(r"^https://www\.airbnb\.com/\S+", feed_url, word) for word in shlex.split(line, comments=True)]
    assert words[0] == ".venv/bin/bokit"
    settings = deployed.settings
    env = {
        **os.environ,
        "BOKIT_TABLE": settings.table_name,
        "AWS_ENDPOINT_URL": settings.endpoint_url or "",
        "AWS_REGION": settings.region or "",
        "BOKIT_ALLOW_PRIVATE_ADDRESSES": "true",
        "NO_COLOR": "1",
    }
    return subprocess.run(
        [sys.executable, "-m", "bokit_cli", *words[1:]],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        check=False,
    )


def test_what_readme_says_under_use_it_over_http_works(deployed, tmp_path):
    """Token, trigger, status and document, as they stand in README, typed into a shell beside a stack."""
    settings = deployed.settings
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    (tmp_path / ".bokit").mkdir()
    (tmp_path / ".bokit/local.json").write_text(
        json.dumps(
            {
                "endpoint_url": settings.endpoint_url,
                "region": settings.region,
                "table_name": settings.table_name,
                "api_url": api_url(deployed.place),
                "allow_private_addresses": True,
            }
        )
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith(("BOKIT_", "AWS_ENDPOINT"))}
    script = "set -euo pipefail\n" + "\n".join(commands_under("Use it over HTTP")).replace("curl ", "curl -sSf --noproxy '*' ")
    done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False)

    assert done.returncode == 0, done.stderr
    told = json.JSONDecoder()
    run, end = told.raw_decode(done.stdout)
    status, end = told.raw_decode(done.stdout, end)
    document, _ = told.raw_decode(done.stdout, end)
    assert run["run_id"]
    assert "sources" in status
    assert "/sync/trigger" in document["paths"]


def test_what_readme_says_under_use_it_works(deployed, feed_url):
    """Property, unit, source and sync, as they stand in README, all exit 0; the stays of the feed are there afterwards."""
    lines = commands_under("Use it")
    assert len(lines) >= 4

    for line in lines:
        done = run(line, deployed, feed_url)
        assert done.returncode == 0, (line, done.stdout, done.stderr)

    listed = run('.venv/bin/bokit bookings --unit "Garden flat"', deployed, feed_url)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert re.search(r"– \w+ \d+ \w+ \d{4} +3  Garden flat", listed.stdout), listed.stdout
