"""CPU time of syncing an unchanged feed, with fetch and store, relative to the simple pipeline.

The simple pipeline is requests, a full icalendar parse, a PynamoDB query of the bookings, and a comparison. Both use the same
server, which sends a new DTSTAMP in each response, and the same emulated DynamoDB. Neither writes a booking. The goal is 25, and
40 is what a prototype without guards reached. The floor is a bare socket that reads and hashes the same bytes.
``bench/profile_unchanged.py`` shows where the rest goes.
"""

from __future__ import annotations

import hashlib
import http.server
import multiprocessing
import os
import re
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import icalendar
import requests
from pynamodb.attributes import UnicodeAttribute
from pynamodb.models import Model

from bench.bench_reading import build_feed
from bench.rows import LackingError, Row, show_rows
from bokit.config import Settings
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.store.dynamo.create_table import create_table
from bokit.wiring import build_engine

FEEDS, EVENTS, ROUNDS = 100, 100, 5
TABLE = "bench"
TARGET = 25


class Answers(http.server.BaseHTTPRequestHandler):
    """Serves the same feed with a new DTSTAMP each time."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True  # else the rest of an answer waits for what confirms its beginning
    body = build_feed(EVENTS)

    def do_GET(self) -> None:
        stamp = self.made_at().strftime("%Y%m%dT%H%M%SZ").encode()
        body = re.sub(rb"DTSTAMP:\d{8}T\d{6}Z", b"DTSTAMP:" + stamp, self.body)
        self.send_response(200)
        self.send_header("Content-Type", "text/calendar")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def made_at(self) -> datetime:
        return datetime.now(UTC)

    def log_message(self, *args: Any) -> None:
        pass


def serve(port: Any, answers: type[Answers] = Answers) -> None:
    """Send the port and serve until the process ends."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), answers)
    port.send(server.server_port)
    server.serve_forever()


@contextmanager
def feed_server(answers: type[Answers] = Answers) -> Iterator[str]:
    """Serve the feed in a separate process, whose CPU time is not measured."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, answers), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


@contextmanager
def emulator() -> Iterator[str]:
    """Run MiniStack on a free port of loopback; raises LackingError where it is not set up."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    program = os.environ.get("BOKIT_MINISTACK", str(Path(__file__).parents[1] / ".bokit/cloud/bin/ministack"))
    if not Path(program).exists():
        raise LackingError("the local cloud is not set up: `make setup` does it")
    env = {**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "IOT_MTLS_ENABLED": "0", "SFTP_PORT": "0"}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([program], env=env, stdout=log, stderr=log)
        try:
            wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def wait_for(port: int) -> None:
    """Wait until a server listens on *port*; raise after ten seconds."""
    for _ in range(200):
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the emulator did not start")


def cpu(work: Any) -> float:
    """Return the CPU time of *work* in this process, in milliseconds."""
    begun = time.process_time()
    work()
    return (time.process_time() - begun) * 1000


def read_raw(feed_url: str) -> None:
    """Read every feed over one connection, and hash it: what no pipeline can be faster than."""
    host, _, port = feed_url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as sock:
        for n in range(FEEDS):
            sock.sendall(b"GET /%d.ics HTTP/1.1\r\nHost: localhost\r\n\r\n" % n)
            came = sock.recv(65_536)
            head, _, body = came.partition(b"\r\n\r\n")
            length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
            while len(body) < length:
                body += sock.recv(65_536)
            hashlib.sha256(body).digest()


class Plain:
    """The simple pipeline: fetch, parse, query, compare."""

    def __init__(self, endpoint_url: str, feed_url: str) -> None:
        class Booking(Model):
            class Meta:
                table_name, region, host = "plain", "us-east-1", endpoint_url

            feed = UnicodeAttribute(hash_key=True)
            uid = UnicodeAttribute(range_key=True)
            start = UnicodeAttribute()
            end = UnicodeAttribute()
            summary = UnicodeAttribute()

        self.model, self.url = Booking, feed_url
        Booking.create_table(billing_mode="PAY_PER_REQUEST", wait=True)
        for n in range(FEEDS):
            with Booking.batch_write() as batch:
                for uid, (start, end, summary) in self.parse(Answers.body).items():
                    batch.save(Booking(f"feed-{n}", uid, start=start, end=end, summary=summary))

    def parse(self, body: bytes) -> dict[str, tuple[str, str, str]]:
        events = icalendar.Calendar.from_ical(body).walk("VEVENT")
        return {str(e["UID"]): (str(e["DTSTART"].dt), str(e["DTEND"].dt), str(e["SUMMARY"])) for e in events}

    def sync(self) -> None:
        for n in range(FEEDS):
            seen = self.parse(requests.get(f"{self.url}/{n}.ics", timeout=20).content)
            known = {b.uid: (b.start, b.end, b.summary) for b in self.model.query(f"feed-{n}")}
            if seen != known:
                raise RuntimeError("the simple pipeline found a change in an unchanged feed")


class Ours:
    """Bokit's tick and batches in this process."""

    def __init__(self, endpoint_url: str, feed_url: str) -> None:
        create_table(TABLE, region="us-east-1", endpoint_url=endpoint_url)
        settings = Settings(table_name=TABLE, region="us-east-1", endpoint_url=endpoint_url, allow_private_addresses=True)
        self.now = datetime.now(UTC)
        self.bokit = build_engine(settings, clock=lambda: self.now)
        self.requests: Counter[str] = Counter()
        self.bokit.store.client.meta.events.register(  # type: ignore[attr-defined]
            "before-send.dynamodb",
            lambda request, **_: self.requests.update([request.headers["X-Amz-Target"].decode().split(".")[-1]]),
        )
        catalog = self.bokit.catalog
        home = catalog.add_property(DEFAULT_TENANT, {"name": "Bench", "timezone": "Europe/Rome"})
        for n in range(FEEDS):
            unit = catalog.add_unit(DEFAULT_TENANT, home.id, {"name": f"Unit {n}"})
            catalog.sources.add(DEFAULT_TENANT, unit.id, {"name": "Airbnb", "url": f"{feed_url}/{n}.ics"})
        self.sync()

    def sync(self) -> None:
        self.now += timedelta(hours=2)
        self.bokit.tick()

    def sync_unchanged(self) -> None:
        self.sync()
        run = self.bokit.status.load_history(DEFAULT_TENANT).items[0]
        if len(run.sources) != FEEDS:
            raise RuntimeError("not every feed was synced")


def run(rounds: int = ROUNDS) -> dict[str, dict[str, float]]:
    """Measure both in turn; return CPU milliseconds for each feed, their ratio, and Bokit's table requests for each batch."""
    os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1")
    with emulator() as endpoint_url, feed_server() as feed_url:
        plain, ours = Plain(endpoint_url, feed_url), Ours(endpoint_url, feed_url)
        plain.sync()
        ours.sync_unchanged()
        ours.requests.clear()
        measured = [(cpu(plain.sync), cpu(ours.sync), cpu(lambda: read_raw(feed_url))) for _ in range(rounds)]
    theirs, mine, floor = (median(each[i] for each in measured) / FEEDS for i in range(3))
    ratio = median(p / o for p, o, _ in measured)
    counted = {name: n / rounds for name, n in sorted(ours.requests.items())}
    return {"cpu": {"ours_ms": mine, "plain_ms": theirs, "floor_ms": floor, "ratio": ratio}, "requests_a_batch": counted}


def rows(report: dict[str, dict[str, float]]) -> list[Row]:
    """Return what an unchanged feed costs."""
    c = report["cpu"]
    return [
        Row(
            name="unchanged.cpu.ratio",
            what=f"an unchanged feed of {EVENTS}; requests+icalendar+PynamoDB",
            ours=f"{c['ours_ms']:.2f} ms",
            peer=f"{c['plain_ms']:.1f} ms",
            floor=f"{c['floor_ms']:.2f} ms",
            ratio=c["ratio"],
            goal=TARGET,
        )
    ]


if __name__ == "__main__":
    show_rows(rows(run()))
