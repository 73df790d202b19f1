"""A stack that is deployed to a local cloud of the tests' own, and the ways to look into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep
from typing import Any

from bokit.config import Settings
from bokit.core.model.catalog import DEFAULT_TENANT, ShardId, Source, Tenant, UnitId
from bokit.core.model.records import Scope, SourceId
from bokit.core.model.scheduling import Head, Shard, SourceSchedule
from bokit.store.dynamo.store import DynamoStore
from bokit.wiring import build_engine
from local import cloud, gateway, stack
from local.place import REGION, Place
from tests.support.builders import a_name, a_property, a_source, a_unit
from tests.support.ports import free_port


def make_place(home: Path) -> Place:
    """Return a local cloud's place that shares nothing with the user's own."""
    return Place(home=home, port=free_port(), simulator_port=free_port())


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A running stack, and the ways to look into it."""

    place: Place
    outputs: dict[str, str]
    name: str = gateway.STACK

    def client(self, service: str) -> Any:
        """Return a client of one of its services."""
        return stack.connect(self.place, service)

    @property
    def api_url(self) -> str:
        """Where its HTTP API answers."""
        return gateway.api_url(self.place, self.name)

    @property
    def settings(self) -> Settings:
        """What a process beside the stack needs to know of it."""
        table = self.outputs["TableName"]
        return Settings(table_name=table, region=REGION, endpoint_url=self.place.endpoint_url, allow_private_addresses=True)

    @property
    def store(self) -> DynamoStore:
        """The stack's table."""
        return DynamoStore(self.outputs["TableName"], region=REGION, endpoint_url=self.place.endpoint_url)

    def count(self, queue: str) -> int:
        """Return how many messages wait in a queue."""
        url = self.outputs[queue]
        attributes = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"]) + int(attributes["ApproximateNumberOfMessagesNotVisible"])


def wait_until(is_so: Callable[[], Any], seconds: int) -> Any:
    """Return the first true answer; fails after so many seconds."""
    for _ in range(seconds * 2):
        if answer := is_so():
            return answer
        sleep(0.5)
    raise AssertionError("the condition was not met in time")


def open_stack(deployed: Deployed) -> Any:
    """Return Bokit on the stack's table."""
    return build_engine(deployed.settings)


def run_cloud(home: Path, built: Path) -> Iterator[Deployed]:
    """Start a cloud, deploy what was built, and stop it in the end."""
    place = make_place(home)
    try:
        cloud.start_emulator(place, lambda _: None)
        stack.deploy_stack(place, built)
        outputs = stack.load_outputs(place)
        assert outputs
        yield Deployed(place=place, outputs=dict(outputs))
    finally:
        cloud.down(place)


def add_source(deployed: Deployed, url: str, *, due_at: datetime | None) -> Source:
    """Write a source of a unit of its own, in a shard of its own, due at a time (None: never by itself)."""
    store = deployed.store
    store.save_tenant(Tenant(id=DEFAULT_TENANT, name="Tests", created_at=datetime.now(UTC)))
    store.save_option(DEFAULT_TENANT, "install.complete", True)
    house = store.save_property(a_property(id=a_name("prop"), version=0))
    unit = store.save_unit(a_unit(id=UnitId(a_name("unit")), property_id=house.id, version=0))
    shard = store.pick_shard(1)
    source = a_source(id=SourceId(a_name("src")), url=url, scope=Scope(unit.id), shard_id=shard, version=0)
    schedule = SourceSchedule(tenant=DEFAULT_TENANT, due_at=due_at, interval=timedelta(hours=1))
    return store.save_source(Head(source=source), schedule)


def load_shard(deployed: Deployed, shard_id: ShardId) -> Shard:
    """Return a shard as the table has it."""
    (shard,) = deployed.store.load_shards([shard_id])
    return shard
