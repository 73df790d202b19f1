"""The shell blocks of README and docs work as written, in their order, on the stack that `make demo` leaves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import cloud
from local.place import Place
from tests.support.ports import free_port
from tests.support.readers import SIMULATOR, Block, ReadersCopy, make_readers_copy, read_blocks, read_documents

MARK = "@@@ "

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[ReadersCopy]:
    """A reader's copy with ports of its own; its local cloud is stopped at the end."""
    copy = make_readers_copy(tmp_path, port=free_port(), simulator_port=free_port())
    yield copy
    cloud.down(Place(home=copy.folder / ".bokit", port=copy.port, simulator_port=copy.simulator_port))


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
    assert len(re.findall(r"– \w+ \d+ \w+ \d{4} +\d+  Rose room", listed)) == 2, listed
