"""A poll of an outgoing calendar that the reader has already, answered 304 by the warm handler, relative to a plain one.

    ours        ``functions/public`` on the gateway's event: of a calendar that is polled now and then, which reads the table, and
                of one that is polled often, whose page the instance keeps for a minute
    plain       Powertools' HTTP resolver with one route, PynamoDB's get of the page, SHA-256 of its body, and 304

Both read the same emulated table with a calendar of 100 bookings. The requests to the table of a thousand polls are counted.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from pynamodb.attributes import BinaryAttribute, UnicodeAttribute
from pynamodb.models import Model

from bench.bench_unchanged import emulator
from bench.rows import Row, show_rows
from bokit.config import Settings
from bokit.core.model.access import hash_token
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.store.dynamo.create_table import create_table
from bokit.store.dynamo.keys import published_key
from bokit.wiring import build_engine

ROOT = Path(__file__).resolve().parents[1]
TABLE, REGION, KEY = "bench-poll", "us-east-1", "bench-key-of-outgoing-calendars"
BOOKINGS, ROUNDS, POLLS, MANY = 100, 7, 40, 1000
MAX_RATIO, MAX_KEPT_RATIO = 1.5, 0.25
"""Of CPU, to the plain handler."""
MAX_READS = 15
"""Table requests of a thousand polls within a minute: the first ones, one of who reads, and one of what is late."""
CONTEXT = SimpleNamespace(
    function_name="bench",
    memory_limit_in_mb=256,
    aws_request_id="request",
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:bench",
    get_remaining_time_in_millis=lambda: 60_000,
)


def make_plain(endpoint_url: str) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """Return the plain handler."""

    class Page(Model):
        class Meta:
            table_name, region, host = TABLE, REGION, endpoint_url

        pk, sk = UnicodeAttribute(hash_key=True), UnicodeAttribute(range_key=True)
        packed = BinaryAttribute(null=True, legacy_encoding=False)

    app, logger = APIGatewayHttpResolver(), Logger(service="bench", stream=open(os.devnull, "w"))  # noqa: SIM115

    @app.get("/feeds/<name>")
    def read_feed(name: str) -> Response[str]:
        row = Page.get(*published_key(hash_token(name.removesuffix(".ics"))), consistent_read=True)
        etag = f'"{hashlib.sha256(row.packed).hexdigest()[:32]}"'
        known = etag == app.current_event.headers.get("if-none-match")
        return Response(
            304 if known else 200, body="" if known else base64.b64encode(row.packed).decode(), headers={"ETag": etag}
        )

    handler: Callable[[dict[str, Any], Any], dict[str, Any]] = logger.inject_lambda_context(app.resolve)
    return handler


class Calendar:
    """A unit with an outgoing calendar, and the event that polls it."""

    def __init__(self, endpoint_url: str) -> None:
        create_table(TABLE, region=REGION, endpoint_url=endpoint_url)
        settings = Settings(table_name=TABLE, region=REGION, endpoint_url=endpoint_url, calendar_key=KEY)
        bokit = build_engine(settings)
        house = bokit.catalog.add_property(DEFAULT_TENANT, {"name": "Bench", "timezone": "Europe/Rome"})
        unit = bokit.catalog.add_unit(DEFAULT_TENANT, house.id, {"name": "Flat"})
        today = bokit.clock().date()
        for number in range(BOOKINGS):
            nights = (today.fromordinal(today.toordinal() + 1 + 2 * number + more).isoformat() for more in (0, 1))
            days = dict(zip(("check_in", "check_out"), nights, strict=True))
            bokit.bookings.create(DEFAULT_TENANT, unit.id, days, by="user:bench")
        calendar = bokit.calendars.open(DEFAULT_TENANT, unit.id)
        self.event: dict[str, Any] = json.loads((ROOT / "events/public/feed.json").read_text())
        path = f"/feeds/{bokit.calendars.token_of(calendar)}.ics"
        self.event |= {"rawPath": path, "requestContext": {**self.event["requestContext"]}}
        self.event["requestContext"]["http"] = {**self.event["requestContext"]["http"], "path": path}

    def asking(self, handler: Callable[[dict[str, Any], Any], dict[str, Any]]) -> Callable[[], None]:
        """Return what polls once with the ETag that *handler* gave, and raises RuntimeError where it is not 304."""
        first = handler({**self.event, "headers": {"user-agent": "Airbnb/1.0"}}, CONTEXT)
        headers = {name.lower(): value for name, value in (first.get("headers") or {}).items()}
        event = {**self.event, "headers": {"user-agent": "Airbnb/1.0", "if-none-match": headers["etag"]}}

        def poll() -> None:
            answer = handler(event, CONTEXT)
            if answer["statusCode"] != 304:
                raise RuntimeError(f"not 304: {answer}")

        return poll


def time_polls(poll: Callable[[], None], times: int = POLLS) -> float:
    """Return CPU of one poll, in milliseconds."""
    begun = time.process_time()
    for _ in range(times):
        poll()
    return (time.process_time() - begun) * 1000 / times


def run() -> dict[str, Any]:
    """Return CPU of a poll by each way, their ratios, and the table requests of a thousand polls within a minute."""
    with emulator() as endpoint_url:
        os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION=REGION)
        os.environ.update(
            AWS_ENDPOINT_URL=endpoint_url, BOKIT_TABLE=TABLE, POWERTOOLS_SERVICE_NAME="bench", BOKIT_CALENDAR_KEY=KEY
        )
        calendar, plain = Calendar(endpoint_url), make_plain(endpoint_url)
        public = importlib.import_module("functions.public.app")
        public.engine.cache_clear()
        feeds, asked = public.engine().feeds, Counter[str]()
        public.engine().store.client.meta.events.register(
            "before-send.dynamodb", lambda request, **_: asked.update([request.headers["X-Amz-Target"].decode().split(".")[-1]])
        )
        for _ in range(MANY):
            calendar.asking(public.lambda_handler)()
        counted = dict(asked)
        kept, theirs = calendar.asking(public.lambda_handler), calendar.asking(plain)
        feeds_memory = feeds.memory.keep
        rounds = []
        for _ in range(ROUNDS):
            feeds.memory.keep = feeds_memory
            often = time_polls(kept)
            feeds.memory.keep = type(feeds_memory)()  # nothing is kept
            rounds.append((time_polls(kept), often, time_polls(theirs)))
    ours, often, floor = (median(each[i] for each in rounds) for i in range(3))
    return {
        "seldom": {"ours_ms": ours, "floor_ms": floor, "ratio": median(each[0] / each[2] for each in rounds)},
        "often": {"ours_ms": often, "floor_ms": floor, "ratio": median(each[1] / each[2] for each in rounds)},
        "requests": {"ratio": sum(counted.values()), **counted},
    }


def rows(report: dict[str, Any]) -> list[Row]:
    """Return the figures of *report*."""
    found = []
    for name, what, goal in (
        ("seldom", "304 of a calendar polled now and then; resolver", MAX_RATIO),
        ("often", "304 of a calendar polled often; resolver", MAX_KEPT_RATIO),
    ):
        each = report[name]
        ours, floor = (f"{each[key]:.2f} ms" for key in ("ours_ms", "floor_ms"))
        found.append(
            Row(name=f"poll.{name}.ratio", what=what, ratio=each["ratio"], goal=goal, at_most=True, ours=ours, floor=floor)
        )
    reads = report["requests"]["ratio"]
    what = f"table reads of {2 * MANY} polls in a minute, one instance"
    found.append(
        Row(name="poll.requests.ratio", what=what, ratio=reads, goal=MAX_READS, at_most=True, is_ratio=False, ours=str(reads))
    )
    return found


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    show_rows(rows(run()))
