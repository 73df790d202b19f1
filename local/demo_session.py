"""What the demo's chapters share: Bokit's command line, the simulator's, and waiting for a sync."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.errors import LocalError
from local.place import Place

UNIT = "Terrace flat"
"""The unit that the demo follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSession:
    """Runs the two command lines against one local cloud."""

    place: Place

    def bokit(self, *arguments: str) -> Any:
        """Run ``bokit … --json`` and return its document; exit code 1 (a source failed or is held) is accepted."""
        done = self._run([str(self.place.root / ".venv/bin/bokit"), *arguments, "--json"])
        if done.returncode not in (0, 1) or not done.stdout:
            raise LocalError(f"`bokit {' '.join(arguments)}` failed: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def show(self, *arguments: str) -> None:
        """Run ``bokit …`` with its output on the terminal."""
        print(f"\n  $ bokit {' '.join(arguments)}\n", flush=True)
        env = os.environ | {"COLUMNS": str(max(shutil.get_terminal_size((120, 24)).columns, 80))}
        if not sys.stdout.isatty():
            env |= {"TTY_COMPATIBLE": "1", "TERM": "dumb", "LINES": "24"}  # a log is read by people: no tabs, and no colors
        subprocess.run([str(self.place.root / ".venv/bin/bokit"), *arguments], cwd=self.place.root, env=env, check=False)

    def simulate(self, *arguments: str) -> str:
        """Run a command of the simulator's server and return its output."""
        return self._simulator(*arguments, "--url", self.place.simulator_url)

    def simulate_billing(self, *arguments: str) -> str:
        """Run a command on a simulated billing database, which is a file."""
        return self._simulator("billing", *arguments)

    def _simulator(self, *arguments: str) -> str:
        done = self._run([sys.executable, "-m", "simulator", *arguments])
        if done.returncode:
            raise LocalError(f"the simulator failed: {done.stderr.strip()}")
        return done.stdout

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=self.place.root, capture_output=True, text=True, check=False)

    def stay_of(self, guest: str) -> dict[str, Any]:
        """Return a guest's stay from the simulator's ground truth."""
        stays = json.loads(self.simulate("truth"))["stays"]
        return next(dict(stay) for stay in stays if stay["guest"] == guest)

    def booking_of(self, stay: dict[str, Any]) -> dict[str, Any] | None:
        """Return Bokit's booking of a stay in the unit."""
        return next((b for b in self.bookings(UNIT) if has_same_nights(b, stay)), None)

    def bookings(self, *units: str) -> list[dict[str, Any]]:
        """Return the bookings that block nights, of one unit or of all."""
        chosen = [argument for unit in units for argument in ("--unit", unit)]
        return [b for b in self.bokit("bookings", *chosen)["items"] if b["blocks_nights"]]

    def sync_until(self, condition: Callable[[], Any]) -> Any:
        """Sync until *condition* is true, and return its value; the schedule may hold a source's lease for a moment."""
        for _ in range(30):
            self.bokit("sync", "--all")
            if value := condition():
                return value
            time.sleep(1)
        raise LocalError("the demo waited 30 syncs for a change that did not come; see `bokit status`")


def has_same_nights(booking: dict[str, Any], stay: dict[str, Any]) -> bool:
    """Return whether a booking is a reservation of a stay's nights."""
    nights = booking["check_in"], booking["check_out"]
    return booking["kind"] == "reservation" and nights == (stay["check_in"], stay["check_out"])


def require(condition: bool, message: str) -> None:
    """Raise LocalError unless the demo shows what it claims."""
    if not condition:
        raise LocalError(f"the demo failed: {message}")
