"""The deployed stack at work: schedule, queue, worker, dead letters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bokit.core.model.catalog import BOOKINGS, DEFAULT_TENANT
from bokit.core.model.records import RunId, SourceId
from bokit.core.model.runs import Trigger
from bokit.engine.runs.messages import BatchMessage
from tests.support.builders import a_name
from tests.support.deployed import Deployed, add_source, load_shard, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.slow]

VISIBILITY = "6"
"""Seconds: the template's twelve minutes are for feeds that hang."""


def claimed_message(deployed: Deployed, feed_url: str) -> BatchMessage:
    """Return a batch of one source that nothing but this message will sync."""
    source = add_source(deployed, feed_url, due_at=datetime.now(UTC) + timedelta(days=1))
    holder, now = RunId(a_name("run")), datetime.now(UTC)
    shard = load_shard(deployed, source.shard_id)
    claimed = deployed.store.claim_shard(shard, holder=holder, now=now, until=now + timedelta(minutes=15))
    assert claimed
    return BatchMessage(
        run_id=holder,
        trigger=Trigger.QUEUE,
        shard_id=shard.id,
        fence=claimed.fence,
        source_ids=(source.id,),
        options={DEFAULT_TENANT: {"install.complete": True}},
        defaults={"sync.interval": 3600},
    )


def has_succeeded(deployed: Deployed, message: BatchMessage) -> bool:
    """Return whether every source of a batch was synced well."""
    schedules = load_shard(deployed, message.shard_id).schedules
    return all(schedules[source_id].succeeded_at for source_id in message.source_ids)


def triggers_of(deployed: Deployed, source_id: SourceId) -> set[Trigger]:
    """Return what triggered the runs that have a result of a source; a run is stored after its records."""
    runs = deployed.store.load_runs(DEFAULT_TENANT).items
    return {run.trigger for run in runs if source_id in {result.source_id for result in run.sources}}


def send(deployed: Deployed, bodies: list[str]) -> None:
    """Put messages into the queue, in one request."""
    entries = [{"Id": str(at), "MessageBody": body} for at, body in enumerate(bodies)]
    answer = deployed.client("sqs").send_message_batch(QueueUrl=deployed.outputs["QueueUrl"], Entries=entries)
    assert len(answer["Successful"]) == len(bodies)


def test_the_schedule_syncs_a_source_by_itself(deployed, feed_url):
    """A source that is due is synced by the deployed rule, tick, queue and worker alone."""
    source = add_source(deployed, feed_url, due_at=datetime.now(UTC))

    wait_until(lambda: Trigger.SCHEDULE in triggers_of(deployed, source.id), 180)

    assert len(deployed.store.load_records(DEFAULT_TENANT, BOOKINGS, source.scope)) == 1


def test_a_poison_message_costs_itself_alone(deployed, feed_url):
    """Of four messages the one that is not a batch ends in the dead letters; the others sync their sources."""
    queue, dead = deployed.outputs["QueueUrl"], deployed.outputs["SyncDeadLettersUrl"]
    deployed.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": VISIBILITY})
    good = [claimed_message(deployed, feed_url) for _ in range(3)]
    bodies = [message.to_json() for message in good]

    send(deployed, [*bodies[:2], "no batch", bodies[2]])
    wait_until(lambda: deployed.count("SyncDeadLettersUrl"), 120)
    wait_until(lambda: deployed.count("QueueUrl") == 0, 60)
    letters = deployed.client("sqs").receive_message(QueueUrl=dead, MaxNumberOfMessages=10)["Messages"]

    assert [letter["Body"] for letter in letters] == ["no batch"]
    assert all(has_succeeded(deployed, message) for message in good)


def test_the_table_tidies_by_ttl(deployed):
    """Expired items leave the table by the attribute that the template names."""
    answer = deployed.client("dynamodb").describe_time_to_live(TableName=deployed.outputs["TableName"])

    assert answer["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
