"""The table's light client beside botocore's own: what it signs, which connections it takes, and what goes wrong."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, SSLError

from bokit.store.dynamo import light_client
from bokit.store.dynamo.light_client import LightSession, Signer
from bokit.store.dynamo.store import DynamoStore
from tests.support.scripted_server import Script, ScriptedServer, make_certificate, ok, say

NOW = datetime(2026, 11, 30, 21, 0, 5)  # noqa: DTZ001 - as botocore has it, in UTC without saying so
ITEM = b'{"Item": {"pk": {"S": "a"}, "sk": {"S": "b"}}}'
GET = {"TableName": "bokit", "Key": {"pk": {"S": "a"}, "sk": {"S": "b"}}}


class Identity:
    """What botocore's signer knows of a client."""

    signature_version, region_name, signing_name = "v4", "eu-central-1", "dynamodb"

    def __init__(self, token: str | None = None) -> None:
        self._credentials = Credentials("AKID", "a-key", token)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's own AWS settings, and no pauses between attempts."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    servers: list[ScriptedServer] = []

    def start(script: Script, *args: Any) -> ScriptedServer:
        servers.append(ScriptedServer(script, *args))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def a_client(server: ScriptedServer, scheme: str = "http") -> Any:
    return DynamoStore("bokit", region="eu-central-1", endpoint_url=server.url("", scheme)).client


# --- signing ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "a-token"])
@pytest.mark.parametrize("signing", [{}, {"region": "us-east-1", "signing_name": "dynamodb"}])
@pytest.mark.parametrize("body", [b"{}", "Łódź".encode()])
def test_a_signature_is_botocores(
    token: str | None, signing: dict[str, str], body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the same headers, time and credentials, with a session's token and with another region."""
    for module in (light_client, __import__("botocore.auth", fromlist=["auth"])):
        monkeypatch.setattr(module, "get_current_datetime", lambda: NOW)
    headers = {"X-Amz-Target": "DynamoDB_20120810.GetItem", "Content-Type": "application/x-amz-json-1.0", "User-Agent": "Bokit"}
    identity = Identity(token)
    ours = Signer(identity).sign(headers, body, "dynamodb.eu-central-1.amazonaws.com", {"auth_type": "v4", "signing": signing})
    theirs = AWSRequest("POST", "https://dynamodb.eu-central-1.amazonaws.com/", headers, body)
    region = signing.get("region", "eu-central-1")
    SigV4Auth(identity._credentials.get_frozen_credentials(), "dynamodb", region).add_auth(theirs)
    assert ours is not None
    assert ours["Authorization"] == theirs.headers["Authorization"]
    assert {name: ours[name] for name, _ in theirs.headers.items()} == dict(theirs.headers.items())


def test_the_key_of_a_day_is_that_of_its_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """New credentials, and a new day, have a key of their own."""
    identity, moment = Identity(), [NOW]
    monkeypatch.setattr(light_client, "get_current_datetime", lambda: moment[0])
    signer = Signer(identity)

    def sign() -> str:
        found = signer.sign({}, b"{}", "h", {})
        assert found is not None
        return found["Authorization"]

    first = sign()
    assert sign() == first
    identity._credentials = Credentials("AKID", "another")
    second = sign()
    moment[0] = NOW.replace(month=12, day=1)
    assert len({first, second, sign()}) == 3


@pytest.mark.parametrize(
    "context",
    [
        {"auth_type": "v4a"},
        {"auth_type": "none"},
        {"payload_signing_enabled": False},
        {"signing": {"request_credentials": Credentials("A", "B")}},
    ],
)
def test_what_is_signed_in_another_way_is_left_to_botocore(context: dict[str, Any]) -> None:
    """Other versions, unsigned requests, and credentials of one request."""
    assert Signer(Identity()).sign({}, b"{}", "h", context) is None


def test_without_credentials_botocore_says_so() -> None:
    """Nothing is signed with none."""
    identity = Identity()
    identity._credentials = None  # type: ignore[assignment]
    assert Signer(identity).sign({}, b"{}", "h", {}) is None


# --- connections -----------------------------------------------------------------------------------------------------------


def test_calls_take_one_connection_and_say_all_that_aws_asks_for(serve: Callable[..., ScriptedServer]) -> None:
    """Twenty calls in a row: one connection, and in each request the operation, its length, time, attempt and signature."""
    server = serve(say(ok(ITEM)))
    client = a_client(server)
    found = [client.get_item(**GET)["Item"] for _ in range(20)]
    assert found == [{"pk": {"S": "a"}, "sk": {"S": "b"}}] * 20
    assert (server.connections, len(server.heads)) == (1, 20)
    lines = server.heads[0].decode().lower()
    wanted = ("post / http/1.1", "host: 127.0.0.1", "x-amz-target: dynamodb_20120810.getitem", "content-length:", "x-amz-date:")
    named = ("amz-sdk-request: attempt=1", "signedheaders=content-type;host;x-amz-date;x-amz-target", "user-agent: bokit/")
    assert [text for text in (*wanted, *named) if text not in lines] == []


def test_a_connection_that_was_closed_is_replaced(serve: Callable[..., ScriptedServer]) -> None:
    """An answer that says so is the last of its connection; one that breaks off is asked for again."""
    answers = iter([ok(ITEM, "Connection: close"), ok(ITEM), ok(ITEM)[:60], ok(ITEM)])

    def script(sock: socket.socket, head: bytes) -> bool:
        answer = next(answers)
        return say(answer)(sock, head) and answer == ok(ITEM)

    client = a_client(server := serve(script))
    assert all("Item" in client.get_item(**GET) for _ in range(3))
    assert (len(server.heads), server.connections) == (4, 3)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200", b"not HTTP\r\n\r\n", ok(ITEM)[:-5]])
def test_an_answer_that_is_none_is_an_error_of_botocores(answer: bytes, serve: Callable[..., ScriptedServer]) -> None:
    """After as many attempts as the table's client makes."""
    server = serve(lambda sock, head: bool(sock.sendall(answer)))
    with pytest.raises(ConnectionClosedError):
        a_client(server).get_item(**GET)
    assert len(server.heads) == 4


def test_nobody_listening_is_an_error_of_botocores() -> None:
    """As its own session says it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    client = DynamoStore("bokit", region="eu-central-1", endpoint_url=f"http://127.0.0.1:{port}").client
    with pytest.raises(EndpointConnectionError):
        client.get_item(**GET)


def test_certificates_are_checked_as_botocore_checks_them(
    serve: Callable[..., ScriptedServer], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown one is refused; AWS_CA_BUNDLE names those that are trusted."""
    context, ca_file = make_certificate(tmp_path, "127.0.0.1")
    server = serve(say(ok(ITEM)), context)
    with pytest.raises(SSLError):
        a_client(server, "https").get_item(**GET)
    assert server.heads == []
    monkeypatch.setenv("AWS_CA_BUNDLE", ca_file)
    assert "Item" in a_client(server, "https").get_item(**GET)


def test_a_proxy_is_left_to_botocore(serve: Callable[..., ScriptedServer], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its session knows how to ask one."""
    proxy = serve(say(ok(ITEM)))
    monkeypatch.setenv("HTTP_PROXY", proxy.url(""))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    client = DynamoStore("bokit", region="eu-central-1", endpoint_url="http://dynamodb.example.org").client
    assert isinstance(client._endpoint.http_session, LightSession)
    assert "Item" in client.get_item(**GET)
    assert proxy.heads[0].startswith(b"POST http://dynamodb.example.org/ HTTP/1.1")
