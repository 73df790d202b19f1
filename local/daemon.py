"""Background processes.

A daemon holds a lock on its pid file while it runs. A pid file left by a crash or a reboot is therefore ignored, and another
process with the same pid is never killed.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A named background process with its pid file and log under *home*."""

    name: str
    home: Path

    @property
    def pid_file(self) -> Path:
        """The file with the pid and the port, locked by the process."""
        return self.home / "run" / f"{self.name}.pid"

    @property
    def log_file(self) -> Path:
        """The file with the process's output."""
        return self.home / "log" / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """The process's id; None if it is not running, or starts at this moment."""
        words = self.pid_file.read_text().split() if self.is_running() else []
        return int(words[0]) if words else None

    @property
    def port(self) -> int | None:
        """The port on which the process was started; None if it is not known."""
        words = self.pid_file.read_text().split()
        return int(words[1]) if len(words) > 1 else None

    def is_running(self) -> bool:
        """Return whether the process is running."""
        try:
            with self.pid_file.open("r") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False

    def start(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, port: int) -> subprocess.Popen[bytes]:
        """Start the process in a new session; it inherits the lock."""
        for file in (self.pid_file, self.log_file):
            file.parent.mkdir(parents=True, exist_ok=True)
        with self.pid_file.open("a+") as lock, self.log_file.open("ab") as log:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lock.truncate(0)  # first: a former pid is another process by now
            process = subprocess.Popen(
                command,
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[lock.fileno()],
            )
            lock.write(f"{process.pid} {port}")
        return process

    def signal(self, number: int) -> None:
        """Send a signal, if the process is running."""
        if (pid := self.pid) is not None:
            os.kill(pid, number)

    def wait_stopped(self, seconds: float) -> bool:
        """Wait until the process has ended, at most so long; return whether it has."""
        until = time.monotonic() + seconds
        while self.is_running() and time.monotonic() < until:
            time.sleep(0.05)
        return not self.is_running()

    def kill(self) -> None:
        """Kill the whole session, at once and without its leave."""
        if (pid := self.pid) is not None:
            os.killpg(pid, signal.SIGKILL)
            self.wait_stopped(5)
