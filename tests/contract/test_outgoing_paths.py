"""Hostile addresses on every path by which an address comes in: sources of all kinds, secrets, previews, the config file."""

# ruff: noqa: F811 - fixtures that are imported are named again as arguments

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

import pytest

from bokit.core.bookings.rules import BookingRules
from bokit.core.items.rules import RecordRules
from bokit.core.model.alerts import AlertChannel, AlertChannelId, ChannelKind, PendingAlert, Severity
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.engine.app import Bokit, EngineParts
from bokit.engine.catalog.config.file import read_config
from bokit.engine.catalog.config.importing import import_config
from bokit.engine.sync.kinds import SourceKind
from bokit.errors import AddressRefusedError, BokitError, SourceUnavailableError
from bokit.net.addresses import check_url
from bokit.net.session import SafeSession
from bokit.outlets.memory import MemoryAlerts
from bokit.outlets.post import ChannelSender
from bokit.sources.ical import IcalFetcher
from bokit.sources.json_api import JsonApiFetcher
from bokit.sources.sql.url import Reach, find_address, read_database_url
from bokit.store.memory.store import MemoryStore
from tests.support.builders import NOW, a_source
from tests.support.guarded import canary, serve  # noqa: F401
from tests.support.hostile_urls import HOSTILE_URLS, list_hosts
from tests.support.scripted_server import ScriptedServer

API = {"items": "data", "id": "id"}
ALERT = PendingAlert(id="alr_1", type="test", severity=Severity.INFO, title="a", text="b", at=NOW)


class Names:
    """A resolver that remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[Any]:
        self.asked.append(host)
        return []


def make_paths(names: Names) -> dict[str, Callable[[str], object]]:
    """Return each path, as a function that takes an address as far as a request."""
    client, revealed = SafeSession(resolver=names), [""]

    def reveal(text: str, tenant: str) -> str:
        return revealed[0] if text == "secret:x" else text

    feeds, apis = IcalFetcher(client, reveal), JsonApiFetcher(client, reveal, lambda: NOW)
    kinds = {
        "ical": SourceKind(fetcher=feeds, rules=BookingRules(), collection=BOOKINGS),
        "json": SourceKind(fetcher=apis, rules=RecordRules(), is_shared=True),
    }
    sender = ChannelSender(allow_private_addresses=False, reveal=reveal, session=client)
    parts = EngineParts(
        store=MemoryStore(),
        kinds=kinds,
        alerts=MemoryAlerts(),
        clock=lambda: NOW,
        check_url=check_url,
        open_alert_sender=lambda: sender,
    )
    bokit = Bokit(parts)
    catalog = bokit.catalog
    house = catalog.add_property(DEFAULT_TENANT, {"name": "House"})
    unit = catalog.add_unit(DEFAULT_TENANT, house.id, {"name": "Flat"}).id

    def through_secret(act: Callable[[str], object]) -> Callable[[str], object]:
        def run(url: str) -> object:
            revealed[0] = url
            return act("secret:x")

        return run

    def fetch_feed(url: str) -> object:
        return feeds.fetch(a_source(url=url))

    def fetch_api(url: str) -> object:
        return apis.fetch(a_source(url=url, kind="json", settings=API))

    def preview(url: str) -> object:
        return catalog.sources.preview(DEFAULT_TENANT, unit, {"name": "New", "url": url})

    def import_file(url: str) -> object:
        source = {"name": "New", "kind": "json", "url": url, "collection": "clients", **API}
        return import_config(catalog, DEFAULT_TENANT, read_config({"sources": [source]}))

    def add_alert(url: str) -> object:
        return bokit.alerts.add(DEFAULT_TENANT, {"kind": "gotify", "url": url, "token": "a"})

    def send_alert(url: str) -> None:
        settings = {"url": url, "token": "a"}
        kind, channel_id = ChannelKind.GOTIFY, AlertChannelId("chn_1")
        channel = AlertChannel(id=channel_id, tenant=DEFAULT_TENANT, kind=kind, name="a", settings=settings, created_at=NOW)
        sender.send(channel, ALERT)

    return {
        "alert channel": add_alert,
        "alert through a secret": through_secret(send_alert),
        "calendar": fetch_feed,
        "calendar through a secret": through_secret(fetch_feed),
        "API": fetch_api,
        "API through a secret": through_secret(fetch_api),
        "add": lambda url: catalog.sources.add(DEFAULT_TENANT, unit, {"name": "New", "url": url}),
        "preview": preview,
        "preview through a secret": through_secret(preview),
        "config file": import_file,
    }


def test_no_hostile_address_gets_as_far_as_a_request(canary: ScriptedServer, record_property: Any) -> None:
    """Each hostile URL on each path is refused, and no name is resolved; nobody connects to a server on loopback."""
    names = Names()
    paths = make_paths(names)
    urls = [*HOSTILE_URLS, canary.url(), canary.url().replace("127.0.0.1", "localhost")]
    passed = []
    for name, take in paths.items():
        for url in urls:
            try:
                take(url)
                passed.append((name, url))
            except BokitError:
                pass
    record_property("tried", len(paths) * len(urls))

    assert passed == []
    assert names.asked == []
    assert len(paths) * len(urls) > 4700


def resolve_locally(host: str, port: int) -> list[tuple[Any, ...]]:
    """Resolve a number in any form as the system does; every name leads to loopback."""
    try:
        return socket.getaddrinfo(host, port, flags=socket.AI_NUMERICHOST, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


@pytest.mark.parametrize("reach", [Reach(), Reach(private=True)], ids=["without a VPC", "in a VPC"])
@pytest.mark.parametrize("scheme", ["mysql+pymysql", "postgresql+psycopg"])
def test_no_database_is_asked_on_this_machine(scheme: str, reach: Reach) -> None:
    """Each host that is not public, in every disguise: refused, or another, public address; in a VPC one of a private network."""
    asked: list[str] = []
    for host in list_hosts():
        try:
            asked.append(find_address(read_database_url(f"{scheme}://u:p@{host}/shop", reach), reach, resolve_locally))
        except (AddressRefusedError, SourceUnavailableError):
            continue

    private = ("10.", "172.16.", "172.31.", "192.168.", "fc", "fd")
    others = [address for address in asked if not (reach.private and address.startswith(private))]
    assert [address for address in others if not ipaddress.ip_address(address).is_global] == []
