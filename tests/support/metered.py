"""A host's stack on moto's AWS, and what each thing that happens there takes: units of the table, requests, log bytes.

The functions are the real ones, warm as Lambda keeps them, with one engine for all; feeds, webhooks and alerts go to servers
on loopback. ``docs/cost.md`` is computed from what is counted here.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from bokit.config import Settings
from bokit.core.model.access import Role, hash_token
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.events import EventType, NewEvent, fill_outbox
from bokit.core.model.readers import Reader, next_check
from bokit.observability import ROOT
from bokit.store.dynamo.store import DynamoStore
from bokit.store.limits import MAX_RECENT_BATCHES
from bokit.store.protocols import ReadersChange
from bokit.wiring import build_engine, open_access, open_tickets
from tests.support.alert_server import AlertServer
from tests.support.aws_rules.watch import WATCH, Sent
from tests.support.caller import Caller, an_event, by_token
from tests.support.lambda_events import LambdaContext, load_event
from tests.support.policed import FUNCTIONS, PolicedCloud
from tests.support.resolved import REGION
from tests.support.scripted_server import ScriptedServer, ok
from tests.support.table_units import TableUnits
from tests.support.terminal import a_feed
from tests.support.terminal import an_event as a_stay

SHARDS = (6, 100)
"""Sources of the shards whose batches are counted: of three flats, and a full one."""
PLATFORMS = ("airbnb", "booking_com")
SERVICES = {
    "SyncFunction": "sync",
    "SyncBatchFunction": "sync_batch",
    "SyncSqlFunction": "sync_sql",
    "ApiSyncFunction": "api_sync",
}
"""The name in the log of a function, where it is not the name in the template in small letters."""
POLLED = ("ReceiveMessage", "DeleteMessage")
"""What Lambda's pollers ask of a queue, here asked by a test."""
LONG = LambdaContext(
    function_name="bokit-SyncBatchFunction-0123456789AB",
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:bokit-SyncBatchFunction-0123456789AB",
    aws_request_id="00000000-0000-4000-8000-000000000000",
)
"""Names as long as an account's: every line of a log has them."""


@dataclass
class Use:
    """What something takes."""

    writes: float = 0
    """Units of the table."""
    reads: float = 0
    sent: Counter[str] = field(default_factory=Counter)
    """Requests to other services than the table, by service."""
    calls: Counter[str] = field(default_factory=Counter)
    """Invocations by function."""
    log_bytes: int = 0
    """What the functions log, beside Lambda's own lines."""
    events: int = 0
    """Events of the tenant's log."""

    def __sub__(self, other: Use) -> Use:
        """Return what this takes more than *other*."""
        sent, calls = Counter(self.sent), Counter(self.calls)
        sent.subtract(other.sent)
        calls.subtract(other.calls)
        return Use(
            self.writes - other.writes,
            self.reads - other.reads,
            sent,
            calls,
            self.log_bytes - other.log_bytes,
            self.events - other.events,
        )


class MeteredStack:
    """A flat with two feeds, whose calendar is published for both platforms."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud = cloud = PolicedCloud(monkeypatch)
        self.clock, self.calls, self.log_bytes = cloud.clock, Counter[str](), 0
        variables: dict[str, str] = {}
        for function in ("DeliverFunction", "NotifyFunction", "ApiFunction"):
            variables |= {name: str(value) for name, value in cloud.stack.variables(function).items()}
        changed = {"AWS_REGION": REGION, "BOKIT_ALLOW_PRIVATE_ADDRESSES": "true", "BOKIT_CONCURRENCY": "1"}
        settings = Settings.from_env(variables | changed)
        self.bokit = build_engine(settings, clock=self.clock)
        store = self.bokit.store
        assert isinstance(store, DynamoStore)
        self.store, self.units = store, TableUnits(store)
        for name, module in FUNCTIONS.items():
            if name != "AuthorizeFunction":
                cloud.replace(module, "engine", self.bokit)
        authorize = FUNCTIONS["AuthorizeFunction"]
        cloud.replace(authorize, "access", open_access(settings, store=store, clock=self.clock))
        cloud.replace(authorize, "tickets", open_tickets(settings, store=store, clock=self.clock))
        self.stays = dict.fromkeys(PLATFORMS, 20)
        self.feeds = ScriptedServer(self.answer_feed)
        self.caller = Caller(self.bokit)
        self.declare()

    def answer_feed(self, sock: Any, head: bytes) -> bool:
        """Show a platform's stays, ten nights apart; with the ETag of the same stays: 304."""
        platform = head.split(b" ")[1].decode().strip("/").partition("/")[0]
        first, count = 1 + PLATFORMS.index(platform), self.stays[platform]
        etag = f'"{count}"'
        if f"if-none-match: {etag}".encode() in head.lower():
            sock.sendall(ok(b"", f"ETag: {etag}", status="304 Not Modified"))
            return True
        day = self.clock().date() + timedelta(days=20)
        days = [day.replace(day=1) + timedelta(days=30 + 10 * n + 4 * first) for n in range(count)]
        stays = [a_stay(n + 50 * first, d.isoformat(), (d + timedelta(days=3)).isoformat()) for n, d in enumerate(days)]
        sock.sendall(ok(a_feed(*stays), f"ETag: {etag}"))
        return True

    def declare(self) -> None:
        """Add what a host has, and let it come to rest."""
        house = self.caller.post("/properties", {"name": "Villa Rosa", "timezone": "Europe/Rome"})["id"]
        self.flat = self.caller.post("/units", {"name": "Garden flat", "property_id": house})["id"]
        for platform in PLATFORMS:
            given = {"name": f"{platform} of the garden flat", "unit_id": self.flat, "platform": platform}
            self.caller.post("/sources", {**given, "url": self.feeds.url(f"/{platform}/calendar.ics")})
            self.calendar = self.caller.post(f"/units/{self.flat}/calendars", {"for": platform})
        for _ in range(2):
            self.pass_hour()

    # ── what happens by itself ──

    def pass_hour(self) -> None:
        """Let the schedule come, and all be done that it starts."""
        self.clock.move(minutes=61)
        self.tick()
        self.work()
        self.wake()
        self.send()

    def tick(self) -> None:
        self.invoke("SyncFunction", load_event("sync/schedule.json"))

    def work(self) -> None:
        self.invoke_all("SyncBatchFunction", self.cloud.take("SyncQueue"))

    def send(self) -> None:
        self.invoke_all("DeliverFunction", self.cloud.take("DeliverQueue"))

    def wake(self) -> None:
        """Let the stream wake the event log's function, once for each item that waits in the outbox."""
        pages = self.cloud.client("dynamodb").get_paginator("scan").paginate(TableName=self.store.table_name)
        waiting = [item["pk"] for page in pages for item in page["Items"] if item["pk"]["S"].startswith("OUT#")]
        for key in waiting:
            event = load_event("notify/stream.json")
            event["Records"][0]["dynamodb"]["Keys"]["pk"] = key
            self.invoke("NotifyFunction", event)

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Call a function as Lambda does; what it writes to its log is counted."""
        root, service = logging.getLogger(ROOT), logging.getLogger(self.service_of(function))
        handlers, lines, before = service.handlers, io.StringIO(), (root.handlers, root.level)
        root.handlers, streams = list(handlers), [handler.setStream(lines) for handler in handlers]  # type: ignore[attr-defined]
        root.setLevel(service.level)  # a command that ran in this process before may have left another
        try:
            with contextlib.redirect_stdout(lines):
                answer = FUNCTIONS[function].lambda_handler(event, LONG)
                for thread in threading.enumerate():
                    if thread.name == "traffic":
                        thread.join()
        finally:
            root.handlers = before[0]
            root.setLevel(before[1])
            for handler, stream in zip(handlers, streams, strict=True):
                handler.setStream(stream)  # type: ignore[attr-defined]
        self.log_bytes += len(lines.getvalue().encode())
        self.calls[function] += 1
        return answer

    def invoke_all(self, function: str, bodies: list[str]) -> None:
        """Call a function with each message."""
        (record,) = load_event("deliver/turn.json")["Records"]
        for number, body in enumerate(bodies):
            answer = self.invoke(function, {"Records": [{**record, "messageId": f"m{number}", "body": body}]})
            assert answer == {"batchItemFailures": []}, body

    @staticmethod
    def service_of(function: str) -> str:
        return SERVICES.get(function, function.removesuffix("Function").lower())

    # ── counting ──

    @contextmanager
    def counting(self) -> Iterator[Use]:
        """Count what happens meanwhile."""
        use, asked = Use(), list[Sent]()
        self.calls, self.log_bytes, last = Counter(), 0, self.store.load_last_seq(DEFAULT_TENANT)
        self.units.take()
        with WATCH.listening(asked.append):
            yield use
        taken, use.events = self.units.take(), self.store.load_last_seq(DEFAULT_TENANT) - last
        use.writes, use.reads, use.log_bytes, use.calls = taken.writes, taken.reads, self.log_bytes, Counter(self.calls)
        use.sent.update(each.service for each in asked if each.service != "dynamodb" and each.operation not in POLLED)


# ---- what is counted


def play(stack: MeteredStack, server: AlertServer) -> dict[str, Use]:
    """Let each thing happen once, and return what it took."""
    return {
        **play_schedule(stack),
        **play_requests(stack),
        **play_page(stack),
        **play_webhook(stack, server),
        **play_alerts(stack),
        **play_shards(stack),
    }


def play_schedule(stack: MeteredStack) -> dict[str, Use]:
    """A tick with nothing to do, a batch without a change, and what one new booking takes beside it."""
    stack.clock.move(minutes=1)
    with stack.counting() as tick:
        stack.tick()
    batch = count_batch(stack, tick)
    stack.stays[PLATFORMS[0]] += 1
    return {"tick": tick, "change": count_batch(stack, tick) - batch}


def count_batch(stack: MeteredStack, tick: Use) -> Use:
    """Return what the sources of a shard take beside a tick without any, to the last event."""
    stack.clock.move(minutes=61)
    with stack.counting() as use:
        stack.tick()
        stack.work()
        stack.wake()
    return use - tick


def play_requests(stack: MeteredStack) -> dict[str, Use]:
    """A read of a calendar by a platform whose rhythm is known, one of none that there is, and a request of the API."""
    path = stack.calendar["url"].removeprefix("https://").partition("/")[2]
    store, digest = stack.bokit.store, hash_token(path.rpartition("/")[2].removesuffix(".ics"))
    page = store.find_published(digest)
    assert page is not None
    usual = (Reader(kind="airbnb", read_at=stack.clock(), gaps=(86_400,) * 3),)
    store.touch_published(digest, stack.clock(), ReadersChange(before=page.readers, after=usual, due_at=next_check(usual)))
    stack.clock.move(minutes=20)
    with stack.counting() as poll:
        read = an_event("GET", f"/{path}", headers={"user-agent": "Airbnb/1.0"})
        assert stack.invoke("PublicFunction", read)["statusCode"] == 200
    with stack.counting() as guess:
        assert stack.invoke("PublicFunction", an_event("GET", "/feeds/" + 43 * "x" + ".ics"))["statusCode"] == 404
    _, text = stack.bokit.access.create(DEFAULT_TENANT, Role.VIEWER)
    event = load_event("authorize/token.json")
    event["headers"]["authorization"] = f"Bearer {text}"
    with stack.counting() as request:
        assert stack.invoke("AuthorizeFunction", event)["isAuthorized"]
        asked = an_event("GET", "/bookings", query={"unit_id": stack.flat}, authorizer=by_token())
        assert stack.invoke("ApiFunction", asked)["statusCode"] == 200
    return {"poll": poll, "guess": guess, "request": request}


def play_page(stack: MeteredStack) -> dict[str, Use]:
    """A page that is opened, its ping, and an event that is posted to it; it closes at its end."""
    token, _ = stack.bokit.access.create(DEFAULT_TENANT, Role.VIEWER)
    with stack.counting() as alone:
        happen(stack)
    with stack.counting() as opened:
        ticket = stack.invoke(
            "ApiSyncFunction", an_event("POST", "/sync/ticket", authorizer=by_token("default", "viewer", token.id))
        )
        event = load_event("authorize/ticket.json")
        event["queryStringParameters"]["ticket"] = json.loads(ticket["body"])["url"].partition("ticket=")[2]
        claims = stack.invoke("AuthorizeFunction", event)["context"]
        say(stack, "connect", claims)
    with stack.counting() as ping:
        say(stack, "ping", claims)
    with stack.counting() as posted:
        happen(stack)
    with stack.counting() as left:
        say(stack, "disconnect", claims)
    return {"page": add(opened, left), "ping": ping, "event at a page": posted - alone}


def say(stack: MeteredStack, event: str, claims: dict[str, Any]) -> None:
    """Call the WebSocket's function as the gateway does for a client."""
    payload = load_event(f"live/{event}.json")
    payload["requestContext"] |= {"connectionId": "c1=", "authorizer": claims}
    assert stack.invoke("LiveFunction", payload)["statusCode"] == 200


def happen(stack: MeteredStack, kind: EventType = EventType.RECORD_CHANGED, **data: Any) -> None:
    """Let something happen, and the stream wake who numbers it."""
    stack.clock.move(seconds=1)
    event = NewEvent(type=kind, data=data or {"id": "r1", "unit_id": stack.flat})
    for item in fill_outbox(DEFAULT_TENANT, stack.clock(), [event]):
        stack.store.put_outbox(item)
    stack.wake()


def add(one: Use, other: Use) -> Use:
    """Return what both take."""
    return one - (Use() - other)


def play_webhook(stack: MeteredStack, server: AlertServer) -> dict[str, Use]:
    """An event that a webhook is sent."""
    with stack.counting() as alone:
        happen(stack)
    stack.caller.post("/webhooks", {"url": f"{server.url}/hook"})
    stack.pass_hour()
    posted = len(server.accepted)
    with stack.counting() as use:
        happen(stack)
        stack.send()
    assert len(server.accepted) == posted + 1
    (hook,) = stack.caller.get("/webhooks")["items"]
    assert stack.caller.ask("DELETE", f"/webhooks/{hook['id']}").status == 204
    return {"delivery": use - alone}


def play_alerts(stack: MeteredStack) -> dict[str, Use]:
    """A channel that looks at the log, as it does each hour, and one that sends a mail."""
    source = stack.caller.get("/sources")["items"][0]["id"]
    failing = {"source_id": source, "code": "http-500"}
    with stack.counting() as alone:
        happen(stack, EventType.SOURCE_FAILING, **failing)
    channel = stack.caller.post("/alerts", {"kind": "email", "address": "rosa@example.com", "name": "mail"})["id"]
    stack.pass_hour()
    with stack.counting() as mail:
        happen(stack, EventType.SOURCE_FAILING, **failing)
        stack.send()
    stack.clock.move(minutes=61)
    with stack.counting() as look:
        assert stack.bokit.alert_delivery.run_due().count == 1  # as the tick does
        stack.send()
    assert stack.caller.ask("DELETE", f"/alerts/{channel}").status == 204
    return {"look": look, "mail": mail - alone}


def play_shards(stack: MeteredStack) -> dict[str, Use]:
    """A batch of a shard, without a change, beside the tick that starts it."""
    uses = {}
    for size in SHARDS:
        fill_shard(stack, size)
        stack.pass_hour()
        fill_shard(stack, size)
        stack.clock.move(minutes=1)
        with stack.counting() as tick:
            stack.tick()
        uses[f"batch of {size}"] = count_batch(stack, tick)
    return uses


def fill_shard(stack: MeteredStack, size: int) -> None:
    """Fill the one shard with sources like its first: their heads, and their lines in its state; and its list of batches."""
    client, table = stack.store.client, stack.store.table_name
    (source, *_) = stack.store.load_sources(DEFAULT_TENANT)
    asked = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": f"SHARD#{source.shard_id}"}}}
    items = client.query(TableName=table, **asked)["Items"]
    (state,) = [item for item in items if item["sk"]["S"] == "STATE"]
    (head,) = [item for item in items if item["sk"]["S"].endswith(source.id)]
    for number in range(size - len(items) + 1):
        other = f"src_{base64.b32encode(hashlib.sha256(f'{size} {number}'.encode()).digest()).decode()[:16].lower()}"
        state["beats"]["M"][other] = state["beats"]["M"][source.id]
        copied = {name: {kind: text.replace(source.id, other)} for name, value in head.items() for kind, text in value.items()}
        client.put_item(TableName=table, Item=copied)
    longest = max((state[name] for name in state if name.startswith("recent_")), key=lambda value: len(value["B"]))
    client.put_item(TableName=table, Item=state | {f"recent_{slot}": longest for slot in range(MAX_RECENT_BATCHES)})
    (shard,) = stack.store.load_shards([source.shard_id])
    assert len(shard.schedules) == size
