"""Secrets of two tenants, and of two stacks in one account, through the deployed API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bokit.core.model.access import Role
from bokit.core.model.catalog import Tenant
from bokit.core.model.records import TenantId
from local.gateway import STACK
from tests.support.api_client import Client
from tests.support.attack_feeds import AttackFeeds, neighbour, one_stay
from tests.support.builders import a_name
from tests.support.deployed import Deployed, open_stack

pytestmark = [pytest.mark.stack, pytest.mark.slow]
OTHER_STACK = "bokit-two"


@pytest.fixture
def feeds() -> Iterator[AttackFeeds]:
    """A server that counts who asked."""
    server = AttackFeeds()
    yield server
    server.stop()


@pytest.fixture
def stranger(client: Client, deployed: Deployed) -> Client:
    """An operator of another tenant, with a unit of its own."""
    tenant = TenantId(a_name("tenant"))
    opened = open_stack(deployed)
    opened.store.save_tenant(Tenant(id=tenant, name=tenant, created_at=datetime.now(UTC)))
    return replace(client, tenant=tenant, token=opened.access.create(tenant, Role.OPERATOR)[1])


def make_secret(deployed: Deployed, name: str, value: str) -> str:
    """Store a secret and a parameter of this name in the account; return the secret's ARN."""
    deployed.client("ssm").put_parameter(Name=f"/{name}", Value=value, Type="SecureString")
    return str(deployed.client("secretsmanager").create_secret(Name=name, SecretString=value)["ARN"])


def three_stays(fetch: int) -> bytes:
    """Return the same calendar at each fetch."""
    return neighbour(0)


def add_unit(client: Client) -> str:
    """Return the id of a new unit of the client's tenant."""
    house = client.as_(Role.ADMIN).ask("POST", "/properties", {"name": "Villa Rosa", "timezone": "Europe/Rome"})[1]["id"]
    return str(client.ask("POST", "/units", {"name": "Garden flat", "property_id": house})[1]["id"])


def preview(client: Client, unit: str, url: str) -> tuple[int, Any]:
    """Ask what a source of this address would show."""
    return client.ask("POST", "/sources?preview=true", {"name": "Feed", "unit_id": unit, "url": url})


def forms(name: str, full: str, arn: str) -> list[str]:
    """Return every way to refer to a secret: by name, full name and ARN, in both services."""
    parameter = arn.replace(":secretsmanager:", ":ssm:").replace(":secret:", ":parameter/")
    names = [name, full, f"/{full}", f"ssm:{name}", f"ssm:{full}", f"ssm:/{full}", arn, arn[:-7], f"ssm:{parameter[:-7]}"]
    return [f"secret:{form}" for form in names] + [f"secret:{form}#url" for form in names]


def test_a_secret_opens_for_its_own_tenant_alone(deployed, client, stranger, feeds, record_property):
    """Its tenant previews by each name; another tenant, by each name too, gets the answer of a secret that does not exist."""
    name, full = "feed", f"bokit/{STACK}/{client.tenant}/feed"
    arn = make_secret(deployed, full, feeds.add("own", three_stays))
    unit = add_unit(stranger)

    home = add_unit(client)
    own = [preview(client, home, url) for url in forms(name, full, arn) if "#" not in url and "secret:/" not in url]
    fetches = feeds.fetches["/own.ics"]
    asked = forms(name, full, arn)
    foreign = [preview(stranger, unit, url) for url in asked]
    missing = [preview(stranger, unit, url.replace("feed", "none")) for url in asked]

    assert [status for status, _ in own] == [200] * 8
    assert [len(answer["entries"]) for _, answer in own] == [3] * 8
    assert {status for status, _ in foreign} == {422}
    for (status, answer), other in zip(foreign, missing, strict=True):
        assert (status, without_name(answer)) == (other[0], without_name(other[1]))
    assert feeds.fetches["/own.ics"] == fetches == 8
    record_property("tried", len(foreign) + len(missing))


def without_name(answer: Any) -> str:
    """Return a problem document without the name that was asked for."""
    return str({key: value for key, value in answer.items() if key != "instance"}).replace("feed", "none")


def test_two_stacks_of_one_account_are_apart(deployed, client, feeds):
    """The same tenant and name in another stack is another secret; its full name and its ARN open nothing here."""
    ours = make_secret(deployed, f"bokit/{STACK}/{client.tenant}/twin", feeds.add("ours", one_stay))
    theirs = make_secret(deployed, f"bokit/{OTHER_STACK}/{client.tenant}/twin", feeds.add("theirs", three_stays))
    unit, full = add_unit(client), f"bokit/{OTHER_STACK}/{client.tenant}/twin"

    assert [len(preview(client, unit, f"secret:{form}")[1]["entries"]) for form in ("twin", ours, "ssm:twin")] == [1, 1, 1]
    refused = [preview(client, unit, url) for url in forms(f"../../{OTHER_STACK}/{client.tenant}/twin", full, theirs)]

    assert {status for status, _ in refused} == {422}
    assert feeds.fetches["/theirs.ics"] == 0


def test_a_source_through_a_foreign_secret_never_fetches(deployed, client, stranger, feeds):
    """Added without a preview, its syncs fail as those of a missing secret do, and the feed behind it is not asked."""
    full = f"bokit/{STACK}/{client.tenant}/feed"
    arn = make_secret(deployed, full, feeds.add("hidden", three_stays))
    unit = add_unit(stranger)
    sources = [
        stranger.ask("POST", "/sources", {"name": f"n{n}", "unit_id": unit, "url": url})[1]["id"]
        for n, url in enumerate((f"secret:{full}", f"secret:{arn}", "secret:none"))
    ]

    run = stranger.follow(stranger.ask("POST", "/sync/trigger", {"source_ids": sources})[1]["run_id"])
    errors = {report["source_id"]: report["error"] for report in run["sources"]}

    assert [errors[source]["code"] for source in sources] == ["secret"] * 3
    assert len({errors[source]["message"] for source in sources}) == 1
    assert feeds.fetches["/hidden.ics"] == 0
