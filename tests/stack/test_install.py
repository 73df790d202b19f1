"""`pip install .` gives a working command, without the repository's own environment."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.support.readers import NOT_COPIED, ROOT

FEED = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Airbnb Inc//Hosting Calendar 1.0//EN
BEGIN:VEVENT
UID:1418fb94e984-1@airbnb.com
DTSTART;VALUE=DATE:20270601
DTEND;VALUE=DATE:20270605
SUMMARY:Reserved
END:VEVENT
END:VCALENDAR
"""

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command and return its output."""
    env = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with Bokit installed from a copy; its dependencies are this session's, since no index is asked."""
    folder = tmp_path_factory.mktemp("install")
    shutil.copytree(ROOT, folder / "copy", ignore=shutil.ignore_patterns(*NOT_COPIED))
    venv.create(folder / "venv", with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (folder / "venv/lib" / version / "site-packages/session.pth").write_text(sysconfig.get_path("purelib") + "\n")
    offline = ("--no-deps", "--no-build-isolation", "--no-index")
    pip = (sys.executable, "-m", "pip", "--python", folder / "venv/bin/python")
    run(*pip, "install", "--quiet", *offline, folder / "copy", cwd=folder)
    shutil.rmtree(folder / "copy")
    return folder


def test_the_command_works(installed):
    """`bokit --help` and `bokit feed inspect` run from the installed package alone."""
    bokit = installed / "venv/bin/bokit"
    (installed / "feed.ics").write_text(FEED)

    assert "Usage" in run(bokit, "--help", cwd=installed)
    document = json.loads(run(bokit, "feed", "inspect", "feed.ics", "--json", cwd=installed))
    assert (document["platform"], document["entries"][0]["check_in"]) == ("airbnb", "2027-06-01")
    assert str(installed) in run(installed / "venv/bin/python", "-c", "import bokit; print(bokit.__file__)", cwd=installed)
