"""Dead letters on SQS: listed without being taken from anybody, moved back, discarded; nothing is lost on the way."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from bokit.engine.runs.dead_letters import DeadLetterService
from bokit.errors import BokitError, InputError, UnknownIdError
from bokit.outlets.letters import SqsLetters
from bokit.store.dynamo.create_table import create_table
from bokit_cli.main import execute

RUN = json.dumps({"open_run": "run_1", "tenant": "default", "source_ids": ["src_a", "src_b"]})


class Queues:
    """Three queues with dead letters, and the schedule's letters without one."""

    def __init__(self) -> None:
        self.sqs: Any = boto3.client("sqs", region_name="us-east-1")
        names = ("sync", "sync-dead", "deliver", "deliver-dead", "tick-dead")
        self.urls = {name: self.sqs.create_queue(QueueName=name)["QueueUrl"] for name in names}
        self.refuses = ""
        self.client = Refusing(self)
        pairs = {"sync": ("sync-dead", "sync"), "deliver": ("deliver-dead", "deliver"), "tick": ("tick-dead", None)}
        urls = {name: (self.urls[dead], self.urls[back] if back else None) for name, (dead, back) in pairs.items()}
        letters = {name: SqsLetters(lambda: self.client, *own) for name, own in urls.items()}
        self.service = DeadLetterService(letters, lambda: datetime.now(UTC) + timedelta(minutes=5))

    def send(self, queue: str, *bodies: str) -> list[str]:
        return [self.sqs.send_message(QueueUrl=self.urls[queue], MessageBody=body)["MessageId"] for body in bodies]

    def bodies(self, queue: str) -> list[str]:
        """Return what anybody can receive at once, and show it again."""
        got = self.sqs.receive_message(QueueUrl=self.urls[queue], MaxNumberOfMessages=10, VisibilityTimeout=0)
        return sorted(message["Body"] for message in got.get("Messages", []))


class Refusing:
    """The client, whose one method fails."""

    def __init__(self, queues: Queues) -> None:
        self.queues = queues

    def __getattr__(self, name: str) -> Any:
        if name == self.queues.refuses:
            return lambda **_: self.queues.sqs.get_queue_url(QueueName="none")
        return getattr(self.queues.sqs, name)


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    """Queues of the test's own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        yield Queues()


def test_a_list_says_what_each_is_and_takes_it_from_nobody(queues: Queues) -> None:
    """Queue, words, run, sources, age, deliveries; a moment later everybody can still receive it."""
    queues.send("sync-dead", RUN, "no message")
    queues.send("deliver-dead", json.dumps({"tenant": "t", "webhook": "hook_1", "hops": 2}))
    queues.send("tick-dead", "{}")

    found = queues.service.list_letters()

    assert {(d["queue"], d["about"], d["run_id"], d["can_redrive"]) for d in found} == {
        ("sync", "a requested sync of 2 sources", "run_1", True),
        ("sync", "not a message of Bokit", None, True),
        ("deliver", "events for webhook hook_1", None, True),
        ("tick", "a minute of the schedule that failed", None, False),
    }
    assert all(d["age_seconds"] >= 240 and d["receives"] >= 1 for d in found)
    assert queues.bodies("sync-dead") == sorted([RUN, "no message"])


def test_more_letters_than_one_answer_has_are_listed_once_each(queues: Queues) -> None:
    """Twenty-five."""
    ids = queues.send("sync-dead", *(f"n{n}" for n in range(25)))

    assert sorted(d["id"] for d in queues.service.list_letters()) == sorted(ids)


def test_one_is_moved_back_or_all_are(queues: Queues) -> None:
    """The others stay; the schedule's have no queue."""
    one, _ = queues.send("sync-dead", RUN, "other")
    (tick,) = queues.send("tick-dead", "{}")

    assert [d["id"] for d in queues.service.redrive([one])] == [one]
    assert (queues.bodies("sync"), queues.bodies("sync-dead")) == ([RUN], ["other"])
    with pytest.raises(InputError):
        queues.service.redrive([tick])
    queues.service.redrive([])
    assert (queues.bodies("sync"), queues.bodies("sync-dead"), queues.bodies("tick-dead")) == (sorted([RUN, "other"]), [], ["{}"])


def test_one_is_discarded_or_all_are(queues: Queues) -> None:
    """An unknown id is an error."""
    one, _ = queues.send("sync-dead", RUN, "other")
    queues.send("tick-dead", "{}")
    with pytest.raises(UnknownIdError):
        queues.service.discard(["none"])

    queues.service.discard([one])
    assert (queues.bodies("sync"), queues.bodies("sync-dead")) == ([], ["other"])
    queues.service.discard([])
    assert (queues.bodies("sync-dead"), queues.bodies("tick-dead")) == ([], [])


@pytest.mark.parametrize(("refuses", "back"), [("send_message", []), ("delete_message", [RUN])])
def test_nothing_is_lost_where_it_breaks_off(queues: Queues, refuses: str, back: list[str]) -> None:
    """Before the message was sent it is a letter still, at once; before the letter was deleted there are both."""
    queues.send("sync-dead", RUN)
    queues.refuses = refuses

    with pytest.raises(BokitError):
        queues.service.redrive([])

    queues.refuses = ""
    assert (queues.bodies("sync"), queues.bodies("sync-dead")) == (back, [RUN])


# ── the command line ──


@pytest.fixture
def stack(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> Queues:
    """The queues, as the environment of a deployed stack names them."""
    urls = queues.urls
    named = f"sync={urls['sync-dead']},{urls['sync']} deliver={urls['deliver-dead']},{urls['deliver']} tick={urls['tick-dead']}"
    for name, value in {"BOKIT_TABLE": "none", "BOKIT_DEAD_LETTERS": named, "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    return queues


def test_the_command_line_lists_moves_and_deletes(stack: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON and for people; it deletes where --yes says so."""
    one, two = stack.send("sync-dead", RUN, "other")

    assert execute(["dead-letters", "list", "--json"]) == 0
    assert {d["id"] for d in json.loads(capsys.readouterr().out)["items"]} == {one, two}
    assert execute(["dead-letters", "list"]) == 0
    shown = capsys.readouterr().out
    assert [letter in shown for letter in (one, two)] == [True, True]
    assert execute(["dead-letters", "redrive", one]) == 0
    assert execute(["dead-letters", "discard", two, "--yes"]) == 0
    assert (stack.bodies("sync"), stack.bodies("sync-dead")) == ([RUN], [])


@pytest.fixture
def calls(stack: Queues, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls to SQS of a command line whose table is there; the first one is refused where *stack* refuses it."""
    create_table("none", region="us-east-1")
    made = list[str]()
    send: Any = vars(BaseClient)["_make_api_call"]

    def note(self: Any, name: str, given: Any) -> Any:
        if self.meta.service_model.service_name == "sqs":
            made.append(name)
            if name == stack.refuses:
                raise EndpointConnectionError(endpoint_url="https://sqs.example")
        return send(self, name, given)

    monkeypatch.setattr(BaseClient, "_make_api_call", note)
    return made


@pytest.mark.parametrize(("count", "line"), [(1, "1 dead letter waits for a person; `bokit"), (12, "12 dead letters wait for")])
def test_the_status_says_that_there_are_dead_letters(
    count: int, line: str, stack: Queues, calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """With those that somebody reads at the time, by one call for each queue; without any it says nothing."""
    assert execute(["status"]) == 0
    assert "dead letter" not in capsys.readouterr().out
    stack.send("sync-dead", *[RUN] * (count - 1))
    stack.send("tick-dead", "{}")
    stack.sqs.receive_message(QueueUrl=stack.urls["tick-dead"], VisibilityTimeout=60)
    calls.clear()

    assert execute(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dead_letters"] == count
    assert calls == ["GetQueueAttributes"] * 3
    assert execute(["status"]) == 0
    assert line in capsys.readouterr().out


def test_a_status_whose_queues_cannot_be_asked_is_a_status(
    stack: Queues, calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Unknown is null, not none; the other queues are not asked then."""
    stack.refuses = "GetQueueAttributes"

    assert execute(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dead_letters"] is None
    assert calls == ["GetQueueAttributes"]
    assert execute(["status"]) == 0


def test_a_status_asks_no_queue_that_nobody_named(
    calls: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It costs no call."""
    monkeypatch.delenv("BOKIT_DEAD_LETTERS")

    assert execute(["status", "--json"]) == 0
    assert (json.loads(capsys.readouterr().out)["dead_letters"], calls) == (None, [])


def test_it_deletes_nothing_unasked(stack: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --yes and a person who says so; without ids and without --all, and with both."""
    (one,) = stack.send("sync-dead", RUN)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))

    assert execute(["dead-letters", "discard", "--all"]) == 130
    assert execute(["dead-letters", "discard", "--yes"]) == 2
    assert execute(["dead-letters", "redrive", one, "--all"]) == 2
    assert stack.bodies("sync-dead") == [RUN]


def test_a_stack_whose_queues_nobody_named_is_wrong_use(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says what to set; what cannot be read is wrong use, too."""
    monkeypatch.setenv("BOKIT_TABLE", "none")
    for value in ("", "sync", "sync=", "=x"):
        monkeypatch.setenv("BOKIT_DEAD_LETTERS", value)
        assert execute(["dead-letters", "list"]) == 2
        assert "BOKIT_DEAD_LETTERS" in capsys.readouterr().err
