"""``make logs``: what the functions of a stack log, as it comes; of the local cloud, or of the stack that BOKIT_STACK names."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from bokit.config import read_region
from local import stack
from local.daemon import Daemon
from local.errors import LocalError
from local.gateway import STACK
from local.place import Place

OVERLAP_MS = 15_000
"""Lines may come so much later than their time says: so far back each look reads again."""
LOCAL_PAUSE, ACCOUNT_PAUSE = 1.0, 5.0
"""Seconds between two looks; an account answers a few of these requests a second."""
PLATFORM = re.compile(r"(START|END|REPORT|INIT_START|XRAY) ")
"""Lambda's own lines."""
HIDDEN = frozenset(
    {"level", "location", "message", "timestamp", "service", "cold_start", "exception", "exception_name", "stack_trace"}
    | {"function_name", "function_memory_size", "function_arn", "function_request_id", "xray_trace_id"}
)
"""Fields of each line that say the same all the time, or have a place of their own."""
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """A stack's logs, and how to ask for them."""

    connect: Callable[[str], Any]
    stack: str
    pause: float

    def find_groups(self) -> dict[str, str]:
        """Return the log groups by the short name of what logs there: ``sync_batch``, ``http``."""
        pages = self.connect("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.stack)
        found = [resource for page in pages for resource in page["StackResourceSummaries"]]
        groups = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in found if r["ResourceType"] == "AWS::Logs::LogGroup"}
        return {short_name(logical): group for logical, group in sorted(groups.items())}


def short_name(logical_id: str) -> str:
    """Return the short name of a log group.

    >>> short_name("SyncBatchLogGroup")
    'sync_batch'
    """
    return "_".join(re.findall(r"[A-Z][a-z]*", logical_id.removesuffix("LogGroup"))).lower()


@dataclass(slots=True, kw_only=True)
class Tail:
    """Reads a group again and again, and each line once."""

    client: Any
    group: str
    since_ms: int
    seen: dict[tuple[Any, ...], int] = field(default_factory=dict)
    """The lines that the next look reads again, with their times."""

    def read(self) -> Iterator[Mapping[str, Any]]:
        """Yield what came since the last look."""
        pages = self.client.get_paginator("filter_log_events").paginate(logGroupName=self.group, startTime=self.since_ms)
        counts: Counter[tuple[Any, ...]] = Counter()
        for event in [event for page in pages for event in page["events"]]:
            content = (event["timestamp"], event.get("logStreamName"), event["message"])  # MiniStack gives lines no id
            counts[content] += 1
            if (line := (*content, counts[content])) not in self.seen:
                self.seen[line] = event["timestamp"]
                yield event
        self.since_ms = max([self.since_ms, *(at - OVERLAP_MS for at in self.seen.values())])
        self.seen = {line: at for line, at in self.seen.items() if at >= self.since_ms}


def follow(logs: Logs, groups: Mapping[str, str], since: float, *, once: bool) -> Iterator[str]:
    """Yield the lines of *groups*, those of a look by their times; *since* is in seconds since 1970."""
    client = logs.connect("logs")
    tails = {name: Tail(client=client, group=group, since_ms=int(since * 1000)) for name, group in groups.items()}
    while True:
        found = [(e["timestamp"], name, e["message"]) for name, tail in tails.items() for e in tail.read()]
        events = sorted(found, key=lambda event: event[0])  # lines of one moment stay in their order
        yield from (line for at, name, message in events for line in describe(at, name, message))
        if once:
            return
        time.sleep(logs.pause)


def describe(at_ms: int, name: str, message: str) -> Iterator[str]:
    """Yield the lines for people of one of the log's; nothing of Lambda's own lines, and of metrics.

    >>> list(describe(0, "sync", '{"level": "INFO", "message": "tick", "shards": 1, "service": "sync"}'))[0][9:]
    'sync         INFO tick shards=1'
    """
    if PLATFORM.match(message):
        return
    fields = read_fields(message)
    if fields is not None and "_aws" in fields:
        return
    begin = f"{datetime.fromtimestamp(at_ms / 1000):%H:%M:%S} {name:<12} "  # noqa: DTZ006 - of this machine, as one reads a clock
    if fields is None:
        yield from (f"{begin}{line}" for line in message.rstrip().splitlines())
        return
    if isinstance(facts := fields.pop("facts", None), dict):
        fields |= facts
    shown = [f"{key}={_short(value)}" for key, value in fields.items() if key not in HIDDEN]
    yield " ".join([f"{begin}{fields.get('level', '')}", str(fields.get("message", "")), *shown])
    yield from (f"{'':<22}{line}" for line in str(fields.get("exception") or "").splitlines())


def read_fields(message: str) -> dict[str, Any] | None:
    """Return a line's fields; None: it is text."""
    try:
        found = json.loads(message)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def read_span(text: str) -> int:
    """Return a span in seconds.

    >>> read_span("10m"), read_span("90")
    (600, 90)
    """
    found = re.fullmatch(r"(\d{1,6})([smhd]?)", text)
    if not found:
        raise LocalError(f"not a span of time: {text}; use 90, 10m, 2h or 1d")
    return int(found[1]) * UNITS[found[2] or "s"]


def open_logs(place: Place, env: Mapping[str, str]) -> Logs:
    """Return the logs of the stack of the account that BOKIT_STACK names, else of the local cloud."""
    if name := env.get("BOKIT_STACK"):
        return Logs(connect=partial(boto3.client, region_name=read_region(env)), stack=name, pause=ACCOUNT_PAUSE)
    if not Daemon(name="emulator", home=place.home).is_running():
        raise LocalError("the local cloud is not running: `make up` starts it; BOKIT_STACK names a deployed stack")
    return Logs(connect=partial(stack.connect, place.enter()), stack=STACK, pause=LOCAL_PAUSE)


def choose(groups: Mapping[str, str], wanted: Iterable[str]) -> dict[str, str]:
    """Return the groups of these names, or all of them."""
    wanted = list(wanted)
    if unknown := [name for name in wanted if name not in groups]:
        raise LocalError(f"nothing is called {unknown[0]} here: there are {', '.join(groups)}")
    return {name: group for name, group in groups.items() if not wanted or name in wanted}


def main(arguments: list[str]) -> int:
    """Print logs until interrupted."""
    parser = argparse.ArgumentParser(prog="make logs")
    parser.add_argument("functions", nargs="*")
    parser.add_argument("--since", default="10m")
    parser.add_argument("--once", action="store_true")
    options = parser.parse_args(arguments)
    try:
        logs = open_logs(Place.from_env(), os.environ)
        groups = choose(logs.find_groups(), options.functions)
        for line in follow(logs, groups, time.time() - read_span(options.since), once=options.once):
            print(line, flush=True)
    except LocalError as error:
        print(f"bokit: {error}", file=sys.stderr)
        return 2
    except (BotoCoreError, ClientError) as error:
        print(f"bokit: the logs cannot be read: {error}; check BOKIT_STACK, AWS_PROFILE and AWS_REGION", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - nobody reads the rest
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
