"""What IAM would say to every call of every function: all are allowed, and what is allowed is called. No emulator asks it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from moto import mock_aws

from bokit.core.model.access import Role
from bokit.core.model.catalog import DEFAULT_TENANT, Source
from bokit.core.model.records import CollectionName, Scope, SourceId
from bokit.core.model.scheduling import Head, SourceSchedule
from tests.support.alert_server import AlertServer, serve_alerts
from tests.support.caller import Caller, by_token
from tests.support.iam import Need, Policies, allows, unused_of
from tests.support.policed import FUNCTIONS, PolicedCloud
from tests.support.sql_app import CLIENTS, SqliteFile
from tests.support.transformed import as_list

IN_SECRETS = ("secret:{}", "secret:ssm:{}")


@pytest.fixture(scope="module")
def cloud(feed_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PolicedCloud]:
    """An account in which every function has done what it does beside the table."""
    with pytest.MonkeyPatch.context() as monkeypatch, mock_aws(), serve_alerts() as server:
        for name in [n for n in os.environ if n.startswith("AWS_ENDPOINT")]:
            monkeypatch.delenv(name)
        made = PolicedCloud(monkeypatch)
        file = SqliteFile(tmp_path_factory.mktemp("sql"))
        file.run("CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT)")
        for name, value in (("feed", feed_url), ("hook", f"{server.url}/hook"), ("database", file.url)):
            made.keep_secret(name, value)
        play(made, server)
        yield made


def play(cloud: PolicedCloud, server: AlertServer) -> None:
    """Let a host's weeks pass, so that each function makes each of its calls."""
    sources = declare(cloud, server)
    token = connect(cloud)
    with cloud.acting("ApiSyncFunction") as engine:
        assert Caller(engine).post("/sync/trigger", {"dry_run": True}, status=200)
    tick_and_work(cloud, sources)
    notify_and_deliver(cloud, server)
    leave_to_the_tick(cloud)
    ask_when_overdue(cloud)
    revoke(cloud, token)


def declare(cloud: PolicedCloud, server: AlertServer) -> list[str]:
    """Declare sources with addresses in secrets, a calendar, a webhook and alert channels; try each."""
    with cloud.acting("ApiFunction") as engine:
        caller = Caller(engine)
        house = caller.post("/properties", {"name": "Villa"})["id"]
        units = [caller.post("/units", {"name": name, "property_id": house})["id"] for name in ("a", "b")]
        sources = [
            caller.post("/sources", {"name": unit, "unit_id": unit, "url": form.format("feed")})["id"]
            for unit, form in zip(units, IN_SECRETS, strict=True)
        ]
        for source in sources:
            assert caller.ask("POST", f"/sources/{source}/test").status == 200
        caller.post(f"/units/{units[0]}/calendars", {"for": "airbnb"})
        caller.post("/webhooks", {"url": f"{server.url}/webhook"})
        channels = [{"kind": "webhook", "url": form.format("hook")} for form in IN_SECRETS]
        for channel in (*channels, {"kind": "email", "address": "rosa@example.com"}):
            made = caller.post("/alerts", {**channel, "name": channel["kind"]})
            assert caller.ask("POST", f"/alerts/{made['id']}/test").doc == {"sent": True}
    return sources


def connect(cloud: PolicedCloud) -> Any:
    """Open a socket by a ticket, say what clients say, and return the token that it is of."""
    with cloud.acting("ApiFunction") as engine:
        token, text = engine.access.create(DEFAULT_TENANT, Role.VIEWER)
    cloud.call("AuthorizeFunction", "authorize/token.json", lambda event: event["headers"].update(authorization=f"Bearer {text}"))
    with cloud.acting("ApiSyncFunction") as engine:
        url = Caller(engine, by_token(DEFAULT_TENANT, "viewer", token.id)).post("/sync/ticket", status=200)["url"]
    ticket = parse_qs(urlsplit(url).query)["ticket"][0]
    answer = cloud.call(
        "AuthorizeFunction", "authorize/ticket.json", lambda event: event["queryStringParameters"].update(ticket=ticket)
    )
    claims = {**answer["context"], "principalId": answer["principalId"]}
    for event in ("connect", "resume", "ping"):
        cloud.call(
            "LiveFunction",
            f"live/{event}.json",
            lambda payload: payload["requestContext"].update(connectionId="c1=", authorizer=claims),
        )
    # what was forgotten is closed when it speaks
    cloud.call(
        "LiveFunction", "live/ping.json", lambda payload: payload["requestContext"].update(connectionId="c2=", authorizer=claims)
    )
    return token


def tick_and_work(cloud: PolicedCloud, sources: list[str]) -> None:
    """Claim what is due, also of databases, and sync it; and let a run end in the middle, for want of time."""
    with cloud.acting("ApiFunction") as engine:
        add_databases(cloud, engine.store)
    assert cloud.call("SyncFunction", "sync/schedule.json")["sent"]
    assert cloud.serve("SyncBatchFunction", "SyncQueue")
    assert cloud.serve("SyncSqlFunction", "SqlQueue") == len(IN_SECRETS)
    with cloud.acting("ApiSyncFunction") as engine:
        Caller(engine).post("/sync/trigger", {"force": True}, status=202)
    assert cloud.serve("SyncBatchFunction", "SyncQueue", milliseconds=0)
    assert cloud.serve("SyncSqlFunction", "SqlQueue", milliseconds=0)
    assert len(sources) == len(IN_SECRETS)


def add_databases(cloud: PolicedCloud, store: Any) -> None:
    """Add two databases, whose addresses are in secrets of two services."""
    for number, form in enumerate(IN_SECRETS):
        name, hour = CollectionName(CLIENTS["collection"]), timedelta(hours=1)
        source = Source(
            id=SourceId(f"src_sql{number}"), tenant=DEFAULT_TENANT, name=f"d{number}", kind="sql", url=form.format("database"),
            collection=name, scope=Scope(name), settings={"tables": [CLIENTS], "collections": {}}, interval=hour,
            shard_id=store.pick_shard(1, "sql"),
        )  # fmt: skip
        store.save_source(Head(source=source), SourceSchedule(tenant=DEFAULT_TENANT, due_at=cloud.clock(), interval=hour))


def notify_and_deliver(cloud: PolicedCloud, server: AlertServer) -> None:
    """Number what happened, post and publish it, and send it on: at first to nobody who takes it."""
    cloud.happen("a")
    assert cloud.call("NotifyFunction", "notify/stream.json")["notices"]
    server.status = 500
    assert cloud.serve("DeliverFunction", "DeliverQueue")
    server.status = 200
    with cloud.acting("ApiFunction") as engine:
        caller = Caller(engine)
        (hook,) = caller.get("/webhooks")["items"]
        delivery = caller.get(f"/webhooks/{hook['id']}/deliveries")["items"][0]
        assert caller.ask("POST", f"/webhooks/{hook['id']}/deliveries/{delivery['event_id']}/redeliver").status == 202


def leave_to_the_tick(cloud: PolicedCloud) -> None:
    """Let the stream wake nobody: the schedule numbers, posts, publishes and wakes; and it closes what has reached its end."""
    cloud.happen("b")
    cloud.clock.move(minutes=2)
    cloud.call("SyncFunction", "sync/schedule.json")
    cloud.clock.move(hours=3)
    cloud.call("SyncFunction", "sync/schedule.json")
    for queue in ("SyncQueue", "DeliverQueue"):
        cloud.take(queue)


def ask_when_overdue(cloud: PolicedCloud) -> None:
    """Let the schedule stop: a request for something else has what is overdue sent."""
    for function, path in (("ApiFunction", "/units"), ("ApiSyncFunction", "/sync/status"), ("PublicFunction", "/health")):
        cloud.clock.move(hours=9)
        with cloud.acting(function) as engine:
            Caller(engine).ask("GET", path)
        assert cloud.take("SyncQueue"), function


def revoke(cloud: PolicedCloud, token: Any) -> None:
    """Revoke the token of an open socket."""
    connect(cloud)
    with cloud.acting("ApiFunction") as engine:
        caller = Caller(engine)
        for each in caller.get("/tokens")["items"]:
            caller.ask("DELETE", f"/tokens/{each['id']}")


def beside_the_table(statements: list[Any]) -> list[Any]:
    """Return the statements on other services; test_permissions.py has what each function asks of the table."""
    return [s for s in statements if not as_list(s["Action"])[0].startswith("dynamodb:")]


@pytest.fixture(scope="module")
def stacks(cloud: PolicedCloud) -> dict[str, Policies]:
    """The policies of a stack as it comes, of one with a key of the owner's, and of one on a table that is there."""
    table = cloud.stack.name_of("Table")
    stream = f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}/stream/2026-11-29T00:00:00.000"
    changed: dict[str, dict[str, str]] = {
        "usual": {},
        "key": {"KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/own"},
        "table": {"ExistingTable": table, "ExistingTableStreamArn": stream, "ExistingCalendarKey": cloud.calendar_key},
    }
    return {name: Policies(cloud.resolve(**parameters)) for name, parameters in changed.items()}


each_stack = pytest.mark.parametrize("stack", ["usual", "key", "table"])
each_function = pytest.mark.parametrize("function", FUNCTIONS)


@each_stack
@each_function
def test_every_call_is_allowed(cloud, stacks, function, stack):
    """By the statements of its function's role, conditions too; of whatever service, and what that needs of the owner's key."""
    statements = stacks[stack].statements(f"{function}Role")
    needed = cloud.needs(function, stacks[stack])

    assert any(need.action.startswith("kms:") for need in needed) is (stack == "key")
    assert [need for need in needed if not allows(statements, need)] == []


@each_stack
@each_function
def test_what_is_allowed_beside_the_table_is_called(cloud, stacks, function, stack):
    """Each action and each resource of every statement; the pollers of queues and streams call some in the role's name."""
    statements = beside_the_table(stacks[stack].statements(f"{function}Role"))

    assert unused_of(statements, cloud.needs(function, stacks[stack])) == set()


@each_function
def test_another_stack_of_the_account_is_out_of_reach(cloud, stacks, function):
    """The same calls on resources of another name are denied, and mail from another sender."""
    statements = stacks["usual"].statements(f"{function}Role")
    others = [
        Need(
            need.action,
            need.resource.replace("bokit-", "other-").replace("bokit/bokit/", "bokit/other/").replace(":liveapi/", ":otherapi/"),
            {name: f"x{value}" for name, value in need.context.items()},
        )
        for need in cloud.needs(function, stacks["usual"])
        if need.resource != cloud.calendar_key
    ]

    assert others
    assert [need for need in others if allows(statements, need)] == []


@each_stack
def test_the_schedule_starts_its_function_and_keeps_what_did_not_start(stacks, stack):
    """It may do that, and nothing else but use the owner's key."""
    policies = stacks[stack]
    statements, needed = policies.statements("ScheduleRole"), policies.needs_of_schedules("ScheduleRole")

    assert len(needed) >= 2
    assert [need for need in needed if not allows(statements, need)] == []
    assert {sid for sid, _ in unused_of(statements, needed)} <= {"UseTheKey"}


@each_function
def test_no_client_waits_or_repeats_without_bound(cloud, function):
    """Every call of every client gives up a connection after 3 s and an answer after 10 s at the latest, and tries four times."""
    for sent in cloud.calls[function]:
        config = sent.config
        assert (config.connect_timeout, config.read_timeout) <= (3, 10), sent
        assert config.retries["mode"] == "standard", sent
        assert 1 <= config.retries["total_max_attempts"] <= 4, sent
