"""`make deploy` asks who is notified, and says it where nobody is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.deploy import CONFIG, choose_address, read_overrides, write_arguments

ROOT = Path(__file__).resolve().parents[2]
STAGE = "Stage=prod DeletionProtection=true"


def run(stage: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run it as the Makefile does, without a terminal."""
    variables = {name: value for name, value in os.environ.items() if name != "ALARM_EMAIL"} | env
    command = [sys.executable, "-m", "local.deploy", stage]
    return subprocess.run(command, cwd=ROOT, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def test_without_an_address_it_says_loudly_that_nobody_is_notified():
    """On standard error; the deploy goes on with the configuration's own parameters."""
    ended = run("prod")

    assert (ended.returncode, ended.stdout) == (0, "")
    assert "NOBODY WILL BE NOTIFIED" in ended.stderr


def test_a_named_address_is_added_to_the_stages_parameters():
    """On the command line they replace the file's, so those are repeated."""
    ended = run("prod", ALARM_EMAIL="rosa@example.com")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"--parameter-overrides {read_overrides('prod')} AlarmEmail=rosa@example.com"
    assert "Stage=prod" in ended.stdout


def test_a_person_at_a_terminal_is_asked():
    """Once; an empty answer leaves everything as it is, and a configured address is not asked for again."""
    asked = []

    def ask(question: str) -> str:
        asked.append(question)
        return "rosa@example.com\n"

    assert choose_address(STAGE, {}, ask) == "rosa@example.com"
    assert choose_address(STAGE, {"ALARM_EMAIL": "b@example.com"}, ask) == "b@example.com"
    assert choose_address(f"{STAGE} AlarmEmail=c@example.com", {}, ask) is None
    assert choose_address(STAGE, {}, lambda question: "\n") is None
    assert len(asked) == 1
    assert write_arguments(STAGE, None) == ""


@pytest.mark.parametrize("text", ["rosa", "rosa@example", "a b@example.com", "a@example.com; rm -rf /", "a@b.c Stage=x"])
def test_what_is_not_an_address_stops_the_deploy(text):
    """Nothing of it reaches the command line."""
    with pytest.raises(ValueError, match="not an e-mail address"):
        choose_address(STAGE, {"ALARM_EMAIL": text}, None)
    assert run("default", ALARM_EMAIL=text).returncode == 2


def test_every_stage_is_configured():
    """The stages that the Makefile names."""
    assert all(read_overrides(stage, CONFIG) for stage in ("default", "staging", "prod"))
