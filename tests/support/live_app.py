"""The WebSocket as the gateway serves it: a ticket over HTTP, the authorizer, then the function, with its sockets in memory."""

from __future__ import annotations

import copy
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bokit.config import Settings
from bokit.core.model.access import Role, TokenId
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.connections import ConnectionId
from bokit.core.model.events import EventType, NewEvent, fill_outbox
from bokit.core.model.records import TenantId
from bokit.errors import LaterError
from bokit.wiring import open_tickets
from functions.authorize import app as authorize
from functions.live import app as live
from tests.support.caller import ApiApp, Caller, by_token
from tests.support.lambda_events import LambdaContext, load_event


class LiveApp(ApiApp):
    """An API with a WebSocket; every request goes the way that it goes on AWS."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, store: Any = None) -> None:
        super().__init__(monkeypatch, store)
        tickets = open_tickets(
            Settings(table_name="none", live_url="wss://live.example/live"), store=self.store, clock=self.clock
        )
        monkeypatch.setattr(authorize, "tickets", lambda: tickets)
        monkeypatch.setattr(live, "engine", lambda: self.bokit)
        self.opened = 0

    def sign_in(self, role: Role = Role.VIEWER, tenant: TenantId = DEFAULT_TENANT, **given: Any) -> Caller:
        """Return a caller with a token of its own."""
        token, _ = self.bokit.access.create(tenant, role, **given)
        return Caller(self.bokit, by_token(tenant, str(role), token.id))

    def ticket_of(self, caller: Caller) -> str:
        """Return a new ticket."""
        url = caller.post("/sync/ticket", status=200)["url"]
        assert url.startswith("wss://live.example/live?ticket=")
        return parse_qs(urlsplit(url).query)["ticket"][0]

    def admit(self, ticket: Any) -> dict[str, Any] | None:
        """Ask the authorizer; return the context that the gateway carries on, None where it is refused."""
        event = load_event("authorize/ticket.json")
        event["queryStringParameters"] = {"ticket": ticket}
        answer = authorize.lambda_handler(event, LambdaContext())
        (statement,) = answer["policyDocument"]["Statement"]
        assert statement["Resource"] == event["methodArn"]
        return {**answer["context"], "principalId": answer["principalId"]} if statement["Effect"] == "Allow" else None

    def connect(self, caller: Caller) -> Socket:
        """Open a socket."""
        claims = self.admit(self.ticket_of(caller))
        assert claims
        socket = self.open(claims)
        assert socket.status == 200
        return socket

    def open(self, claims: dict[str, Any]) -> Socket:
        """Let the gateway open a socket for who was admitted."""
        self.opened += 1
        return Socket(self, ConnectionId(f"c{self.opened}="), claims)

    def happen(self, count: int = 1, tenant: TenantId = DEFAULT_TENANT, **data: Any) -> None:
        """Let something happen, and be numbered."""
        for n in range(count):
            self.move(microseconds=1)
            event = NewEvent(type=EventType.RECORD_CHANGED, data={"id": f"r{n}", **data})
            (item,) = fill_outbox(tenant, self.clock(), [event])
            self.store.put_outbox(item)
        self.bokit.events.drain().check()

    def revoke(self, caller: Caller) -> None:
        """Revoke a caller's token."""
        self.bokit.access.revoke(caller.authorizer["lambda"]["tenant"], TokenId(caller.authorizer["lambda"]["id"]))


class Socket:
    """One connection, as its client sees it."""

    def __init__(self, app: LiveApp, connection_id: ConnectionId, claims: dict[str, Any]) -> None:
        self.app, self.id, self.claims = app, connection_id, claims
        self.status = self.send_event("connect")["statusCode"]

    def send_event(self, name: str, **given: Any) -> dict[str, Any]:
        event = copy.deepcopy(load_event(f"live/{name}.json")) | given
        event["requestContext"] |= {"connectionId": self.id, "authorizer": self.claims}
        return live.lambda_handler(event, LambdaContext())

    def say(self, message: Any) -> list[Any]:
        """Send a message, and return what comes now."""
        body = message if isinstance(message, str) else json.dumps(message)
        assert self.send_event("unknown", body=body) == {"statusCode": 200}
        return self.read()

    def resume(self, since: int) -> list[Any]:
        return self.say({"action": "resume", "since": since})

    def read(self) -> list[Any]:
        """Return what came since the last look."""
        return self.app.sockets.posted.pop(self.id, [])

    @property
    def is_closed(self) -> bool:
        return self.id in self.app.sockets.closed


class FailingSockets:
    """Sockets of which some do not answer: each call for them raises, before or after it is done."""

    def __init__(self, inner: Any, failing: set[str]) -> None:
        self.inner, self.failing = inner, failing

    def prepare(self) -> None:
        pass

    def post(self, connection_id: ConnectionId, text: str) -> bool:
        self.check(connection_id)
        return self.inner.post(connection_id, text)

    def close(self, connection_id: ConnectionId) -> None:
        self.check(connection_id)
        self.inner.close(connection_id)

    def check(self, connection_id: ConnectionId) -> None:
        if connection_id in self.failing:
            raise LaterError("it does not answer", code="connection")
