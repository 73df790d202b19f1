"""The shell blocks of README and docs work as written, in order, on the stack that `make demo` leaves; then changes to it do."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator

import pytest

from local import cloud, stack
from local.daemon import Daemon
from local.down import daemons_of
from local.place import Place
from tests.support.deployed import wait_until
from tests.support.ports import free_port
from tests.support.readers import SIMULATOR, Block, ReadersCopy, make_readers_copy, read_blocks, read_documents

MARK = "@@@ "

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadersCopy]:
    """A reader's copy with ports of its own; its local cloud is stopped at the end."""
    copy = make_readers_copy(tmp_path_factory.mktemp("reader"), port=free_port(), simulator_port=free_port())
    yield copy
    cloud.down(place_of(copy))


def place_of(reader: ReadersCopy) -> Place:
    """Return the place of a copy's local cloud."""
    return Place(home=reader.folder / ".bokit", port=reader.port, simulator_port=reader.simulator_port)


def as_script(blocks: list[Block], simulator_port: int) -> str:
    """Return all blocks as one script, so variables stay set from block to block as in a reader's shell.

    The simulator's port is the one thing replaced: a reader's own local cloud may use the default port on this machine.
    """
    parts = [f"echo; echo '{MARK}{block.title}'\n{block.text}" for block in blocks]
    return "\n".join(parts).replace(SIMULATOR, f"127.0.0.1:{simulator_port}")


def test_every_block_works_in_order(reader):
    """From `make demo` on, every command exits 0; the calendar's bookings and the API's documents are there."""
    blocks = [block for block in read_blocks() if not block.needs_docker]
    assert blocks[0].text == "make demo\n"

    done = reader.run(as_script(blocks, reader.simulator_port))
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"

    outputs = dict(part.split("\n", 1) for part in done.stdout.split(f"\n{MARK}")[1:])
    run, status, document = read_documents(outputs["README.md: Use it over HTTP"])
    assert run["run_id"]
    assert "sources" in status
    assert "/sync/trigger" in document["paths"]
    listed = reader.run('.venv/bin/bokit bookings --unit "Rose room"').stdout
    assert len(re.findall(r"– \w+ \d+ \w+ \d{4}\t\d+\t[^\t]*\t[^\t]*Rose room", listed)) == 2, listed


def load_code(reader: ReadersCopy) -> dict[str, str]:
    """Return what each function of the copy's stack runs: its code's hash, and its layer."""
    functions = stack.connect(place_of(reader), "lambda").list_functions()["Functions"]
    return {f["FunctionName"].split("-")[1]: f["CodeSha256"] + str(f["Layers"][0]["Arn"]) for f in functions}


def test_up_after_an_unclean_end_deploys_what_changed(reader):
    """The emulator was killed, a function and then the layer were changed: each is deployed, and nothing else."""
    assert reader.run("make up").returncode == 0  # as after the demo
    before = load_code(reader)
    emulator = Daemon(name="emulator", home=place_of(reader).home)
    os.kill(int(emulator.pid or 0), signal.SIGKILL)
    wait_until(lambda: not emulator.is_running(), 60)  # a busy machine takes its time
    with (reader.folder / "functions/sync/app.py").open("a") as file:
        file.write("# changed\n")
    done = reader.run("make up")

    assert done.returncode == 0, done
    assert "Updating SyncFunction\n" in done.stdout
    after = load_code(reader)
    assert [name for name in before if after[name] != before[name]] == ["SyncFunction"]
    with (reader.folder / "layers/shared/bokit/errors.py").open("a") as file:
        file.write("# changed\n")
    done = reader.run("make up")
    assert "Updating SharedLayer\n" in done.stdout, done
    assert {name for name, code in load_code(reader).items() if code != after[name]} == set(after)


def test_down_says_what_it_stopped_and_a_failed_up_leaves_nothing_running(reader):
    """And what failed."""
    assert re.search(r"Stopped the simulated platforms .*\nStopped the local cloud ", reader.run("make down").stdout)
    template = (reader.folder / "template.yaml").read_text()
    (reader.folder / "template.yaml").write_text(template.replace("Type: AWS::SQS::Queue\n", "Type: AWS::SQS::Cue\n", 1))
    failed = reader.run("make up")

    assert failed.returncode == 2
    assert "What this started is stopped:\nStopped the simulated platforms" in failed.stdout
    assert "AWS::SQS::Cue" in failed.stderr
    assert [d.name for d in daemons_of(place_of(reader)) if d.is_running()] == []
