"""``bokit sync`` twice side by side, as processes, while a tick runs: each source is fetched once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bokit.config import Settings
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.engine.app import Bokit
from bokit.engine.base.clock import read_clock
from bokit.values import replace
from bokit.wiring import build_engine
from simulator.world import World
from tests.support.emulator import REGION, make_dynamo_store, needs_emulator

ROOT = Path(__file__).resolve().parents[2]
SOURCES = 5
ROUNDS = 3
pytestmark = [needs_emulator, pytest.mark.slow]


class CountingServer(ThreadingHTTPServer):
    """Serves the world's feeds, counts the requests, and answers none while its gate is closed."""

    daemon_threads = True

    def __init__(self, world: World) -> None:
        super().__init__(("127.0.0.1", 0), FeedHandler)
        self.world, self.asked, self.lock = world, Counter[str](), threading.Lock()
        self.gate, self.came = threading.Event(), threading.Event()

    def url(self, feed: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{feed}"

    def answer(self, feed: str) -> bytes:
        with self.lock:
            self.asked[feed] += 1
            body = self.world.answer(feed).body
        self.came.set()
        assert self.gate.wait(60)
        return body


class FeedHandler(BaseHTTPRequestHandler):
    server: CountingServer

    def do_GET(self) -> None:
        body = self.server.answer(self.path.strip("/"))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[CountingServer]:
    world = World(seed=3, now=read_clock())
    server = CountingServer(world)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.gate.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def stack(emulator: str, aws: None, server: CountingServer) -> tuple[Bokit, dict[str, str]]:
    """Bokit on a table of its own with five sources that are due, and the environment of a process on it."""
    table = make_dynamo_store(emulator).table_name
    settings = Settings(table_name=table, region=REGION, endpoint_url=emulator, allow_private_addresses=True)
    bokit = build_engine(settings)
    house = bokit.catalog.add_property(DEFAULT_TENANT, {"name": "Villa", "timezone": "Europe/Rome"})
    unit = bokit.catalog.add_unit(DEFAULT_TENANT, house.id, {"name": "Flat"})
    for n in range(SOURCES):
        feed = server.world.add_feed(f"airbnb/flat-{n}").name
        start = server.world.today(feed)
        server.world.book(feed, start.replace(year=start.year + 1), start.replace(year=start.year + 1, month=12, day=30))
        bokit.catalog.sources.add(DEFAULT_TENANT, unit.id, {"name": feed, "url": server.url(feed)})
    env = {
        "BOKIT_TABLE": table,
        "AWS_ENDPOINT_URL": emulator,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "BOKIT_ALLOW_PRIVATE_ADDRESSES": "true",
        "HOME": "/nonexistent",
        "PYTHONPATH": f"{ROOT / 'layers/shared'}{os.pathsep}{ROOT / 'cli'}",
    }
    return bokit, env


def start(env: dict[str, str]) -> subprocess.Popen[str]:
    """Start ``bokit sync --json`` as a process of its own."""
    command = [sys.executable, "-c", "from bokit_cli.main import run; run()", "sync", "--json"]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> list[str]:
    """Return the sources that the process says it synced."""
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    return [s["source_id"] for s in json.loads(out)["sources"]]


def make_due(bokit: Bokit) -> None:
    """Make every source due now."""
    for source in bokit.store.load_sources(DEFAULT_TENANT):
        shard = bokit.store.load_shards([source.shard_id])[0]
        bokit.store.save_source_schedule(shard.id, source.id, replace(shard.schedules[source.id], due_at=read_clock()))


def test_while_one_syncs_the_others_leave_its_sources_alone(stack, server):
    """One process is in the midst of all feeds; another, and a tick, begin and end meanwhile, and fetch nothing."""
    bokit, env = stack
    first = start(env)
    assert server.came.wait(60)

    second = end(start(env))
    report = bokit.tick()
    assert first.poll() is None
    server.gate.set()

    assert (second, report.sent) == ([], 0)
    assert sorted(end(first)) == sorted(s.id for s in bokit.store.load_sources(DEFAULT_TENANT))
    assert set(server.asked.values()) == {1}
    assert len(server.asked) == SOURCES


def test_two_processes_and_a_tick_that_begin_together_fetch_each_source_once(stack, server):
    """The first one syncs it: in each round, with two processes and ticks at the same time, one fetch per source."""
    bokit, env = stack
    server.gate.set()
    for number in range(1, ROUNDS + 1):
        make_due(bokit)
        server.came.clear()
        ended, ticks = threading.Event(), []
        ticker = threading.Thread(target=tick_on, args=(bokit, server.came, ended, ticks))
        ticker.start()
        both = [start(env), start(env)]
        synced = [source_id for process in both for source_id in end(process)]
        ended.set()
        ticker.join(60)

        assert server.asked == Counter({f"airbnb/flat-{n}": number for n in range(SOURCES)})
        assert len(set(synced)) == len(synced) == SOURCES - sum(ticks)
        assert ticks


def tick_on(bokit: Bokit, began: threading.Event, ended: threading.Event, ticks: list[int]) -> None:
    """Tick, from the first fetch of a process on, until the processes have ended; keep how many sources each tick sent."""
    assert began.wait(60)
    while not ended.wait(0.02) and len(ticks) < 2000:
        ticks.append(bokit.tick().sources)
