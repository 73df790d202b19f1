"""`bokit doctor` in a terminal, and what it asks beside the table, of services on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from bokit.config import Settings
from bokit.core.model.records import TenantId
from bokit_cli.doctor_reads import ApiAnswer, NotCheckedError, ask_api, count_messages, count_subscribers, find_secret_faults
from tests.support.terminal import Terminal

DENIED_BY_SNS = b"<ErrorResponse><Error><Code>AuthorizationError</Code><Message>no</Message></Error></ErrorResponse>"
MIDNIGHT = datetime(2026, 7, 1, tzinfo=UTC)


class Service(BaseHTTPRequestHandler):
    """Is up, ten minutes behind, and denies every question of AWS."""

    def do_GET(self) -> None:
        self.answer(200, {"status": "ok", "version": "9.9"})

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        denied = {"__type": "AccessDeniedException", "message": "not authorized"}
        self.answer(403, DENIED_BY_SNS if b"Action=" in asked else denied)

    def answer(self, status: int, document: Any) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response_only(status)
        self.send_header("Date", "Tue, 30 Jun 2026 23:50:00 GMT")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A stack that a server on loopback is."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    yield Settings(
        table_name="t",
        stack_name="bokit",
        region="us-east-1",
        endpoint_url=url,
        api_url=url,
        topic_arn="arn:aws:sns:us-east-1:000000000000:alerts",
        dead_letters={"sync": (f"{url}/1/dead", f"{url}/1/sync")},
        allow_private_addresses=True,
    )
    server.shutdown()
    server.server_close()


def test_what_the_caller_may_not_ask_is_said_with_the_right_that_it_takes(settings):
    """It says nothing of the stack: neither well nor wrong."""
    for ask, right in (
        (lambda: count_messages(settings), "sqs:GetQueueAttributes"),
        (lambda: count_subscribers(settings), "sns:GetTopicAttributes"),
        (lambda: find_secret_faults(settings, TenantId("default"), {"secret:crm"}), "secretsmanager:GetSecretValue"),
    ):
        with pytest.raises(NotCheckedError, match=f"may not .* they need {right}"):
            ask()


def test_the_clock_is_compared_with_what_the_service_says(settings):
    """By the Date header of the API's health check."""
    assert ask_api(settings, lambda: MIDNIGHT) == ApiAnswer(status=200, version="9.9", skew=timedelta(minutes=10))


def test_a_first_day_and_a_silent_schedule(capsys, tmp_path):
    """What is not known here is left out; without an alert channel, and once a sync is overdue, it exits with 1."""
    terminal = Terminal(capsys, tmp_path)
    terminal.furnish()
    terminal.json("sync", "--all")
    first = {check["name"]: check["state"] for check in terminal.json("doctor", code=1)["checks"]}
    assert [name for name, state in first.items() if state == "wrong"] == ["alerts"]
    assert [name for name, state in first.items() if state == "unchecked"] == ["api", "clock", "queue", "dead-letters"]

    terminal.clock.move(hours=2)
    shown = terminal.run("doctor")
    assert shown.code == 1
    assert "WRONG  schedule      Garden flat / Airbnb: due since" in shown.out
    assert shown.out.count("fix: ") == 2
    assert shown.out.endswith("2 checks of 11 failed\n")


def test_no_stack_is_a_finding_and_an_unknown_tenant_is_wrong_use(capsys, tmp_path, monkeypatch):
    """The first exits with 1 and says how to name one, the second with 2."""
    from bokit_cli.main import execute

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bokit_cli.session.PROJECT", tmp_path)
    for name in ("BOKIT_TABLE", "BOKIT_STACK"):
        monkeypatch.delenv(name, raising=False)
    assert execute(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "WRONG  stack         no stack is named" in out
    assert "fix: run `make up`" in out
    assert out.count("not checked: the stack does not answer") == 9
    assert Terminal(capsys, tmp_path).run("doctor", "--tenant", "nobody").code == 2
