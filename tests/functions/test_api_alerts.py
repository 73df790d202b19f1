"""Alert channels over HTTP: secrets go in and never come out."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.alert_server import AlertServer, serve_alerts
from tests.support.caller import OTHER, ApiApp, Caller


@pytest.fixture
def server() -> Iterator[AlertServer]:
    """A service that takes messages."""
    with serve_alerts() as state:
        yield state


@pytest.fixture
def phone(app: ApiApp) -> Caller:
    """A caller whose stack sends alerts to loopback."""
    return app.caller


def test_the_life_of_a_channel(phone: Caller, server: AlertServer) -> None:
    """Added, shown, changed, tried out and removed; a secret is shown nowhere, only that it is set."""
    made = phone.ask(
        "POST", "/alerts", {"kind": "gotify", "url": f"{server.url}/sentinel", "token": "sentinel-token", "digest": True}
    )
    path = made.headers["Location"]

    assert made.status == 201
    assert made.doc["settings"] == {}
    assert (made.doc["host"], made.doc["secrets"]) == ("127.0.0.1", ["token", "url"])
    assert (made.doc["name"], made.doc["severity"], made.doc["quiet_hours"], made.doc["digest"]) == (
        "gotify",
        "warning",
        None,
        True,
    )
    assert phone.get(path) == made.doc == phone.get("/alerts")["items"][0]
    changed = phone.ask("PATCH", path, {"severity": "critical", "quiet_hours": "22:00-07:00"})
    assert changed.doc == {**made.doc, "severity": "critical", "quiet_hours": "22:00-07:00"}
    assert phone.ask("PATCH", path, {"quiet_hours": None}).doc["quiet_hours"] is None
    assert phone.ask("POST", f"{path}/test").doc == {"sent": True}
    assert server.posted[0].headers["x-gotify-key"] == "sentinel-token"
    status = phone.get("/sync/status")["alerts"]
    assert [channel["id"] for channel in status["channels"]] == [made.doc["id"]]
    assert "sentinel" not in json.dumps([made.doc, changed.doc, status])
    assert phone.ask("DELETE", path).status == 204
    assert phone.ask("GET", path).code == "not-found"


def test_a_test_message_that_is_refused_says_why(phone: Caller, server: AlertServer) -> None:
    """A problem with the service's status in its code, and no address."""
    server.status = 401
    path = phone.ask("POST", "/alerts", {"kind": "webhook", "url": f"{server.url}/sentinel"}).headers["Location"]

    problem = phone.ask("POST", f"{path}/test")

    assert (problem.status, problem.code) == (422, "http-401")
    assert "sentinel" not in problem.text


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"kind": "email", "address": "rosa@example.com"}, 409, "no-mail", None),
        ({"kind": "slack"}, 422, "bad-field", "url"),
        ({"kind": "slack", "url": "https://hooks.example/x", "topic": "a"}, 422, "unknown-field", "topic"),
        ({"kind": "webhook", "url": "https://hooks.example/x", "quiet_hours": "night"}, 422, "bad-field", "quiet_hours"),
        ({"kind": "webhook", "url": "ftp://hooks.example/x"}, 422, "bad-url", None),
    ],
)
def test_what_is_wrong_is_refused(phone: Caller, body: dict[str, str], status: int, code: str, field: str | None) -> None:
    """E-mail that nobody sends says which parameter of the stack changes that; nothing is stored."""
    problem = phone.ask("POST", "/alerts", body)

    assert (problem.status, problem.code) == (status, code)
    assert field is None or field == problem.doc["errors"][0]["field"]
    assert code != "no-mail" or problem.doc["parameter"] == "MailFrom"
    assert phone.get("/alerts")["items"] == []


def test_only_an_admin_changes_channels_and_only_the_tenants_own(phone: Caller, server: AlertServer) -> None:
    """A viewer sees them without secrets; another tenant has none."""
    path = phone.ask("POST", "/alerts", {"kind": "webhook", "url": server.url}).headers["Location"]
    other, operator = phone.as_(tenant=OTHER), phone.as_("operator")

    assert len(phone.as_("viewer").get("/alerts")["items"]) == 1
    for method, where in (("POST", "/alerts"), ("PATCH", path), ("DELETE", path), ("POST", f"{path}/test")):
        body = (
            None
            if method == "DELETE" or where.endswith("test")
            else {"kind": "webhook", "url": server.url}
            if method == "POST"
            else {}
        )
        assert operator.ask(method, where, body).status == 403
    assert other.get("/alerts")["items"] == []
    for method, where in (("GET", path), ("PATCH", path), ("DELETE", path), ("POST", f"{path}/test")):
        assert other.ask(method, where, {} if method == "PATCH" else None).status == 404
    assert server.posted == []
