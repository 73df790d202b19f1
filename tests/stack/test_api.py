"""The HTTP API of the deployed stack, asked as curl would: gateway, authorizer, functions, queue and worker together."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bokit.core.model.access import Role
from bokit.core.model.catalog import Tenant
from bokit.core.model.records import TenantId
from bokit.values import replace
from tests.support.builders import a_name
from tests.support.deployed import Deployed, open_stack, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest.fixture
def no_schedule(deployed: Deployed) -> Iterator[None]:
    """The stack's schedule, off meanwhile."""
    scheduler = deployed.client("scheduler")
    (name,) = [s["Name"] for s in scheduler.list_schedules()["Schedules"]]
    schedule = scheduler.get_schedule(Name=name)
    kept = {key: schedule[key] for key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    scheduler.update_schedule(**kept, State="DISABLED")
    yield
    scheduler.update_schedule(**kept, State="ENABLED")


def tick(deployed: Deployed) -> Any:
    """Let the deployed tick run once, now."""
    answer = deployed.client("lambda").invoke(FunctionName=deployed.outputs["SyncFunctionName"], Payload=b"{}")
    return json.loads(answer["Payload"].read())


def test_a_run_is_triggered_and_followed_to_its_end(client, feed_url):
    """202 with a run at once; the queue's worker ends it; bookings, status and history show it."""
    source = client.furnish(feed_url)

    status, answer = client.ask("POST", "/sync/trigger", {"source_ids": [source]})
    run = client.follow(answer["run_id"])

    assert status == 202
    assert (run["trigger"], run["status"], run["counts"]["created"]) == ("manual", "succeeded", 1)
    assert [s["state"] for s in client.get("/sync/status")["sources"]] == ["ok"]
    assert client.get("/sync/history")["items"][0]["run_id"] == answer["run_id"]
    assert len(client.get("/bookings")["items"]) == 1


def test_the_dashboard_shows_the_stacks_own_resources(deployed):
    """It is there by its output's name; names of functions, queues and logs are filled in."""
    found = deployed.client("cloudwatch").get_dashboard(DashboardName=deployed.outputs["DashboardName"])
    widgets = json.loads(found["DashboardBody"])["widgets"]

    assert len(widgets) > 10
    assert deployed.outputs["SyncFunctionName"] in found["DashboardBody"]
    assert deployed.outputs["QueueUrl"].rpartition("/")[2] in found["DashboardBody"]
    assert "${" not in found["DashboardBody"]


def test_one_key_makes_one_run(client, feed_url):
    """The same Idempotency-Key gets the same run; with another body it is refused."""
    client.furnish(feed_url)
    key = {"Idempotency-Key": a_name("key")}

    first, second = (client.ask("POST", "/sync/trigger", {}, **key) for _ in range(2))

    assert first == second
    assert client.ask("POST", "/sync/trigger", {"force": True}, **key)[0] == 422
    client.follow(first[1]["run_id"])
    assert len(client.runs("manual")) == 1


@pytest.mark.parametrize("path", ["/sync/status", "/units", "/nothing", "/openapi.json", "/page"])
def test_nobody_gets_in_without_a_token(client, path):
    """401 without one, and no success with one that was never made: the gateway asks before any function does."""
    stranger = dataclasses.replace(client, token=None)

    assert stranger.ask("GET", path)[0] == 401
    assert dataclasses.replace(client, token="bokit_" + "x" * 43).ask("GET", path)[0] in (401, 403)
    assert dataclasses.replace(client, token="nonsense").ask("GET", path)[0] in (401, 403)


def test_health_is_anybodys(client):
    """No token is asked for."""
    assert dataclasses.replace(client, token=None).ask("GET", "/health") == (200, {**client.get("/health"), "status": "ok"})


def test_a_viewer_looks_and_does_not_touch(client):
    """403 on a trigger with a viewer's token, as a problem document; 200 on status."""
    viewer = client.as_(Role.VIEWER)

    status, answer = viewer.ask("POST", "/sync/trigger", {})

    assert (status, answer["code"]) == (403, "forbidden")
    assert viewer.ask("GET", "/sync/status")[0] == 200


def test_a_tenant_sees_nothing_of_another(client, deployed, feed_url):
    """Another tenant's source and run are not there, under any of its own tokens."""
    source = client.furnish(feed_url)
    run = client.ask("POST", "/sync/trigger", {})[1]["run_id"]
    other = TenantId(a_name("tenant"))
    stack = open_stack(deployed)
    stack.store.save_tenant(Tenant(id=other, name=other, created_at=datetime.now(UTC)))
    stranger = dataclasses.replace(client, tenant=other, token=stack.access.create(other, Role.ADMIN)[1])

    assert [stranger.ask("GET", path)[0] for path in (f"/sources/{source}", f"/sync/history/{run}")] == [404, 404]
    assert stranger.ask("POST", "/sync/trigger", {"source_ids": [source]})[0] == 404
    assert stranger.get("/sources")["items"] == stranger.get("/sync/history")["items"] == []
    client.follow(run)


def test_a_monitor_makes_its_runs_and_ends(client, deployed, feed_url, no_schedule):
    """Two runs asked for, two runs made by the tick, each with the trigger `monitor`; a second monitor is refused meanwhile."""
    client.furnish(feed_url)
    store = open_stack(deployed).store

    assert client.ask("POST", "/sync/start", {"interval": 60, "max_runs": 2})[0] == 201
    assert client.ask("POST", "/sync/start", {"interval": 60})[0] == 409
    for number in (1, 2):
        assert tick(deployed)["monitors"] == 1
        wait_until(lambda n=number: len([r for r in client.runs("monitor") if r["status"] == "succeeded"]) == n, 60)
        if standing := store.load_monitors([client.tenant]).get(client.tenant):
            store.save_monitor(replace(standing, next_at=datetime.now(UTC)))  # a minute is over, as far as it knows
    tick(deployed)

    assert len(client.runs("monitor")) == 2
    assert client.get("/sync/status")["monitor"] is None


def test_a_monitor_is_stopped_at_once(client, deployed, feed_url, no_schedule):
    """Stopped, it makes no run, however often the tick comes; a second stop changes nothing."""
    client.furnish(feed_url)
    client.ask("POST", "/sync/start", {"interval": 60})

    assert client.ask("POST", "/sync/stop")[1]["stopped"] is True
    assert tick(deployed)["monitors"] == 0
    assert client.ask("POST", "/sync/stop")[1]["stopped"] is False
    assert client.runs("monitor") == []


def test_a_visitor_wakes_what_the_schedule_left(client, deployed, feed_url, no_schedule):
    """With the schedule off, a hundred requests start one overdue sync, with the trigger `traffic`."""
    source = client.furnish(feed_url)
    store = open_stack(deployed).store
    shard = store.load_source(client.tenant, source).shard_id
    (standing,) = store.load_shards([shard])
    store.save_source_schedule(
        shard, source, replace(standing.schedules[source], due_at=datetime.now(UTC) - timedelta(minutes=10))
    )

    with ThreadPoolExecutor(max_workers=4) as pool:
        answers = list(pool.map(lambda _: client.ask("GET", "/units")[0], range(100)))
    wait_until(lambda: [r for r in client.runs("traffic") if r["status"] == "succeeded"], 60)

    assert set(answers) == {200}
    assert len(client.runs("traffic")) == 1


def test_a_revoked_token_opens_nothing_within_a_minute(client):
    """The gateway forgets what the authorizer said in time; other tokens of the tenant go on."""
    spare = client.as_(Role.VIEWER)
    assert spare.ask("GET", "/units")[0] == 200
    (item_id,) = [t["id"] for t in client.get("/tokens")["items"] if t["role"] == "viewer"]

    assert client.ask("DELETE", f"/tokens/{item_id}")[0] == 200
    wait_until(lambda: spare.ask("GET", "/units")[0] in (401, 403), 60)

    assert client.ask("GET", "/units")[0] == 200
