"""Examples for cron, systemd and a database's account are what the command line and the product take."""

from __future__ import annotations

import re
import shlex
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

from bokit.core.tables.spec import read_table_settings
from bokit.sources.sql.grants import reader_sql
from bokit_cli.main import _command

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "examples/systemd").iterdir())


def is_command(line: str) -> bool:
    """Return whether the command line takes *line*; raises its error of wrong use."""
    program, name, *arguments = shlex.split(line)
    assert Path(program).name == "bokit"
    _command().commands[name].make_context(name, arguments)
    return True


def read_unit(file: Path) -> ConfigParser:
    """Return a unit of systemd; it has no key twice."""
    unit = ConfigParser(interpolation=None)
    unit.optionxform = lambda optionstr: optionstr  # as it is written
    unit.read_string(file.read_text())
    return unit


@pytest.mark.parametrize("file", [f for f in UNITS if f.suffix == ".service"], ids=lambda f: f.name)
def test_a_service_starts_a_command_that_there_is(file):
    """With a log file; the daemon is restarted."""
    service = read_unit(file)["Service"]

    assert is_command(service["ExecStart"])
    assert service["StandardOutput"].startswith("append:/var/log/bokit/")
    assert ("--daemon" in service["ExecStart"]) is (service.get("Restart") == "always") is (service["Type"] == "simple")


def test_the_timer_starts_its_service():
    """Again and again, and after a boot."""
    timer = read_unit(ROOT / "examples/systemd/bokit-once.timer")

    assert (ROOT / "examples/systemd" / timer["Timer"]["Unit"]).is_file()
    assert {"OnBootSec", "OnUnitActiveSec"} <= set(timer["Timer"])
    assert timer["Install"]["WantedBy"] == "timers.target"


def test_the_line_for_cron_starts_a_command_that_there_is():
    """Five fields of time, a user, and a command with a log file."""
    lines = [line for line in (ROOT / "examples/cron/bokit").read_text().splitlines() if re.match(r"[*0-9]", line)]
    (line,) = lines
    *when, user, command = line.split(None, 6)

    assert all(re.fullmatch(r"[*0-9/,-]+", part) for part in when)
    assert (len(when), user) == (5, "bokit")
    assert is_command(command.partition(" && ")[2].partition(" >> ")[0])


def test_the_sql_in_docs_is_what_the_example_needs():
    """For both families, of the example's own five tables; tests/contract/test_sql_accounts.py runs such SQL on real servers."""
    (source,) = yaml.safe_load((ROOT / "examples/billing.yaml").read_text())["sources"]
    tables = read_table_settings({"tables": source["tables"]}).tables
    shown = re.findall(r"```sql\n(.*?)\n```", (ROOT / "docs/databases.md").read_text(), re.DOTALL)

    assert [t.table_name for t in tables] == ["clients", "transitaires", "armateurs", "representants", "services"]
    assert shown == [reader_sql(family, "billing", tables) for family in ("mysql", "postgresql")]
