"""Processes that outlive the command that started them.

A daemon holds a lock on its pid file for as long as it lives, so that a file left by a crash or a reboot never counts, and
a process that happens to have its number is never killed.
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
    """A named process under *home*: its pid file and its log."""

    name: str
    home: Path

    @property
    def pid_file(self) -> Path:
        """Holds its number, and its lock."""
        return self.home / "run" / f"{self.name}.pid"

    @property
    def log_file(self) -> Path:
        """Gets what it prints."""
        return self.home / "log" / f"{self.name}.log"

    def is_running(self) -> bool:
        """Whether the process that wrote the pid file still lives."""
        try:
            with self.pid_file.open("r") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False

    def start(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> subprocess.Popen[bytes]:
        """Start it in a session of its own; the lock goes to it."""
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
        """Send it a signal, if it lives."""
        if self.is_running():
            os.kill(int(self.pid_file.read_text()), number)

    def stop(self, patience: float = 20) -> None:
        """End it: politely, and after *patience* seconds with its whole session."""
        self.signal(signal.SIGTERM)
        until = time.monotonic() + patience
        while self.is_running() and time.monotonic() < until:
            time.sleep(0.05)
        if self.is_running():
            os.killpg(int(self.pid_file.read_text()), signal.SIGKILL)
        self.pid_file.unlink(missing_ok=True)
