"""The drill: a stack is lost, its table is restored, and another stack with other API ids goes on under the same domain."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bokit.core.model.access import Role
from bokit.core.model.catalog import DEFAULT_TENANT, Source
from bokit.core.model.limits import EVENT_JUMP
from local import cloud, stack
from local.place import ROOT, Place
from tests.support.api_client import Client
from tests.support.deployed import Deployed, add_source, load_shard, make_place, open_stack, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.slow]

DOMAIN, LIVE_DOMAIN = "calendars.example.com", "live.example.com"
DOMAINS = {
    "DomainName": DOMAIN,
    "LiveDomainName": LIVE_DOMAIN,
    "CertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/0a1b2c3d-0000-0000-0000-000000000000",
}


@pytest.fixture
def place(tmp_path: Path, nobody: None) -> Iterator[Place]:
    """An empty account on this machine."""
    place = make_place(tmp_path)
    try:
        cloud.start_emulator(place, lambda _: None)
        yield place
    finally:
        cloud.down(place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What was to be seen before the stack was lost."""

    source: Source
    calendar: str
    body: bytes
    booking: str
    seq: int
    leaked: tuple[str, str]
    """The id and the text of a token that is revoked after the time of the restore."""


def deploy(place: Place, built: Path, name: str, **parameters: str) -> Deployed:
    """Deploy a stack under the domains."""
    stack.deploy_stack(place, built, name, **DOMAINS, **parameters)
    outputs = stack.load_outputs(place, name)
    assert outputs
    return Deployed(place=place, outputs=dict(outputs), name=name)


def ask_domain(place: Place, url: str) -> tuple[int, dict[str, str], bytes]:
    """Return what an address under the domain answers: the name leads to this machine's gateway, as its DNS record would."""
    address = urlsplit(url)
    request = urllib.request.Request(place.endpoint_url + address.path, headers={"Host": address.netloc})  # noqa: S310 - our own
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, {}, error.read()


def restore(place: Place, *arguments: str) -> dict[str, str]:
    """Run the command of `make restore`, and return the parameters that it gives to the deployment."""
    command = [sys.executable, "-m", "local.restore", "default", "--to", "restored", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=place.aws_env(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(pair.split("=", 1) for pair in done.stdout.split())


def furnish(first: Deployed, feed_url: str) -> tuple[Client, Before]:
    """Sync a source, edit its booking, publish a calendar, and note what is to be seen."""
    source = add_source(first, feed_url, due_at=None)
    access = open_stack(first).access
    client = Client(deployed=first, tenant=DEFAULT_TENANT, token=access.create(DEFAULT_TENANT, Role.ADMIN)[1])
    assert client.ask("PATCH", f"/sources/{source.id}", {"interval": 60})[0] == 200
    client.follow(client.ask("POST", "/sync/trigger", {"source_ids": [source.id]})[1]["run_id"])
    (booking,) = client.get(f"/bookings?unit_id={source.scope}")["items"]
    assert client.ask("PATCH", f"/bookings/{booking['id']}", {"guest_name": "Edited"})[0] == 200
    status, calendar = client.ask("POST", f"/units/{source.scope}/calendars", {"for": "vrbo"})
    assert (status, calendar["url"].startswith(f"https://{DOMAIN}/feeds/")) == (201, True)
    status, _, body = ask_domain(first.place, calendar["url"])
    assert (status, b"BEGIN:VEVENT" in body) == (200, True)
    token, text = access.create(DEFAULT_TENANT, Role.ADMIN)
    seen = {"calendar": calendar["url"], "body": body, "booking": booking["id"], "seq": last_seq(client)}
    return client, Before(source=source, leaked=(token.id, text), **seen)


def last_seq(client: Client) -> int:
    return int(client.get("/events")["seq"])


def lose(client: Client, before: Before) -> int:
    """Change what the restore does not have, as if it had been to an earlier time; return the last event's number."""
    stay = {"unit_id": before.source.scope, "check_in": "2028-06-01", "check_out": "2028-06-05"}
    assert client.ask("POST", "/bookings", stay)[0] == 201
    assert client.ask("DELETE", f"/tokens/{before.leaked[0]}")[0] == 200
    return int(wait_until(lambda: (seq := last_seq(client)) > before.seq and seq, 90))


def test_a_lost_stack_goes_on_in_another_one(place: Place, built: Path, feed_url: str) -> None:
    """Calendars answer byte for byte as before, edits are there, the schedule syncs, who read a lost event starts again."""
    first = deploy(place, built, "bokit")
    client, before = furnish(first, feed_url)
    found = restore(place, "--from", "bokit")
    lost = lose(client, before)
    key = first.outputs["CalendarKey"].removeprefix("secret:")
    stack.delete_stack(place)
    assert ask_domain(place, before.calendar)[0] != 200

    again = restore(place, "--from", first.outputs["TableName"], "--key", key)
    assert again == found
    second = deploy(place, built, "second", **found)

    assert second.outputs["ApiId"] != first.outputs["ApiId"]
    assert ask_domain(place, before.calendar)[::2] == (200, before.body)
    check_content(second, before, client.token, lost)
    deployed_at = datetime.now(UTC)
    wait_until(lambda: has_synced_since(second, before.source, deployed_at), 150)


def check_content(second: Deployed, before: Before, token: str | None, lost: int) -> None:
    """Edits, tokens and addresses are as before; what was numbered before is not numbered again."""
    client = Client(deployed=second, tenant=DEFAULT_TENANT, token=token)
    assert client.get(f"/bookings/{before.booking}")["guest_name"] == "Edited"
    assert client.get(f"/units/{before.source.scope}/calendars")["items"][0]["url"] == before.calendar
    assert Client(deployed=second, tenant=DEFAULT_TENANT, token=before.leaked[1]).ask("GET", "/events")[0] in (401, 403)

    for since in (before.seq, lost, lost + 1):
        status, problem = client.ask("GET", f"/events?since={since}")
        assert (status, problem["code"]) == (410, "resync")
    assert last_seq(client) >= EVENT_JUMP + before.seq

    page = ask_domain(second.place, second.outputs["PageUrl"])
    assert f"wss://{LIVE_DOMAIN}" in page[1]["content-security-policy"]
    assert second.outputs["LiveUrl"] == f"wss://{LIVE_DOMAIN}"
    assert LIVE_DOMAIN not in second.outputs["LiveEndpoint"]


def has_synced_since(deployed: Deployed, source: Source, at: datetime) -> Any:
    """Return whether the schedule has synced the source since a time."""
    succeeded = load_shard(deployed, source.shard_id).schedules[source.id].succeeded_at
    return succeeded is not None and succeeded > at
