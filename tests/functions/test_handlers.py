"""The handlers, on the payloads of the events folder and the memory store."""

from __future__ import annotations

import json
import socket
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bokit.config import Settings
from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT, ShardId, Source, Tenant
from bokit.core.model.events import EventType, NewEvent, fill_outbox
from bokit.core.model.records import CollectionName, Scope, SourceId
from bokit.core.model.runs import OpenRun, RunStatus
from bokit.core.model.scheduling import Head, SourceSchedule
from bokit.engine.app import Bokit
from bokit.engine.live.alert_delivery import write_place
from bokit.engine.live.dispatch import TurnMessage
from bokit.engine.live.events import EventLog
from bokit.engine.runs.messages import BatchMessage, RunMessage, read_message
from bokit.errors import StoreConflictError, StoreUnreachableError
from bokit.outlets.memory import MemoryQueue
from bokit.store.memory.store import MemoryStore
from bokit.values import replace
from bokit.wiring import build_engine
from functions.deliver import app as deliver
from functions.notify import app as notify
from functions.sync import app as sync
from functions.sync_batch import app as sync_batch
from functions.sync_sql import app as sync_sql
from tests.support.alert_server import serve_alerts
from tests.support.builders import a_property, a_run, a_source, a_unit
from tests.support.lambda_events import EVENTS, LambdaContext, load_event
from tests.support.scripted_server import ScriptedServer, ok
from tests.support.sql_app import SqliteFile

SETTINGS = Settings(table_name="none", allow_private_addresses=True)
NOW = datetime.now(UTC)
CLOSED = "http://127.0.0.1:9/closed.ics"


@pytest.fixture
def queue() -> MemoryQueue:
    """Keeps what the tick sends."""
    return MemoryQueue()


@pytest.fixture
def bokit(monkeypatch: pytest.MonkeyPatch, queue: MemoryQueue) -> Bokit:
    """The product as the handlers wire it, on the memory store."""
    made = build_engine(SETTINGS, store=MemoryStore(), queue=queue)
    monkeypatch.setattr(sync, "engine", lambda: made)
    monkeypatch.setattr(notify, "engine", lambda: made)
    monkeypatch.setattr(deliver, "engine", lambda: made)
    monkeypatch.setattr(sync_batch, "engine", lambda: made)
    monkeypatch.setattr(sync_sql, "engine", lambda: made)
    return made


def add_source(bokit: Bokit, url: str, *, late: timedelta = timedelta(0)) -> Source:
    """Write the source that the payloads name, due since *late*."""
    store = bokit.store
    store.save_tenant(Tenant(id=DEFAULT_TENANT, name="Tests", created_at=NOW))
    store.save_option(DEFAULT_TENANT, "install.complete", True)
    house = store.save_property(a_property(version=0))
    unit = store.save_unit(a_unit(property_id=house.id, version=0))
    shard = store.pick_shard(1)
    source = a_source(id=SourceId("src_example"), url=url, scope=unit.id, shard_id=shard, version=0)
    schedule = SourceSchedule(tenant=DEFAULT_TENANT, due_at=NOW - late, interval=timedelta(hours=1))
    return store.save_source(Head(source=source), schedule)


def claim_for(bokit: Bokit, event: dict[str, Any]) -> BatchMessage:
    """Claim the shard that a payload's first message names, as its tick did."""
    message = read_message(event["Records"][0]["body"])
    assert isinstance(message, BatchMessage)
    (shard,) = bokit.store.load_shards([ShardId(message.shard_id)])
    claimed = bokit.store.claim_shard(shard, holder=message.run_id, now=NOW, until=NOW + timedelta(minutes=15))
    assert claimed
    assert claimed.fence == message.fence
    return message


def read_metrics(output: str) -> list[dict[str, Any]]:
    """Return the metrics that a function printed for CloudWatch."""
    return [json.loads(line) for line in output.splitlines() if '"_aws"' in line]


def test_the_tick_sends_what_is_due(bokit, queue):
    """The schedule's event makes one message that names the source."""
    source = add_source(bokit, CLOSED)

    answer = sync.lambda_handler(load_event("sync/schedule.json"), LambdaContext())

    (message,) = [read_message(body) for body in queue.bodies]
    assert message.source_ids == (source.id,)
    assert (answer["sources"], answer["sent"]) == (1, 1)


def test_a_second_tick_sends_nothing_more(bokit, queue):
    """What one tick claimed, the next one leaves alone."""
    add_source(bokit, CLOSED)

    for _ in range(2):
        sync.lambda_handler(load_event("sync/schedule.json"), LambdaContext())

    assert len(queue.bodies) == 1


def test_the_tick_reports_how_late_the_latest_is(bokit, capsys):
    """A source two of its intervals late puts out 2, and what has passed since, as OverdueIntervals: the alarm goes by it."""
    add_source(bokit, CLOSED, late=timedelta(hours=2))

    sync.lambda_handler(load_event("sync/schedule.json"), LambdaContext())

    (metric,) = read_metrics(capsys.readouterr().out)
    (late,) = metric["OverdueIntervals"]
    assert 2 <= late < 24
    assert metric["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Bokit"
    assert metric["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]


def test_a_tick_with_nothing_to_do_still_reports(bokit, capsys):
    """Without any source the metric is 0, since no metric at all is an alarm."""
    sync.lambda_handler(load_event("sync/schedule.json"), LambdaContext())

    assert [m["OverdueIntervals"] for m in read_metrics(capsys.readouterr().out)] == [[0.0]]


def test_the_stream_numbers_what_happened(bokit):
    """The log has the tenant's events; the same record a second time adds nothing."""
    add_source(bokit, CLOSED)
    bokit.catalog.add_property(DEFAULT_TENANT, {"name": "Villa"})

    answers = [notify.lambda_handler(load_event("notify/stream.json"), LambdaContext()) for _ in range(2)]

    assert answers == [{"items": n, "events": n, "conflicts": 0, "notices": 0, "failed": False} for n in (1, 0)]
    assert [item["type"] for item in bokit.events.read(DEFAULT_TENANT, 0)["items"]] == ["catalog.changed"]


def test_what_cannot_be_numbered_fails_the_function(bokit, monkeypatch):
    """The stream delivers it once more, the alarm goes off, and the schedule tries again."""
    bokit.catalog.add_property(DEFAULT_TENANT, {"name": "Villa"})

    def refuse(*args: Any, **given: Any) -> None:
        raise StoreConflictError("busy", code="store-busy")

    monkeypatch.setattr(bokit.store, "number_events", refuse)
    with pytest.raises(StoreConflictError):
        notify.lambda_handler(load_event("notify/stream.json"), LambdaContext())


def test_a_turn_of_a_webhook_that_is_not_there_is_done(bokit):
    """As that of one that was removed; a message that says nothing comes again, alone."""
    event = load_event("deliver/turn.json")
    assert deliver.lambda_handler(event, LambdaContext()) == {"batchItemFailures": []}
    (record,) = event["Records"]
    event["Records"] = [record, {**record, "messageId": "m2", "body": "nothing"}]

    assert deliver.lambda_handler(event, LambdaContext()) == {"batchItemFailures": [{"itemIdentifier": "m2"}]}


def test_a_turn_of_an_alert_channel_sends_what_waits(bokit):
    """By the function that sends to webhooks; that of a channel that was removed is done."""
    event = load_event("deliver/alert.json")
    assert deliver.lambda_handler(event, LambdaContext()) == {"batchItemFailures": []}
    with serve_alerts() as server:
        channel = bokit.alerts.add(DEFAULT_TENANT, {"kind": "webhook", "url": server.url})
        (item,) = fill_outbox(DEFAULT_TENANT, NOW, [NewEvent(type=EventType.WEBHOOK_DISABLED, data={"name": "a"})])
        bokit.store.put_outbox(item)
        EventLog(bokit.store, bokit.clock).drain()
        event["Records"][0]["body"] = write_place((DEFAULT_TENANT, channel.id))

        assert deliver.lambda_handler(event, LambdaContext()) == {"batchItemFailures": []}

        assert server.titles() == ["A webhook was switched off"]


def test_a_slow_receiver_delays_no_other_of_its_batch(bokit):
    """It answers only once the other one got its event: their turns are taken at the same time."""
    has_come = threading.Event()

    def answer(sock: socket.socket, head: bytes, *, waits: bool) -> bool:
        sock.recv(10_000)
        if waits:
            assert has_come.wait(10)
        has_come.set()
        sock.sendall(ok(b"", status="204 No Content"))
        return False

    servers = [ScriptedServer(partial(answer, waits=waits)) for waits in (True, False)]
    hooks = [bokit.webhooks.add(DEFAULT_TENANT, {"url": server.url("/hook")}) for server in servers]
    bokit.catalog.add_property(DEFAULT_TENANT, {"name": "Villa"})
    bokit.dispatcher.run = lambda message: None  # the queue's messages are ours
    bokit.events.drain().check()
    event = load_event("deliver/turn.json")
    (record,) = event["Records"]
    bodies = [TurnMessage(tenant=DEFAULT_TENANT, webhook_id=hook.id).to_json() for hook in hooks]
    event["Records"] = [{**record, "messageId": f"m{n}", "body": body} for n, body in enumerate(bodies)]

    assert deliver.lambda_handler(event, LambdaContext()) == {"batchItemFailures": []}

    found = [bokit.webhooks.list_deliveries(DEFAULT_TENANT, hook.id).items for hook in hooks]
    assert [[(str(each.state), each.attempts) for each in items] for items in found] == 2 * [[("delivered", 1)]]
    for server in servers:
        server.stop()


def test_a_message_syncs_its_source(bokit, feed_url):
    """The worker stores what the feed shows, and has nothing delivered again."""
    source = add_source(bokit, feed_url)
    event = load_event("sync_batch/batch.json")
    claim_for(bokit, event)

    answer = sync_batch.lambda_handler(event, LambdaContext())

    assert answer == {"batchItemFailures": []}
    assert len(bokit.store.load_records(DEFAULT_TENANT, BOOKINGS, source.scope)) == 1


def test_a_failing_source_does_not_fail_its_message(bokit):
    """A source that can't be reached is recorded and backs off; its message is done."""
    source = add_source(bokit, CLOSED)
    event = load_event("sync_batch/batch.json")
    claim_for(bokit, event)

    answer = sync_batch.lambda_handler(event, LambdaContext())

    (shard,) = bokit.store.load_shards([source.shard_id])
    assert answer == {"batchItemFailures": []}
    assert shard.schedules[source.id].failures == 1
    assert shard.schedules[source.id].due_at > NOW


def test_what_is_not_a_batch_is_delivered_again_alone(bokit, feed_url):
    """Of three messages the two that are no batches come again; the good one is done."""
    source = add_source(bokit, feed_url)
    event = load_event("sync_batch/poison.json")
    claim_for(bokit, event)

    answer = sync_batch.lambda_handler(event, LambdaContext())

    failed = [f["itemIdentifier"] for f in answer["batchItemFailures"]]
    assert failed == [record["messageId"] for record in event["Records"][1:]]
    assert len(bokit.store.load_records(DEFAULT_TENANT, BOOKINGS, source.scope)) == 1


def test_no_source_is_begun_without_time_to_end_it(bokit, feed_url):
    """A batch that comes with no time left leaves its source due, and is done."""
    source = add_source(bokit, feed_url)
    event = load_event("sync_batch/batch.json")
    claim_for(bokit, event)

    answer = sync_batch.lambda_handler(event, LambdaContext(milliseconds_left=1000))

    (shard,) = bokit.store.load_shards([source.shard_id])
    assert answer == {"batchItemFailures": []}
    assert shard.schedules[source.id].due_at <= NOW
    assert shard.schedules[source.id].attempted_at is None


def open_run(bokit: Bokit, event: dict[str, Any]) -> RunMessage:
    """Open the run that a payload's message names, as its trigger did."""
    message = read_message(event["Records"][0]["body"])
    assert isinstance(message, RunMessage)
    run = a_run(run_id=message.run_id, status=RunStatus.QUEUED, started_at=NOW, finished_at=None, sources=())
    opened = OpenRun(run=run, pending=frozenset(message.source_ids), overdue_at=NOW + timedelta(hours=1))
    bokit.store.open_run(opened, expires_at=NOW + timedelta(days=1), answered=None, now=NOW)
    return message


def test_a_message_of_an_open_run_syncs_its_source_and_ends_the_run(bokit, feed_url):
    """The worker takes both kinds of message; delivered once more, this one does nothing."""
    source = add_source(bokit, feed_url)
    event = load_event("sync_batch/run.json")
    message = open_run(bokit, event)

    answers = [sync_batch.lambda_handler(event, LambdaContext()) for _ in range(2)]

    run = bokit.store.load_run(DEFAULT_TENANT, message.run_id)
    assert answers == 2 * [{"batchItemFailures": []}]
    assert (run.status, run.counts["created"], len(run.sources)) == (RunStatus.SUCCEEDED, 1, 1)
    assert len(bokit.store.load_records(DEFAULT_TENANT, BOOKINGS, source.scope)) == 1


def test_a_message_of_an_open_run_without_time_comes_again(bokit, queue, feed_url):
    """What was not begun goes back to the queue as a message of its own, the next of its chain, and the run stays open."""
    add_source(bokit, feed_url)
    event = load_event("sync_batch/run.json")
    message = open_run(bokit, event)

    answer = sync_batch.lambda_handler(event, LambdaContext(milliseconds_left=1000))

    assert answer == {"batchItemFailures": []}
    assert [read_message(body) for body in queue.bodies] == [replace(message, hops=1)]
    assert bokit.store.find_open_run(DEFAULT_TENANT, message.run_id).pending == set(message.source_ids)


def test_the_tick_begins_the_runs_of_monitors(bokit, queue):
    """A monitor that is due sends a run, in place of the claim that the schedule would have made."""
    source = add_source(bokit, CLOSED)
    bokit.monitors.start(DEFAULT_TENANT, interval=60, by="token:tok_1")

    answer = sync.lambda_handler(load_event("sync/schedule.json"), LambdaContext())

    assert (answer["monitors"], answer["sent"]) == (1, 0)
    assert [read_message(body).source_ids for body in queue.bodies] == [(source.id,)]


def test_a_tick_of_which_a_part_failed_reports_how_late_the_latest_is_and_fails(bokit, monkeypatch, capsys):
    """The metric goes out, then the function fails, so both alarms are correct."""
    add_source(bokit, CLOSED, late=timedelta(hours=2))
    bokit.monitors.start(DEFAULT_TENANT, interval=60, by="token:tok_1")

    def fail(*args: object) -> None:
        raise StoreUnreachableError("the table does not answer")

    monkeypatch.setattr(bokit.store, "save_monitor", fail)

    with pytest.raises(StoreUnreachableError):
        sync.lambda_handler(load_event("sync/schedule.json"), LambdaContext())

    assert 1 < read_metrics(capsys.readouterr().out)[0]["OverdueIntervals"][0] < 24


@pytest.mark.parametrize("file", sorted(str(p.relative_to(EVENTS)) for p in EVENTS.rglob("*.json")))
def test_every_payload_is_for_a_function_that_there_is(file):
    """The events folder has a folder for each function, and nothing else."""
    assert isinstance(load_event(file), dict)
    assert (EVENTS.parent / "functions" / Path(file).parts[0] / "app.py").exists()


def test_the_worker_of_databases_syncs_the_one_that_a_message_names(bokit, tmp_path):
    """The payload's message brings the rows of its database's table into their collection."""
    file = SqliteFile(tmp_path)
    file.run("CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT)", "INSERT INTO clients VALUES (1, 'Zoë')")
    source = add_source(bokit, file.url)
    settings = {"tables": [{"table": "clients", "collection": "clients", "key": ["id"]}]}
    after = replace(
        source,
        kind="sql",
        shard_id=bokit.store.pick_shard(1, "sql"),
        id=SourceId("src_billing"),
        settings=settings,
        version=0,
        collection=CollectionName("clients"),
        scope=Scope("clients"),
    )
    bokit.store.save_source(Head(source=after), SourceSchedule(tenant=DEFAULT_TENANT, due_at=NOW, interval=timedelta(hours=1)))
    event = load_event("sync_sql/database.json")
    body = json.loads(event["Records"][0]["body"])
    event["Records"][0]["body"] = json.dumps({**body, "shard_id": after.shard_id})
    claim_for(bokit, event)

    answer = sync_sql.lambda_handler(event, LambdaContext(milliseconds_left=600_000))

    (record,) = bokit.store.load_records(DEFAULT_TENANT, CollectionName("clients"), Scope("clients"))
    assert answer == {"batchItemFailures": []}
    assert (record.key, record.fields["name"]) == ("1", "Zoë")


def test_a_message_that_is_none_fails_alone_at_the_databases_worker(bokit):
    """A poison message comes again, and then goes to the dead letters."""
    event = load_event("sync_sql/database.json")
    event["Records"][0]["body"] = "no batch"

    answer = sync_sql.lambda_handler(event, LambdaContext())

    assert [f["itemIdentifier"] for f in answer["batchItemFailures"]] == [event["Records"][0]["messageId"]]
