"""Batches of reads and deletions. DynamoDB may do a part of one and return the rest, which is asked again after a pause.

PynamoDB asks again at once and for ever, which a throttled table answers with the same rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pynamodb.connection import Connection

from bokit.errors import StoreConflictError
from bokit.store.dynamo.keys import Key
from bokit.store.dynamo.pauses import Pauses
from bokit.store.limits import BATCH_FIRST_PAUSE, BATCH_MOST_PAUSE, MAX_BATCH_DELETES, MAX_BATCH_READS, MAX_BATCH_TRIES
from bokit.values import Value

Asked = dict[str, Any]
"""What is asked of each table, as DynamoDB takes it and returns what it has not done."""


class BatchRequests(Value):
    """Batches of one table; errors are those of botocore, but for StoreConflictError where the rest stays undone."""

    connection: Connection
    table: str
    pauses: Pauses

    def read(self, keys: Iterable[Key]) -> Iterator[dict[str, Any]]:
        """Yield the items that exist, as DynamoDB has them, strongly consistent."""
        for some in _divide(keys, MAX_BATCH_READS):
            asked = {self.table: {"Keys": some, "ConsistentRead": True}}
            for answer in self._ask("BatchGetItem", "UnprocessedKeys", asked):
                yield from answer.get("Responses", {}).get(self.table, ())

    def delete(self, keys: Iterable[Key]) -> None:
        """Delete the items."""
        for some in _divide(keys, MAX_BATCH_DELETES):
            asked = {self.table: [{"DeleteRequest": {"Key": key}} for key in some]}
            for _ in self._ask("BatchWriteItem", "UnprocessedItems", asked):
                pass

    def _ask(self, operation: str, rest: str, asked: Asked) -> Iterator[dict[str, Any]]:
        """Yield the answers until nothing is left of what is asked.

        time ────────┬────────────────────┬────────────────┬──────────────────────►
        asked        │ 100 keys           │ the 40 left    │ the 5 left
        pause                 ≤ 50 ms            ≤ 100 ms     … 1 s, and an error after the tenth
        """
        for attempt in range(MAX_BATCH_TRIES):
            if attempt:
                self.pauses.wait(attempt - 1, first=BATCH_FIRST_PAUSE, most=BATCH_MOST_PAUSE)
            answer = self.connection.dispatch(operation, {"RequestItems": asked})
            yield answer
            if not (asked := answer.get(rest) or {}):
                return
        raise StoreConflictError("the table is busy; try again", code="store-busy", table=self.table)


def _divide(keys: Iterable[Key], size: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the keys as DynamoDB takes them, each once: it refuses a batch that names one twice."""
    found = [{"pk": {"S": key.pk}, "sk": {"S": key.sk}} for key in dict.fromkeys(keys)]
    return (found[at : at + size] for at in range(0, len(found), size))
