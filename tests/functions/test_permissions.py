"""A function may do to the table what it does, and little else. The local cloud enforces no policy, so it is shown here.

``test_policies.py`` has what functions ask of other services.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from moto import mock_aws

from bokit.core.model.access import Role
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.runs import Trigger
from bokit.core.occupancy.out_calendar import CalendarChoice
from bokit.engine.runs.limits import OVERDUE_AFTER
from bokit.engine.runs.manual import SyncRequest
from bokit.engine.runs.messages import read_message
from bokit.errors import SourceUnavailableError
from bokit.outlets.memory import MemoryQueue
from bokit.sources.protocols import Fetched
from bokit.store.dynamo.create_table import create_table
from bokit.store.dynamo.gateway import PutItem
from bokit.store.dynamo.keys import part_key, snapshot_key
from bokit.store.dynamo.packing import cut_chunks
from bokit.store.dynamo.store import DynamoStore
from bokit.values import replace
from tests.support.alert_home import Home
from tests.support.alert_server import serve_alerts
from tests.support.apartment import AIRBNB, VRBO
from tests.support.aws_rules.watch import Sent
from tests.support.caller import ApiApp
from tests.support.door_app import DoorApp, calendar, stay
from tests.support.iam import Need, Policies, allows, unused_of
from tests.support.live_app import LiveApp
from tests.support.resolved import REGION, Resolved
from tests.support.rows_app import TestApp
from tests.support.sql_app import CLIENTS, SqlApp, SqliteFile
from tests.support.transformed import as_list
from tests.support.webhook_app import WebhookApp

GONE = SourceUnavailableError("no answer")
STACK = Resolved()
POLICIES = Policies(STACK)


class Requests:
    """The permissions that a store's requests need, as botocore's events report them."""

    def __init__(self, store: DynamoStore) -> None:
        self.needed: set[Need] = set()
        store.client.meta.events.register("provide-client-params.dynamodb.*", self.note)

    def note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        needed = POLICIES.needs_of_call(Sent("dynamodb", model.name, params))
        self.needed = self.needed | set(needed)  # a set of its own: others keep theirs

    @contextmanager
    def of_others(self) -> Iterator[None]:
        """Leave out what is asked meanwhile: another function asks it."""
        needed = self.needed
        yield
        self.needed = needed


@pytest.fixture
def store() -> Iterator[DynamoStore]:
    """A table on moto."""
    with pytest.MonkeyPatch.context() as monkeypatch, mock_aws():
        for name in [n for n in os.environ if n.startswith("AWS_ENDPOINT")]:
            monkeypatch.delenv(name)
        table = STACK.ref("Table")
        create_table(table, region=REGION)
        yield DynamoStore(table, region=REGION)


def check_role(function: str, needed: set[Need]) -> None:
    """Hold what a function asks of the table against its role, both ways: all is allowed, and what is allowed is asked.

    The pollers of the stream ask in the role's name, too.
    """
    statements = statements_on_the_table(function)
    asked = needed | set(POLICIES.needs_of_events(function))

    assert refused(function, needed) == set()
    assert unused_of(statements, asked) == set()


def refused(function: str, needed: set[Need]) -> set[Need]:
    """Return what a function's role does not allow."""
    return {need for need in needed if not allows(POLICIES.statements(f"{function}Role"), need)}


def statements_on_the_table(function: str) -> list[Any]:
    """Return what a function's role says of the table, its index and its stream."""
    return [s for s in POLICIES.statements(f"{function}Role") if as_list(s["Action"])[0].startswith("dynamodb:")]


def test_the_tick_may_do_what_it_does_and_nothing_else(store):
    """Claiming, carrying a monitor to its end and ending an overdue run takes exactly the permissions of the tick's role."""
    app = TestApp(queue=True, store=store)
    app.add_source("a", {"1": {"name": "x"}})
    app.bokit.queued_runs.trigger(SyncRequest(tenant=DEFAULT_TENANT, everything=True))
    requests = Requests(store)

    app.bokit.tick(Trigger.SCHEDULE)
    needed = requests.needed
    app.bokit.monitors.start(DEFAULT_TENANT, interval=60, max_runs=2, by="token:tok_1")
    requests.needed = needed
    begun = [app.bokit.tick(Trigger.SCHEDULE).monitors]
    app.clock.at += OVERDUE_AFTER + timedelta(minutes=1)
    reports = [app.bokit.tick(Trigger.SCHEDULE) for _ in range(2)]
    app.clock.move(minutes=1)
    begun += [r.monitors for r in (*reports, app.bokit.tick(Trigger.SCHEDULE))]

    assert ([r.closed for r in reports], begun, len(app.queue.bodies)) == ([2, 0], [1, 0, 0, 1], 4)
    with requests.of_others():
        host = host_of_old_guests(store)
    erased = host.bokit.bookings.retention.run_due()
    assert (erased.count, erased.error) == (1, None)
    check_role("SyncFunction", requests.needed)


def host_of_old_guests(store: DynamoStore) -> DoorApp:
    """Return a host with a guest of half a year ago, and with a part of the feed's snapshot that no run deleted."""
    host = DoorApp(store, guest_keep_days=10)
    source = host.add(calendar(stay("Q", 20, 24)))
    part = part_key(snapshot_key(source), "000000000000-x", 0)
    store._table.put(PutItem(key=part, attributes={"packed": b"x"}))
    host.clock.at = host.clock.at.replace(year=2027, month=6, day=1)
    return host


def test_the_event_log_may_do_what_it_does_and_nothing_else(store):
    """Numbering takes exactly its permissions of the table, beside those of the stream."""
    app = TestApp(store=store)
    app.bokit.catalog.add_property(DEFAULT_TENANT, {"name": "Villa"})
    requests = Requests(store)

    assert app.bokit.events.drain().items == 1

    check_role("NotifyFunction", requests.needed)


def test_the_senders_may_do_what_they_do_and_nothing_else(store):
    """Waking, sending, waiting, giving up and turning a webhook off take exactly the permissions of two functions."""
    app = WebhookApp(store)
    hook = app.add(details=True)
    app.happen("a", "b")
    requests = Requests(store)
    app.notify()
    check_role("NotifyFunction", requests.needed)

    requests.needed = set()
    for status in (500, 410):
        app.receivers.shelf[hook.url] = status
        app.deliver()
        app.clock.move(seconds=6)

    assert store.load_webhook(DEFAULT_TENANT, hook.id).disabled_reason
    check_role("DeliverFunction", requests.needed)


def test_the_functions_that_notify_of_events_may_serve_alert_channels(store):
    """Waking a channel, reading the log, a double booking's names, a digest, a refusal and a retry."""
    with serve_alerts() as server:
        home = Home(AIRBNB, VRBO, store=store)
        home.concurrency = 1  # moto is not atomic under threads
        home.bokit = home.open()
        home.notify(server, digest=True)
        home.book(AIRBNB, 30, 33)
        home.book(VRBO, 30, 34)
        home.sync()
        requests = Requests(store)
        home.bokit = home.open(deliver_queue=MemoryQueue())
        home.bokit.events.drain()
        assert refused("NotifyFunction", requests.needed) == set()

        requests.needed = set()
        home.bokit = home.open()
        server.status = 500
        home.wait(hours=25)
        server.status = 200
        home.wait(hours=1)

        assert {body["type"] for body in server.accepted} >= {"conflict.opened", "digest"}
        assert {need.resource for need in refused("DeliverFunction", requests.needed)} == {f"{STACK.arn_of('Table')}/index/due"}


def test_the_worker_may_do_what_it_does_and_nothing_else(store):
    """New, changed, missing, cancelled, unchanged, refused and failed content takes exactly the worker's permissions."""
    app = TestApp(queue=True, store=store)
    many = {str(n): {"name": random.Random(n).randbytes(4000).hex()} for n in range(120)}
    source = app.add_source("a", many)
    fewer = {"1": {"name": "y"}}
    requests = Requests(store)

    for answer in (many, many, {**many, **fewer}, fewer, fewer, GONE, Fetched(body=b"<html>"), fewer):
        app.show(source, answer)
        needed, requests.needed = requests.needed, set()
        app.bokit.tick(Trigger.SCHEDULE)
        requests.needed = needed
        for body in app.queue.bodies:
            app.bokit.run_batch(read_message(body))
        app.queue.bodies.clear()
        app.clock.move(hours=25)
    needed = requests.needed
    app.bokit.queued_runs.trigger(SyncRequest(tenant=DEFAULT_TENANT, everything=True))
    requests.needed = needed
    report = app.bokit.work(read_message(app.queue.bodies.pop()))

    assert report.as_dict() == {"sources": 1, "left": 0, "stale": False}
    check_role("SyncBatchFunction", requests.needed)


def test_the_worker_of_databases_may_do_what_it_does_and_nothing_else(store, tmp_path, monkeypatch):
    """New, changed, missing and unchanged rows, a half pass, forgotten chunks and failures take exactly its permissions."""
    monkeypatch.setattr("bokit.engine.tables.ranges.CHUNK_ROWS", 40)
    monkeypatch.setattr("bokit.store.dynamo.parts.cut_chunks", lambda packed: cut_chunks(packed, 300))  # as millions of rows do
    file = SqliteFile(tmp_path)
    file.run("CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT)")
    file.run("INSERT INTO clients VALUES (?, ?)", rows=[(n, random.Random(n).randbytes(2000).hex()) for n in range(120)])
    app = SqlApp(file.url, store, queue=True)
    app.add_source(CLIENTS, on_missing="delete")
    requests = Requests(store)

    for step in (
        "SELECT 1",
        "UPDATE clients SET name = 'x' WHERE id < 3",
        "DELETE FROM clients WHERE id BETWEEN 36 AND 84",
        "SELECT 1",
        "DROP TABLE clients",
        "SELECT 1",
    ):
        file.run(step)
        with requests.of_others():
            app.bokit.tick(Trigger.SCHEDULE)
        app.bokit.work(read_message(app.queue.bodies.pop()))
        app.clock.move(hours=25)
    with requests.of_others():
        app.bokit.queued_runs.trigger(SyncRequest(tenant=DEFAULT_TENANT, everything=True))
    app.bokit.work(read_message(app.queue.bodies.pop()))

    assert {str(r.presence) for r in app.records().values()} == {"present", "gone"}
    check_role("SyncSqlFunction", requests.needed)


def test_the_api_may_do_what_it_does_and_nothing_else(store, monkeypatch):
    """A host's life over HTTP takes exactly the permissions of the API's role."""
    app = ApiApp(monkeypatch, store)
    requests, caller = Requests(store), app.caller

    ids = app.furnish()
    with requests.of_others():
        app.sync()
    source, flat, villa = f"/sources/{ids['source']}", f"/units/{ids['unit']}", f"/properties/{ids['property']}"
    booking = f"/bookings/{caller.get('/bookings', unit_id=ids['unit'])['items'][0]['id']}"
    for method, path, body in (
        ("PATCH", villa, {"timezone": None}),
        ("PATCH", flat, {"timezone": "Europe/Rome"}),
        ("PATCH", source, {"interval": 900}),
        ("POST", f"{source}/pause", None),
        ("POST", f"{source}/resume", None),
        ("POST", f"{source}/test", None),
        ("POST", f"{source}/apply-held", None),
        ("POST", f"{source}/discard-held", None),
        ("PATCH", booking, {"notes": "x"}),
        ("POST", f"{booking}/accept-remote", {}),
        ("GET", f"{booking}/changes", None),
        ("PUT", "/options/sync.interval", {"value": 1800}),
        ("DELETE", "/options/sync.interval", None),
        ("PUT", "/options/access.codes", {"value": True}),
        ("GET", f"{booking}/access", None),
        ("PUT", f"{booking}/access", {"code": "4812"}),
        ("DELETE", f"{booking}/access", None),
        ("POST", "/guests/find", {"who": "nobody"}),
        ("POST", "/guests/export", {"booking": booking.rpartition("/")[2]}),
        ("GET", "/guests/receipts", None),
        ("POST", "/bookings", {"unit_id": ids["unit"], "check_in": "2026-07-11", "check_out": "2026-07-12"}),
        ("GET", "/conflicts", None),
        ("GET", "/turnovers", None),
        ("GET", "/occupancy", None),
        ("POST", f"{flat}/calendars", {"for": "airbnb"}),
        ("GET", f"{flat}/calendars", None),
        ("PUT", "/options/export.anonymous", {"value": False}),
        ("GET", "/options", None),
        ("GET", "/sources", None),
        ("GET", source, None),
        ("GET", "/tokens", None),
        ("GET", "/tokens/current", None),
    ):
        assert caller.ask(method, path, body).status < 500, path
    delete_records(app)
    calendar = f"/calendars/{caller.get(f'{flat}/calendars')['items'][0]['id']}"
    conflict = f"/conflicts/{caller.get('/conflicts')['items'][0]['id']}"
    for method, path in (("POST", f"{conflict}/acknowledge"), ("POST", f"{calendar}/rotate"), ("DELETE", calendar)):
        assert caller.ask(method, path).status < 400, path
    token = f"/tokens/{caller.post('/tokens', {'role': 'viewer'})['id']}"
    for method, path, body in (
        ("PATCH", token, {"name": "x"}),
        ("DELETE", token, None),
        ("DELETE", source, None),
        ("DELETE", flat, None),
        ("DELETE", villa, None),
    ):
        assert caller.ask(method, path, body).status < 500, path
    app.sent()
    resolve_large_hold(store, requests)

    check_role("ApiFunction", requests.needed)


def delete_records(app: ApiApp) -> None:
    """Push records, delete one, restore it, empty the collection, and remove it."""
    app.bokit.catalog.collections.declare(DEFAULT_TENANT, {"name": "team"})
    team, caller = "/collections/team", app.caller
    for n in range(3):
        assert caller.ask("PUT", f"{team}/records/{n}", {"n": n}).status == 200
    assert caller.get(f"{team}/records", since="2026-01-01T00:00:00Z")["items"]
    assert caller.ask("DELETE", f"{team}/records/1").status == 204
    assert caller.ask("POST", f"{team}/records/1/restore").status == 200
    for method, path in (("POST", f"{team}/empty"), ("DELETE", team)):
        plan = caller.ask(method, path).doc["plan"]
        assert caller.ask(method, path, query={"plan": plan}).status in (200, 204)


def resolve_large_hold(store: DynamoStore, requests: Requests) -> None:
    """Let a guard hold what an owner then settles, of a source whose agreed state takes many items."""
    with requests.of_others():
        app = TestApp(queue=True, store=store)
        source = app.add_source("large", {str(n): {"name": random.Random(n).randbytes(4000).hex()} for n in range(120)})
        app.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, source_ids=(source.id,)))
        app.show(source, Fetched(body=b"<html>"))
        app.clock.move(hours=2)
        app.bokit.sync(SyncRequest(tenant=DEFAULT_TENANT, source_ids=(source.id,)))
        assert app.bokit.records.find_hold(DEFAULT_TENANT, source.id)
    app.bokit.records.resolve_hold(DEFAULT_TENANT, source.id, plan_hash=None, apply=False, by="token:tok_1")
    assert app.bokit.records.find_hold(DEFAULT_TENANT, source.id) is None


def test_the_sync_api_may_do_what_it_does_and_nothing_else(store, monkeypatch):
    """Triggers, dry ones too, monitors, status and history take exactly the permissions of that API's role."""
    app = ApiApp(monkeypatch, store)
    requests, caller = Requests(store), app.caller
    with requests.of_others():
        app.furnish()

    run = caller.post("/sync/trigger", {"force": True}, status=202)["run_id"]
    for _ in range(2):
        assert caller.ask("POST", "/sync/trigger", {}, headers={"idempotency-key": "k"}).status == 202
    assert caller.ask("POST", "/sync/trigger", {"dry_run": True}, headers={"idempotency-key": "dry"}).status == 200
    caller.post("/sync/start", {"interval": 60, "max_runs": 2})
    caller.post("/sync/stop", {}, status=200)
    for path in ("/sync/status", "/sync/history", f"/sync/history/{run}", "/sync/websocket"):
        caller.get(path)
    assert caller.ask("POST", "/sync/ticket").code == "token-invalid"
    app.move(hours=9)
    caller.get("/sync/status")
    assert app.sent()

    check_role("ApiSyncFunction", requests.needed)


def test_the_public_may_do_what_it_does_and_nothing_else(store, monkeypatch):
    """A calendar is read, an old one and a first one published, an overdue sync woken: exactly the permissions of its role."""
    app = ApiApp(monkeypatch, store)
    requests, caller = Requests(store), app.caller
    with requests.of_others():
        ids = app.furnish()
        app.sync()
        choices = CalendarChoice(), CalendarChoice(consumer="vrbo")
        calendar, other = (app.bokit.calendars.open(DEFAULT_TENANT, ids["unit"], choice) for choice in choices)
        page = store.find_published(calendar.token_hash)
        store.save_published(replace(page, body=b"old", etag='"old"', refresh_at=app.clock()))
        store.delete_published(other.token_hash)
        app.sent()
    app.move(hours=9)

    caller.ask("GET", "/health", authorizer=None)
    assert app.sent()
    answer = caller.ask("GET", f"/feeds/{app.bokit.calendars.token_of(calendar)}.ics", authorizer=None)
    assert answer.headers["ETag"] == page.etag
    assert store.find_published(other.token_hash) is not None
    assert caller.ask("GET", "/feeds/none.ics", authorizer=None).status == 404
    app.sent()

    check_role("PublicFunction", requests.needed)


def test_the_socket_may_do_what_it_does_and_nothing_else(store, monkeypatch):
    """Connecting, resuming, a ping and leaving take exactly the permissions of the function's role."""
    app = LiveApp(monkeypatch, store)
    claims = app.admit(app.ticket_of(app.sign_in()))
    app.happen(2)
    requests = Requests(store)

    socket = app.open(claims)
    assert len(socket.resume(0)) == 3
    assert socket.say({"action": "ping"})
    socket.send_event("disconnect")

    check_role("LiveFunction", requests.needed)


def test_the_authorizer_may_do_what_it_does_and_nothing_else(store, monkeypatch):
    """A token is found and its use noted, a ticket is taken, with exactly the authorizer's permissions."""
    live = LiveApp(monkeypatch, store)
    ticket = live.ticket_of(live.sign_in())
    app = TestApp(store=store)
    _, text = app.bokit.access.create(DEFAULT_TENANT, Role.VIEWER)
    requests = Requests(store)

    assert app.bokit.access.authorize(f"Bearer {text}")
    assert app.bokit.access.authorize(f"Bearer {text[:-1]}{'a' if text[-1] != 'a' else 'b'}") is None
    assert live.admit(ticket)

    check_role("AuthorizeFunction", requests.needed)
