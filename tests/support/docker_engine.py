"""A Docker engine of our own for a test: it shares no folder, socket or image with the machine's own, and ends with the test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import sleep

GATEWAY = "172.17.0.1"
"""The engine's bridge: what a container knows this machine by."""
PROGRAMS = ("dockerd", "containerd", "runc", "docker", "ldd", "tar")


def missing_programs() -> list[str]:
    """Return what this machine lacks to start an engine."""
    nobody = [] if os.geteuid() == 0 else ["root's rights"]
    return nobody + [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None]


@contextmanager
def run_engine() -> Iterator[str | None]:
    """Start an engine; yields its address, or None where it can't start."""
    home = Path(tempfile.mkdtemp(prefix="bokit-docker-"))  # a socket's path must be short
    address = f"unix://{home}/sock"
    command = [
        "dockerd",
        "--host",
        address,
        "--data-root",
        str(home / "data"),
        "--exec-root",
        str(home / "exec"),
        "--pidfile",
        str(home / "pid"),
        "--iptables=false",
        "--ip6tables=false",
        "--ip-masq=false",
        "--ip-forward=false",
    ]
    env = os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        yield address if is_up(address, process) else None
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)
        process.kill()
        unmount_under(home)
        shutil.rmtree(home, ignore_errors=True)


def is_up(address: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the engine answers; False where it ended, or does not come up in 30 s."""
    for _ in range(150):
        if docker(address, "info", check=False).returncode == 0:
            return True
        if process.poll() is not None:
            return False
        sleep(0.2)
    return False


def docker(address: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the client against an engine."""
    env = os.environ | {"DOCKER_HOST": address}
    return subprocess.run(["docker", *arguments], env=env, capture_output=True, text=True, check=check, timeout=120)


def unmount_under(folder: Path) -> None:
    """Unmount what a killed engine may have left."""
    places = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in sorted((p for p in places if p.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", place], check=False)


def import_image(address: str, root: Path, name: str, env: dict[str, str]) -> None:
    """Make an image of a folder."""
    changes = ["WORKDIR /var/task", *(f"ENV {key}={value}" for key, value in env.items())]
    options = [word for change in changes for word in ("--change", change)]
    with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as packed:
        command = ["docker", "import", *options, "-", name]
        subprocess.run(
            command, env=os.environ | {"DOCKER_HOST": address}, stdin=packed.stdout, check=True, capture_output=True, timeout=120
        )


class Forwarder:
    """Lets containers reach a port of loopback, through one of the engine's bridge."""

    def __init__(self, port: int) -> None:
        self.port, self.is_silent = port, False
        self.door = socket.create_server((GATEWAY, 0))
        self.held: list[socket.socket] = []
        """Visitors who came while it was silent: let in, and never answered."""

    def __enter__(self) -> Forwarder:
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self.door, *self.held):
            end.close()

    @property
    def url(self) -> str:
        """What containers know it by."""
        return f"http://{GATEWAY}:{self.door.getsockname()[1]}"

    def serve(self) -> None:
        """Connect every visitor through, until the door is closed."""
        with suppress(OSError):
            while True:
                visitor = self.door.accept()[0]
                if self.is_silent:
                    self.held.append(visitor)
                else:
                    threading.Thread(target=connect_through, args=(visitor, self.port), daemon=True).start()


def connect_through(visitor: socket.socket, port: int) -> None:
    """Carry what a visitor and the port on loopback say, until either is silent for good."""
    with ExitStack() as both, suppress(OSError):
        both.enter_context(visitor)
        host = both.enter_context(socket.create_connection(("127.0.0.1", port)))
        back = threading.Thread(target=copy_bytes, args=(host, visitor), daemon=True)
        back.start()
        copy_bytes(visitor, host)
        back.join(120)


def copy_bytes(giver: socket.socket, taker: socket.socket) -> None:
    """Copy bytes one way, and pass on the end of the stream."""
    with suppress(OSError):
        while said := giver.recv(65536):
            taker.sendall(said)
    with suppress(OSError):
        taker.shutdown(socket.SHUT_WR)
