"""The wire to AWS: what the services really answer, given to a real client of botocore's through its ``before-send`` event."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from botocore.awsrequest import AWSResponse

from tests.support.faulty_calls import without_pauses

SECRET = "S3CRET-of-the-wire"
"""Stands in every message of AWS's: no error of ours may quote it."""
DYNAMO, CORAL = "com.amazonaws.dynamodb.v20120810#", "com.amazon.coral.service#"


@dataclass(frozen=True, slots=True, kw_only=True)
class WireAnswer:
    """One answer: a status with a body, or the error of a connection that gives none."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None

    def send(self, request: Any) -> AWSResponse:
        if self.error is not None:
            raise self.error
        crc = {"x-amz-crc32": str(zlib.crc32(self.body))}
        headers = {"x-amzn-RequestId": "r", "Content-Type": "application/x-amz-json-1.0", **crc, **self.headers}
        return AWSResponse(request.url, self.status, headers, SimpleNamespace(stream=lambda *_, **__: iter([self.body])))


def document(content: dict[str, Any], status: int = 200) -> WireAnswer:
    return WireAnswer(status=status, body=json.dumps(content).encode())


def refusal(code: str, status: int = 400, message: str = "", **more: Any) -> WireAnswer:
    """Return an error of a JSON protocol; its text ends in the secret."""
    return document({"__type": code, "message": f"{message} {SECRET}", "Message": f"{message} {SECRET}", **more}, status)


def xml_refusal(code: str, status: int = 400) -> WireAnswer:
    """Return an error of the query protocol."""
    said = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{SECRET}</Message></Error>"
    return WireAnswer(status=status, body=f"<ErrorResponse>{said}<RequestId>r</RequestId></ErrorResponse>".encode())


def cancellation(*codes: str, message: str = "") -> WireAnswer:
    """Return the cancellation of a transaction, with a reason for each of its writes."""
    reasons = [{"Code": code} if code == "None" else {"Code": code, "Message": f"{message} {SECRET}"} for code in codes]
    return refusal(f"{DYNAMO}TransactionCanceledException", message="Transaction cancelled", CancellationReasons=reasons)


Script = Callable[[str, dict[str, Any]], WireAnswer]
"""Returns the answer to an operation with what was asked."""


@dataclass
class Wire:
    """What went over it: each request's operation and body."""

    script: Script
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def answer(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        operation, body = event_name.rpartition(".")[2], request.body or "{}"
        text = body.decode() if isinstance(body, bytes) else body
        asked = json.loads(text) if text.startswith("{") else {"": text}
        self.asked.append((operation, asked))
        return self.script(operation, asked).send(request)


@contextmanager
def scripted(client: Any, script: Script) -> Iterator[Wire]:
    """Let *script* answer what *client* sends meanwhile; botocore does not pause between its tries."""
    wire, event = Wire(script), f"before-send.{client.meta.service_model.service_id.hyphenize()}"
    client.meta.events.register_first(event, wire.answer)
    try:
        with without_pauses():
            yield wire
    finally:
        client.meta.events.unregister(event, wire.answer)
