"""``python -m local.ports "make up"``: whether the ports are free, before anything else is done.

Imports nothing that `make setup` installs: a taken port is named in the first second of a fresh clone, too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local.daemon import Daemon
from local.errors import LocalError
from local.place import Place, Port

LISTENING = "0A"
"""The state of a listening socket in /proc/net/tcp."""
MAX_NAME = 80
STEP = 100
"""To the port that is proposed in place of a taken one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who listens on a port."""

    pid: int
    name: str


def check_ports(place: Place, command: str = "make up") -> None:
    """Raise LocalError where one of the ports is not ours to take; *command* is what the user called."""
    first, second = place.ports
    if first.number == second.number:
        raise LocalError(f"{first.variable} and {second.variable} are both {first.number}: give each its own")
    for port in place.ports:
        daemon = Daemon(name=port.daemon, home=place.home)
        if daemon.is_running():
            _require_same(port, daemon, command)
        elif not is_free(port.number):
            raise LocalError(_describe_taken(port, find_holder(port.number), command))


def _require_same(port: Port, daemon: Daemon, command: str) -> None:
    if daemon.port not in (None, port.number):
        here = (
            f"{port.about} runs on port {daemon.port}" if port.daemon == "emulator" else f"{port.about} run on port {daemon.port}"
        )
        fix = f"`{port.variable}={daemon.port} {command}` goes on with it, `make down` stops it"
        raise LocalError(f"{here}, and not on {port.number}: {fix}")


def is_free(number: int) -> bool:
    """Return whether a server may listen on this port of loopback."""
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return False
    return True


def _describe_taken(port: Port, holder: Holder | None, command: str) -> str:
    by = f"by PID {holder.pid} ({holder.name}); stop it with `kill {holder.pid}`" if holder else "by another program; stop it"
    return f"port {port.number} is taken {by}, or set another port: `{port.variable}={propose(port.number)} {command}`"


def propose(number: int) -> int:
    """Return a free port in place of a taken one."""
    found = (candidate for candidate in range(number + STEP, 65_536, STEP) if is_free(candidate))
    return next(found, number - STEP)


def find_holder(number: int) -> Holder | None:
    """Return who listens on a port; None where the system does not say."""
    if Path("/proc/net/tcp").exists():
        return _find_in_proc(number)
    return _ask_lsof(number)


def _find_in_proc(number: int) -> Holder | None:
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(number)}
    for folder in Path("/proc").glob("[0-9]*/fd"):
        with contextlib.suppress(OSError):  # it ended, or is another user's
            if any(os.readlink(link) in wanted for link in folder.iterdir()):
                return Holder(pid=int(folder.parent.name), name=_name_of(folder.parent))
    return None


def _listening_inodes(number: int) -> Iterator[str]:
    for file in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        with contextlib.suppress(OSError):
            for line in file.read_text().splitlines()[1:]:
                _, local, _, state, *rest = line.split()
                if state == LISTENING and int(local.rpartition(":")[2], 16) == number:
                    yield rest[5]


def _name_of(process: Path) -> str:
    words = process.joinpath("cmdline").read_bytes().decode(errors="replace").split("\0")
    return _short(" ".join(words).strip() or process.joinpath("comm").read_text().strip())


def _ask_lsof(number: int) -> Holder | None:
    if (lsof := shutil.which("lsof")) is None:
        return None
    done = subprocess.run([lsof, "-nP", f"-iTCP:{number}", "-sTCP:LISTEN", "-Fpc"], capture_output=True, text=True, check=False)
    fields = {line[0]: line[1:] for line in reversed(done.stdout.splitlines()) if line}
    return Holder(pid=int(fields["p"]), name=_short(fields.get("c", "?"))) if fields.get("p", "").isdecimal() else None


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"


def main(arguments: list[str]) -> int:
    """Check the ports of this clone; print what is wrong, and return 2."""
    try:
        check_ports(Place.from_env(), *arguments[:1])
    except LocalError as error:
        print(f"bokit: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
