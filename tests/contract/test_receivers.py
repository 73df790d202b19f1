"""The receivers of docs/webhooks.md, run as they stand: they take what is signed, once, and refuse the rest."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bokit.core.model.documents import write_json
from bokit.core.model.events import Event, EventType, describe_event
from bokit.core.model.webhook_signature import sign, write_secret
from bokit.core.model.webhooks import Answer
from bokit.net.session import SafeSession
from bokit.outlets.webhook import HttpWebhooks
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
RECEIVERS, NODE = ROOT / "examples" / "receivers", ROOT / "tests" / "node"
SECRET, OTHER_SECRET = (write_secret(bytes([n]) * 32) for n in (1, 2))
needs_flask = pytest.mark.skipif(importlib.util.find_spec("flask") is None, reason="not run: Flask is not installed; run `make`")
needs_express = pytest.mark.skipif(
    shutil.which("node") is None or not (NODE / "node_modules/express").is_dir(),
    reason="not run: express is not installed; `npm ci --prefix tests/node` installs it",
)


@pytest.fixture(params=[pytest.param("flask", marks=needs_flask), pytest.param("express", marks=needs_express)])
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Start a receiver; yield its URL and the file of what it printed."""
    port, printed = free_port(), tmp_path / "printed"
    command = [sys.executable, "-u", str(RECEIVERS / "flask_receiver.py")]
    if request.param == "express":  # beside its libraries
        shutil.copy(RECEIVERS / "express_receiver.mjs", tmp_path)
        (tmp_path / "node_modules").symlink_to(NODE / "node_modules")
        command = ["node", str(tmp_path / "express_receiver.mjs")]
    environment = {**os.environ, "WEBHOOK_SECRET": SECRET, "PORT": str(port), "EVENTS_DB": str(tmp_path / "events.db")}
    with printed.open("wb") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as process:
        try:
            wait_for(port, process)
            yield f"http://127.0.0.1:{port}/bokit", printed
        finally:
            process.kill()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the receiver answers."""
    sender = HttpWebhooks(SafeSession(allow_private_addresses=True, deadline=1.0, max_bytes=0))
    for _ in range(200):
        if sender.post(f"http://127.0.0.1:{port}/nothing", {}, b"{}").status == 404:
            return
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError("the receiver ended")
    raise AssertionError("the receiver does not answer")


def send(url: str, number: int, secret: str = SECRET) -> Answer:
    """Send an event as a turn does."""
    now = datetime.now(UTC)
    event = Event(id=f"evt_{number}", seq=number, type=EventType.BOOKING_CREATED, at=now, data={"id": f"booking {number} Zoë"})
    body = write_json(describe_event(event)).encode()
    headers = {"Content-Type": "application/json", **sign([secret], event.id, now, body)}
    return HttpWebhooks(SafeSession(allow_private_addresses=True, max_bytes=0)).post(url, headers, body)


def test_a_receiver_takes_each_event_once(receiver: tuple[str, Path]) -> None:
    """Twice the same is accepted and done once; what another signed is refused."""
    url, printed = receiver

    answers = [send(url, number).status for number in (1, 2, 1)]
    refused = send(url, 3, OTHER_SECRET)

    assert (answers, refused) == ([204, 204, 204], Answer(status=401, error="http-401"))
    text = printed.read_text()
    assert [text.count(f"booking {number} Zoë") for number in (1, 2, 3)] == [1, 1, 0]


def test_the_page_has_the_receivers_as_they_are() -> None:
    """A change of one without the other is seen."""
    page = (ROOT / "docs" / "webhooks.md").read_text()

    for name in ("flask_receiver.py", "express_receiver.mjs"):
        assert (RECEIVERS / name).read_text().strip() in page
