"""SQS and SNS; a client is made when there is something to send."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from bokit.errors import LaterError
from bokit.outlets.protocols import Notice

_SQS_ENTRIES = 10
_SQS_BYTES = 256_000


class SqsQueue:
    """Sends bodies in batches of at most ten, and a quarter of a megabyte."""

    def __init__(self, make_client: Callable[[], Any], url: str) -> None:
        self._make_client, self._url = make_client, url

    @cached_property
    def _client(self) -> Any:
        return self._make_client()

    def send(self, bodies: Sequence[str], *, delay_seconds: int = 0) -> None:
        """Send every body, or raise LaterError: a body that was sent twice does no harm."""
        for chunk in _chunks(bodies):
            entries = [{"Id": str(i), "MessageBody": b, "DelaySeconds": delay_seconds} for i, b in enumerate(chunk)]
            try:
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            except (ClientError, BotoCoreError) as error:
                raise LaterError("the queue took nothing", code="queue") from error
            if answer.get("Failed"):
                raise LaterError("the queue took only some", code="queue", failed=len(answer["Failed"]))


class SnsAlerts:
    """Publishes each notice to the alert topic."""

    def __init__(self, make_client: Callable[[], Any], topic_arn: str) -> None:
        self._make_client, self._topic = make_client, topic_arn

    @cached_property
    def _client(self) -> Any:
        return self._make_client()

    def publish(self, notices: Sequence[Notice]) -> None:
        """Publish every notice, or raise LaterError."""
        for notice in notices:
            body = {
                "id": notice.id,
                "type": notice.type,
                "tenant": notice.tenant,
                "at": notice.at.isoformat(),
                "text": notice.text,
                "data": dict(notice.facts),
            }
            try:
                self._client.publish(TopicArn=self._topic, Subject=f"Bokit: {notice.type}", Message=json.dumps(body, default=str))
            except (ClientError, BotoCoreError) as error:
                raise LaterError("the alert topic took nothing", code="alerts") from error


def _chunks(bodies: Sequence[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    for body in bodies:
        if chunk and (len(chunk) == _SQS_ENTRIES or sum(len(b.encode()) for b in [*chunk, body]) > _SQS_BYTES):
            yield chunk
            chunk = []
        chunk.append(body)
    if chunk:
        yield chunk
