"""The ten functions on moto's AWS, each wired by the variables that the template gives it, and every call of AWS recorded.

The table, the queues, the topic and the secrets have the names that the template's policies speak of.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import boto3
import pytest

from bokit.config import Settings
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.core.model.events import EventType, NewEvent, fill_outbox, notice_items
from bokit.core.model.notices import Notice
from bokit.store.dynamo.create_table import create_table
from bokit.wiring import build_engine, open_access, open_tickets
from functions.api import app as api
from functions.api_sync import app as api_sync
from functions.authorize import app as authorize
from functions.deliver import app as deliver
from functions.live import app as live
from functions.notify import app as notify
from functions.public import app as public
from functions.sync import app as sync
from functions.sync_batch import app as sync_batch
from functions.sync_sql import app as sync_sql
from tests.support.aws_rules.watch import WATCH, Sent
from tests.support.iam import Need, Policies
from tests.support.lambda_events import LambdaContext, load_event
from tests.support.resolved import REGION, Resolved
from tests.support.rows_app import ManualClock

SENDER = "bokit@example.com"
FUNCTIONS: dict[str, ModuleType] = {
    "ApiFunction": api,
    "ApiSyncFunction": api_sync,
    "AuthorizeFunction": authorize,
    "DeliverFunction": deliver,
    "LiveFunction": live,
    "NotifyFunction": notify,
    "PublicFunction": public,
    "SyncBatchFunction": sync_batch,
    "SyncFunction": sync,
    "SyncSqlFunction": sync_sql,
}


class PolicedCloud:
    """An account with the stack's resources, and what each function asked of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch, self.clock, self._clients = monkeypatch, ManualClock(), dict[str, Any]()
        secrets = self.client("secretsmanager")
        key = secrets.create_secret(Name="calendars", SecretString="a secret of tests")["ARN"]
        self.calendar_key: str = key
        self.stack = self.resolve()
        self.calls: dict[str, list[Sent]] = defaultdict(list)
        self.make_resources()

    def resolve(self, **parameters: str) -> Resolved:
        """Return the stack with other parameters, under the names of this account."""
        return Resolved({"CalendarKey": self.calendar_key}, MailFrom=SENDER, **parameters)

    def client(self, service: str) -> Any:
        """Return the one client of a service: making one takes longer than what it is asked."""
        if service not in self._clients:
            self._clients[service] = boto3.client(service, region_name=REGION)
        return self._clients[service]

    def make_resources(self) -> None:
        """Make what the template makes, under the names that its policies speak of."""
        for name in self.stack.resources("AWS::SQS::Queue"):
            self.client("sqs").create_queue(QueueName=self.stack.name_of(name))
        for name in self.stack.resources("AWS::SNS::Topic"):
            self.client("sns").create_topic(Name=self.stack.name_of(name))
        self.client("sesv2").create_email_identity(EmailIdentity=SENDER)
        create_table(str(self.stack.ref("Table")), region=REGION)

    def keep_secret(self, name: str, value: str) -> None:
        """Keep a secret of the default tenant in both services."""
        full = f"bokit/bokit/{DEFAULT_TENANT}/{name}"
        self.client("secretsmanager").create_secret(Name=full, SecretString=value)
        self.client("ssm").put_parameter(Name=f"/{full}", Value=value, Type="SecureString")

    def settings(self, function: str) -> Settings:
        """Return a function's settings, from the variables of the template."""
        variables = {name: str(value) for name, value in self.stack.variables(function).items()}
        changed = {"AWS_REGION": REGION, "BOKIT_ALLOW_PRIVATE_ADDRESSES": "true", "BOKIT_CONCURRENCY": "1"}
        return Settings.from_env(variables | changed)  # one thread: moto's transactions are not atomic

    def needs(self, function: str, policies: Policies) -> set[Need]:
        """Return what a function's calls needed, and what Lambda needs to serve it."""
        called = {need for sent in self.calls[function] for need in policies.needs_of_call(sent)}
        return called | set(policies.needs_of_events(function))

    @contextmanager
    def acting(self, function: str) -> Iterator[Any]:
        """Let a function run, newly started, with its own engine; note its calls meanwhile."""
        module, settings = FUNCTIONS[function], self.settings(function)
        with WATCH.listening(self.calls[function].append):
            if function == "AuthorizeFunction":
                for name, opener in (("access", open_access), ("tickets", open_tickets)):
                    self.replace(module, name, opener(settings, clock=self.clock))
                yield None
            else:
                engine = build_engine(settings, clock=self.clock)
                self.replace(module, "engine", engine)
                yield engine
            for thread in threading.enumerate():
                if thread.name == "traffic":
                    thread.join()

    def replace(self, module: ModuleType, name: str, made: Any) -> None:
        self.monkeypatch.setattr(module, name, lambda: made)

    def take(self, queue: str) -> list[str]:
        """Take every message that waits in a queue."""
        sqs, url, bodies = self.client("sqs"), self.stack.ref(queue), []
        while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                bodies.append(message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies

    def serve(self, function: str, queue: str, milliseconds: int = 60_000) -> int:
        """Let a function take what waits in a queue, each message with so much time; return how many there were."""
        bodies = self.take(queue)
        (record,) = load_event("deliver/turn.json")["Records"]
        with self.acting(function):
            for number, body in enumerate(bodies):
                event = {"Records": [{**record, "messageId": f"m{number}", "body": body}]}
                answer = FUNCTIONS[function].lambda_handler(event, LambdaContext(milliseconds_left=milliseconds))
                assert answer == {"batchItemFailures": []}, body
        return len(bodies)

    def call(self, function: str, event: str, change: Callable[[dict[str, Any]], None] = lambda event: None) -> Any:
        """Call a function with a payload of the events folder."""
        payload = json.loads(json.dumps(load_event(event)))
        change(payload)
        with self.acting(function):
            return FUNCTIONS[function].lambda_handler(payload, LambdaContext())

    def happen(self, name: str) -> None:
        """Put an event and a notice into the outbox, as another function does."""
        self.clock.move(seconds=1)
        now, notice = (
            self.clock(),
            Notice(id=f"n_{name}", type="tests", tenant=DEFAULT_TENANT, at=self.clock(), text="It happened."),
        )
        events = [NewEvent(type=EventType.WEBHOOK_DISABLED, data={"name": name})]
        store = build_engine(self.settings("NotifyFunction"), clock=self.clock).store
        for item in (*fill_outbox(DEFAULT_TENANT, now, events), *notice_items([notice])):
            store.put_outbox(item)
