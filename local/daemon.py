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
        """The file with the pid, locked by the process."""
        return self.home / "run" / f"{self.name}.pid"

    @property
    def log_file(self) -> Path:
        """The file with the process's output."""
        return self.home / "log" / f"{self.name}.log"

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

    def start(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> subprocess.Popen[bytes]:
        """Start the process in a new session; it inherits the lock."""
        for file in (self.pid_file, self.log_file):
            file.parent.mkdir(parents=True, exist_ok=True)
        with self.pid_file.open("a+") as lock, self.log_file.open("ab") as log:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
            lock.truncate(0)
            lock.write(str(process.pid))
        return process

    def signal(self, number: int) -> None:
        """Send a signal, if the process is running."""
        if self.is_running():
            os.kill(int(self.pid_file.read_text()), number)

    def stop(self, timeout: float = 20) -> None:
        """Send SIGTERM; after *timeout* seconds, kill the whole session."""
        self.signal(signal.SIGTERM)
        until = time.monotonic() + timeout
        while self.is_running() and time.monotonic() < until:
            time.sleep(0.05)
        if self.is_running():
            os.killpg(int(self.pid_file.read_text()), signal.SIGKILL)
        self.pid_file.unlink(missing_ok=True)
