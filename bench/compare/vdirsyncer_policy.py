"""vdirsyncer itself, as from PyPI and in its default configuration: each feed is synced to a folder of ``.ics`` files.

Its defaults decide: a feed that becomes empty is an error and changes nothing, and a change of a file is reverted, since a
feed cannot be written to (``partial_sync = "revert"``). Its files are what it holds; two that share a night are a conflict.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from simulator.model import SimulatorError
from simulator.score.model import Channel, Fetch, HeldStay
from simulator.score.policies import Rows
from simulator.score.reading import read_calendar
from simulator.score.serving import ResponseServer

PYTHON = Path(__file__).resolve().parents[2] / ".bokit/compare/bin/python"
WORKER = Path(__file__).with_name("vdirsyncer_worker.py")
GENERAL = '[general]\nstatus_path = "{folder}/status"\n'
PAIR = """
[pair {pair}]
a = "{pair}_feed"
b = "{pair}_files"
collections = null

[storage {pair}_feed]
type = "http"
url = "{url}"

[storage {pair}_files]
type = "filesystem"
path = "{folder}/{pair}"
fileext = ".ics"
"""
SETTLES_IN = 2
"""Syncs of one body after which another changes nothing: the first reverts an edit's upload, the second the edit."""


class VdirsyncerWorker:
    """One process of vdirsyncer, which runs command after command: see ``vdirsyncer_worker.py``."""

    def __init__(self, python: Path, config: Path) -> None:
        # no proxy of this machine's: all traffic stays on loopback
        env = {"PATH": "/usr/bin:/bin", "HOME": str(config.parent), "NO_PROXY": "*"}
        command = [str(python), str(WORKER), str(config)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env
        )

    def run(self, command: str) -> tuple[str, float]:
        """Run a command; return its exit code, and the seconds of CPU of the process so far."""
        if self._process.stdin is None or self._process.stdout is None:
            raise SimulatorError("vdirsyncer cannot be talked to")
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        if not (answer := self._process.stdout.readline()):
            raise SimulatorError("vdirsyncer ended; see `.bokit/compare/bin/vdirsyncer --version`")
        code, cpu = answer.split()
        return code, float(cpu)

    def close(self) -> None:
        """End the process."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(timeout=30)


class VdirsyncerPolicy(Rows):
    """Runs ``vdirsyncer sync`` for each response that is not the one before; stamps alone change nothing for it."""

    def __init__(self, python: Path = PYTHON) -> None:
        if not python.exists():
            raise SimulatorError("vdirsyncer is not set up; `make compare` does it, or leave it out with --policies")
        super().__init__()
        self._folder = TemporaryDirectory(prefix="bokit-vdirsyncer-")
        self._config = Path(self._folder.name) / "config"
        self._config.write_text(GENERAL.format(folder=self._folder.name), encoding="utf-8")
        self._server = ResponseServer()
        self._worker = VdirsyncerWorker(python, self._config)
        self._seen: dict[str, tuple[bytes, int]] = {}

    def read(self, fetch: Fetch) -> None:
        """Sync the channel's pair."""
        self._server.put(fetch)
        name = fetch.channel.name
        if name not in self._seen:
            self._add(fetch.channel)
        body = re.sub(rb"DTSTAMP:\S+", b"", fetch.response.body) + str(fetch.response.status).encode()
        last, times = self._seen.get(name, (b"", 0))
        times = times if body == last else 0
        if times < SETTLES_IN:
            self._worker.run(f"sync {_pair(fetch.channel)}")
            self.rows[name] = dict(self._read_files(fetch.channel))
        self._seen[name] = (body, times + 1)

    def _add(self, channel: Channel) -> None:
        """Add the channel to the configuration, which every command reads again."""
        pair = _pair(channel)
        (Path(self._folder.name) / pair).mkdir()
        url = self._server.url_of(channel)
        with self._config.open("a", encoding="utf-8") as config:
            config.write(PAIR.format(pair=pair, url=url, folder=self._folder.name))
        self._worker.run(f"discover {pair}")

    def _read_files(self, channel: Channel) -> Mapping[str, HeldStay]:
        found = {}
        for path in (Path(self._folder.name) / _pair(channel)).glob("*.ics"):
            for event in read_calendar(path.read_bytes()) or ():
                found[path.name] = HeldStay(check_in=event.check_in, check_out=event.check_out, note=event.comment)
        return found

    def write_note(self, channel: Channel, stay_id: str, note: str) -> None:
        """Add a comment to the stay's file."""
        path = Path(self._folder.name) / _pair(channel) / stay_id
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("END:VEVENT", f"COMMENT:{note}\nEND:VEVENT"), encoding="utf-8")
        self._seen[channel.name] = (b"", 0)
        super().write_note(channel, stay_id, note)

    def close(self) -> None:
        """End the process, the server and the folder."""
        self._worker.close()
        self._server.stop()
        self._folder.cleanup()


def _pair(channel: Channel) -> str:
    return re.sub(r"\W", "_", channel.name)
