"""``make deploy``: who is notified of the deployed stack? Prints the arguments for ``sam deploy``.

AlarmEmail in samconfig.toml, or ALARM_EMAIL=… make deploy    it is notified
a terminal                                                    asks for an address
neither                                                       says that nobody is notified, unless an earlier deploy named one
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

CONFIG = Path(__file__).resolve().parents[1] / "samconfig.toml"
PARAMETER = "AlarmEmail"
QUESTION = "E-mail address that alarms and alerts go to (empty: none, or the one of the last deploy): "
NOBODY = """
*************************************************************************************************
  NOBODY WILL BE NOTIFIED of a double booking, a failing calendar or an alarm of this stack,
  unless an earlier deploy named an address. `ALARM_EMAIL=you@example.com make deploy` names one;
  `bokit alert add` adds a phone afterwards.
*************************************************************************************************
"""
_ADDRESS = re.compile(r"[^@\s<>,;=\"']+@[^@\s<>,;=\"']+\.[^@\s<>,;=\"']+")
Ask = Callable[[str], str]


def read_overrides(stage: str, config: Path = CONFIG) -> str:
    """Return the parameters that the configuration sets for *stage*."""
    document = tomllib.loads(config.read_text(encoding="utf-8"))
    return str(document.get(stage, {}).get("deploy", {}).get("parameters", {}).get("parameter_overrides", ""))


def choose_address(overrides: str, env: Mapping[str, str], ask: Ask | None) -> str | None:
    """Return the address to add to *overrides*; None: there is one already, or nobody named one.

    Raises ValueError for what is not an address.
    """
    if f"{PARAMETER}=" in overrides:
        return None
    given = env.get("ALARM_EMAIL", "").strip() or (ask(QUESTION).strip() if ask else "")
    if given and not _ADDRESS.fullmatch(given):
        raise ValueError(f"not an e-mail address: {given}")
    return given or None


def write_arguments(overrides: str, address: str | None) -> str:
    """Return the arguments of ``sam deploy``; on its command line they replace all of the configuration's parameters."""
    return f"--parameter-overrides {overrides} {PARAMETER}={address}" if address else ""


def _ask(question: str) -> str:
    """Ask on standard error: standard output has the arguments."""
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline()


def main(stage: str) -> int:
    """Print the arguments, or on standard error that nobody is notified."""
    overrides = read_overrides(stage)
    try:
        address = choose_address(overrides, os.environ, _ask if sys.stdin.isatty() else None)
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    if address is None and f"{PARAMETER}=" not in overrides:
        sys.stderr.write(NOBODY)
    sys.stdout.write(write_arguments(overrides, address))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
