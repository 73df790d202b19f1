"""The queries of the dashboard and of docs/operations.md read fields that the logs really have."""

from __future__ import annotations

import json
import logging
import re
from io import StringIO
from typing import Any

import pytest

from bokit.config import Settings
from bokit.core.model.catalog import DEFAULT_TENANT
from bokit.engine.runs.manual import SyncRequest
from bokit.observability import ROOT, configure_lambda
from bokit.outlets.memory import MemoryQueue
from bokit.store.memory.store import MemoryStore
from bokit.wiring import build_engine
from functions.deliver import app as deliver
from tests.support.apartment import AIRBNB, VRBO, Apartment
from tests.support.feed_bodies import calendar, sample
from tests.support.lambda_events import LambdaContext, load_event
from tests.support.log_queries import LogQuery, is_well_formed, queries_of_dashboard, queries_of_docs
from tests.support.one_feed_app import OneFeedApp
from tests.support.transformed import resources

QUERIES = [*queries_of_dashboard(), *queries_of_docs()]
OF_LAMBDA = {"@timestamp", "@message", "@log", "@type", "@billedDuration", "@memorySize", "@maxMemoryUsed", "@initDuration"}
"""Fields that CloudWatch finds in each line, and in Lambda's own REPORT lines."""
OF_REPORTS = OF_LAMBDA - {"@timestamp", "@message", "@log"}


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    """What functions log of ticks, batches, a double booking, a hold, failures and a turn: their own lines, as JSON."""
    configured, page = configure_lambda("sync", "INFO"), StringIO()
    handlers = {*configured.handlers, *logging.getLogger(ROOT).handlers}
    before = {handler: handler.setStream(page) for handler in handlers}
    double_book()
    hold()
    with pytest.MonkeyPatch.context() as monkeypatch:
        fail(monkeypatch)
    for handler, stream in before.items():
        handler.setStream(stream)
    return [json.loads(line) for line in page.getvalue().splitlines()]


def double_book() -> None:
    """Two platforms sell the same nights."""
    flat = Apartment()
    flat.add_feed(AIRBNB)
    flat.add_feed(VRBO)
    flat.sync()
    for feed in (AIRBNB, VRBO):
        flat.book(feed, 10, 14)
        flat.sync()
    assert len(flat.conflicts()) == 1


def hold() -> None:
    """A calendar loses all its bookings."""
    app = OneFeedApp()
    app.add(sample("airbnb", 6))
    assert str(app.sync(calendar("airbnb", [])).outcome) == "held"


def fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A calendar that does not answer; a webhook's turn that ends, and one that fails."""
    settings = Settings(table_name="none", allow_private_addresses=True)
    made = build_engine(settings, store=MemoryStore(), queue=MemoryQueue())
    house = made.catalog.add_property(DEFAULT_TENANT, {"name": "Rosa", "timezone": "Europe/Rome"})
    unit = made.catalog.add_unit(DEFAULT_TENANT, house.id, {"name": "Flat"})
    made.catalog.sources.add(DEFAULT_TENANT, unit.id, {"name": "Feed", "url": "http://127.0.0.1:9/closed.ics"})
    assert str(made.sync(SyncRequest(tenant=DEFAULT_TENANT)).sources[0].outcome) == "failed"
    monkeypatch.setattr(deliver, "engine", lambda: made)
    turn = load_event("deliver/turn.json")
    turn["Records"] += [{**turn["Records"][0], "messageId": "m2", "body": "nothing"}]
    deliver.lambda_handler(turn, LambdaContext())


def test_there_are_queries():
    """The series below reads them."""
    assert len(queries_of_dashboard()) >= 5
    assert len(queries_of_docs()) >= 5


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.text[-70:])
def test_a_query_reads_what_is_logged(query: LogQuery, lines):
    """Some line has its message and all its facts; other fields are of the access log, or CloudWatch's own."""
    found = [line for line in lines if query.message is None or query.message.search(line["message"])]

    assert is_well_formed(query)
    assert found
    assert not query.facts or any(query.facts <= set(line.get("facts", ())) for line in found)
    fields = fields_of(query)
    known = OF_LAMBDA | {name for line in found for name in line if name != "facts"} | access_log()
    assert fields <= known, fields - known
    assert not (fields & access_log()) or not query.facts  # no line has both
    assert not (fields & OF_REPORTS) or "@type = 'REPORT'" in query.text


def access_log() -> set[str]:
    """Return the fields of the HTTP API's access log that no function's line has."""
    (text,) = {
        s["AccessLogSettings"]["Format"] for s in resources("AWS::ApiGatewayV2::Stage").values() if "AccessLogSettings" in s
    }
    return set(json.loads(text)) - {"message", "level"}


def fields_of(query: LogQuery) -> set[str]:
    """Return the names of fields in *query*: no facts, functions, names that it gives, words of the language or texts."""
    text = re.sub(r"'[^']*'|/[^/]+/|\bfacts\.\w+", " ", " | ".join(query.steps))
    given = set(re.findall(r"\bas (\w+)", text))
    words = set(re.findall(r"(?<![\w.@])@?[A-Za-z_]\w*(?!\w*\()", text))
    language = {"fields", "filter", "stats", "sort", "limit", "by", "as", "and", "or", "not", "like", "desc", "asc", "in"}
    return {word for word in words if word not in given | language and not re.fullmatch(r"\d+\w", word)}
