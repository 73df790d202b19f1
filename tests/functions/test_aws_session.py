"""The light session asks where botocore's own would: the same address, signed for the same region, in every partition."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, UnknownServiceError
from botocore.parsers import ResponseParserFactory
from botocore.session import Session, get_session

from bokit import aws
from bokit.aws import USER_AGENT, LightLoader, make_client, open_session
from bokit.store.dynamo.store import DynamoStore
from tests.support.transformed import ROOT

CALLS = {
    "dynamodb": ("get_item", {"TableName": "bokit", "Key": {"pk": {"S": "a"}, "sk": {"S": "b"}}}),
    "sqs": ("send_message", {"QueueUrl": "https://sqs.eu-central-1.amazonaws.com/123456789012/sync", "MessageBody": "x"}),
    "sns": ("publish", {"TopicArn": "arn:aws:sns:eu-central-1:123456789012:alerts", "Message": "x"}),
    "secretsmanager": ("get_secret_value", {"SecretId": "bokit/rosa"}),
    "ssm": ("get_parameter", {"Name": "/bokit/rosa"}),
}
MAIL = {"FromEmailAddress": "a@b.example", "Destination": {"ToAddresses": ["c@b.example"]}}
CONTENT = {"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}}
ALL_CALLS = CALLS | {
    "apigatewaymanagementapi": ("post_to_connection", {"ConnectionId": "a", "Data": b"x"}),
    "sesv2": ("send_email", {**MAIL, "Content": CONTENT}),
}
REGIONS = ("us-east-1", "eu-central-1", "mx-central-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "eusc-de-east-1")
SPECIAL = ({}, {"use_fips_endpoint": True}, {"use_dualstack_endpoint": True})


@dataclass
class Busy:
    """A service that is busy, and what it was asked."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve_busy() -> Iterator[Busy]:
    """Answer every request with 503 for as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            busy.asked.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    busy = Busy(f"http://127.0.0.1:{server.server_port}")
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield busy
    finally:
        server.shutdown()
        server.server_close()


class SentError(Exception):
    """The request was about to leave."""


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    """Nothing of this machine's own AWS settings."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_PROFILE", "AWS_DATA_PATH", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


def destination_of(session: Session, service: str, region: str, config: dict[str, bool]) -> tuple[str, list[str]]:
    """Return where a request would go, and the region and service that it is signed for."""
    return follow(session.create_client(service, region, config=Config(**config)), service)


def follow(client: Any, service: str) -> tuple[str, list[str]]:
    """Return where a client sends a request, and the region and service that it is signed for."""
    seen: list[Any] = []

    def stop(request: Any, **_: Any) -> None:
        seen.append(request)
        raise SentError

    client.meta.events.register("before-send.*", stop)
    call, arguments = CALLS[service]
    with pytest.raises(SentError):
        getattr(client, call)(**arguments)
    return seen[0].url, seen[0].headers["Authorization"].decode().split("/")[2:4]


@pytest.fixture(scope="module")
def sessions() -> tuple[Session, Session]:
    """Ours and botocore's own, each of which reads its documents once."""
    return open_session(), get_session()


@pytest.mark.parametrize("service", CALLS)
@pytest.mark.parametrize("region", REGIONS)
def test_requests_go_where_botocores_own_would_go(sessions, service, region):
    """In plain, FIPS and dual-stack forms."""
    for config in SPECIAL:
        ours, botocores = (destination_of(session, service, region, config) for session in sessions)
        assert ours == botocores


@pytest.mark.parametrize("service", CALLS)
def test_clients_of_boto3_ask_the_same_addresses(sessions, service):
    """A client of a boto3 session asks where botocore's own would, or at the endpoint that it is given."""
    plain = destination_of(sessions[1], service, "eu-central-1", {})

    assert follow(make_client(service, region="eu-central-1"), service) == plain
    assert make_client(service, region="eu-central-1", endpoint_url="http://127.0.0.1:9").meta.endpoint_url.endswith(":9")


@pytest.mark.parametrize("service", ALL_CALLS)
def test_no_client_waits_for_long(service):
    """Every client gives up a connection after 3 seconds and a response after 10, the table's too."""
    config = make_client(service, region="eu-central-1", endpoint_url="http://127.0.0.1:9").meta.config
    table = DynamoStore("bokit", region="eu-central-1").client.meta.config

    assert {(each.connect_timeout, each.read_timeout) for each in (config, table)} == {(3, 10)}


@pytest.mark.parametrize("service", [*ALL_CALLS, "table"])
def test_who_is_always_busy_is_asked_three_times(service, monkeypatch):
    """Four times by the table's client; the pauses between, which are left out here, are a second or two each."""
    pauses: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=pauses.append))
    with serve_busy() as server:
        if service == "table":
            client = DynamoStore("bokit", region="eu-central-1", endpoint_url=server.url).client
        else:
            client = make_client(service, region="eu-central-1", endpoint_url=server.url)
        call, given = ALL_CALLS["dynamodb" if service == "table" else service]
        given = {**given, "QueueUrl": f"{server.url}/1/sync"} if service == "sqs" else given
        with pytest.raises(ClientError):
            getattr(client, call)(**given) if service != "table" else client._make_api_call("GetItem", given)

    attempts = 4 if service == "table" else 3
    assert (len(server.asked), len(pauses)) == (attempts, attempts - 1)
    assert max(pauses) <= 4


def test_clients_are_made_in_one_place():
    """Nothing of the product makes one by itself, with other timeouts: one module imports boto3, or asks a session for one."""
    made = {
        str(path.relative_to(ROOT))
        for folder in ("layers/shared/bokit", "cli/bokit_cli", "functions")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"\bboto3\.|import boto3|\.create_client\(", path.read_text(encoding="utf-8"))
    }

    assert made == {"layers/shared/bokit/aws.py"}


def test_documents_of_ones_own_are_left_alone(monkeypatch, tmp_path):
    """With AWS_DATA_PATH set, a session has botocore's own loader."""
    assert isinstance(open_session().get_component("data_loader"), LightLoader)
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))

    assert not isinstance(open_session().get_component("data_loader"), LightLoader)


def test_another_service_is_refused_by_name():
    """A service that Bokit does not call is unknown, and the error lists those that are not."""
    with pytest.raises(UnknownServiceError, match="dynamodb"):
        open_session().create_client("ec2", "us-east-1")


@pytest.mark.parametrize("service", CALLS)
def test_who_asks_is_said_by_name_and_version(service):
    """Not by what botocore would put together for each request; retries and signing are not touched by it."""
    client, sent = make_client(service, region="eu-central-1"), []

    def stop(request: Any, **_: Any) -> None:
        sent.append(request.headers)
        raise InterruptedError

    client.meta.events.register(f"before-send.{service}", stop)
    name, given = CALLS[service]
    with pytest.raises(InterruptedError):
        getattr(client, name)(**given)

    assert sent[0]["User-Agent"].startswith(USER_AGENT.encode())  # Powertools adds its own where it is imported
    assert b"/eu-central-1/" in sent[0]["Authorization"]


def test_a_function_makes_all_clients_of_one_session(monkeypatch):
    """Each call returns the shared one from then on; before it, each is a session of its own."""
    monkeypatch.setattr(aws, "_shared", [])
    assert open_session() is not open_session()

    shared = aws.share_session.__wrapped__()

    assert open_session() is open_session() is shared
    assert make_client("sqs", region="eu-central-1").meta.region_name == "eu-central-1"


ITEM = {
    "doc": {"S": "x"},
    "version": {"N": "3"},
    "packed": {"B": "YWI="},
    "set": {"SS": ["a", "b"]},
    "bytes": {"BS": ["YWI=", ""]},
    "map": {"M": {"deep": {"L": [{"B": "YWI="}, {"NULL": True}, {"BOOL": False}]}}},
}


def test_answers_of_the_table_are_read_as_botocores_own_parser_reads_them():
    """Values of every kind, in an answer's item, items and attributes."""
    model = get_session().get_service_model("dynamodb")
    for operation, body in (
        ("GetItem", {"Item": ITEM}),
        ("Query", {"Items": [ITEM, ITEM], "Count": 2, "LastEvaluatedKey": {"pk": {"S": "a"}}}),
        ("UpdateItem", {"Attributes": ITEM}),
        ("BatchGetItem", {"Responses": {"t": [ITEM]}, "UnprocessedKeys": {"t": {"Keys": [{"pk": {"S": "a"}}]}}}),
    ):
        answer = {"status_code": 200, "headers": {}, "body": json.dumps(body).encode()}
        shape = model.operation_model(operation).output_shape
        ours, theirs = (parsers.create_parser("json") for parsers in (aws._LightParsers(), ResponseParserFactory()))
        assert ours.parse(answer, shape) == theirs.parse(answer, shape), operation
