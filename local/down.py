"""``python -m local.down``: stop a local cloud, in seconds and with whatever Python is there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path

from local.daemon import Daemon
from local.errors import LocalError
from local.place import Place

Report = Callable[[str], None]
MAX_STOP_SECONDS = 60.0
"""The emulator saves its state before it ends: about a second for ten thousand items, longer on a busy machine."""
PATIENT_SECONDS = 3.0
"""After which a stop that takes long is explained."""


def down(place: Place, report: Report = print) -> None:
    """Stop everything, and say what was stopped; the data stays in `.bokit`."""
    running = [daemon for daemon in reversed(daemons_of(place)) if daemon.is_running()]
    stop(place, running, report)
    report("The data is kept: `make up` goes on with it." if running else "The local cloud was not running.")
    remove_later(place.home / "tmp")


def daemons_of(place: Place) -> list[Daemon]:
    """Return the background processes, in the order in which they start."""
    return [Daemon(name=port.daemon, home=place.home) for port in place.ports]


def stop(place: Place, daemons: Collection[Daemon], report: Report) -> None:
    """Stop all at once, and say of each how it ended."""
    about = {port.daemon: port.about for port in place.ports}
    pids = {daemon.name: daemon.pid for daemon in daemons}
    for daemon in daemons:
        daemon.signal(signal.SIGTERM)
    for daemon in daemons:
        what = f"{about[daemon.name]} (PID {pids[daemon.name]})"
        if not daemon.wait_stopped(PATIENT_SECONDS):
            report(f"Waiting for {what}, which finishes its requests and saves its data")
        if daemon.wait_stopped(MAX_STOP_SECONDS - PATIENT_SECONDS):
            report(f"Stopped {what}.")
        else:
            daemon.kill()
            report(f"Killed {what}, which did not end: what it wrote since it last saved, at most 30 s ago, is lost.")
        daemon.pid_file.unlink(missing_ok=True)


def remove_later(folder: Path) -> None:
    """Remove a folder in the background, with what a former removal left: the functions' copies are ten thousand files."""
    if folder.exists():
        folder.rename(folder.with_name(f"trash-{os.getpid()}-{time.monotonic_ns()}"))
    if waste := [str(path) for path in folder.parent.glob("trash-*")]:
        remove = shutil.which("rm") or "/bin/rm"
        subprocess.Popen([remove, "-rf", *waste], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def main() -> int:
    """Stop this clone's cloud."""
    try:
        down(Place.from_env())
    except LocalError as error:
        print(f"bokit: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
