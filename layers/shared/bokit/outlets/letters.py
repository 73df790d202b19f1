"""Dead letters on SQS: read without hiding them from anybody, moved back to their queue, or deleted."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from bokit.aws_errors import AWS_ERRORS, AwsService
from bokit.outlets.faults import not_taken
from bokit.outlets.limits import HELD_SECONDS, MAX_LETTERS, MAX_QUEUE_BATCH
from bokit.outlets.protocols import DeadLetter

LETTERS = AwsService(name="the queue of dead letters", missing="no such queue; check BOKIT_DEAD_LETTERS")
TIMES = ("SentTimestamp", "ApproximateReceiveCount")
COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
"""Those that can be received, and those that a reader holds for a moment."""


class SqsLetters:
    """``Letters`` on SQS."""

    def __init__(self, make_client: Callable[[], Any], url: str, queue_url: str | None) -> None:
        self._make_client, self._url, self._queue_url = make_client, url, queue_url

    @cached_property
    def _client(self) -> Any:
        return self._make_client()

    @property
    def has_queue(self) -> bool:
        return self._queue_url is not None

    def read(self) -> Sequence[DeadLetter]:
        return [letter for letter, _ in self._receive()]

    def count(self) -> int:
        found = self._call("get_queue_attributes", AttributeNames=list(COUNTS)).get("Attributes", {})
        return sum(int(found.get(name, 0)) for name in COUNTS)

    def move_back(self, wanted: Callable[[DeadLetter], bool]) -> Sequence[DeadLetter]:
        return self._take(wanted, lambda letter: self._call("send_message", QueueUrl=self._queue_url, MessageBody=letter.body))

    def discard(self, wanted: Callable[[DeadLetter], bool]) -> Sequence[DeadLetter]:
        return self._take(wanted, lambda _: None)

    def _take(self, wanted: Callable[[DeadLetter], bool], act: Callable[[DeadLetter], object]) -> Sequence[DeadLetter]:
        """Call *act* with each wanted letter, then delete it: what dies in between has it twice, never lost."""
        done = []
        with closing(self._receive()) as found:
            for letter, receipt in found:
                if wanted(letter):
                    act(letter)
                    self._call("delete_message", ReceiptHandle=receipt)
                    done.append(letter)
        return done

    def _receive(self) -> Generator[tuple[DeadLetter, str], None, None]:
        """Yield each letter once, with its receipt. All are held until the last was read, or the first would come again."""
        held: dict[str, tuple[DeadLetter, str]] = {}
        try:
            while len(held) < MAX_LETTERS:
                found = self._call(
                    "receive_message",
                    MaxNumberOfMessages=MAX_QUEUE_BATCH,
                    VisibilityTimeout=HELD_SECONDS,
                    AttributeNames=list(TIMES),
                ).get("Messages", [])
                fresh = {m["MessageId"]: (_read_letter(m), m["ReceiptHandle"]) for m in found}
                if not fresh.keys() - held.keys():
                    break
                held |= fresh
            yield from list(held.values())
        finally:
            for _, receipt in held.values():
                self._show_again(receipt)

    def _show_again(self, receipt: str) -> None:
        """Show a letter again; one that was deleted meanwhile is gone."""
        try:
            self._client.change_message_visibility(QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=0)
        except AWS_ERRORS:
            return

    def _call(self, name: str, **given: Any) -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = getattr(self._client, name)(**{"QueueUrl": self._url, **given})
        except AWS_ERRORS as error:
            raise not_taken(error, LETTERS, code="queue") from error
        return answer


def _read_letter(message: Mapping[str, Any]) -> DeadLetter:
    attributes = message.get("Attributes", {})
    return DeadLetter(
        id=str(message["MessageId"]),
        body=str(message["Body"]),
        sent_at=datetime.fromtimestamp(int(attributes.get("SentTimestamp", 0)) / 1000, UTC),
        receives=int(attributes.get("ApproximateReceiveCount", 0)),
    )
