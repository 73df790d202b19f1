"""The queue on SQS; its client is made when there is something to send."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

from bokit.aws_errors import AWS_ERRORS, AwsService
from bokit.errors import LaterError
from bokit.outlets.faults import not_taken
from bokit.outlets.limits import MAX_QUEUE_BATCH, MAX_QUEUE_BATCH_BYTES

QUEUE = AwsService(name="the queue", missing="no such queue; deploy the stack again, or set the queue's address to its output")


class SqsQueue:
    """``Queue`` on SQS."""

    def __init__(self, make_client: Callable[[], Any], url: str) -> None:
        self._make_client, self._url = make_client, url

    @cached_property
    def _client(self) -> Any:
        return self._make_client()

    def send(self, bodies: Sequence[str], *, delay_seconds: int = 0) -> None:
        for batch in _split_batches(bodies):
            entries = [{"Id": str(n), "MessageBody": body, "DelaySeconds": delay_seconds} for n, body in enumerate(batch)]
            try:
                response = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            except AWS_ERRORS as error:
                raise not_taken(error, QUEUE, code="queue") from error
            if response.get("Failed"):
                raise LaterError("the queue accepted only some messages", code="queue", failed=len(response["Failed"]))


def _split_batches(bodies: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for body in bodies:
        size = sum(len(each.encode()) for each in [*batch, body])
        if batch and (len(batch) == MAX_QUEUE_BATCH or size > MAX_QUEUE_BATCH_BYTES):
            yield batch
            batch = []
        batch.append(body)
    if batch:
        yield batch
