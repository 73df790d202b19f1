"""The authorizer, on its payload: a valid token passes with its tenant and role, and nothing else ever does."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO

import pytest

from bokit.config import Settings
from bokit.core.model.access import Role
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.records import TenantId
from bokit.errors import StoreUnreachableError
from bokit.observability import ROOT, configure_lambda
from bokit.store.memory.store import MemoryStore
from bokit.wiring import open_access
from functions.authorize import app as authorize
from tests.support.builders import NAUGHTY_STRINGS, NOW, a_tenant
from tests.support.lambda_events import LambdaContext, load_event
from tests.support.rows_app import ManualClock

DENIED = {"isAuthorized": False}
BERTA = TenantId("berta")


class Gate:
    """The handler on a store in memory, as the gateway calls it."""

    def __init__(self) -> None:
        self.clock, self.store = ManualClock(NOW), MemoryStore()
        self.store.save_tenant(a_tenant(id=BERTA))
        self.tokens = open_access(Settings(table_name="none"), store=self.store, clock=self.clock)

    def ask(self, **headers: object) -> dict[str, object]:
        event = copy.deepcopy(load_event("authorize/token.json"))
        event["headers"] = {n: v for n, v in event["headers"].items() if n != "authorization"} | headers
        return self.send(event)

    def send(self, event: object) -> dict[str, object]:
        return authorize.lambda_handler(event, LambdaContext())


@pytest.fixture
def gate(monkeypatch) -> Gate:
    made = Gate()
    monkeypatch.setattr(authorize, "access", lambda: made.tokens)
    return made


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """What the function's log says, all of it."""
    configured = configure_lambda("authorize", "DEBUG")
    handlers = {*configured.handlers, *authorize.logger.handlers, *logging.getLogger(ROOT).handlers}
    page = StringIO()
    before = {handler: handler.setStream(page) for handler in handlers}
    yield page
    for handler, stream in before.items():
        handler.setStream(stream)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("tenant", [DEFAULT_TENANT, BERTA])
def test_a_valid_token_passes_with_its_tenant_and_role(gate, tenant, role):
    """The context is what the functions go by: strings alone, and no hash or token among them."""
    token, text = gate.tokens.create(tenant, role, "ci")

    answer = gate.ask(authorization=f"Bearer {text}")

    assert answer == {"isAuthorized": True, "context": {"tenant": tenant, "role": str(role), "id": token.id}}
    assert json.loads(json.dumps(answer)) == answer
    assert all(type(value) is str for value in answer["context"].values())


@pytest.mark.parametrize("name", ["authorization", "Authorization", "AUTHORIZATION"])
def test_the_header_is_found_in_any_case(gate, name):
    """As gateways and their stand-ins spell it."""
    _, text = gate.tokens.create(BERTA, Role.VIEWER)

    assert gate.ask(**{name: f"Bearer {text}"})["isAuthorized"] is True


def test_two_headers_are_none(gate):
    """A request that says two things is not believed either."""
    _, text = gate.tokens.create(BERTA, Role.VIEWER)

    assert gate.ask(authorization=f"Bearer {text}", Authorization=f"Bearer {text}") == DENIED
    assert gate.ask(authorization=f"Bearer {text},Bearer {text}") == DENIED


def test_the_example_of_the_events_folder_is_denied(gate):
    """Nobody has the token that is written there."""
    assert gate.send(load_event("authorize/token.json")) == DENIED


def test_a_token_in_another_place_is_none(gate):
    """Neither the query, nor a cookie, nor another header opens anything."""
    _, text = gate.tokens.create(BERTA, Role.ADMIN)
    event = load_event("authorize/token.json")
    del event["headers"]["authorization"]
    event |= {"rawQueryString": f"authorization=Bearer%20{text}", "queryStringParameters": {"authorization": f"Bearer {text}"}}
    event["cookies"] = [f"authorization={text}"]
    event["headers"] |= {"x-authorization": f"Bearer {text}", "proxy-authorization": f"Bearer {text}"}

    assert gate.send(event) == DENIED


@pytest.mark.parametrize("header", [*NAUGHTY_STRINGS, "Bearer", "Basic YTpi", None, 7, True, ["Bearer x"], {"a": 1}])
def test_any_other_header_is_denied(gate, header):
    """Whatever it is, and of whatever type."""
    assert gate.ask(authorization=header) == DENIED


@pytest.mark.parametrize("event", [{}, {"headers": None}, {"headers": []}, {"headers": {}}, {"headers": "Bearer x"}])
def test_an_event_without_headers_is_denied(gate, event):
    """Nothing that is missing lets anybody pass."""
    assert gate.send(event) == DENIED


def test_expired_and_revoked_tokens_are_denied(gate):
    """At the moment, and ever after."""
    _, expiring = gate.tokens.create(BERTA, Role.ADMIN, expires_in=timedelta(hours=1))
    token, revoked = gate.tokens.create(BERTA, Role.ADMIN)
    gate.tokens.revoke(BERTA, token.id)
    gate.clock.move(hours=1)

    assert gate.ask(authorization=f"Bearer {expiring}") == DENIED
    assert gate.ask(authorization=f"Bearer {revoked}") == DENIED


@pytest.mark.parametrize("error", [StoreUnreachableError("the table does not answer"), RuntimeError("unforeseen")])
def test_a_table_that_breaks_authorizes_nobody_and_is_not_a_denial(gate, monkeypatch, error):
    """It is raised: the gateway answers 500 and remembers nothing, where it would remember a denial."""

    def fail(_):
        raise error

    _, text = gate.tokens.create(BERTA, Role.ADMIN)
    monkeypatch.setattr(gate.store, "find_token", fail)

    with pytest.raises(type(error)):
        gate.ask(authorization=f"Bearer {text}")


def test_a_last_use_that_cannot_be_written_locks_nobody_out(gate, monkeypatch, logged):
    """The request passes; the log says so, without the token."""

    def fail(*_):
        raise StoreUnreachableError("the table does not answer")

    _, text = gate.tokens.create(BERTA, Role.ADMIN)
    monkeypatch.setattr(gate.store, "touch_token", fail)

    assert gate.ask(authorization=f"Bearer {text}")["isAuthorized"] is True
    assert "could not be noted" in logged.getvalue()
    assert text not in logged.getvalue()


def test_no_token_is_logged_even_where_events_are(gate, monkeypatch, logged):
    """The setting that makes Powertools log events is not for the one function that is handed tokens."""
    _, text = gate.tokens.create(BERTA, Role.ADMIN)
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")

    for header in (f"Bearer {text}", f"Bearer {text}x", f"Basic {text}"):
        gate.ask(authorization=header)

    authorize.logger.info("the end")
    assert "the end" in logged.getvalue()
    assert text not in logged.getvalue()


def test_the_token_service_is_opened_from_the_environment_once(monkeypatch):
    """At the first request, and not at import; the engine is not built."""
    monkeypatch.setenv("BOKIT_TABLE", "somewhere")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    authorize.access.cache_clear()

    assert authorize.access() is authorize.access()
    assert authorize.access().store.table_name == "somewhere"
    authorize.access.cache_clear()
