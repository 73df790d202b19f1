"""What the page of costs says is what the template has, and what the functions take of AWS for each thing that happens."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from moto import mock_aws

from tests.support.alert_server import serve_alerts
from tests.support.cost_model import (
    COUNTS,
    ENDPOINTS,
    EVENTS_OF_A_CHANGE,
    EXAMPLES,
    PING_SECONDS,
    add,
    cost,
    count_alarm_metrics,
    queues_of_functions,
    rows_of,
    schedule_of,
    services_of,
)
from tests.support.cost_page import PAGE, insert
from tests.support.metered import MeteredStack, Use, play
from tests.support.transformed import ROOT


def test_the_page_is_what_the_template_and_the_counts_make_of_it():
    """Where this fails: ``python -m tests.support.cost_page``."""
    text = PAGE.read_text(encoding="utf-8")

    assert text == insert(text)


def test_ten_thousand_feeds_cost_ten_dollars():
    """Every 15 minutes, unchanged: the schedule itself and its reading, with their logs."""
    assert schedule_of(EXAMPLES[-1]) <= 10


def test_most_of_what_a_small_stack_costs_stands_there():
    """Alarms, dashboard, metric, secret and idle queues: five sixths of what three flats pay, as the page says."""
    rows = rows_of(EXAMPLES[0])
    standing = (
        "alarms",
        "the dashboard",
        "the metric of lateness",
        "the secret of outgoing calendars",
        "Lambda asks idle queues",
    )

    assert cost(add(*(rows[name] for name in standing))) / cost(add(*rows.values())) > 5 / 6


def test_an_alarm_on_an_expression_is_billed_by_its_metrics():
    """Three alarms look at two metrics each, the other ones at one."""
    assert count_alarm_metrics() == 13 + 3 * 2


def test_the_worker_of_databases_needs_the_endpoints_that_the_page_counts():
    """DynamoDB's endpoint is a free one; Parameter Store is asked in place of Secrets Manager."""
    assert set(services_of("SyncSqlFunction")) == {*ENDPOINTS, "dynamodb", "ssm"}


def test_the_pollers_of_three_queues_are_counted():
    """Of batches, databases and turns."""
    assert len(queues_of_functions()) == 3


def test_the_page_pings_as_often_as_is_counted():
    """The client's interval."""
    assert f"pingMs: {PING_SECONDS}_000" in (ROOT / "web" / "client" / "src" / "timing.ts").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def counted(aws: None) -> Iterator[dict[str, Use]]:
    """What each thing took on a host's stack."""
    with pytest.MonkeyPatch.context() as monkeypatch, mock_aws(), serve_alerts() as server:
        for name in [n for n in os.environ if n.startswith("AWS_ENDPOINT")]:
            monkeypatch.delenv(name)
        yield play(MeteredStack(monkeypatch), server)


@pytest.mark.parametrize("name", COUNTS)
def test_each_thing_takes_what_the_page_counts(counted, name):
    """Units to one, since ids differ in length; messages and invocations exactly; the log at most, and not half of it."""
    count, use = COUNTS[name], counted[name]

    assert abs(use.writes - count.writes) <= 1
    assert abs(use.reads - count.reads) <= 1
    assert count.log_bytes / 2 <= use.log_bytes <= count.log_bytes
    assert +use.calls == Counter(count.calls)
    sent = {"sqs": count.sends, "apigatewaymanagementapi": count.posts, "sesv2": count.mails}
    assert +use.sent == +Counter(sent)


def test_a_change_is_one_event(counted):
    """So much do webhooks and open pages hear of."""
    assert counted["change"].events == EVENTS_OF_A_CHANGE
