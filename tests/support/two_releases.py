"""Two deployments at once: workers of today's code and of the former release on one table, and an upgrade from one to the other.

The former release's code comes from the repository's own history; a clone without it (a shallow one) cannot run this, and the
gate reads what that release stored instead (tests/contract/test_stored_by_former_releases.py).
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any

from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.store.dynamo.store import DynamoStore
from simulator.world import World
from tests.support.damage import Damage
from tests.support.emulator import REGION, REPOSITORY
from tests.support.side_by_side import FEEDS, judge_truth
from tests.support.simulated_app import SimulatedApp

FORMER = "d9eec7f"
"""The former release."""
WORKER = Path(__file__).with_name("release_worker.py")
ROUNDS = 12
TOGETHER = range(ROUNDS // 3, 2 * ROUNDS // 3)
"""Rounds in which both work; before them the former release alone, after them today's."""
EXPECTED = frozenset({"StoreConflictError", "StaleFenceError", "StateError"})
"""Errors by which one worker leaves the work to another."""


def has_former_release() -> bool:
    """Return whether this clone has the former release's code."""
    found = subprocess.run(["git", "cat-file", "-e", f"{FORMER}^{{commit}}"], cwd=REPOSITORY, capture_output=True)
    return found.returncode == 0


def unpack_former_release(folder: Path) -> Path:
    """Write the former release's package into *folder*; return where Python finds it."""
    asked = ["git", "archive", FORMER, "layers/shared/bokit"]
    packed = subprocess.run(asked, cwd=REPOSITORY, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "layers/shared"


@dataclass
class ReleaseWorker:
    """A process of one release."""

    process: subprocess.Popen[str]
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def start(cls, path: Path, store: DynamoStore, endpoint_url: str) -> ReleaseWorker:
        """Start one whose package is in *path*."""
        settings = {
            "PYTHONPATH": str(path),
            "BOKIT_TABLE": store.table_name,
            "BOKIT_ALLOW_PRIVATE_ADDRESSES": "true",
            "BOKIT_CALENDAR_KEY": "a secret of tests",
            "BOKIT_CONCURRENCY": "2",
            "AWS_ENDPOINT_URL": endpoint_url,
            "AWS_DEFAULT_REGION": REGION,
        }
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        return cls(subprocess.Popen([sys.executable, str(WORKER)], env=os.environ | settings, **pipes))

    def ask(self, **asked: Any) -> dict[str, Any]:
        """Return its answer."""
        sending, answers = self.process.stdin, self.process.stdout
        assert sending
        assert answers
        with self.lock:
            sending.write(json.dumps(asked) + "\n")
            sending.flush()
            answer: dict[str, Any] = json.loads(answers.readline())
        return answer

    def stop(self) -> None:
        """End it."""
        self.process.communicate(timeout=20)


@contextmanager
def serve_world(world: World) -> Iterator[str]:
    """Serve the world's feeds on loopback; yield the address before their names."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with lock:
                answer = world.answer(self.path[1:])
            self.send_response(answer.status)
            self.send_header("Content-Type", "text/calendar")
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


class TwoReleases:
    """An eventful world, its feeds over HTTP, and the workers that each round has."""

    def __init__(self, store: DynamoStore, address: str, world: World, workers: Sequence[ReleaseWorker], seed: int) -> None:
        self.app, self.workers, self.luck = SimulatedApp(store=store, world=world), workers, Random(seed)
        self.app.save_tenant()
        for feed in FEEDS:
            source = self.app.add_source(feed)
            head, line = self.app.store.load_head(source), self.app.store.load_shards([source.shard_id])[0].schedules[source.id]
            self.app.store.save_source(replace(head, source=replace(source, url=address + feed)), line)
            for day in (1, 9, 17):
                world.book(feed, date(2026, 12, day), date(2026, 12, day + 4))
        self.notices: dict[str, tuple[str, str]] = {}
        self.errors: list[str] = []
        self.asked = 0

    def play(self) -> Damage:
        """Play all rounds; return what is not as the feeds show it."""
        former, today = self.workers
        for number in range(ROUNDS):
            workers = [former, today] if number in TOGETHER else [former] if number < TOGETHER.start else [today]
            self._play_round(number, workers)
        for _ in range(3):
            self._pass(20, [today])
        damage = judge_truth(self.app)
        shards = self.app.store.load_shards(sorted({s.shard_id for s in self.app.store.load_sources(DEFAULT_TENANT)}))
        unexpected = [e for e in self.errors if e.partition(":")[0] not in EXPECTED]
        held = sum(shard.holder is not None for shard in shards)
        more = Damage(tried=self.asked, lost=len(unexpected), doubled=len(self.notices), late=held)
        return replace(damage + more, traces=(*damage.traces, *unexpected[:5], *map(str, self.notices.values())))

    def _play_round(self, number: int, workers: Sequence[ReleaseWorker]) -> None:
        world, feed = self.app.world, FEEDS[number % len(FEEDS)]
        start = date(2027, 2, 1) + timedelta(days=5 * number)
        world.book(feed, start, start + timedelta(days=3))
        if number % 3 == 1:
            stay = self.luck.choice([s for s in world.stays.values() if s.feed == feed and s.is_active])
            world.move(stay.id, stay.check_in, stay.check_out + timedelta(days=1))
        for minutes in (10, 25, 26):
            self._pass(minutes, workers)
            self._edit(f"{number}/{minutes}", workers)

    def _pass(self, minutes: int, workers: Sequence[ReleaseWorker]) -> None:
        """Let all tick at once, and then work each message in all hands at once, as if it was delivered twice."""
        self.app.move(minutes=minutes)
        bodies = [body for answer in self._ask_all([(w, {"do": "tick"}) for w in workers]) for body in answer["sent"]]
        self._ask_all([(w, {"do": "work", "body": body}) for body in bodies for w in workers])

    def _edit(self, note: str, workers: Sequence[ReleaseWorker]) -> None:
        source = self.luck.choice(self.app.store.load_sources(DEFAULT_TENANT))
        records = [r for r in self.app.records(source) if r.remote.get("kind") != "window"]
        if records:
            asked = {"do": "edit", "id": self.luck.choice(records).id, "values": {"notes": note}}
            self._ask_all([(self.luck.choice(workers), asked)])

    def _note(self, worker: ReleaseWorker, notices: Sequence[Sequence[str]]) -> None:
        """Keep false alarms of today's release; the former one's own, and the recovery from them, are not ours to count."""
        if worker is self.workers[-1]:
            self.notices |= {key: (kind, code) for key, kind, code in notices if kind != "source.recovered"}

    def _ask_all(self, tasks: Sequence[tuple[ReleaseWorker, dict[str, Any]]]) -> list[dict[str, Any]]:
        now = self.app.clock().isoformat()
        if not tasks:
            return []
        with ThreadPoolExecutor(max_workers=len(tasks)) as pool:
            answers = list(pool.map(lambda task: task[0].ask(now=now, **task[1]), tasks))
        self.asked += len(answers)
        self.errors += [answer["error"] for answer in answers if answer["error"]]
        for (worker, _), answer in zip(tasks, answers, strict=True):
            self._note(worker, answer["notices"])
        return answers


def play(store: DynamoStore, endpoint_url: str, folder: Path, seed: int = 0) -> Damage:
    """Upgrade from the former release to today's, with both at work for a while; return what it cost."""
    world = World(seed=seed)
    with ExitStack() as stack:
        address = stack.enter_context(serve_world(world))
        paths = [unpack_former_release(folder), REPOSITORY / "layers/shared"]
        workers = [ReleaseWorker.start(path, store, endpoint_url) for path in paths]
        for worker in workers:
            stack.callback(worker.stop)
        return TwoReleases(store, address, world, workers, seed).play()
