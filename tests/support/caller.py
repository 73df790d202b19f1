"""Calls the HTTP API as the gateway does: events go into the handlers, and every answer is held against the document."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import urlencode

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from bokit.core.bookings.rules import BookingRules
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, Tenant
from bokit.core.model.records import TenantId
from bokit.core.model.runs import Trigger
from bokit.engine.app import Bokit, EngineParts
from bokit.engine.runs.messages import read_message
from bokit.engine.sync.kinds import SourceKind
from bokit.http.openapi import build_document
from bokit.net.addresses import check_url
from bokit.outlets.memory import MemoryAlerts, MemoryConnections, MemoryQueue
from bokit.store.memory.store import MemoryStore
from bokit.store.protocols import Store
from bokit.wiring import make_booking_reconciler
from functions.api import app as api
from functions.api_sync import app as api_sync
from functions.public import app as public
from tests.support.alert_server import open_local_sender
from tests.support.lambda_events import LambdaContext
from tests.support.rows_app import ManualClock, Receivers
from tests.support.small_page import open_small_page
from tests.support.terminal import AUGUST, JULY, URL, Shelf, a_feed

OTHER = TenantId("other")
KEEP: Any = object()


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document, with objects that take nothing it does not name."""
    return close(build_document())


def close(schema: Any) -> Any:
    """Return *schema* with every object that lists its properties taking no others: an answer may say nothing unsaid."""
    if isinstance(schema, list):
        return [close(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: close(inner) for key, inner in schema.items()}
    if closed.get("type") in ("object", ["object", "null"]) and "properties" in closed:
        closed.setdefault("additionalProperties", False)
    return closed


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield every method and path with its operation."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def find_operation(method: str, path: str) -> dict[str, Any] | None:
    """Return what the document says of a request; static paths win."""
    found = [
        (template.count("{"), operation)
        for m, template, operation in operations()
        if m == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
    ]
    return min(found, key=lambda f: f[0])[1] if found else None


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def doc(self) -> Any:
        return json.loads(self.text) if self.text else None

    @property
    def code(self) -> str | None:
        return self.doc.get("code") if self.doc else None


def an_event(
    method: str,
    path: str,
    *,
    query: dict[str, Any] | None = None,
    body: str | None = None,
    encoded: bool = False,
    authorizer: Any = None,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Return an event of API Gateway's payload format 2.0."""
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": urlencode(query or {}, errors="surrogatepass"),
        "headers": {"host": "api.example", **(headers or {})},
        "isBase64Encoded": encoded,
        "requestContext": {
            "accountId": "1",
            "apiId": "a",
            "stage": "$default",
            "requestId": "r",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
        },
    }
    if query:
        event["queryStringParameters"] = {name: str(value) for name, value in query.items()}
    if body is not None:
        event["body"] = body
    if authorizer is not None:
        event["requestContext"]["authorizer"] = authorizer
    return event


def serve(event: dict[str, Any]) -> dict[str, Any]:
    """Give *event* to the function whose routes it is about, as the gateway does."""
    first = event["rawPath"].lstrip("/").partition("/")[0]
    app = next((app for app in (api_sync, public) if first in app.api.segments), api)
    return app.lambda_handler(event, LambdaContext())


def is_public(path: str) -> bool:
    """Return whether a path needs no token."""
    return path.lstrip("/").partition("/")[0] in public.api.segments


def by_token(tenant: str = DEFAULT_TENANT, role: str = "admin", caller_id: str = "tok_tests") -> dict[str, Any]:
    """Return what the Lambda authorizer returns."""
    return {"lambda": {"tenant": tenant, "role": role, "id": caller_id}}


@dataclass
class Caller:
    """Asks as one token of one tenant; what is answered is checked against the document."""

    bokit: Bokit
    authorizer: Any = field(default_factory=by_token)

    def ask(
        self, method: str, path: str, body: Any = None, *, raw: str | None = None, authorizer: Any = KEEP, **given: Any
    ) -> Answer:
        text = raw if raw is not None else None if body is None else json.dumps(body)
        who = self.authorizer if authorizer is KEEP else authorizer
        response = serve(an_event(method, path, body=text, authorizer=who, **given))
        is_bytes = response["isBase64Encoded"]
        headers = response["headers"]
        has_bytes = headers.get("Content-Type") == "image/png" or "Content-Encoding" in headers
        assert is_bytes is (has_bytes and method != "HEAD")
        answer = Answer(response["statusCode"], response["headers"], response["body"])
        check_answer(method, path, answer)
        return answer

    def get(self, path: str, **query: Any) -> Any:
        """Return the document at *path*."""
        answer = self.ask("GET", path, query={k.rstrip("_"): v for k, v in query.items()})
        assert answer.status == 200, answer
        return answer.doc

    def post(self, path: str, body: Any = None, *, status: int = 201) -> Any:
        """Return what a POST answers."""
        answer = self.ask("POST", path, body)
        assert answer.status == status, answer
        return answer.doc

    def as_(self, role: str = "admin", tenant: str = DEFAULT_TENANT) -> Caller:
        """Return a caller of another role or tenant."""
        return Caller(self.bokit, by_token(tenant, role))

    def every(self, path: str, limit: int = 2, **query: Any) -> list[Any]:
        """Return every item of a list, page by page."""
        items, cursor = [], None
        for _ in range(100):
            page = self.get(path, limit=limit, **query, **({"cursor": cursor} if cursor else {}))
            assert len(page["items"]) <= limit
            items += page["items"]
            cursor = page["cursor"]
            if cursor is None:
                return items
        raise AssertionError("the list does not end")


def check_answer(method: str, path: str, answer: Answer) -> None:
    """Hold an answer against the document: status, media type and shape; and what stands on every answer."""
    is_kept = is_public(path) and path != "/health" and answer.status in (200, 304)
    assert ("no-store" in answer.headers["Cache-Control"]) is not is_kept
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    media = answer.headers.get("Content-Type")
    if method == "HEAD":
        assert answer.text == ""
    elif answer.status >= 400:
        assert media == "application/problem+json"
        Draft202012Validator({**document(), "$ref": "#/components/schemas/Problem"}).validate(answer.doc)
        assert answer.doc["status"] == answer.status
    operation = find_operation(method, path)
    if operation is None:
        assert answer.status in (400, 401, 403, 404, 405), answer
        return
    declared = operation["responses"][str(answer.status)]
    if "$ref" in declared:
        declared = document()["components"]["responses"][declared["$ref"].rpartition("/")[2]]
    if not declared.get("content"):
        assert answer.text == ""
        return
    if media not in ("application/json", "application/problem+json"):
        assert str(media).partition(";")[0] in declared["content"]
        return
    schema = {"components": document()["components"], **declared["content"][media]["schema"]}
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(answer.doc)


def about(path: str, ids: dict[str, str]) -> str:
    """Return a path that names what is *ids*'."""
    if path.startswith("/collections/"):
        return path.replace("{name}", "hidden").replace("{id}", "one")
    kinds = {
        "properties": "property",
        "units": "unit",
        "sources": "source",
        "bookings": "booking",
        "tokens": "token",
        "calendars": "calendar",
        "conflicts": "conflict",
        "webhooks": "webhook",
        "alerts": "alert",
    }
    kind = kinds.get(path.split("/")[1], "run_id")
    return re.sub(r"\{\w+\}", ids[kind], path)


class ApiApp:
    """The product behind the handlers: memory store, feeds on a shelf, a clock that stands still, a queue that is kept."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, store: Store | None = None, kinds: Mapping[str, SourceKind] | None = None
    ) -> None:
        self.clock, self.store, self.shelf, self.queue = ManualClock(), store or MemoryStore(), Shelf(), MemoryQueue()
        self.alerts, self.deliver_queue, self.receivers = MemoryAlerts(), MemoryQueue(), Receivers()
        self.sockets = MemoryConnections()
        self.shelf.bodies[URL] = a_feed(JULY, AUGUST)
        bookings = SourceKind(fetcher=self.shelf, rules=BookingRules(), collection=BOOKINGS, reconciler=make_booking_reconciler)
        self.bokit = Bokit(
            EngineParts(
                store=self.store,
                kinds={"ical": bookings, **(kinds or {})},
                alerts=self.alerts,
                clock=self.clock,
                queue=self.queue,
                deliver_queue=self.deliver_queue,
                open_sender=lambda: self.receivers,
                check_url=check_url,
                stage="tests",
                api_url="https://api.example",
                calendar_key=lambda: "a secret of tests",
                open_alert_sender=open_local_sender,
                live_url="wss://live.example/live",
                open_sockets=lambda: self.sockets,
            )
        )
        self.store.save_tenant(Tenant(id=OTHER, name="Other", created_at=self.clock()))
        for module in (api, api_sync, public):
            monkeypatch.setattr(module, "engine", lambda: self.bokit)
        monkeypatch.setattr(public, "page", open_small_page)
        self.caller = Caller(self.bokit)

    def furnish(self, caller: Caller | None = None, url: str = URL) -> dict[str, str]:
        """Declare a property, a unit and a source for a caller's tenant; return their ids."""
        caller = caller or self.caller
        self.shelf.bodies.setdefault(url, a_feed(JULY, AUGUST))
        property_id = caller.post("/properties", {"name": "Villa Rosa", "timezone": "Europe/Rome"})["id"]
        unit = caller.post("/units", {"name": "Garden flat", "property_id": property_id})["id"]
        source = caller.post("/sources", {"name": "Airbnb", "unit_id": unit, "url": url})["id"]
        return {"property": property_id, "unit": unit, "source": source}

    def work(self) -> None:
        """Do what waits in the queue, once."""
        bodies, self.queue.bodies = self.queue.bodies, []
        for body in bodies:
            self.bokit.work(read_message(body))

    def sync(self) -> None:
        """Let the schedule come, and the work be done."""
        self.bokit.tick(Trigger.SCHEDULE)
        self.work()
        self.bokit.events.drain()

    def sent(self) -> int:
        """Return how many messages wait in the queue, after every traffic check has ended."""
        for thread in threading.enumerate():
            if thread.name == "traffic":
                thread.join()
        return len(self.queue.bodies)

    def move(self, **span: float) -> None:
        """Let time pass."""
        self.clock.at += timedelta(**span)
