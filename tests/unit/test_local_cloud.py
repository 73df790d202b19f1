"""The local cloud's parts, without starting it: ports, processes, what changed, saves that are cut off, logs."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from local import emulator
from local.changes import (
    LIBRARIES,
    TEMPLATE,
    hash_parts,
    list_built,
    list_changes,
    load_deployed,
    note_deployed,
    read_template,
    was_deployed,
)
from local.daemon import Daemon
from local.down import down
from local.errors import LocalError
from local.logs import Logs, Tail, choose, describe, follow
from local.place import ROOT, Place
from local.ports import check_ports, find_holder
from local.progress import progress
from local.update import pack
from simulator.address import find_url
from tests.support.ports import free_port

pytestmark = pytest.mark.enable_socket
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place of its own; what still runs there is stopped."""
    place = Place(home=tmp_path / ".bokit", port=free_port(), simulator_port=free_port())
    yield place
    down(place, lambda _: None)


def start(place: Place, name: str, command: list[str] = SLEEP, port: int | None = None) -> Daemon:
    daemon = Daemon(name=name, home=place.home)
    daemon.start(command, env=dict(os.environ), cwd=ROOT, port=port or place.port)
    return daemon


# ── ports ──


def test_a_taken_port_is_named_with_its_holder_and_the_command(place):
    """Who holds it, how to stop that, and how to call the same command with another port."""
    check_ports(place)
    with closing(socket.create_server(("127.0.0.1", place.port))), pytest.raises(LocalError) as caught:
        check_ports(place, "make demo")

    assert str(caught.value).startswith(f"port {place.port} is taken by ")
    assert f"`BOKIT_PORT={place.port + 100} make demo`" in str(caught.value)
    if Path("/proc/net/tcp").exists():
        assert f"PID {os.getpid()} (" in str(caught.value)
        assert f"`kill {os.getpid()}`" in str(caught.value)


def test_nobody_holds_a_free_port(place):
    """And two servers cannot have one."""
    assert find_holder(place.port) is None
    with pytest.raises(LocalError, match="give each its own"):
        check_ports(replace(place, simulator_port=place.port))


def test_what_runs_keeps_its_port(place):
    """A port of one's own is taken by oneself; another number is refused while it runs."""
    start(place, "emulator")
    check_ports(place)
    with pytest.raises(LocalError, match=rf"runs on port {place.port}, and not on \d+: `BOKIT_PORT={place.port} make up`"):
        check_ports(replace(place, port=free_port()))


def test_the_simulator_is_found_by_the_local_clouds_file(tmp_path):
    """In this folder or above it; a file that says nothing is passed over."""
    (tmp_path / ".bokit").mkdir()
    (tmp_path / "a/.bokit").mkdir(parents=True)
    (tmp_path / ".bokit/local.json").write_text('{"simulator_url": "http://127.0.0.1:3"}')
    (tmp_path / "a/.bokit/local.json").write_text("{")

    assert find_url(tmp_path / "a") == "http://127.0.0.1:3"


# ── processes ──


def test_down_says_what_it_stopped(place):
    """Both at once; and that there was nothing."""
    lines: list[str] = []
    pids = [start(place, name).pid for name in ("emulator", "simulator")]
    down(place, lines.append)
    assert lines[:2] == [
        f"Stopped the simulated platforms (PID {pids[1]}).",
        f"Stopped the local cloud (PID {pids[0]}).",
    ]
    lines.clear()
    down(place, lines.append)
    assert lines == ["The local cloud was not running."]


def test_a_pid_file_that_was_left_is_ignored(place):
    """Its number is another process's by now, which is left alone; the next start takes its place."""
    daemon = start(place, "emulator")
    os.kill(int(daemon.pid or 0), signal.SIGKILL)
    assert daemon.wait_stopped(10)
    daemon.pid_file.write_text(f"{os.getpid()} 1")

    assert (daemon.is_running(), daemon.pid) == (False, None)
    daemon.signal(signal.SIGKILL)  # would end this test
    again = start(place, "emulator")
    assert again.pid not in (None, os.getpid())


# ── what changed ──


@pytest.fixture
def copied(place: Place, tmp_path: Path) -> Place:
    """A place on a copy of the sources."""
    root = tmp_path / "root"
    for name in ("functions", "layers/shared"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(ROOT / name, root / name)
    return replace(place, root=root)


CHANGES = {
    "functions/sync_batch/app.py": "SyncBatchFunction",
    "layers/shared/bokit/errors.py": "SharedLayer",
    "layers/shared/requirements.txt": LIBRARIES,
    "functions/Makefile": LIBRARIES,
    "template.yaml": TEMPLATE,
}


def test_a_change_is_of_its_part_alone(copied):
    """Each built resource of the template is a part; byte code beside the sources is none."""
    before = hash_parts(copied)
    assert set(before) == {LIBRARIES, TEMPLATE, *list_built(read_template(copied))}
    (copied.root / "layers/shared/bokit/__pycache__").mkdir()
    (copied.root / "layers/shared/bokit/__pycache__/errors.pyc").write_bytes(b"x")
    assert hash_parts(copied) == before

    for file, part in CHANGES.items():
        text = (copied.root / file).read_text()
        (copied.root / file).write_text(f"{text}\n# changed\n")
        assert list_changes(hash_parts(copied), before) == [part]
        (copied.root / file).write_text(text)


def test_a_note_is_believed_of_its_own_template_alone(place):
    """A local cloud that was killed may come back with an older one."""
    assert not was_deployed(place)
    note_deployed(place, "template 2", {"SharedLayer": "2"})

    assert was_deployed(place)
    assert load_deployed(place, "template 2") == {"SharedLayer": "2"}
    assert load_deployed(place, "template 1") == {}


def test_equal_folders_make_equal_archives(tmp_path):
    """Whenever they were written: only what changed gets another key."""
    for name, at in (("a", 1_000_000_000), ("b", 1_500_000_000)):
        (tmp_path / name / "page").mkdir(parents=True)
        (tmp_path / name / "page/app.py").write_text("x = 1\n")
        os.utime(tmp_path / name / "page/app.py", (at, at))

    assert pack(tmp_path / "a") == pack(tmp_path / "b")


# ── saves ──


def test_after_a_restart_no_update_is_under_way_and_streams_are_read_from_their_first_record(tmp_path):
    """MiniStack keeps both as they were, and nobody goes on with them; other services' files stay as they are."""
    (tmp_path / "cloudformation.json").write_text('{"a": {"StackStatus": "UPDATE_ROLLBACK_IN_PROGRESS"}}')
    streams = {"kinesis_positions": {"data": {}}, "dynamodb_stream_positions": {"data": {"one": 1680, "two": 0}}}
    (tmp_path / "lambda.json").write_text(json.dumps({"payload": streams}))
    (tmp_path / "sqs.json").write_text("{}")
    emulator.repair(tmp_path)

    assert "UPDATE_COMPLETE" in (tmp_path / "cloudformation.json").read_text()
    found = json.loads((tmp_path / "lambda.json").read_text())["payload"]
    assert found == {**streams, "dynamodb_stream_positions": {"data": {"one": 0, "two": 0}}}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cloudformation.json", "lambda.json", "sqs.json"]


def save(folder: Path, content: str) -> None:
    """Save two services, as MiniStack does: each file is replaced."""

    def write() -> None:
        for name in ("dynamodb", "lambda"):
            (folder / f"{name}.tmp").write_text(content)
            (folder / f"{name}.tmp").replace(folder / f"{name}.json")

    emulator.write_whole(folder, write)


def read(folder: Path) -> list[str]:
    return [file.read_text() for file in sorted(folder.glob("*.json"))]


def cut_off(folder: Path, monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    """Save, and die at the *call*-th renaming of a file or folder."""
    calls = iter(range(1_000))
    rename, replace_file = Path.rename, Path.replace

    def dying(original: Any) -> Any:
        def rename_or_die(self: Path, target: Path) -> Path:
            if next(calls) == call:
                raise KeyboardInterrupt
            return Path(original(self, target))

        return rename_or_die

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", dying(rename))
        patched.setattr(Path, "replace", dying(replace_file))
        with pytest.raises(KeyboardInterrupt):
            save(folder, "new")


@pytest.mark.parametrize(("call", "kept"), [(0, "old"), (1, "old"), (2, "old"), (3, "new")])
def test_a_save_that_is_cut_off_leaves_a_whole_state(tmp_path, monkeypatch, call, kept):
    """All services of the former save, or all of the new one, and never some of each."""
    folder = tmp_path / "services"
    save(folder, "old")
    cut_off(folder, monkeypatch, call)

    assert emulator.recover(folder)
    assert read(folder) == [kept, kept]
    assert not emulator.recover(folder)
    save(folder, "later")
    assert read(folder) == read(emulator.beside(folder, "whole")) == ["later", "later"]


def test_a_first_save_that_is_cut_off_leaves_nothing(tmp_path, monkeypatch):
    """There was no deployment before it."""
    cut_off(tmp_path / "services", monkeypatch, 1)

    assert emulator.recover(tmp_path / "services")
    assert read(tmp_path / "services") == []


# ── logs and progress ──


class Pages:
    """Answers as CloudWatch does: what is not older than the time asked for."""

    def __init__(self, *events: tuple[int, str]) -> None:
        self.events: list[dict[str, Any]] = [
            {"timestamp": at, "logStreamName": "s", "message": message} for at, message in events
        ]

    def get_paginator(self, _: str) -> Pages:
        return self

    def paginate(self, **asked: Any) -> list[Any]:
        return [{"events": [event for event in self.events if event["timestamp"] >= asked["startTime"]]}]


def test_each_line_of_a_log_is_read_once():
    """Also two equal ones of one moment, and one that comes late."""
    client = Pages((100_000, "a"), (100_000, "a"))
    tail = Tail(client=client, group="g", since_ms=0)
    assert [event["message"] for event in tail.read()] == ["a", "a"]
    client.events += Pages((90_000, "late"), (130_000, "b")).events

    assert [event["message"] for event in tail.read()] == ["late", "b"]
    assert list(tail.read()) == []


def test_logs_are_shown_by_their_times():
    """Lambda's own lines and metrics are left out; facts and tracebacks are shown."""
    line = {"level": "ERROR", "message": "failed", "service": "x", "facts": {"run_id": "run_1"}, "exception": "Trace\nValueError"}
    client = Pages((2_000, json.dumps(line)), (1_000, "START RequestId: 1"), (1_500, '{"_aws": {}}'), (1_200, "plain"))
    shown = list(follow(Logs(connect=lambda _: client, stack="s", pause=0), {"sync": "g"}, 0.0, once=True))

    assert [text[9:].strip() for text in shown] == [
        "sync         plain",
        "sync         ERROR failed run_id=run_1",
        "Trace",
        "ValueError",
    ]
    assert next(describe(0, "sync", "[1]")).endswith("[1]")
    with pytest.raises(LocalError, match="there are sync"):
        choose({"sync": "g"}, ["nobody"])


def test_a_long_step_says_that_it_goes_on():
    """With what it is at then."""
    lines, steps, are_two = list[str](), iter(["building", *["deploying"] * 1_000]), Event()

    def report(line: str) -> None:
        lines.append(line)
        if len(lines) == 2:
            are_two.set()

    with progress(report, lambda: next(steps), every=0.01):
        assert are_two.wait(30)
    assert [line.split(": ")[1] for line in lines[:2]] == ["building", "deploying"]


def test_a_long_setup_says_that_it_goes_on(tmp_path):
    """Its exit code is kept, and its output is in the log."""
    script = (
        'set -euo pipefail; . local/progress.sh; with_progress venv "$LOG" sh -c "echo Collecting numpy==1; sleep 0.3; exit 3"'
    )
    env = os.environ | {"LOG": str(tmp_path / "log"), "BOKIT_PROGRESS_SECONDS": "0.1"}
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, check=False)

    assert done.returncode == 3
    assert re.search(r"… venv: \d+ s, Collecting numpy\n", done.stdout)
    assert (tmp_path / "log").read_text() == "Collecting numpy==1\n"
