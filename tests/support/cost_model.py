"""What a month of a stack costs: list prices, what tests count of each thing that happens, and how often it happens.

Amounts are kept by what they are priced by, so that free allowances can be taken off at the end.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from bokit.engine.catalog.limits import MAX_SOURCES_PER_SHARD
from tests.support.resolved import Resolved
from tests.support.transformed import as_list

PRICED = "November 2026"
HOURS = 730
"""Of a month, as AWS counts it."""


@dataclass(frozen=True)
class Price:
    """A list price of us-east-1 in USD, and what each account has of it for nothing, every month and without an end."""

    usd: float
    about: str
    free: float = 0


PRICES = {
    "write unit": Price(0.625e-6, "DynamoDB on demand, a write unit of 1 KB"),
    "read unit": Price(0.125e-6, "DynamoDB on demand, a read unit of 4 KB"),
    "stored GB": Price(0.25, "DynamoDB, a GB stored for a month", 25),
    "recovery GB": Price(0.20, "DynamoDB, point-in-time recovery of a GB for a month"),
    "queue request": Price(0.40e-6, "SQS, a request", 1e6),
    "GB second": Price(0.0000133334, "Lambda on arm64, a GB of memory for a second", 400_000),
    "invocation": Price(0.20e-6, "Lambda, an invocation", 1e6),
    "schedule": Price(1.00e-6, "EventBridge Scheduler, an invocation", 14e6),
    "HTTP request": Price(1.00e-6, "HTTP API, a request"),
    "message": Price(1.00e-6, "WebSocket API, a message of 32 KB, either way"),
    "connection minute": Price(0.25e-6, "WebSocket API, a minute of a connection"),
    "mail": Price(0.10e-3, "SES, an e-mail"),
    "GB out": Price(0.09, "a GB sent to the internet", 100),
    "log GB": Price(0.50, "CloudWatch Logs, a GB written", 5),
    "metric": Price(0.30, "CloudWatch, a metric of one's own for a month", 10),
    "alarm metric": Price(0.10, "CloudWatch, an alarm for a month, for each metric that it looks at", 10),
    "dashboard": Price(3.00, "CloudWatch, a dashboard for a month", 3),
    "secret": Price(0.40, "Secrets Manager, a secret for a month"),
    "key": Price(1.00, "KMS, a key of one's own for a month"),
    "key request": Price(3e-6, "KMS, a request", 20_000),
    "NAT hour": Price(0.045, "a NAT gateway for an hour"),
    "NAT GB": Price(0.045, "a NAT gateway, a GB through it"),
    "address hour": Price(0.005, "a public IPv4 address for an hour, which a NAT gateway needs"),
    "endpoint hour": Price(0.01, "an interface endpoint for an hour, in each zone"),
    "endpoint GB": Price(0.01, "an interface endpoint, a GB through it"),
}


@dataclass(frozen=True)
class Count:
    """What one thing takes, as ``tests/functions/test_costs.py`` counts it on the real functions."""

    about: str
    writes: int
    reads: float
    calls: tuple[str, ...] = ()
    """The functions that run, each once."""
    log_bytes: int = 0
    """What they log themselves, at most."""
    sends: int = 0
    """Messages to queues; Lambda receives and deletes each."""
    posts: int = 0
    """Messages to WebSockets."""
    mails: int = 0


COUNTS = {
    "tick": Count("a minute of the schedule, nothing due", 0, 7.5, ("SyncFunction",), 800),
    "batch of 6": Count("reading 6 calendars, none changed", 6, 5, ("SyncBatchFunction",), 1_100, sends=1),
    "batch of 100": Count("reading 100 calendars, none changed", 30, 26, ("SyncBatchFunction",), 1_100, sends=1),
    "change": Count("a new booking, beside the reading: stored, logged, published", 26, 24, ("NotifyFunction",), 1_100),
    "poll": Count("a platform reads an outgoing calendar", 4, 1.5, ("PublicFunction",)),
    "guess": Count("somebody asks for a calendar that does not exist", 0, 1, ("PublicFunction",)),
    "request": Count("a request of the HTTP API, with its token", 1, 14, ("AuthorizeFunction", "ApiFunction")),
    "page": Count(
        "a page opens a WebSocket, and leaves it", 7, 9, ("ApiSyncFunction", "AuthorizeFunction", "LiveFunction", "LiveFunction")
    ),
    "ping": Count("its ping, every 25 seconds", 0, 2, ("LiveFunction",), posts=1),
    "event at a page": Count("an event is posted to a page", 0, 0, posts=1),
    "delivery": Count("an event is sent to a webhook", 11, 11, ("DeliverFunction",), 550, sends=1),
    "look": Count("an alert channel looks at the log, every hour", 3, 5.5, ("DeliverFunction",), sends=1),
    "mail": Count("an alert is sent by e-mail", 14, 16, ("DeliverFunction",), sends=1, mails=1),
}
EVENTS_OF_A_CHANGE = 1
"""Counted too: what webhooks and open pages hear of a new booking."""


# ---- assumptions: nobody has measured these on AWS

SECONDS = {"SyncFunction": 0.2, "DeliverFunction": 0.5}
"""How long an invocation is billed; the others:"""
SHORT_SECONDS = 0.1
START_SECONDS, START_MINUTES = 1.0, 10
"""How long the start of a process is billed, and how often a function needs one: at each call, every ten minutes at most."""
FETCH_SECONDS = 0.3
"""How long a platform takes to answer; a batch has several requests under way."""
READ_HOURS = 2
"""A platform reads an outgoing calendar every so many hours."""
PING_SECONDS, CONNECTION_HOURS = 25, 2
CALENDAR_BYTES, ERROR_BYTES = 4_000, 600
FEED_BYTES = 20_000
"""What a feed keeps in the table: its bookings and their changes, snapshot, and outgoing calendar."""
POLLERS, POLL_SECONDS = 5, 20
"""Lambda asks an idle queue with five requests at a time, each of which waits for 20 seconds."""
KEY_MINUTES = 5
"""SQS and DynamoDB use an answer of KMS for five minutes."""
NETWORK_GB = 1
"""What the worker of databases sends and receives."""
ENDPOINTS = {"sqs": "SQS", "secretsmanager": "Secrets Manager"}
"""The interface endpoints that it needs: where databases' addresses are secrets. DynamoDB's endpoint is a free one."""
LAMBDA_LINES = (
    "START RequestId: 00000000-0000-4000-8000-000000000000 Version: $LATEST",
    "END RequestId: 00000000-0000-4000-8000-000000000000",
    "REPORT RequestId: 00000000-0000-4000-8000-000000000000\tDuration: 12345.67 ms\tBilled Duration: 12346 ms\t"
    "Memory Size: 1024 MB\tMax Memory Used: 1024 MB\tInit Duration: 1234.56 ms\t",
)
"""What Lambda itself logs of an invocation."""
LINE_BYTES = 26
"""What CloudWatch adds to each line."""


@dataclass(frozen=True)
class Example:
    """A stack: how many feeds it reads and how often, and what else happens in a month."""

    name: str
    feeds: int
    minutes: int
    batch: str
    changes: int = 10
    """Of a feed in a month; each feed's unit has an outgoing calendar for its platform."""
    page_hours: int = 0
    """How long pages are open, all together."""
    requests: int = 0
    """To the HTTP API: pages, programs, the command line."""
    sends_webhooks: bool = False
    """Whether every event goes to a webhook."""
    channels: int = 1
    """Alert channels, by e-mail."""
    mails: int = 10

    @property
    def all_changes(self) -> int:
        """Return the changes of a month."""
        return self.changes * self.feeds


EXAMPLES = (
    Example("3 flats", 6, 60, "batch of 6", page_hours=120, requests=3_000),
    Example("300 flats", 600, 30, "batch of 100", page_hours=500, requests=60_000, sends_webhooks=True, channels=3, mails=300),
    Example(
        "10,000 feeds",
        10_000,
        15,
        "batch of 100",
        page_hours=5_000,
        requests=600_000,
        sends_webhooks=True,
        channels=50,
        mails=5_000,
    ),
)

Amounts = Mapping[str, float]
"""How much of what has a price."""


# ---- the stack


@cache
def stack() -> Resolved:
    """Return the stack with the template's defaults."""
    return Resolved()


def count(kind: str) -> int:
    """Return how many resources of a type the stack has."""
    return len(stack().resources(kind))


def memory_of(function: str) -> float:
    """Return a function's memory in GB."""
    return float(stack().resources("AWS::Lambda::Function")[function]["MemorySize"]) / 1024


def concurrency() -> int:
    """Return how many requests a batch has under way."""
    return int(stack().variables("SyncBatchFunction")["BOKIT_CONCURRENCY"])


def count_alarm_metrics() -> int:
    """Return what the alarms are billed by: each metric that one looks at, of an expression all that it is made of."""
    alarms = stack().resources("AWS::CloudWatch::Alarm").values()
    return sum(sum("MetricStat" in metric for metric in alarm.get("Metrics", ())) or 1 for alarm in alarms)


def queues_of_functions() -> list[str]:
    """Return the queues from which Lambda's pollers read."""
    mappings = stack().resources("AWS::Lambda::EventSourceMapping").values()
    return [str(each["EventSourceArn"]) for each in mappings if ":sqs:" in str(each["EventSourceArn"])]


def access_log_bytes() -> int:
    """Return how long a line of the HTTP API's access log is, with values as long as usual ones."""
    form = str(stack().resources("AWS::ApiGatewayV2::Stage")["HttpStage"]["AccessLogSettings"]["Format"])
    return len(re.sub(r"\$context\.[A-Za-z.]+", "x" * 20, form)) + LINE_BYTES


def senders_to(queue: str) -> int:
    """Return how many roles may send to a queue."""
    found = set()
    for name, role in stack().resources("AWS::IAM::Role").items():
        for policy in role.get("Policies", ()):
            for statement in as_list(policy["PolicyDocument"]["Statement"]):
                if "sqs:SendMessage" in as_list(statement["Action"]) and queue in as_list(statement["Resource"]):
                    found.add(name)
    return len(found)


def services_of(function: str) -> list[str]:
    """Return the services that a function's role lets it ask."""
    policies = stack().resources("AWS::IAM::Role")[f"{function}Role"]["Policies"]
    statements = [s for policy in policies for s in as_list(policy["PolicyDocument"]["Statement"])]
    return sorted({action.partition(":")[0] for statement in statements for action in as_list(statement["Action"])})


# ---- a month


def amounts_of(counted: Count, times: float, seconds: float | None = None) -> Amounts:
    """Return what one thing takes that happens so many times in a month; *seconds*: of each invocation, if not the usual."""
    own = {
        "write unit": counted.writes * times,
        "read unit": counted.reads * times,
        "queue request": 3 * counted.sends * times,
        "message": counted.posts * times,
        "mail": counted.mails * times,
        "log GB": counted.log_bytes * times / 1e9,
    }
    return add(own, *(invoke(function, times, seconds) for function in counted.calls))


def invoke(function: str, times: float, seconds: float | None = None) -> Amounts:
    """Return what so many invocations take, with Lambda's own lines of log, and the starts of processes."""
    billed = times * (SECONDS.get(function, SHORT_SECONDS) if seconds is None else seconds)
    started = min(times, HOURS * 60 / START_MINUTES) * START_SECONDS
    logged = times * sum(len(line) + LINE_BYTES for line in LAMBDA_LINES)
    return {"invocation": times, "GB second": (billed + started) * memory_of(function), "log GB": logged / 1e9}


def add(*parts: Amounts) -> Amounts:
    """Return all amounts together."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: sum(part.get(name, 0) for part in parts) for name in names}


def rows_of(example: Example) -> dict[str, Amounts]:
    """Return the parts of a month: what happens by itself, what else happens, and what stands there."""
    minutes, sources = HOURS * 60, min(example.feeds, MAX_SOURCES_PER_SHARD)
    batches = math.ceil(example.feeds / MAX_SOURCES_PER_SHARD) * minutes / example.minutes
    polls = example.feeds * HOURS / READ_HOURS
    events = example.all_changes * EVENTS_OF_A_CHANGE
    posts, stored = events * example.page_hours / HOURS, example.feeds * FEED_BYTES / 1e9
    return {
        "the schedule, every minute": add(amounts_of(COUNTS["tick"], minutes), {"schedule": minutes}),
        "reading the calendars": amounts_of(COUNTS[example.batch], batches, FETCH_SECONDS * max(1, sources / concurrency())),
        "changes": amounts_of(COUNTS["change"], example.all_changes),
        "outgoing calendars, read every two hours": add(
            amounts_of(COUNTS["poll"], polls), over_http(polls), {"GB out": polls * CALENDAR_BYTES / 1e9}
        ),
        "requests of the HTTP API": add(amounts_of(COUNTS["request"], example.requests), over_http(example.requests)),
        "open pages": add(
            amounts_of(COUNTS["page"], example.page_hours / CONNECTION_HOURS),
            amounts_of(COUNTS["ping"], example.page_hours * 3600 / PING_SECONDS),
            amounts_of(COUNTS["event at a page"], posts),
            amounts_of(COUNTS["request"], posts),  # it reads again what the event is about
            over_http(posts + example.page_hours / CONNECTION_HOURS),
            {"message": example.page_hours * 3600 / PING_SECONDS, "connection minute": example.page_hours * 60},
        ),
        "webhooks": amounts_of(COUNTS["delivery"], events if example.sends_webhooks else 0),
        "alerts by e-mail": add(amounts_of(COUNTS["look"], example.channels * HOURS), amounts_of(COUNTS["mail"], example.mails)),
        "Lambda asks idle queues": {"queue request": len(queues_of_functions()) * POLLERS * minutes * 60 / POLL_SECONDS},
        "what the table stores, and its recovery": {"stored GB": stored, "recovery GB": stored},
        "alarms": {"alarm metric": count_alarm_metrics()},
        "the dashboard": {"dashboard": count("AWS::CloudWatch::Dashboard")},
        "the metric of lateness": {"metric": 1},
        "the secret of outgoing calendars": {"secret": count("AWS::SecretsManager::Secret")},
    }


def over_http(requests: float) -> Amounts:
    """Return what the gateway takes for requests: each is a line of its access log."""
    return {"HTTP request": requests, "log GB": requests * access_log_bytes() / 1e9}


def cost(amounts: Amounts) -> float:
    """Return what amounts cost in USD, without free allowances."""
    return sum(amount * PRICES[name].usd for name, amount in amounts.items())


def cost_after_allowances(rows: Mapping[str, Amounts]) -> float:
    """Return what is left to pay in an account that has nothing else."""
    whole = add(*rows.values())
    return cost({name: max(0, amount - PRICES[name].free) for name, amount in whole.items()})


def schedule_of(example: Example) -> float:
    """Return what the schedule itself costs in a month: ticks and batches, with their logs."""
    rows = rows_of(example)
    return cost(rows["the schedule, every minute"]) + cost(rows["reading the calendars"])


# ---- what comes on top where it is chosen


def extras() -> dict[str, Amounts]:
    """Return the parts of a month that a parameter or an owner's choice adds."""
    asked = count_key_requests()
    zone: Amounts = {"endpoint hour": len(ENDPOINTS) * HOURS, "endpoint GB": NETWORK_GB}
    nat: Amounts = {"NAT hour": HOURS, "address hour": HOURS, "NAT GB": NETWORK_GB}
    names, rate = " and ".join(ENDPOINTS.values()), int(stack().parameters["ApiRateLimit"])
    guesses = rate * HOURS * 3600
    return {
        f"`KmsKeyArn`: a key of your own, asked {asked:,} times at most": {"key": 1, "key request": asked},
        f"`SqlSubnetIds`: endpoints for {names} in one zone, {NETWORK_GB} GB": zone,
        "the same in two zones": {**add(zone, zone), "endpoint GB": NETWORK_GB},
        f"`SqlSubnetIds`: a NAT gateway in one zone, {NETWORK_GB} GB": nat,
        "the same in two zones, with two gateways": {**add(nat, nat), "NAT GB": NETWORK_GB},
        "a source, webhook or alert channel whose address is kept in Secrets Manager": {"secret": 1},
        f"`ApiRateLimit={rate}`: somebody guesses addresses of calendars as fast as it allows, all month": add(
            amounts_of(COUNTS["guess"], guesses), over_http(guesses), {"GB out": guesses * ERROR_BYTES / 1e9}
        ),
    }


def count_key_requests() -> int:
    """Return how often the services ask for a key of the owner's in a month, at most.

    SQS: twice for each sender to a queue and once for its receiver, as its documentation computes it; DynamoDB: once for each
    function; both every five minutes, as long as something happens.
    """
    queues = sum(2 * senders_to(queue) + 1 for queue in queues_of_functions())
    return (queues + count("AWS::Lambda::Function")) * HOURS * 60 // KEY_MINUTES
