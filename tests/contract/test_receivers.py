"""The receivers of docs/webhooks.md, run as they stand: they take what is signed, once, and refuse the rest."""

from __future__ import annotations

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
from tests.support.examples import FRAMEWORKS, RECEIVERS, ROOT, run_example

SECRET, OTHER_SECRET = (write_secret(bytes([n]) * 32) for n in (1, 2))
SUFFIXES = {"flask": "py", "express": "mjs"}


@pytest.fixture(params=FRAMEWORKS)
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Start a receiver; yield its URL and the file of what it printed."""
    settings = {"WEBHOOK_SECRET": SECRET, "EVENTS_DB": str(tmp_path / "events.db")}
    with run_example(f"{request.param}_receiver.{SUFFIXES[request.param]}", tmp_path, settings) as url:
        yield f"{url}/bokit", tmp_path / "printed"


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

    names = sorted(path.name for path in RECEIVERS.iterdir() if path.is_file())
    assert len(names) == 4
    for name in names:
        assert (RECEIVERS / name).read_text().strip() in page
